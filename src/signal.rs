//! What an observation is worth: the signal A of a test on a region, p = 1 - exp(-A) being the chance that the test
//! fails if the region is broken.
//!
//! The model stores observations; this room turns them into [`Level`]s at query time. A real fault fails one to three
//! tests, however many run the broken lines: measured on reverted bug fixes of 13 Python projects, the chance that a
//! test which runs the lines fails was .75, .31, .08, .015 and .006 for lines that 1-3, 4-15, 16-63, 64-255 and 256-1023
//! tests run, about 1.5 / n. So the tests of a region share what a fault fails, each by a factor
//!
//! > f_i = exp(sum_k theta_k x_ik),   p_i = min(0.95, phi f_i / sum over the region's tests of f),
//!
//! a conditional logit (McFadden, "Conditional logit analysis of qualitative choice behavior", 1974) over the evidence x of
//! [`Evidence`], with the constants theta of [`Calibration`]. `docs/selection.md` says on what they were fitted, and how
//! well they hold on projects that the fit did not see.

use rkyv::{Archive, Deserialize, Serialize};

use crate::history::History;
use crate::optimize::Level;

/// The most that a share is worth: nothing recorded is certain.
const CHANCE_MOST: f64 = 0.95;

/// How much a test gains that failed in each of its runs; one that failed in its last run alone gains half of it. By
/// judgement: no measured suite came with the outcomes of its runs.
const FAILED_GAIN: f64 = 2.0;

/// A test whose own source changed: it is all but certain to tell.
pub const IS_THE_CHANGE: Level = Level(224);

/// The greatest exponent of a factor, either way: far beyond what evidence says, far within a float.
const EXPONENT_MOST: f64 = 64.0;

/// The greatest constant that a model may hold.
const CONSTANT_MOST: f64 = 1000.0;

/// How much rather a test fails whose runs have this history, on top of all other evidence: 1/3 to 3, and at most 1 for
/// a flaky one.
///
/// Its failures by recency: exponential smoothing (Kim and Porter, "A history-based test prioritization technique for
/// regression testing in resource constrained environments", ICSE 2002) with half of the weight on the last run, which
/// reads the runs as the digits of a binary fraction. What a flaky test's failures say, they say of chance: it may gain
/// as much as any other, from a third, so that they never put it before a test that did not fail.
pub fn factor_of_history(history: History) -> f64 {
    let recent = f64::from(history.failed.reverse_bits()) / 256.0;
    let gain = 1.0 + FAILED_GAIN * recent;
    if history.is_flaky { gain / (1.0 + FAILED_GAIN) } else { gain }
}

/// What tells one test of a region from another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// What its words have in common with those of the change, the test of the suite with the most being 1.
    pub words: f64,
    /// The share of the words in the changed symbols' names that its own name holds, by their rarity; 0 to 1.
    pub name: f64,
    /// Whether its file is called after a changed one: 0 or 1.
    pub mirror: f64,
    /// How few of the candidates run the lines of the changed functions that it runs: the mean, in nats.
    pub rarity: f64,
    /// The logarithm of how many candidates run just the same lines of the changed functions.
    pub fellows: f64,
    /// The logarithm of how many candidates are of its family.
    pub variants: f64,
}

/// The constants of the signal, as a model holds them.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct Calibration {
    /// The coefficient of the words, where a recording tells which tests run the change.
    pub words: f64,
    /// The coefficient of the words where nothing recorded tells tests apart: module scope, which runs once for all tests that
    /// touch its file, and whatever no region knows. Words must do alone there what lines do elsewhere.
    pub words_alone: f64,
    /// The coefficient of the name.
    pub name: f64,
    /// Of the mirrored path.
    pub mirror: f64,
    /// Of the rarity of what it runs.
    pub rarity: f64,
    /// Of those that run the same.
    pub fellows: f64,
    /// Of the variants of one test.
    pub variants: f64,
    /// phi: the tests that a fault fails, whatever their number.
    pub failing: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            words: 5.3,
            words_alone: 7.7,
            name: 1.6,
            mirror: 0.9,
            rarity: 0.6,
            fellows: -0.1,
            variants: -0.3,
            failing: 1.0,
        }
    }
}

