//! The inverse question: the cheapest selection that reaches a share of what all candidates could reach together.
//!
//! That is submodular cover. Greedy on min(gain, what is missing) per cost (Wolsey, "An analysis of the greedy algorithm for
//! the submodular set covering problem", Combinatorica 2, 1982), and plain cost-benefit greedy until the target is reached,
//! each with set-ups and with opening prices; from each what the target can do without is dropped again, the dearest
//! first; the cheapest is kept. So it is never dearer than the prefix of plain greedy that reaches the target.
//!
//! **What nothing is cheaper than.** With any picks P, every selection T that reaches the target satisfies target <= U(P) +
//! sum_{i in T - P} gain(i | P), and its slopes at P outweigh those of P by what the target has over U(P) (the bounds of
//! `bound`, read the other way). Either way it needs candidates of some total, for which the fractional relaxation pays
//! the least: the items of the greatest gain per relaxed cost, the last in part. Several workers share it evenly at best.
//!
//! Invariant: where the target is reached within the budget that is said, and a lower bound never exceeds what any selection
//! costs that holds the first picks and reaches it.

use std::cmp::Reverse;

use super::greedy::{self, Goal, Walk};
use super::instance::Instance;
use super::problem::Problem;
use super::selection::Selection;
use super::{Options, select, ways};

/// The share 1 in fixed point.
pub const SHARE_ONE: u64 = 1 << 32;

/// How many picks are tried to be done without at most, the dearest first.
const DROPS: usize = 1_000;
/// How many signals are looked at for it: each try replays all picks.
const DROP_ROWS: usize = 1 << 24;

/// A share of what can be reached, in units of 1 / [`SHARE_ONE`], rounded to the nearest; the same on every machine.
pub fn fixed_share(share: f64) -> u64 {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..=SHARE_ONE")]
    let fixed = (share * SHARE_ONE as f64).round() as u64;
    fixed
}

/// Whether a target was reached within the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The selection reaches it.
    Reached,
    /// None was found that reaches it.
    NotFound,
    /// No selection within the budget reaches it.
    Impossible,
}

/// The answer to [`super::cover`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The cheapest selection found that reaches the target; where none was found, the best within the budget.
    pub selection: Selection,
    /// Whether it was reached.
    pub verdict: Verdict,
    /// The utility that the target comes to, in units of 1 / [`super::UTILITY_ONE`].
    pub needed: u64,
    /// What every selection costs at least that reaches the target, start and set-ups included, in microseconds; `None`
    /// where not even all candidates together do.
    pub cost_at_least_us: Option<u64>,
}

/// Selects as [`super::cover`] says.
pub(super) fn cover(instance: &Instance, options: &Options, share: u64) -> Cover {
    let options = Options { fill: false, last: Vec::new(), ..options.clone() };
    let unlimited = match Problem::begin(instance, &options) {
        // What is asked for first depends on the budget, what comes after it here does not.
        Some(problem) => Options { first: problem.start.picks().to_vec(), ..without_budget(&options) },
        None => Options { first: Vec::new(), ..without_budget(&options) },
    };
    let problem = Problem::begin(instance, &unlimited).expect("half a million years start any session");
    let needed = share_of(problem.reach.all, share);
    let cheapest = cheapest(&problem, needed);
    let cost_at_least_us = cost_at_least_us(&problem, needed, &cheapest);
    let budget_us = options.budget_us.unwrap_or(u64::MAX);
    let found = Some(problem.finish(cheapest, &unlimited, greedy::lazy)).filter(|found| found.utility >= needed);
    let within = found.filter(|found| found.cost_us() <= budget_us);
    let best = within.unwrap_or_else(|| best_within(instance, &options, needed));
    let verdict = match &best {
        best if best.utility >= needed => Verdict::Reached,
        best if best.upper_bound < needed || cost_at_least_us.is_none_or(|least_us| least_us > budget_us) => {
            Verdict::Impossible
        }
        _ => Verdict::NotFound,
    };
    Cover { selection: best, verdict, needed, cost_at_least_us }
}

