//! Which worker runs what: with several workers the budget is a makespan.
//!
//! The session starts once, for all workers together; what is scheduled here is what follows. A worker pays the set-up of a
//! group when it runs the first of its candidates, so that a group may be opened on several.
//!
//! Candidates are placed as they are picked: on a worker where their group is open if one has room, for that takes least of
//! what all workers have, and of such workers where they end earliest (list scheduling: Graham, "Bounds on
//! multiprocessing timing anomalies", SIAM J. Appl. Math. 17, 1969). Once nothing fits, the picks are *packed*, longest first,
//! each on the fullest worker that takes it: that leaves the most room in one piece, where an even schedule would leave a little
//! on each (best-fit decreasing: Johnson et al., SIAM J. Comput. 3, 1974). When picking is over, they are *evened out*:
//! longest first, where they end earliest (LPT, Graham 1969), if that is shorter. Both are tried with the candidates of a group
//! kept together and one by one.
//!
//! Invariants:
//! - No worker is busy for longer than the budget.
//! - A candidate that fits nowhere fits nowhere after further picks: where its group is opened later, opening it for the
//!   candidate itself would have fitted before.
//! - What fits one worker fits several in the same order: no worker is ever busy for longer than the one worker would be,
//!   so that there is room where a group is open, and on the idlest where it is not.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::instance::{Instance, NO_GROUP};

/// Who opened a group that is closed.
const NOBODY: u32 = u32::MAX;

/// Placed candidates, and what is left of each worker's budget.
#[derive(Clone)]
pub(super) struct Schedule<'a> {
    instance: &'a Instance,
    budget_us: u64,
    left_us: Vec<u64>,
    /// The first of the workers with the most left.
    idlest: u32,
    /// By group, the first worker that opened it.
    opened_by: Vec<u32>,
    /// Groups and the further workers that opened them.
    opened_too: BTreeSet<(u32, u32)>,
    /// The worker of each placed candidate, in the order of picking.
    workers: Vec<u32>,
}

/// Where a candidate would run, and what it would leave there.
#[derive(Clone, Copy)]
struct Place {
    worker: u32,
    left_us: u64,
}

/// A candidate, or the candidates of a group, to be placed as one.
struct Job {
    length_us: u64,
    /// Positions in the picks.
    positions: Vec<usize>,
}

/// Which of the workers that take it a job prefers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Preference {
    /// The one that ends it earliest.
    Idlest,
    /// The one that it leaves the least.
    Fullest,
}

impl<'a> Schedule<'a> {
    /// Nothing placed on any of at least one worker.
    pub(super) fn new(instance: &'a Instance, budget_us: u64, workers: usize) -> Self {
        let opened_by = vec![NOBODY; instance.group_count()];
        let left_us = vec![budget_us; workers.max(1)];
        Self { instance, budget_us, left_us, idlest: 0, opened_by, opened_too: BTreeSet::new(), workers: Vec::new() }
    }

    /// Whether there is one worker only.
    pub(super) fn is_single(&self) -> bool {
        self.left_us.len() == 1
    }

    /// Whether a group is open on any worker, or needs no set-up.
    #[inline]
    pub(super) fn is_open(&self, group: u32) -> bool {
        self.opened_by.get(group as usize) != Some(&NOBODY)
    }

    /// The most that is left on one worker, in microseconds.
    pub(super) fn room_us(&self) -> u64 {
        self.left_us[self.idlest as usize]
    }

    /// When the last worker is done, in microseconds.
    pub(super) fn makespan_us(&self) -> u64 {
        self.budget_us - self.left_us.iter().min().expect("there is at least one worker")
    }

    /// The makespan in microseconds of each prefix of these picks, each on its worker.
    pub(super) fn makespans_us(&self, picks: &[u32]) -> Vec<u64> {
        let mut again = Self::new(self.instance, self.budget_us, self.left_us.len());
        let mut makespan_us = 0;
        let makespan = |(&pick, &worker): (&u32, &u32)| {
            again.place(pick, worker);
            makespan_us = makespan_us.max(again.budget_us - again.left_us[worker as usize]);
            makespan_us
        };
        picks.iter().zip(&self.workers).map(makespan).collect()
    }

