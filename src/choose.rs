//! The choice: what failed last, candidates for the optimizer, and what it picks, all of it still in the tree.
//!
//! What failed last comes first, in at most half of the time, so that the change keeps the other half; where nothing
//! changed, in all of it. What was excluded is picked at no cost before anything else and left out of the answer: what
//! it covers is covered, so that a second choice goes on where the first ended.
//!
//! What the tree no longer has is dropped and its budget is spent again: only chosen tests are looked for, so that a
//! small selection looks at few files, until so many of them are gone that all candidates are.

use std::collections::{BTreeSet, HashSet};

use crate::candidate::{self, CandidateError, Candidates};
use crate::change::Change;
use crate::id::TestId;
use crate::model::{Index, ModelError};
use crate::optimize::{self, ExactError, Instance, Options, Selection, Verdict};
use crate::relevance::Relevance;

/// Rounds in which only chosen tests are looked for in the tree. Where that many found some gone, so much is gone that
/// the next looks for all candidates, and is the last but one.
const ROUNDS_OF_CHOSEN: usize = 4;

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
    /// What is chosen for.
    pub aim: Aim,
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
    /// The tests that are not to run again.
    pub excluded: BTreeSet<TestId>,
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
    /// Failed tests that the model does not know, to run before all picks, with their costs in microseconds. The costs
    /// of the picks do not hold theirs.
    pub failed_unknown: Vec<(String, u64)>,
    /// The start of the session in microseconds, charged once if anything is chosen.
    pub startup_us: u64,
    /// How many candidates were excluded.
    pub excluded: usize,
    /// What those catch, in units of 1 / [`optimize::UTILITY_ONE`].
    pub excluded_utility: u64,
    /// How many chosen tests the tree no longer has.
    pub dropped: usize,
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
    let mut nearest = match terms.options.fill && candidates.instance.cheapest_useful_cost_us().is_some() {
        true => candidate::nearest(index, change, relevance)?,
        false => Vec::new(),
    };
    nearest.retain(|(test, _)| !terms.before.excluded.contains(test));
    let failed = terms.before.to_run_again(index)?;
    if !(nearest.is_empty() && failed.is_empty()) {
        candidates = candidates.and(&[&nearest[..], &failed].concat())?;
    }
    if terms.per_file_us > 0 {
        candidates = candidates.charge_files(index, terms.per_file_us)?;
    }
    candidates = candidates.with_free(&terms.before.excluded)?;
    let mut options = terms.options.clone();
    let failed_unknown = failed_unknown(terms, change, index.root().median_cost_us, &mut options);
    let mut presence = Presence { index, current_id, gone: HashSet::new() };
    let mut rounds = 0..ROUNDS_OF_CHOSEN;
    loop {
        options.first = candidates.positions(&terms.before.excluded);
        let excluded = options.first.len();
        options.candidates = terms.options.candidates.map(|most| most.saturating_add(excluded));
        options.first.extend(candidates.positions(failed.iter().map(|(test, _)| test)));
        options.last = candidates.positions(nearest.iter().map(|(test, _)| test));
        let (mut selection, target) = select(&candidates.instance, &options, terms.aim)?;
        let excluded_utility = leave_out_first(&mut selection, excluded);
        let picked: Vec<TestId> =
            selection.picks.iter().map(|pick| candidates.tests[pick.candidate as usize]).collect();
        let named = presence.still_there(&picked)?;
        if named.len() == picked.len() {
            return Ok(Choice {
                candidates,
                selection,
                target,
                named,
                failed_unknown,
                startup_us: options.startup_us,
                excluded,
                excluded_utility,
                dropped: presence.gone.len(),
            });
        }
        if rounds.next().is_none() {
            presence.still_there(&candidates.tests)?;
        }
        candidates = candidates.without(&presence.gone)?;
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

/// The failed tests that the model does not know and that fit in the time for what failed last, with their costs;
/// `options` keep what they leave.
fn failed_unknown(terms: &Terms, change: &Change, cost_us: u64, options: &mut Options) -> Vec<(String, u64)> {
    let budget_us = options.budget_us.unwrap_or(u64::MAX);
    let Some(left_us) = budget_us.checked_sub(options.startup_us) else { return Vec::new() };
    let first_us = if change.is_empty() { left_us } else { left_us / 2 };
    // Each is taken to stand in a file of its own.
    let cost_us = cost_us.saturating_add(terms.per_file_us);
    let fitting = first_us.checked_div(cost_us).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let taken: Vec<_> = terms.before.failed_unknown.iter().take(fitting).map(|id| (id.clone(), cost_us)).collect();
    let spent_us = cost_us.saturating_mul(taken.len() as u64);
    options.budget_us = Some(budget_us.saturating_sub(spent_us));
    options.first_budget_us = Some(first_us.saturating_sub(spent_us));
    taken
}

impl Before {
    /// The tests that failed last and are not excluded, each with its cost in microseconds.
    fn to_run_again<D: AsRef<[u8]>>(&self, index: &Index<D>) -> Result<Vec<(TestId, u64)>, ModelError> {
        let again = self.failed.iter().filter(|test| !self.excluded.contains(test));
        again.map(|&test| Ok((test, index.cost_us(test)?))).collect()
    }
}

/// Leaves the first so many picks out; what they catch.
fn leave_out_first(selection: &mut Selection, picks: usize) -> u64 {
    let mut left_out = selection.picks.drain(..picks.min(selection.picks.len()));
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
    use crate::optimize::{Reason, UTILITY_ONE};

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

    fn within(budget_s: u64, before: Before) -> Terms {
        let options = Options { budget_us: Some(budget_s * SECOND_US), startup_us: SECOND_US, ..Options::default() };
        Terms { options, before, ..Terms::default() }
    }

    fn tests(choice: &Choice) -> Vec<TestId> {
        choice.selection.picks.iter().map(|pick| choice.candidates.tests[pick.candidate as usize]).collect()
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
        assert_eq!(half.failed_unknown, [("a".to_owned(), 2 * SECOND_US), ("b".to_owned(), 2 * SECOND_US)]);
        assert_eq!((tests(&half), half.selection.cost_us()), (vec![TestId(0)], 2 * SECOND_US));
        let all = chosen(&bytes, "", &within(9, before()));
        assert_eq!((all.failed_unknown.len(), tests(&all)), (3, vec![TestId(1)]));
        assert_eq!(chosen(&bytes, "", &within(0, before())).failed_unknown, [], "no time to start a session");
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
