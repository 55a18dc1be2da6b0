//! An explanation as a person reads it, and as JSON: both say the same.

use std::fmt::Write as _;

use serde::Serialize;

use super::ids::escape;
use super::report::{SelectReport, UnmappedPart, Why, counted, percent_down, seconds};
use super::table::table;
use crate::explain::{Answer, Enters, Explanation, Kind, Likeness, Part, Reason};
use crate::id::TestId;
use crate::policy::Status;

/// How many parts of the change, and of the risk, the text names; the rest is summed.
const PARTS_SHOWN: usize = 8;
/// How many chosen tests the text shows unless all are asked for.
const TESTS_SHOWN: usize = 20;
/// How many tests and files a sentence names.
const NAMED: usize = 3;

/// Everything that `explain --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainReport {
    /// The choice, as `select --format json` prints it.
    pub selection: SelectReport,
    /// How many files the diff changes.
    pub files: usize,
    /// The parts of the change, the heaviest first.
    pub parts: Vec<PartReport>,
    /// Why each of the chosen tests with a signal was chosen, in their order.
    pub why: Vec<WhyReport>,
    /// What one more second would add.
    pub more: Option<MoreReport>,
    /// What was asked about single tests.
    pub tests: Vec<AnswerReport>,
    /// How many selections it took.
    pub selections: usize,
    /// What the choice comes to, as `select` says it.
    #[serde(skip)]
    pub line: String,
}

/// A part of the change.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// What it is called below.
    pub label: String,
    /// What kind of place it is.
    pub kind: Kind,
    /// The path of the file, or the name of the feature; empty for what has no place in the model.
    pub name: String,
    /// The symbol in that file.
    pub symbol: Option<String>,
    /// The changed lines, first and last.
    pub lines: Vec<[u32; 2]>,
    /// Its share of the change.
    pub weight: f64,
    /// How many tests have a signal on it.
    pub tests: usize,
    /// The risk that the choice leaves here.
    pub risk: f64,
    /// What of it no test could catch.
    pub unreachable_risk: f64,
}

/// A share of a part.
#[derive(Clone, Debug, Serialize)]
pub struct ShareReport {
    /// The part's label.
    pub part: String,
    /// The share.
    pub share: f64,
}

/// Why a test was chosen.
#[derive(Clone, Debug, Serialize)]
pub struct WhyReport {
    /// The test.
    pub id: String,
    /// Where it gained what it did.
    pub shares: Vec<ShareReport>,
    /// What speaks for it beside where it runs.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// What a greater budget would add.
#[derive(Clone, Debug, Serialize)]
pub struct MoreReport {
    /// By how much it is greater, in seconds.
    pub seconds: f64,
    /// What it adds to the utility.
    pub adds: f64,
    /// The tests that come in.
    pub tests: Vec<String>,
}

/// What is to be said of one test.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerReport {
    /// The test.
    pub id: String,
    /// What it costs in seconds.
    pub cost_s: f64,
    /// Whether the tree still has it.
    pub in_tree: bool,
    /// Its rank in the choice, from 1.
    pub rank: Option<usize>,
    /// What it would reach alone.
    pub alone: f64,
    /// What it added, or would add to the choice.
    pub adds: f64,
    /// Where it would reach that alone.
    pub shares: Vec<ShareReport>,
    /// What speaks for it beside where it runs.
    #[serde(flatten)]
    pub likeness: Likeness,
    /// The chosen tests that would catch the most of what it would, each with that share.
    pub covered_by: Vec<(String, f64)>,
    /// `chosen`, `at`, `redundant` or `no_signal`.
    pub enters: &'static str,
    /// The budget in seconds from which on it is chosen.
    pub enters_at_s: Option<f64>,
    /// Whether a selection at that budget held it.
    pub is_verified: bool,
    /// Whether it runs a file that changed.
    pub runs_changed_files: bool,
}

