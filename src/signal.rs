//! What an observation is worth: the signal A of a test on a region, p = 1 - exp(-A) being the chance that the test
//! fails if the region is broken.
//!
//! The model stores observations; this room turns them into [`Level`]s at query time. A real fault fails one to three
//! tests, however many run the broken lines: measured on reverted bug fixes of 13 Python projects, the chance that a
//! test which runs the lines fails was .75, .31, .08, .015 and .006 for lines that 1-3, 4-15, 16-63, 64-255 and 256-1023
//! tests run, about 1.5 / n. Which of the n they are, words and names tell best. So the tests of a region share
//! one and a half failures by their factors: p_i = 1.5 f_i / sum f, which is 1.5 / n where nothing tells them apart.

use crate::optimize::Level;

/// The tests that a real fault fails, whatever their number.
const FAILING_TESTS: f64 = 1.5;

/// The most that a share is worth: nothing recorded is certain.
const CHANCE_MOST: f64 = 0.95;

/// What a test keeps that has no word in common with the change.
const WORDS_LEAST: f64 = 0.03;

/// A test whose own source changed: it is all but certain to tell.
pub const IS_THE_CHANGE: Level = Level(224);

/// The share of the change's weight that goes to the other lines of the changed functions: they tell tests that exercise
/// a function from tests that pass through it.
pub const CONTEXT_SHARE: f64 = 0.05;

/// How much rather a test fails than others that run the same lines.
///
/// `words` is what its words have in common with the change, 0 to 1; `names` what its names have, 1 and more.
pub fn factor(words: f64, names: f64) -> f64 {
    (WORDS_LEAST + words * words) * names
}

/// The factor of a test where nothing but words is known: they alone must tell it from all others.
pub fn factor_of_words(words: f64, names: f64) -> f64 {
    words * words * words * libm::sqrt(names)
}

/// The signal of a test that has `factor` of the `total` factors of a region's tests.
pub fn share(factor: f64, total: f64) -> Level {
    let share = if total > 0.0 { factor / total } else { 0.0 };
    let chance = (FAILING_TESTS * share).min(CHANCE_MOST);
    Level::from_signal(-libm::log1p(-chance)).max(Level(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(level: Level) -> f64 {
        1.0 - (-level.signal()).exp()
    }

    #[test]
    fn a_crowd_is_worth_less_each() {
        for (tests, want) in [(1, 0.95), (2, 0.75), (8, 0.19), (40, 0.0375), (500, 0.003)] {
            let found = chance(share(1.0, f64::from(tests)));
            assert!((found / want - 1.0).abs() < 0.05, "{tests} tests: {found} for {want}");
        }
        assert_eq!(share(1.0, 1e12), Level(1), "a candidate never loses its signal");
        assert_eq!(share(0.0, 0.0), Level(1));
    }

    #[test]
    fn words_and_names_tell_the_tests_of_a_crowd_apart() {
        let (named, other) = (factor(1.0, 3.0), factor(0.1, 1.0));
        let total = named + 9.0 * other;
        assert!(chance(share(named, total)) > 0.9);
        assert!(chance(share(other, total)) < 0.03);
        assert_eq!(factor_of_words(0.0, 5.0), 0.0, "names alone rank nothing");
    }
}
