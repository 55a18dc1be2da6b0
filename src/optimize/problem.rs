//! A problem begun: what was asked for is picked, the rest is pooled, and what no choice can exceed is known.

use super::bound::{Reach, Relaxed};
use super::fill;
use super::greedy::{Entry, Evaluation, Walk};
use super::instance::Instance;
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
    /// All candidates, with their gains if nothing were picked; empty where nothing fills.
    bare: Vec<Entry>,
    /// What is left of them, with their gains after the first picks.
    pub(super) pool: Vec<Entry>,
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
        let bare = start.score_all(options.candidates);
        start.take_first(&options.first, options.first_budget_us.unwrap_or(u64::MAX));
        let relaxed = Relaxed::new(instance, terms, start.picks());
        let reach = relaxed.reach();
        let (bare, pool) = match start.picks() {
            // A hub has a million candidates: no copy that nobody asks for.
            [] if !options.fill => (Vec::new(), bare),
            [] => (bare.clone(), bare),
            _ => {
                let pool = start.refreshed(&bare);
                (bare, pool)
            }
        };
        let greatest_gain = pool.iter().map(|entry| entry.gain).max().unwrap_or(1);
        let negligible = (reach.fitting >> NEGLIGIBLE_SHIFT).clamp(1, greatest_gain);
        Some(Self { terms, start, bare, pool, negligible, relaxed, reach })
    }

    /// Spends what `walk` leaves of the budget as far as that was asked for, and looks at the result.
    pub(super) fn finish(&self, mut walk: Walk<'a>, options: &Options, evaluation: Evaluation) -> Selection {
        let foreground = walk.picks().len();
        if options.fill {
            fill::fill(&mut walk, self.bare.clone(), self.negligible, evaluation);
        }
        fill::in_order(&mut walk, &options.last);
        walk.even_out();
        Selection::new(&walk, self.terms, foreground, &self.relaxed, &self.reach)
    }
}
