//! Past runs of a whole suite, one JSON object a line: a change, and the tests that failed on it.
//!
//! `{"patch": "diff --git ...", "failed": ["id", ...]}`, or `"diff": "path/to.diff"` instead of `patch`; `id` and `kind`
//! name and group a run. The line that `select --shadow` logs is such a run once `failed` is added to it: it holds the
//! patch, and what was chosen. Other fields are a team's own and are passed over.

use std::borrow::Cow;

use serde::Deserialize;

use super::IngestError;
use super::json::{Text, line_failure, lines};

/// One run of a whole suite.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun<'a> {
    /// Its line in the input, 1-based.
    pub line: usize,
    /// What it is called.
    pub id: Option<Cow<'a, str>>,
    /// What it is grouped by.
    pub kind: Option<Cow<'a, str>>,
    /// What changed.
    pub change: PastChange<'a>,
    /// The ids of the tests that failed, ascending, without repeats.
    pub failed: Vec<Cow<'a, str>>,
    /// What a selection chose at the time, where the line is of its log.
    pub chosen: Option<PastChoice<'a>>,
}

/// Where a change is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastChange<'a> {
    /// In a file at this path.
    File(Cow<'a, str>),
    /// Here.
    Patch(Cow<'a, str>),
}

/// What `select --shadow` logged.
#[derive(Clone, Debug, PartialEq)]
pub struct PastChoice<'a> {
    /// The budget in seconds.
    pub budget_s: f64,
    /// The chosen tests, best first.
    pub ids: Vec<Cow<'a, str>>,
    /// The chance that they catch the defect, as was said, from 0 to 1.
    pub utility: f64,
    /// The same, of a defect that some test can see.
    pub confidence: f64,
    /// How much of the best possible was reached at least.
    pub certificate: f64,
    /// What they cost in seconds.
    pub cost_s: f64,
}

/// The fields of a line.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    diff: Option<Text<'a>>,
    #[serde(borrow, default)]
    patch: Option<Text<'a>>,
    #[serde(borrow, default)]
    failed: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    ids: Option<Vec<Text<'a>>>,
    budget_s: Option<f64>,
    utility: Option<f64>,
    confidence: Option<f64>,
    certificate: Option<f64>,
    cost_s: Option<f64>,
}

/// Reads past runs, in their order. `input` names them in messages.
///
/// # Errors
/// A line that is not such an object, or none at all.
pub fn past_runs<'a>(input: &str, bytes: &'a [u8]) -> Result<Vec<PastRun<'a>>, IngestError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut runs = Vec::new();
    let mut lines = lines(bytes).peekable();
    while let Some((number, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        let record: Record<'_> =
            serde_json::from_slice(line).map_err(|error| line_failure(input, is_last, (number, line), &error))?;
        let run = record.into_run(number).map_err(|reason| IngestError::Malformed {
            input: input.to_owned(),
            line: number,
            reason,
        })?;
        runs.push(run);
    }
    if runs.is_empty() {
        return Err(IngestError::Empty { input: input.to_owned() });
    }
    Ok(runs)
}

impl<'a> Record<'a> {
    fn into_run(self, line: usize) -> Result<PastRun<'a>, String> {
        let chosen = self.chosen()?;
        let change = match (self.diff, self.patch) {
            (Some(Text(path)), None) => PastChange::File(path),
            (None, Some(Text(patch))) => PastChange::Patch(patch),
            (Some(_), Some(_)) => return Err("expected one of `diff` and `patch`, found both".to_owned()),
            (None, None) => {
                return Err(
                    "expected `diff`, the path of a diff, or `patch`, the diff itself, found neither".to_owned()
                );
            }
        };
        let Some(failed) = self.failed else {
            let also = if chosen.is_some() { "; a logged choice needs it once its suite has run" } else { "" };
            return Err(format!("expected `failed`, a list of the ids of the tests that failed, found none{also}"));
        };
        let mut failed = texts(failed);
        failed.sort_unstable();
        failed.dedup();
        let text = |text: Option<Text<'a>>| text.map(|Text(text)| text);
        Ok(PastRun { line, id: text(self.id), kind: text(self.kind), change, failed, chosen })
    }

    /// What was chosen at the time; the fields of a log are all there or none of them counts.
    fn chosen(&self) -> Result<Option<PastChoice<'a>>, String> {
        // A choice without a budget is judged by what it spent.
        let (Some(ids), Some(budget_s)) = (&self.ids, self.budget_s.or(self.cost_s)) else { return Ok(None) };
        let share = |name: &str, value: Option<f64>| match value {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
            Some(found) => Err(format!("expected `{name}` from 0 to 1, found {found}")),
            None => Err(format!("expected `{name}` beside `ids` and `budget_s`, found none")),
        };
        let seconds = |name: &str, value: f64| match value {
            seconds if seconds >= 0.0 => Ok(seconds),
            found => Err(format!("expected `{name}` of 0 or more, found {found}")),
        };
        Ok(Some(PastChoice {
            budget_s: seconds("budget_s", budget_s)?,
            ids: texts(ids.clone()),
            utility: share("utility", self.utility)?,
            confidence: share("confidence", self.confidence)?,
            certificate: share("certificate", self.certificate)?,
            cost_s: seconds("cost_s", self.cost_s.unwrap_or(0.0))?,
        }))
    }
}

