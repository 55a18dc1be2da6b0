//! How often the choice misses, measured on a team's own past: for each change that failed a test, would a selection at
//! this budget have held one of the tests that failed?
//!
//! Invariants:
//! - What failed is looked at after the choice is made, never before: a replay says what `select` would have said.
//! - No tree is asked: the past is not in it. Otherwise the terms are those of `select`.
//! - A run counts where the model knows a test that failed; the others are told apart, not left out in silence.

mod score;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::candidate::{self, Candidates};
use crate::change::{Change, Mapping};
use crate::choose::{self, Choice, ChoiceError, Terms};
use crate::diff::Diff;
use crate::id::TestId;
use crate::model::{Index, ModelError};
use crate::optimize::{self, Options};
use crate::policy::Status;
use crate::relevance::{Query, Relevance};

pub use score::{Bin, Reliability, Share};

/// What a past change is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The budgets in microseconds.
    pub budgets_us: Vec<u64>,
    /// The terms but for the budget.
    pub terms: Terms,
    /// How the diffs are read.
    pub mapping: Mapping,
}

/// How a past run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A test failed that the model knows.
    Failing,
    /// No test failed.
    NotFailing,
    /// Tests failed, and the model knows none of them.
    Unknown,
}

impl Standing {
    /// The word that machine-readable output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Failing => "failing",
            Standing::NotFailing => "not_failing",
            Standing::Unknown => "unknown",
        }
    }
}

/// Where the first failing test stands among all tests with a signal, the budget put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It comes at this rank, from 1.
    At {
        /// The rank.
        rank: usize,
        /// What all up to it cost together, in microseconds.
        cumulative_us: u64,
    },
    /// No test that failed has a signal on the change.
    NoSignal,
    /// No region knows any part of the change, and its words lead to none of the tests that failed.
    Unmapped,
}

/// What a selection came to, in figures for people; nothing is decided by them.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The budget in microseconds.
    pub budget_us: u64,
    /// How many tests were chosen.
    pub tests: usize,
    /// What they cost in microseconds.
    pub cost_us: u64,
    /// The rank of the first chosen test that failed, from 1; `None` is a miss.
    pub caught_at: Option<usize>,
    /// The chance of catching the defect that the selection stated.
    pub utility: f64,
    /// The same of a defect that some test can see: what `select` says.
    pub confidence: f64,
    /// How much of the best possible it stated to reach.
    pub certificate: f64,
}

/// A past run, replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// How it counts.
    pub standing: Standing,
    /// One for each budget where it counts, none otherwise.
    pub outcomes: Vec<Outcome>,
    /// Where the first failing test stands; `None` where the run does not count.
    pub first: Option<First>,
}

impl Replayed {
    fn uncounted(standing: Standing) -> Self {
        Self { standing, outcomes: Vec::new(), first: None }
    }
}

/// Replays one change on which `failed` failed. Costs a selection for each budget, and one without a budget.
///
/// # Errors
/// If a part of the model that the change touches is damaged, or the change is larger than the optimizer takes.
pub fn replay<D: AsRef<[u8]>>(
    index: &Index<D>,
    diff: &Diff<'_>,
    failed: &[impl AsRef<str>],
    question: &Question,
) -> Result<Replayed, ChoiceError> {
    if failed.is_empty() {
        return Ok(Replayed::uncounted(Standing::NotFailing));
    }
    let known = failed.iter().filter_map(|id| index.find_test(id.as_ref()).transpose());
    let known = known.collect::<Result<HashSet<TestId>, ModelError>>()?;
    if known.is_empty() {
        return Ok(Replayed::uncounted(Standing::Unknown));
    }
    let change = Change::read(index, diff, question.mapping)?;
    let relevance = Relevance::score(index, &Query::of(diff, &change))?;
    let candidates = candidate::gather(index, &change, &relevance)?;
    let mut outcomes = Vec::with_capacity(question.budgets_us.len());
    let names: HashSet<&str> = failed.iter().map(AsRef::as_ref).collect();
    for &budget_us in &question.budgets_us {
        let terms = question.terms.with_budget(Some(budget_us));
        let mut as_recorded = |id: &str| Ok(Some(id.to_owned()));
        let choice = choose::choose_among(candidates.clone(), index, &change, &relevance, &terms, &mut as_recorded)?;
        let status = Status::of(diff, &change, &choice.candidates.instance, choice.named.len());
        let is_known = !matches!(status, Status::UnknownChange | Status::EmptyDiff);
        outcomes.push(Outcome::of(&choice, budget_us, is_known, &names));
    }
    let first = match candidates.tests.iter().any(|test| known.contains(test)) {
        true => {
            let charged = candidates.charge_tests(question.terms.per_test_us);
            first_of(charged.charge_files(index, question.terms.per_file_us)?, question, &known)
        }
        false if change.regions.is_empty() => First::Unmapped,
        false => First::NoSignal,
    };
    Ok(Replayed { standing: Standing::Failing, outcomes, first: Some(first) })
}

impl Outcome {
    fn of(choice: &Choice, budget_us: u64, is_known: bool, failed: &HashSet<&str>) -> Self {
        Self {
            budget_us,
            tests: choice.named.len(),
            cost_us: choice.cost_us(),
            caught_at: choice.named.iter().position(|id| failed.contains(id.as_str())).map(|at| at + 1),
            utility: choice.candidates.chance(choice.selection.utility),
            confidence: if is_known { choice.selection.confidence() } else { 0.0 },
            certificate: choice.selection.certificate(),
        }
    }
}

