//! The best choice itself, where it can be found: branch and bound (Land and Doig 1960).
//!
//! Candidates are decided in a fixed order, the best gain per price first: with it, then without it. A branch is left
//! when all that is undecided and still fits cannot lift it above the best so far, by the fractional knapsack over the gains
//! at its picks. Gains never grow, to the last bit, so that this bounds the fixed-point utility of picking in that
//! order, which is what is maximized. It begins with what [`super::select`] finds, and never ends below it.
//!
//! Of *twins*, candidates of equal rows, family, group and cost, none is picked without those before it: they stand side by
//! side in the order, and the lower position is preferred.
//!
//! Invariant: of the choices of greatest utility the cheapest, and of those the first, as ascending positions, is found; or
//! none, when that would take more than [`EXACT_NODES`].

use thiserror::Error;

use super::bound::{Item, fractional_knapsack, spread_setups};
use super::family::GIVEN_AWAY;
use super::greedy::{Entry, Walk, plain};
use super::instance::{Instance, NO_GROUP, WEIGHT_ONE};
use super::objective::Residuals;
use super::problem::Problem;
use super::prospect::Pool;
use super::{Options, Selection, fill, greedy, ways};

/// How many partial choices are looked at, at most.
pub const EXACT_NODES: u64 = 1 << 18;

/// How many signals are looked at for them, at most: each partial choice asks for the gains of all that is undecided.
const EXACT_ROWS: u64 = 1 << 30;

/// Among how many candidates the best choice is searched for: what a partial choice costs.
pub const EXACT_CANDIDATES: usize = 256;

/// Why the best choice was not searched for, or not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExactError {
    /// There are more candidates than are decided one by one.
    #[error(
        "the best of all selections is searched for among at most {EXACT_CANDIDATES} tests, this change has {found}; choose greedily, or among the best with -n {EXACT_CANDIDATES}"
    )]
    TooManyCandidates {
        /// How many there are.
        found: usize,
    },
    /// Too many partial choices may still lead to the best.
    #[error(
        "the best of all selections was not found among as many partial ones of {candidates} tests as are looked at; choose greedily, or among fewer with -n"
    )]
    TooManyNodes {
        /// How many candidates there are.
        candidates: usize,
    },
    /// The search knows one worker.
    #[error("the best of all selections is searched for with one worker, not with {found}; choose greedily")]
    SeveralWorkers {
        /// How many there are.
        found: usize,
    },
}

/// Finds the best choice on these options, and its utility in the order of deciding.
fn best<'a>(problem: &Problem<'a>, options: &Options) -> Result<(Walk<'a>, u64), ExactError> {
    if options.workers > 1 {
        return Err(ExactError::SeveralWorkers { found: options.workers });
    }
    let entries = problem.entries();
    let found = entries.len();
    if found > EXACT_CANDIDATES {
        return Err(ExactError::TooManyCandidates { found });
    }
    let mut search = Search::new(problem, &entries);
    let greedy = ways::best(problem, greedy::lazy);
    search.begin_with(&greedy.picks()[greedy.first()..]);
    search.decide(0).ok_or(ExactError::TooManyNodes { candidates: found })?;
    let optimum = problem.start.utility() + search.best.utility;
    let walk = search.in_order_of_gain(problem);
    Ok((walk, optimum))
}

/// A set of candidates, ascending, with what it is worth. Ordered by preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Choice {
    utility: u64,
    cost_us: u64,
    candidates: Vec<u32>,
}

impl Choice {
    fn is_better_than(&self, other: &Self) -> bool {
        let preference = self.utility.cmp(&other.utility).then_with(|| other.cost_us.cmp(&self.cost_us));
        preference.then_with(|| other.candidates.cmp(&self.candidates)).is_gt()
    }
}

