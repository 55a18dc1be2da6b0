//! From a change vector and the model's posting lists to candidates: the tests with a signal on what changed, their
//! rows and costs, as the optimizer takes them. And, for what is left of a budget, the tests nearest to the change.

mod nearest;
mod trace;
mod views;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use self::trace::Trace;
use self::views::{Views, shares};
use crate::change::{Change, Source};
use crate::id::{TestId, file_of_id};
use crate::model::{Index, ModelError};
use crate::optimize::{CHANCE_ONE, Instance, InstanceError, Level, NO_FAMILY, Row, as_fraction, fixed_weights};
use crate::relevance::Relevance;
use crate::signal::{self, Evidence};

pub use nearest::nearest;

/// Why candidates could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// A part of the model is damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The change is larger than the optimizer takes.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The change reaches too many tests in too many regions.
    #[error("the change touches more than {limit} pairs of a region and a test; split the diff")]
    TooManySignals {
        /// The most that are gathered.
        limit: usize,
    },
}

/// The most signals that are gathered: a gigabyte and a half of them. Thirty times what the hub of a suite of a million
/// tests has, and a few bytes of a crafted model may claim as many for each line.
const SIGNALS_MOST: usize = 1 << 26;

/// The candidates of a change, ascending by test, and then those that are none: tests without a signal, to fill with.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// The test at each position of the instance.
    pub tests: Vec<TestId>,
    /// How many of them have a signal; the others follow.
    pub with_signal: usize,
    /// Rows by region of the change, costs, weights, families, set-up.
    pub instance: Instance,
    /// Where each region of the instance comes from.
    pub origins: Vec<Origin>,
    /// The share of the change that each region of the instance is.
    pub weights: Vec<f64>,
    /// What a utility of the instance is worth: the chance 1 in units of it.
    scale: f64,
    /// The family of each test.
    families: Vec<u32>,
    /// Where opening a test's file costs something: the file of each test as a number, and what the files cost.
    files: Option<(Vec<u32>, Vec<u64>)>,
}

/// Where a region of an instance comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The region of the change at this position.
    Changed(usize),
    /// What no region of the model knows.
    Unmapped,
    /// What tests that were never recorded may run.
    Unrecorded,
}

/// Gathers the tests with a signal on `change`. O(postings log postings + tests that failed before).
///
/// Regions of the instance: those of the change; then, where there is one, the part that no region knows, and what tests
/// that were never recorded may run, on which words and names alone are the signal.
///
/// # Errors
/// If a list that the change touches is damaged, or there are more regions than the optimizer takes.
pub fn gather<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
) -> Result<Candidates, CandidateError> {
    let mut views = Views { index, last: None };
    let gathering = signals(&mut views, change, relevance)?;
    gathering.into_candidates(&mut views, change, relevance)
}

/// What is known of each candidate of a change, before it is weighed.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The tests, ascending.
    pub tests: Vec<TestId>,
    /// What tells each from the others of a region.
    pub evidence: Vec<Evidence>,
    /// The weight of each region.
    pub weights: Vec<f64>,
    /// What the tests of regions share: the position of the test, the region, how much of it the test ran, and whether
    /// nothing recorded tells the tests of the region apart. What is declared is not shared.
    pub shares: Vec<(u32, u32, f64, bool)>,
}

/// Gathers what [`gather`] weighs.
///
/// # Errors
/// As [`gather`].
pub fn observe<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
) -> Result<Observed, CandidateError> {
    let mut views = Views { index, last: None };
    let mut gathering = signals(&mut views, change, relevance)?;
    let (tests, families) = gathering.tests(index)?;
    let evidence = evidence(&mut views, change, relevance, &tests, &families)?;
    let mut shares = Vec::with_capacity(gathering.signals.len());
    for (test, signals) in (0..).zip(gathering.signals.chunk_by(|a, b| a.0 == b.0)) {
        shares.extend(signals.iter().filter_map(|&(_, region, worth)| match worth {
            Worth::Level(_) => None,
            Worth::Share(share) => Some((test, region, share, false)),
            Worth::Alone => Some((test, region, 1.0, true)),
        }));
    }
    Ok(Observed { tests, evidence, weights: gathering.weights, shares })
}