impl ExplainReport {
    /// Names everything. `named` are the ids of the picks; `name` is the id of any other test, or what is wrong with it.
    ///
    /// # Errors
    /// What `name` says.
    pub fn new<E>(
        explanation: &Explanation,
        (selection, line): (SelectReport, String),
        files: usize,
        named: &[String],
        mut name: impl FnMut(TestId) -> Result<String, E>,
    ) -> Result<Self, E> {
        let mut names = |tests: &[TestId]| tests.iter().map(|&test| name(test)).collect::<Result<Vec<String>, E>>();
        let more = explanation.more.as_ref().map(|more| {
            let tests = names(&more.tests)?;
            Ok(MoreReport { seconds: more.extra_us as f64 / 1e6, adds: more.gain, tests })
        });
        let answer = |answer: &Answer| {
            let (covering, shares): (Vec<TestId>, Vec<f64>) = answer.covered_by.iter().copied().unzip();
            let id = names(&[answer.test])?.pop().unwrap_or_default();
            Ok(AnswerReport::new(answer, id, names(&covering)?.into_iter().zip(shares).collect()))
        };
        Ok(Self {
            more: more.transpose()?,
            tests: explanation.answers.iter().map(answer).collect::<Result<_, E>>()?,
            selection,
            files,
            parts: explanation.parts.iter().enumerate().map(|(at, part)| PartReport::new(at, part)).collect(),
            why: explanation.reasons.iter().zip(named).map(|(reason, id)| WhyReport::new(reason, id)).collect(),
            selections: explanation.selections,
            line,
        })
    }

    /// The explanation for people; `all` names every chosen test.
    pub fn text(&self, all: bool) -> String {
        if self.parts.is_empty() {
            return format!("{}\n", escape(&self.line));
        }
        let mut text = self.change();
        text.push_str(&self.selection.mapping.text());
        match self.tests.as_slice() {
            [] => {
                text.push_str(&self.chosen(all));
                text.push_str(&self.risk());
                text.push_str(&self.uncovered());
                text.push_str(&self.one_more_second());
            }
            tests => {
                text.push_str(&self.outcome());
                let chosen = self.selection.tests.len();
                let budget_s = self.selection.budget_s.unwrap_or(self.selection.cost_s);
                tests.iter().for_each(|test| text.push_str(&test.text(budget_s, chosen)));
            }
        }
        text
    }

    fn change(&self) -> String {
        let row =
            |part: &PartReport| vec![part.label.clone(), percent(part.weight), self.place(part), part.tests_of_it()];
        let rows: Vec<Vec<String>> = self.parts.iter().take(PARTS_SHOWN).map(row).collect();
        let mut text = format!("The change: {}\n{}", counted(self.files, "file"), table("<><<", &rows));
        if let Some(rest) = self.parts.get(PARTS_SHOWN..).filter(|rest| !rest.is_empty()) {
            let weight = rest.iter().map(|part| part.weight).sum();
            let _ = writeln!(text, "  and {} of {} together", counted(rest.len(), "lesser part"), percent(weight));
        }
        text
    }

    /// Where a part is, in words.
    fn place(&self, part: &PartReport) -> String {
        let name = escape(&part.name);
        let of = part.symbol.as_deref().map_or_else(String::new, |symbol| format!(" of {}", escape(symbol)));
        match part.kind {
            Kind::Lines => format!("{name}, {}{of}", lines(&part.lines)),
            Kind::File => format!("{name}, outside any function"),
            Kind::Tests => format!("{name}, its own tests"),
            Kind::Feature => name.into_owned(),
            Kind::Unmapped => {
                let paths: Vec<&str> = self.selection.unmapped.iter().map(|part| part.path.as_str()).collect();
                listed(&paths)
            }
            Kind::Unrecorded => "what tests that were never recorded may run".to_owned(),
        }
    }

    fn outcome(&self) -> String {
        let nothing = if self.selection.tests.is_empty() { "nothing; " } else { "" };
        format!("\nChosen: {nothing}{}\n", escape(&self.line))
    }

