//! The noisy-or utility in fixed point: U(S) = sum_j w_j (1 - exp(-sum_{i in S} A_ij)).
//!
//! Each region keeps a residual r_j, the chance that its defect survives all that was picked, in units of 1 / 2^32.
//! Picking a test multiplies it by the test's committed survival s and rounds down: r' = floor(r s / 2^32), that is
//! r' = r - ceil(r d / 2^32) with d = 2^32 - s. The gain of a test is sum_j w_j (r_j - r_j').
//!
//! - *Nothing overflows.* r <= 2^32 and d < 2^32, so r d + 2^32 - 1 < 2^64. A candidate names a region once and the
//!   weights sum to at most 2^31, so a gain, and the sum of all gains of a selection, is at most 2^31 2^32 = 2^63.
//! - *Gains never grow along a selection.* ceil(r d / 2^32) never falls as r grows, residuals never grow, so the gain of
//!   every candidate never grows as picks are added. This is all that lazy evaluation needs, and it holds exactly: a
//!   stale gain is an upper bound on the fresh one, to the last bit.
//! - *The sum telescopes.* The gains of the picks add up to sum_j w_j (2^32 - r_j), exactly.
//! - *Order shows in the last bits only.* A pick loses less than one unit of a residual to rounding, and later picks
//!   shrink that loss, so two orders of the same k picks differ by less than k units of 2^-32 in each residual. Utility
//!   is therefore a function of the order of picking, which is deterministic, and never below its exact value.

use super::instance::{Instance, Row};
use super::level::{CHANCE_ONE, SIGNAL_ONE};

/// The utility 1 in fixed point: every region of an instance of weight one checked beyond doubt.
pub const UTILITY_ONE: u64 = 1 << 63;

/// A slope of 1 in fixed point. Slopes exceed gains, for a signal exceeds its chance: up to 16 fit in a `u64`.
pub(super) const SLOPE_ONE: u64 = SIGNAL_ONE << 31;

/// A utility, gain or bound as a fraction of [`UTILITY_ONE`]; for printing, never for deciding.
pub fn as_fraction(utility: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "printed with far fewer digits than a float keeps")]
    let fraction = utility as f64 / UTILITY_ONE as f64;
    fraction
}

/// What is left of each region's defect: the chance that it survives all that was picked so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Residuals {
    left: Vec<u64>,
}

impl Residuals {
    /// Nothing picked: every defect survives.
    pub(super) fn untouched(instance: &Instance) -> Self {
        Self { left: vec![CHANCE_ONE; instance.weights().len()] }
    }

    /// Forgets all picks.
    pub(super) fn reset(&mut self) {
        self.left.fill(CHANCE_ONE);
    }

    /// The gain of picking a candidate now; at most [`UTILITY_ONE`].
    #[inline]
    pub(super) fn gain(&self, instance: &Instance, candidate: u32) -> u64 {
        let weights = instance.weights();
        let gain_on = |row: &Row| {
            let region = row.region() as usize;
            u64::from(weights[region]) * drop_up(self.left[region], row.level().detection())
        };
        instance.rows_of(candidate).iter().map(gain_on).sum()
    }

    /// Picks a candidate; returns its gain.
    pub(super) fn pick(&mut self, instance: &Instance, candidate: u32) -> u64 {
        let weights = instance.weights();
        let mut gain = 0;
        for row in instance.rows_of(candidate) {
            let region = row.region() as usize;
            let drop = drop_up(self.left[region], row.level().detection());
            self.left[region] -= drop;
            gain += u64::from(weights[region]) * drop;
        }
        gain
    }

    /// Picks a candidate with residuals rounded up: they stay at or above their exact values, as a bound needs.
    pub(super) fn pick_rounding_up(&mut self, instance: &Instance, candidate: u32) {
        for row in instance.rows_of(candidate) {
            let left = &mut self.left[row.region() as usize];
            *left -= (*left * u64::from(row.level().detection())) >> 32;
        }
    }

    /// The slope of the exact utility along a candidate: sum_j w_j r_j A_j, rounded up, in units of 1 / [`SLOPE_ONE`].
    pub(super) fn slope(&self, instance: &Instance, candidate: u32) -> u64 {
        let weights = instance.weights();
        let slope_on = |row: &Row| {
            let region = row.region() as usize;
            u64::from(weights[region]) * drop_up(self.left[region], row.level().signal_above())
        };
        instance.rows_of(candidate).iter().map(slope_on).sum()
    }

    /// The sum of the slopes of all picks, from their signals by region, rounded down.
    pub(super) fn slope_of_picks(&self, instance: &Instance, picks: impl Iterator<Item = u32>) -> u128 {
        let mut signals = vec![0u64; self.left.len()];
        for row in picks.flat_map(|candidate| instance.rows_of(candidate)) {
            // One unit below its rounded-up signal no level exceeds its exact one.
            signals[row.region() as usize] += u64::from(row.level().signal_above().saturating_sub(1));
        }
        let regions = instance.weights().iter().zip(&self.left).zip(signals);
        let slope_on =
            |((&weight, &left), signal)| u128::from(weight) * ((u128::from(left) * u128::from(signal)) >> 32);
        regions.map(slope_on).sum()
    }

    /// The utility of all that was picked.
    pub(super) fn utility(&self, instance: &Instance) -> u64 {
        let regions = instance.weights().iter().zip(&self.left);
        regions.map(|(&weight, &left)| u64::from(weight) * (CHANCE_ONE - left)).sum()
    }

    /// The residual of each region, in units of 1 / [`CHANCE_ONE`].
    pub(super) fn into_inner(self) -> Vec<u64> {
        self.left
    }
}

/// How far a residual falls under a test that detects with chance `factor`: ceil(left * factor / 2^32).
#[inline]
fn drop_up(left: u64, factor: u32) -> u64 {
    (left * u64::from(factor) + (CHANCE_ONE - 1)) >> 32
}

#[cfg(test)]
mod tests {
    use super::super::{Level, WEIGHT_ONE};
    use super::*;
    use proptest::prelude::*;

    fn one_region(weight: u32, level: u8) -> Instance {
        Instance::new(vec![weight], vec![1], vec![0, 1], vec![Row::new(0, Level(level))]).unwrap()
    }

    #[test]
    fn the_greatest_gain_does_not_overflow() {
        let instance = one_region(WEIGHT_ONE, 255);
        let mut residuals = Residuals::untouched(&instance);
        let gain = residuals.pick(&instance, 0);
        assert_eq!(gain, (u64::from(WEIGHT_ONE)) * u64::from(Level(255).detection()));
        assert!(gain < UTILITY_ONE);
        assert!((as_fraction(gain) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_unit_signal_catches_what_the_formula_says() {
        let gain = Residuals::untouched(&one_region(WEIGHT_ONE, 192)).gain(&one_region(WEIGHT_ONE, 192), 0);
        assert!((as_fraction(gain) - (1.0 - libm::exp(-1.0))).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn a_drop_is_the_rounded_down_product(left in 0..=CHANCE_ONE, level: u8) {
            let level = Level(level);
            let exact = (u128::from(left) * u128::from(level.survival())) >> 32;
            prop_assert_eq!(u128::from(left - drop_up(left, level.detection())), exact);
        }

        #[test]
        fn a_drop_never_grows_as_the_residual_falls(a in 0..=CHANCE_ONE, b in 0..=CHANCE_ONE, level: u8) {
            let drop = |left| drop_up(left, Level(level).detection());
            prop_assert!(drop(a.min(b)) <= drop(a.max(b)));
        }
    }
}