/// The signals on the regions of a change, and on what none of them knows.
fn signals<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    change: &Change,
    relevance: &Relevance,
) -> Result<Gathering, CandidateError> {
    let index = views.index;
    let mut gathering = Gathering::default();
    for (at, region) in change.regions.iter().enumerate() {
        match &region.source {
            Source::Tests(tests) => {
                gathering.each(tests.iter().map(|&test| (test, Worth::Level(signal::IS_THE_CHANGE))))?;
            }
            Source::Feature(feature) => {
                let postings = index.feature(*feature)?.list.to_vec()?;
                gathering.each(postings.into_iter().map(|found| (found.test, Worth::Level(Level(found.signal)))))?;
            }
            source => {
                let tests = shares(views, source)?;
                match source {
                    Source::Block(..) | Source::Symbol(..) => gathering.crowd(tests)?,
                    // Module scope runs once for all tests, and those that a file defines are not told apart.
                    _ => gathering.alone(tests.into_iter().map(|(test, _)| test))?,
                }
            }
        }
        gathering.close(region.weight, Origin::Changed(at));
    }
    let unmapped = change.unmapped_weight();
    if unmapped > 0.0 {
        gathering.alone(relevance.nearest(UNMAPPED_MOST).into_iter())?;
        gathering.close(unmapped, Origin::Unmapped);
    }
    let unrecorded = (1.0 - unmapped) * share_unrecorded(index);
    if !change.is_empty() && unrecorded > 0.0 {
        gathering.alone(unrecorded_tests(index, relevance)?.into_iter())?;
        gathering.close(unrecorded, Origin::Unrecorded);
    }
    Ok(gathering)
}

/// Of a suite that was recorded in part, the part that was not: as likely as that, no recording tells what fails.
fn share_unrecorded<D: AsRef<[u8]>>(index: &Index<D>) -> f64 {
    let root = index.root();
    match root.tests_recorded {
        0 => 0.0,
        recorded => f64::from(root.tests.saturating_sub(recorded)) / f64::from(root.tests),
    }
}

/// How many tests speak for what no region knows: the ones with the most words in common. A frequent word alone makes
/// no candidate of half of a large suite.
const UNMAPPED_MOST: usize = 1 << 14;

/// How many tests are looked at for those that were not recorded: the ones with the most words in common.
const UNRECORDED_MOST: usize = 1024;

/// The tests with the most words in common with the change that were not recorded.
fn unrecorded_tests<D: AsRef<[u8]>>(index: &Index<D>, relevance: &Relevance) -> Result<Vec<TestId>, ModelError> {
    let mut tests = Vec::new();
    for test in relevance.nearest(UNRECORDED_MOST) {
        if !index.test_record(test)?.recorded {
            tests.push(test);
        }
    }
    Ok(tests)
}

/// What a test is worth on a region.
#[derive(Clone, Copy, Debug)]
enum Worth {
    /// Declared, or known for certain.
    Level(Level),
    /// Its part of what the region's tests share, by how much of the region it ran.
    Share(f64),
    /// Its part of what the region's tests share, where nothing recorded tells them apart.
    Alone,
}

/// How much rather a test fails than others of a region.
#[derive(Clone, Copy, Debug)]
struct Factor {
    recorded: f64,
    alone: f64,
}

impl Worth {
    /// What the test brings into the sum that a region's tests share.
    fn weighed(self, factor: &Factor) -> f64 {
        match self {
            Worth::Level(_) => 0.0,
            Worth::Share(share) => share * factor.recorded,
            Worth::Alone => factor.alone,
        }
    }
}

/// Signals as they are found.
#[derive(Default)]
struct Gathering {
    signals: Vec<(TestId, u32, Worth)>,
    /// The weight of each region so far; the next one is gathered for.
    weights: Vec<f64>,
    origins: Vec<Origin>,
}

impl Gathering {
    /// Ends the region whose signals were gathered last.
    fn close(&mut self, weight: f64, origin: Origin) {
        self.weights.push(weight);
        self.origins.push(origin);
    }