/// A partial choice, and the best one so far.
struct Search<'a> {
    instance: &'a Instance,
    /// The candidates in the order in which they are decided.
    order: Vec<u32>,
    /// Whether each in the order is a twin of the one before.
    is_twin: Vec<bool>,
    residuals: Residuals,
    open: Vec<bool>,
    left_us: u64,
    /// What is picked, in the order of deciding.
    picks: Vec<u32>,
    utility: u64,
    cost_us: u64,
    best: Choice,
    nodes: u64,
    nodes_most: u64,
}

impl<'a> Search<'a> {
    /// The first picks, nothing decided.
    fn new(problem: &Problem<'a>, entries: &[Entry]) -> Self {
        let instance = problem.start.instance();
        let order = order(instance, entries);
        let are_twins = |pair: &[u32]| twin_key(instance, pair[0]) == twin_key(instance, pair[1]);
        let is_twin = [false].into_iter().chain(order.windows(2).map(are_twins)).collect();
        let rows: u64 = (0u32..).take(instance.len()).map(|candidate| instance.rows_of(candidate).len() as u64).sum();
        let open = (0u32..).take(instance.group_count()).map(|group| problem.start.schedule().is_open(group)).collect();
        Self {
            instance,
            order,
            is_twin,
            residuals: problem.start.residuals().clone(),
            open,
            left_us: problem.start.schedule().room_us(),
            picks: Vec::new(),
            utility: 0,
            cost_us: 0,
            best: Choice::default(),
            nodes: 0,
            nodes_most: EXACT_NODES.min(EXACT_ROWS / rows.max(1)),
        }
    }

    /// Takes these candidates, which fit, for the best so far.
    fn begin_with(&mut self, candidates: &[u32]) {
        let mut residuals = self.residuals.clone();
        let chosen = self.order.iter().filter(|candidate| candidates.contains(candidate));
        let utility = chosen.map(|&candidate| residuals.pick(self.instance, candidate)).sum();
        let mut open = self.open.clone();
        let cost_us = |&candidate: &u32| {
            let closed = open.get_mut(self.instance.group_of(candidate) as usize);
            let opens = closed.is_some_and(|open| !std::mem::replace(open, true));
            if opens { self.instance.cost_alone_us(candidate) } else { self.instance.costs_us()[candidate as usize] }
        };
        let cost_us = candidates.iter().map(cost_us).sum();
        let mut candidates = candidates.to_vec();
        candidates.sort_unstable();
        self.best = Choice { utility, cost_us, candidates };
    }

    /// Decides the candidates from `at` on in every way that may lead; `None` if there are too many.
    fn decide(&mut self, at: usize) -> Option<()> {
        self.nodes += 1;
        if self.nodes > self.nodes_most {
            return None;
        }
        self.keep_if_best();
        if !self.may_lead(at) {
            return Some(());
        }
        let &candidate = self.order.get(at)?;
        if self.cost_now_us(candidate) <= self.left_us {
            self.decide_with(candidate, at + 1)?;
        }
        let twins = self.is_twin[at + 1..].iter().take_while(|&&is_twin| is_twin).count();
        self.decide(at + 1 + twins)
    }

    fn decide_with(&mut self, candidate: u32, next: usize) -> Option<()> {
        let (utility, cost_us, left_us) = (self.utility, self.cost_us, self.left_us);
        let saved = self.residuals.save(self.instance, candidate);
        let price_us = self.cost_now_us(candidate);
        let group = self.instance.group_of(candidate) as usize;
        let opens = self.open.get_mut(group).is_some_and(|open| !std::mem::replace(open, true));
        self.utility += self.residuals.pick(self.instance, candidate);
        self.cost_us += price_us;
        self.left_us -= price_us;
        self.picks.push(candidate);
        self.decide(next)?;
        self.picks.pop();
        if opens {
            self.open[group] = false;
        }
        self.residuals.undo(self.instance, candidate, saved);
        (self.utility, self.cost_us, self.left_us) = (utility, cost_us, left_us);
        Some(())
    }

    fn keep_if_best(&mut self) {
        if self.utility < self.best.utility {
            return;
        }
        let mut candidates = self.picks.clone();
        candidates.sort_unstable();
        let choice = Choice { utility: self.utility, cost_us: self.cost_us, candidates };
        if choice.is_better_than(&self.best) {
            self.best = choice;
        }
    }

