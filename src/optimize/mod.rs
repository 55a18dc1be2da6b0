//! The budgeted choice: the tests most likely to catch the defect of a change, within a budget of time.
//!
//! The problem is the maximization of a monotone submodular function under a knapsack: the utility U(S) = sum_j w_j (1 -
//! exp(-sum_{i in S} A_ij)) of regions j with weights w_j and candidates i with signals A_ij and costs, where the signals
//! of tests of one family count by rank, each further one half (definition and proof in `family`). [`select`] runs
//! cost-benefit greedy with lazy evaluation, against the best completion of each of its prefixes, and bounds what any other
//! choice could have reached. Sees ids as positions, weights and costs; never paths or names.
//!
//! What is asked for ([`Options::first`]) is picked before all else, and everything after it, choice, guarantee and bound, is
//! about the problem that it leaves: the gains beside it, the budget after it, its groups open. That problem is one of the same
//! kind, for U(S + F) - U(F) is monotone and submodular in S.
//!
//! Invariants:
//! - No float takes part in a decision: the same instance gives the same selection on any machine.
//! - What is picked fits the budget on each worker (`schedule`), and every prefix of the picks is the selection at a smaller
//!   effort.
//! - Lazy evaluation picks exactly what plain greedy picks ([`select_plain`]), in the same order.
//! - No selection within the budget that holds the first picks has a utility above [`Selection::upper_bound`].
//!
//! **Guarantee.** With one worker, where no candidate has a set-up and every cost is at least [`COST_FLOOR_US`], the utility is
//! at least half of the best possible (what is gained beside the first picks, half of the best possible gain), less what
//! [`NEGLIGIBLE_SHIFT`] leaves out and the last bits: cost-benefit greedy (Leskovec et al., "Cost-effective outbreak
//! detection in networks", KDD 2007) with the best completion of each prefix (`completion`; Yaroslavtsev, Zhou and
//! Avdiukhin 2020). Whatever the costs, it is never below cost-benefit greedy alone, nor below the best single candidate. With
//! set-ups, greedy runs a second time with another idea of what opening a group is worth (`opening`); with several workers, what
//! one would choose is tried too, so that they never choose less (unless what is asked for first does not fit on one). Each
//! time the better is kept.

mod account;
mod bound;
mod completion;
mod cover;
mod exact;
mod family;
mod fill;
mod greedy;
mod instance;
mod level;
mod objective;
mod opening;
mod problem;
mod prospect;
mod schedule;
mod selection;
mod tier;
mod ways;

use greedy::Evaluation;
use problem::Problem;

pub use account::Account;
pub use cover::{Cover, SHARE_ONE, Verdict, fixed_share};
pub use exact::{EXACT_CANDIDATES, EXACT_NODES, ExactError};
pub use greedy::COST_FLOOR_US;
pub use instance::{Instance, InstanceError, MAX_REGIONS, NO_FAMILY, Row, WEIGHT_ONE, fixed_weights};
pub use level::{CHANCE_ONE, Level};
pub use objective::{UTILITY_ONE, as_fraction};
pub use selection::{Pick, Reason, Selection, confidence};

/// A candidate is left out once its gain is below 2^-20 of what all candidates that fit could reach together.
///
/// Such a test is redundant: one chance in a million is below what signals mean. A runner spends about a millisecond on
/// any test, so ten seconds hold at most 10,000 of them, and what is left out is at most 1 % of the reach even if
/// nothing else were to be run. The best candidate is never negligible, however many share the reach.
pub const NEGLIGIBLE_SHIFT: u32 = 20;

/// What may be spent, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The budget in microseconds, on each worker; `None` is `u64::MAX`, half a million years.
    pub budget_us: Option<u64>,
    /// The start of the session in microseconds, charged once if anything is picked: all workers start together.
    pub startup_us: u64,
    /// How many workers share the picks, at least 1: the budget is a makespan, and each worker that opens a group pays its
    /// set-up.
    pub workers: usize,
    /// Chooses among this many candidates only: those that fit with the greatest gain per cost at the start.
    pub candidates: Option<usize>,
    /// Candidates to pick before all others, in this order, with a signal or without. What does not fit is skipped here
    /// and stays a candidate like any other.
    pub first: Vec<u32>,
    /// What the picks of `first` may take together in microseconds, set-ups included and the start of the session not.
    pub first_budget_us: Option<u64>,
    /// Spends what is left of the budget on further candidates with a signal, in rounds of diversity.
    pub fill: bool,
    /// Candidates, with a signal or without, that fill what is left at the very end, in this order, as far as they fit.
    pub last: Vec<u32>,
}

impl Default for Options {
    /// No budget, no set-up, one worker, all candidates, nothing asked for.
    fn default() -> Self {
        Self {
            budget_us: None,
            startup_us: 0,
            workers: 1,
            candidates: None,
            first: Vec::new(),
            first_budget_us: None,
            fill: false,
            last: Vec::new(),
        }
    }
}

/// Selects candidates of `instance` by lazy greedy.
///
/// O(rows + candidates) for the prospects and the reach; after that, lazy evaluation and the certificate touch few candidates,
/// though in the worst case every one.
///
/// # Panics
/// When the options name a candidate that `instance` does not have.
pub fn select(instance: &Instance, options: &Options) -> Selection {
    select_by(instance, options, greedy::lazy)
}

/// Selects as [`select`] does, computing every gain anew for each pick: what lazy evaluation is checked against.
///
/// O(rows) a pick.
///
/// # Panics
/// When the options name a candidate that `instance` does not have.
pub fn select_plain(instance: &Instance, options: &Options) -> Selection {
    select_by(instance, options, greedy::plain)
}

fn select_by(instance: &Instance, options: &Options, evaluation: Evaluation) -> Selection {
    let Some(problem) = Problem::begin(instance, options) else {
        return Selection::nothing_fits(instance);
    };
    problem.finish(ways::best(&problem, evaluation), options, evaluation)
}

/// Selects the best of all choices on these options: of equal ones the cheapest, then the first.
///
/// Looks at [`EXACT_NODES`] partial choices at most, each in O(rows). What is asked for first is not searched for, nor is what
/// fills.
///
/// # Errors
/// When there are more than [`EXACT_CANDIDATES`] candidates that fit, too many partial choices may lead, or there is more
/// than one worker.
///
/// # Panics
/// When the options name a candidate that `instance` does not have.
pub fn select_exact(instance: &Instance, options: &Options) -> Result<Selection, ExactError> {
    exact::select(instance, options)
}

/// Finds a cheap selection that reaches `share` of what all candidates could reach together, in units of 1 /
/// [`SHARE_ONE`], within the budget if there is one, and what no such selection is cheaper than.
///
/// What is asked for first is part of it; nothing fills it. O(rows log rows), and once more if the budget binds.
///
/// # Panics
/// When the options name a candidate that `instance` does not have.
pub fn cover(instance: &Instance, options: &Options, share: u64) -> Cover {
    cover::cover(instance, options, share)
}

#[cfg(test)]
mod tests;