impl Calibration {
    /// The names of the constants, as inputs state them, in the order of [`Calibration::values`].
    pub const NAMES: [&'static str; 8] =
        ["words", "words_alone", "name", "mirror", "rarity", "fellows", "variants", "failing"];

    /// The constants in the order of their names.
    pub fn values(&self) -> [f64; 8] {
        [self.words, self.words_alone, self.name, self.mirror, self.rarity, self.fellows, self.variants, self.failing]
    }

    /// These constants, by the order of their names.
    pub fn from_values(values: [f64; 8]) -> Self {
        let [words, words_alone, name, mirror, rarity, fellows, variants, failing] = values;
        Self { words, words_alone, name, mirror, rarity, fellows, variants, failing }
    }

    /// The constants that are stated by name, and for the rest those that are shipped; and which were stated, a bit each.
    pub fn of(stated: impl IntoIterator<Item = (&'static str, f64)>) -> (Self, u32) {
        let (mut values, mut bits) = (Self::default().values(), 0);
        for (name, value) in stated {
            if let Some(at) = Self::NAMES.iter().position(|&known| known == name) {
                values[at] = value;
                bits |= 1 << at;
            }
        }
        (Self::from_values(values), bits)
    }

    /// The constants that `bits` says were stated, by name.
    pub fn stated(&self, bits: u32) -> impl Iterator<Item = (&'static str, f64)> {
        let all = Self::NAMES.into_iter().zip(self.values()).enumerate();
        all.filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, constant)| constant)
    }

    /// What is wrong with the constants: each is a number of at most a thousand, and the last is not negative.
    pub fn problem(&self) -> Option<&'static str> {
        let in_range = |value: f64| value.is_finite() && value.abs() <= CONSTANT_MOST;
        if !self.values().into_iter().all(in_range) {
            return Some("a constant of the signal is not within -1000 to 1000");
        }
        (self.failing < 0.0).then_some("a constant of the signal is negative")
    }

    /// How much rather a test fails than others of a region that a recording knows.
    pub fn factor(&self, evidence: &Evidence) -> f64 {
        self.factor_by(self.words, evidence)
    }

    /// How much rather a test fails than others of a region on which nothing recorded tells them apart.
    pub fn factor_alone(&self, evidence: &Evidence) -> f64 {
        self.factor_by(self.words_alone, evidence)
    }

    fn factor_by(&self, words: f64, evidence: &Evidence) -> f64 {
        let exponent = words * evidence.words
            + self.name * evidence.name
            + self.mirror * evidence.mirror
            + self.rarity * evidence.rarity
            + self.fellows * evidence.fellows
            + self.variants * evidence.variants;
        libm::exp(exponent.clamp(-EXPONENT_MOST, EXPONENT_MOST))
    }

    /// The signal of a test that has `factor` of the `total` factors of a region's tests.
    pub fn share(&self, factor: f64, total: f64) -> Level {
        let share = if total > 0.0 { factor / total } else { 0.0 };
        let chance = (self.failing * share).min(CHANCE_MOST);
        Level::from_signal(-libm::log1p(-chance)).max(Level(1))
    }
}

/// The levels of shares, as [`Calibration::share`] gives them, without its logarithms: a region of a hub has a hundred
/// thousand tests.
///
/// A level begins at a share that is known by a formula. A share that is not within rounding of one is told by comparing,
/// any other by the formula itself.
#[derive(Clone, Debug)]
pub(crate) struct ShareLevels {
    calibration: Calibration,
    /// Where each level begins, as a share; beyond every share for those above the greatest.
    begins: Vec<f64>,
    /// By the leading bits of a share, from those of `first_cell` on, the level at the start of the cell.
    cells: Vec<u8>,
    first_cell: u64,
}

/// Cells of [`ShareLevels`] are told by the sign, the exponent and six bits of a float: most are narrower than a level.
const CELL_SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - 6;

/// How near the start of a level, relative to it, rounding might tell the level otherwise. Generous.
const BEGIN_MARGIN: f64 = 1e-9;

impl ShareLevels {
    pub(crate) fn new(calibration: Calibration) -> Self {
        let greatest = calibration.share(1.0, 1.0);
        let begin = |level: u16| match level {
            0 | 1 => 0.0,
            // Half a level below it the signal rounds to it.
            level if level <= greatest.0.into() => {
                let signal = libm::exp2((f64::from(level) - 0.5 - 192.0) / 16.0);
                -libm::expm1(-signal) / calibration.failing
            }
            _ => f64::INFINITY,
        };
        let begins: Vec<f64> = (0..=256).map(begin).collect();
        let first_cell = begins[2].to_bits() >> CELL_SHIFT;
        let last_cell = begins[usize::from(greatest.0)].to_bits() >> CELL_SHIFT;
        let level_at = |cell: u64| begins.partition_point(|&begin| begin <= f64::from_bits(cell << CELL_SHIFT)) - 1;
        let cells = (first_cell..=last_cell).map(|cell| u8::try_from(level_at(cell)).unwrap_or(greatest.0)).collect();
        Self { calibration, begins, cells, first_cell }
    }

