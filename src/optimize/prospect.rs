//! What each candidate may gain per cost at most, in two bytes: most are never looked at again.
//!
//! The *step* of a candidate is a logarithm of its gain per floored cost with nothing picked, set-ups aside: 32 steps to
//! double. Gains never grow and set-ups only add to a price, so that a candidate behind some step stays behind it. A hub has
//! a million candidates and a budget buys a thousand: greedy scores what is before a step ([`super::greedy::lazy`]), and the
//! bound weighs what is before another. Both look again and again, so that what is before most of these steps, the *top*, is
//! listed once.
//!
//! Invariant: of two ratios whose steps differ by at least [`APART`], that of the greater step is the greater, exactly.

use super::greedy::{COST_FLOOR_US, Entry, Walk, floored, split_off_best};
use super::instance::Instance;
use super::level::{CHANCE_ONE, Level, SIGNAL_ONE};
use super::objective::Residuals;

/// Steps in an octave.
pub(super) const PER_OCTAVE: u16 = 32;

/// The step of the ratio 1, above all logarithms.
const ONE: u16 = 64 * PER_OCTAVE;

/// How far apart steps have to be to tell ratios apart.
pub(super) const APART: u16 = 4;

/// How many candidates are in the top at least, where there are more.
const TOP_LEN: usize = 1 << 17;

/// The step of a candidate that gains something, at least.
pub(super) const LEAST_STEP: u16 = 1;

/// The step of a gain per price. Both are at least 1.
pub(super) fn step_of(gain: u64, price_us: u64) -> u16 {
    ONE + logarithm(gain) - logarithm(price_us)
}

/// 32 log2(x) rounded down, within 1.75 of exact for x of at least 1; never falls as x rises.
///
/// The mantissa m stands for log2(1 + m) as m + .344 m (1 - m), which is within .008.
#[inline]
pub(super) fn logarithm(x: u64) -> u16 {
    let exponent = x.ilog2();
    let mantissa = (if exponent >= 8 { x >> (exponent - 8) } else { x << (8 - exponent) }) & 0xff;
    let curved = mantissa + ((88 * mantissa * (256 - mantissa)) >> 16);
    let steps = u64::from(exponent) * u64::from(PER_OCTAVE) + (curved >> 3);
    u16::try_from(steps).unwrap_or(ONE)
}

/// The step of a candidate of this one and cost, without the floor of costs.
fn unfloored(step: u16, cost_us: u64) -> u16 {
    step + (logarithm(floored(cost_us)) - logarithm(cost_us.max(1)))
}

/// The steps of all candidates.
pub(super) struct Prospects {
    /// 0 for what costs more than the budget alone, or gains nothing.
    steps: Vec<u16>,
    /// The least step of a candidate that gains something, and all up to one above the greatest, so that a small change counts
    /// few: how many candidates have at least each step.
    lowest: u16,
    at_least: Vec<u32>,
    /// What they cost together in microseconds, or the most that a `u64` holds.
    cost_us_at_least: Vec<u64>,
    /// What the cheapest candidate below each step costs, in microseconds; `u64::MAX` where there is none.
    least_cost_us_below: Vec<u64>,
    /// The candidates of at least `top_from` by their gain per cost, the floor of costs aside; ascending.
    top: Vec<u32>,
    top_from: u16,
    /// The strongest signal of any candidate.
    strongest: Level,
    /// What the best candidate gains with nothing picked.
    greatest_gain: u64,
}

