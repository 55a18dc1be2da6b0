//! The certificate: what no selection within the budget can exceed.
//!
//! Three bounds, of which the least counts, computed as far as they are needed, on a *relaxed* problem: whoever picks
//! what was asked for first and stays within the budget on every worker also
//! - takes no further candidate that does not fit beside those alone,
//! - stays within the budgets of all workers together, less what those cost with each set-up once, and
//! - pays for each candidate at least its true cost, zero included (the floor of the ratio is the optimizer's, not the
//!   problem's), and its part of the set-up of its group, spread evenly over all that the group could add: a set-up is paid once or
//!   more for at most so many.
//!
//! The bounds on what that can reach:
//!
//! - *Reach*: no selection exceeds all candidates that fit, run together.
//! - *Marginal gains*: for any set S, the best selection T satisfies U(T) <= U(S) + sum_{i in T - S} gain(i | S), since
//!   the utility is monotone and submodular, and the sum is at most the fractional knapsack over the gains at S
//!   (Leskovec et al. 2007, section 3.2; Khuller, Moss and Naor 1999). Taken at S = what was asked for and at S =
//!   all picks (prefixes between were tried and almost never lead). It leads where few strong tests are picked.
//! - *Tangent*: 1 - exp(-x) is concave, so it lies below its tangents, 1 - exp(-x) <= 1 - r + r (x + ln r) for every
//!   r in (0, 1]. With the residuals r_j of all picks P and slopes g_i = sum_j w_j r_j A_ij,
//!   U(T) <= U(P) + sum_{i in T} g_i - sum_{i in P} g_i: to gain anything, T has to displace the picks (the duality gap
//!   of Frank and Wolfe 1956 on the continuous relaxation). It leads where many weak tests are picked.
//!
//! Invariant: a true bound in fixed point, for any order of picking. Residuals and gains are rounded so that each bound
//! holds for exact utilities; the *slack* covers by how much rounding can lift a fixed-point utility above the exact one.
//! A region's residual loses less than one unit a pick, and what was lost shrinks with each later survival, so with n
//! signals on the region and a weakest detection d, the loss is below min(n, 2^32 / d) units.

use std::mem;

use super::instance::{Instance, NO_FAMILY, NO_GROUP, Row};
use super::level::CHANCE_ONE;
use super::objective::{ProfileValues, Residuals, Rounding, SLOPE_ONE, UTILITY_ONE};
use super::problem::Terms;
use super::prospect::{self, Prospects, step_of};

/// A bound within 2^-10 of the utility, a thousandth, is tight: the passes for another are not worth their time.
const TIGHT_SHIFT: u32 = 10;

/// What candidates could reach if cost did not matter.
pub(super) struct Reach {
    /// The utility of all candidates.
    pub(super) all: u64,
    /// The utility of all candidates that fit.
    pub(super) fitting: u64,
    /// By how much the fixed-point utility of candidates that fit can exceed its exact value.
    pub(super) slack: u64,
}

impl Reach {
    /// Where not even a session can start.
    pub(super) fn nothing_fits(self) -> Self {
        Self { fitting: 0, slack: 0, ..self }
    }
}

/// The relaxed problem: what is left to choose once the first picks are made.
pub(super) struct Relaxed<'a> {
    instance: &'a Instance,
    /// The first picks, ascending.
    first: Vec<u32>,
    /// The groups that they open.
    open: Vec<bool>,
    /// What they cost, each set-up once, in microseconds.
    spent_us: u128,
    /// What all workers together have left, in microseconds.
    capacity_us: u128,
    /// What a candidate may cost, its set-up included unless `first_is_beside` and its group is open.
    alone_us: u64,
    /// Whether whatever is picked runs on the worker of the first picks.
    first_is_beside: bool,
}

impl<'a> Relaxed<'a> {
    /// Relaxes the choice on these terms after `first`, which fits. O(candidates).
    pub(super) fn new(instance: &'a Instance, terms: Terms, first: &[u32]) -> Self {
        let mut open = vec![false; instance.group_count()];
        let mut spent_us = 0;
        for &candidate in first {
            let opened = open.get_mut(instance.group_of(candidate) as usize);
            let is_new = opened.is_some_and(|open| !mem::replace(open, true));
            let cost_us =
                if is_new { instance.cost_alone_us(candidate) } else { instance.costs_us()[candidate as usize] };
            spent_us += u128::from(cost_us);
        }
        let capacity_us = (terms.workers as u128 * u128::from(terms.budget_us)).saturating_sub(spent_us);
        let first_is_beside = terms.workers == 1;
        let left_us = u64::try_from(capacity_us).unwrap_or(u64::MAX);
        let alone_us = if first_is_beside { left_us } else { terms.budget_us };
        let mut first = first.to_vec();
        first.sort_unstable();
        Self { instance, first, open, spent_us, capacity_us, alone_us, first_is_beside }
    }

