//! Why these tests, why not another one, and what remains: a choice read back, region by region.
//!
//! Nothing is chosen here that anybody runs. Whatever a selection does not say by itself is asked of further selections on
//! other budgets, by the options of the choice, [`SELECTIONS_MOST`] with the choice itself: that is the cost of an
//! explanation. Figures are floats, for people.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::candidate::{Candidates, Origin};
use crate::change::{Change, Source};
use crate::choose::{Choice, Terms};
use crate::id::TestId;
use crate::margin::{Margin, Spread};
use crate::model::{Index, ModelError};
use crate::observation::LineRange;
use crate::optimize::{self, Account, CHANCE_ONE, Instance, Options, Selection};
use crate::relevance::Relevance;
use crate::signal::Evidence;

/// The selections that an explanation costs at most, the explained one included.
pub const SELECTIONS_MOST: usize = 3;

/// The chosen tests that are named for covering what another would, at most.
const COVERING_MOST: usize = 3;

/// What is explained.
#[derive(Debug)]
pub struct Subject<'a, D> {
    /// The model.
    pub index: &'a Index<D>,
    /// The change.
    pub change: &'a Change,
    /// What the words and names of the tests have in common with it.
    pub relevance: &'a Relevance,
    /// What it was chosen by.
    pub terms: &'a Terms,
    /// What was chosen for it.
    pub choice: &'a Choice,
}

impl<D> Clone for Subject<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Subject<'_, D> {}

/// What kind of place a part of a change is: with it goes how its tests are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Recorded lines: tests run them.
    Lines,
    /// Lines outside any function, run once for all: tests touch the file.
    File,
    /// A test file, or tests in it: they are the change.
    Tests,
    /// A feature that an input declares.
    Feature,
    /// What no region of the model knows: tests have words in common with it.
    Unmapped,
    /// What tests that were never recorded may run: they too are known by their words.
    Unrecorded,
}

/// A part of the change as a person names it: regions of one symbol are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What kind of place it is.
    pub kind: Kind,
    /// The path of the file, or the name of the feature; empty for what has no place in the model.
    pub name: String,
    /// The symbol in that file.
    pub symbol: Option<String>,
    /// The changed lines, ascending.
    pub lines: Vec<LineRange>,
    /// Its share of the change.
    pub weight: f64,
    /// How many tests have a signal on it.
    pub tests: usize,
    /// The risk that the choice leaves here: together they are the residual risk.
    pub risk: f64,
    /// What of that risk all candidates together would leave.
    pub unreachable: f64,
}

impl Part {
    /// A part of nothing yet.
    fn at(place: Place<'_>) -> Self {
        Self {
            kind: place.kind,
            name: place.name.to_owned(),
            symbol: place.symbol.map(str::to_owned),
            lines: Vec::new(),
            weight: 0.0,
            tests: 0,
            risk: 0.0,
            unreachable: 0.0,
        }
    }
}

/// What makes a test likelier to fail than others that run the same.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Likeness {
    /// What its words have in common with the change, from 0 to 1, the test with the most being 1.
    pub words: f64,
    /// Whether its name or that of its file shares words with what changed.
    pub name: bool,
}

/// One chosen test.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The test.
    pub test: TestId,
    /// What it added to the utility.
    pub gain: f64,
    /// Where: parts by their position, with their share of the gain, the greatest first.
    pub shares: Vec<(usize, f64)>,
    /// What speaks for it beside where it runs.
    pub likeness: Likeness,
}

/// What a greater budget would add.
#[derive(Clone, Debug, PartialEq)]
pub struct More {
    /// By how much the budget is greater, in microseconds.
    pub extra_us: u64,
    /// What it adds to the utility.
    pub gain: f64,
    /// The tests that come in, best first.
    pub tests: Vec<TestId>,
}

/// A choice, explained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The parts of the change, the heaviest first.
    pub parts: Vec<Part>,
    /// The picks of the selection, in their order.
    pub reasons: Vec<Reason>,
    /// What one more second would add.
    pub more: Option<More>,
    /// What was asked about single tests.
    pub answers: Vec<Answer>,
    /// How many selections it took, with the explained one.
    pub selections: usize,
}