    /// The worker of each placed candidate, in the order of picking.
    pub(super) fn workers(&self) -> &[u32] {
        &self.workers
    }

    /// Whether a candidate fits on any worker.
    #[inline]
    pub(super) fn fits(&self, candidate: u32) -> bool {
        match self.opened_by.is_empty() {
            true => self.instance.costs_us()[candidate as usize] <= self.room_us(),
            false => self.cheapest(candidate).is_some(),
        }
    }

    /// Whether a candidate is done by `limit_us` where it would be placed.
    pub(super) fn fits_by(&self, candidate: u32, limit_us: u64) -> bool {
        self.cheapest(candidate).is_some_and(|place| self.budget_us - place.left_us <= limit_us)
    }

    /// Places a candidate where it costs least and ends earliest; returns its group if no worker had opened it.
    ///
    /// # Panics
    /// When it does not fit.
    pub(super) fn add(&mut self, candidate: u32) -> Option<u32> {
        let Place { worker, .. } = self.cheapest(candidate).expect("only what fits is placed");
        self.workers.push(worker);
        self.place(candidate, worker)
    }

    /// The same picks packed so that more is left in one piece, if that can be.
    pub(super) fn packed(&self, picks: &[u32]) -> Option<Self> {
        let packed = [true, false].map(|together| self.longest_first(picks, together, Preference::Fullest));
        let roomiest = packed.into_iter().flatten().rev().max_by_key(Self::room_us);
        roomiest.filter(|packed| packed.room_us() > self.room_us())
    }

    /// The same picks evened out, if all are done earlier so.
    pub(super) fn evened_out(&self, picks: &[u32]) -> Option<Self> {
        if self.is_single() {
            return None;
        }
        let even = [true, false].map(|together| self.longest_first(picks, together, Preference::Idlest));
        let shortest = even.into_iter().flatten().min_by_key(Self::makespan_us);
        shortest.filter(|even| even.makespan_us() < self.makespan_us())
    }

    fn longest_first(&self, picks: &[u32], together: bool, preference: Preference) -> Option<Self> {
        let mut anew = Self::new(self.instance, self.budget_us, self.left_us.len());
        anew.workers = vec![0; picks.len()];
        for job in jobs(self.instance, picks, together) {
            match anew.place_of_all(job.length_us, preference).filter(|_| job.positions.len() > 1) {
                Some(Place { worker, .. }) => job.positions.iter().for_each(|&at| anew.run(picks, at, worker)),
                None => {
                    for at in job.positions {
                        let Place { worker, .. } = anew.preferred(picks[at], preference)?;
                        anew.run(picks, at, worker);
                    }
                }
            }
        }
        Some(anew)
    }

    fn run(&mut self, picks: &[u32], position: usize, worker: u32) {
        self.workers[position] = worker;
        self.place(picks[position], worker);
    }

    fn preferred(&self, candidate: u32, preference: Preference) -> Option<Place> {
        if preference == Preference::Idlest {
            return self.earliest(candidate);
        }
        let places = (0..).take(self.left_us.len()).filter_map(|worker| self.place_on(candidate, worker));
        places.min_by_key(|place| place.left_us)
    }

    /// Where a whole group that nobody opened would run.
    fn place_of_all(&self, length_us: u64, preference: Preference) -> Option<Place> {
        let left = |(worker, left_us): (u32, &u64)| Some(Place { worker, left_us: left_us.checked_sub(length_us)? });
        let places = (0..).zip(&self.left_us).filter_map(left);
        match preference {
            Preference::Idlest => first_of_earliest(places),
            Preference::Fullest => places.min_by_key(|place| place.left_us),
        }
    }

    /// Where a candidate costs least, and of such places ends earliest.
    #[inline]
    fn cheapest(&self, candidate: u32) -> Option<Place> {
        let anywhere = || self.place_on(candidate, self.idlest);
        match self.is_single() {
            true => anywhere(),
            false => first_of_earliest(self.places_open(candidate)).or_else(anywhere),
        }
    }