    /// Whether a candidate fits beside the first picks, or is one of them.
    fn fits(&self, candidate: u32) -> bool {
        let is_open = self.first_is_beside && self.is_open(candidate);
        let cost_us = match is_open {
            true => self.instance.costs_us()[candidate as usize],
            false => self.instance.cost_alone_us(candidate),
        };
        cost_us <= self.alone_us || (!self.first.is_empty() && self.first.binary_search(&candidate).is_ok())
    }

    fn is_open(&self, candidate: u32) -> bool {
        self.open.get(self.instance.group_of(candidate) as usize) == Some(&true)
    }

    /// Runs all candidates. O(rows).
    pub(super) fn reach(&self) -> Reach {
        let instance = self.instance;
        let (fitting, others) = self.crowds();
        let signals = fitting.tally(instance);
        let mut slack = 0;
        for of_region in signals.chunk_by(|a, b| a.0.region() == b.0.region()) {
            let detecting = || of_region.iter().filter(|(row, _)| row.level().detection() > 0);
            let signals: u64 = detecting().map(|&(_, count)| u64::from(count)).sum();
            // Levels of a region ascend, so that the first is the weakest.
            let loss = detecting()
                .next()
                .map_or(0, |(row, _)| signals.min(CHANCE_ONE.div_ceil(u64::from(row.level().detection()))));
            slack += u64::from(instance.weights()[of_region[0].0.region() as usize]) * loss;
        }
        let reached = fitting.utility(instance);
        // Run as one, so that what all reach is the same at every budget, to the last bit.
        let all = if others.is_empty() { reached } else { fitting.and(others).utility(instance) };
        Reach { all, fitting: reached, slack }
    }

    /// The candidates that fit, and the others.
    fn crowds(&self) -> (Crowd, Crowd) {
        let (mut fitting, mut others) = (Crowd::new(self.instance), Crowd::new(self.instance));
        let is_bare = self.instance.group_count() == 0 && self.first.is_empty();
        for (candidate, &cost_us) in (0u32..).zip(self.instance.costs_us()) {
            let fits = if is_bare { cost_us <= self.alone_us } else { self.fits(candidate) };
            let crowd = if fits { &mut fitting } else { &mut others };
            crowd.add(self.instance, candidate);
        }
        (fitting, others)
    }

    /// An upper bound on the utility of every selection within the budget that holds the first picks, from `picks` of
    /// this utility. O(rows).
    pub(super) fn upper_bound(&self, picks: &[u32], utility: u64, reach: &Reach, prospects: &Prospects) -> u64 {
        let utility = u128::from(utility);
        let mut lowest = u128::from(reach.fitting);
        let others: [&dyn Fn() -> u128; 3] =
            [&|| self.tangent(picks, prospects), &|| self.marginal(picks, prospects), &|| {
                self.marginal(&self.first, prospects)
            }];
        for other in others {
            if lowest.saturating_sub(utility) <= utility >> TIGHT_SHIFT {
                break;
            }
            lowest = lowest.min(other());
        }
        let total: u64 = self.instance.weights().iter().map(|&weight| u64::from(weight) * CHANCE_ONE).sum();
        let bound = (lowest + u128::from(reach.slack)).min(u128::from(total));
        u64::try_from(bound).expect("the total of all weights is a u64")
    }