/// What is to be said of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The test.
    pub test: TestId,
    /// What it costs in microseconds, as it is charged.
    pub cost_us: u64,
    /// Its rank in the choice, from 1.
    pub rank: Option<usize>,
    /// What it would reach alone.
    pub alone: f64,
    /// What it added when it was chosen, or would add to the choice now.
    pub adds: f64,
    /// Where it would reach that alone: parts with their shares, the greatest first.
    pub shares: Vec<(usize, f64)>,
    /// What speaks for it beside where it runs.
    pub likeness: Likeness,
    /// The chosen tests that would catch the most of what it would, each with that share.
    pub covered_by: Vec<(TestId, f64)>,
    /// From which budget on it is chosen.
    pub enters: Enters,
    /// Whether it runs a file that changed.
    pub runs_changed_files: bool,
}

/// From which budget on a test is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enters {
    /// It is.
    Chosen,
    /// At this budget in microseconds; `is_verified` once a selection at it held the test.
    At {
        /// The budget.
        budget_us: u64,
        /// Whether that was tried.
        is_verified: bool,
    },
    /// At none: it ran already and was excluded.
    Excluded,
    /// At none: beside the others it adds next to nothing.
    Redundant,
    /// At none: it has no signal on the change.
    NoSignal,
}

/// The further selections, counted.
struct Selections<'a> {
    instance: &'a Instance,
    options: &'a Options,
    count: usize,
}

impl Selections<'_> {
    fn at(&mut self, budget_us: Option<u64>) -> Selection {
        self.count += 1;
        debug_assert!(self.count <= SELECTIONS_MOST);
        optimize::select(self.instance, &Options { budget_us, last: Vec::new(), ..self.options.clone() })
    }
}

/// Explains a choice, and what of `tests` is asked. One more selection, or two where tests are asked about.
///
/// # Errors
/// If a part of the model that the change touches is damaged.
pub fn explain<D: AsRef<[u8]>>(subject: Subject<'_, D>, tests: &[TestId]) -> Result<Explanation, ModelError> {
    let instance = &subject.choice.candidates.instance;
    let mut selections = Selections { instance, options: &subject.choice.options, count: 1 };
    let (part_of, parts) = parts(subject);
    let map = Map { candidates: &subject.choice.candidates, part_of: &part_of };
    let mut account = Account::new(instance);
    subject.choice.excluded_candidates().iter().for_each(|&candidate| _ = account.pick(candidate));
    let reason = |pick: &optimize::Pick| {
        let test = subject.test(pick.candidate);
        let shares = map.shares(account.pick(pick.candidate));
        let gain = subject.choice.candidates.chance(pick.gain);
        Ok(Reason { test, gain, shares, likeness: subject.likeness(test)? })
    };
    let reasons = subject.choice.selection.picks.iter().map(reason).collect::<Result<_, ModelError>>()?;
    let (answers, more) = match tests {
        [] => (Vec::new(), Some(subject.more(&mut selections))),
        tests => (answers(subject, tests, &account, &map, &mut selections)?, None),
    };
    let parts = map.finish(parts, &account);
    Ok(Explanation { parts, reasons, more, answers, selections: selections.count })
}

impl<D: AsRef<[u8]>> Subject<'_, D> {
    fn test(&self, candidate: u32) -> TestId {
        self.choice.candidates.tests[candidate as usize]
    }

    fn likeness(&self, test: TestId) -> Result<Likeness, ModelError> {
        let Evidence { words, name, mirror, .. } = self.relevance.evidence(self.index, test)?;
        Ok(Likeness { words, name: name > 0.0 || mirror > 0.0 })
    }

    /// The budget in microseconds that picks of this cost need, by what the choice has beside them and what a margin asks.
    fn budget_us(&self, cost_us: u64) -> u64 {
        let whole_us = cost_us.saturating_add(self.choice.unknown_us());
        self.terms.margin.as_ref().map_or(whole_us, |margin| margin.needs_us(whole_us, &self.choice.spread))
    }

    /// What one more second would add, to the budget or, without one, to what the choice takes.
    fn more(&self, selections: &mut Selections<'_>) -> More {
        const SECOND_US: u64 = 1_000_000;
        let before = &self.choice.selection;
        let spent_us = self.choice.options.budget_us.unwrap_or(before.cost_us());
        let of_second = |margin: &Margin| margin.mean_us(SECOND_US, &Spread::default());
        let more_us = self.terms.margin.as_ref().map_or(SECOND_US, of_second);
        let after = selections.at(Some(spent_us.saturating_add(more_us)));
        let mut chosen: Vec<u32> = before.picks.iter().map(|pick| pick.candidate).collect();
        chosen.extend_from_slice(self.choice.excluded_candidates());
        chosen.sort_unstable();
        let new = after.picks.iter().filter(|pick| chosen.binary_search(&pick.candidate).is_err());
        More {
            extra_us: SECOND_US,
            gain: self.choice.candidates.chance(after.utility.saturating_sub(before.utility)),
            tests: new.map(|pick| self.test(pick.candidate)).collect(),
        }
    }
}

