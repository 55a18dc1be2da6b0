//! Greedy+max: the best prefix of a greedy run with one more candidate.
//!
//! Cost-benefit greedy may fill the budget with crumbs and leave no room for the one candidate that matters. The better of
//! greedy and the best "prefix and one more that still fits" is at least half of the best possible (Yaroslavtsev, Zhou
//! and Avdiukhin, "Bring your own greedy+max: near-optimal 1/2-approximations for submodular knapsack", AISTATS 2020).
//! The empty prefix stands for the best single candidate.
//!
//! All prefixes cost one evaluation a candidate at most: the utility is monotone, so that with candidate v the last prefix
//! that leaves room for v is the best one. Most candidates need none, for three bounds on what v could gain there:
//! - it has to gain more than all later picks together, and gains never grow from nothing picked on;
//! - nor can its gain per cost exceed that of the pick that greedy preferred to it there;
//! - what still fits after all picks was left out as negligible.
//!
//! The bounds are exact, but for the last: what it skips is below the negligible gain. Picks that were asked for are part of
//! every prefix. With several workers a candidate is tried where it fits with its set-up on the idlest worker: where it could be
//! squeezed in beside its group is not searched.

use std::cmp::Reverse;

use super::greedy::{Entry, Walk, floored};
use super::objective::Residuals;
use super::problem::Problem;
use super::prospect::{Prospects, logarithm};

/// What to pick instead: so many of the picks, those asked for among them, then a candidate.
pub(super) struct Completion {
    pub(super) prefix: usize,
    pub(super) candidate: u32,
}

/// The moment before a pick.
struct Moment {
    /// What is left of the budget, on the worker that has most.
    left_us: u64,
    /// What another candidate has to gain more than.
    needed: u64,
    /// The pick's gain and price.
    gain: u64,
    price_us: u64,
}

/// The run that is completed.
struct Run {
    moments: Vec<Moment>,
    /// By group, after how many picks it was open for whatever came.
    opened: Vec<usize>,
}

/// The best completion of a prefix of the picks of `walk`, which began as `start` with `pool`, if it is better than all
/// picks.
pub(super) fn best(walk: &mut Walk<'_>, start: &Walk<'_>, problem: &Problem<'_>) -> Option<Completion> {
    let instance = walk.instance();
    let run = Run::new(walk);
    let moments = &run.moments;
    let mut tried: Vec<(usize, Entry)> = Vec::new();
    let mut single = None;
    let least_needed = least_needed_by_size(moments);
    let needed_alone = moments.first().map_or(0, |first| first.needed);
    let mut at_start = problem.start.clone();
    let may_gain = may_gain(problem, &least_needed, needed_alone).into_iter();
    for entry in may_gain.filter_map(|candidate| at_start.entry(candidate)) {
        if entry.gain > least_needed[size(instance.costs_us()[entry.candidate as usize])] {
            tried.extend(moment_to_try(&run, walk, &entry).map(|moment| (moment, entry)));
        }
        // The best single, whatever the bounds left out: no selection is below it, to the last bit.
        if entry.gain > needed_alone && start.fits(entry.candidate) {
            single = single.max(Some((key(entry.gain, &entry), 0)));
        }
    }
    let mut picked = walk.picks().to_vec();
    picked.sort_unstable();
    tried.retain(|(_, entry)| picked.binary_search(&entry.candidate).is_err());
    tried.sort_unstable_by_key(|&(moment, entry)| (moment, entry.candidate));
    let mut residuals = Residuals::untouched(instance);
    let (first, chosen) = walk.picks().split_at(walk.first());
    for &candidate in first {
        residuals.pick(instance, candidate);
    }
    let (mut prefix, mut utility) = (0, 0);
    let mut found = single;
    for (moment, entry) in &tried {
        while prefix < *moment {
            utility += residuals.pick(instance, chosen[prefix]);
            prefix += 1;
        }
        let gain = residuals.gain(instance, entry.candidate);
        if gain > moments[prefix].needed {
            found = found.max(Some((key(utility + gain, entry), prefix)));
        }
    }
    let asked_for = first.len();
    walk.count_evaluations(tried.len() as u64);
    found.map(|((.., Reverse(candidate)), prefix)| Completion { prefix: asked_for + prefix, candidate })
}

