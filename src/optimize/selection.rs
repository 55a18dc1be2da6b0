//! The result: what was picked, what it is worth, and what no choice could have exceeded.

use super::bound::Relaxed;
use super::greedy::Walk;
use super::instance::Instance;
use super::level::CHANCE_ONE;
use super::objective::{Residuals, as_fraction};
use super::problem::{Problem, Terms};

/// Why a candidate was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was asked for, before all others.
    First,
    /// Its gain for its cost was the best.
    Chosen,
    /// It only fills the budget.
    Background,
}

/// One picked candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The candidate, a position in its instance.
    pub candidate: u32,
    /// Why it was picked.
    pub reason: Reason,
    /// The worker that runs it, below [`super::Options::workers`].
    pub worker: u32,
    /// What it added to the utility when it was picked, in units of 1 / [`super::UTILITY_ONE`].
    pub gain: u64,
    /// The makespan of all picks up to this one, each on its worker, start and set-ups included, in microseconds.
    pub cumulative_cost_us: u64,
    /// The utility of all picks up to this one: the sum of their gains, exactly.
    pub cumulative_utility: u64,
}

/// What was selected. Utilities are in units of 1 / [`super::UTILITY_ONE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The picks, in the order of picking: first what was asked for, then what matters, then what fills.
    pub picks: Vec<Pick>,
    /// The utility of all picks.
    pub utility: u64,
    /// No choice within the budget that holds the picks asked for has a greater utility.
    pub upper_bound: u64,
    /// The chance that the defect of each region survives the picks, in units of 1 / [`super::CHANCE_ONE`].
    pub residuals: Vec<u64>,
    /// The utility if every candidate ran, whatever it costs; the rest no test could catch.
    pub reachable: u64,
    /// How many gains were computed for the picks.
    pub evaluations: u64,
}

impl Selection {
    /// The makespan of all picks in microseconds, start and set-ups included; 0 where nothing is picked.
    pub fn cost_us(&self) -> u64 {
        self.picks.last().map_or(0, |last| last.cumulative_cost_us)
    }

    /// The utility as a share of the upper bound: this selection is at least that good. 1 where nothing can be gained.
    pub fn certificate(&self) -> f64 {
        if self.upper_bound == 0 { 1.0 } else { as_fraction(self.utility) / as_fraction(self.upper_bound) }
    }

    /// The utility as a share of what all candidates together reach: the chance that a pick fails if the change broke
    /// something that a candidate can see. 1 where none can see anything.
    pub fn confidence(&self) -> f64 {
        confidence(self.utility, self.reachable)
    }

    /// Keeps the first `picks` picks, which are a selection at a smaller effort; `left_out` are those that came before them
    /// and are no longer named. O(rows of what is kept).
    pub fn truncate(&mut self, instance: &Instance, left_out: &[u32], picks: usize) {
        self.picks.truncate(picks);
        let mut residuals = Residuals::untouched(instance);
        let kept = left_out.iter().copied().chain(self.picks.iter().map(|pick| pick.candidate));
        self.utility = kept.map(|candidate| residuals.pick(instance, candidate)).sum();
        // Where nothing fits, the bound is that of nothing, and does not know of what was left out.
        self.upper_bound = self.upper_bound.max(self.utility);
        self.residuals = residuals.into_inner();
    }

    /// Nothing picked, for there is no time to start a session.
    pub(super) fn nothing_fits(instance: &Instance) -> Self {
        let terms = Terms { budget_us: 0, startup_us: 0, workers: 1 };
        let reach = Relaxed::new(instance, terms, &[]).reach().nothing_fits();
        let residuals = vec![CHANCE_ONE; instance.weights().len()];
        Self { picks: Vec::new(), utility: 0, upper_bound: 0, residuals, reachable: reach.all, evaluations: 0 }
    }

    /// Replays the picks of `walk`, of which those from `foreground` on fill the budget.
    pub(super) fn new(walk: &Walk<'_>, foreground: usize, problem: &Problem<'_>) -> Self {
        let Problem { terms, relaxed, reach, prospects, .. } = problem;
        let instance = walk.instance();
        let mut residuals = Residuals::untouched(instance);
        let mut cumulative_utility = 0;
        let makespans_us = walk.schedule().makespans_us(walk.picks());
        let replay = |(at, (&candidate, makespan_us)): (usize, (&u32, u64))| {
            let gain = residuals.pick(instance, candidate);
            cumulative_utility += gain;
            let reason = match at {
                at if at < walk.first() => Reason::First,
                at if at < foreground => Reason::Chosen,
                _ => Reason::Background,
            };
            let (worker, cumulative_cost_us) = (walk.schedule().workers()[at], terms.startup_us + makespan_us);
            Pick { candidate, reason, worker, gain, cumulative_cost_us, cumulative_utility }
        };
        let picks: Vec<Pick> = walk.picks().iter().zip(makespans_us).enumerate().map(replay).collect();
        Self {
            picks,
            utility: cumulative_utility,
            upper_bound: relaxed.upper_bound(walk.picks(), cumulative_utility, reach, prospects),
            residuals: residuals.into_inner(),
            reachable: reach.all,
            evaluations: walk.evaluations(),
        }
    }
}

/// A utility as a share of what can be reached; a rounded-up utility is no more than all of it.
pub fn confidence(utility: u64, reachable: u64) -> f64 {
    if reachable == 0 { 1.0 } else { (as_fraction(utility) / as_fraction(reachable)).min(1.0) }
}
