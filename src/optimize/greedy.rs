//! Cost-benefit greedy: again and again the candidate with the greatest gain per cost that still fits.
//!
//! Lazy evaluation (Minoux 1978; as CELF, Leskovec et al. 2007): gains never grow along a selection, so a gain computed
//! earlier is an upper bound, and a candidate whose fresh gain still leads need not be compared with the rest. On top of
//! that only a *tier* of the best candidates stands in the heap; all others are known to lie behind the *cut*, the best
//! of them when the tier was made. When the heap falls behind the cut, everything is scored again and a tier twice as
//! large is made, so that there are at most a logarithm of tiers. Candidates with equal rows are one in the heap.
//!
//! Keys compare by cross-multiplication, exactly, and end in the position: no two are equal, so that lazy and plain
//! evaluation cannot differ.

use std::cmp::Ordering;

use super::instance::Instance;
use super::objective::Residuals;
use super::schedule::Schedule;
use super::tier::Tier;

/// The least cost that gain per cost divides by, in microseconds.
///
/// A runner spends about a millisecond on any test, whatever its report says; without a floor, a test that was reported
/// as free would stand before everything else. The budget is charged the stated cost.
pub const COST_FLOOR_US: u64 = 1_000;

/// How many candidates the first tier holds at least: few enough to stay in the cache.
const LEAST_TIER: usize = 4_096;

/// The first tier holds one in this many candidates: a second tier costs a pass over all of them, a longer one little.
const TIER_SHARE: usize = 32;

/// Picks from a pool until nothing in it fits or gains at least `negligible`.
pub(super) type Evaluation = fn(&mut Walk<'_>, pool: Vec<Entry>, negligible: u64);

/// A candidate and its gain after `after_picks` picks. Ordered by preference: the greatest is picked first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) gain: u64,
    /// What the gain is weighed against: [`Walk::price_us`].
    pub(super) price_us: u64,
    pub(super) candidate: u32,
    after_picks: u32,
}

impl Entry {
    /// `next`, of which it is known that it gains what this one did.
    pub(super) fn succeeded_by(&self, next: &Self) -> Self {
        Self { gain: self.gain, after_picks: self.after_picks, ..*next }
    }

    /// The same at another price.
    pub(super) fn priced(&self, price_us: u64) -> Self {
        Self { price_us, ..*self }
    }
}

impl Ord for Entry {
    /// Gain per floored cost, then gain, then lower cost, then lower position.
    fn cmp(&self, other: &Self) -> Ordering {
        let ratio_terms = |a: &Self, b: &Self| u128::from(a.gain) * u128::from(floored(b.price_us));
        ratio_terms(self, other)
            .cmp(&ratio_terms(other, self))
            .then_with(|| self.gain.cmp(&other.gain))
            .then_with(|| other.price_us.cmp(&self.price_us))
            .then_with(|| other.candidate.cmp(&self.candidate))
    }
}

/// What gain per cost divides by.
pub(super) fn floored(cost_us: u64) -> u64 {
    cost_us.max(COST_FLOOR_US)
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

/// What is picked for: to reach a utility, and then nothing more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    pub(super) needed: u64,
    /// Whether a gain counts no more than what is missing.
    pub(super) truncated: bool,
}

impl Goal {
    /// To reach the most that can be.
    const MOST: Self = Self { needed: u64::MAX, truncated: false };
}

/// A selection being made: what is picked, what is left of the budget and of each region's defect.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    instance: &'a Instance,
    residuals: Residuals,
    budget_us: u64,
    workers: usize,
    schedule: Schedule<'a>,
    /// By group, what opening it counts for in a price, where that is not its set-up.
    openings_us: Option<Vec<u64>>,
    /// Whether each candidate can be picked.
    offered: Vec<bool>,
    goal: Goal,
    /// What is missing to the goal.
    missing: u64,
    picks: Vec<u32>,
    /// How many picks were not chosen, but asked for.
    first: usize,
    evaluations: u64,
}

