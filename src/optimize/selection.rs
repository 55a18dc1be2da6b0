//! The result: what was picked, what it is worth, and what no choice could have exceeded.

use std::mem;

use super::bound::{self, Reach};
use super::instance::Instance;
use super::objective::{Residuals, as_fraction};

/// One picked candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The candidate, a position in its instance.
    pub candidate: u32,
    /// What it added to the utility when it was picked, in units of 1 / [`super::UTILITY_ONE`].
    pub gain: u64,
    /// The cost of all picks up to this one, start and set-ups included, in microseconds.
    pub cumulative_cost_us: u64,
    /// The utility of all picks up to this one: the sum of their gains, exactly.
    pub cumulative_utility: u64,
    /// Whether it only fills the budget.
    pub background: bool,
}

/// What was selected. Utilities are in units of 1 / [`super::UTILITY_ONE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The picks, in the order of picking: first what matters, then what fills.
    pub picks: Vec<Pick>,
    /// The utility of all picks.
    pub utility: u64,
    /// No choice within the budget has a greater utility.
    pub upper_bound: u64,
    /// The chance that the defect of each region survives the picks, in units of 1 / [`super::CHANCE_ONE`].
    pub residuals: Vec<u64>,
    /// The utility if every candidate ran, whatever it costs; the rest no test could catch.
    pub reachable: u64,
    /// How many gains were computed for the picks.
    pub evaluations: u64,
}

impl Selection {
    /// The cost of all picks in microseconds, start and set-ups included; 0 where nothing is picked.
    pub fn cost_us(&self) -> u64 {
        self.picks.last().map_or(0, |last| last.cumulative_cost_us)
    }

    /// The utility as a share of the upper bound: this selection is at least that good. 1 where nothing can be gained.
    pub fn certificate(&self) -> f64 {
        if self.upper_bound == 0 { 1.0 } else { as_fraction(self.utility) / as_fraction(self.upper_bound) }
    }

    /// Replays `picks`, of which those from `foreground` on fill the budget, which is what the start leaves.
    pub(super) fn new(
        instance: &Instance,
        (budget_us, startup_us): (u64, u64),
        picks: &[u32],
        foreground: usize,
        reach: &Reach,
        evaluations: u64,
    ) -> Self {
        let mut residuals = Residuals::untouched(instance);
        let mut open = vec![false; instance.group_count()];
        let (mut cumulative_cost_us, mut cumulative_utility) = (startup_us, 0);
        let replay = |(order, &candidate): (usize, &u32)| {
            let gain = residuals.pick(instance, candidate);
            let closed =
                open.get_mut(instance.group_of(candidate) as usize).is_some_and(|open| !mem::replace(open, true));
            cumulative_cost_us +=
                if closed { instance.cost_alone_us(candidate) } else { instance.costs_us()[candidate as usize] };
            cumulative_utility += gain;
            Pick { candidate, gain, cumulative_cost_us, cumulative_utility, background: order >= foreground }
        };
        let picks: Vec<Pick> = picks.iter().enumerate().map(replay).collect();
        let upper_bound = bound::upper_bound(instance, budget_us, &picks, reach);
        Self {
            picks,
            utility: cumulative_utility,
            upper_bound,
            residuals: residuals.into_inner(),
            reachable: reach.all,
            evaluations,
        }
    }
}
