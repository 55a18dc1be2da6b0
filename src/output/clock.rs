//! The clock and the margin of a selection, as figures and in words.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::report::seconds;
use crate::clock::{Clock, Source};

/// What a session costs beside its tests, in seconds; `None` is unknown and charged nothing.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ClockReport {
    /// The start of a session.
    pub startup_s: Option<f64>,
    /// Opening a file of tests.
    pub per_file_s: Option<f64>,
    /// What the runner spends on each test beside it; in the costs of the tests.
    pub per_test_s: Option<f64>,
    /// Where they come from.
    pub source: Source,
}

impl From<Clock> for ClockReport {
    fn from(clock: Clock) -> Self {
        let in_seconds = |us: Option<u64>| us.map(|us| us as f64 / 1e6);
        Self {
            startup_s: in_seconds(clock.startup_us),
            per_file_s: in_seconds(clock.per_file_us),
            per_test_s: in_seconds(clock.per_test_us),
            source: clock.source,
        }
    }
}

impl fmt::Display for ClockReport {
    /// `start-up 0.42 s, 30.0 ms a file, 1.2 ms a test`; what is unknown is called so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |figure: Option<f64>| figure.map_or_else(|| "unknown".to_owned(), seconds);
        let (startup, file) = (figure(self.startup_s), figure(self.per_file_s));
        write!(f, "start-up {startup}, {file} a file, {} a test", figure(self.per_test_s))
    }
}

/// How surely a budget is kept.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    /// The probability asked for.
    pub probability: f64,
    /// What the selection takes on the average, in seconds.
    pub expected_s: f64,
    /// What it takes at most with that probability, in seconds.
    pub needed_s: f64,
    /// Of how many chosen tests fewer than two costs are known.
    pub spread_unknown: usize,
    /// Whether the pace of two sessions or more is known.
    pub pace_known: bool,
}

impl Within {
    /// The probability in per cent, as short as it is exact.
    fn per_cent(&self) -> f64 {
        libm::round(self.probability * 1e8) / 1e6
    }

    /// What is not known of how `tests` chosen tests vary, if anything: a clause.
    pub fn unknown(&self, tests: usize) -> Option<String> {
        match self.spread_unknown {
            0 if self.pace_known => None,
            0 => Some("the pace of sessions is unknown: fewer than two of the whole suite are known".to_owned()),
            unknown if unknown == tests && !self.pace_known => {
                Some("spread unknown: one run is known of each test".to_owned())
            }
            unknown => Some(format!("spread unknown of {unknown} of {tests} tests: one run is known")),
        }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} %", seconds(self.needed_s), self.per_cent())
    }
}

impl Serialize for Within {
    /// `within`, `expected_s`, the quantile under its own name (`p95_s`), and of how many tests the spread is unknown.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut figures = serializer.serialize_map(None)?;
        figures.serialize_entry("within", &self.probability)?;
        figures.serialize_entry("expected_s", &self.expected_s)?;
        figures.serialize_entry(&format!("p{}_s", self.per_cent()), &self.needed_s)?;
        figures.serialize_entry("spread_unknown", &self.spread_unknown)?;
        figures.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_read_well() {
        let clock = Clock { startup_us: Some(420_000), per_file_us: None, per_test_us: Some(0), source: Source::Set };
        assert_eq!(ClockReport::from(clock).to_string(), "start-up 0.42 s, unknown a file, 0 s a test");
    }

    #[test]
    fn quantiles_are_named() {
        let within = |probability, spread_unknown, pace_known| Within {
            probability,
            expected_s: 1.0,
            needed_s: 1.5,
            spread_unknown,
            pace_known,
        };
        for (probability, name) in [(0.95, "p95_s"), (0.5, "p50_s"), (0.999, "p99.9_s"), (0.975, "p97.5_s")] {
            let json = serde_json::to_value(within(probability, 0, true)).unwrap();
            assert_eq!((&json[name], &json["expected_s"]), (&1.5.into(), &1.0.into()), "{json}");
        }
        assert_eq!(within(0.95, 0, true).to_string(), "1.5 s with 95 %");
        assert_eq!(within(0.95, 0, true).unknown(3), None);
        assert!(within(0.95, 3, false).unknown(3).unwrap().contains("of each test"));
        assert!(within(0.95, 3, true).unknown(3).unwrap().contains("3 of 3 tests"));
        assert!(within(0.95, 0, false).unknown(3).unwrap().contains("pace"));
    }
}
