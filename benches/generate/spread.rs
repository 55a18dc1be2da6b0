//! Which tests run a region, so that those of any range of tests can be told without the others.
//!
//! Tests that run a line come in clumps: of the recorded suites of attrs, click, jinja, marshmallow, sqlparse and werkzeug
//! six to seven in ten follow the test before them in the order of ids, a run is 2 to 3 tests long, one gap in ten is wider
//! than 16 and one in fifty wider than 128 tests. So a clump is up to [`CLUMP_MOST`] tests among [`CLUMP_TESTS`]; clumps stand in
//! slots of equal width, each at a place of its own within its slot. Most slots lie side by side around where the file is at
//! home, some where it is a guest. A hub, which a large part of the suite runs, has slots all over it.
//!
//! The regions of a function have parts of its tests: a share of its clumps, or of the tests of its clumps where these are few.

use std::ops::Range;

use crate::random::{Random, at, below, mix};

/// Tests that a clump lies within.
const CLUMP_TESTS: u32 = 32;
/// Tests of a clump at most.
const CLUMP_MOST: u32 = 12;
/// Tests of a clump in the middle.
const CLUMP: u32 = 8;
/// Forms of clumps of each size.
const FORMS: u32 = 64;
/// Functions with fewer clumps give their regions parts of the clumps.
const FEW: u32 = 4;
/// By how many tests neighbouring clumps differ from the middle, at most, plus one.
const UNEVEN: u32 = 5;
/// Of the clumps that a region has one in so many lacks some tests.
const THINNED: u32 = 10;
/// What a share is of.
pub(crate) const WHOLE: u8 = 16;

/// The forms of clumps: of each number of tests, [`FORMS`] sets of them as bits.
pub(crate) struct Clumps(Vec<u32>);

impl Clumps {
    pub(crate) fn new() -> Self {
        let mut random = Random::new(1);
        let form = |at: u32, random: &mut Random| loop {
            if let Some(form) = Self::form(at / FORMS, random) {
                return form;
            }
        };
        Self((0..(CLUMP_MOST + 1) * FORMS).map(|at| form(at, &mut random)).collect())
    }

    /// So many tests with the gaps of recorded suites, if they are not spread too far.
    fn form(tests: u32, random: &mut Random) -> Option<u32> {
        let (mut form, mut place) = (0, 0);
        for _ in 0..tests {
            form |= 1_u32.checked_shl(place)?;
            place += match random.below(20) {
                0..=14 => 1,
                15..=17 => 2 + random.below(3),
                _ => 5 + random.below(6),
            };
        }
        Some(form)
    }

    fn get(&self, tests: u32, number: u64) -> u32 {
        self.0[(tests.min(CLUMP_MOST) * FORMS + below(number, FORMS)) as usize]
    }
}

/// Slots side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    start: u32,
    slots: u32,
}

/// The tests of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowd {
    seed: u64,
    tests: u32,
    slots: u32,
    stride: u32,
    windows: [Window; 3],
}

impl Crowd {
    /// `tests` of a suite, around the first of three places.
    pub(crate) fn near(places: [u32; 3], tests: u32, suite: u32, seed: u64) -> Self {
        let slots = tests.div_ceil(CLUMP);
        // Two to eight clumps in a stretch of two hundred and fifty tests, about what a package has.
        let stride = (CLUMP_TESTS + below(at(seed, 0), 96)).min(suite / slots).max(CLUMP_TESTS);
        let guest = slots / 8;
        let windows = [slots - 2 * guest, guest, guest];
        let mut at = places.iter().zip(windows).map(|(&place, slots)| {
            let width = slots * stride;
            Window { start: place.saturating_sub(width / 2).min(suite.saturating_sub(width)), slots }
        });
        let windows = std::array::from_fn(|_| at.next().unwrap_or_default());
        Self { seed, tests, slots, stride, windows }
    }

    /// `tests` from all over a suite.
    pub(crate) fn anywhere(tests: u32, suite: u32, seed: u64) -> Self {
        let is_dense = tests > suite / (CLUMP_TESTS + CLUMP) * CLUMP;
        let slots = tests.div_ceil(if is_dense { CLUMP_MOST } else { CLUMP });
        let windows = [Window { start: 0, slots }, Window::default(), Window::default()];
        Self { seed, tests, slots, stride: suite / slots, windows }
    }

    /// The most tests for which slots all over a suite are wide enough.
    pub(crate) fn most(suite: u32) -> u32 {
        (u32::try_from(u64::from(suite) * u64::from(CLUMP_MOST) / u64::from(CLUMP_TESTS + CLUMP))
            .expect("less than the suite"))
        .max(1)
    }

    /// Where its tests lie.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u32>> {
        let windows = self.windows.iter().filter(|window| window.slots > 0);
        windows.map(|window| window.start..window.start + window.slots * self.stride)
    }

    /// How many tests the clump of a slot has: of two neighbouring slots one has what the other lacks.
    fn clump(&self, slot: u32) -> u32 {
        let (tests, slots) = (u64::from(self.tests), u64::from(self.slots));
        let until = |slot: u32| u32::try_from(tests * u64::from(slot) / slots).expect("a part of the tests");
        let even = until(slot + 1) - until(slot);
        let pair = slot / 2 * 2;
        let most = UNEVEN.min(CLUMP_MOST + 1 - (until(pair + 2) - until(pair)).div_ceil(2));
        let uneven = below(at(self.seed, pair.into()), most);
        match slot ^ 1 {
            other if other >= self.slots => even,
            other if other > slot => even + uneven,
            _ => even - uneven.min(even - 1),
        }
    }
}