impl Prospects {
    /// Those of the candidates that fit `budget_us` alone. O(rows of the profiles + candidates).
    pub(super) fn new(instance: &Instance, budget_us: u64) -> Self {
        let untouched = Residuals::untouched(instance);
        let profiles = (0u32..).take(instance.profile_count());
        let mut greatest_gain = 0;
        let logarithms: Vec<u16> = profiles
            .map(|profile| untouched.gain_of_profile(instance, profile))
            .inspect(|&gain| greatest_gain = greatest_gain.max(gain))
            .map(|gain| if gain > 0 { logarithm(gain) + 1 } else { 0 })
            .collect();
        let has_groups = instance.group_count() > 0;
        let step = |(candidate, &cost_us): (u32, &u64)| {
            let logarithm_above = logarithms[instance.profile_of(candidate) as usize];
            let alone_us = if has_groups { instance.cost_alone_us(candidate) } else { cost_us };
            if logarithm_above == 0 || alone_us > budget_us {
                return 0;
            }
            ONE + (logarithm_above - 1) - logarithm(floored(cost_us))
        };
        let steps: Vec<u16> = (0u32..).zip(instance.costs_us()).map(step).collect();
        let strongest = instance.rows().iter().map(|row| row.level()).max().unwrap_or_default();
        let (at_least, cost_us_at_least, least_cost_us_below, top) = Default::default();
        let (lowest, top_from) = (LEAST_STEP, LEAST_STEP);
        let mut all = Self {
            steps,
            lowest,
            at_least,
            cost_us_at_least,
            least_cost_us_below,
            top,
            top_from,
            strongest,
            greatest_gain,
        };
        all.count(instance.costs_us());
        all.list_top(instance.costs_us());
        all
    }

    /// Counts the steps.
    fn count(&mut self, costs_us: &[u64]) {
        let steps = &self.steps;
        let greatest = steps.iter().copied().max().unwrap_or(0);
        // No step is 0 but that of a candidate that is left out.
        let lowest = steps.iter().map(|step| step.wrapping_sub(1)).min().unwrap_or(0).saturating_add(1);
        let lowest = lowest.min(greatest.max(LEAST_STEP));
        let counted = usize::from(greatest.max(lowest) - lowest) + 2;
        let mut at_least = vec![0; counted];
        let mut cost_us_at_least = vec![0u64; counted];
        let mut least_cost_us_below = vec![u64::MAX; counted];
        for (&step, &cost_us) in steps.iter().zip(costs_us).filter(|(step, _)| **step > 0) {
            let at = usize::from(step - lowest);
            at_least[at] += 1;
            cost_us_at_least[at] = cost_us_at_least[at].saturating_add(cost_us);
            least_cost_us_below[at + 1] = cost_us.min(least_cost_us_below[at + 1]);
        }
        for at in (1..counted).rev() {
            at_least[at - 1] += at_least[at];
            cost_us_at_least[at - 1] = cost_us_at_least[at - 1].saturating_add(cost_us_at_least[at]);
        }
        for at in 1..counted {
            least_cost_us_below[at] = least_cost_us_below[at].min(least_cost_us_below[at - 1]);
        }
        self.lowest = lowest;
        (self.at_least, self.cost_us_at_least, self.least_cost_us_below) =
            (at_least, cost_us_at_least, least_cost_us_below);
    }

    fn list_top(&mut self, costs_us: &[u64]) {
        self.top_from = self.step_of_best(TOP_LEN);
        let of_costs = (0u32..).zip(self.steps.iter().zip(costs_us));
        let is_top = |&(_, (&own, &cost_us)): &(u32, (&u16, &u64))| {
            own >= self.top_from || (cost_us < COST_FLOOR_US && own > 0 && unfloored(own, cost_us) >= self.top_from)
        };
        self.top = of_costs.filter(is_top).map(|(candidate, _)| candidate).collect();
    }

    /// Calls `visit` with the candidates of at least a step, which is at least [`LEAST_STEP`]; ascending.
    #[inline]
    fn each_from(&self, step: u16, mut visit: impl FnMut(u32)) {
        match step >= self.top_from {
            true => {
                let of_step = self.top.iter().filter(|&&candidate| self.steps[candidate as usize] >= step);
                of_step.for_each(|&candidate| visit(candidate));
            }
            false => {
                let of_step = (0u32..).zip(&self.steps).filter(|&(_, &own)| own >= step);
                of_step.for_each(|(candidate, _)| visit(candidate));
            }
        }
    }