/// Regions of the instance as parts of the change.
struct Map<'a> {
    candidates: &'a Candidates,
    /// The part of each region.
    part_of: &'a [usize],
}

impl Map<'_> {
    /// Gains by region as shares by part, the greatest first; nothing for no gain.
    fn shares(&self, gains: Vec<(u32, u64)>) -> Vec<(usize, f64)> {
        let mut by_part: BTreeMap<usize, u64> = BTreeMap::new();
        for (region, gain) in gains {
            *by_part.entry(self.part_of[region as usize]).or_default() += gain;
        }
        let total: u64 = by_part.values().sum();
        let mut shares: Vec<(usize, u64)> = by_part.into_iter().filter(|&(_, gain)| gain > 0).collect();
        shares.sort_by_key(|&(part, gain)| (Reverse(gain), part));
        shares.into_iter().map(|(part, gain)| (part, gain as f64 / total as f64)).collect()
    }

    /// Parts with their weights, tests and risks, after the picks of `account`. O(rows).
    fn finish(&self, mut parts: Vec<Part>, account: &Account<'_>) -> Vec<Part> {
        let instance = &self.candidates.instance;
        let mut all = Account::new(instance);
        let mut seen_by = vec![u32::MAX; parts.len()];
        for candidate in (0u32..).take(instance.len()) {
            for (region, _) in all.pick(candidate) {
                let part = self.part_of[region as usize];
                if std::mem::replace(&mut seen_by[part], candidate) != candidate {
                    parts[part].tests += 1;
                }
            }
        }
        let risks = account.risks().into_iter().zip(all.risks());
        for (region, (risk, unreachable)) in risks.enumerate() {
            let part = &mut parts[self.part_of[region]];
            let left = |risk: u64| self.candidates.risk_of(region, risk);
            part.weight += self.candidates.weights[region];
            part.risk += left(risk);
            // All candidates leave no more than some of them, but for the last bits.
            part.unreachable += left(unreachable.min(risk));
        }
        parts
    }
}

/// Where a region is: what makes regions one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place<'a> {
    kind: Kind,
    name: &'a str,
    symbol: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(change: &'a Change, origin: Origin) -> Self {
        let nowhere = |kind| Self { kind, name: "", symbol: None };
        let region = match origin {
            Origin::Changed(at) => &change.regions[at],
            Origin::Unmapped => return nowhere(Kind::Unmapped),
            Origin::Unrecorded => return nowhere(Kind::Unrecorded),
        };
        let whole = |kind| Self { kind, name: &region.name, symbol: None };
        match region.source {
            // Recorded lines are called by path and symbol, joined as test ids are.
            Source::Block(..) | Source::Symbol(..) => match region.name.split_once("::") {
                Some((name, symbol)) => Self { kind: Kind::Lines, name, symbol: Some(symbol) },
                None => whole(Kind::Lines),
            },
            Source::File(_) => whole(Kind::File),
            Source::Defines(_) | Source::Tests(_) => whole(Kind::Tests),
            Source::Feature(_) => whole(Kind::Feature),
        }
    }
}

