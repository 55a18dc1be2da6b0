//! How the way of each candidate through the changed functions compares with that of the others.
//!
//! Tests that run a changed line mostly pass through its function: what else they run there is the same for all. One that
//! runs lines there that few others run exercises the function. Two figures say so: how rare the lines are that a test
//! runs, and how many tests run just the same ones.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::views::{Views, runs_within};
use crate::change::Change;
use crate::id::{FileId, TestId};
use crate::model::ModelError;

/// The way of one candidate through the changed functions.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// Of the blocks that it ran, in any order.
    set: u64,
    lines: f64,
    /// The sum over its lines of ln(candidates / candidates that run the line).
    rarity: f64,
}

/// What the ways say of a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Trace {
    /// The mean rarity of its lines, in nats; 0 where it runs none.
    pub(super) rarity: f64,
    /// The candidates that run the same lines, itself included; 0 where it runs none.
    pub(super) fellows: u32,
}

/// How many postings of the changed functions are looked at. Beyond that the functions are so long, or run by so many, that
/// looking costs more than it tells: no candidate has a trace.
const POSTINGS_MOST: u64 = 1 << 22;

/// The traces of `candidates`, which ascend, in their order. O(postings of the changed functions), at most
/// [`POSTINGS_MOST`].
pub(super) fn traces<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    change: &Change,
    candidates: &[TestId],
) -> Result<Vec<Trace>, ModelError> {
    let blocks = blocks_of_functions(views, change)?;
    let mut postings = 0;
    for &(file, block) in blocks.keys() {
        postings += u64::from(views.file(file)?.block(block)?.count());
    }
    if postings > POSTINGS_MOST {
        return Ok(vec![Trace::default(); candidates.len()]);
    }
    let mut ways = vec![Way::default(); candidates.len()];
    for ((file, block), lines) in blocks {
        let there = positions(views, (file, block), candidates)?;
        let key = xxh3_64_with_seed(&block.to_le_bytes(), file.0.into());
        let rarity = libm::log(candidates.len() as f64 / there.len().max(1) as f64);
        for at in there {
            let way = &mut ways[at];
            way.set = way.set.wrapping_add(key);
            way.lines += lines;
            way.rarity += lines * rarity;
        }
    }
    let mut fellows: HashMap<u64, u32> = HashMap::new();
    for way in ways.iter().filter(|way| way.lines > 0.0) {
        *fellows.entry(way.set).or_default() += 1;
    }
    let trace = |way: &Way| match way.lines > 0.0 {
        true => Trace { rarity: way.rarity / way.lines, fellows: fellows[&way.set] },
        false => Trace::default(),
    };
    Ok(ways.iter().map(trace).collect())
}

/// The blocks within the changed functions, with how many lines of each.
fn blocks_of_functions<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    change: &Change,
) -> Result<BTreeMap<(FileId, u32), f64>, ModelError> {
    let mut lines = BTreeMap::new();
    for symbol in change.symbols.iter().filter(|symbol| symbol.is_function) {
        for run in runs_within(views.file(symbol.file)?, symbol.lines) {
            *lines.entry((symbol.file, run.block)).or_default() += f64::from(run.last.saturating_sub(run.first)) + 1.0;
        }
    }
    Ok(lines)
}

/// Where the tests of a block stand among the candidates.
fn positions<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    (file, block): (FileId, u32),
    candidates: &[TestId],
) -> Result<Vec<usize>, ModelError> {
    let mut there = Vec::new();
    let mut from = 0;
    views.file(file)?.block(block)?.for_each(|posting| {
        // Both ascend, so what is passed is never looked at again; mostly the next of one is the next of the other.
        if candidates.get(from).is_some_and(|&test| test < posting.test) {
            from += candidates[from..].partition_point(|&test| test < posting.test);
        }
        if candidates.get(from) == Some(&posting.test) {
            there.push(from);
            from += 1;
        }
    })?;
    Ok(there)
}
