//! The budgeted choice: the tests most likely to catch the defect of a change, within a budget of time.
//!
//! The problem is the maximization of a monotone submodular function under a knapsack: the utility U(S) = sum_j w_j (1 -
//! exp(-sum_{i in S} A_ij)) of regions j with weights w_j and candidates i with signals A_ij and costs, where the signals
//! of tests of one family count by rank, each further one half (definition and proof in `family`). [`select`] runs
//! cost-benefit greedy with lazy evaluation, against the best completion of each of its prefixes, and bounds what any other
//! choice could have reached. Sees ids as positions, weights and costs; never paths or names.
//!
//! What is asked for ([`Options::first`]) is picked before all else, and everything after it, choice, guarantee and bound, is
//! about the problem that it leaves: the gains beside it, the budget after it, its groups open. That problem is one of the same
//! kind, for U(S + F) - U(F) is monotone and submodular in S.
//!
//! Invariants:
//! - No float takes part in a decision: the same instance gives the same selection on any machine.
//! - What is picked fits the budget on each worker (`schedule`), and every prefix of the picks is the selection at a smaller
//!   effort.
//! - Lazy evaluation picks exactly what plain greedy picks ([`select_plain`]), in the same order.
//! - No selection within the budget that holds the first picks has a utility above [`Selection::upper_bound`].
//!
//! **Guarantee.** With one worker, where no candidate has a set-up and every cost is at least [`COST_FLOOR_US`], the utility is
//! at least half of the best possible (what is gained beside the first picks, half of the best possible gain), less what
//! [`NEGLIGIBLE_SHIFT`] leaves out and the last bits: cost-benefit greedy (Leskovec et al., "Cost-effective outbreak
//! detection in networks", KDD 2007) with the best completion of each prefix (`completion`; Yaroslavtsev, Zhou and
//! Avdiukhin 2020). Whatever the costs, it is never below cost-benefit greedy alone, nor below the best single candidate. With
//! set-ups, greedy runs a second time with another idea of what opening a group is worth (`opening`); with several workers, what
//! one would choose is tried too, so that they never choose less (unless what is asked for first does not fit on one). Each
//! time the better is kept.

mod bound;
mod completion;
mod family;
mod fill;
mod greedy;
mod instance;
mod level;
mod objective;
mod opening;
mod schedule;
mod selection;
mod tier;

use bound::Relaxed;
use greedy::{Entry, Evaluation, Walk};

pub use greedy::COST_FLOOR_US;
pub use instance::{Instance, InstanceError, MAX_REGIONS, NO_FAMILY, Row, WEIGHT_ONE, fixed_weights};
pub use level::{CHANCE_ONE, Level};
pub use objective::{UTILITY_ONE, as_fraction};
pub use selection::{Pick, Reason, Selection, confidence};

/// A candidate is left out once its gain is below 2^-20 of what all candidates that fit could reach together.
///
/// Such a test is redundant: one chance in a million is below what signals mean. A runner spends about a millisecond on
/// any test, so ten seconds hold at most 10,000 of them, and what is left out is at most 1 % of the reach even if
/// nothing else were to be run. The best candidate is never negligible, however many share the reach.
pub const NEGLIGIBLE_SHIFT: u32 = 20;

/// How often the picks of several workers are packed to make room; bounds the work where each time a little is found.
const PACKINGS: usize = 16;

/// What may be spent, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The budget in microseconds, on each worker; `None` is `u64::MAX`, half a million years.
    pub budget_us: Option<u64>,
    /// The start of the session in microseconds, charged once if anything is picked: all workers start together.
    pub startup_us: u64,
    /// How many workers share the picks, at least 1: the budget is a makespan, and each worker that opens a group pays its
    /// set-up.
    pub workers: usize,
    /// Chooses among this many candidates only: those that fit with the greatest gain per cost at the start.
    pub candidates: Option<usize>,
    /// Candidates to pick before all others, in this order, with a signal or without. What does not fit is skipped here
    /// and stays a candidate like any other.
    pub first: Vec<u32>,
    /// What the picks of `first` may take together in microseconds, set-ups included and the start of the session not.
    pub first_budget_us: Option<u64>,
    /// Spends what is left of the budget on further candidates with a signal, in rounds of diversity.
    pub fill: bool,
    /// Candidates, with a signal or without, that fill what is left at the very end, in this order, as far as they fit.
    pub last: Vec<u32>,
}

impl Default for Options {
    /// No budget, no set-up, one worker, all candidates, nothing asked for.
    fn default() -> Self {
        Self {
            budget_us: None,
            startup_us: 0,
            workers: 1,
            candidates: None,
            first: Vec::new(),
            first_budget_us: None,
            fill: false,
            last: Vec::new(),
        }
    }
}

/// What the options come to for an instance.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// What the start leaves of the budget.
    budget_us: u64,
    startup_us: u64,
    /// At least one, and no more than there are candidates: others would have nothing to run.
    workers: usize,
}