/// The candidates that may gain more than what completes any prefix needs, or more than `needed_alone`.
fn may_gain(problem: &Problem<'_>, least_needed: &[u64; 65], needed_alone: u64) -> Vec<u32> {
    let costs_us = problem.start.instance().costs_us();
    // A gain that is greater has no lower logarithm.
    let least = least_needed.map(|needed| logarithm(needed.min(needed_alone).max(1)));
    let greatest = logarithm(problem.prospects.greatest_gain().max(1));
    let within_reach = (0u32..).zip(least).filter(|&(_, least)| least <= greatest);
    let step_of = |(size, least)| Prospects::step_of_gain(least, u64::MAX.unbounded_shr(64 - size));
    let Some(step) = within_reach.map(step_of).min() else { return Vec::new() };
    let mut candidates = Vec::new();
    problem.pool().each_from(step, |candidate| {
        let cost_us = costs_us[candidate as usize];
        if problem.prospects.logarithm_of_gain(candidate, cost_us) >= least[size(cost_us)] {
            candidates.push(candidate);
        }
    });
    candidates.retain(|candidate| !problem.start.picks().contains(candidate));
    candidates
}

/// The greatest utility, then the lower cost, then the lower position.
fn key(utility: u64, entry: &Entry) -> (u64, Reverse<u64>, Reverse<u32>) {
    (utility, Reverse(entry.price_us), Reverse(entry.candidate))
}

/// The last prefix that leaves room for a candidate, if it could be better there than all later picks.
fn moment_to_try(run: &Run, walk: &Walk<'_>, entry: &Entry) -> Option<usize> {
    let candidate = entry.candidate;
    if walk.fits(candidate) {
        return None;
    }
    let last_with = |cost_us| run.moments.partition_point(|moment| moment.left_us >= cost_us).checked_sub(1);
    let mut cost_us = walk.instance().costs_us()[candidate as usize];
    let mut last = last_with(cost_us)?;
    if run.opened.get(walk.instance().group_of(candidate) as usize).is_some_and(|&opened| last < opened) {
        // Where its group was open, there was no room any more: it costs its set-up too.
        cost_us = walk.instance().cost_alone_us(candidate);
        last = last_with(cost_us)?;
    }
    let moment = &run.moments[last];
    let most_gained = u128::from(moment.gain) * u128::from(floored(cost_us));
    let may_lead =
        entry.gain > moment.needed && most_gained > u128::from(moment.needed) * u128::from(floored(moment.price_us));
    may_lead.then_some(last)
}

impl Run {
    /// Replays the picks of `walk` that were not asked for.
    fn new(walk: &Walk<'_>) -> Self {
        let mut again = walk.anew();
        let (first, chosen) = walk.picks().split_at(walk.first());
        let mut opened = vec![usize::MAX; walk.instance().group_count()];
        let mut open = |group: Option<u32>, prefix| {
            // With several workers a group is open on some of them: what goes elsewhere costs its set-up.
            if let Some(group) = group.filter(|_| walk.schedule().is_single()) {
                opened[group as usize] = prefix;
            }
        };
        first.iter().for_each(|&candidate| open(again.take(candidate), 0));
        let mut moments = Vec::with_capacity(chosen.len());
        let mut utility = 0;
        for (prefix, &candidate) in (1..).zip(chosen) {
            let (left_us, price_us, gain) =
                (again.schedule().room_us(), again.price_us(candidate), again.gain(candidate));
            moments.push(Moment { left_us, needed: utility, gain, price_us });
            utility += gain;
            open(again.take(candidate), prefix);
        }
        moments.iter_mut().for_each(|moment| moment.needed = utility - moment.needed);
        Self { moments, opened }
    }
}

/// By [`size`], what the smallest cost of the size has to gain more than: greater ones fit in earlier prefixes only.
fn least_needed_by_size(moments: &[Moment]) -> [u64; 65] {
    let mut needed = [u64::MAX; 65];
    for moment in moments {
        needed[..=size(moment.left_us)].fill(moment.needed);
    }
    needed
}

/// The number of bits of a cost.
fn size(cost_us: u64) -> usize {
    cost_us.checked_ilog2().map_or(0, |log| log as usize + 1)
}