    /// What any selection that holds the first picks and reaches a utility of `needed` takes of all workers at least, in
    /// microseconds: the greatest of the bounds by the tangents at `points`, which hold the first picks too, and by the gains
    /// beside those; `None` where none reaches it. O(rows log rows) a point.
    pub(super) fn cost_at_least_us(&self, points: &[&[u32]], needed: u64, reach: &Reach) -> Option<u128> {
        // What reaches it in fixed point reaches a little less exactly.
        let needed = needed.saturating_sub(reach.slack);
        let marginal = MarginalGains::at(self.instance, &self.first);
        let items = self.items(&self.first, 0..self.candidates(), |candidate| marginal.of(candidate));
        let mut least_us = fractional_cover(items, u128::from(needed.saturating_sub(marginal.reached)))?;
        for picks in points {
            let Tangent { reached, displaced, kept, residuals } = self.tangent_at(picks);
            let slope_of = |candidate| residuals.slope(self.instance, candidate);
            let items = self.items(&self.first, 0..self.candidates(), slope_of);
            let missing = u128::from(needed.saturating_sub(reached)) / SLOPE_UNIT;
            let spare = kept + u128::from(reached.saturating_sub(needed)).div_ceil(SLOPE_UNIT);
            least_us = least_us.max(fractional_cover(items, (displaced + missing).saturating_sub(spare))?);
        }
        Some(self.spent_us + least_us)
    }

    /// The bound by the marginal gains at `picks`, the first among them, of all candidates that are not.
    fn marginal(&self, picks: &[u32], prospects: &Prospects) -> u128 {
        let marginal = MarginalGains::at(self.instance, picks);
        // What a further member of a family gains is rounded by another path.
        let touched = marginal.residuals.touched_candidates(self.instance);
        let mut known = ProfileValues::new(self.instance);
        let gain_of = |candidate| match marginal.residuals.is_touched(self.instance, candidate) {
            true => marginal.of(candidate),
            false => known.of(self.instance, candidate, || marginal.of(candidate)),
        };
        u128::from(marginal.reached) + self.knapsack(picks, prospects, gain_of, &touched, (0, 0))
    }

    /// The bound by the tangent at all picks.
    fn tangent(&self, picks: &[u32], prospects: &Prospects) -> u128 {
        let Tangent { reached, displaced, kept, residuals } = self.tangent_at(picks);
        let mut known = ProfileValues::new(self.instance);
        let slope_of = |candidate| known.of(self.instance, candidate, || residuals.slope(self.instance, candidate));
        let over_gain = prospects.slope_over_gain() - SLOPE_STEPS;
        let others = self.knapsack(&self.first, prospects, slope_of, &[], (over_gain, SLOPE_STEPS));
        u128::from(reached) + SLOPE_UNIT * (kept + others).saturating_sub(displaced)
    }

    /// The greatest sum of gains of all candidates but `without` within what is left, if candidates could be cut.
    ///
    /// Only candidates before some step are weighed: whatever they are worth, those behind it are worth less per cost than
    /// what is cut. Where too few were weighed to know, more are. By its gain per cost a candidate does not exceed the step of its
    /// prospect by more than `above`, but for those `apart`; `unit` is how many steps the unit of gains is below that of utility.
    fn knapsack(
        &self,
        without: &[u32],
        prospects: &Prospects,
        mut gain_of: impl FnMut(u32) -> u64,
        apart: &[u32],
        (above, unit): (i32, i32),
    ) -> u128 {
        // Set-ups are spread over all that gain anything.
        if self.instance.group_count() > 0 {
            return fractional_knapsack(&mut self.items(without, 0..self.candidates(), gain_of), self.capacity_us).sum;
        }
        let mut from = prospects.step_of_cost(self.capacity_us) - unit;
        while from > 0 {
            let before = prospects.before(self.instance, from - above);
            let before = joined(before, apart);
            let filled = fractional_knapsack(&mut self.items(without, before, &mut gain_of), self.capacity_us);
            let Some(cut) = filled.cut else {
                from -= MORE_STEPS;
                continue;
            };
            if cut.step() >= from + APART {
                return filled.sum;
            }
            // What is cut among more is worth no less per cost: its step is no lower, but for what steps do not tell apart.
            from = (from - 1).min(cut.step() - 2 * APART);
        }
        fractional_knapsack(&mut self.items(without, 0..self.candidates(), gain_of), self.capacity_us).sum
    }

    fn candidates(&self) -> u32 {
        u32::try_from(self.instance.len()).expect("candidates are counted in u32")
    }

    /// The tangent at `picks`, the first among them.
    ///
    /// Residuals rounded down are as good as any: they lie at or below exp(-x) of the picks' signals x, so that -ln r is at
    /// least x.
    fn tangent_at(&self, picks: &[u32]) -> Tangent {
        let mut residuals = Residuals::untouched(self.instance);
        for &pick in picks {
            residuals.pick_rounded(self.instance, pick, Rounding::Down);
        }
        Tangent {
            reached: residuals.utility(self.instance),
            displaced: residuals.slope_of_picks(self.instance, picks.iter().copied()),
            kept: self.first.iter().map(|&first| u128::from(residuals.slope(self.instance, first))).sum(),
            residuals,
        }
    }