    fn each(&mut self, signals: impl Iterator<Item = (TestId, Worth)>) -> Result<(), CandidateError> {
        let region = position(self.weights.len());
        self.signals.extend(signals.map(|(test, worth)| (test, region, worth)));
        match self.signals.len() > SIGNALS_MOST {
            true => Err(CandidateError::TooManySignals { limit: SIGNALS_MOST }),
            false => Ok(()),
        }
    }

    /// Tests that share what a fault fails, by their factors and by how much of the region each ran.
    fn crowd(&mut self, tests: Vec<(TestId, f64)>) -> Result<(), CandidateError> {
        self.each(tests.into_iter().map(|(test, share)| (test, Worth::Share(share))))
    }

    /// Tests that share what a fault fails, by words and names alone.
    fn alone(&mut self, tests: impl Iterator<Item = TestId>) -> Result<(), CandidateError> {
        self.each(tests.map(|test| (test, Worth::Alone)))
    }

    /// Sorts the signals by test, and gives the tests with the family of each.
    fn tests<D: AsRef<[u8]>>(&mut self, index: &Index<D>) -> Result<(Vec<TestId>, Vec<u32>), ModelError> {
        self.signals.sort_unstable_by_key(|&(test, region, _)| (test, region));
        let mut tests: Vec<TestId> = self.signals.iter().map(|&(test, ..)| test).collect();
        tests.dedup();
        let families = tests.iter().map(|&test| Ok(index.family(test)?.unwrap_or(NO_FAMILY)));
        let families = families.collect::<Result<Vec<u32>, ModelError>>()?;
        Ok((tests, families))
    }

    fn into_candidates<D: AsRef<[u8]>>(
        mut self,
        views: &mut Views<'_, D>,
        change: &Change,
        relevance: &Relevance,
    ) -> Result<Candidates, CandidateError> {
        let index = views.index;
        let calibration = index.root().calibration;
        let (tests, families) = self.tests(index)?;
        let factors = factors(views, change, relevance, &tests, &families)?;
        let of_tests = self.signals.chunk_by(|a, b| a.0 == b.0).zip(&factors);
        let mut totals = vec![0.0; self.weights.len()];
        for (signals, factor) in of_tests.clone() {
            for &(_, region, worth) in signals {
                totals[region as usize] += worth.weighed(factor);
            }
        }
        let mut starts = vec![0];
        let mut rows: Vec<Row> = Vec::with_capacity(self.signals.len());
        let mut shared = SharedSignals { signals: vec![0.0; self.weights.len()], of_families: Vec::new() };
        for ((signals, factor), &family) in of_tests.zip(&families) {
            rows.extend(signals.iter().map(|&(_, region, worth)| {
                let level = match worth {
                    Worth::Level(level) => level,
                    worth => {
                        let level = calibration.share(worth.weighed(factor), totals[region as usize]);
                        shared.add(region, family, level);
                        level
                    }
                };
                Row::new(region, level)
            }));
            starts.push(position(rows.len()));
        }
        let total: f64 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|weight| *weight /= if total > 0.0 { total } else { 1.0 });
        // What the tests of a region share is all that a fault fails: together they are to be certain.
        let reaches = shared.reaches();
        let in_full = |(weight, &reach): (&f64, &f64)| if reach > 0.0 { weight / reach } else { *weight };
        let weights: Vec<f64> = self.weights.iter().zip(&reaches).map(in_full).collect();
        let scale = weights.iter().sum();
        let costs = tests.iter().map(|&test| index.cost_us(test)).collect::<Result<Vec<u64>, _>>()?;
        let instance = Instance::new(fixed_weights(&weights), costs, starts, rows)?.with_families(families.clone())?;
        let with_signal = tests.len();
        Ok(Candidates {
            with_signal,
            tests,
            instance,
            origins: self.origins,
            weights: self.weights,
            scale,
            families,
            files: None,
        })
    }
}

/// What the tests that share a region say about it together.
struct SharedSignals {
    /// The signals of tests without a family, by region.
    signals: Vec<f64>,
    /// Those of the others.
    of_families: Vec<(u32, u32, Reverse<Level>)>,
}

