//! Where the hunks of a diff were found in what the model knows, in JSON and in words.

use serde::Serialize;

use super::ids::escape;
use super::report::{counted, group_digits};
use crate::change::{Change, Placement, Step, changed_lines};
use crate::diff::{Diff, Hunk};

/// Hunks that a text names.
const NAMED_MOST: usize = 8;

/// Where a hunk stands in the file that the model knows.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceReport {
    /// What found it: `unchecked`, `exact`, `shifted`, `near`, `symbol` or `file`.
    pub step: &'static str,
    /// How sure that is.
    pub certainty: f64,
    /// The first line of the hunk there, where that is known.
    pub line: Option<u32>,
    /// The changed lines of the old side, each with the line there that it is, or comes after.
    pub lines: Vec<[u32; 2]>,
    /// The lines there of the symbol that the hunk names, where that is all that is known.
    pub symbol: Option<[u32; 2]>,
}

impl PlaceReport {
    /// The place of a hunk.
    pub fn new(placement: &Placement, hunk: &Hunk<'_>) -> Self {
        let is_known = !matches!(placement.step, Step::Symbol | Step::File);
        let line = is_known.then(|| placement.line(hunk.old.first()));
        let lines = changed_lines(hunk).filter(|_| is_known).map(|line| [line, placement.line(line)]).collect();
        let symbol = placement.symbol.map(|lines| [lines.first, lines.last]);
        Self { step: placement.step.as_str(), certainty: placement.certainty, line, lines, symbol }
    }

    /// The place in words, if it is not where the diff says.
    pub fn words(&self) -> Option<String> {
        let sure = format!("{:.0} % sure", self.certainty * 100.0);
        let at = |line: Option<u32>| line.map_or(String::new(), |line| format!(" at line {line}"));
        match self.step {
            "exact" | "unchecked" => None,
            "file" => Some(format!("not found in the file, {sure}")),
            "symbol" => Some(format!("known by its symbol{} alone, {sure}", at(self.symbol.map(|[first, _]| first)))),
            step => Some(format!("{step}{}, {sure}", at(self.line))),
        }
    }
}

/// A hunk that is not as the model knows the file.
#[derive(Clone, Debug, Serialize)]
pub struct DifferingHunk {
    /// The path of its file in the diff.
    pub path: String,
    /// Its first line on the old side of the diff.
    pub old_start: u32,
    /// Where the model has it.
    #[serde(flatten)]
    pub place: PlaceReport,
}

/// How the hunks of a diff were found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MappingReport {
    /// Hunks that were looked for: those of files whose lines the model knows.
    pub hunks: usize,
    /// Of these, all of which is where the diff says.
    pub exact: usize,
    /// All of which is elsewhere.
    pub shifted: usize,
    /// Of which some lines are there.
    pub near: usize,
    /// Known by a symbol.
    pub symbol: usize,
    /// Known by their file alone.
    pub file: usize,
    /// Those that are not exact.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<DifferingHunk>,
}

impl MappingReport {
    /// How the hunks of `diff` were found, as `change` was read from it.
    ///
    /// # Panics
    /// When `change` was read from another diff.
    pub fn new(change: &Change, diff: &Diff<'_>) -> Self {
        let mut report = Self::default();
        for placed in &change.placements {
            let file = &diff.files[placed.diff_file];
            for (placement, hunk) in placed.hunks.iter().zip(&file.hunks) {
                let count = match placement.step {
                    Step::Unchecked => continue,
                    Step::Exact => &mut report.exact,
                    Step::Shifted => &mut report.shifted,
                    Step::Near => &mut report.near,
                    Step::Symbol => &mut report.symbol,
                    Step::File => &mut report.file,
                };
                *count += 1;
                report.hunks += 1;
                if placement.step != Step::Exact {
                    let path = String::from_utf8_lossy(file.path()).into_owned();
                    let place = PlaceReport::new(placement, hunk);
                    report.differing.push(DifferingHunk { path, old_start: hunk.old.start, place });
                }
            }
        }
        report
    }

    /// That the diff starts from another state than the model describes, if it does: a clause.
    pub fn clause(&self) -> Option<String> {
        let lost = self.symbol + self.file;
        let lost = if lost > 0 {
            format!(", {} of them not by their lines", group_digits(lost as u64))
        } else {
            String::new()
        };
        let differing = group_digits(self.differing.len() as u64);
        let hunks = counted(self.hunks, "hunk");
        (!self.differing.is_empty())
            .then(|| format!("the model is of another state: {differing} of {hunks} not as it knows them{lost}"))
    }

    /// Each hunk that is not exact, a line each; nothing if all are.
    pub fn text(&self) -> String {
        if self.differing.is_empty() {
            return String::new();
        }
        let said = |hunk: &DifferingHunk| {
            let place = hunk.place.words().unwrap_or_default();
            format!("  {}, line {}: {place}\n", escape(&hunk.path), hunk.old_start)
        };
        let mut text: String = self.differing.iter().take(NAMED_MOST).map(said).collect();
        let more = self.differing.len().saturating_sub(NAMED_MOST);
        if more > 0 {
            text.push_str(&format!("  and {}\n", counted(more, "more hunk")));
        }
        format!("\nNot as the model knows them, which is of another state:\n{text}")
    }
}