impl Terms {
    /// `None` where the budget does not start a session.
    fn of(instance: &Instance, options: &Options) -> Option<Self> {
        let budget_us = options.budget_us.unwrap_or(u64::MAX).checked_sub(options.startup_us)?;
        let workers = options.workers.min(instance.len()).max(1);
        Some(Self { budget_us, startup_us: options.startup_us, workers })
    }
}

/// Selects candidates of `instance` by lazy greedy.
///
/// O(rows) for the first scores and the certificate; after that, lazy evaluation touches few candidates a pick, though
/// in the worst case every one.
pub fn select(instance: &Instance, options: &Options) -> Selection {
    select_by(instance, options, greedy::lazy)
}

/// Selects as [`select`] does, computing every gain anew for each pick: what lazy evaluation is checked against.
///
/// O(rows) a pick.
pub fn select_plain(instance: &Instance, options: &Options) -> Selection {
    select_by(instance, options, greedy::plain)
}

fn select_by(instance: &Instance, options: &Options, evaluation: Evaluation) -> Selection {
    let Some(terms) = Terms::of(instance, options) else {
        return Selection::nothing_fits(instance);
    };
    let mut start = Walk::new(instance, terms.budget_us, terms.workers);
    let pool = start.score_all(options.candidates);
    start.take_first(&options.first, options.first_budget_us.unwrap_or(u64::MAX));
    let relaxed = Relaxed::new(instance, terms, start.picks());
    let reach = relaxed.reach();
    let fresh = if start.picks().is_empty() { pool.clone() } else { start.refreshed(&pool) };
    let greatest_gain = fresh.iter().map(|entry| entry.gain).max().unwrap_or(1);
    let greedy =
        Greedy { pool: fresh, negligible: (reach.fitting >> NEGLIGIBLE_SHIFT).clamp(1, greatest_gain), evaluation };
    let mut walk = greedy.best(&start);
    let foreground = walk.picks().len();
    if options.fill {
        fill::fill(&mut walk, pool, greedy.negligible, evaluation);
    }
    fill::in_order(&mut walk, &options.last);
    walk.even_out();
    Selection::new(&walk, terms, foreground, &relaxed, &reach)
}

/// What is chosen among after the first picks, and how.
struct Greedy {
    /// Candidates with their gains after the first picks.
    pool: Vec<Entry>,
    negligible: u64,
    evaluation: Evaluation,
}

impl Greedy {
    /// The best of all ways to go on from `start`: with set-ups or opening prices, for all workers at once or as one
    /// would choose. Of equals the first.
    fn best<'a>(&self, start: &Walk<'a>) -> Walk<'a> {
        let mut openings = vec![None];
        openings.extend(opening::prices_us(start, &self.pool).map(Some));
        let mut workers = vec![start.workers(), 1];
        workers.dedup();
        let ways = workers.iter().flat_map(|&workers| openings.iter().map(move |openings| (workers, openings.clone())));
        let walks = ways.filter_map(|(workers, openings_us)| start.begin_again(workers, openings_us));
        let mut best: Option<Walk<'_>> = None;
        let mut evaluations = start.evaluations();
        for begun in walks {
            let walk = self.spread(self.greedy_max(begun), start.workers());
            evaluations += walk.evaluations();
            if best.as_ref().is_none_or(|best| walk.utility() > best.utility()) {
                best = Some(walk);
            }
        }
        let mut best = best.expect("the first picks fit the workers that they were picked for");
        best.count_evaluations(evaluations - best.evaluations());
        best
    }

    /// Greedy, or the best completion of one of its prefixes.
    fn greedy_max<'a>(&self, mut walk: Walk<'a>) -> Walk<'a> {
        let pool: Vec<Entry> = self.pool.iter().filter(|entry| walk.fits(entry.candidate)).copied().collect();
        self.go_on(&mut walk);
        if let Some(completion) = completion::best(&mut walk, &pool) {
            walk.restart(completion.prefix);
            walk.take(completion.candidate);
            // What it leaves of the budget is spent as before.
            self.go_on(&mut walk);
        }
        walk
    }

    /// Goes on with all workers, and again as often as packing makes room.
    fn spread<'a>(&self, mut walk: Walk<'a>, workers: usize) -> Walk<'a> {
        if walk.workers() < workers {
            walk = walk.on_workers(workers);
            self.go_on(&mut walk);
        }
        for _ in 0..PACKINGS {
            let picks = walk.picks().len();
            if workers == 1 || !walk.pack() {
                break;
            }
            self.go_on(&mut walk);
            if walk.picks().len() == picks {
                break;
            }
        }
        walk
    }

    /// Picks from what is left of the pool.
    fn go_on(&self, walk: &mut Walk<'_>) {
        let rest = walk.without_picks(&self.pool);
        (self.evaluation)(walk, rest, self.negligible);
    }
}

#[cfg(test)]
mod tests;
