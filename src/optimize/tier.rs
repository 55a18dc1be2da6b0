//! The best of a pool, in a heap of one candidate for all its twins.
//!
//! Candidates of one family and group with equal rows are a *run*: their gains are equal at any time, so that the cheapest stands
//! for them all until it is picked. Runs with equal rows whose families are untouched have equal gains too: the run of
//! the cheapest is their *herald*, and the others wait behind it; once its family is touched, it goes on alone, and the
//! next becomes herald. Everything that touches a hub may be a twin: without this, each pick would refresh them one by
//! one.
//!
//! A candidate whose group is not open costs its set-up too. When a group is opened, its members cost less: all that can
//! be picked, from behind the cut too, enter the heap anew, and what stood there at the old cost is void.
//!
//! Invariant: no candidate outside the heap that can still be picked would be preferred to the greatest in it.

use std::collections::BinaryHeap;

use super::greedy::{Entry, Walk};
use super::instance::{NO_FAMILY, Row};
use super::objective::ProfileValues;

pub(super) struct Tier {
    /// All candidates: runs with equal rows side by side, in the order in which they wait; each best first.
    queue: Vec<Entry>,
    /// The runs of the queue, then an empty one at its end.
    runs: Vec<Run>,
    heap: BinaryHeap<Front>,
}

#[derive(Clone, Copy)]
struct Run {
    start: usize,
    /// Whether it waits behind the run before, which has equal rows.
    waits: bool,
}

/// The best of a run that is not picked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Front {
    entry: Entry,
    /// Its place in the queue.
    place: usize,
    run: usize,
    /// Whether runs may wait behind it.
    herald: bool,
}

impl Tier {
    /// A heap of `entries`, whose gains are fresh.
    pub(super) fn new(walk: &Walk<'_>, entries: Vec<Entry>) -> Self {
        let (queue, runs) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len() + 1));
        let mut tier = Self { queue, runs, heap: BinaryHeap::new() };
        tier.push(walk, entries);
        tier
    }

    /// Adds entries as runs, and an empty run at the end, behind which nothing waits.
    fn push(&mut self, walk: &Walk<'_>, entries: Vec<Entry>) {
        let first = self.runs.len();
        queue_in_runs(walk, entries, &mut self.queue, &mut self.runs);
        let heralds = (first..).zip(&self.runs[first..]).filter(|(_, run)| !run.waits && run.start < self.queue.len());
        let front = |(run, &Run { start, .. })| Front { entry: self.queue[start], place: start, run, herald: true };
        self.heap.append(&mut heralds.map(front).collect());
    }

    /// Picks until nothing is left or the best falls behind the cut, a step; whether it did.
    pub(super) fn pick(&mut self, walk: &mut Walk<'_>, cut: u16, negligible: u64) -> bool {
        while let Some(&best) = self.heap.peek() {
            let Front { mut entry, herald, .. } = best;
            if entry.step() < cut {
                return true;
            }
            if !walk.is_offered(entry.candidate) || walk.price_us(entry.candidate) != entry.price_us {
                // Its group was opened, and its run is in the heap anew.
                self.heap.pop();
                self.push_waiting(&best);
            } else if entry.gain < negligible || (walk.prices_are_costs() && !walk.fits(entry.candidate)) {
                // Its twins, and the runs behind it, cost no less and gain no more.
                self.heap.pop();
            } else if !walk.fits(entry.candidate) {
                // Its twins do not fit either, but a run behind it may, on a worker where its own group is open.
                self.heap.pop();
                self.push_waiting(&best);
            } else if herald && walk.is_touched(entry.candidate) {
                self.replace_best(Front { herald: false, ..best });
                self.push_waiting(&best);
            } else if !walk.is_fresh(&entry) {
                walk.refresh(&mut entry);
                self.replace_best(Front { entry, ..best });
            } else {
                self.take(walk, best);
            }
        }
        false
    }

    /// Picks the best of the heap.
    fn take(&mut self, walk: &mut Walk<'_>, best: Front) {
        let Front { entry, place, run, .. } = best;
        let opened = walk.take(entry.candidate);
        if opened.is_none() && place + 1 < self.runs[run + 1].start {
            let twin = entry.succeeded_by(&self.queue[place + 1]);
            self.replace_best(Front { entry: twin, place: place + 1, run, herald: false });
        } else {
            self.heap.pop();
        }
        self.push_waiting(&best);
        if let Some(group) = opened {
            let members = walk.score_group(group);
            self.push(walk, members);
        }
    }

    fn replace_best(&mut self, front: Front) {
        if let Some(mut best) = self.heap.peek_mut() {
            *best = front;
        }
    }

    /// Makes the run that waits behind a herald the next one, with the gain that the herald had: their rows are equal.
    fn push_waiting(&mut self, front: &Front) {
        let next = self.runs[front.run + 1];
        if front.herald && next.waits {
            let entry = front.entry.succeeded_by(&self.queue[next.start]);
            self.heap.push(Front { entry, place: next.start, run: front.run + 1, herald: true });
        }
    }
}

/// Sorts entries into runs; the last run is an empty one at the end.
fn queue_in_runs(walk: &Walk<'_>, entries: Vec<Entry>, queue: &mut Vec<Entry>, runs: &mut Vec<Run>) {
    let instance = walk.instance();
    let rows_of = |entry: &Entry| instance.rows_of(entry.candidate);
    // A touched family goes on alone.
    let family_of = |entry: &Entry| {
        let candidate = entry.candidate;
        (walk.is_touched(candidate), instance.family_of(candidate), instance.group_of(candidate))
    };
    let by_cost = |entry: &Entry| (entry.price_us, entry.candidate);
    // Equal rows are to stand side by side, in whatever order. Where hashes are equal and rows are not, some may stand apart, which
    // costs a look at each. What is compared is looked up once: there are many candidates of few rows.
    let mut hashes = ProfileValues::new(instance);
    let key = |entry: &Entry| {
        let hash = hashes.of(instance, entry.candidate, || hash_of(rows_of(entry)) >> 1);
        (hash, family_of(entry), by_cost(entry))
    };
    let mut keyed: Vec<_> = entries.iter().map(key).zip(&entries).collect();
    keyed.sort_unstable_by_key(|&(key, _)| key);
    let entries: Vec<Entry> = keyed.into_iter().map(|(_, &entry)| entry).collect();
    let in_run = |a: &Entry, b: &Entry| family_of(a).1 != NO_FAMILY && family_of(a) == family_of(b);
    let mut twins: Vec<&[Entry]> = Vec::new();
    for same_rows in entries.chunk_by(|a, b| rows_of(a) == rows_of(b)) {
        twins.extend(same_rows.chunk_by(in_run));
        twins.sort_unstable_by_key(|run| (!walk.is_touched(run[0].candidate), by_cost(&run[0])));
        let mut waits = false;
        for run in twins.drain(..) {
            runs.push(Run { start: queue.len(), waits });
            queue.extend_from_slice(run);
            waits = !walk.is_touched(run[0].candidate);
        }
    }
    runs.push(Run { start: queue.len(), waits: false });
}

fn hash_of(rows: &[Row]) -> u64 {
    let step =
        |hash: u64, row: &Row| (hash.rotate_left(23) ^ u64::from(row.bits())).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    rows.iter().fold(rows.len() as u64, step)
}