    /// [`Calibration::share`].
    #[inline]
    pub(crate) fn level(&self, factor: f64, total: f64) -> Level {
        let share = factor / total;
        // Of a hub most shares are below the first.
        if share < self.begins[2] * (1.0 - BEGIN_MARGIN) {
            return Level(1);
        }
        let cell = (share.to_bits() >> CELL_SHIFT).wrapping_sub(self.first_cell);
        let Some(&level) = usize::try_from(cell).ok().and_then(|cell| self.cells.get(cell)) else {
            return self.calibration.share(factor, total);
        };
        let begins = &self.begins[usize::from(level)..];
        let is_near = |begin: f64| (share - begin).abs() <= begin * BEGIN_MARGIN;
        // Where chances come near to one, a cell holds more than one start.
        let mut at = 0;
        while begins[at + 1] <= share {
            at += 1;
        }
        match is_near(begins[at]) || is_near(begins[at + 1]) {
            true => self.calibration.share(factor, total),
            false => Level(level + u8::try_from(at).unwrap_or(u8::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(level: Level) -> f64 {
        1.0 - (-level.signal()).exp()
    }

    #[test]
    fn a_crowd_is_worth_less_each() {
        let share = |total| Calibration { failing: 1.5, ..Calibration::default() }.share(1.0, total);
        for (tests, want) in [(1, 0.95), (2, 0.75), (8, 0.19), (40, 0.0375), (500, 0.003)] {
            let found = chance(share(f64::from(tests)));
            assert!((found / want - 1.0).abs() < 0.05, "{tests} tests: {found} for {want}");
        }
        assert_eq!(share(1e12), Level(1), "a candidate never loses its signal");
        assert_eq!(share(0.0), Level(1));
    }

    #[test]
    fn levels_of_shares_are_those_of_the_formula() {
        for failing in [0.0, 0.3, 1.0, 1.5, 1000.0] {
            let calibration = Calibration { failing, ..Calibration::default() };
            let levels = ShareLevels::new(calibration);
            let mut share = 1e-12;
            while share <= 1.0 {
                assert_eq!(levels.level(share, 1.0), calibration.share(share, 1.0), "{share} x {failing}");
                share *= 1.000_3;
            }
            for begin in levels.begins.iter().filter(|begin| begin.is_finite()) {
                for share in [begin * (1.0 - 1e-15), *begin, begin * (1.0 + 1e-15)] {
                    assert_eq!(levels.level(share, 1.0), calibration.share(share, 1.0), "{share} x {failing}");
                }
            }
            for (factor, total) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1e300), (3.0, 7.0)] {
                assert_eq!(levels.level(factor, total), calibration.share(factor, total));
            }
        }
    }

    #[test]
    fn evidence_tells_the_tests_of_a_crowd_apart() {
        let calibration = Calibration::default();
        let factor = |words, name| calibration.factor(&Evidence { words, name, ..Evidence::default() });
        let (named, other) = (factor(1.0, 1.0), factor(0.1, 0.0));
        let total = named + 9.0 * other;
        assert!(chance(calibration.share(named, total)) > 0.9);
        assert!(chance(calibration.share(other, total)) < 0.03);
        assert_eq!(calibration.factor(&Evidence::default()), 1.0);
    }

    #[test]
    fn failures_count_by_recency_and_chance_discounts_them() {
        let factor = |failed: u8, is_flaky| factor_of_history(History { runs: 8, failed, is_flaky, failed_us: 0 });
        assert_eq!((factor(0b1, false), factor(0b10, false), factor(0b11, false)), (2.0, 1.5, 2.5));
        for failed in 1..=u8::MAX {
            let (sound, flaky) = (factor(failed, false), factor(failed, true));
            assert!(sound > 1.0 && sound < 3.0, "{failed:#b}");
            assert!(flaky > 1.0 / 3.0 && flaky < 1.0, "{failed:#b}");
            // A failure more raises it, and so does each failure that is a run younger.
            assert!(failed == u8::MAX || factor(failed | (failed + 1), false) > sound);
            assert!(failed & 1 == 1 || factor(failed >> 1, false) > sound);
        }
        assert_eq!(factor(0, true), 1.0 / 3.0);
    }

    #[test]
    fn constants_of_a_crafted_model_are_refused_or_harmless() {
        assert_eq!(Calibration::default().problem(), None);
        for bad in [f64::NAN, f64::INFINITY, -1001.0] {
            assert!(Calibration { words: bad, ..Calibration::default() }.problem().is_some(), "{bad}");
        }
        assert!(Calibration { failing: -1.0, ..Calibration::default() }.problem().is_some());
        let wild = Calibration { words: 1000.0, ..Calibration::default() };
        assert!(wild.factor(&Evidence { words: 1.0, ..Evidence::default() }).is_finite());
        assert_eq!(Calibration::from_values(wild.values()), wild);
    }
}