impl SharedSignals {
    fn add(&mut self, region: u32, family: u32, level: Level) {
        match family {
            NO_FAMILY => self.signals[region as usize] += level.signal(),
            family => self.of_families.push((region, family, Reverse(level))),
        }
    }

    /// The chance that all of them together catch what is broken in each region; 0 where none shares it. In a family each
    /// further signal counts half, as in the objective.
    fn reaches(mut self) -> Vec<f64> {
        self.of_families.sort_unstable();
        for family in self.of_families.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let ranked = family.iter().rev().fold(0.0, |further, (.., Reverse(level))| level.signal() + further / 2.0);
            self.signals[family[0].0 as usize] += ranked;
        }
        self.signals.into_iter().map(|signal| -libm::expm1(-signal)).collect()
    }
}

/// How much rather each test fails than the others of a region, by all that is known of it and the change.
fn factors<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    change: &Change,
    relevance: &Relevance,
    tests: &[TestId],
    families: &[u32],
) -> Result<Vec<Factor>, ModelError> {
    let calibration = views.index.root().calibration;
    let evidence = evidence(views, change, relevance, tests, families)?;
    let factor = |of: &Evidence| Factor { recorded: calibration.factor(of), alone: calibration.factor_alone(of) };
    let mut factors: Vec<Factor> = evidence.iter().map(factor).collect();
    for (test, history) in views.index.failures()? {
        if let Ok(at) = tests.binary_search(&test) {
            let factor = signal::factor_of_history(history);
            factors[at].recorded *= factor;
            factors[at].alone *= factor;
        }
    }
    Ok(factors)
}

/// What tells each test from the others of a region.
fn evidence<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    change: &Change,
    relevance: &Relevance,
    tests: &[TestId],
    families: &[u32],
) -> Result<Vec<Evidence>, ModelError> {
    let mut members: HashMap<u32, u32> = HashMap::new();
    families.iter().for_each(|&family| *members.entry(family).or_default() += 1);
    let logarithm = |count: u32| libm::log(f64::from(count.max(1)));
    let traces = trace::traces(views, change, tests)?;
    let evidence = |((&test, &family), trace): ((&TestId, &u32), &Trace)| {
        let variants = if family == NO_FAMILY { 1 } else { members[&family] };
        Evidence {
            rarity: trace.rarity,
            fellows: logarithm(trace.fellows),
            variants: logarithm(variants),
            ..relevance.evidence(test)
        }
    };
    Ok(tests.iter().zip(families).zip(&traces).map(evidence).collect())
}

fn position(rows: usize) -> u32 {
    u32::try_from(rows).expect("signals are counted against SIGNALS_MOST")
}

/// What fixed point cannot tell from nothing.
const LAST_BITS: f64 = 1e-5;

impl Candidates {
    /// The chance that a utility, a gain or a bound of the instance stands for, 0 to 1; for printing, never for deciding.
    pub fn chance(&self, utility: u64) -> f64 {
        let chance = as_fraction(utility) * self.scale;
        if chance > 1.0 - LAST_BITS { 1.0 } else { chance }
    }

    /// The risk that is left on a region where `risk` of its weight in the instance is: at most its share of the change.
    pub fn risk_of(&self, region: usize, risk: u64) -> f64 {
        let whole = u64::from(self.instance.weights()[region]) * CHANCE_ONE;
        let left = self.weights[region] - self.chance(whole.saturating_sub(risk));
        if left > LAST_BITS { left } else { 0.0 }
    }

    /// These candidates with others, or fewer, tests.
    fn with_tests(
        self,
        with_signal: usize,
        (tests, families): (Vec<TestId>, Vec<u32>),
        (costs, starts, rows): (Vec<u64>, Vec<u32>, Vec<Row>),
    ) -> Result<Self, CandidateError> {
        let instance = Instance::new(self.instance.weights().to_vec(), costs, starts, rows)?;
        let instance = instance.with_families(families.clone())?;
        Ok(Self { tests, with_signal, instance, families, files: None, ..self })
    }