    fn chosen(&self, all: bool) -> String {
        let mut text = self.outcome();
        let selection = &self.selection;
        if selection.status != Status::Selected {
            return text;
        }
        if !self.why.is_empty() {
            let _ = writeln!(
                text,
                "  If this change broke something a test can see, the chance that one of these fails is {}.",
                percent_down(selection.confidence)
            );
        }
        let shown = if all { selection.tests.len() } else { TESTS_SHOWN };
        let mut rows = vec![["", "cost", "total", "adds", "for", "likeness", "test"].map(str::to_owned).to_vec()];
        // What failed and is not known to the model stands before what has a reason.
        let unknown = selection.tests.len() - self.why.len();
        for (at, test) in selection.tests.iter().enumerate().take(shown) {
            let why = at.checked_sub(unknown).and_then(|at| self.why.get(at));
            rows.push(vec![
                (at + 1).to_string(),
                seconds(test.cost_s),
                seconds(test.cumulative_s),
                if test.gain > 0.0 { percent(test.gain) } else { "-".to_owned() },
                match test.why {
                    _ if test.gain > 0.0 => why.map_or_else(String::new, |why| parts(&why.shares)),
                    Why::New => "new in the diff".to_owned(),
                    Why::FailedBefore => "failed before".to_owned(),
                    Why::Change | Why::Background => "only fills".to_owned(),
                },
                why.map_or_else(String::new, |why| likeness(&why.likeness)),
                escape(&test.id).into_owned(),
            ]);
        }
        text.push('\n');
        text.push_str(&table(">>>><<<", &rows));
        if let Some(rest) = selection.tests.get(shown..).filter(|rest| !rest.is_empty()) {
            let gain = rest.iter().map(|test| test.gain).sum();
            let _ = writeln!(
                text,
                "  and {} that add {} (--all names them)",
                counted(rest.len(), "more test"),
                percent(gain)
            );
        }
        text
    }

    fn risk(&self) -> String {
        let mut risky: Vec<&PartReport> = self.parts.iter().filter(|part| part.risk > 0.0).collect();
        risky.sort_by(|a, b| b.risk.total_cmp(&a.risk));
        let total: f64 = risky.iter().map(|part| part.risk).sum();
        let unreachable: f64 = risky.iter().map(|part| part.unreachable_risk).sum();
        let hidden = match unreachable {
            0.0 => String::new(),
            part if part < total => format!(", of which no test could catch {}", percent(part)),
            _ => ", which no test could catch".to_owned(),
        };
        let mut text = format!("\nStill at risk: {}{hidden}\n", percent(total));
        let hidden = |part: &PartReport| match part.unreachable_risk / part.risk {
            share if share >= 0.995 => "no test could catch it".to_owned(),
            share if share >= 0.005 => format!("no test could catch {}", percent(part.unreachable_risk)),
            _ => String::new(),
        };
        let row = |part: &&PartReport| vec![percent(part.risk), part.label.clone(), self.place(part), hidden(part)];
        text.push_str(&table("><<<", &risky.iter().take(PARTS_SHOWN).map(row).collect::<Vec<_>>()));
        if let Some(rest) = risky.get(PARTS_SHOWN..).filter(|rest| !rest.is_empty()) {
            let risk = rest.iter().map(|part| part.risk).sum();
            let _ = writeln!(text, "  and {} in {}", percent(risk), counted(rest.len(), "lesser part"));
        }
        text
    }

    /// What no test is recorded for, and what no test at all speaks to.
    fn uncovered(&self) -> String {
        // Where nothing was recorded no file has a region, and words speak for all of them.
        let is_news = |part: &&UnmappedPart| self.selection.evidence != "source" || part.reason != "untested";
        let unmapped = self
            .selection
            .unmapped
            .iter()
            .filter(is_news)
            .map(|part| vec![percent(part.weight), escape(&part.path).into_owned(), why_unmapped(part)]);
        let silent =
            self.parts.iter().filter(|part| part.tests == 0 && !matches!(part.kind, Kind::Unmapped | Kind::Unrecorded));
        let silent = silent.map(|part| vec![percent(part.weight), self.place(part), part.tests_of_it()]);
        let rows: Vec<Vec<String>> = unmapped.chain(silent).collect();
        if rows.is_empty() {
            return String::new();
        }
        let mut text = format!("\nNobody covers:\n{}", table("><<", &rows[..rows.len().min(PARTS_SHOWN)]));
        if rows.len() > PARTS_SHOWN {
            let _ = writeln!(text, "  and {}", counted(rows.len() - PARTS_SHOWN, "more"));
        }
        text
    }

    fn one_more_second(&self) -> String {
        let Some(more) = self.more.as_ref().filter(|_| self.selection.candidates > 0) else { return String::new() };
        if more.adds <= 0.0 {
            return "\nOne more second would add nothing.\n".to_owned();
        }
        let tests: Vec<&str> = more.tests.iter().map(String::as_str).collect();
        format!("\nOne more second would add {}: {}\n", percent(more.adds), listed(&tests))
    }
}

