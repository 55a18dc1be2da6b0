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

/// The signal 1 in the fixed point of [`Level::signal_above`]: the greatest level still fits in 32 bits.
pub(super) const SIGNAL_ONE: u64 = 1 << 28;

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

    /// The signal that [`Level::survival`] amounts to, rounded up, in units of 1 / [`SIGNAL_ONE`].
    #[inline]
    pub(super) fn signal_above(self) -> u32 {
        SIGNAL_ABOVE[usize::from(self.0)]
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

/// ceil(-ln(SURVIVAL(q) / 2^32) * 2^28) for every level q.
#[rustfmt::skip]
const SIGNAL_ABOVE: [u32; 256] = [
    0x00000000, 0x00010b56, 0x0001172c, 0x00012388, 0x00013070, 0x00013deb, 0x00014bfe, 0x00015ab1,
    0x00016a0a, 0x00017a12, 0x00018acf, 0x00019c4a, 0x0001ae8a, 0x0001c19a, 0x0001d582, 0x0001ea4b,
    0x00020000, 0x000216ac, 0x00022e58, 0x00024710, 0x000260e0, 0x00027bd5, 0x000297fc, 0x0002b561,
    0x0002d414, 0x0002f423, 0x0003159d, 0x00033893, 0x00035d14, 0x00038334, 0x0003ab04, 0x0003d496,
    0x00040001, 0x00042d57, 0x00045caf, 0x00048e1f, 0x0004c1c0, 0x0004f7aa, 0x00052ff7, 0x00056ac2,
    0x0005a828, 0x0005e846, 0x00062b3a, 0x00067125, 0x0006ba28, 0x00070667, 0x00075607, 0x0007a92c,
    0x00080000, 0x00085aad, 0x0008b95d, 0x00091c3e, 0x00098380, 0x0009ef54, 0x000a5fee, 0x000ad584,
    0x000b5050, 0x000bd08b, 0x000c5673, 0x000ce249, 0x000d7450, 0x000e0cce, 0x000eac0d, 0x000f5258,
    0x00100001, 0x0010b559, 0x001172b9, 0x0012387b, 0x001306ff, 0x0013dea7, 0x0014bfdb, 0x0015ab08,
    0x0016a09f, 0x0017a115, 0x0018ace6, 0x0019c492, 0x001ae8a0, 0x001c199c, 0x001d5819, 0x001ea4b0,
    0x00200001, 0x00216ab1, 0x0022e571, 0x002470f5, 0x00260dfd, 0x0027bd4d, 0x00297fb6, 0x002b5610,
    0x002d413d, 0x002f4229, 0x003159cb, 0x00338924, 0x0035d140, 0x00383338, 0x003ab032, 0x003d4960,
    0x00400000, 0x0042d562, 0x0045cae1, 0x0048e1ea, 0x004c1bf9, 0x004f7a9a, 0x0052ff6c, 0x0056ac20,
    0x005a827a, 0x005e8452, 0x0062b396, 0x00671247, 0x006ba27f, 0x00706670, 0x00756064, 0x007a92bf,
    0x00800001, 0x0085aac4, 0x008b95c2, 0x0091c3d4, 0x009837f1, 0x009ef533, 0x00a5fed7, 0x00ad583f,
    0x00b504f4, 0x00bd08a4, 0x00c5672b, 0x00ce248d, 0x00d744fd, 0x00e0ccdf, 0x00eac0c7, 0x00f5257e,
    0x01000001, 0x010b5587, 0x01172b84, 0x012387a7, 0x01306fe1, 0x013dea65, 0x014bfdae, 0x015ab07e,
    0x016a09e7, 0x017a1148, 0x018ace55, 0x019c4919, 0x01ae89fa, 0x01c199be, 0x01d5818e, 0x01ea4afb,
    0x02000001, 0x0216ab0e, 0x022e5708, 0x02470f4e, 0x0260dfc2, 0x027bd4ca, 0x0297fb5b, 0x02b560fc,
    0x02d413cd, 0x02f4228f, 0x03159ca9, 0x03389231, 0x035d13f4, 0x0383337c, 0x03ab031c, 0x03d495f5,
    0x04000001, 0x042d561c, 0x045cae10, 0x048e1e9c, 0x04c1bf83, 0x04f7a994, 0x052ff6b6, 0x056ac1f8,
    0x05a8279a, 0x05e8451d, 0x062b3951, 0x06712461, 0x06ba27e7, 0x070666f8, 0x07560638, 0x07a92be9,
    0x08000001, 0x085aac37, 0x08b95c1f, 0x091c3d38, 0x09837f06, 0x09ef5326, 0x0a5fed6b, 0x0ad583ef,
    0x0b504f34, 0x0bd08a3a, 0x0c5672a2, 0x0ce248c2, 0x0d744fcd, 0x0e0ccdef, 0x0eac0c6f, 0x0f5257d2,
    0x10000000, 0x10b5586d, 0x1172b83d, 0x12387a6f, 0x1306fe0b, 0x13dea64d, 0x14bfdad6, 0x15ab07de,
    0x16a09e67, 0x17a11474, 0x18ace543, 0x19c49183, 0x1ae89f9a, 0x1c199bde, 0x1d5818dd, 0x1ea4afa3,
    0x20000001, 0x216ab0db, 0x22e5707a, 0x2470f4de, 0x260dfc15, 0x27bd4c99, 0x297fb5ab, 0x2b560fbb,
    0x2d413cce, 0x2f4228e9, 0x3159ca85, 0x33892305, 0x35d13f33, 0x383337bb, 0x3ab031bb, 0x3d495f45,
    0x40000001, 0x42d561b6, 0x45cae0f3, 0x48e1e9bc, 0x4c1bf82b, 0x4f7a9930, 0x52ff6b51, 0x56ac1f74,
    0x5a82799e, 0x5e8451c6, 0x62b39517, 0x67124603, 0x6ba27e66, 0x70666f93, 0x75606384, 0x7a92be96,
    0x80000003, 0x85aac32e, 0x8b95c252, 0x91c3d3c9, 0x9837f1f5, 0x9ef533a1, 0xa5fed99f, 0xad5839f0,
    0xb504eef7, 0xbd08aff4, 0xc56710c9, 0xce2485a6, 0xd7452f51, 0xe0cd0d9d, 0xeac031ec, 0xf5278140,
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
    fn committed_signals_are_those_of_the_survivals() {
        for q in 0..=u8::MAX {
            let survival = Level(q).survival() as f64 / CHANCE_ONE as f64;
            let excess = f64::from(Level(q).signal_above()) - -libm::log(survival) * SIGNAL_ONE as f64;
            // A float logarithm of 15 is good for a millionth of a unit here.
            assert!((-1e-6..1.0 + 1e-6).contains(&excess), "level {q}: {excess}");
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