/// Where the first of the failing tests stands in a selection of everything that has a signal.
fn first_of(candidates: Candidates, question: &Question, failed: &HashSet<TestId>) -> First {
    let options = Options { budget_us: None, candidates: None, fill: true, ..question.terms.options.clone() };
    let all = optimize::select(&candidates.instance, &options);
    let is_failing = |pick: &optimize::Pick| failed.contains(&candidates.tests[pick.candidate as usize]);
    match all.picks.iter().position(is_failing) {
        Some(at) => First::At { rank: at + 1, cumulative_us: all.picks[at].cumulative_cost_us },
        None => First::NoSignal,
    }
}

/// Calls `work` for each position below `count`, on up to `workers` threads; the results stand in order.
pub fn in_parallel<T: Send>(count: usize, workers: NonZeroUsize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let positions = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&at| at < count));
        positions.map(|at| (at, work(at))).collect::<Vec<_>>()
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers.get().min(count)).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|&(at, _)| at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::diff;
    use crate::observation::{LineRange, Observations, Run};

    /// Three tests run line 1 of `a.py`, of one, two and four seconds; a fourth runs another file.
    fn with_model(check: impl FnOnce(&Index<&[u8]>)) {
        let mut seen = Observations::default();
        let files = ["a.py", "b.py"].map(|path| seen.file(path));
        for (cost_us, (id, file)) in
            (0u32..).map(|at| 1_000_000 << at).zip([("t1", 0), ("t2", 0), ("t4", 0), ("other", 1)])
        {
            let test = seen.test(id);
            seen.cover(test, files[file], &[LineRange::single(1)].into_iter().collect());
            let outcome = crate::observation::Outcome::Passed;
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome, cost_us: Some(cost_us) });
        }
        let bytes = build(&seen, None, |_| None);
        check(&Index::open(&bytes[..]).unwrap());
    }

    fn question(budgets_s: &[u64], fill: bool) -> Question {
        let terms = Terms { options: Options { fill, ..Options::default() }, ..Terms::default() };
        let budgets_us = budgets_s.iter().map(|s| s * 1_000_000).collect();
        Question { budgets_us, terms, mapping: Mapping::default() }
    }

    fn replayed(index: &Index<&[u8]>, path: &str, failed: &[&str], question: &Question) -> Replayed {
        let text = format!("--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-x\n+y\n");
        replay(index, &diff::parse(text.as_bytes()).unwrap(), failed, question).unwrap()
    }

    #[test]
    fn a_failing_test_is_caught_from_the_budget_that_holds_it() {
        with_model(|index| {
            let found = replayed(index, "a.py", &["t2", "gone"], &question(&[1, 2, 3, 7], false));
            assert_eq!(found.standing, Standing::Failing);
            let caught: Vec<_> = found.outcomes.iter().map(|outcome| outcome.caught_at).collect();
            assert_eq!(caught[0], None, "only the test of a second fits");
            assert!(caught[2..].iter().all(Option::is_some), "{caught:?}");
            assert_eq!(found.first, Some(First::At { rank: 2, cumulative_us: 3_000_000 }));
            assert!(found.outcomes.is_sorted_by(|a, b| a.confidence <= b.confidence));
            assert!(found.outcomes.iter().all(|outcome| outcome.cost_us <= outcome.budget_us));
            assert!(found.outcomes[3].confidence > 0.999, "all that can see it ran");
        });
    }

    /// What a session costs beside its tests counts where the first failing test is told, as it does in the budget.
    #[test]
    fn a_set_up_counts() {
        with_model(|index| {
            let mut question = question(&[3], false);
            question.terms.options.startup_us = 500_000;
            question.terms.per_file_us = 100_000;
            question.terms.per_test_us = 10_000;
            let found = replayed(index, "a.py", &["t2"], &question);
            // An id without a path is a file of its own.
            assert_eq!(found.first, Some(First::At { rank: 2, cumulative_us: 3_720_000 }));
            assert_eq!(found.outcomes[0].cost_us, 1_610_000, "without set-ups both would fit");
        });
    }

    #[test]
    fn a_miss_says_why() {
        with_model(|index| {
            let question = question(&[20], false);
            let first = |path, failed: &str| replayed(index, path, &[failed], &question).first;
            assert_eq!(first("a.py", "other"), Some(First::NoSignal));
            assert_eq!(first("unheard-of.txt", "other"), Some(First::Unmapped));
        });
    }

    #[test]
    fn what_fills_the_budget_catches_too() {
        with_model(|index| {
            let caught = |fill| replayed(index, "a.py", &["other"], &question(&[15], fill)).outcomes[0].caught_at;
            assert_eq!((caught(false), caught(true)), (None, Some(4)));
        });
    }

    #[test]
    fn what_cannot_count_is_told_apart() {
        with_model(|index| {
            let question = question(&[1], false);
            let found = replayed(index, "a.py", &[], &question);
            assert_eq!(found, Replayed::uncounted(Standing::NotFailing));
            let found = replayed(index, "a.py", &["t9", "t1[x]"], &question);
            assert_eq!(found, Replayed::uncounted(Standing::Unknown));
        });
    }

    #[test]
    fn any_number_of_workers_gives_the_same_order() {
        let want: Vec<usize> = (0..100).map(|at| at * at).collect();
        for workers in [1, 2, 7, 200] {
            assert_eq!(in_parallel(100, NonZeroUsize::new(workers).unwrap(), |at| at * at), want, "{workers}");
        }
        assert!(in_parallel(0, NonZeroUsize::MIN, |at| at).is_empty());
    }
}