    /// Those of `candidates`, which ascend, that are not in `without`, fit and gain something, each at its relaxed cost.
    fn items(
        &self,
        without: &[u32],
        candidates: impl IntoIterator<Item = u32>,
        mut gain_of: impl FnMut(u32) -> u64,
    ) -> Vec<Item> {
        let mut without = without.to_vec();
        without.sort_unstable();
        let mut without = without.into_iter().peekable();
        let mut items = Vec::new();
        let mut group_of = Vec::new();
        for candidate in candidates {
            while without.next_if(|&passed| passed < candidate).is_some() {}
            if without.peek() == Some(&candidate) || !self.fits(candidate) {
                continue;
            }
            let gain = gain_of(candidate);
            if gain > 0 {
                items.push(Item { gain, cost_us: self.instance.costs_us()[candidate as usize] });
                group_of.push(if self.is_open(candidate) { NO_GROUP } else { self.instance.group_of(candidate) });
            }
        }
        spread_setups(self.instance, &mut items, &group_of);
        items
    }
}

/// How far apart steps have to be to tell ratios apart.
const APART: i32 = prospect::APART as i32;

/// Two ascending lists of candidates as one.
fn joined(mut candidates: Vec<u32>, others: &[u32]) -> Vec<u32> {
    if !others.is_empty() {
        candidates.extend_from_slice(others);
        // Two runs are merged.
        candidates.sort();
        candidates.dedup();
    }
    candidates
}

/// How many steps the unit of slopes is below that of utility.
const SLOPE_STEPS: i32 = SLOPE_UNIT.ilog2() as i32 * prospect::PER_OCTAVE as i32;

/// How many steps further down candidates are weighed where all before fit.
const MORE_STEPS: i32 = 96;

/// Candidates to be run together.
struct Crowd {
    /// How many have each profile and no family.
    singles: Vec<u32>,
    /// Those in families, which count by rank.
    members: Vec<u32>,
}

impl Crowd {
    fn new(instance: &Instance) -> Self {
        Self { singles: vec![0; instance.profile_count()], members: Vec::new() }
    }

    #[inline]
    fn add(&mut self, instance: &Instance, candidate: u32) {
        match instance.family_of(candidate) {
            NO_FAMILY => self.singles[instance.profile_of(candidate) as usize] += 1,
            _ => self.members.push(candidate),
        }
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty() && self.singles.iter().all(|&count| count == 0)
    }

    /// These and others.
    fn and(mut self, others: Self) -> Self {
        self.singles.iter_mut().zip(others.singles).for_each(|(count, other)| *count += other);
        self.members.extend(others.members);
        // Two runs are merged.
        self.members.sort();
        self
    }

    /// A utility that is at least that of all of them.
    fn utility(&self, instance: &Instance) -> u64 {
        let mut residuals = Residuals::untouched(instance);
        residuals.pick_alike(&tally(instance, &self.singles));
        residuals.pick_whole_families(instance, &self.members);
        residuals.utility(instance)
    }

    /// The signals of all of them by region and level, ascending, each with how many have it.
    fn tally(&self, instance: &Instance) -> Vec<(Row, u32)> {
        let mut counts = self.singles.clone();
        self.members.iter().for_each(|&member| counts[instance.profile_of(member) as usize] += 1);
        tally(instance, &counts)
    }
}

/// The signals of so many of each profile by region and level, ascending, each with how many have it.
fn tally(instance: &Instance, counts: &[u32]) -> Vec<(Row, u32)> {
    let of_profiles = || (0u32..).zip(counts).filter(|(_, count)| **count > 0);
    let rows = of_profiles().map(|(profile, _)| instance.rows_of_profile(profile).len()).sum::<usize>();
    if instance.weights().len() * LEVELS > rows.max(COUNTED_MOST) {
        let mut tally: Vec<(Row, u32)> = Vec::with_capacity(rows);
        for (profile, &count) in of_profiles() {
            tally.extend(instance.rows_of_profile(profile).iter().map(|&row| (row, count)));
        }
        tally.sort_unstable();
        return tally;
    }
    let mut by_row = vec![0u32; instance.weights().len() * LEVELS];
    for (profile, &count) in of_profiles() {
        instance.rows_of_profile(profile).iter().for_each(|row| by_row[row.bits() as usize] += count);
    }
    (0u32..).zip(by_row).filter(|&(_, count)| count > 0).map(|(bits, count)| (Row::from_bits(bits), count)).collect()
}