    /// The candidates but those in `gone`: what [`gather`] would give of a model without them, but for what their number
    /// says of the others.
    ///
    /// # Errors
    /// Never for what [`gather`] gave.
    pub fn without(mut self, gone: &HashSet<TestId>) -> Result<Self, CandidateError> {
        let (mut tests, mut families, mut costs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut starts, mut rows, mut file_of) = (vec![0], Vec::new(), Vec::new());
        let with_signal = self.tests[..self.with_signal].iter().filter(|test| !gone.contains(test)).count();
        for (candidate, &test) in (0u32..).zip(&self.tests) {
            let at = candidate as usize;
            if !gone.contains(&test) {
                tests.push(test);
                families.push(self.families[at]);
                costs.push(self.instance.costs_us()[at]);
                rows.extend_from_slice(self.instance.rows_of(candidate));
                starts.push(position(rows.len()));
                file_of.extend(self.files.as_ref().map(|(file_of, _)| file_of[at]));
            }
        }
        let files = self.files.take();
        let left = self.with_tests(with_signal, (tests, families), (costs, starts, rows))?;
        match files {
            Some((_, setup_us)) => left.with_files(file_of, setup_us),
            None => Ok(left),
        }
    }

    /// These, and the tests of `others` that are not among them, each with its cost in microseconds: without a signal and
    /// in their order.
    ///
    /// To be called before files are charged.
    ///
    /// # Errors
    /// Never for what [`gather`] gave.
    pub fn and(mut self, others: &[(TestId, u64)]) -> Result<Self, CandidateError> {
        let mut seen: HashSet<TestId> = HashSet::new();
        let (mut tests, mut families) = (std::mem::take(&mut self.tests), std::mem::take(&mut self.families));
        let mut costs = self.instance.costs_us().to_vec();
        let with_signal = self.with_signal;
        let further = others.iter().filter(|(test, _)| tests[..with_signal].binary_search(test).is_err());
        let further: Vec<(TestId, u64)> = further.filter(|(test, _)| seen.insert(*test)).copied().collect();
        let rows = self.instance.rows().to_vec();
        let row_counts = (0u32..).take(tests.len()).map(|candidate| self.instance.rows_of(candidate).len());
        let mut starts = vec![0];
        starts.extend(row_counts.scan(0, |end, rows| {
            *end += rows;
            Some(position(*end))
        }));
        for (test, cost_us) in further {
            tests.push(test);
            families.push(NO_FAMILY);
            costs.push(cost_us);
            starts.push(position(rows.len()));
        }
        self.with_tests(with_signal, (tests, families), (costs, starts, rows))
    }

    /// The positions of those of `order` that are here, in that order. O(tests without a signal + order log candidates).
    pub fn positions<'a>(&self, order: impl IntoIterator<Item = &'a TestId>) -> Vec<u32> {
        let (with_signal, without) = self.tests.split_at(self.with_signal);
        let others: HashMap<TestId, u32> = without.iter().copied().zip(position(with_signal.len())..).collect();
        let position_of = |test| match with_signal.binary_search(test) {
            Ok(at) => Some(position(at)),
            Err(_) => others.get(test).copied(),
        };
        order.into_iter().filter_map(position_of).collect()
    }

    /// Makes the candidates in `free` cost nothing, not even to open their files: they ran before. To be called after
    /// everything is charged.
    ///
    /// # Errors
    /// Never for what [`gather`] gave.
    pub fn with_free(mut self, free: &BTreeSet<TestId>) -> Result<Self, CandidateError> {
        let positions = self.positions(free);
        if positions.is_empty() {
            return Ok(self);
        }
        self.instance = self.instance.with_free(&positions);
        let Some((mut file_of, mut setup_us)) = self.files.take() else { return Ok(self) };
        positions.iter().for_each(|&candidate| file_of[candidate as usize] = position(setup_us.len()));
        setup_us.push(0);
        self.with_files(file_of, setup_us)
    }

    /// Charges `per_test_us` for each test, beside what it costs itself. O(candidates).
    pub fn charge_tests(mut self, per_test_us: u64) -> Self {
        self.instance = self.instance.with_overhead(per_test_us);
        self
    }

    /// Charges `per_file_us` for each file of tests that is opened. O(names of the candidates).
    ///
    /// # Errors
    /// If a name is damaged.
    pub fn charge_files<D: AsRef<[u8]>>(self, index: &Index<D>, per_file_us: u64) -> Result<Self, CandidateError> {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut file_of = Vec::with_capacity(self.tests.len());
        for &test in &self.tests {
            let id = index.test_name(test)?;
            let next = position(numbers.len());
            let file = file_of_id(&id);
            let number = match numbers.get(file) {
                Some(&number) => number,
                None => *numbers.entry(file.to_owned()).or_insert(next),
            };
            file_of.push(number);
        }
        let setup_us = vec![per_file_us; numbers.len()];
        self.with_files(file_of, setup_us)
    }

    fn with_files(mut self, file_of: Vec<u32>, setup_us: Vec<u64>) -> Result<Self, CandidateError> {
        self.instance = self.instance.with_groups(file_of.clone(), setup_us.clone())?;
        self.files = Some((file_of, setup_us));
        Ok(self)
    }
}

