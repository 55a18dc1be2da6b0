//! The choice: what failed last, candidates for the optimizer, and what it picks, all of it still in the tree.
//!
//! What failed last comes first, in at most half of the time, so that the change keeps the other half; where nothing
//! changed, in all of it. What was excluded is picked at no cost before anything else and left out of the answer: what
//! it covers is covered, so that a second choice goes on where the first ended.
//!
//! A margin is kept by choosing for less than the budget; each of its selections is made as without one, so all of this
//! holds in it, and what still needs too much is cut from the end.
//!
//! What the tree no longer has is dropped and its budget is spent again: only chosen tests are looked for, so that a
//! small selection looks at few files, until so many of them are gone that all candidates are.

use std::collections::{BTreeSet, HashSet};

use crate::candidate::{self, CandidateError, Candidates};
use crate::change::Change;
use crate::id::TestId;
use crate::margin::{Margin, Spread};
use crate::model::{Index, ModelError};
use crate::optimize::{self, ExactError, Instance, Options, Selection, Verdict};
use crate::relevance::Relevance;

/// Rounds in which only chosen tests are looked for in the tree. Where that many found some gone, so much is gone that
/// the next looks for all candidates, and is the last but one.
const ROUNDS_OF_CHOSEN: usize = 4;

/// How many selections are made at most in search of one that keeps a budget with a probability.
const SELECTIONS_MOST: usize = 3;

/// What is chosen for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aim {
    /// As much utility as greedy finds within the budget.
    #[default]
    Most,
    /// The best of all choices within the budget.
    Best,
    /// This share of what all candidates could reach, in units of 1 / [`optimize::SHARE_ONE`], as cheap as can be
    /// found.
    Enough(u64),
}

/// What may be spent, and on what.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Budget, start of the session, workers, number of candidates, whether to fill.
    pub options: Options,
    /// What opening a file of tests costs in microseconds, charged once a file and worker.
    pub per_file_us: u64,
    /// What the runner spends on each test beside what the test costs, in microseconds.
    pub per_test_us: u64,
    /// What is chosen for.
    pub aim: Aim,
    /// How surely the budget is to be kept; without it, it is kept by what tests usually cost.
    pub margin: Option<Margin>,
    /// What ran before the choice.
    pub before: Before,
}

/// What ran before, and is to run again or not.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The tests that failed last, in the order to run them again.
    pub failed: Vec<TestId>,
    /// Those that the model does not know, by their ids in the tree; each is taken to cost what most tests cost.
    pub failed_unknown: Vec<String>,
    /// The tests that the diff adds, by their ids in the tree; the model does not know them, and each is taken to cost what
    /// most tests cost.
    pub new: Vec<String>,
    /// The tests that are not to run again.
    pub excluded: BTreeSet<TestId>,
}

/// A test that the model does not know, and that runs before all that it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its id in the tree.
    pub id: String,
    /// What it is taken to cost in microseconds.
    pub cost_us: u64,
    /// Whether the diff adds it; else it failed before.
    pub is_new: bool,
}

impl Terms {
    /// These terms at another budget, in microseconds; `None` is no budget.
    #[must_use]
    pub fn with_budget(&self, budget_us: Option<u64>) -> Self {
        Self { options: Options { budget_us, ..self.options.clone() }, ..self.clone() }
    }
}