impl<'a> Walk<'a> {
    /// Nothing picked, nothing spent.
    pub(super) fn new(instance: &'a Instance, budget_us: u64, workers: usize) -> Self {
        Self {
            instance,
            residuals: Residuals::untouched(instance),
            budget_us,
            workers,
            schedule: Schedule::new(instance, budget_us, workers),
            openings_us: None,
            offered: vec![false; instance.len()],
            goal: Goal::MOST,
            missing: Goal::MOST.needed,
            picks: Vec::new(),
            first: 0,
            evaluations: 0,
        }
    }

    /// Nothing picked, on the same terms.
    pub(super) fn anew(&self) -> Self {
        Self { openings_us: self.openings_us.clone(), ..Self::new(self.instance, self.budget_us, self.workers) }
    }

    /// Only the first picks, on so many workers and weighed against these opening prices, if they fit so.
    pub(super) fn begin_again(&self, workers: usize, openings_us: Option<Vec<u64>>) -> Option<Self> {
        let mut again = Self { openings_us, ..Self::new(self.instance, self.budget_us, workers) };
        again.take_first(&self.picks[..self.first], u64::MAX);
        (again.first == self.first).then_some(again)
    }

    /// Picks what was asked for, in order: each once, as long as all of it is done by `limit_us`.
    pub(super) fn take_first(&mut self, asked_for: &[u32], limit_us: u64) {
        let mut seen = vec![false; self.instance.len()];
        for &candidate in asked_for {
            let is_new = !std::mem::replace(&mut seen[candidate as usize], true);
            if is_new && self.schedule.fits_by(candidate, limit_us) {
                self.take(candidate);
            }
        }
        self.first = self.picks.len();
    }

    /// Forgets all picks but the first `kept`; evaluations stay counted.
    pub(super) fn restart(&mut self, kept: usize) {
        self.forget_gains();
        self.schedule = Schedule::new(self.instance, self.budget_us, self.workers);
        let picks = std::mem::take(&mut self.picks);
        for candidate in picks.into_iter().take(kept) {
            self.take(candidate);
        }
    }

    /// The same walk with this goal.
    pub(super) fn towards(mut self, goal: Goal) -> Self {
        (self.goal, self.missing) = (goal, goal.needed.saturating_sub(self.utility()));
        self
    }

    /// The first picks and then these, which were picked before.
    pub(super) fn with_choice(mut self, chosen: &[u32]) -> Self {
        self.picks.truncate(self.first);
        self.picks.extend_from_slice(chosen);
        self.restart(usize::MAX);
        self
    }

