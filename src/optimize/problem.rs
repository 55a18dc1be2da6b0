//! A problem begun: what was asked for is picked, the rest is pooled, and what no choice can exceed is known.

use super::bound::{Reach, Relaxed};
use super::fill;
use super::greedy::{Entry, Evaluation, Walk};
use super::instance::Instance;
use super::prospect::{self, LEAST_STEP, Pool, Prospects};
use super::selection::Selection;
use super::{NEGLIGIBLE_SHIFT, Options};

/// What the options come to for an instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What the start leaves of the budget.
    pub(super) budget_us: u64,
    pub(super) startup_us: u64,
    /// At least one, and no more than there are candidates: others would have nothing to run.
    pub(super) workers: usize,
}

impl Terms {
    /// `None` where the budget does not start a session.
    pub(super) fn of(instance: &Instance, options: &Options) -> Option<Self> {
        let budget_us = options.budget_us.unwrap_or(u64::MAX).checked_sub(options.startup_us)?;
        let workers = options.workers.min(instance.len()).max(1);
        Some(Self { budget_us, startup_us: options.startup_us, workers })
    }
}

/// What there is to choose from, and what from.
pub(super) struct Problem<'a> {
    pub(super) terms: Terms,
    /// The first picks, and nothing else.
    pub(super) start: Walk<'a>,
    pub(super) prospects: Prospects,
    /// The best by gain per cost with nothing picked, where no others are chosen from; ascending.
    best: Option<Vec<u32>>,
    /// What adds less is left out.
    pub(super) negligible: u64,
    pub(super) relaxed: Relaxed<'a>,
    pub(super) reach: Reach,
}

impl<'a> Problem<'a> {
    /// Picks what was asked for and scores the rest. `None` where the budget does not start a session. O(rows).
    pub(super) fn begin(instance: &'a Instance, options: &Options) -> Option<Self> {
        let terms = Terms::of(instance, options)?;
        let mut start = Walk::new(instance, terms.budget_us, terms.workers);
        let prospects = Prospects::new(instance, terms.budget_us);
        let best = options.candidates.map(|most| prospect::best(&prospects, &mut start, most));
        start.take_first(&options.first, options.first_budget_us.unwrap_or(u64::MAX));
        let relaxed = Relaxed::new(instance, terms, start.picks());
        let reach = relaxed.reach();
        let mut problem = Self { terms, start, prospects, best, negligible: 1, relaxed, reach };
        problem.negligible = problem.negligible();
        Some(problem)
    }

    /// What may be picked.
    pub(super) fn pool(&self) -> Pool<'_> {
        Pool::new(&self.prospects, self.best.as_deref())
    }

    /// What of the pool fits beside the first picks and gains something, with its gain after them; ascending. O(rows).
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.pool().entries(&mut self.start.clone())
    }

    /// A share of the reach, or the greatest gain where that is less.
    fn negligible(&self) -> u64 {
        let share = (self.reach.fitting >> NEGLIGIBLE_SHIFT).max(1);
        let mut greatest = 1;
        // Mostly the best by its prospect is enough.
        for step in [self.prospects.step_of_best(1), LEAST_STEP] {
            if greatest >= share {
                break;
            }
            self.pool().each_from(step, |candidate| {
                if greatest < share && self.start.fits(candidate) && !self.start.picks().contains(&candidate) {
                    greatest = greatest.max(self.start.gain(candidate));
                }
            });
        }
        greatest.min(share)
    }

    /// Spends what `walk` leaves of the budget as far as that was asked for, and looks at the result.
    pub(super) fn finish(&self, mut walk: Walk<'a>, options: &Options, evaluation: Evaluation) -> Selection {
        let foreground = walk.picks().len();
        if options.fill {
            fill::fill(&mut walk, &self.pool(), self.negligible, evaluation);
        }
        fill::in_order(&mut walk, &options.last);
        walk.even_out();
        Selection::new(&walk, foreground, self)
    }
}