    /// Whether any choice with these picks, and others from `at` on, could be preferred to the best so far.
    fn may_lead(&self, at: usize) -> bool {
        if at >= self.order.len() {
            return false;
        }
        let (mut items, mut group_of) = (Vec::new(), Vec::new());
        for &candidate in &self.order[at..] {
            let gain = self.residuals.gain(self.instance, candidate);
            if gain > 0 && self.cost_now_us(candidate) <= self.left_us {
                items.push(Item { gain, cost_us: self.instance.costs_us()[candidate as usize] });
                group_of.push(if self.is_open(candidate) { NO_GROUP } else { self.instance.group_of(candidate) });
            }
        }
        spread_setups(self.instance, &mut items, &group_of);
        let most = u128::from(self.utility) + fractional_knapsack(&mut items, u128::from(self.left_us)).sum;
        let best = u128::from(self.best.utility);
        most > best || (most == best && self.cost_us <= self.best.cost_us)
    }

    fn cost_now_us(&self, candidate: u32) -> u64 {
        match self.is_open(candidate) {
            true => self.instance.costs_us()[candidate as usize],
            false => self.instance.cost_alone_us(candidate),
        }
    }

    fn is_open(&self, candidate: u32) -> bool {
        self.open.get(self.instance.group_of(candidate) as usize) != Some(&false)
    }

    /// The best choice, picked greedily: every prefix is a good one.
    fn in_order_of_gain(self, problem: &Problem<'a>) -> Walk<'a> {
        let mut walk = problem.start.begin_again(1, None).expect("the first picks fit again");
        walk.count_evaluations(problem.start.evaluations() + self.nodes);
        plain(&mut walk, &Pool::new(&problem.prospects, Some(&self.best.candidates)), 1);
        fill::in_order(&mut walk, &self.best.candidates);
        walk
    }
}

/// The order of deciding: gain per price, and twins side by side.
fn order(instance: &Instance, pool: &[Entry]) -> Vec<u32> {
    let mut pool = pool.to_vec();
    pool.sort_unstable_by(|a, b| b.cmp(a));
    for equal in pool.chunk_by_mut(|a, b| (a.gain, a.price_us) == (b.gain, b.price_us)) {
        equal.sort_by_key(|entry| twin_key(instance, entry.candidate));
    }
    pool.into_iter().map(|entry| entry.candidate).collect()
}

/// By how much the fixed-point utility of a choice in this order can fall short of its exact one.
fn given_away(problem: &Problem<'_>) -> u64 {
    match problem.start.instance().family_count() {
        0 => 0,
        _ => ((problem.entries().len() + problem.start.first()) as u64)
            .saturating_mul(GIVEN_AWAY * u64::from(WEIGHT_ONE)),
    }
}

/// What twins have in common.
fn twin_key(instance: &Instance, candidate: u32) -> (&[super::Row], u32, u32, u64) {
    let cost_us = instance.costs_us()[candidate as usize];
    (instance.rows_of(candidate), instance.family_of(candidate), instance.group_of(candidate), cost_us)
}

/// Selects as [`super::select_exact`] says.
pub(super) fn select(instance: &Instance, options: &Options) -> Result<Selection, ExactError> {
    let Some(problem) = Problem::begin(instance, options) else {
        return Ok(Selection::nothing_fits(instance));
    };
    let (walk, optimum) = best(&problem, options)?;
    let selection = problem.finish(walk, options, greedy::lazy);
    if options.candidates.is_some_and(|most| most <= problem.entries().len()) {
        // The best of a few is no bound on what all could reach.
        return Ok(selection);
    }
    let upper_bound = optimum.saturating_add(problem.reach.slack).saturating_add(given_away(&problem));
    let upper_bound = upper_bound.min(selection.upper_bound).max(selection.utility);
    Ok(Selection { upper_bound, ..selection })
}