    /// The same picks on more workers: what fits one fits several.
    pub(super) fn on_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self.restart(usize::MAX);
        self
    }

    /// Packs the picks to make room for more; whether that could be.
    pub(super) fn pack(&mut self) -> bool {
        let packed = self.schedule.packed(&self.picks);
        packed.map(|packed| self.schedule = packed).is_some()
    }

    /// Shares the picks among the workers so that all are done earlier, if that can be.
    pub(super) fn even_out(&mut self) {
        if let Some(even) = self.schedule.evened_out(&self.picks) {
            self.schedule = even;
        }
    }

    /// Keeps the picks and their cost, but takes every region for unchecked again.
    pub(super) fn forget_gains(&mut self) {
        self.residuals.reset();
        self.missing = self.goal.needed;
    }

    /// Scores all candidates that fit and gain anything; of these, the best `keep` where it is given.
    pub(super) fn score_all(&mut self, keep: Option<usize>) -> Vec<Entry> {
        let after_picks = self.pick_count();
        let mut pool = Vec::with_capacity(self.instance.len());
        for candidate in (0u32..).take(self.instance.len()) {
            if self.fits(candidate) {
                let gain = self.evaluate(candidate);
                if gain > 0 {
                    pool.push(Entry { gain, price_us: self.price_us(candidate), candidate, after_picks });
                }
            }
        }
        if let Some(keep) = keep {
            split_off_best(&mut pool, keep);
        }
        pool
    }

    /// Picks a candidate that fits; returns the group that it opens.
    pub(super) fn take(&mut self, candidate: u32) -> Option<u32> {
        let gain = self.residuals.pick(self.instance, candidate);
        self.missing = self.missing.saturating_sub(gain);
        self.offered[candidate as usize] = false;
        self.picks.push(candidate);
        self.schedule.add(candidate)
    }

    /// What a candidate's gain is weighed against: its cost, with its set-up, or the opening price of its group, unless the
    /// group is open on some worker.
    ///
    /// With one worker and without opening prices that is what it costs now.
    #[inline]
    pub(super) fn price_us(&self, candidate: u32) -> u64 {
        let group = self.instance.group_of(candidate);
        let cost_us = self.instance.costs_us()[candidate as usize];
        match &self.openings_us {
            _ if self.schedule.is_open(group) => cost_us,
            Some(openings_us) => cost_us.saturating_add(openings_us[group as usize]),
            None => self.instance.cost_alone_us(candidate),
        }
    }

    /// Whether a candidate of no lower price costs no less, wherever it is run.
    pub(super) fn prices_are_costs(&self) -> bool {
        self.schedule.is_single() && self.openings_us.is_none()
    }

    /// Offers the candidates of a pool, and no others.
    pub(super) fn offer(&mut self, pool: &[Entry]) {
        self.offered.fill(false);
        pool.iter().for_each(|entry| self.offered[entry.candidate as usize] = true);
    }

    /// Whether a candidate was offered and not picked.
    pub(super) fn is_offered(&self, candidate: u32) -> bool {
        self.offered[candidate as usize]
    }

    /// The offered members of a group, scored anew.
    pub(super) fn score_group(&mut self, group: u32) -> Vec<Entry> {
        let instance = self.instance;
        let offered: Vec<u32> = instance.members_of(group).iter().copied().filter(|&i| self.is_offered(i)).collect();
        let score = |candidate| Entry {
            gain: self.evaluate(candidate),
            price_us: self.price_us(candidate),
            candidate,
            after_picks: self.pick_count(),
        };
        offered.into_iter().map(score).collect()
    }

    /// What of a pool is not picked, at its price now.
    pub(super) fn without_picks(&self, pool: &[Entry]) -> Vec<Entry> {
        let mut picked = self.picks.clone();
        picked.sort_unstable();
        let rest = pool.iter().filter(|entry| picked.binary_search(&entry.candidate).is_err());
        rest.map(|entry| entry.priced(self.price_us(entry.candidate))).collect()
    }

    /// Whether anything is missing and a candidate fits in what is left of the budget: if not, nor does it after further
    /// picks.
    pub(super) fn fits(&self, candidate: u32) -> bool {
        self.missing > 0 && self.schedule.fits(candidate)
    }

    /// The picks so far, in order.
    pub(super) fn picks(&self) -> &[u32] {
        &self.picks
    }

    /// What is selected from.
    pub(super) fn instance(&self) -> &'a Instance {
        self.instance
    }

    /// How many gains were computed.
    pub(super) fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Who runs what.
    pub(super) fn schedule(&self) -> &Schedule<'a> {
        &self.schedule
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// How many of the picks were asked for.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// The utility of all picks, unless gains were forgotten.
    pub(super) fn utility(&self) -> u64 {
        self.residuals.utility(self.instance)
    }

    /// What the picks leave of each region's defect, unless gains were forgotten.
    pub(super) fn residuals(&self) -> &Residuals {
        &self.residuals
    }

    /// The gain of picking a candidate now, not counted.
    pub(super) fn gain(&self, candidate: u32) -> u64 {
        self.residuals.gain(self.instance, candidate)
    }

    /// Counts gains that were computed elsewhere.
    pub(super) fn count_evaluations(&mut self, gains: u64) {
        self.evaluations += gains;
    }

    /// Marks gains that were computed with nothing picked as fresh, after gains were forgotten.
    pub(super) fn mark_fresh(&self, pool: &mut [Entry]) {
        let after_picks = self.pick_count();
        for entry in pool {
            entry.after_picks = after_picks;
            entry.price_us = self.price_us(entry.candidate);
        }
    }

    fn pick_count(&self) -> u32 {
        u32::try_from(self.picks.len()).expect("candidates are counted in u32 and picked once")
    }

    fn evaluate(&mut self, candidate: u32) -> u64 {
        self.evaluations += 1;
        let gain = self.residuals.gain(self.instance, candidate);
        if self.goal.truncated { gain.min(self.missing) } else { gain }
    }

    /// Whether an entry's gain is that of picking it now.
    pub(super) fn is_fresh(&self, entry: &Entry) -> bool {
        entry.after_picks == self.pick_count()
    }

    /// Whether a member of the candidate's family was picked.
    pub(super) fn is_touched(&self, candidate: u32) -> bool {
        self.residuals.is_touched(self.instance, candidate)
    }

    /// Computes an entry's gain anew.
    pub(super) fn refresh(&mut self, entry: &mut Entry) {
        entry.gain = self.evaluate(entry.candidate);
        entry.price_us = self.price_us(entry.candidate);
        entry.after_picks = self.pick_count();
    }

    /// What of a pool is not picked, still fits and gains anything, its gains computed anew.
    pub(super) fn refreshed(&mut self, pool: &[Entry]) -> Vec<Entry> {
        let mut rest = self.without_picks(pool);
        self.refresh_all(&mut rest, 1);
        rest
    }

    /// Refreshes all that can still be picked, and drops the rest.
    fn refresh_all(&mut self, pool: &mut Vec<Entry>, negligible: u64) {
        pool.retain_mut(|entry| {
            // The old gain is an upper bound: below the threshold once is below it for good.
            if !self.fits(entry.candidate) || entry.gain < negligible {
                return false;
            }
            self.refresh(entry);
            entry.gain >= negligible
        });
    }
}