/// Why nothing could be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// There are no candidates to choose from.
    #[error(transparent)]
    Candidates(#[from] CandidateError),
    /// The best of all choices was asked for and is out of reach.
    #[error(transparent)]
    Exact(#[from] ExactError),
}

impl From<ModelError> for ChoiceError {
    fn from(error: ModelError) -> Self {
        Self::Candidates(error.into())
    }
}

/// The id of a test as the tree names it now, or `None` where the tree no longer has it.
pub type CurrentId<'a> = dyn FnMut(&str) -> Result<Option<String>, ModelError> + 'a;

/// What was chosen.
#[derive(Debug)]
pub struct Choice {
    /// The tests with a signal on the change, and those that failed last; where the budget is filled, all others too.
    pub candidates: Candidates,
    /// The picks among them, but for the excluded ones, whose utility is part of that of the picks.
    pub selection: Selection,
    /// How a target fared, where one was set.
    pub target: Option<Target>,
    /// The ids of the picks, as the tree has them.
    pub named: Vec<String>,
    /// Tests that the model does not know, to run before all picks: those that the diff adds, and then those that failed. The
    /// costs of the picks do not hold theirs.
    pub unknown: Vec<Unknown>,
    /// What it was selected by: the budget is what the margin and `unknown` left, and the excluded candidates are
    /// the first of those to pick first.
    pub options: Options,
    /// How many candidates were excluded.
    pub excluded: usize,
    /// What those catch, in units of 1 / [`optimize::UTILITY_ONE`].
    pub excluded_utility: u64,
    /// How many chosen tests the tree no longer has.
    pub dropped: usize,
    /// What is known of how the chosen tests vary, where a margin asks for it.
    pub spread: Spread,
}

impl Choice {
    /// The picks as tests, in their order.
    pub fn tests(&self) -> impl Iterator<Item = TestId> {
        self.selection.picks.iter().map(|pick| self.candidates.tests[pick.candidate as usize])
    }

    /// The excluded candidates, which are picked at no cost before all others.
    pub fn excluded_candidates(&self) -> &[u32] {
        &self.options.first[..self.excluded]
    }

    /// What all of it takes in microseconds, the tests that the model does not know included; 0 for nothing.
    pub fn cost_us(&self) -> u64 {
        let unknown_us = self.unknown_us();
        match self.selection.picks.is_empty() {
            true if self.unknown.is_empty() => 0,
            true => self.options.startup_us.saturating_add(unknown_us),
            false => self.selection.cost_us().saturating_add(unknown_us),
        }
    }

    /// What the tests that the model does not know cost together in microseconds.
    pub fn unknown_us(&self) -> u64 {
        self.unknown.iter().fold(0, |sum_us, test| sum_us.saturating_add(test.cost_us))
    }

    /// Keeps the first `tests` tests, those that the model does not know before the picks.
    fn truncate(&mut self, tests: usize) {
        self.unknown.truncate(tests);
        let picks = tests - self.unknown.len();
        if picks < self.named.len() {
            self.named.truncate(picks);
            self.selection.truncate(&self.candidates.instance, &self.options.first[..self.excluded], picks);
        }
    }
}

/// How a share to be reached fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it was reached.
    pub verdict: Verdict,
    /// What no selection that reaches it is cheaper than, in microseconds; `None` where all tests together do not.
    pub cost_at_least_us: Option<u64>,
}

/// Chooses tests for a change.
///
/// # Errors
/// If a part of the model that the change touches is damaged, the change is larger than the optimizer takes, or the
/// best of all choices is out of reach.
pub fn choose<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
    terms: &Terms,
    current_id: &mut CurrentId<'_>,
) -> Result<Choice, ChoiceError> {
    let candidates = candidate::gather(index, change, relevance)?;
    choose_among(candidates, index, change, relevance, terms, current_id)
}

