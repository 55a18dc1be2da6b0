//! What opening a group is worth: its set-up as the best start into it would share it.
//!
//! Judged by its first candidate alone, with the whole set-up on top, a group of many good candidates looks as dear as one of
//! a single good one. So each closed group is judged by the best prefix of its own greedy, gain over cost with set-up, and
//! its *opening price* is what makes its first candidate as good as that prefix: at most the set-up. Which of the two
//! prices leads to more is tried, never assumed: groups may overlap, and what opens second is worth less than it seemed.
//!
//! Prices change when a group is opened and at no other time, so that gains per price never grow on the way.

use super::greedy::{Entry, Walk, floored};
use super::instance::NO_GROUP;
use super::objective::Residuals;

/// The opening price of each group in microseconds, from a pool with fresh gains, if any is below its set-up. O(rows).
pub(super) fn prices_us(walk: &Walk<'_>, pool: &[Entry]) -> Option<Vec<u64>> {
    let instance = walk.instance();
    let mut prices_us: Vec<u64> = (0u32..).take(instance.group_count()).map(|group| instance.setup_us(group)).collect();
    let closed = |entry: &&Entry| !walk.schedule().is_open(instance.group_of(entry.candidate));
    let mut members: Vec<Entry> =
        pool.iter().filter(closed).map(|entry| entry.priced(instance.costs_us()[entry.candidate as usize])).collect();
    members.sort_unstable_by(|a, b| {
        let by_group = instance.group_of(a.candidate).cmp(&instance.group_of(b.candidate));
        by_group.then_with(|| b.cmp(a))
    });
    let mut residuals = walk.residuals().clone();
    let mut is_cheaper = false;
    for group in members.chunk_by(|a, b| instance.group_of(a.candidate) == instance.group_of(b.candidate)) {
        let of = instance.group_of(group[0].candidate);
        debug_assert_ne!(of, NO_GROUP, "what needs no set-up is open");
        let setup_us = &mut prices_us[of as usize];
        let price_us = opening_us(&mut residuals, walk, group, *setup_us);
        is_cheaper |= price_us < *setup_us;
        *setup_us = price_us;
    }
    is_cheaper.then_some(prices_us)
}

/// The opening price of a group with these members, the best first.
fn opening_us(residuals: &mut Residuals, walk: &Walk<'_>, members: &[Entry], setup_us: u64) -> u64 {
    let instance = walk.instance();
    let (mut gain, mut cost_us) = (0u128, u128::from(setup_us));
    let mut best = (0u128, 1u128);
    let mut before = Vec::with_capacity(members.len());
    for member in members {
        before.push(residuals.save(instance, member.candidate));
        gain += u128::from(residuals.pick(instance, member.candidate));
        cost_us += u128::from(floored(member.price_us));
        // Costs above half a million years do not matter; the products stay below 2^128.
        let cost_us = cost_us.min(u128::from(u64::MAX));
        if gain * best.1 > best.0 * cost_us {
            best = (gain, cost_us);
        }
    }
    for (member, before) in members.iter().zip(before).rev() {
        residuals.undo(instance, member.candidate, before);
    }
    let (gain, cost_us) = best;
    let alone_us = (u128::from(members[0].gain) * cost_us).checked_div(gain).unwrap_or(u128::MAX);
    let opening_us = alone_us.saturating_sub(u128::from(floored(members[0].price_us)));
    u64::try_from(opening_us).unwrap_or(u64::MAX).min(setup_us)
}
