//! The ways to choose that are tried, of which the best is kept.
//!
//! Greedy+max from the first picks on: with set-ups or with opening prices, for all workers at once or as one worker would
//! choose. The first way is plain cost-benefit greedy on the given terms, so that the result is never below that.

use super::completion;
use super::greedy::{Evaluation, Walk};
use super::opening;
use super::problem::Problem;

/// How often the picks of several workers are packed to make room; bounds the work where each time a little is found.
const PACKINGS: usize = 16;

/// The walk of the greatest utility; of equals the first.
pub(super) fn best<'a>(problem: &Problem<'a>, evaluation: Evaluation) -> Walk<'a> {
    let workers = problem.start.workers();
    let mut best: Option<Walk<'_>> = None;
    let mut evaluations = problem.start.evaluations();
    for start in starts(problem) {
        let walk = spread(problem, greedy_max(problem, start, evaluation), workers, evaluation);
        evaluations += walk.evaluations();
        if best.as_ref().is_none_or(|best| walk.utility() > best.utility()) {
            best = Some(walk);
        }
    }
    let mut best = best.expect("the first picks fit the workers that they were picked for");
    best.count_evaluations(evaluations - best.evaluations());
    best
}

/// The first picks, on all workers and on one, weighed with set-ups and with opening prices.
fn starts<'a>(problem: &Problem<'a>) -> Vec<Walk<'a>> {
    let mut workers = vec![problem.start.workers(), 1];
    workers.dedup();
    let openings = openings(problem);
    let ways = workers.iter().flat_map(|&workers| openings.iter().map(move |openings_us| (workers, openings_us)));
    ways.filter_map(|(workers, openings_us)| problem.start.begin_again(workers, openings_us.clone())).collect()
}

/// What opening a group counts for: its set-up, and its opening price where there is another one.
pub(super) fn openings(problem: &Problem<'_>) -> Vec<Option<Vec<u64>>> {
    let mut openings = vec![None];
    openings.extend(opening::prices_us(problem).map(Some));
    openings
}

/// Greedy, or the best completion of one of its prefixes.
fn greedy_max<'a>(problem: &Problem<'a>, mut walk: Walk<'a>, evaluation: Evaluation) -> Walk<'a> {
    let start = walk.clone();
    go_on(problem, &mut walk, evaluation);
    if let Some(completion) = completion::best(&mut walk, &start, problem) {
        walk.restart(completion.prefix);
        walk.take(completion.candidate);
        // What it leaves of the budget is spent as before.
        go_on(problem, &mut walk, evaluation);
    }
    walk
}

/// Goes on with all workers, and again as often as packing makes room.
fn spread<'a>(problem: &Problem<'a>, mut walk: Walk<'a>, workers: usize, evaluation: Evaluation) -> Walk<'a> {
    if walk.workers() < workers {
        walk = walk.on_workers(workers);
        go_on(problem, &mut walk, evaluation);
    }
    for _ in 0..PACKINGS {
        let picks = walk.picks().len();
        if workers == 1 || !walk.pack() {
            break;
        }
        go_on(problem, &mut walk, evaluation);
        if walk.picks().len() == picks {
            break;
        }
    }
    walk
}

/// Picks from what is left of the pool.
fn go_on(problem: &Problem<'_>, walk: &mut Walk<'_>, evaluation: Evaluation) {
    evaluation(walk, &problem.pool(), problem.negligible);
}