    /// Whether all candidates below a step cost more than `room_us`.
    pub(super) fn are_dearer_below(&self, step: u16, room_us: u64) -> bool {
        self.least_cost_us_below[self.place_of(step)] > room_us
    }

    /// Where a step is counted, or the nearest that is.
    fn place_of(&self, step: u16) -> usize {
        usize::from(step.saturating_sub(self.lowest)).min(self.at_least.len() - 1)
    }

    /// The last of so many steps that are counted, or [`LEAST_STEP`] where it is none.
    fn last_step_of(&self, counted: usize) -> u16 {
        let last = counted.checked_sub(1).and_then(|last| u16::try_from(last).ok());
        last.map_or(LEAST_STEP, |last| self.lowest + last)
    }

    /// What no candidate gains more than.
    pub(super) fn greatest_gain(&self) -> u64 {
        self.greatest_gain
    }

    /// The greatest step that at least `len` candidates have, or [`LEAST_STEP`].
    pub(super) fn step_of_best(&self, len: usize) -> u16 {
        self.last_step_of(self.at_least.partition_point(|&held| held as usize >= len))
    }

    /// The candidates of at least a step by their gain per cost, the floor of costs aside; ascending.
    pub(super) fn before(&self, instance: &Instance, step: i32) -> Vec<u32> {
        let step = u16::try_from(step.max(LEAST_STEP.into())).unwrap_or(u16::MAX);
        let costs_us = instance.costs_us();
        let is_before = |&candidate: &u32| {
            let (own, cost_us) = (self.steps[candidate as usize], costs_us[candidate as usize]);
            own >= step || (cost_us < COST_FLOOR_US && own > 0 && unfloored(own, cost_us) >= step)
        };
        match step >= self.top_from {
            true => self.top.iter().copied().filter(is_before).collect(),
            false => (0u32..).take(self.steps.len()).filter(is_before).collect(),
        }
    }

    /// The greatest step whose candidates cost at least `cost_us` together, or [`LEAST_STEP`].
    pub(super) fn step_of_cost(&self, cost_us: u128) -> i32 {
        self.last_step_of(self.cost_us_at_least.partition_point(|&sum_us| u128::from(sum_us) >= cost_us)).into()
    }

    /// How many of the best candidates cost at least `cost_us` together, as far as they are in the top.
    pub(super) fn len_of_cost(&self, cost_us: u64) -> usize {
        let within = self.cost_us_at_least.partition_point(|&sum_us| sum_us >= cost_us);
        self.at_least[self.place_of(self.last_step_of(within).max(self.top_from))] as usize
    }

    /// By how many steps a slope exceeds a gain at most, in one unit: as the strongest signal exceeds its chance.
    pub(super) fn slope_over_gain(&self) -> i32 {
        let chance = u64::from(self.strongest.detection()).max(1);
        let signal = u64::from(self.strongest.signal_above()) * (CHANCE_ONE / SIGNAL_ONE);
        i32::from(logarithm(signal.max(chance))) - i32::from(logarithm(chance)) + i32::from(APART)
    }

    /// The least step of a candidate that costs at most `cost_us` and whose gain has at least this logarithm.
    pub(super) fn step_of_gain(logarithm_of_gain: u16, cost_us: u64) -> u16 {
        (ONE + logarithm_of_gain).saturating_sub(logarithm(floored(cost_us))).max(LEAST_STEP)
    }

    /// The logarithm of what a candidate gains at most.
    pub(super) fn logarithm_of_gain(&self, candidate: u32, cost_us: u64) -> u16 {
        (self.steps[candidate as usize] + logarithm(floored(cost_us))).saturating_sub(ONE)
    }
}

