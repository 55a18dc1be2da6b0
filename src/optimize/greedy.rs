//! Cost-benefit greedy: again and again the candidate with the greatest gain per cost that still fits.
//!
//! Lazy evaluation (Minoux 1978; as CELF, Leskovec et al. 2007): gains never grow along a selection, so a gain computed
//! earlier is an upper bound, and a candidate whose fresh gain still leads need not be compared with the rest. On top of
//! that only a *tier* of the best candidates by their prospects ([`super::prospect`]) is scored and stands in the heap; all
//! others are known to lie behind the *cut*. When the heap falls behind it, a tier twice as large is made, so that there
//! are at most a logarithm of tiers. Candidates with equal rows are one in the heap.
//!
//! Keys compare by cross-multiplication, exactly, and end in the position: no two are equal, so that lazy and plain
//! evaluation cannot differ.

use std::cmp::Ordering;

use super::instance::Instance;
use super::objective::{ProfileValues, Residuals};
use super::prospect::{APART, LEAST_STEP, Pool, step_of};
use super::schedule::Schedule;
use super::tier::Tier;

/// The least cost that gain per cost divides by, in microseconds.
///
/// A runner spends about a millisecond on any test, whatever its report says; without a floor, a test that was reported
/// as free would stand before everything else. The budget is charged the stated cost.
pub const COST_FLOOR_US: u64 = 1_000;

/// How many candidates the first tier holds at least: few enough to stay in the cache.
const FIRST_TIER: usize = 4_096;

/// Picks from a pool until nothing in it fits or gains at least `negligible`.
pub(super) type Evaluation = fn(&mut Walk<'_>, pool: &Pool<'_>, negligible: u64);

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

    /// The step of its gain per price; 0 where it gains nothing.
    pub(super) fn step(&self) -> u16 {
        if self.gain == 0 { 0 } else { step_of(self.gain, floored(self.price_us)) }
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
    /// Whether each candidate can be picked no more, or never could; empty until some are offered.
    withdrawn: Vec<bool>,
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
            withdrawn: Vec::new(),
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
        if asked_for.is_empty() {
            return;
        }
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

    /// A candidate with its gain and price now, if it fits and gains anything.
    pub(super) fn entry(&mut self, candidate: u32) -> Option<Entry> {
        if !self.fits(candidate) {
            return None;
        }
        let gain = self.evaluate(candidate);
        let entry = Entry { gain, price_us: self.price_us(candidate), candidate, after_picks: self.pick_count() };
        (gain > 0).then_some(entry)
    }

    /// [`Self::entry`], where gains of profiles are known.
    fn entry_of(&mut self, candidate: u32, known: &mut ProfileValues) -> Option<Entry> {
        if self.is_touched(candidate) {
            return self.entry(candidate);
        }
        if !self.fits(candidate) {
            return None;
        }
        let gain = known.of(self.instance, candidate, || self.evaluate(candidate));
        let entry = Entry { gain, price_us: self.price_us(candidate), candidate, after_picks: self.pick_count() };
        (gain > 0).then_some(entry)
    }

    /// Picks a candidate that fits; returns the group that it opens.
    pub(super) fn take(&mut self, candidate: u32) -> Option<u32> {
        let gain = self.residuals.pick(self.instance, candidate);
        self.missing = self.missing.saturating_sub(gain);
        if let Some(withdrawn) = self.withdrawn.get_mut(candidate as usize) {
            *withdrawn = true;
        }
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

    /// Offers what of a pool is not picked, and nothing else.
    pub(super) fn offer(&mut self, pool: &Pool<'_>) {
        // What is not touched of it costs nothing, and what is no part of the pool is met as a member of a group alone.
        self.withdrawn = vec![false; self.instance.len()];
        if self.instance.group_count() > 0 {
            self.withdrawn.fill(true);
            pool.each(|candidate| self.withdrawn[candidate as usize] = false);
        }
        self.picks.iter().for_each(|&candidate| self.withdrawn[candidate as usize] = true);
    }

    /// What is offered of the candidates of at least a step, scored now. What does not fit or gains less than `negligible`
    /// never will again: it is offered no more.
    fn tier_from(&mut self, pool: &Pool<'_>, step: u16, negligible: u64) -> Vec<Entry> {
        let mut tier = Vec::new();
        let mut known = ProfileValues::new(self.instance);
        pool.each_from(step, |candidate| {
            if self.is_offered(candidate) {
                let entry = self.entry_of(candidate, &mut known).filter(|entry| entry.gain >= negligible);
                self.withdrawn[candidate as usize] = entry.is_none();
                tier.extend(entry);
            }
        });
        tier
    }

    /// Whether a candidate was offered and not picked.
    pub(super) fn is_offered(&self, candidate: u32) -> bool {
        !self.withdrawn[candidate as usize]
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

/// Leaves the best `len` entries in `pool`, in any order.
pub(super) fn split_off_best(pool: &mut Vec<Entry>, len: usize) {
    if len < pool.len() {
        pool.select_nth_unstable_by(len, |a, b| b.cmp(a));
        pool.truncate(len);
    }
}

/// Greedy that computes a gain only when it may decide. See the module's head.
pub(super) fn lazy(walk: &mut Walk<'_>, pool: &Pool<'_>, negligible: u64) {
    // As many as the budget pays for: what comes to be picked is mostly among them.
    let paid_for = pool.prospects.len_of_cost(walk.schedule().room_us());
    lazy_in_tiers(walk, pool, negligible, paid_for.max(FIRST_TIER));
}

/// [`lazy`] with a first tier of this many candidates, which changes the effort and never the picks.
pub(super) fn lazy_in_tiers(walk: &mut Walk<'_>, pool: &Pool<'_>, negligible: u64, first_tier: usize) {
    walk.offer(pool);
    let mut tier_len = first_tier;
    loop {
        let from = pool.prospects.step_of_best(tier_len);
        // Mostly nothing behind the tier fits once the budget is nearly spent.
        let is_last = from == LEAST_STEP || pool.prospects.are_dearer_below(from, walk.schedule().room_us());
        // Whatever is behind the tier is of a lower step.
        let cut = if is_last { 0 } else { from - 1 + APART };
        let entries = walk.tier_from(pool, from, negligible);
        let fell_behind = Tier::new(walk, entries).pick(walk, cut, negligible);
        if is_last || (!fell_behind && pool.prospects.are_dearer_below(from, walk.schedule().room_us())) {
            return;
        }
        // Where the tier came to its end, little of what is behind it fits.
        tier_len = tier_len.saturating_mul(if fell_behind { 2 } else { 16 });
    }
}

/// Greedy that computes every gain for every pick.
pub(super) fn plain(walk: &mut Walk<'_>, pool: &Pool<'_>, negligible: u64) {
    let mut entries = pool.entries(walk);
    loop {
        walk.refresh_all(&mut entries, negligible);
        let fitting = entries.iter().enumerate().filter(|(_, entry)| walk.fits(entry.candidate));
        let Some((position, &best)) = fitting.max_by_key(|&(_, entry)| entry) else {
            return;
        };
        walk.take(best.candidate);
        entries.swap_remove(position);
    }
}