impl PartReport {
    fn new(at: usize, part: &Part) -> Self {
        Self {
            label: label(at),
            kind: part.kind,
            name: part.name.clone(),
            symbol: part.symbol.clone(),
            lines: part.lines.iter().map(|range| [range.first, range.last]).collect(),
            weight: part.weight,
            tests: part.tests,
            risk: part.risk,
            unreachable_risk: part.unreachable,
        }
    }

    /// How many tests speak to it, and how.
    fn tests_of_it(&self) -> String {
        let one = self.tests == 1;
        let verb = match self.kind {
            Kind::Lines if one => "runs it",
            Kind::Lines => "run it",
            Kind::File if one => "touches the file",
            Kind::File => "touch the file",
            Kind::Tests if one => "is in it",
            Kind::Tests => "are in it",
            Kind::Feature if one => "is declared for it",
            Kind::Feature => "are declared for it",
            Kind::Unmapped | Kind::Unrecorded if one => "has words in common with it",
            Kind::Unmapped | Kind::Unrecorded => "have words in common with it",
        };
        match self.tests {
            0 => "no test is known".to_owned(),
            tests => format!("{} {verb}", counted(tests, "test")),
        }
    }
}

impl WhyReport {
    fn new(reason: &Reason, id: &str) -> Self {
        Self { id: id.to_owned(), shares: share_reports(&reason.shares), likeness: reason.likeness }
    }
}

impl AnswerReport {
    fn new(answer: &Answer, id: String, covered_by: Vec<(String, f64)>) -> Self {
        let (enters, enters_at_us, is_verified) = match answer.enters {
            Enters::Chosen => ("chosen", None, false),
            Enters::At { budget_us, is_verified } => ("at", Some(budget_us), is_verified),
            Enters::Excluded => ("excluded", None, false),
            Enters::Redundant => ("redundant", None, false),
            Enters::NoSignal => ("no_signal", None, false),
        };
        Self {
            id,
            cost_s: answer.cost_us as f64 / 1e6,
            in_tree: true,
            rank: answer.rank,
            alone: answer.alone,
            adds: answer.adds,
            shares: share_reports(&answer.shares),
            likeness: answer.likeness,
            covered_by,
            enters,
            enters_at_s: enters_at_us.map(|us| us as f64 / 1e6),
            is_verified,
            runs_changed_files: answer.runs_changed_files,
        }
    }

    fn text(&self, budget_s: f64, chosen: usize) -> String {
        let mut rows: Vec<[String; 2]> = Vec::new();
        let mut row = |name: &str, value: String| rows.push([name.to_owned(), value]);
        row("costs", seconds(self.cost_s));
        row("chosen", self.standing(budget_s, chosen));
        if self.alone > 0.0 {
            row("alone", format!("would catch {}, for {}", percent(self.alone), parts(&self.shares)));
            let what = if self.rank.is_some() { "when it was chosen" } else { "to what is chosen" };
            row("adds", format!("{} {what}", percent(self.adds)));
        }
        if self.alone > 0.0 && (self.likeness.words > 0.0 || self.likeness.name) {
            row("likeness", likeness(&self.likeness));
        }
        for (at, (id, share)) in self.covered_by.iter().enumerate() {
            row(if at == 0 { "covered by" } else { "" }, format!("{:>5}  {}", percent(*share), escape(id)));
        }
        if let Some(enters_at_s) = self.enters_at_s {
            let about = if self.is_verified { "" } else { "about " };
            row("enters", format!("at a budget of {about}{}", seconds(enters_at_s)));
        }
        let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.to_vec()).collect();
        format!("\n{}\n{}", escape(&self.id), table("<<", &rows))
    }

    /// Chosen or not, and why not.
    fn standing(&self, budget_s: f64, chosen: usize) -> String {
        if !self.in_tree {
            return "no: the tree no longer has it".to_owned();
        }
        match (self.rank, self.enters) {
            (Some(rank), _) => format!("yes, as number {rank} of {chosen}"),
            (None, "no_signal") => {
                let runs = match self.runs_changed_files {
                    true => "it runs a file that changed, but nothing in it that changed",
                    false => "it runs no file that changed",
                };
                let words = match self.likeness.words > 0.0 {
                    true => "words in common with the change do not count without that",
                    false => "it has no words in common with the change",
                };
                format!("no: {runs}, and {words}")
            }
            (None, "excluded") => "no: it ran already".to_owned(),
            (None, "redundant") => "no: beside the other tests it adds next to nothing, at any budget".to_owned(),
            (None, _) => format!("no, not for {}", seconds(budget_s)),
        }
    }
}