/// [`choose`], from candidates that were gathered for this change: several budgets need them once.
///
/// # Errors
/// As [`choose`].
pub fn choose_among<D: AsRef<[u8]>>(
    mut candidates: Candidates,
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
    terms: &Terms,
    current_id: &mut CurrentId<'_>,
) -> Result<Choice, ChoiceError> {
    // Nearness alone does not stand in for evidence: an unknown change, or none, stays what it is.
    let mut nearest = match terms.options.fill && candidates.instance.has_useful() {
        true => candidate::nearest(index, change, relevance)?,
        false => Vec::new(),
    };
    nearest.retain(|(test, _)| !terms.before.excluded.contains(test));
    let failed = terms.before.to_run_again(index)?;
    if !(nearest.is_empty() && failed.is_empty()) {
        candidates = candidates.and(&[&nearest[..], &failed].concat());
    }
    candidates = candidates.charge_tests(terms.per_test_us);
    if terms.per_file_us > 0 {
        candidates = candidates.charge_files(index, terms.per_file_us)?;
    }
    candidates = candidates.with_free(&terms.before.excluded)?;
    let presence = Presence { index, current_id, gone: HashSet::new() };
    let mut spending = Spending { terms, nothing_changed: change.is_empty(), failed, nearest, presence };
    match (&terms.margin, terms.options.budget_us) {
        (Some(margin), Some(budget_us)) => spending.keep(margin, budget_us, candidates),
        (_, budget_us) => spending.spend(budget_us, candidates),
    }
}

/// Spends budgets on one change.
struct Spending<'a, 'b, D> {
    terms: &'a Terms,
    nothing_changed: bool,
    /// What failed last and is known, in the order to run it again, with its costs.
    failed: Vec<(TestId, u64)>,
    /// What fills a budget.
    nearest: Vec<(TestId, u64)>,
    presence: Presence<'a, 'b, D>,
}

impl<D: AsRef<[u8]>> Spending<'_, '_, D> {
    /// The choice that spends a budget by what tests usually cost.
    fn spend(&mut self, budget_us: Option<u64>, mut candidates: Candidates) -> Result<Choice, ChoiceError> {
        let mut options = Options { budget_us, ..self.terms.options.clone() };
        let unknown = self.unknown(&mut options);
        let mut rounds = 0..ROUNDS_OF_CHOSEN;
        loop {
            options.first = candidates.positions(&self.terms.before.excluded);
            let excluded = options.first.len();
            options.candidates = self.terms.options.candidates.map(|most| most.saturating_add(excluded));
            options.first.extend(candidates.positions(self.failed.iter().map(|(test, _)| test)));
            options.last = candidates.positions(self.nearest.iter().map(|(test, _)| test));
            let (mut selection, target) = select(&candidates.instance, &options, self.terms.aim)?;
            let excluded_utility = leave_out_first(&mut selection, &candidates.instance, &options.first[..excluded]);
            let picked: Vec<TestId> =
                selection.picks.iter().map(|pick| candidates.tests[pick.candidate as usize]).collect();
            let named = self.presence.still_there(&picked)?;
            if named.len() == picked.len() {
                return Ok(Choice {
                    candidates,
                    selection,
                    target,
                    named,
                    unknown,
                    options,
                    excluded,
                    excluded_utility,
                    dropped: self.presence.gone.len(),
                    spread: Spread::default(),
                });
            }
            if rounds.next().is_none() {
                self.presence.still_there(&candidates.tests)?;
            }
            candidates = candidates.without(&self.presence.gone)?;
        }
    }

    /// The tests that the model does not know and that fit, with their costs: what the diff adds in the whole of the budget, what
    /// failed in the time for what failed last. `options` keep what they leave.
    fn unknown(&self, options: &mut Options) -> Vec<Unknown> {
        let budget_us = options.budget_us.unwrap_or(u64::MAX);
        let Some(left_us) = budget_us.checked_sub(options.startup_us) else { return Vec::new() };
        let first_us = if self.nothing_changed { left_us } else { left_us / 2 };
        // Each is taken to stand in a file of its own.
        let overhead_us = self.terms.per_test_us.saturating_add(self.terms.per_file_us);
        let cost_us = self.presence.index.root().median_cost_us.saturating_add(overhead_us);
        let fitting =
            |us: u64| us.checked_div(cost_us).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let Before { new, failed_unknown, .. } = &self.terms.before;
        let of = |is_new: bool| move |id: &String| Unknown { id: id.clone(), cost_us, is_new };
        let mut taken: Vec<Unknown> = new.iter().take(fitting(left_us)).map(of(true)).collect();
        let failed = failed_unknown.iter().filter(|id| !new.contains(id));
        taken.extend(failed.take(fitting(first_us).saturating_sub(taken.len())).map(of(false)));
        let spent_us = cost_us.saturating_mul(taken.len() as u64);
        options.budget_us = options.budget_us.map(|budget_us| budget_us.saturating_sub(spent_us));
        options.first_budget_us = Some(first_us.saturating_sub(spent_us));
        taken
    }

