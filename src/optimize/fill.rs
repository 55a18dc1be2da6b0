//! Spending the rest of a budget: the remaining candidates with a signal, in rounds of diversity.
//!
//! A round takes every region for unchecked and runs the same greedy on what is left, so that each further round holds
//! the next best test of everything the change touched. After [`ROUNDS`] rounds all that is left follows by its first
//! gain per cost: by then diversity has had its say, and the work stays a fixed number of passes. What the caller
//! names comes last, in its order.

use super::greedy::{Entry, Evaluation, Walk};
use super::prospect::Pool;

/// How many rounds are run; bounds the work where each round picks little.
const ROUNDS: usize = 16;

/// Adds picks from `pool` until no more fit or none are left.
pub(super) fn fill(walk: &mut Walk<'_>, pool: &Pool<'_>, negligible: u64, evaluation: Evaluation) {
    for _ in 0..ROUNDS {
        let picks = walk.picks().len();
        walk.forget_gains();
        evaluation(walk, pool, negligible);
        if walk.picks().len() == picks {
            break;
        }
    }
    for entry in by_first_gain(walk, pool) {
        if walk.fits(entry.candidate) {
            walk.take(entry.candidate);
        }
    }
}

/// What of the pool fits and is not picked, the best gain per cost with nothing picked first.
fn by_first_gain(walk: &Walk<'_>, pool: &Pool<'_>) -> Vec<Entry> {
    let mut bare = Walk::new(walk.instance(), u64::MAX, 1);
    let mut picked = walk.picks().to_vec();
    picked.sort_unstable();
    let mut entries: Vec<Entry> = Vec::new();
    pool.each(|candidate| {
        if walk.fits(candidate) && picked.binary_search(&candidate).is_err() {
            entries.extend(bare.entry(candidate));
        }
    });
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries
}

/// Adds picks in the given order, each once, as they fit.
pub(super) fn in_order(walk: &mut Walk<'_>, candidates: &[u32]) {
    let mut picked = vec![false; walk.instance().len()];
    walk.picks().iter().for_each(|&pick| picked[pick as usize] = true);
    for &candidate in candidates {
        if walk.fits(candidate) && !std::mem::replace(&mut picked[candidate as usize], true) {
            walk.take(candidate);
        }
    }
}