fn without_budget(options: &Options) -> Options {
    Options { budget_us: None, first_budget_us: None, ..options.clone() }
}

/// A share of a utility, rounded up.
fn share_of(utility: u64, share: u64) -> u64 {
    let needed = (u128::from(utility) * u128::from(share.min(SHARE_ONE))).div_ceil(u128::from(SHARE_ONE));
    u64::try_from(needed).expect("at most the utility")
}

/// The best selection within the budget, without what the target can do without.
fn best_within(instance: &Instance, options: &Options, needed: u64) -> Selection {
    let best = select(instance, options);
    let Some(problem) = Problem::begin(instance, options).filter(|_| best.utility >= needed) else {
        return best;
    };
    let picks: Vec<u32> = best.picks.iter().map(|pick| pick.candidate).collect();
    let mut walk = problem.start.begin_again(problem.terms.workers, None).expect("the first picks fit again");
    // Scheduled in the order of picking a packed selection may not fit again: then it is kept as it is.
    for &candidate in &picks[walk.first()..] {
        if !walk.fits(candidate) {
            return best;
        }
        walk.take(candidate);
    }
    problem.finish(without_needless(walk, needed), options, greedy::lazy)
}

/// The cheapest walk found that reaches the target, or goes as far as it can.
fn cheapest<'a>(problem: &Problem<'a>, needed: u64) -> Walk<'a> {
    let mut found: Vec<Walk<'_>> = Vec::new();
    for openings_us in ways::openings(problem) {
        for truncated in [true, false] {
            let start = problem.start.begin_again(problem.terms.workers, openings_us.clone());
            let mut walk = start.expect("the first picks fit again").towards(Goal { needed, truncated });
            greedy::lazy(&mut walk, &problem.pool(), 1);
            let lean = without_needless(walk.clone(), needed);
            found.extend([lean, walk]);
        }
    }
    found.iter_mut().for_each(Walk::even_out);
    let misses = |walk: &Walk<'_>| walk.utility() < needed;
    let cheapest = found.into_iter().min_by_key(|walk| (misses(walk), walk.schedule().makespan_us()));
    cheapest.expect("set-ups are one way")
}

/// The walk without picks that the target does not need, the dearest first; what was asked for stays.
fn without_needless(walk: Walk<'_>, needed: u64) -> Walk<'_> {
    let (first, chosen) = walk.picks().split_at(walk.first());
    let mut dearest: Vec<(usize, u32)> = chosen.iter().copied().enumerate().collect();
    dearest.sort_by_key(|&(at, pick)| Reverse((walk.instance().costs_us()[pick as usize], at)));
    let mut kept = vec![true; chosen.len()];
    let rows: usize = chosen.iter().map(|&pick| walk.instance().rows_of(pick).len()).sum();
    for (at, _) in dearest.into_iter().take(DROPS.min(DROP_ROWS / rows.max(1))) {
        kept[at] = false;
        let picks = chosen.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(&pick, _)| pick);
        kept[at] = walk.instance().utility_of(first.iter().copied().chain(picks)) < needed;
    }
    let chosen: Vec<u32> = chosen.iter().zip(kept).filter(|(_, kept)| *kept).map(|(&pick, _)| pick).collect();
    walk.with_choice(&chosen)
}

/// What no selection that reaches the target is cheaper than.
fn cost_at_least_us(problem: &Problem<'_>, needed: u64, cheapest: &Walk<'_>) -> Option<u64> {
    let picks = cheapest.picks();
    let half = picks.len().midpoint(cheapest.first());
    let least_us = problem.relaxed.cost_at_least_us(&[picks, &picks[..half]], needed, &problem.reach)?;
    if least_us == 0 {
        return Some(0);
    }
    let makespan_us = least_us.div_ceil(problem.terms.workers as u128);
    Some(u64::try_from(makespan_us).unwrap_or(u64::MAX).saturating_add(problem.terms.startup_us))
}
