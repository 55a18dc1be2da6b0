//! The certificate: what no selection within the budget can exceed.
//!
//! Three bounds, of which the least counts, computed as far as they are needed; all with true costs, zero included, for
//! the floor of the ratio is the optimizer's, not the problem's. Set-ups are left out of the costs but for what fits alone:
//! with them less can be picked, so that the bounds hold all the more:
//!
//! - *Reach*: no selection exceeds all candidates that fit alone, run together.
//! - *Marginal gains*: for any set S, the best selection T satisfies U(T) <= U(S) + sum_{i in T - S} gain(i | S), since
//!   the utility is monotone and submodular, and the sum is at most the fractional knapsack over the gains at S
//!   (Leskovec et al. 2007, section 3.2; Khuller, Moss and Naor 1999). Taken at S = nothing and at S = all picks
//!   (prefixes between were tried and almost never lead). It leads where few strong tests are picked.
//! - *Tangent*: 1 - exp(-x) is concave, so it lies below its tangents, 1 - exp(-x) <= 1 - r + r (x + ln r) for every
//!   r in (0, 1]. With the residuals r_j of all picks P and slopes g_i = sum_j w_j r_j A_ij,
//!   U(T) <= U(P) + sum_{i in T} g_i - sum_{i in P} g_i: to gain anything, T has to displace the picks (the duality gap
//!   of Frank and Wolfe 1956 on the continuous relaxation). It leads where many weak tests are picked.
//!
//! Invariant: a true bound in fixed point, for any order of picking. Residuals and gains are rounded so that each bound
//! holds for exact utilities; the *slack* covers by how much rounding can lift a fixed-point utility above the exact one.
//! A region's residual loses less than one unit a pick, and what was lost shrinks with each later survival, so with n
//! signals on the region and a weakest detection d, the loss is below min(n, 2^32 / d) units.

use super::instance::Instance;
use super::level::CHANCE_ONE;
use super::objective::{Residuals, Rounding, SLOPE_ONE, UTILITY_ONE};
use super::selection::Pick;

/// A bound within 2^-10 of the utility, a thousandth, is tight: the passes for another are not worth their time.
const TIGHT_SHIFT: u32 = 10;

/// A bound on the utility at a budget, from picks.
type Bound = fn(&Instance, u64, &[Pick]) -> u128;

/// What candidates could reach if cost did not matter.
pub(super) struct Reach {
    /// The utility of all candidates.
    pub(super) all: u64,
    /// The utility of all candidates that fit alone.
    pub(super) fitting: u64,
    /// By how much the fixed-point utility of candidates that fit can exceed its exact value.
    slack: u64,
}

impl Reach {
    /// Where not even a session can start.
    pub(super) fn nothing_fits(self) -> Self {
        Self { fitting: 0, slack: 0, ..self }
    }
}

/// Runs all candidates. O(rows).
pub(super) fn reach(instance: &Instance, budget_us: u64) -> Reach {
    let regions = instance.weights().len();
    let mut fitting = Residuals::untouched(instance);
    let mut signals = vec![0u64; regions];
    let mut weakest = vec![u32::MAX; regions];
    let candidates = || (0u32..).take(instance.len());
    for candidate in candidates() {
        if instance.cost_alone_us(candidate) > budget_us {
            continue;
        }
        fitting.pick_rounded(instance, candidate, Rounding::Down);
        for row in instance.rows_of(candidate) {
            let detection = row.level().detection();
            if detection > 0 {
                signals[row.region() as usize] += 1;
                weakest[row.region() as usize] = weakest[row.region() as usize].min(detection);
            }
        }
    }
    let losses = signals.iter().zip(&weakest).map(|(&n, &d)| n.min(CHANCE_ONE.div_ceil(u64::from(d))));
    let slack = instance.weights().iter().zip(losses).map(|(&weight, loss)| u64::from(weight) * loss).sum();
    let reached = fitting.utility(instance);
    for candidate in candidates() {
        if instance.cost_alone_us(candidate) > budget_us {
            fitting.pick_rounded(instance, candidate, Rounding::Down);
        }
    }
    Reach { all: fitting.utility(instance), fitting: reached, slack }
}