/// Levels of a row.
const LEVELS: usize = 1 << 8;

/// Regions and levels that are counted in a table, however few rows there are.
const COUNTED_MOST: usize = 1 << 12;

/// What candidates gain at some picks at most.
struct MarginalGains<'a> {
    instance: &'a Instance,
    residuals: Residuals,
    /// A utility that is at least that of the picks.
    reached: u64,
}

impl<'a> MarginalGains<'a> {
    fn at(instance: &'a Instance, picks: &[u32]) -> Self {
        let mut residuals = Residuals::untouched(instance);
        let mut reached = Residuals::untouched(instance);
        for &pick in picks {
            residuals.pick_rounded(instance, pick, Rounding::Up);
            reached.pick_rounded(instance, pick, Rounding::Down);
        }
        Self { instance, residuals, reached: reached.utility(instance) }
    }

    fn of(&self, candidate: u32) -> u64 {
        self.residuals.rounded_gain(self.instance, candidate, Rounding::Down)
    }
}

/// Slopes at some picks, in units of 1 / [`SLOPE_ONE`].
struct Tangent {
    /// A utility that is at least that of the picks.
    reached: u64,
    /// The slopes of the picks, of which those asked for first are `kept` whatever is picked.
    displaced: u128,
    kept: u128,
    /// What they leave.
    residuals: Residuals,
}

/// What a unit of slope is in units of utility.
const SLOPE_UNIT: u128 = (UTILITY_ONE / SLOPE_ONE) as u128;

/// What a candidate could add, and at what cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) gain: u64,
    pub(super) cost_us: u64,
}

impl Item {
    /// The step of its gain per cost.
    fn step(&self) -> i32 {
        step_of(self.gain, self.cost_us.max(1)).into()
    }
}

/// Adds to each item its part of the set-up of its closed group, rounded down: together at most the set-up.
pub(super) fn spread_setups(instance: &Instance, items: &mut [Item], group_of: &[u32]) {
    let mut members = vec![0u64; instance.group_count()];
    group_of.iter().for_each(|&group| members.get_mut(group as usize).into_iter().for_each(|members| *members += 1));
    for (item, &group) in items.iter_mut().zip(group_of) {
        if let Some(members) = members.get(group as usize) {
            item.cost_us = item.cost_us.saturating_add(instance.setup_us(group) / members);
        }
    }
}

/// A knapsack filled with items, the last of them cut.
pub(super) struct Filled {
    /// The sum of the gains, rounded up.
    pub(super) sum: u128,
    /// The item that is cut, or none of which is in it; `None` where all are.
    cut: Option<Item>,
}

/// The greatest sum of gains within the budget if items could be cut. O(items), which it reorders.
///
/// Items count whole in the order of gain per cost until one does not fit, and that one in part. It is found by
/// selection rather than sorting: a half that fits is taken whole, a half that does not holds the item to cut.
pub(super) fn fractional_knapsack(mut items: &mut [Item], budget_us: u128) -> Filled {
    let mut left_us = budget_us;
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
    let Some(&last) = items.first() else {
        return Filled { sum: whole, cut: None };
    };
    let (gain, cost_us) = (u128::from(last.gain), u128::from(last.cost_us));
    match cost_us <= left_us {
        true => Filled { sum: whole + gain, cut: None },
        false => Filled { sum: whole + (gain * left_us).div_ceil(cost_us), cut: Some(last) },
    }
}

/// The least cost of a sum of gains if items could be cut, rounded up; `None` where all of them are not enough.
///
/// Items count whole in the order of gain per cost until they are enough, and the last in part. O(items log items).
fn fractional_cover(mut items: Vec<Item>, needed: u128) -> Option<u128> {
    items.sort_unstable_by(|a, b| {
        (u128::from(b.gain) * u128::from(a.cost_us)).cmp(&(u128::from(a.gain) * u128::from(b.cost_us)))
    });
    let (mut missing, mut whole_us) = (needed, 0);
    for item in items {
        let (gain, cost_us) = (u128::from(item.gain), u128::from(item.cost_us));
        if gain >= missing {
            return Some(whole_us + (cost_us * missing).div_ceil(gain));
        }
        missing -= gain;
        whole_us += cost_us;
    }
    (missing == 0).then_some(whole_us)
}