fn texts(texts: Vec<Text<'_>>) -> Vec<Cow<'_, str>> {
    texts.into_iter().map(|Text(text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(line: &str) -> String {
        past_runs("runs", line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_change_is_a_path_or_the_patch_itself() {
        let lines =
            b"{\"diff\": \"a.diff\", \"failed\": [\"t\", \"s\", \"t\"], \"id\": \"one\", \"author\": {\"x\": [1]}}\n\n\
                      {\"failed\": [], \"patch\": \"--- a\\n\", \"kind\": \"fix\"}";
        let runs = past_runs("runs", lines).unwrap();
        assert_eq!(runs[0].change, PastChange::File("a.diff".into()));
        assert_eq!((runs[0].id.as_deref(), runs[0].kind.as_deref(), runs[0].line), (Some("one"), None, 1));
        assert_eq!(runs[0].failed, ["s", "t"]);
        assert_eq!(runs[1].change, PastChange::Patch("--- a\n".into()));
        assert_eq!((runs[1].kind.as_deref(), runs[1].line, runs[1].failed.len()), (Some("fix"), 3, 0));
        assert!(runs.iter().all(|run| run.chosen.is_none()));
    }

    #[test]
    fn what_was_chosen_is_read_with_its_figures() {
        let line = r#"{"patch": "", "failed": ["b"], "ids": ["b", "a"], "budget_s": 2, "utility": 0.5,
            "confidence": 0.75, "certificate": 1, "cost_s": 1.5, "diff_xxh3": "00"}"#
            .replace('\n', " ");
        let run = past_runs("log", line.as_bytes()).unwrap().remove(0);
        let chosen = run.chosen.unwrap();
        assert_eq!((chosen.ids, chosen.budget_s, chosen.confidence), (vec!["b".into(), "a".into()], 2.0, 0.75));
        assert!(reason(&line.replace("0.75", "75")).contains("`confidence` from 0 to 1, found 75"));
        assert!(reason(&line.replace("\"budget_s\": 2", "\"budget_s\": -2")).contains("`budget_s` of 0 or more"));
        assert!(reason(&line.replace("\"failed\": [\"b\"], ", "")).contains("once its suite has run"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_its_line() {
        let good = "{\"patch\": \"\", \"failed\": []}\n";
        for (line, want) in [
            (r#"{"failed": []}"#, "line 2: expected `diff`, the path of a diff, or `patch`"),
            (r#"{"failed": [], "diff": "a", "patch": "b"}"#, "line 2: expected one of `diff` and `patch`"),
            (r#"{"patch": ""}"#, "line 2: expected `failed`"),
            (r#"{"patch": 1, "failed": []}"#, "line 2: invalid type: integer `1`, expected a string"),
            (r#"{"patch": "", "failed": "t"}"#, "line 2: invalid type: string \"t\", expected a sequence"),
            ("{\"patch\": \"\", \"failed\": [\n{}", "line 2: expected"),
            (r#"{"patch": "", "failed": ["#, "ends too early, at line 2"),
        ] {
            let found = reason(&format!("{good}{line}"));
            assert!(found.contains(want), "{line}: {found}");
        }
        assert!(reason(" \n").contains("it is empty"));
    }
}
