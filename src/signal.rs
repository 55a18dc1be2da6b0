//! What an observation is worth: the signal A of a test on a region, p = 1 - exp(-A) being the chance that the test
//! fails if the region is broken.
//!
//! The model stores observations; this room turns them into [`Level`]s at query time. The scale so far is that of the
//! utility's first form: running the changed lines themselves is A = 1, and evidence about more than those lines is
//! worth the share of it that the test ran. None of these constants is fitted.

use crate::model::dequantize_count;
use crate::optimize::Level;

/// A test that ran exactly the changed lines.
pub const RAN_THE_LINES: Level = Level(192);

/// A test whose own source changed: it is all but certain to tell.
pub const IS_THE_CHANGE: Level = Level(224);

/// A test that ran `run` of the `recorded` lines of a symbol or file in which the change is, not known where.
pub fn ran_part(run: f64, recorded: f64) -> Level {
    let share = if recorded > 0.0 { (run / recorded).min(1.0) } else { 0.0 };
    Level::from_signal(share).max(Level(1))
}

/// As [`ran_part`], for a number of lines as a posting byte holds it.
pub fn touched(byte: u8, recorded: f64) -> Level {
    ran_part(dequantize_count(byte), recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_worth_its_share() {
        assert_eq!(ran_part(10.0, 10.0), RAN_THE_LINES);
        assert_eq!(ran_part(20.0, 10.0), RAN_THE_LINES, "quantized counts may exceed what was recorded");
        assert!(ran_part(1.0, 10.0) < ran_part(2.0, 10.0));
        assert_eq!(ran_part(0.0, 0.0), Level(1), "a candidate never loses its signal");
        assert_eq!(RAN_THE_LINES.signal(), 1.0);
        assert_eq!(IS_THE_CHANGE.signal(), 4.0);
    }
}