    /// Where a candidate ends earliest: of the workers that have to open its group, that is the idlest.
    fn earliest(&self, candidate: u32) -> Option<Place> {
        first_of_earliest(self.place_on(candidate, self.idlest).into_iter().chain(self.places_open(candidate)))
    }

    /// The workers that opened the group of a candidate and have room for it.
    fn places_open(&self, candidate: u32) -> impl Iterator<Item = Place> {
        let group = self.instance.group_of(candidate);
        let first = self.opened_by.get(group as usize).copied().filter(|&worker| worker != NOBODY);
        let others = self.opened_too.range((group, 0)..=(group, u32::MAX)).map(|&(_, worker)| worker);
        first.into_iter().chain(others).filter_map(move |worker| self.place_on(candidate, worker))
    }

    /// What a candidate would leave of a worker's budget.
    #[inline]
    fn place_on(&self, candidate: u32, worker: u32) -> Option<Place> {
        let cost_us = match self.is_open_on(self.instance.group_of(candidate), worker) {
            true => self.instance.costs_us()[candidate as usize],
            false => self.instance.cost_alone_us(candidate),
        };
        let left_us = self.left_us[worker as usize].checked_sub(cost_us)?;
        Some(Place { worker, left_us })
    }

    fn is_open_on(&self, group: u32, worker: u32) -> bool {
        match self.opened_by.get(group as usize) {
            None => true,
            Some(&first) => first == worker || (first != NOBODY && self.opened_too.contains(&(group, worker))),
        }
    }

    fn place(&mut self, candidate: u32, worker: u32) -> Option<u32> {
        let place = self.place_on(candidate, worker).expect("only what fits is placed");
        self.left_us[worker as usize] = place.left_us;
        if worker == self.idlest {
            let idle = (0..).zip(&self.left_us).max_by_key(|&(worker, left_us): &(u32, _)| (left_us, Reverse(worker)));
            self.idlest = idle.expect("there is at least one worker").0;
        }
        self.open(self.instance.group_of(candidate), worker)
    }

    fn open(&mut self, group: u32, worker: u32) -> Option<u32> {
        let first = self.opened_by.get_mut(group as usize)?;
        if *first == NOBODY {
            *first = worker;
            return Some(group);
        }
        if *first != worker {
            self.opened_too.insert((group, worker));
        }
        None
    }
}

/// Of places for the same candidate, the one where it ends earliest; of several the first worker.
fn first_of_earliest(places: impl Iterator<Item = Place>) -> Option<Place> {
    places.max_by_key(|place| (place.left_us, Reverse(place.worker)))
}

