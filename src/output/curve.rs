//! What each further test brings: utility, confidence and residual risk of every prefix of a selection, as figures and as a
//! picture.

use std::fmt::Write as _;

use serde::Serialize;

use super::seconds;
use crate::optimize::{Selection, confidence};

/// The picture's plane in characters.
const COLUMNS: usize = 60;
const ROWS: usize = 10;

/// From an eighth of a character to the whole of it.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A prefix of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// How many tests it has.
    pub tests: usize,
    /// When they are done, in seconds.
    pub cost_s: f64,
    /// The chance that they catch the defect.
    pub utility: f64,
    /// That chance, if any test can see it.
    pub confidence: f64,
    /// The chance that they do not.
    pub residual_risk: f64,
}

/// Every prefix of a selection that has a test, in the order of picking. `chance` says what its utilities stand for.
pub fn curve(selection: &Selection, chance: impl Fn(u64) -> f64) -> Vec<CurvePoint> {
    let point = |(tests, pick): (usize, &crate::optimize::Pick)| {
        let utility = chance(pick.cumulative_utility);
        CurvePoint {
            tests,
            cost_s: pick.cumulative_cost_us as f64 / 1e6,
            utility,
            confidence: confidence(pick.cumulative_utility, selection.reachable),
            residual_risk: 1.0 - utility,
        }
    };
    (1..).zip(&selection.picks).map(point).collect()
}

/// Confidence over time, about sixty by ten characters; empty where nothing takes any time.
///
/// A test counts from when it is done.
pub fn plot(curve: &[CurvePoint]) -> String {
    let Some(end_s) = curve.last().map(|last| last.cost_s).filter(|&end_s| end_s > 0.0) else {
        return String::new();
    };
    let columns: Vec<f64> = (1..=COLUMNS).map(|column| confidence_at(curve, end_s, column)).collect();
    let mut text = String::from("  confidence\n");
    for row in (0..ROWS).rev() {
        let label = match row {
            _ if row + 1 == ROWS => "100 % ┤",
            _ if row + 1 == ROWS / 2 => " 50 % ┤",
            _ => "      │",
        };
        let line: String = columns.iter().map(|&confidence| block(confidence, row)).collect();
        let _ = writeln!(text, "  {label}{}", line.trim_end());
    }
    let _ = writeln!(text, "    0 % └{}", "─".repeat(COLUMNS));
    let (middle, end) = (seconds(end_s / 2.0), seconds(end_s));
    let _ = writeln!(text, "         0{middle:^width$}{end}", width = COLUMNS - 1 - end.chars().count());
    text
}

/// The confidence of what is done when a column ends.
fn confidence_at(curve: &[CurvePoint], end_s: f64, column: usize) -> f64 {
    let time_s = end_s * column as f64 / COLUMNS as f64;
    // The last column ends with the last test, whatever a division makes of it.
    let done = curve.partition_point(|point| column == COLUMNS || point.cost_s <= time_s);
    done.checked_sub(1).map_or(0.0, |last| curve[last].confidence)
}

/// What of a column's bar is in a row, counted from below.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a confidence is a share")]
fn block(confidence: f64, row: usize) -> char {
    let eighths = (confidence * (ROWS * BLOCKS.len()) as f64).round() as usize;
    match eighths.saturating_sub(row * BLOCKS.len()).min(BLOCKS.len()) {
        0 => ' ',
        height => BLOCKS[height - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::as_fraction;
    use crate::optimize::{Instance, Level, Options, Row, fixed_weights, select};

    /// Tests of 100 ms, each a little weaker than the one before, on two regions.
    fn selection(tests: u8) -> Selection {
        let rows = (0..tests).map(|test| Row::new(u32::from(test % 2), Level(178 - 4 * test))).collect();
        let starts = (0..=u32::from(tests)).collect();
        let costs = vec![100_000; tests.into()];
        let instance = Instance::new(fixed_weights(&[2.0, 1.0]), costs, starts, rows).unwrap();
        select(&instance, &Options { startup_us: 250_000, ..Options::default() })
    }

    #[test]
    fn every_prefix_is_a_point() {
        let selection = selection(9);
        let curve = curve(&selection, as_fraction);
        assert_eq!(curve.iter().map(|point| point.tests).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
        assert!((curve[0].cost_s - 0.35).abs() < 1e-9 && (curve[8].cost_s - 1.15).abs() < 1e-9);
        assert!(curve.is_sorted_by(|a, b| a.confidence <= b.confidence && a.residual_risk >= b.residual_risk));
        assert!((curve[8].confidence - 1.0).abs() < 1e-6, "all that can be seen is seen");
        assert!(curve[8].residual_risk > 0.1 && (curve[8].residual_risk + curve[8].utility - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_picture_is_drawn() {
        insta::assert_snapshot!(plot(&curve(&selection(9), as_fraction)), @"
        confidence
        100 % ┤                                            ▁▁▁▁▁▄▄▄▄▄▆▆▆▆▆█
              │                                       ▅▅▅▅▅████████████████
              │                                 ▇▇▇▇▇▇█████████████████████
              │                            ████████████████████████████████
              │                       ▃▃▃▃▃████████████████████████████████
         50 % ┤                       █████████████████████████████████████
              │                  ▆▆▆▆▆█████████████████████████████████████
              │                  ██████████████████████████████████████████
              │                  ██████████████████████████████████████████
              │                  ██████████████████████████████████████████
          0 % └────────────────────────────────────────────────────────────
               0                        0.57 s                        1.1 s
        ");
    }

    #[test]
    fn nothing_is_not_drawn() {
        assert_eq!(plot(&curve(&selection(0), as_fraction)), "");
        let free = CurvePoint { tests: 1, cost_s: 0.0, utility: 0.5, confidence: 1.0, residual_risk: 0.5 };
        assert_eq!(plot(&[free]), "");
        let one = plot(&[CurvePoint { cost_s: 3.0, ..free }]);
        assert_eq!(one.matches('█').count(), ROWS, "what ends with the last column stands in it");
    }
}