/// Leaves the best `len` entries in `pool`, in any order, and returns the others, the best of them first.
fn split_off_best(pool: &mut Vec<Entry>, len: usize) -> Vec<Entry> {
    if len >= pool.len() {
        return Vec::new();
    }
    pool.select_nth_unstable_by(len, |a, b| b.cmp(a));
    pool.split_off(len)
}

/// Greedy that computes a gain only when it may decide. See the module's head.
pub(super) fn lazy(walk: &mut Walk<'_>, pool: Vec<Entry>, negligible: u64) {
    let first_tier = LEAST_TIER.max(pool.len() / TIER_SHARE);
    lazy_in_tiers(walk, pool, negligible, first_tier);
}

/// [`lazy`] with a first tier of this many candidates, which changes the effort and never the picks.
pub(super) fn lazy_in_tiers(walk: &mut Walk<'_>, pool: Vec<Entry>, negligible: u64, first_tier: usize) {
    walk.offer(&pool);
    let mut tier = pool;
    let mut tier_len = first_tier;
    loop {
        let mut behind = split_off_best(&mut tier, tier_len);
        let mut best = Tier::new(walk, tier);
        best.pick(walk, behind.first(), negligible);
        if behind.is_empty() {
            return;
        }
        best.leave_to(&mut behind);
        behind.retain(|entry| walk.is_offered(entry.candidate));
        walk.refresh_all(&mut behind, negligible);
        tier = behind;
        tier_len = tier_len.saturating_mul(2);
    }
}

/// Greedy that computes every gain for every pick.
pub(super) fn plain(walk: &mut Walk<'_>, mut pool: Vec<Entry>, negligible: u64) {
    loop {
        walk.refresh_all(&mut pool, negligible);
        let fitting = pool.iter().enumerate().filter(|(_, entry)| walk.fits(entry.candidate));
        let Some((position, &best)) = fitting.max_by_key(|&(_, entry)| entry) else {
            return;
        };
        walk.take(best.candidate);
        pool.swap_remove(position);
    }
}
