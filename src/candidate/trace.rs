//! How the way of each candidate through the changed functions compares with that of the others.
//!
//! Tests that run a changed line mostly pass through its function: what else they run there is the same for all. One that
//! runs lines there that few others run exercises the function. Two figures say so: how rare the lines are that a test
//! runs, and how many tests run just the same ones. Both follow from the blocks of the functions that a test runs, its *way*:
//! tests of one profile have one.

use super::profile::{Profiles, position};
use super::question::List;
use super::weigh::logarithm;
use crate::model::Entry;

/// What its way says of a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Trace {
    /// The mean rarity of its lines, in nats; 0 where it runs none.
    pub(super) rarity: f64,
    /// The logarithm of how many candidates run the same lines, itself included; 0 where it runs none.
    pub(super) fellows: f64,
}

/// Numbers of fellows whose logarithms are computed once.
const FEW: u32 = 64;

/// The traces of all profiles, in their order, of which each has so many candidates. O(entries).
pub(super) fn traces(lists: &[List], profiles: &mut Profiles, counts: &mut Vec<u32>) -> Vec<Trace> {
    let lines: Vec<f64> = lists.iter().map(|list| list.way).collect();
    let ways = ways(&lines, profiles);
    // Ways that no candidate has as its profile.
    counts.resize(profiles.len(), 0);
    let mut fellows = vec![0u32; profiles.len()];
    let mut runners = vec![0u64; lists.len()];
    for (profile, &way) in ways.iter().enumerate() {
        fellows[way as usize] += counts[profile];
        profiles.entries(way as usize).iter().for_each(|entry| runners[entry.list()] += u64::from(counts[profile]));
    }
    let candidates: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let rarities: Vec<f64> = runners.iter().map(|&n| libm::log(candidates as f64 / n.max(1) as f64)).collect();
    // Most ways are of few.
    let few: Vec<f64> = (0..FEW).map(logarithm).collect();
    let logarithm = |count: u32| few.get(count as usize).copied().unwrap_or_else(|| logarithm(count));
    let trace = |&way: &u32| {
        let (mut run, mut rarity) = (0.0, 0.0);
        for entry in profiles.entries(way as usize) {
            run += lines[entry.list()];
            rarity += lines[entry.list()] * rarities[entry.list()];
        }
        match run > 0.0 {
            true => Trace { rarity: rarity / run, fellows: logarithm(fellows[way as usize]) },
            false => Trace::default(),
        }
    };
    let mut traces: Vec<Trace> = ways.iter().map(trace).collect();
    traces.resize(profiles.len(), Trace::default());
    traces
}

/// The way of each profile: itself, or what is left of it without lists that are no block of a changed function.
fn ways(lines: &[f64], profiles: &mut Profiles) -> Vec<u32> {
    let is_of_way = |entry: &Entry| lines[entry.list()] > 0.0;
    let mut of_way: Vec<Entry> = Vec::new();
    let mut ways = Vec::with_capacity(profiles.len());
    for profile in 0..profiles.len() {
        let entries = profiles.entries(profile);
        let way = match entries.iter().all(is_of_way) {
            true => profile,
            false => {
                of_way.clear();
                of_way.extend(entries.iter().copied().filter(is_of_way));
                profiles.number(&of_way)
            }
        };
        ways.push(position(way));
    }
    ways
}