    /// The choice that keeps a budget with the probability of `margin`. The first budget leaves what the pace of all needs,
    /// each further one what the tests of the choice before vary by; what still needs too much is cut from its end.
    fn keep(&mut self, margin: &Margin, budget_us: u64, candidates: Candidates) -> Result<Choice, ChoiceError> {
        let mut spent_us = margin.mean_us(budget_us, &Spread::default());
        let mut choice = self.spend(Some(spent_us), candidates)?;
        for _ in 1..SELECTIONS_MOST {
            let (_, spread) = self.kept(margin, u64::MAX, &choice)?;
            let next_us = margin.mean_us(budget_us, &spread);
            // It is kept, and no greater budget would be; or the next would be the same.
            if choice.cost_us() <= next_us && next_us <= spent_us || next_us == spent_us {
                break;
            }
            spent_us = next_us;
            choice = self.spend(Some(spent_us), choice.candidates)?;
        }
        let (tests, spread) = self.kept(margin, budget_us, &choice)?;
        choice.truncate(tests);
        Ok(Choice { spread, ..choice })
    }

    /// How many of the first tests of a choice keep a budget with the probability of `margin`, and how they vary. Workers
    /// that share the tests are taken to share their bad luck, which is the worst of it.
    fn kept(&self, margin: &Margin, budget_us: u64, choice: &Choice) -> Result<(usize, Spread), ModelError> {
        let mut spread = Spread::default();
        let mut before_us = 0u64;
        for test in &choice.unknown {
            let mut with_it = spread;
            with_it.add_unknown();
            before_us = before_us.saturating_add(test.cost_us);
            if margin.needs_us(choice.options.startup_us.saturating_add(before_us), &with_it) > budget_us {
                return Ok((spread.tests, spread));
            }
            spread = with_it;
        }
        for (test, pick) in choice.tests().zip(&choice.selection.picks) {
            let mut with_it = spread;
            margin.add(&mut with_it, &self.presence.index.test_record(test)?);
            if margin.needs_us(pick.cumulative_cost_us.saturating_add(before_us), &with_it) > budget_us {
                return Ok((spread.tests, spread));
            }
            spread = with_it;
        }
        Ok((spread.tests, spread))
    }
}

fn select(instance: &Instance, options: &Options, aim: Aim) -> Result<(Selection, Option<Target>), ExactError> {
    Ok(match aim {
        Aim::Most => (optimize::select(instance, options), None),
        Aim::Best => (optimize::select_exact(instance, options)?, None),
        Aim::Enough(share) => {
            let cover = optimize::cover(instance, options, share);
            let target = Target { verdict: cover.verdict, cost_at_least_us: cover.cost_at_least_us };
            (cover.selection, Some(target))
        }
    })
}

impl Before {
    /// The tests that failed last and are not excluded, each with its cost in microseconds.
    fn to_run_again<D: AsRef<[u8]>>(&self, index: &Index<D>) -> Result<Vec<(TestId, u64)>, ModelError> {
        let again = self.failed.iter().filter(|test| !self.excluded.contains(test));
        again.map(|&test| Ok((test, index.cost_us(test)?))).collect()
    }
}

/// Leaves the excluded candidates, which were picked first, out of the picks; what they catch. They ran, even where no time
/// is left to start a session.
fn leave_out_first(selection: &mut Selection, instance: &Instance, excluded: &[u32]) -> u64 {
    if selection.picks.is_empty() {
        selection.truncate(instance, excluded, 0);
        return selection.utility;
    }
    let mut left_out = selection.picks.drain(..excluded.len());
    left_out.next_back().map_or(0, |pick| pick.cumulative_utility)
}