/// How many impacted tests are gathered before those that repeat are joined.
const JOIN_FROM: usize = 1 << 20;

/// Every test with a signal on a region of `change`, ascending.
///
/// # Errors
/// If a list that the change touches is damaged.
pub fn impacted<D: AsRef<[u8]>>(index: &Index<D>, change: &Change) -> Result<Vec<TestId>, ModelError> {
    let mut tests: Vec<TestId> = Vec::new();
    let mut views = Views { index, last: None };
    let mut join_from = JOIN_FROM;
    for region in &change.regions {
        match &region.source {
            Source::Tests(changed) => tests.extend(changed),
            Source::Feature(feature) => index.feature(*feature)?.list.for_each(|posting| tests.push(posting.test))?,
            source => tests.extend(shares(&mut views, source)?.into_iter().map(|(test, _)| test)),
        }
        // Large lists repeat each other: joined now and then, so that memory is for tests, not for postings.
        if tests.len() >= join_from {
            tests.sort_unstable();
            tests.dedup();
            join_from = JOIN_FROM.max(tests.len() * 2);
        }
    }
    tests.sort_unstable();
    tests.dedup();
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::change::Mapping;
    use crate::observation::{LineRange, LineSet, Observations, Outcome, Run, Symbol, SymbolKind};

    /// Five tests by falling nearness to line 3 of `a.py`: they ran it, its function, its file, another file, nothing.
    /// The farther, the cheaper.
    fn seen() -> Observations {
        let mut seen = Observations::default();
        let [a, b] = ["a.py", "b.py"].map(|path| seen.file(path));
        for (cost_us, (id, file, line)) in
            (1..).zip([("none", b, 0), ("other", b, 1), ("file", a, 50), ("function", a, 8), ("line", a, 3)])
        {
            let test = seen.test(id);
            if line > 0 {
                seen.cover(test, file, &[LineRange::single(line)].into_iter().collect::<LineSet>());
            }
            let cost_us = Some(cost_us * 1000);
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome: Outcome::Passed, cost_us });
        }
        let lines = LineRange { first: 2, last: 10 };
        seen.file_mut(a).symbols.insert(Symbol { lines, name: "f".to_owned(), kind: SymbolKind::Function });
        seen
    }

    fn with_change(check: impl FnOnce(&Index<&[u8]>, &Change)) {
        let bytes = build(&seen(), None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = crate::diff::parse(b"--- a/a.py\n+++ b/a.py\n@@ -3 +2,0 @@\n-x\n@@ -50 +48,0 @@\n-y\n").unwrap();
        check(&index, &Change::read(&index, &diff, Mapping::default()).unwrap());
    }

    fn names(index: &Index<&[u8]>, tests: impl IntoIterator<Item = TestId>) -> Vec<String> {
        tests.into_iter().map(|test| index.test_name(test).unwrap()).collect()
    }

    #[test]
    fn candidates_have_a_signal_and_the_others_do_not() {
        with_change(|index, change| {
            let candidates = gather(index, change, &Relevance::default()).unwrap();
            assert_eq!(names(index, candidates.tests.iter().copied()), ["file", "line"]);
            assert_eq!(names(index, impacted(index, change).unwrap()), ["file", "line"]);
            assert_eq!(candidates.instance.costs_us(), [3000, 5000]);
            let changed = (0..change.regions.len()).map(Origin::Changed);
            let want: Vec<Origin> = changed.chain([Origin::Unrecorded]).collect();
            assert_eq!(candidates.origins, want, "and what `none`, unrecorded, may run");
            assert_eq!(candidates.instance.weights().len(), want.len());
            let gone = HashSet::from([candidates.tests[0]]);
            let last = candidates.instance.rows_of(1).to_vec();
            let left = candidates.without(&gone).unwrap();
            assert_eq!(
                (names(index, left.tests.clone()), left.instance.costs_us()),
                (vec!["line".to_owned()], &[5000][..])
            );
            assert_eq!(left.instance.rows_of(0), last);
            assert_eq!(left.charge_tests(250).instance.costs_us(), [5250]);
        });
    }

    /// Three tests of one line: the one that failed last has the most of its failures, the flaky one the least.
    #[test]
    fn what_failed_before_tells_tests_of_a_line_apart() {
        let mut seen = Observations::default();
        let file = seen.file("a.py");
        for (id, outcome) in [("failed", Outcome::Failed), ("flaky", Outcome::Flaky), ("passed", Outcome::Passed)] {
            let test = seen.test(id);
            seen.cover(test, file, &[LineRange::single(3)].into_iter().collect());
            seen.run(test, Run { time_us: 1, commit: String::new(), outcome, cost_us: Some(1000) });
        }
        let bytes = build(&seen, None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = crate::diff::parse(b"--- a/a.py\n+++ b/a.py\n@@ -3 +2,0 @@\n-x\n").unwrap();
        let change = Change::read(&index, &diff, Mapping::default()).unwrap();
        let candidates = gather(&index, &change, &Relevance::default()).unwrap();
        let level = |candidate| candidates.instance.rows_of(candidate)[0].level();
        let share = |factor| index.root().calibration.share(factor, 2.0 + 1.0 / 3.0 + 1.0);
        assert_eq!([0, 1, 2].map(level), [2.0, 1.0 / 3.0, 1.0].map(share));
    }

    #[test]
    fn the_nearest_come_first() {
        with_change(|index, change| {
            let nearest = nearest(index, change, &Relevance::default()).unwrap();
            let order = names(index, nearest.iter().map(|&(test, _)| test));
            assert_eq!(order, ["function", "line", "file", "none", "other"]);
        });
    }

    #[test]
    fn tests_without_a_signal_follow_in_their_order() {
        with_change(|index, change| {
            let nearest = nearest(index, change, &Relevance::default()).unwrap();
            let all = gather(index, change, &Relevance::default()).unwrap().and(&nearest).unwrap();
            let all = all.charge_files(index, 7).unwrap();
            let order = ["file", "line", "function", "none", "other"];
            assert_eq!(
                (names(index, all.tests.iter().copied()), all.with_signal),
                (order.map(str::to_owned).to_vec(), 2)
            );
            assert_eq!(all.instance.costs_us(), [3000, 5000, 4000, 1000, 2000]);
            assert!(all.instance.rows_of(4).is_empty() && !all.instance.rows_of(1).is_empty());
            let order = || nearest.iter().map(|(test, _)| test);
            assert_eq!(all.positions(order()), [2, 1, 0, 3, 4]);
            let left = all.without(&HashSet::from([nearest[0].0, nearest[2].0])).unwrap();
            assert_eq!((left.with_signal, left.positions(order())), (1, vec![0, 1, 2]));
        });
    }

    #[test]
    fn no_change_has_no_candidates() {
        with_change(|index, _| {
            assert!(gather(index, &Change::default(), &Relevance::default()).unwrap().instance.is_empty())
        });
    }
}
