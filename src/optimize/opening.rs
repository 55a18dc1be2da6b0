//! What opening a group is worth: its set-up as the best start into it would share it.
//!
//! Judged by its first candidate alone, with the whole set-up on top, a group of many good candidates looks as dear as one of
//! a single good one. So each closed group is judged by its best candidates together, gain over cost with set-up: the best
//! first, each that raises the ratio. Its *opening price* is what makes its first candidate as good as they are together: at
//! most the set-up. Which of the two prices leads to more is tried, never assumed: groups may overlap, and what opens
//! second is worth less than it seemed.
//!
//! Prices change when a group is opened and at no other time, so that gains per price never grow on the way.

use super::greedy::{Entry, floored};
use super::instance::Instance;
use super::objective::Residuals;
use super::problem::Problem;

/// The opening price of each group in microseconds, after the first picks, if any is below its set-up. O(rows).
pub(super) fn prices_us(problem: &Problem<'_>) -> Option<Vec<u64>> {
    let walk = &problem.start;
    let instance = walk.instance();
    if instance.group_count() == 0 {
        return None;
    }
    let mut entries: Vec<Option<Entry>> = vec![None; instance.len()];
    problem.entries().into_iter().for_each(|entry| entries[entry.candidate as usize] = Some(entry));
    let mut residuals = walk.residuals().clone();
    let mut members: Vec<Entry> = Vec::new();
    let mut price_us = |group: u32| {
        let setup_us = instance.setup_us(group);
        let of_pool = instance.members_of(group).iter().filter_map(|&member| entries[member as usize]);
        members.clear();
        members.extend(of_pool.map(|entry| entry.priced(instance.costs_us()[entry.candidate as usize])));
        members.sort_unstable_by(|a, b| b.cmp(a));
        match members.is_empty() || walk.schedule().is_open(group) {
            true => setup_us,
            false => opening_us(&mut residuals, instance, &members, setup_us),
        }
    };
    let groups = (0u32..).take(instance.group_count());
    let prices_us: Vec<u64> = groups.clone().map(&mut price_us).collect();
    let is_cheaper = groups.zip(&prices_us).any(|(group, &price_us)| price_us < instance.setup_us(group));
    is_cheaper.then_some(prices_us)
}

/// The opening price of a group with these members, the best first.
fn opening_us(residuals: &mut Residuals, instance: &Instance, members: &[Entry], setup_us: u64) -> u64 {
    let (mut gain, mut cost_us) = (0u128, u128::from(setup_us));
    let mut taken = Vec::new();
    for member in members {
        let price_us = u128::from(floored(member.price_us));
        // Neither this nor any after it, even at its first gain, is worth what the best are together.
        if u128::from(member.gain) * cost_us <= gain * price_us || cost_us + price_us > u128::from(u64::MAX) {
            break;
        }
        let saved = residuals.save(instance, member.candidate);
        let adds = u128::from(residuals.pick(instance, member.candidate));
        if adds * cost_us > gain * price_us {
            (gain, cost_us) = (gain + adds, cost_us + price_us);
            taken.push((member.candidate, saved));
        } else {
            residuals.undo(instance, member.candidate, saved);
        }
    }
    for (candidate, saved) in taken.into_iter().rev() {
        residuals.undo(instance, candidate, saved);
    }
    let alone_us = (u128::from(members[0].gain) * cost_us).checked_div(gain).unwrap_or(u128::MAX);
    let opening_us = alone_us.saturating_sub(u128::from(floored(members[0].price_us)));
    u64::try_from(opening_us).unwrap_or(u64::MAX).min(setup_us)
}