/// Which tests the tree still has.
struct Presence<'a, 'b, D> {
    index: &'a Index<D>,
    current_id: &'a mut CurrentId<'b>,
    /// Tests that it was asked for and no longer has.
    gone: HashSet<TestId>,
}

impl<D: AsRef<[u8]>> Presence<'_, '_, D> {
    /// The ids of the tests that the tree still has, as it has them; the others join the gone.
    fn still_there(&mut self, tests: &[TestId]) -> Result<Vec<String>, ModelError> {
        let mut there = Vec::with_capacity(tests.len());
        for &test in tests {
            match (self.current_id)(&self.index.test_name(test)?)? {
                Some(id) => there.push(id),
                None => {
                    self.gone.insert(test);
                }
            }
        }
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::build::build;
    use crate::change::Mapping;
    use crate::observation::{LineRange, Observations, Outcome, Run};
    use crate::optimize::{Account, Reason, UTILITY_ONE};

    const SECOND_US: u64 = 1_000_000;

    /// A test for each cost in seconds, which runs the lines whose bits are set.
    fn model(tests: &[(u64, u8)]) -> rkyv::util::AlignedVec<64> {
        let mut seen = Observations::default();
        let file = seen.file("a.py");
        for (at, &(cost_s, lines)) in tests.iter().enumerate() {
            let test = seen.test(&format!("t{at:02}"));
            let ran = (1..=8).filter(|line| lines >> (line - 1) & 1 == 1).map(LineRange::single);
            seen.cover(test, file, &ran.collect());
            let cost_us = Some(cost_s * SECOND_US);
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome: Outcome::Passed, cost_us });
        }
        build(&seen, None, |_| None)
    }

    /// Chooses for a diff of all lines, or for none.
    fn chosen(bytes: &[u8], diff: &str, terms: &Terms) -> Choice {
        let index = Index::open(bytes).unwrap();
        let diff = crate::diff::parse(diff.as_bytes()).unwrap();
        let change = Change::read(&index, &diff, Mapping::default()).unwrap();
        choose(&index, &change, &Relevance::default(), terms, &mut |id| Ok(Some(id.to_owned()))).unwrap()
    }

    const ALL_LINES: &str = "--- a/a.py\n+++ b/a.py\n@@ -1,8 +0,0 @@\n-1\n-2\n-3\n-4\n-5\n-6\n-7\n-8\n";

    /// Two sessions of tests that all run line 1 or 2 of `a.py`: what each cost in either, in milliseconds.
    fn two_sessions(costs_ms: &[(u64, u64)]) -> rkyv::util::AlignedVec<64> {
        let mut seen = Observations::default();
        let file = seen.file("a.py");
        for (at, &(first_ms, second_ms)) in (0u32..).zip(costs_ms) {
            let test = seen.test(&format!("t{at:02}_{}.py::test", at % 3));
            seen.cover(test, file, &[LineRange::single(1 + at % 2)].into_iter().collect());
            for (time_us, cost_ms) in [(1, first_ms), (2, second_ms)] {
                let cost_us = Some(cost_ms * 1000);
                seen.run(test, Run { time_us, commit: String::new(), outcome: Outcome::Passed, cost_us });
            }
        }
        build(&seen, None, |_| None)
    }

    fn margin(bytes: &[u8], probability: f64) -> Margin {
        Margin::new(probability, Index::open(bytes).unwrap().root().pace_spread_ppm)
    }

    fn within_us(budget_us: u64, fill: bool) -> Terms {
        Terms { options: Options { budget_us: Some(budget_us), fill, ..Options::default() }, ..Terms::default() }
    }

    fn within(budget_s: u64, before: Before) -> Terms {
        let options = Options { budget_us: Some(budget_s * SECOND_US), startup_us: SECOND_US, ..Options::default() };
        Terms { options, before, ..Terms::default() }
    }

    fn tests(choice: &Choice) -> Vec<TestId> {
        choice.tests().collect()
    }

    #[test]
    fn what_failed_has_half_of_the_time_and_all_where_nothing_changed() {
        let bytes = model(&[(1, 0xff), (2, 0), (2, 0), (2, 0)]);
        let failed = || Before { failed: [1, 2, 3].map(TestId).to_vec(), ..Before::default() };
        let changed = chosen(&bytes, ALL_LINES, &within(9, failed()));
        assert_eq!(tests(&changed), [1, 2, 0].map(TestId), "four of the eight seconds that the start leaves");
        let reasons: Vec<Reason> = changed.selection.picks.iter().map(|pick| pick.reason).collect();
        assert_eq!(reasons, [Reason::First, Reason::First, Reason::Chosen]);
        assert_eq!(tests(&chosen(&bytes, "", &within(9, failed()))), [1, 2, 3].map(TestId));
        let excluded = Before { excluded: [TestId(2)].into(), ..failed() };
        assert_eq!(tests(&chosen(&bytes, ALL_LINES, &within(9, excluded))), [1, 3, 0].map(TestId));
    }

    #[test]
    fn unknown_failures_take_their_part_of_the_time() {
        let bytes = model(&[(1, 0xff), (2, 0), (2, 0)]);
        let failed_unknown = ["a", "b", "c"].map(str::to_owned).to_vec();
        let before = || Before { failed: vec![TestId(1)], failed_unknown: failed_unknown.clone(), ..Before::default() };
        let half = chosen(&bytes, ALL_LINES, &within(9, before()));
        let of = |id: &str| Unknown { id: id.to_owned(), cost_us: 2 * SECOND_US, is_new: false };
        assert_eq!(half.unknown, [of("a"), of("b")]);
        assert_eq!((tests(&half), half.selection.cost_us()), (vec![TestId(0)], 2 * SECOND_US));
        let all = chosen(&bytes, "", &within(9, before()));
        assert_eq!((all.unknown.len(), tests(&all)), (3, vec![TestId(1)]));
        assert_eq!(chosen(&bytes, "", &within(0, before())).unknown, [], "no time to start a session");
        let with_new = |seconds| within(seconds, Before { new: vec!["n".to_owned(), "a".to_owned()], ..before() });
        let first = chosen(&bytes, ALL_LINES, &with_new(9));
        let ids = |choice: &Choice| choice.unknown.iter().map(|it| (it.id.clone(), it.is_new)).collect::<Vec<_>>();
        assert_eq!(ids(&first), [("n".to_owned(), true), ("a".to_owned(), true)], "they take the time of what failed");
        let all = chosen(&bytes, "", &with_new(9));
        assert_eq!(ids(&all)[2..], [("b".to_owned(), false), ("c".to_owned(), false)], "once each");
        assert_eq!(chosen(&bytes, ALL_LINES, &with_new(3)).unknown.len(), 1);
    }

    #[test]
    fn what_the_runner_spends_on_a_test_is_part_of_its_cost() {
        let bytes = two_sessions(&[(10, 10), (20, 20), (30, 30)]);
        let choice = chosen(&bytes, ALL_LINES, &within_us(60_000, false));
        assert_eq!((choice.named.len(), choice.cost_us()), (3, 60_000));
        let before = Before { failed_unknown: vec!["new".to_owned()], ..Before::default() };
        let charged = Terms { per_test_us: 5000, per_file_us: 2000, ..within_us(60_000, false) };
        let choice = chosen(&bytes, ALL_LINES, &charged);
        assert_eq!((choice.named.len(), choice.cost_us()), (2, 10_000 + 20_000 + 2 * 5000 + 2 * 2000));
        let choice = chosen(&bytes, ALL_LINES, &Terms { before, ..charged.clone() });
        assert_eq!(choice.unknown[0].cost_us, 20_000 + 5000 + 2000, "that of most tests");
        assert_eq!((tests(&choice), choice.cost_us()), (vec![TestId(1)], 2 * 27_000), "and leaves that much less");
        let before = Before { excluded: [TestId(0)].into(), ..Before::default() };
        let choice = chosen(&bytes, ALL_LINES, &Terms { before, ..charged });
        assert_eq!((tests(&choice), choice.cost_us()), (vec![TestId(1)], 27_000), "what ran costs nothing");
    }

    #[test]
    fn a_margin_of_one_half_is_none() {
        let bytes = two_sessions(&[(10, 30), (20, 25), (30, 60), (5, 6)]);
        let usual = chosen(&bytes, ALL_LINES, &within_us(70_000, true));
        let half = Terms { margin: Some(margin(&bytes, 0.5)), ..within_us(70_000, true) };
        assert_eq!(chosen(&bytes, ALL_LINES, &half).selection, usual.selection);
    }

    #[test]
    fn what_ran_is_covered_without_a_further_session() {
        let bytes = model(&[(1, 0x0f), (1, 0xff)]);
        let before = || Before { excluded: [TestId(0)].into(), ..Before::default() };
        let (none, some) = (within(0, before()), within(9, before()));
        let [none, some] = [none, some].map(|terms| chosen(&bytes, ALL_LINES, &terms));
        assert_eq!((tests(&none), tests(&some)), (vec![], vec![TestId(1)]));
        assert!(none.excluded_utility > 0 && none.excluded_utility == some.excluded_utility);
        assert_eq!(
            (none.selection.utility, none.selection.upper_bound),
            (none.excluded_utility, none.excluded_utility)
        );
        assert_is_whole(&none);
    }

    #[test]
    fn what_is_cut_leaves_a_choice_of_what_is_kept() {
        let bytes = model(&[(1, 0x0f), (2, 0xf0), (1, 0x3c)]);
        let before = || Before {
            failed: vec![TestId(1)],
            failed_unknown: ["a", "b"].map(str::to_owned).to_vec(),
            excluded: [TestId(2)].into(),
            ..Before::default()
        };
        let whole = || chosen(&bytes, ALL_LINES, &within(99, before()));
        assert_eq!((whole().unknown.len(), tests(&whole())), (2, [1, 0].map(TestId).to_vec()));
        for (kept, unknown, picks) in [(9, 2, 2), (3, 2, 1), (2, 2, 0), (1, 1, 0), (0, 0, 0)] {
            let mut cut = whole();
            cut.truncate(kept);
            assert_eq!((cut.unknown.len(), cut.named.len(), cut.excluded), (unknown, picks, 1), "{kept}");
            assert_is_whole(&cut);
        }
    }

    /// The figures of a choice are those of its tests.
    fn assert_is_whole(choice: &Choice) {
        let (selection, instance) = (&choice.selection, &choice.candidates.instance);
        assert_eq!(choice.named.len(), selection.picks.len());
        let gains = selection.picks.iter().map(|pick| pick.gain).sum::<u64>();
        assert_eq!(selection.utility, choice.excluded_utility + gains);
        let mut account = Account::new(instance);
        let excluded = choice.excluded_candidates().iter().copied();
        excluded.chain(selection.picks.iter().map(|pick| pick.candidate)).for_each(|pick| _ = account.pick(pick));
        let risk = |(&weight, &left): (&u32, &u64)| u64::from(weight) * left;
        let risks: Vec<u64> = instance.weights().iter().zip(&selection.residuals).map(risk).collect();
        assert_eq!(account.risks(), risks);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever ran before, what is chosen fits with its margin, nothing excluded comes back, what failed comes first
        /// and in its order, and the figures are those of what was kept.
        #[test]
        fn a_margin_keeps_the_budget(
            costs_ms in proptest::collection::vec((1u64..300, 1u64..300), 1..20),
            budget_us in 0u64..3_000_000, probability in 0.5f64..0.999, fill in any::<bool>(),
            (startup_us, per_file_us, per_test_us) in (0u64..50_000, 0u64..50_000, 0u64..9000),
            (failed, excluded) in (proptest::collection::vec(0u32..20, 0..4), proptest::collection::btree_set(0u32..20, 0..4)),
            unknown in 0usize..3, is_changed in any::<bool>(),
        ) {
            let bytes = two_sessions(&costs_ms);
            let known = |test: &u32| (*test as usize) < costs_ms.len();
            let before = Before {
                failed: failed.into_iter().filter(known).map(TestId).collect(),
                failed_unknown: (0..unknown).map(|at| format!("new{at}")).collect(),
                new: Vec::new(),
                excluded: excluded.into_iter().filter(known).map(TestId).collect(),
            };
            let margin = margin(&bytes, probability);
            let terms = Terms {
                options: Options { startup_us, ..within_us(budget_us, fill).options },
                per_file_us,
                per_test_us,
                margin: Some(margin),
                before: before.clone(),
                ..Terms::default()
            };
            let choice = chosen(&bytes, if is_changed { ALL_LINES } else { "" }, &terms);
            let count = choice.unknown.len() + choice.tests().count();
            prop_assert!(count == 0 || margin.needs_us(choice.cost_us(), &choice.spread) <= budget_us);
            prop_assert_eq!((choice.spread.tests, choice.spread.unknown), (count, choice.unknown.len()));
            prop_assert!(choice.tests().all(|test| !before.excluded.contains(&test)));
            let is_first = |pick: &optimize::Pick| pick.reason == Reason::First;
            prop_assert!(choice.selection.picks.is_sorted_by_key(|pick| !is_first(pick)));
            let again = choice.tests().zip(&choice.selection.picks).filter(|(_, pick)| is_first(pick));
            let ranks: Vec<_> = again.map(|(test, _)| before.failed.iter().position(|&other| other == test)).collect();
            prop_assert!(ranks.iter().all(Option::is_some) && ranks.is_sorted());
            let names: Vec<_> = choice.unknown.iter().map(|test| &test.id).collect();
            prop_assert_eq!(names, before.failed_unknown.iter().take(choice.unknown.len()).collect::<Vec<_>>());
            assert_is_whole(&choice);
        }
    }

    proptest! {
        /// Choosing twice, the second time without what the first one chose, is choosing on: nothing comes twice, each
        /// keeps its budget, and what ran counts as covered.
        #[test]
        fn a_second_choice_goes_on(
            suite in proptest::collection::vec((0u64..4, 0u8..=255), 1..12),
            failed in proptest::collection::vec(0u32..12, 0..4),
            budget_s in 0u64..9,
        ) {
            let bytes = model(&suite);
            let mut before = Before {
                failed: failed.into_iter().filter(|&test| (test as usize) < suite.len()).map(TestId).collect(),
                ..Before::default()
            };
            let first = chosen(&bytes, ALL_LINES, &within(budget_s, before.clone()));
            before.excluded = tests(&first).into_iter().collect();
            let second = chosen(&bytes, ALL_LINES, &within(budget_s, before.clone()));
            prop_assert!(tests(&second).iter().all(|test| !before.excluded.contains(test)));
            prop_assert!([&first, &second].iter().all(|choice| choice.selection.cost_us() <= budget_s * SECOND_US));
            // The last bits depend on the order in which residuals are multiplied.
            prop_assert!(second.excluded_utility.abs_diff(first.selection.utility) < UTILITY_ONE >> 20);
            prop_assert!(second.selection.utility >= second.excluded_utility);
            let once = chosen(&bytes, ALL_LINES, &within(2 * budget_s, Before::default()));
            prop_assert!(second.selection.utility <= once.selection.upper_bound + (UTILITY_ONE >> 20));
        }
    }
}
