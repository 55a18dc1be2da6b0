//! Spending the rest of a budget: the remaining candidates with a signal, in rounds of diversity.
//!
//! A round takes every region for unchecked and runs the same greedy on what is left, so that each further round holds
//! the next best test of everything the change touched. After [`ROUNDS`] rounds all that is left follows by its first
//! gain per cost: by then diversity has had its say, and the work stays a fixed number of passes. What the caller
//! names comes last, in its order.

use super::greedy::{Entry, Evaluation, Walk};

/// How many rounds are run; bounds the work where each round picks little.
const ROUNDS: usize = 16;

/// Adds picks from `pool`, whose gains were computed with nothing picked, until no more fit or none are left.
pub(super) fn fill(walk: &mut Walk<'_>, mut pool: Vec<Entry>, negligible: u64, evaluation: Evaluation) {
    pool.sort_unstable_by(|a, b| b.cmp(a));
    let mut seen_picks = 0;
    for _ in 0..ROUNDS {
        drop_used(walk, &mut pool, seen_picks);
        if pool.is_empty() {
            return;
        }
        seen_picks = walk.picks().len();
        walk.forget_gains();
        walk.mark_fresh(&mut pool);
        evaluation(walk, pool.clone(), negligible);
        if walk.picks().len() == seen_picks {
            break;
        }
    }
    drop_used(walk, &mut pool, seen_picks);
    for entry in &pool {
        if walk.fits(entry.candidate) {
            walk.take(entry.candidate);
        }
    }
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

/// Drops what no longer fits and what was picked from pick `since` on.
fn drop_used(walk: &Walk<'_>, pool: &mut Vec<Entry>, since: usize) {
    let mut picked = walk.picks()[since..].to_vec();
    picked.sort_unstable();
    pool.retain(|entry| walk.fits(entry.candidate) && picked.binary_search(&entry.candidate).is_err());
}
