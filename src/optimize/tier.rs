//! The best of a pool, in a heap of one candidate for all its twins.
//!
//! Candidates of one family with equal rows are a *run*: their gains are equal at any time, so that the cheapest stands
//! for them all until it is picked. Runs with equal rows whose families are untouched have equal gains too: the run of
//! the cheapest is their *herald*, and the others wait behind it; once its family is touched, it goes on alone, and the
//! next becomes herald. Everything that touches a hub may be a twin: without this, each pick would refresh them one by
//! one.
//!
//! Invariant: no candidate outside the heap that can still be picked would be preferred to the greatest in it.

use std::collections::BinaryHeap;

use super::greedy::{Entry, Walk};
use super::instance::NO_FAMILY;

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
    /// A heap of `entries`, whose gains are fresh or were computed with nothing picked.
    pub(super) fn new(walk: &Walk<'_>, entries: Vec<Entry>) -> Self {
        let (queue, runs) = in_runs(walk, entries);
        let heralds = runs.iter().enumerate().filter(|(_, run)| !run.waits && run.start < queue.len());
        let front = |(run, &Run { start, .. })| Front { entry: queue[start], place: start, run, herald: true };
        let heap = heralds.map(front).collect();
        Self { queue, runs, heap }
    }

    /// Picks until nothing is left or the best falls behind the cut.
    pub(super) fn pick(&mut self, walk: &mut Walk<'_>, cut: Option<&Entry>, negligible: u64) {
        while let Some(&best) = self.heap.peek() {
            let Front { mut entry, place, run, herald } = best;
            if cut.is_some_and(|cut| entry < *cut) {
                return;
            }
            if !walk.fits(entry.cost_us) || entry.gain < negligible {
                // Its twins, and the runs behind it, cost no less and gain no more.
                self.heap.pop();
            } else if herald && walk.is_touched(entry.candidate) {
                self.replace_best(Front { herald: false, ..best });
                self.push_waiting(run, &entry);
            } else if !walk.is_fresh(&entry) {
                walk.refresh(&mut entry);
                self.replace_best(Front { entry, ..best });
            } else {
                walk.take(entry.candidate);
                if place + 1 < self.runs[run + 1].start {
                    let twin = entry.succeeded_by(&self.queue[place + 1]);
                    self.replace_best(Front { entry: twin, place: place + 1, run, herald: false });
                } else {
                    self.heap.pop();
                }
                if herald {
                    self.push_waiting(run, &entry);
                }
            }
        }
    }

    fn replace_best(&mut self, front: Front) {
        if let Some(mut best) = self.heap.peek_mut() {
            *best = front;
        }
    }

    /// Makes the run that waits behind `run` a herald, with the gain that the last one had: their rows are equal.
    fn push_waiting(&mut self, run: usize, last: &Entry) {
        let next = self.runs[run + 1];
        if next.waits {
            let entry = last.succeeded_by(&self.queue[next.start]);
            self.heap.push(Front { entry, place: next.start, run: run + 1, herald: true });
        }
    }

    /// Adds all that were neither picked nor dropped to `behind`.
    pub(super) fn leave_to(self, behind: &mut Vec<Entry>) {
        for front in self.heap {
            let after = &self.runs[front.run + 1..];
            let waiting = after.iter().take_while(|run| front.herald && run.waits).count();
            behind.extend(&self.queue[front.place..after[waiting].start]);
        }
    }
}

/// Sorts entries into runs; the last run is an empty one at the end.
fn in_runs(walk: &Walk<'_>, mut entries: Vec<Entry>) -> (Vec<Entry>, Vec<Run>) {
    let instance = walk.instance();
    let rows_of = |entry: &Entry| instance.rows_of(entry.candidate);
    // A touched family goes on alone.
    let family_of = |entry: &Entry| (walk.is_touched(entry.candidate), instance.family_of(entry.candidate));
    let by_cost = |entry: &Entry| (entry.cost_us, entry.candidate);
    entries.sort_unstable_by(|a, b| {
        let by_rows = rows_of(a).cmp(rows_of(b));
        by_rows.then_with(|| family_of(a).cmp(&family_of(b))).then_with(|| by_cost(a).cmp(&by_cost(b)))
    });
    let in_run = |a: &Entry, b: &Entry| family_of(a).1 != NO_FAMILY && family_of(a) == family_of(b);
    let mut queue = Vec::with_capacity(entries.len());
    let mut runs = Vec::with_capacity(entries.len() + 1);
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
    (queue, runs)
}
