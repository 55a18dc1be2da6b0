//! The quantized signal: one byte for how well a test checks a region.
//!
//! Signals span decades (from "runs a line that thousands run" to "named after it"), so the byte is a logarithm: A(q) =
//! 2^((q - 192) / 16), sixteen levels an octave, which keeps a signal within 2.2 %. Invariant: what a level does to the
//! chance that a defect survives is a committed integer, so that no decision depends on a machine's `exp`.

/// The level whose signal is A = 1.
const UNIT_LEVEL: i16 = 192;

/// Levels in an octave: that many steps double the signal.
const LEVELS_PER_OCTAVE: i16 = 16;

/// A chance of 1 in the fixed point of [`Level::survival`] and of the residuals.
pub const CHANCE_ONE: u64 = 1 << 32;

/// A quantized signal A; any byte is a valid level.
///
/// 0 is no signal at all; 1 is A = 2.55e-4, 192 is A = 1, 255 is A = 15.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Level(pub u8);

impl Level {
    /// No signal: the test says nothing about the region.
    pub const NONE: Self = Self(0);

    /// The greatest signal that a level holds, A = 15.3.
    pub const MAX: Self = Self(u8::MAX);

    /// The level nearest to signal `signal` on the logarithmic scale.
    ///
    /// What lies above the scale is [`Level::MAX`]; what lies below it, negative values and NaN are [`Level::NONE`].
    pub fn from_signal(signal: f64) -> Self {
        if signal.is_nan() || signal <= 0.0 {
            return Self::NONE;
        }
        let steps = libm::log2(signal) * f64::from(LEVELS_PER_OCTAVE) + f64::from(UNIT_LEVEL);
        let nearest = libm::round(steps).clamp(0.0, f64::from(u8::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer clamped to 0..=255")]
        Self(nearest as u8)
    }

    /// The signal A of this level; 0 for [`Level::NONE`].
    pub fn signal(self) -> f64 {
        if self == Self::NONE {
            return 0.0;
        }
        libm::exp2(f64::from(i16::from(self.0) - UNIT_LEVEL) / f64::from(LEVELS_PER_OCTAVE))
    }

    /// This level with its signal multiplied by 2^(`shift` / 16): a factor, applied in sixteenths of an octave.
    ///
    /// No signal stays none whatever the factor; a signal that falls below the scale is none, one above it the greatest.
    #[must_use]
    pub fn scaled(self, shift: i16) -> Self {
        if self == Self::NONE {
            return self;
        }
        let level = i16::from(self.0).saturating_add(shift).max(0);
        Self(u8::try_from(level).unwrap_or(u8::MAX))
    }

    /// The chance exp(-A) that a defect of the region survives the test, in units of 1 / [`CHANCE_ONE`].
    pub fn survival(self) -> u64 {
        SURVIVAL[usize::from(self.0)]
    }

    /// The chance 1 - exp(-A) that the test fails if the region is broken, in units of 1 / [`CHANCE_ONE`].
    ///
    /// Always below [`CHANCE_ONE`]: no test is certain.
    #[inline]
    pub fn detection(self) -> u32 {
        DETECTION[usize::from(self.0)]
    }
}

/// What [`Level::detection`] returns: [`CHANCE_ONE`] less each survival, one kilobyte in the innermost loop.
const DETECTION: [u32; 256] = {
    let mut detection = [0; 256];
    let mut level = 0;
    while level < 256 {
        let chance = CHANCE_ONE - SURVIVAL[level];
        assert!(chance <= u32::MAX as u64, "no level detects with certainty");
        #[expect(clippy::cast_possible_truncation, reason = "the line above asserts that it fits")]
        {
            detection[level] = chance as u32;
        }
        level += 1;
    }
    detection
};

/// round(exp(-A(q)) * 2^32) for every level q; committed, so that it is the same on every machine.
#[rustfmt::skip]
const SURVIVAL: [u64; 256] = [
    0x100000000, 0xffef4b33, 0xffee8de0, 0xffedc82c, 0xffecf9b7, 0xffec221f, 0xffeb40fc, 0xffea55e3,
    0xffe96062, 0xffe86003, 0xffe7544b, 0xffe63cba, 0xffe518ca, 0xffe3e7ef, 0xffe2a996, 0xffe15d26,
    0xffe00200, 0xffde977d, 0xffdd1cf0, 0xffdb91a3, 0xffd9f4d8, 0xffd845c9, 0xffd683a7, 0xffd4ad9b,
    0xffd2c2c3, 0xffd0c234, 0xffceaaf7, 0xffcc7c0d, 0xffca3469, 0xffc7d2f3, 0xffc55688, 0xffc2bdf6,
    0xffc007ff, 0xffbd3357, 0xffba3ea2, 0xffb72875, 0xffb3ef57, 0xffb091bc, 0xffad0e08, 0xffa9628b,
    0xffa58d85, 0xffa18d1f, 0xff9d5f70, 0xff990277, 0xff94741f, 0xff8fb23a, 0xff8aba81, 0xff858a95,
    0xff801ffb, 0xff7a781c, 0xff749045, 0xff6e65a4, 0xff67f548, 0xff613c1d, 0xff5a36ef, 0xff52e264,
    0xff4b3afe, 0xff433d16, 0xff3ae4de, 0xff322e5d, 0xff29156c, 0xff1f95b8, 0xff15aabb, 0xff0b4fbe,
    0xff007fd5, 0xfef535de, 0xfee96c7d, 0xfedd1e19, 0xfed044dd, 0xfec2dab1, 0xfeb4d93b, 0xfea639d9,
    0xfe96f5a1, 0xfe87055b, 0xfe76617f, 0xfe650234, 0xfe52df46, 0xfe3ff02a, 0xfe2c2bf5, 0xfe17895c,
    0xfe01feab, 0xfdeb81c5, 0xfdd4081e, 0xfdbb86b7, 0xfda1f216, 0xfd873e47, 0xfd6b5ed3, 0xfd4e46ba,
    0xfd2fe870, 0xfd1035d7, 0xfcef2037, 0xfccc9839, 0xfca88de2, 0xfc82f08b, 0xfc5baeda, 0xfc32b6bd,
    0xfc07f560, 0xfbdb5728, 0xfbacc7aa, 0xfb7c31a3, 0xfb497ef1, 0xfb14988b, 0xfadd6675, 0xfaa3cfbb,
    0xfa67ba65, 0xfa290b72, 0xf9e7a6c9, 0xf9a36f33, 0xf95c4650, 0xf9120c8b, 0xf8c4a113, 0xf873e1d0,
    0xf81fab54, 0xf7c7d8d6, 0xf76c4424, 0xf70cc596, 0xf6a93407, 0xf64164c9, 0xf5d52b96, 0xf5645a8b,
    0xf4eec215, 0xf47430f0, 0xf3f47412, 0xf36f56a9, 0xf2e4a20a, 0xf2541dac, 0xf1bd8f1c, 0xf120b9f7,
    0xf07d5fde, 0xefd34071, 0xef221946, 0xee69a5ea, 0xeda99fd4, 0xece1be67, 0xec11b6ef, 0xeb393ca4,
    0xea5800a6, 0xe96db206, 0xe879fdc8, 0xe77c8ef0, 0xe6750e8b, 0xe56323bc, 0xe44673d0, 0xe31ea253,
    0xe1eb5127, 0xe0ac20a5, 0xdf60afbc, 0xde089c19, 0xdca38252, 0xdb30fe1d, 0xd9b0aa83, 0xd8222222,
    0xd684ff71, 0xd4d8dd10, 0xd31d561d, 0xd1520691, 0xcf768ba8, 0xcd8a8453, 0xcb8d91ae, 0xc97f578a,
    0xc75f7cf5, 0xc52dacdd, 0xc2e996ae, 0xc092ef05, 0xbe29706c, 0xbbacdc26, 0xb91cfafe, 0xb6799e26,
    0xb3c2a029, 0xb0f7e5d8, 0xae195f50, 0xab270900, 0xa820ecbf, 0xa50722e0, 0xa1d9d354, 0x9e9936ce,
    0x9b4597e3, 0x97df5433, 0x9466dd83, 0x90dcbadc, 0x8d418996, 0x8995fe59, 0x85dae60a, 0x821126a5,
    0x7e39bff0, 0x7a55cc16, 0x76668014, 0x726d2bfa, 0x6e6b3af7, 0x6a623327, 0x6653b528, 0x62417b59,
    0x5e2d58d9, 0x5a193828, 0x56071975, 0x51f9108a, 0x4df14256, 0x49f1e21d, 0x45fd2e33, 0x42156c66,
    0x3e3ce5f8, 0x3a75e346, 0x36c2a71d, 0x332569b9, 0x2fa05396, 0x2c357808, 0x28e6cfbb, 0x25b63330,
    0x22a55547, 0x1fb5bdf8, 0x1ce8c54d, 0x1a3f8ec8, 0x17bb0546, 0x155bd780, 0x1322754c, 0x110f0db0,
    0x0f218de0, 0x0d59a145, 0x0bb6b282, 0x0a37ed98, 0x08dc431a, 0x07a26c6e, 0x0688f104, 0x058e2c79,
    0x04b0556e, 0x03ed8508, 0x0343becf, 0x02b0f8c8, 0x02332393, 0x01c8324e, 0x016e220d, 0x012300b4,
    0x00e4f306, 0x00b239c3, 0x008935b9, 0x00686ac8, 0x004e81b5, 0x003a48fb, 0x002ab48d, 0x001edcb2,
    0x0015fc21, 0x000f6d7e, 0x000aa866, 0x00073e3a, 0x0004d6c5, 0x00032cf3, 0x00020ba5, 0x00014acb,
    0x0000ccc2, 0x00007c14, 0x0000498b, 0x00002a97, 0x00001813, 0x00000d45, 0x00000720, 0x000003b8,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_survivals_are_the_formula() {
        for q in 0..=u8::MAX {
            let computed = libm::round(libm::exp(-Level(q).signal()) * 4_294_967_296.0);
            assert_eq!(Level(q).survival() as f64, computed, "level {q}");
            assert_eq!(Level(q).survival() + u64::from(Level(q).detection()), CHANCE_ONE, "level {q}");
        }
    }

    #[test]
    fn a_greater_level_survives_strictly_less() {
        for q in 1..=u8::MAX {
            assert!(Level(q).survival() < Level(q - 1).survival(), "level {q}");
        }
    }

    #[test]
    fn every_level_is_nearest_to_its_own_signal() {
        for q in 0..=u8::MAX {
            assert_eq!(Level::from_signal(Level(q).signal()), Level(q));
        }
        assert_eq!(Level::from_signal(1.0), Level(192));
        assert!((Level::MAX.signal() - 15.3).abs() < 0.1);
    }

    #[test]
    fn signals_off_the_scale_clamp() {
        for signal in [0.0, -0.0, -1.0, 1e-9, f64::MIN_POSITIVE, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(Level::from_signal(signal), Level::NONE, "{signal}");
        }
        for signal in [16.0, 1e300, f64::INFINITY] {
            assert_eq!(Level::from_signal(signal), Level::MAX, "{signal}");
        }
    }

    #[test]
    fn a_factor_moves_the_level_and_never_makes_a_signal() {
        assert_eq!(Level(192).scaled(16), Level::from_signal(2.0));
        assert_eq!(Level(192).scaled(-16), Level::from_signal(0.5));
        assert_eq!(Level::NONE.scaled(i16::MAX), Level::NONE);
        assert_eq!(Level(1).scaled(i16::MAX), Level::MAX);
        assert_eq!(Level(255).scaled(i16::MIN), Level::NONE);
    }
}
