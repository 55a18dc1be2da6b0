//! Numbers that a seed and a position determine: the same on every machine, in any order of asking.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). Its finalizer alone is the
//! hash by which any part of the data can be made again without what comes before it.

/// Mixes the bits of a number.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The number at a position of what a seed stands for.
pub(crate) fn at(seed: u64, position: u64) -> u64 {
    mix(seed.wrapping_add(position.wrapping_add(1).wrapping_mul(GOLDEN)))
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number below `end`, of one that is spread evenly.
pub(crate) fn below(number: u64, end: u32) -> u32 {
    u32::try_from((u128::from(number) * u128::from(end)) >> 64).expect("below a u32")
}

/// A sequence of numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    pub(crate) fn below(&mut self, end: u32) -> u32 {
        below(self.number(), end)
    }

    /// Whether something happens that does in `of` cases in a hundred.
    pub(crate) fn percent(&mut self, of: u32) -> bool {
        self.below(100) < of
    }

    /// Above 0, at most 1.
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.number())
    }

    /// A number whose logarithm is normal (Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958).
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.unit()));
        median * libm::exp(sigma * radius * libm::cos(std::f64::consts::TAU * self.unit()))
    }

    /// The same, rounded, within bounds.
    pub(crate) fn count(&mut self, median: f64, sigma: f64, least: u32, most: u32) -> u32 {
        rounded(self.log_normal(median, sigma)).clamp(least, most)
    }
}

/// A number above 0, at most 1, of one that is spread evenly.
pub(crate) fn unit(number: u64) -> f64 {
    ((number >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// The nearest whole number, of one that is not negative.
pub(crate) fn rounded(number: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let rounded = number.round() as u32;
    rounded
}
