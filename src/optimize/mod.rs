//! The budgeted choice: the tests most likely to catch the defect of a change, within a budget of time.
//!
//! The problem is the maximization of a monotone submodular function under a knapsack: the utility U(S) = sum_j w_j (1 -
//! exp(-sum_{i in S} A_ij)) of regions j with weights w_j and candidates i with signals A_ij and costs, where the signals
//! of tests of one family count by rank, each further one half (definition and proof in `family`). [`select`] runs
//! cost-benefit greedy with lazy evaluation, against the best completion of each of its prefixes, and bounds what any other
//! choice could have reached. Sees ids as positions, weights and costs; never paths or names.
//!
//! Invariants:
//! - No float takes part in a decision: the same instance gives the same selection on any machine.
//! - What is picked fits the budget, and every prefix of the picks is the selection at a smaller effort.
//! - Lazy evaluation picks exactly what plain greedy picks ([`select_plain`]), in the same order.
//! - No selection within the budget has a utility above [`Selection::upper_bound`].
//!
//! **Guarantee.** Where no candidate has a set-up and every cost is at least [`COST_FLOOR_US`], the utility is at least half
//! of the best possible, less what [`NEGLIGIBLE_SHIFT`] leaves out and the last bits: cost-benefit greedy (Leskovec et al.,
//! "Cost-effective outbreak detection in networks", KDD 2007) with the best completion of each prefix (`completion`;
//! Yaroslavtsev, Zhou and Avdiukhin 2020). Whatever the costs, it is never below cost-benefit greedy alone, nor below the
//! best single candidate. With set-ups, the certificate is taken on costs without them: true, and loose where they weigh.

mod bound;
mod completion;
mod family;
mod fill;
mod greedy;
mod instance;
mod level;
mod objective;
mod selection;
mod tier;

use greedy::{Evaluation, Walk};

pub use greedy::COST_FLOOR_US;
pub use instance::{Instance, InstanceError, MAX_REGIONS, NO_FAMILY, Row, WEIGHT_ONE, fixed_weights};
pub use level::{CHANCE_ONE, Level};
pub use objective::{UTILITY_ONE, as_fraction};
pub use selection::{Pick, Selection};

/// A candidate is left out once its gain is below 2^-20 of what all candidates that fit could reach together.
///
/// Such a test is redundant: one chance in a million is below what signals mean. A runner spends about a millisecond on
/// any test, so ten seconds hold at most 10,000 of them, and what is left out is at most 1 % of the reach even if
/// nothing else were to be run. The best candidate is never negligible, however many share the reach.
pub const NEGLIGIBLE_SHIFT: u32 = 20;

/// What may be spent, and on what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The budget in microseconds; `None` is `u64::MAX`, half a million years.
    pub budget_us: Option<u64>,
    /// The start of the session in microseconds, charged once if anything is picked.
    pub startup_us: u64,
    /// Chooses among this many candidates only: those that fit with the greatest gain per cost at the start.
    pub candidates: Option<usize>,
    /// Spends what is left of the budget on further candidates with a signal, in rounds of diversity.
    pub fill: bool,
}

/// Selects candidates of `instance` by lazy greedy.
///
/// O(rows) for the first scores and the certificate; after that, lazy evaluation touches few candidates a pick, though
/// in the worst case every one.
pub fn select(instance: &Instance, options: &Options) -> Selection {
    select_by(instance, options, greedy::lazy)
}

/// Selects as [`select`] does, computing every gain anew for each pick: what lazy evaluation is checked against.
///
/// O(rows) a pick.
pub fn select_plain(instance: &Instance, options: &Options) -> Selection {
    select_by(instance, options, greedy::plain)
}

fn select_by(instance: &Instance, options: &Options, evaluation: Evaluation) -> Selection {
    let startup_us = options.startup_us;
    let Some(budget_us) = options.budget_us.unwrap_or(u64::MAX).checked_sub(startup_us) else {
        return Selection::new(instance, (0, 0), &[], 0, &bound::reach(instance, 0).nothing_fits(), 0);
    };
    let reach = bound::reach(instance, budget_us);
    let mut walk = Walk::new(instance, budget_us);
    let pool = walk.score_all(options.candidates);
    let Some(greatest_gain) = pool.iter().map(|entry| entry.gain).max() else {
        return Selection::new(instance, (budget_us, startup_us), &[], 0, &reach, walk.evaluations());
    };
    let negligible = (reach.fitting >> NEGLIGIBLE_SHIFT).clamp(1, greatest_gain);
    let background = pool.clone();
    evaluation(&mut walk, pool, negligible);
    if let Some(completion) = completion::best(&mut walk, &background, budget_us) {
        walk.restart(budget_us, completion.prefix);
        walk.take(completion.candidate);
        // What it leaves of the budget is spent as before.
        let rest = walk.without_picks(&background);
        evaluation(&mut walk, rest, negligible);
    }
    let foreground = walk.picks().len();
    if options.fill {
        fill::fill(&mut walk, background, negligible, evaluation);
    }
    Selection::new(instance, (budget_us, startup_us), walk.picks(), foreground, &reach, walk.evaluations())
}

#[cfg(test)]
mod tests;