/// The tests of a region: a part of those of its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) crowd: Crowd,
    /// Of [`WHOLE`].
    pub(crate) share: u8,
    pub(crate) seed: u64,
}

impl Spread {
    /// Visits its tests within `range`; one may come twice, where windows overlap. O(its slots there).
    pub(crate) fn each(&self, clumps: &Clumps, range: &Range<u32>, mut visit: impl FnMut(u32)) {
        let Crowd { seed, stride, windows, .. } = self.crowd;
        let mut before = 0;
        for window in windows {
            let first = range.start.saturating_sub(window.start) / stride;
            let end = range.end.saturating_sub(window.start).div_ceil(stride).min(window.slots);
            for slot in first..end {
                let number = at(seed, u64::from(before + slot));
                let clump = clumps.get(self.crowd.clump(before + slot), number);
                let mut tests = self.part(clump, before + slot);
                let start = window.start + slot * stride + below(mix(number), stride - CLUMP_TESTS + 1);
                while tests != 0 {
                    let test = start + tests.trailing_zeros();
                    if range.contains(&test) {
                        visit(test);
                    }
                    tests &= tests - 1;
                }
            }
            before += window.slots;
        }
    }

    /// What the region has of a clump: at least the first test of the first.
    fn part(&self, clump: u32, slot: u32) -> u32 {
        if self.share == WHOLE {
            return clump;
        }
        let number = at(self.seed, u64::from(slot));
        let kept = if self.crowd.slots < FEW {
            clump & self.thinned(number)
        } else if number % u64::from(WHOLE) < u64::from(self.share) {
            if below(mix(number), THINNED) == 0 { clump & self.thinned(number) } else { clump }
        } else {
            0
        };
        if slot == 0 { kept | (clump & clump.wrapping_neg()) } else { kept }
    }

    /// Bits of which the share is set: each binary digit of the share, the last first, halves what was and adds its own half.
    fn thinned(&self, number: u64) -> u32 {
        let halve = |bits: u32, digit: u32| {
            let random = u32::try_from(at(number, u64::from(digit)) & u64::from(u32::MAX)).unwrap_or(u32::MAX);
            if self.share >> digit & 1 == 1 { bits | random } else { bits & random }
        };
        (0..WHOLE.ilog2()).fold(0, halve)
    }

    /// How many tests there are, the same one counted once.
    pub(crate) fn count(&self, clumps: &Clumps, suite: u32) -> u32 {
        u32::try_from(self.tests(clumps, suite).len()).expect("no more than the suite")
    }

    /// All its tests, ascending.
    pub(crate) fn tests(&self, clumps: &Clumps, suite: u32) -> Vec<u32> {
        let mut tests = Vec::new();
        self.each(clumps, &(0..suite), |test| tests.push(test));
        tests.sort_unstable();
        tests.dedup();
        tests
    }

    /// About how many tests there are.
    pub(crate) fn expected(&self) -> f64 {
        let share = f64::from(self.share) / f64::from(WHOLE);
        f64::from(self.crowd.tests) * share * (1.0 - (1.0 - share) / f64::from(THINNED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: u32 = 50_000;

    fn spreads() -> impl Iterator<Item = Spread> {
        (0..400).map(|seed| {
            let mut random = Random::new(seed);
            let places = [0; 3].map(|_| random.below(SUITE));
            let crowd = match random.percent(20) {
                true => Crowd::anywhere(100 + random.below(Crowd::most(SUITE) - 100), SUITE, seed),
                false => Crowd::near(places, 1 + random.below(400), SUITE, seed),
            };
            Spread { crowd, share: 1 + u8::try_from(random.below(16)).unwrap(), seed: seed + 7 }
        })
    }

    #[test]
    fn ranges_of_tests_join_to_the_whole() {
        let clumps = Clumps::new();
        for spread in spreads() {
            let mut joined = Vec::new();
            for start in (0..SUITE).step_by(977) {
                spread.each(&clumps, &(start..(start + 977).min(SUITE)), |test| joined.push(test));
            }
            joined.sort_unstable();
            joined.dedup();
            let tests = spread.tests(&clumps, SUITE);
            assert_eq!(joined, tests, "{spread:?}");
            assert!(
                !tests.is_empty() && tests.iter().all(|test| spread.crowd.ranges().any(|range| range.contains(test)))
            );
        }
    }

    #[test]
    fn a_whole_share_is_as_large_as_was_asked_for() {
        let clumps = Clumps::new();
        for spread in spreads() {
            let whole = Spread { share: WHOLE, ..spread };
            let (found, asked) = (whole.count(&clumps, SUITE), whole.crowd.tests);
            // Less where windows overlap.
            assert!(found <= asked && found >= asked * 3 / 4, "{found} of {asked}: {spread:?}");
            let part = spread.count(&clumps, SUITE);
            assert!(part <= found);
        }
    }

    #[test]
    fn gaps_are_those_of_recorded_suites() {
        let clumps = Clumps::new();
        let (mut next, mut wide, mut gaps) = (0, 0, 0);
        for spread in spreads().filter(|spread| spread.crowd.windows[1].slots > 0) {
            for pair in spread.tests(&clumps, SUITE).windows(2) {
                gaps += 1;
                next += u32::from(pair[1] - pair[0] == 1);
                wide += u32::from(pair[1] - pair[0] > 16);
            }
        }
        let (next, wide) = (next as f64 / gaps as f64, wide as f64 / gaps as f64);
        assert!((0.55..0.75).contains(&next) && (0.05..0.2).contains(&wide), "{next} {wide} of {gaps}");
    }
}
