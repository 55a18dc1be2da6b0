//! What an observation is worth: the signal A of a test on a region, p = 1 - exp(-A) being the chance that the test
//! fails if the region is broken.
//!
//! The model stores observations; this room turns them into [`Level`]s at query time. A real fault fails one to three
//! tests, however many run the broken lines: measured on reverted bug fixes of 13 Python projects, the chance that a
//! test which runs the lines fails was .75, .31, .08, .015 and .006 for lines that 1-3, 4-15, 16-63, 64-255 and 256-1023
//! tests run, about 1.5 / n. So a crowd is worth little each, and the budget goes on until it is spent.

use crate::optimize::Level;

/// The tests that a real fault fails, whatever their number.
const FAILING_TESTS: f64 = 1.5;

/// The most that running the broken lines alone is worth.
const CHANCE_MOST: f64 = 0.75;

/// A test whose own source changed: it is all but certain to tell.
pub const IS_THE_CHANGE: Level = Level(224);

/// One of `tests` that ran exactly the changed lines, or for module scope touch the file.
pub fn ran_the_lines(tests: u32) -> Level {
    let chance = (FAILING_TESTS / f64::from(tests.max(1))).min(CHANCE_MOST);
    Level::from_signal(-libm::log1p(-chance)).max(Level(1))
}

/// One of `tests` that ran lines of the symbol in which the change is, not known where: `run` of the `recorded` ones.
pub fn ran_part(tests: u32, run: f64, recorded: f64) -> Level {
    let share = if recorded > 0.0 { (run / recorded).min(1.0) } else { 0.0 };
    Level::from_signal(ran_the_lines(tests).signal() * share).max(Level(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_worth_less_each() {
        let chance = |tests| 1.0 - (-ran_the_lines(tests).signal()).exp();
        for (tests, want) in [(1, 0.75), (2, 0.75), (8, 0.19), (40, 0.0375), (500, 0.003)] {
            assert!((chance(tests) / want - 1.0).abs() < 0.05, "{tests} tests: {} for {want}", chance(tests));
        }
        assert!(ran_the_lines(u32::MAX) >= Level(1), "a candidate never loses its signal");
        assert_eq!(ran_the_lines(0), ran_the_lines(1));
    }

    #[test]
    fn a_part_is_worth_its_share() {
        assert_eq!(ran_part(9, 10.0, 10.0), ran_the_lines(9));
        assert!(ran_part(9, 1.0, 10.0) < ran_part(9, 2.0, 10.0));
        assert_eq!(ran_part(9, 0.0, 0.0), Level(1));
    }
}