/// The picks as jobs, longest first; `together` makes one job of the picks of a group.
fn jobs(instance: &Instance, picks: &[u32], together: bool) -> Vec<Job> {
    let group_of = |at: usize| instance.group_of(picks[at]);
    let mut positions: Vec<usize> = (0..picks.len()).collect();
    // Within a group longest first too, for where it has to be taken apart.
    positions.sort_by_key(|&at| (group_of(at), Reverse(instance.costs_us()[picks[at] as usize])));
    let as_one = |&a: &usize, &b: &usize| together && group_of(a) == group_of(b) && group_of(a) != NO_GROUP;
    let length_us = |positions: &[usize]| {
        let (first, others) = positions.split_first().expect("a chunk is not empty");
        let others = others.iter().map(|&at| instance.costs_us()[picks[at] as usize]);
        others.fold(instance.cost_alone_us(picks[*first]), u64::saturating_add)
    };
    let job = |chunk: &[usize]| Job { length_us: length_us(chunk), positions: chunk.to_vec() };
    let mut jobs: Vec<Job> = positions.chunk_by(as_one).map(job).collect();
    jobs.sort_by_key(|job| (Reverse(job.length_us), job.positions.first().copied()));
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Candidates of these costs, the first of a group paying its set-up.
    fn instance(costs_us: &[u64], group_of: &[u32], setup_us: &[u64]) -> Instance {
        let starts = vec![0; costs_us.len() + 1];
        let plain = Instance::new(vec![], costs_us.to_vec(), starts, vec![]).unwrap();
        plain.with_groups(group_of.to_vec(), setup_us.to_vec()).unwrap()
    }

    fn placed<'a>(instance: &'a Instance, budget_us: u64, workers: usize, picks: &[u32]) -> Schedule<'a> {
        let mut schedule = Schedule::new(instance, budget_us, workers);
        picks.iter().for_each(|&pick| {
            schedule.add(pick);
        });
        schedule
    }

    #[test]
    fn a_candidate_goes_where_its_file_is_open_and_then_where_it_ends_earliest() {
        let files = instance(&[5, 3, 1, 1, 9], &[0, 1, 0, 1, 2], &[4, 4, 0]);
        let schedule = placed(&files, 20, 2, &[0, 1, 2, 3, 4]);
        // 5 and 4, 3 and 4; then each where its file is open; then the idler of the two.
        assert_eq!(schedule.workers(), [0, 1, 0, 1, 1]);
        assert_eq!((schedule.makespan_us(), schedule.room_us()), (17, 10));
        assert_eq!(placed(&files, 20, 3, &[0, 1, 2, 3, 4]).workers(), [0, 1, 0, 1, 2]);
    }

    #[test]
    fn a_second_worker_pays_the_set_up_again() {
        let one_file = instance(&[6, 6, 1], &[0, 0, 0], &[2]);
        let schedule = placed(&one_file, 13, 2, &[0, 1, 2]);
        assert_eq!((schedule.workers(), schedule.makespan_us()), (&[0, 1, 0][..], 9));
        let schedule = placed(&one_file, 20, 2, &[0]);
        assert_eq!([13, 14].map(|limit_us| schedule.fits_by(1, limit_us)), [false, true]);
    }

    #[test]
    fn packing_leaves_room_in_one_piece() {
        let jobs = instance(&[4, 4, 3, 3, 6], &[0; 5], &[0]);
        let schedule = placed(&jobs, 10, 2, &[0, 1, 2, 3]);
        assert_eq!((schedule.room_us(), schedule.fits(4)), (3, false));
        let packed = schedule.packed(&[0, 1, 2, 3]).unwrap();
        assert_eq!((packed.workers(), packed.room_us()), (&[0, 0, 1, 1][..], 4));
        assert!(packed.packed(&[0, 1, 2, 3]).is_none(), "packing again makes no more room");
    }

    #[test]
    fn packing_opens_a_file_once_where_it_was_open_twice() {
        let files = instance(&[5, 6, 6, 1, 7], &[0, 0, 1, 0, 1], &[0, 3]);
        let schedule = placed(&files, 20, 2, &[0, 1, 2, 3, 4]);
        assert_eq!((schedule.workers(), schedule.room_us()), (&[0, 1, 0, 1, 1][..], 6));
        let packed = schedule.packed(&[0, 1, 2, 3, 4]).unwrap();
        assert_eq!((packed.workers(), packed.room_us()), (&[1, 1, 0, 0, 0][..], 9));
    }

    #[test]
    fn the_longest_go_first_when_evened_out() {
        let jobs = instance(&[2, 2, 2, 3, 3], &[0; 5], &[0]);
        let schedule = placed(&jobs, 10, 2, &[0, 1, 2, 3, 4]);
        assert_eq!(schedule.makespan_us(), 7);
        // 3 2 2 and 3 2: no schedule is shorter than LPT's here, and it does not change what is as short.
        assert!(schedule.evened_out(&[0, 1, 2, 3, 4]).is_none());
        let late = instance(&[1, 1, 4], &[0; 3], &[0]);
        let schedule = placed(&late, 10, 2, &[0, 1, 2]);
        let even = schedule.evened_out(&[0, 1, 2]).unwrap();
        assert_eq!((schedule.makespan_us(), even.makespan_us(), even.workers()), (5, 4, &[1, 1, 0][..]));
    }
}