/// An upper bound on the utility of every selection within the budget. O(rows).
pub(super) fn upper_bound(instance: &Instance, budget_us: u64, picks: &[Pick], reach: &Reach) -> u64 {
    let utility = picks.last().map_or(0, |last| u128::from(last.cumulative_utility));
    let mut lowest = u128::from(reach.fitting);
    let others: [Bound; 3] = [tangent, marginal, |instance, budget_us, _| marginal(instance, budget_us, &[])];
    for other in others {
        if lowest.saturating_sub(utility) <= utility >> TIGHT_SHIFT {
            break;
        }
        lowest = lowest.min(other(instance, budget_us, picks));
    }
    let total: u64 = instance.weights().iter().map(|&weight| u64::from(weight) * CHANCE_ONE).sum();
    let bound = (lowest + u128::from(reach.slack)).min(u128::from(total));
    u64::try_from(bound).expect("the total of all weights is a u64")
}

/// The bound by the marginal gains at `picks`, of all candidates that are not among them.
fn marginal(instance: &Instance, budget_us: u64, picks: &[Pick]) -> u128 {
    let mut residuals = Residuals::untouched(instance);
    let mut reached = Residuals::untouched(instance);
    for pick in picks {
        residuals.pick_rounded(instance, pick.candidate, Rounding::Up);
        reached.pick_rounded(instance, pick.candidate, Rounding::Down);
    }
    let mut picked: Vec<u32> = picks.iter().map(|pick| pick.candidate).collect();
    picked.sort_unstable();
    let mut picked = picked.into_iter().peekable();
    let mut items = fitting_items(instance, budget_us, |candidate| {
        if picked.next_if_eq(&candidate).is_some() {
            0
        } else {
            residuals.rounded_gain(instance, candidate, Rounding::Down)
        }
    });
    u128::from(reached.utility(instance)) + fractional_knapsack(&mut items, budget_us)
}

/// The bound by the tangent at all picks.
///
/// Residuals rounded down are as good as any: they lie at or below exp(-x) of the picks' signals x, so that -ln r is at
/// least x.
fn tangent(instance: &Instance, budget_us: u64, picks: &[Pick]) -> u128 {
    let mut residuals = Residuals::untouched(instance);
    for pick in picks {
        residuals.pick_rounded(instance, pick.candidate, Rounding::Down);
    }
    let mut items = fitting_items(instance, budget_us, |candidate| residuals.slope(instance, candidate));
    let others = fractional_knapsack(&mut items, budget_us);
    let displaced = residuals.slope_of_picks(instance, picks.iter().map(|pick| pick.candidate));
    let scale = u128::from(UTILITY_ONE / SLOPE_ONE);
    u128::from(residuals.utility(instance)) + scale * others.saturating_sub(displaced)
}

/// What a candidate could add, and at what cost.
#[derive(Clone, Copy)]
struct Item {
    gain: u64,
    cost_us: u64,
}

/// All candidates that fit alone and gain something; `gain_of` is asked in the order of positions.
fn fitting_items(instance: &Instance, budget_us: u64, mut gain_of: impl FnMut(u32) -> u64) -> Vec<Item> {
    let mut items = Vec::with_capacity(instance.len());
    for (candidate, &cost_us) in (0u32..).zip(instance.costs_us()) {
        if instance.cost_alone_us(candidate) <= budget_us {
            let gain = gain_of(candidate);
            if gain > 0 {
                items.push(Item { gain, cost_us });
            }
        }
    }
    items
}

/// The greatest sum of gains within the budget if items could be cut, rounded up. O(items), which it reorders.
///
/// Items count whole in the order of gain per cost until one does not fit, and that one in part. It is found by
/// selection rather than sorting: a half that fits is taken whole, a half that does not holds the item to cut.
fn fractional_knapsack(mut items: &mut [Item], budget_us: u64) -> u128 {
    let mut left_us = u128::from(budget_us);
    let mut whole = 0;
    while items.len() > 1 {
        let middle = items.len() / 2;
        // Gains are positive, so that free items come first and the order is total.
        items.select_nth_unstable_by(middle, |a, b| {
            (u128::from(b.gain) * u128::from(a.cost_us)).cmp(&(u128::from(a.gain) * u128::from(b.cost_us)))
        });
        let (best, others) = items.split_at_mut(middle);
        let cost_us: u128 = best.iter().map(|item| u128::from(item.cost_us)).sum();
        if cost_us <= left_us {
            left_us -= cost_us;
            whole += best.iter().map(|item| u128::from(item.gain)).sum::<u128>();
            items = others;
        } else {
            items = best;
        }
    }
    let Some(last) = items.first() else {
        return whole;
    };
    let (gain, cost_us) = (u128::from(last.gain), u128::from(last.cost_us));
    whole + if cost_us <= left_us { gain } else { (gain * left_us).div_ceil(cost_us) }
}