/// What may be picked: all that have a prospect, or some of them.
pub(super) struct Pool<'a> {
    pub(super) prospects: &'a Prospects,
    /// Ascending, where not all are meant.
    members: Option<&'a [u32]>,
}

impl<'a> Pool<'a> {
    pub(super) fn new(prospects: &'a Prospects, members: Option<&'a [u32]>) -> Self {
        Self { prospects, members }
    }

    /// Calls `visit` with all of it, ascending.
    #[inline]
    pub(super) fn each(&self, visit: impl FnMut(u32)) {
        self.each_from(LEAST_STEP, visit);
    }

    /// Calls `visit` with what is of at least a step, ascending.
    #[inline]
    pub(super) fn each_from(&self, step: u16, mut visit: impl FnMut(u32)) {
        match self.members {
            None => self.prospects.each_from(step, visit),
            Some(members) => {
                let of_step = members.iter().filter(|&&candidate| self.prospects.steps[candidate as usize] >= step);
                of_step.for_each(|&candidate| visit(candidate));
            }
        }
    }

    /// All that fits and is not picked, with its gain and price after the picks of `walk`, ascending.
    pub(super) fn entries(&self, walk: &mut Walk<'_>) -> Vec<Entry> {
        let mut picked = walk.picks().to_vec();
        picked.sort_unstable();
        let mut entries = Vec::new();
        self.each(|candidate| {
            if picked.binary_search(&candidate).is_err() {
                entries.extend(walk.entry(candidate));
            }
        });
        entries
    }
}

/// The best `len` candidates by gain per cost with nothing picked, ascending.
pub(super) fn best(prospects: &Prospects, bare: &mut Walk<'_>, len: usize) -> Vec<u32> {
    let from = prospects.step_of_best(len).saturating_sub(APART).max(LEAST_STEP);
    let mut pool: Vec<Entry> = Vec::new();
    prospects.each_from(from, |candidate| pool.extend(bare.entry(candidate)));
    split_off_best(&mut pool, len);
    let mut best: Vec<u32> = pool.into_iter().map(|entry| entry.candidate).collect();
    best.sort_unstable();
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn steps_that_are_apart_tell_ratios_apart(
            a in (1..=1u64 << 63, 1..=u64::MAX), b in (1..=1u64 << 63, 1..=u64::MAX), shifts in [0u32..63, 0u32..63]
        ) {
            let small = |(gain, price): (u64, u64), shift: u32| ((gain >> shift).max(1), (price >> (shift / 2)).max(1));
            let (a, b) = (small(a, shifts[0]), small(b, shifts[1]));
            let ratios = (u128::from(a.0) * u128::from(b.1)).cmp(&(u128::from(b.0) * u128::from(a.1)));
            if step_of(a.0, a.1) >= step_of(b.0, b.1) + APART {
                prop_assert!(ratios.is_gt(), "{a:?} {b:?}");
            }
        }

        #[test]
        fn near_ratios_have_near_steps(gain in 1u64 << 20..1 << 62, price in 1_000u64..1 << 40) {
            prop_assert!(step_of(gain, price).abs_diff(step_of(gain + (gain >> 6), price)) <= APART);
        }

        #[test]
        fn a_logarithm_never_falls(x in 1..u64::MAX, shift in 0u32..63) {
            let x = (x >> shift).max(1);
            prop_assert!(logarithm(x) <= logarithm(x + 1));
            let exact = libm::log2(x as f64) * f64::from(PER_OCTAVE);
            prop_assert!((f64::from(logarithm(x)) - exact).abs() < 1.75, "{x}");
        }
    }

    #[test]
    fn signals_exceed_their_chances_by_no_more_than_the_strongest_does() {
        let over = |level: Level| f64::from(level.signal_above()) / f64::from(level.detection());
        for level in 2..=u8::MAX {
            // A step is two percent; the rounded-up signal of the weakest is well within it.
            assert!(over(Level(level - 1)) < over(Level(level)) * 1.02, "{level}");
        }
    }
}
