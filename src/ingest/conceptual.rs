//! The conceptual model: `features`, and `tests` with `cost` and `signal`.
//!
//! Optional beside them: `weights`, `{"feature": weight}`; `calibration`, of which `{"scale": s}` multiplies the signals
//! (1 at most), constants of the signal are taken by their names ([`Calibration::NAMES`]; alone they need no tests, as
//! `covopt calibrate` writes them), and anything else is named and not used; and `redundancy`, whose groups become families, in one of the
//! forms `[["a", "b"], ...]`, `{"name": ["a", "b"], ...}`, `[["a", "b", 0.8], ...]` and `{"a": {"b": 0.8}, ...}`. Pairs
//! more similar than one half are joined, transitively.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::json::{Text, end, failure};
use super::json_lines::{Pairs, check_signal};
use super::{Context, Ingest, IngestError, Kind, Note, Summary, cost_us};
use crate::signal::Calibration;

/// Pairs at most this similar stay apart.
const SIMILAR: f64 = 0.5;

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(default, borrow)]
    features: Vec<Text<'a>>,
    #[serde(borrow)]
    tests: Option<Pairs<'a, Test<'a>>>,
    #[serde(borrow)]
    weights: Option<Pairs<'a, f64>>,
    redundancy: Option<Value>,
    calibration: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Test<'a> {
    cost: Option<f64>,
    #[serde(borrow)]
    signal: Option<Pairs<'a, f64>>,
}

/// Reads the model.
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let model = Model::deserialize(&mut json).map_err(|error| failure(input, bytes, 1, &error))?;
    end(input, bytes, &mut json)?;
    let tests = model.tests.map_or_else(Vec::new, |tests| tests.0);
    if tests.is_empty() && model.calibration.is_none() {
        return Err(IngestError::Empty { input: input.to_owned() });
    }
    let scale = calibrated(input, model.calibration, into)?;
    let listed: BTreeSet<&str> = model.features.iter().map(|feature| &*feature.0).collect();
    listed.iter().for_each(|feature| _ = into.seen.feature(feature));
    let (mut pairs, mut unlisted) = (0, BTreeSet::new());
    for (Text(id), test) in &tests {
        let key = into.test(input, id, context)?;
        if let Some(cost) = test.cost {
            into.cost(key, cost_us(input, id, cost)?);
        }
        for (Text(feature), signal) in test.signal.iter().flat_map(|signal| &signal.0) {
            check_signal(input, id, feature, *signal)?;
            into.seen.signal(key, feature, (signal * scale).min(1.0));
            pairs += 1;
            if !listed.contains(&**feature) {
                unlisted.insert(&**feature);
            }
        }
    }
    for (Text(feature), weight) in model.weights.iter().flat_map(|weights| &weights.0) {
        let weight = positive(input, &format!("the weight of `{feature}`"), *weight)?;
        into.seen.weight(feature, weight);
    }
    if let Some(example) = unlisted.first() {
        let (features, example) = (unlisted.len(), (*example).to_owned());
        into.note(Note::UnlistedFeatures { input: input.to_owned(), features, example });
    }
    if let Some(redundancy) = model.redundancy {
        families(input, &redundancy, context, into)?;
    }
    Ok(Summary { kind: Kind::Conceptual, tests: tests.len(), files: 0, pairs })
}

fn positive(input: &str, what: &str, value: f64) -> Result<f64, IngestError> {
    if value >= 0.0 && value.is_finite() {
        return Ok(value);
    }
    let (input, what, found) = (input.to_owned(), what.to_owned(), value.to_string());
    Err(IngestError::BadValue { input, what, found, expected: "0 or more" })
}

