//! The budgeted choice: the tests most likely to catch the defect of a change, within a budget of time.
//!
//! The problem is the maximization of a monotone submodular function under a knapsack: the utility U(S) = sum_j w_j (1 -
//! exp(-sum_{i in S} A_ij)) of regions j with weights w_j and candidates i with signals A_ij and costs, where the signals
//! of tests of one family count by rank, each further one half (definition and proof: [`family`]). [`select`] runs
//! cost-benefit greedy with lazy evaluation, never below the best single candidate that fits, and bounds what any other
//! choice could have reached. Sees ids as positions, weights and costs; never paths or names.
//!
//! Invariants:
//! - No float takes part in a decision: the same instance gives the same selection on any machine.
//! - What is picked fits the budget, and every prefix of the picks is the selection at a smaller effort.
//! - Lazy evaluation picks exactly what plain greedy picks ([`select_plain`]), in the same order.
//! - No selection within the budget has a utility above [`Selection::upper_bound`].
//!
//! **Guarantee.** Where every cost is at least [`COST_FLOOR_US`], the utility is at least (1 - 1/e) / 2 = 0.316 of the
//! best possible, less what [`NEGLIGIBLE_SHIFT`] leaves out: the better of cost-benefit greedy and the best single
//! element (Khuller, Moss and Naor 1999 for coverage; Leskovec et al., "Cost-effective outbreak detection in networks",
//! KDD 2007, for any monotone submodular function). The certificate of a given selection is far better in practice.

mod bound;
mod family;
mod fill;
mod greedy;
mod instance;
mod level;
mod objective;
mod selection;
mod tier;

use std::cmp::Reverse;

use greedy::{Entry, Evaluation, Walk};

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
    let budget_us = options.budget_us.unwrap_or(u64::MAX);
    let reach = bound::reach(instance, budget_us);
    let mut walk = Walk::new(instance, budget_us);
    let pool = walk.score_all(options.candidates);
    let by_gain = |entry: &Entry| (entry.gain, Reverse(entry.cost_us), Reverse(entry.candidate));
    let best_single = pool.iter().copied().max_by_key(by_gain);
    let Some(best_single) = best_single else {
        return Selection::new(instance, budget_us, &[], 0, &reach, walk.evaluations());
    };
    let negligible = (reach.fitting >> NEGLIGIBLE_SHIFT).clamp(1, best_single.gain);
    let background = if options.fill { pool.clone() } else { Vec::new() };
    evaluation(&mut walk, pool, negligible);
    if best_single.gain > walk.utility() {
        // What the best single leaves of the budget is spent as before: a selection that holds it is no worse than it.
        walk.restart(budget_us);
        let mut pool = walk.score_all(options.candidates);
        pool.retain(|entry| entry.candidate != best_single.candidate);
        walk.take(&best_single);
        evaluation(&mut walk, pool, negligible);
    }
    let foreground = walk.picks().len();
    fill::fill(&mut walk, background, negligible, evaluation);
    Selection::new(instance, budget_us, walk.picks(), foreground, &reach, walk.evaluations())
}

#[cfg(test)]
mod tests;