/// The part of each region, and the parts, the heaviest first and of equals the first, without their figures.
fn parts<D>(subject: Subject<'_, D>) -> (Vec<usize>, Vec<Part>) {
    let (change, candidates) = (subject.change, &subject.choice.candidates);
    let places: Vec<Place<'_>> = candidates.origins.iter().map(|&origin| Place::of(change, origin)).collect();
    let mut known: HashMap<Place<'_>, usize> = HashMap::new();
    let mut weights: Vec<(Place<'_>, u64)> = Vec::new();
    for (&place, &weight) in places.iter().zip(candidates.instance.weights()) {
        let at = *known.entry(place).or_insert(weights.len());
        if at == weights.len() {
            weights.push((place, 0));
        }
        weights[at].1 += u64::from(weight);
    }
    weights.sort_by_key(|&(_, weight)| Reverse(weight));
    let position: HashMap<Place<'_>, usize> = (0..).zip(&weights).map(|(at, &(place, _))| (place, at)).collect();
    let part_of: Vec<usize> = places.iter().map(|place| position[place]).collect();
    let mut parts: Vec<Part> = weights.iter().map(|&(place, _)| Part::at(place)).collect();
    for (&origin, &part) in candidates.origins.iter().zip(&part_of) {
        if let Origin::Changed(at) = origin {
            parts[part].lines.extend_from_slice(&change.regions[at].lines);
        }
    }
    parts.iter_mut().for_each(|part| part.lines = joined(std::mem::take(&mut part.lines)));
    (part_of, parts)
}

/// Ranges in order, those that touch joined.
fn joined(mut lines: Vec<LineRange>) -> Vec<LineRange> {
    lines.sort_unstable_by_key(|range| range.first);
    let mut joined: Vec<LineRange> = Vec::with_capacity(lines.len());
    for range in lines {
        match joined.last_mut() {
            Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
            _ => joined.push(range),
        }
    }
    joined
}

/// What is to be said of each of `tests`, after the picks of `account`: a selection without a budget, and where one test
/// alone is asked about, one at the budget that it seems to take.
fn answers<D: AsRef<[u8]>>(
    subject: Subject<'_, D>,
    tests: &[TestId],
    account: &Account<'_>,
    map: &Map<'_>,
    selections: &mut Selections<'_>,
) -> Result<Vec<Answer>, ModelError> {
    let picks = &subject.choice.selection.picks;
    let ranks: HashMap<TestId, usize> = picks.iter().map(|pick| subject.test(pick.candidate)).zip(1..).collect();
    let candidate_of = |test: &TestId| {
        let candidates = &subject.choice.candidates;
        u32::try_from(candidates.tests[..candidates.with_signal].binary_search(test).ok()?).ok()
    };
    let excluded = &subject.terms.before.excluded;
    let waits = |test: &&TestId| !(ranks.contains_key(test) || excluded.contains(test)) && candidate_of(test).is_some();
    let unlimited = tests.iter().any(|test| waits(&test));
    let unlimited = unlimited.then(|| selections.at(None));
    let mut answers = Vec::with_capacity(tests.len());
    for &test in tests {
        let candidate = candidate_of(&test);
        let rank = ranks.get(&test).copied();
        let enters = match (rank, candidate, &unlimited) {
            (None, ..) if excluded.contains(&test) => Enters::Excluded,
            (None, Some(candidate), Some(unlimited)) => {
                // A margin depends on what else is chosen: what enters with one is told, not tried.
                let is_tried = tests.len() == 1 && subject.terms.margin.is_none();
                enters(subject, candidate, unlimited, is_tried.then_some(&mut *selections))
            }
            (None, ..) => Enters::NoSignal,
            (Some(_), ..) => Enters::Chosen,
        };
        let alone = candidate.map_or_else(Vec::new, |candidate| Account::new(&map.candidates.instance).pick(candidate));
        answers.push(Answer {
            test,
            cost_us: subject.index.cost_us(test)?.saturating_add(subject.terms.per_test_us),
            rank,
            alone: subject.choice.candidates.chance(alone.iter().map(|&(_, gain)| gain).sum()),
            adds: match (rank, candidate) {
                (Some(rank), _) => subject.choice.candidates.chance(picks[rank - 1].gain),
                // What ran counts already.
                (None, _) if excluded.contains(&test) => 0.0,
                (None, Some(candidate)) => subject.choice.candidates.chance(account.gain(candidate)),
                (None, None) => 0.0,
            },
            shares: map.shares(alone),
            likeness: subject.likeness(test)?,
            covered_by: candidate.map_or_else(Vec::new, |candidate| covered_by(subject, candidate)),
            enters,
            runs_changed_files: runs_changed_files(subject, test)?,
        });
    }
    Ok(answers)
}

/// Where a candidate enters, by a selection of all that is worth its time; tried at that budget where one more may be made.
fn enters<D: AsRef<[u8]>>(
    subject: Subject<'_, D>,
    candidate: u32,
    unlimited: &Selection,
    selections: Option<&mut Selections<'_>>,
) -> Enters {
    let of_it = |pick: &&optimize::Pick| pick.candidate == candidate;
    let Some(cost_us) = unlimited.picks.iter().find(of_it).map(|pick| pick.cumulative_cost_us) else {
        return Enters::Redundant;
    };
    let is_verified =
        selections.is_some_and(|selections| selections.at(Some(cost_us)).picks.iter().any(|pick| of_it(&pick)));
    Enters::At { budget_us: subject.budget_us(cost_us), is_verified }
}

/// The other chosen tests that would catch the most of what a candidate would, each with that share: on each region both
/// fail with the product of their chances.
fn covered_by<D: AsRef<[u8]>>(subject: Subject<'_, D>, candidate: u32) -> Vec<(TestId, f64)> {
    let instance = &subject.choice.candidates.instance;
    let chance = |row: &optimize::Row| f64::from(row.level().detection()) / CHANCE_ONE as f64;
    let own: BTreeMap<u32, f64> = instance
        .rows_of(candidate)
        .iter()
        .map(|row| (row.region(), f64::from(instance.weights()[row.region() as usize]) * chance(row)))
        .collect();
    let total: f64 = own.values().sum();
    let both = |other: u32| -> f64 {
        let rows = instance.rows_of(other).iter();
        rows.filter_map(|row| own.get(&row.region()).map(|own| own * chance(row))).sum()
    };
    let others = subject.choice.selection.picks.iter().map(|pick| pick.candidate).filter(|&other| other != candidate);
    let mut covering: Vec<(TestId, f64)> =
        others.map(|other| (subject.test(other), both(other) / total)).filter(|&(_, share)| share > 0.0).collect();
    covering.sort_by(|a, b| b.1.total_cmp(&a.1));
    covering.truncate(COVERING_MOST);
    covering
}

/// Whether a test ran a line of a file that changed.
fn runs_changed_files<D: AsRef<[u8]>>(subject: Subject<'_, D>, test: TestId) -> Result<bool, ModelError> {
    let mut files: Vec<_> = subject.change.regions.iter().filter_map(|region| region.source.file()).collect();
    files.dedup();
    for file in files {
        let mut runs = false;
        subject.index.file(file)?.touching()?.for_each(|posting| runs |= posting.test == test)?;
        if runs {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tests that a person may mean by `text`: the one of this id; else those whose ids end with it; else those that hold
/// it. Ascending, `most` of them at most. O(names of the model) unless it is an id.
///
/// # Errors
/// If a name on the way is damaged.
pub fn tests_named<D: AsRef<[u8]>>(index: &Index<D>, text: &str, most: usize) -> Result<Vec<TestId>, ModelError> {
    if let Some(test) = index.find_test(text)? {
        return Ok(vec![test]);
    }
    let (mut ending, mut holding) = (Vec::new(), Vec::new());
    let text = memchr::memmem::Finder::new(text);
    index.test_names()?.scan(0, |at, name| {
        if name.ends_with(text.needle()) && ending.len() < most {
            ending.push(TestId(at));
        }
        if holding.len() < most && text.find(name).is_some() {
            holding.push(TestId(at));
        }
        Ok(ending.len() < most)
    })?;
    Ok(if ending.is_empty() { holding } else { ending })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::change::Mapping;
    use crate::choose::{Before, choose};
    use crate::diff;
    use crate::observation::{Observations, Outcome, Run, Symbol, SymbolKind};
    use crate::optimize::select;
    use crate::relevance::Query;

    /// Line 3 of `f` and module scope of `a.py` change, and a file that nobody knows.
    const DIFF: &str = "--- a/a.py\n+++ b/a.py\n@@ -3,2 +3,1 @@\n-alpha\n-beta\n+gamma\n@@ -40 +39 @@\n-import x\n+import y\n\
                        --- a/unheard.txt\n+++ b/unheard.txt\n@@ -1 +1 @@\n-a\n+zeta\n";

    /// Tests of one, two, four ... seconds, each with the lines of `a.py` that it runs. The last but one runs another file,
    /// the last was never recorded; both say a word of the change.
    fn seen() -> Observations {
        let mut seen = Observations::default();
        let [a, b] = ["a.py", "b.py"].map(|path| seen.file(path));
        let range = |first, last| LineRange { first, last };
        let tests = [
            ("t.py::whole", a, range(2, 9)),
            ("t.py::first", a, range(2, 4)),
            ("t.py::last", a, range(4, 9)),
            ("t.py::module", a, range(50, 50)),
            ("u.py::other", b, range(1, 1)),
            ("u.py::unrecorded", b, range(0, 0)),
        ];
        for (at, (id, file, lines)) in (0u32..).zip(tests) {
            let test = seen.test(id);
            if lines.first > 0 {
                seen.cover(test, file, &[lines].into_iter().collect());
            }
            let cost_us = Some(1_000_000 << at);
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome: Outcome::Passed, cost_us });
        }
        for (id, text) in [("u.py::other", "zeta"), ("u.py::unrecorded", "gamma")] {
            let test = seen.test(id);
            seen.text(test, text);
        }
        seen.file_mut(a).imported = [range(40, 40)].into_iter().collect();
        let symbol = Symbol { lines: range(1, 10), name: "f".to_owned(), kind: SymbolKind::Function };
        seen.file_mut(a).symbols.insert(symbol);
        seen
    }

    /// Explains the choice for [`DIFF`] at a budget.
    fn explained(budget_s: u64, tests: &[&str], check: impl FnOnce(Subject<'_, &[u8]>, Explanation)) {
        explained_of(DIFF, budget_s, tests, check);
    }

    fn explained_of(diff: &str, budget_s: u64, tests: &[&str], check: impl FnOnce(Subject<'_, &[u8]>, Explanation)) {
        let bytes = build(&seen(), None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = diff::parse(diff.as_bytes()).unwrap();
        let change = Change::read(&index, &diff, Mapping::default()).unwrap();
        let relevance = Relevance::score(&index, &Query::of(&diff, &change)).unwrap();
        let options = Options { budget_us: Some(budget_s * 1_000_000), ..Options::default() };
        explained_by(&index, &change, &relevance, Terms { options, ..Terms::default() }, tests, check);
    }

    fn explained_by(
        index: &Index<&[u8]>,
        change: &Change,
        relevance: &Relevance,
        terms: Terms,
        tests: &[&str],
        check: impl FnOnce(Subject<'_, &[u8]>, Explanation),
    ) {
        let choice = choose(index, change, relevance, &terms, &mut |id| Ok(Some(id.to_owned()))).unwrap();
        let subject = Subject { index, change, relevance, terms: &terms, choice: &choice };
        let tests: Vec<TestId> = tests.iter().map(|id| index.find_test(id).unwrap().unwrap()).collect();
        let explanation = explain(subject, &tests).unwrap();
        assert!(explanation.selections <= SELECTIONS_MOST);
        check(subject, explanation);
    }

    fn near(found: f64, want: f64) -> bool {
        (found - want).abs() < 1e-6
    }

    #[test]
    fn parts_are_the_whole_change_and_their_risk_is_the_residual_risk() {
        for budget_s in [0, 1, 3, 80] {
            explained(budget_s, &[], |subject, found| {
                let sum = |figure: fn(&Part) -> f64| found.parts.iter().map(figure).sum::<f64>();
                assert!(near(sum(|part| part.weight), 1.0));
                assert!(near(
                    sum(|part| part.risk),
                    1.0 - subject.choice.candidates.chance(subject.choice.selection.utility)
                ));
                assert!(near(
                    sum(|part| part.unreachable),
                    1.0 - subject.choice.candidates.chance(subject.choice.selection.reachable)
                ));
                assert!(found.parts.is_sorted_by(|a, b| a.weight >= b.weight));
                let kinds: Vec<_> = found.parts.iter().map(|part| (part.kind, part.tests)).collect();
                let want = [(Kind::Lines, 3), (Kind::File, 4), (Kind::Unmapped, 2), (Kind::Unrecorded, 1)];
                assert!(want.iter().all(|kind| kinds.contains(kind)) && kinds.len() == want.len(), "{kinds:?}");
                let lines = &found.parts[0];
                assert_eq!((lines.name.as_str(), lines.symbol.as_deref()), ("a.py", Some("f")));
                assert_eq!(lines.lines, [LineRange { first: 3, last: 4 }], "blocks of one symbol are one part");
            });
        }
    }

    #[test]
    fn a_chosen_test_has_its_reasons() {
        explained(80, &[], |subject, found| {
            let picks = &subject.choice.selection.picks;
            assert_eq!(found.reasons.len(), picks.len());
            for (reason, pick) in found.reasons.iter().zip(picks) {
                assert!(near(reason.gain, subject.choice.candidates.chance(pick.gain)));
                assert!(near(reason.shares.iter().map(|&(_, share)| share).sum(), 1.0));
                assert!(reason.shares.is_sorted_by(|a, b| a.1 >= b.1));
            }
            let of = |id: &str| {
                let test = subject.index.find_test(id).unwrap().unwrap();
                let reason = found.reasons.iter().find(|reason| reason.test == test).unwrap();
                reason.shares.iter().map(|&(part, _)| found.parts[part].kind).collect::<Vec<_>>()
            };
            assert_eq!(of("t.py::module"), [Kind::File]);
            assert_eq!(of("u.py::other"), [Kind::Unmapped]);
            assert!(of("u.py::unrecorded").contains(&Kind::Unrecorded));
            assert!(of("t.py::whole").contains(&Kind::Lines));
            let words: Vec<f64> = found.reasons.iter().map(|reason| reason.likeness.words).collect();
            assert_eq!(words.iter().filter(|&&words| words > 0.0).count(), 2, "two tests say a word of the change");
        });
    }

    #[test]
    fn one_more_second_is_what_it_adds() {
        explained(0, &[], |subject, found| {
            let more = found.more.unwrap();
            let options = Options { budget_us: Some(1_000_000), ..subject.terms.options.clone() };
            let want = select(&subject.choice.candidates.instance, &options);
            assert!(more.gain > 0.0 && near(more.gain, subject.choice.candidates.chance(want.utility)));
            assert_eq!(subject.index.test_name(more.tests[0]).unwrap(), "t.py::whole");
        });
        explained(80, &[], |_, found| {
            let more = found.more.unwrap();
            assert_eq!((more.gain, more.tests.len()), (0.0, 0), "everything is chosen");
        });
    }

    /// What ran before is in the figures and never told as chosen; what a margin and what nobody knows ask is in the budgets.
    #[test]
    fn further_selections_are_made_as_the_choice_was() {
        let bytes = build(&seen(), None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = diff::parse(DIFF.as_bytes()).unwrap();
        let change = Change::read(&index, &diff, Mapping::default()).unwrap();
        let relevance = Relevance::score(&index, &Query::of(&diff, &change)).unwrap();
        let whole = index.find_test("t.py::whole").unwrap().unwrap();
        let terms = |budget_s: u64, before: Before, margin: Option<Margin>| Terms {
            options: Options { budget_us: Some(budget_s * 1_000_000), ..Options::default() },
            per_test_us: 500_000,
            before,
            margin,
            ..Terms::default()
        };
        let excluded = || Before { excluded: [whole].into(), ..Before::default() };
        explained_by(&index, &change, &relevance, terms(0, excluded(), None), &[], |subject, found| {
            let chance = |utility| subject.choice.candidates.chance(utility);
            let risk: f64 = found.parts.iter().map(|part| part.risk).sum();
            assert!(near(risk, 1.0 - chance(subject.choice.excluded_utility)) && risk < 0.9, "{risk}");
            let more = found.more.unwrap();
            assert_eq!((more.gain, more.tests.len()), (0.0, 0), "what ran does not come in");
        });
        let asked = ["t.py::whole", "t.py::first"];
        explained_by(&index, &change, &relevance, terms(0, excluded(), None), &asked, |_, found| {
            assert_eq!((found.answers[0].enters, found.answers[0].cost_us), (Enters::Excluded, 1_500_000));
            assert!(found.answers[1].adds < found.answers[1].alone, "beside what ran");
        });
        let enters = |before: Before, margin| {
            let mut at = None;
            explained_by(&index, &change, &relevance, terms(17, before, margin), &["u.py::unrecorded"], |_, found| {
                at = Some(found.answers[0].enters);
            });
            let Some(Enters::At { budget_us, is_verified }) = at else { panic!("{at:?}") };
            (budget_us, is_verified)
        };
        let (usual_us, is_verified) = enters(Before::default(), None);
        assert!(is_verified);
        let unknown = Before { failed_unknown: vec!["new".to_owned()], ..Before::default() };
        let of_unknown_us = index.root().median_cost_us + 500_000;
        assert_eq!(enters(unknown, None), (usual_us + of_unknown_us, true));
        let margin = Margin::new(0.95, Some(100_000));
        assert_eq!(enters(Before::default(), Some(margin)), (margin.needs_us(usual_us, &Spread::default()), false));
    }

    #[test]
    fn what_was_chosen_answers_with_its_rank() {
        explained(1, &["t.py::whole"], |subject, found| {
            let answer = &found.answers[0];
            assert_eq!((answer.rank, answer.enters), (Some(1), Enters::Chosen));
            assert!(near(answer.adds, subject.choice.candidates.chance(subject.choice.selection.picks[0].gain)));
            assert_eq!(found.selections, 1, "nothing had to be tried");
            assert!(found.more.is_none());
        });
    }

    /// The budget that is named holds the test, and is tried.
    #[test]
    fn what_was_not_chosen_says_what_it_would_add_and_when() {
        explained(1, &["t.py::first"], |subject, found| {
            let answer = &found.answers[0];
            assert_eq!((answer.rank, found.selections), (None, 3));
            assert!(0.0 < answer.adds && answer.adds < answer.alone, "{answer:?}");
            let whole = subject.index.find_test("t.py::whole").unwrap().unwrap();
            assert_eq!(answer.covered_by[0].0, whole);
            assert!((0.0..1.0).contains(&answer.covered_by[0].1));
            let Enters::At { budget_us, is_verified: true } = answer.enters else { panic!("{answer:?}") };
            assert!(budget_us > 1_000_000);
            let options = Options { budget_us: Some(budget_us), ..subject.terms.options.clone() };
            let picks = select(&subject.choice.candidates.instance, &options).picks;
            assert!(picks.iter().any(|pick| subject.test(pick.candidate) == answer.test));
        });
        explained(1, &["t.py::first", "t.py::last"], |_, found| {
            assert_eq!(found.selections, 2, "several are answered by one selection");
            let at = |answer: &Answer| matches!(answer.enters, Enters::At { is_verified: false, .. });
            assert!(found.answers.iter().all(at));
        });
    }

    #[test]
    fn what_has_no_signal_says_so() {
        explained(80, &["u.py::other"], |_, found| {
            assert!(!found.answers[0].runs_changed_files, "words led to it");
        });
        let last_line = "--- a/a.py\n+++ b/a.py\n@@ -9 +9 @@\n-a\n+b\n";
        explained_of(last_line, 80, &["t.py::first", "u.py::other"], |_, found| {
            assert_eq!(found.selections, 1);
            assert!(found.answers.iter().all(|answer| answer.enters == Enters::NoSignal && answer.alone == 0.0));
            assert_eq!([0, 1].map(|at| found.answers[at].runs_changed_files), [true, false]);
        });
    }

    #[test]
    fn a_test_is_named_by_its_end_or_by_a_part_of_it() {
        let bytes = build(&seen(), None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let named = |text: &str, most| {
            let tests = tests_named(&index, text, most).unwrap();
            tests.into_iter().map(|test| index.test_name(test).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(named("t.py::last", 9), ["t.py::last"]);
        assert_eq!(named("::whole", 9), ["t.py::whole"]);
        assert_eq!(named("odul", 9), ["t.py::module"]);
        assert_eq!(named("t.py", 9).len(), 4);
        assert_eq!(named("t.py", 2), ["t.py::first", "t.py::last"]);
        assert_eq!(named("t", 9), ["t.py::first", "t.py::last"], "ends come before parts");
        assert!(named("nothing", 9).is_empty());
    }
}