/// States the constants of the signal, and gives the factor on all declared signals.
fn calibrated(
    input: &str,
    calibration: Option<BTreeMap<String, Value>>,
    into: &mut Ingest,
) -> Result<f64, IngestError> {
    let mut scale = 1.0;
    let mut unused = Vec::new();
    for (name, value) in calibration.into_iter().flatten() {
        let constant = Calibration::NAMES.into_iter().find(|&constant| constant == name);
        match (value.as_f64(), constant) {
            (Some(value), _) if name == "scale" => scale = positive(input, "`calibration.scale`", value)?,
            (Some(value), Some(constant)) => {
                if let Some(problem) = Calibration::of([(constant, value)]).0.problem() {
                    return Err(IngestError::Malformed {
                        input: input.to_owned(),
                        line: 1,
                        reason: format!("`calibration.{constant}` is {value}: {problem}"),
                    });
                }
                into.seen.constant(constant, value);
            }
            _ => unused.push(format!("calibration.{name}")),
        }
    }
    if !unused.is_empty() {
        into.note(Note::UnknownFields { input: input.to_owned(), fields: unused });
    }
    Ok(scale)
}

/// Declares the groups of redundant tests as families, each named by its least id.
fn families(input: &str, redundancy: &Value, context: &Context, into: &mut Ingest) -> Result<(), IngestError> {
    let mut groups = Groups::default();
    let is_read = match redundancy {
        Value::Array(entries) => entries.iter().all(|entry| groups.entry(entry)),
        Value::Object(entries) => entries.iter().all(|(name, entry)| match entry {
            Value::Array(_) => groups.entry(entry),
            Value::Object(others) => others.iter().all(|(other, similarity)| groups.pair(name, other, similarity)),
            _ => false,
        }),
        Value::Null => true,
        _ => false,
    };
    if !is_read {
        let expected = "groups of test ids, or pairs of them with a similarity from 0 to 1";
        let found = redundancy.to_string().chars().take(60).collect();
        return Err(IngestError::BadValue {
            input: input.to_owned(),
            what: "`redundancy`".to_owned(),
            found,
            expected,
        });
    }
    for (test, family) in groups.families() {
        let key = into.test(input, test, context)?;
        let family = context.test_id(family).into_owned();
        into.seen.family(key, &family);
    }
    Ok(())
}

/// Union-find over test ids.
#[derive(Default)]
struct Groups<'a> {
    positions: BTreeMap<&'a str, usize>,
    parents: Vec<usize>,
}

impl<'a> Groups<'a> {
    /// Joins the ids of `["a", "b", ...]` or, if they are similar, those of `["a", "b", 0.8]`.
    fn entry(&mut self, entry: &'a Value) -> bool {
        let Value::Array(items) = entry else { return false };
        if let [Value::String(a), Value::String(b), similarity @ Value::Number(_)] = items.as_slice() {
            return self.pair(a, b, similarity);
        }
        let ids: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        let Some(ids) = ids else { return false };
        ids.windows(2).for_each(|pair| self.join(pair[0], pair[1]));
        true
    }

    fn pair(&mut self, a: &'a str, b: &'a str, similarity: &Value) -> bool {
        let Some(similarity) = similarity.as_f64().filter(|similarity| (0.0..=1.0).contains(similarity)) else {
            return false;
        };
        if similarity > SIMILAR {
            self.join(a, b);
        }
        true
    }

    fn join(&mut self, a: &'a str, b: &'a str) {
        let (a, b) = (self.position(a), self.position(b));
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a] = b;
    }

    fn position(&mut self, id: &'a str) -> usize {
        let parents = &mut self.parents;
        *self.positions.entry(id).or_insert_with(|| {
            parents.push(parents.len());
            parents.len() - 1
        })
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    /// Each test with the least id of its group.
    fn families(mut self) -> Vec<(&'a str, &'a str)> {
        let ids: Vec<(&str, usize)> = self.positions.iter().map(|(&id, &position)| (id, position)).collect();
        let mut least: BTreeMap<usize, &str> = BTreeMap::new();
        ids.into_iter()
            .map(|(id, position)| {
                let root = self.root(position);
                (id, *least.entry(root).or_insert(id))
            })
            .collect()
    }
}
