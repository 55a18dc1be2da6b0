//! The margin: how much of a budget to leave, so that it is kept with a given probability.
//!
//! A selection takes what its tests take. Each varies by itself, and the machine's pace of the day moves all of it at
//! once, start and set-up included; the first averages out over many tests, the second never does:
//!
//! ```text
//! needs(P) = mean * (1 + z * pace) + z * sqrt(sum of the tests' own variances),    z the normal quantile of P
//! ```
//!
//! A test's own variance is that of its runs, less what the pace explains of it. What one run is known of has no spread:
//! it is counted as unknown, never guessed. The result is whole microseconds, by `libm` and IEEE arithmetic alone.

use crate::model::TestRecord;

/// How much is kept back for a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// The chance that the budget is kept, from one half to below one.
    pub probability: f64,
    /// How many standard deviations that is.
    z: f64,
    /// Standard deviation of the pace of sessions, as a share; 0 where it is not known.
    pace: f64,
}

impl Margin {
    /// The margin for a probability from one half to below one, and the pace spread of a model's root.
    pub fn new(probability: f64, pace_spread_ppm: Option<u32>) -> Self {
        Self { probability, z: normal_quantile(probability), pace: f64::from(pace_spread_ppm.unwrap_or(0)) / 1e6 }
    }

    /// What a selection needs in microseconds that takes `mean_us`, with `spread` over its tests.
    pub fn needs_us(&self, mean_us: u64, spread: &Spread) -> u64 {
        whole(libm::ceil(mean_us as f64 * (1.0 + self.z * self.pace) + self.z * libm::sqrt(spread.variance)))
    }

    /// The most that a selection may take in microseconds to need no more than `budget_us`, if `spread` is over its tests.
    pub fn mean_us(&self, budget_us: u64, spread: &Spread) -> u64 {
        let left = budget_us as f64 - self.z * libm::sqrt(spread.variance);
        whole(libm::floor(left.max(0.0) / (1.0 + self.z * self.pace)))
    }

    /// Adds a test's own spread to those of others.
    pub fn add(&self, spread: &mut Spread, record: &TestRecord) {
        let costs: Vec<f64> = record.runs.iter().filter_map(|run| run.cost_us).map(|cost_us| cost_us as f64).collect();
        if costs.len() < 2 {
            return spread.add_unknown();
        }
        spread.tests += 1;
        let count = costs.len() as f64;
        let mean = costs.iter().sum::<f64>() / count;
        let variance = costs.iter().map(|cost| (cost - mean) * (cost - mean)).sum::<f64>() / (count - 1.0);
        let of_pace = mean * self.pace;
        spread.variance += (variance - of_pace * of_pace).max(0.0);
    }
}

/// What is known of how the tests of a selection vary, each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Sum of their variances in square microseconds.
    variance: f64,
    /// How many tests these are.
    pub tests: usize,
    /// Of how many of them fewer than two costs are known.
    pub unknown: usize,
}

impl Spread {
    /// Adds a test of which fewer than two costs are known.
    pub fn add_unknown(&mut self) {
        self.tests += 1;
        self.unknown += 1;
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and a float cast saturates")]
fn whole(microseconds: f64) -> u64 {
    microseconds as u64
}

/// Halvings that leave nothing of an interval of ten in an `f64`.
const HALVINGS: usize = 60;

/// How many standard deviations above the mean a normal variable stays with a probability from one half to below one.
fn normal_quantile(probability: f64) -> f64 {
    let stays_within = |z: f64| 1.0 - 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if stays_within(middle) < probability { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::RunFact;
    use crate::observation::Outcome;

    fn record(costs_us: &[u64]) -> TestRecord {
        let run = |(at, &cost_us): (usize, &u64)| RunFact {
            time_us: at as u64,
            commit: None,
            outcome: Outcome::Passed,
            cost_us: Some(cost_us),
        };
        TestRecord { runs: costs_us.iter().enumerate().map(run).collect(), ..TestRecord::default() }
    }

    fn spread(margin: &Margin, tests: &[&[u64]]) -> Spread {
        let mut spread = Spread::default();
        tests.iter().for_each(|costs| margin.add(&mut spread, &record(costs)));
        spread
    }

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (probability, z) in
            [(0.5, 0.0), (0.75, 0.674_490), (0.95, 1.644_854), (0.99, 2.326_348), (0.999, 3.090_232)]
        {
            assert!((normal_quantile(probability) - z).abs() < 1e-6, "{probability}");
        }
    }

    #[test]
    fn pace_moves_all_and_own_spread_averages_out() {
        let margin = Margin::new(0.95, Some(100_000));
        assert_eq!(margin.needs_us(1_000_000, &Spread::default()), 1_164_486);
        let own = Margin::new(0.95, None);
        // One test of 10 s that varies by 1 s, and a hundred of 0.1 s that vary by 0.1 s: the same mean.
        let one = spread(&own, &[&[9_000_000, 10_000_000, 11_000_000]]);
        let many = spread(&own, &[&[0, 100_000, 200_000][..]; 100]);
        assert_eq!(own.needs_us(10_000_000, &one), 11_644_854);
        assert_eq!(own.needs_us(10_000_000, &many), 11_644_854);
        let less = spread(&own, &[&[90_000, 100_000, 110_000][..]; 100]);
        assert_eq!(own.needs_us(10_000_000, &less), 10_164_486);
        // Runs that vary with the pace alone have no spread of their own.
        assert_eq!(spread(&margin, &[&[900_000, 1_000_000, 1_100_000]]).variance, 0.0);
    }

    #[test]
    fn one_run_has_no_spread_and_is_counted() {
        let margin = Margin::new(0.95, None);
        let known = spread(&margin, &[&[5], &[], &[5, 5]]);
        assert_eq!((known.tests, known.unknown, margin.needs_us(77, &known)), (3, 2, 77));
    }

    proptest! {
        #[test]
        fn what_a_budget_leaves_fits_it(
            budget_us in 0u64..1 << 50, probability in 0.5f64..0.9999, pace in proptest::option::of(0u32..3_000_000),
            costs in proptest::collection::vec(0u64..90_000_000, 0..8),
        ) {
            let margin = Margin::new(probability, pace);
            let spread = spread(&margin, &[&costs]);
            let mean_us = margin.mean_us(budget_us, &spread);
            prop_assert!(mean_us <= budget_us);
            prop_assert!(mean_us == 0 || margin.needs_us(mean_us, &spread) <= budget_us + 1, "rounded up once");
            prop_assert!(margin.needs_us(mean_us + 2, &spread) > budget_us, "and it is the most");
        }
    }
}