fn share_reports(shares: &[(usize, f64)]) -> Vec<ShareReport> {
    shares.iter().map(|&(part, share)| ShareReport { part: label(part), share }).collect()
}

/// `a` to `z`, then numbers.
fn label(part: usize) -> String {
    match u8::try_from(part).ok().filter(|&at| at < 26) {
        Some(at) => char::from(b'a' + at).to_string(),
        None => (part + 1).to_string(),
    }
}

/// Parts with their shares; what is below a hundredth is left out, and the share of what stands alone.
fn parts(shares: &[ShareReport]) -> String {
    let shown: Vec<&ShareReport> = shares.iter().take(NAMED).filter(|share| share.share >= 0.01).collect();
    match shown.as_slice() {
        [only] => only.part.clone(),
        shown => {
            let texts: Vec<String> =
                shown.iter().map(|share| format!("{} {}", share.part, percent(share.share))).collect();
            texts.join(", ")
        }
    }
}

fn likeness(likeness: &Likeness) -> String {
    match (likeness.words > 0.0, likeness.name) {
        (true, true) => format!("words {}, name", percent(likeness.words)),
        (true, false) => format!("words {}", percent(likeness.words)),
        (false, true) => "name".to_owned(),
        (false, false) => "-".to_owned(),
    }
}

fn lines(ranges: &[[u32; 2]]) -> String {
    let range = |[first, last]: &[u32; 2]| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let shown: Vec<String> = ranges.iter().take(NAMED).map(range).collect();
    let (is_one, more) = (matches!(ranges, [[first, last]] if first == last), ranges.len() > NAMED);
    format!("line{} {}{}", if is_one { "" } else { "s" }, shown.join(", "), if more { " and more" } else { "" })
}

/// The first few names, and how many more there are.
fn listed(names: &[&str]) -> String {
    let shown: Vec<_> = names.iter().take(NAMED).map(|name| escape(name)).collect();
    match names.len().checked_sub(NAMED).filter(|&more| more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

fn why_unmapped(part: &UnmappedPart) -> String {
    let may_be: Vec<&str> = part.matches.iter().map(String::as_str).collect();
    match part.reason {
        "untested" => "no test is known to run it".to_owned(),
        "ambiguous_path" => format!("may be one of several files: {}", listed(&may_be)),
        _ => "the model does not know it".to_owned(),
    }
}

/// A share with the digits that matter. What is not quite all is never rounded to all.
fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p >= 100.0 => "100 %".to_owned(),
        p if p >= 99.5 => format!("{:.1} %", p.min(99.9)),
        p if p >= 9.95 => format!("{p:.0} %"),
        p if p >= 0.095 => format!("{p:.1} %"),
        p if p > 0.0 => "< 0.1 %".to_owned(),
        _ => "0 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_well() {
        let found = [0.0, 0.00001, 0.0042, 0.072, 0.104, 0.93, 0.9949, 0.995, 0.9999, 1.0].map(percent);
        let want = ["0 %", "< 0.1 %", "0.4 %", "7.2 %", "10 %", "93 %", "99 %", "99.5 %", "99.9 %", "100 %"];
        assert_eq!(found, want);
    }

    #[test]
    fn places_read_well() {
        assert_eq!(lines(&[[7, 7]]), "line 7");
        assert_eq!(lines(&[[7, 9], [12, 12]]), "lines 7-9, 12");
        assert_eq!(lines(&[[1, 1], [3, 3], [5, 5], [7, 7]]), "lines 1, 3, 5 and more");
        assert_eq!(listed(&["a", "b"]), "a, b");
        assert_eq!(listed(&["a", "b\n", "c", "d"]), "a, b\\n, c and 1 more");
        assert_eq!([0, 25, 26].map(label), ["a", "z", "27"]);
    }
}
