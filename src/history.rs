//! What the runs of a test say of its failures: which of them failed, when it failed last, and whether it is flaky.
//!
//! Derived from the runs alone, wherever they are: of one report, of observations, of a model. Recency is counted in
//! runs of the test, never by a date, so that no clock is asked. A run that was skipped, or of which only the duration
//! is known, says nothing. Of runs that state the same time, or none, a pass counts as the later one: a failure is a
//! test's last word only where nothing contradicts it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::observation::{Outcome, RUNS_KEPT, Run};

/// The failures of a test among its last runs; there is at least one, or a flaky run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// How many of its runs ended, well or not: 1 to [`RUNS_KEPT`].
    pub runs: u8,
    /// Which of them failed: bit 0 is the last one, bit 1 the one before.
    pub failed: u8,
    /// Whether it failed and passed at one stated commit, or within one report.
    pub is_flaky: bool,
    /// When its last failure was, in microseconds since the Unix epoch; 0 where no report states it.
    pub failed_us: u64,
}

/// A run as far as a history asks: its time, its commit if one is stated, how it ended.
pub(crate) type Ended<C> = (u64, Option<C>, Outcome);

impl History {
    /// The history that runs in any order tell, or `None` where none of them failed. More than [`RUNS_KEPT`] runs are
    /// told by the last ones.
    pub(crate) fn of<C: Ord>(runs: impl IntoIterator<Item = Ended<C>>) -> Option<Self> {
        let mut ended: Vec<Ended<C>> = runs.into_iter().filter(|(.., outcome)| *outcome >= Outcome::Passed).collect();
        ended.sort_by_key(|&(time_us, _, outcome)| Reverse((time_us, Reverse(outcome))));
        ended.truncate(RUNS_KEPT);
        let has_failed = |&(.., outcome): &Ended<C>| outcome == Outcome::Failed;
        let failed = ended.iter().enumerate().fold(0, |bits, (at, run)| bits | u8::from(has_failed(run)) << at);
        let failed_us = ended.iter().find(|run| has_failed(run)).map_or(0, |&(time_us, ..)| time_us);
        let history =
            Self { runs: u8::try_from(ended.len()).unwrap_or(u8::MAX), failed, is_flaky: is_flaky(ended), failed_us };
        (history.failed != 0 || history.is_flaky).then_some(history)
    }

    /// [`History::of`] observed runs.
    pub(crate) fn of_runs<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Option<Self> {
        let commit = |run: &'a Run| Some(run.commit.as_str()).filter(|commit| !commit.is_empty());
        Self::of(runs.into_iter().map(|run| (run.time_us, commit(run), run.outcome)))
    }

    /// Whether its last run failed.
    pub fn failed_last(self) -> bool {
        self.failed & 1 != 0
    }
}

fn is_flaky<C: Ord>(ended: Vec<Ended<C>>) -> bool {
    let mut outcomes: BTreeMap<C, [bool; 2]> = BTreeMap::new();
    ended.into_iter().any(|(_, commit, outcome)| {
        let Some(commit) = commit else { return outcome == Outcome::Flaky };
        let seen = outcomes.entry(commit).or_default();
        seen[usize::from(outcome == Outcome::Failed)] = true;
        outcome == Outcome::Flaky || *seen == [true; 2]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use Outcome::{Failed, Flaky, Passed, Skipped, Unknown};

    fn of(runs: &[(u64, &'static str, Outcome)]) -> Option<History> {
        let run = |&(time_us, commit, outcome): &(u64, &str, Outcome)| Run {
            time_us,
            commit: commit.to_owned(),
            outcome,
            cost_us: None,
        };
        History::of_runs(&runs.iter().map(run).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_run_is_the_lowest_bit() {
        let history =
            of(&[(1, "", Failed), (2, "", Passed), (3, "", Failed), (9, "", Skipped), (9, "", Unknown)]).unwrap();
        assert_eq!(history, History { runs: 3, failed: 0b101, is_flaky: false, failed_us: 3 });
        let fixed = of(&[(1, "", Failed), (2, "", Passed)]).unwrap();
        assert!(history.failed_last() && !fixed.failed_last());
        assert_eq!((fixed.failed, fixed.failed_us), (0b10, 1));
        assert_eq!(of(&[(1, "", Passed), (2, "", Skipped)]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_failure_without_a_time_is_not_the_last_word_against_a_pass() {
        assert!(!of(&[(0, "", Passed), (0, "", Failed)]).unwrap().failed_last());
        assert!(of(&[(0, "", Failed)]).unwrap().failed_last());
    }

    #[test]
    fn flaky_is_both_at_one_commit_or_within_one_report() {
        let flaky = |runs: &[_]| of(runs).unwrap().is_flaky;
        assert!(flaky(&[(1, "c", Failed), (2, "c", Passed)]));
        assert!(!flaky(&[(1, "b", Failed), (2, "c", Passed)]));
        assert!(!flaky(&[(1, "", Failed), (2, "", Passed)]), "a commit that is not stated may be any");
        assert!(flaky(&[(1, "", Flaky)]) && flaky(&[(1, "c", Flaky), (2, "d", Passed)]));
        assert_eq!(of(&[(1, "", Flaky)]).unwrap().failed, 0, "in the end it passed");
    }

    proptest! {
        #[test]
        fn the_order_of_runs_is_none_of_their_own(
            (runs, shuffled) in proptest::collection::vec((0u64..4, 0usize..3, 0usize..5), 0..=RUNS_KEPT)
                .prop_flat_map(|runs| (Just(runs.clone()), Just(runs).prop_shuffle())),
        ) {
            let commits = ["", "b", "c"];
            let outcomes = [Unknown, Skipped, Passed, Flaky, Failed];
            let named = |runs: Vec<(u64, usize, usize)>| -> Vec<_> {
                runs.into_iter().map(|(time_us, commit, outcome)| (time_us, commits[commit], outcomes[outcome])).collect()
            };
            let (history, again) = (of(&named(runs.clone())), of(&named(shuffled)));
            prop_assert_eq!(history, again);
            if let Some(history) = history {
                prop_assert!((1..=RUNS_KEPT).contains(&usize::from(history.runs)));
                prop_assert!(u32::from(history.failed) < 1 << history.runs);
            }
        }
    }
}
