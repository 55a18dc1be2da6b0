//! Families: tests that are correlated beyond what they run, such as the parametrizations of one function.
//!
//! The signals of one family on one region count by rank: the greatest in full, each further one half of the one before.
//! With A_(1) >= A_(2) >= ... the signals of the members of family f in S on region j,
//!
//! > g_jf(S) = sum_k 2^-(k-1) A_(k),   U(S) = sum_j w_j (1 - exp(-sum_f g_jf(S))).
//!
//! U is a monotone submodular set function:
//! - Let t_k(S) be the sum of the k greatest signals. It is the weighted rank function of the uniform matroid of rank k,
//!   hence monotone and submodular (Edmonds 1970; it is what the greedy algorithm on a matroid computes).
//! - With falling rank weights c_1 >= c_2 >= ... >= 0, Abel summation gives sum_k c_k A_(k) = sum_k (c_k - c_(k+1)) t_k(S),
//!   a non-negative combination of the t_k: g_jf is monotone and submodular, and so is the sum over f.
//! - 1 - exp(-x) is increasing and concave, and a concave increasing function of a monotone submodular one is again
//!   monotone and submodular; so is a sum of such with weights w_j >= 0.
//!
//! Since g_jf(S) is at most the sum of the signals, U is at most the plain noisy-or, and equals it where every family has
//! one member.
//!
//! Past rank [`RANKS`] a member counts nothing (c_k = 0, still falling weights): 2^-16 of a signal is below its meaning.
//!
//! **Evaluated as a set function, not as a sequence.** A member that comes late but with a greater signal takes the first
//! rank and pushes the others down. The signal it adds, [`Ranking::growth`], is an exact integer, whence it never grows as
//! members are added; [`detection_below`] is monotone by construction. Gains thus never grow, to the last bit.

use super::level::{Level, SIGNAL_ONE};

/// How many members of a family count on a region.
const RANKS: usize = 16;

/// The last rank, and the halvings that lead to it.
const LAST: usize = RANKS - 1;

/// The signal 1 in the fixed point of [`Ranking::growth`]: halving the greatest rank to the last loses nothing.
const GROWTH_ONE: u64 = SIGNAL_ONE << LAST;

/// By how much, in units of 2^-32, a detection computed from a growth may be wrong, generously: signals are rounded by
/// less than 2^-28, and the ranks of a family add up to less than two of that, 32 units; the rest is far below one.
const MARGIN: u32 = 40;

/// What a further member of a family gives away of a residual at most, in units of 2^-32: the margin, and its error.
pub(super) const GIVEN_AWAY: u64 = 2 * MARGIN as u64;

/// The signals of a family's picked members on one region, greatest first, then none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranking([Level; RANKS]);

impl Ranking {
    /// By how much one more member raises the signal of the family, in units of 1 / [`GROWTH_ONE`].
    pub(super) fn growth(&self, level: Level) -> u64 {
        let rank = self.rank_of(level);
        if rank == RANKS {
            return 0;
        }
        let pushed_down = (rank..).zip(&self.0[rank..]).map(|(rank, &other)| signal_at(other, rank + 1, rank));
        // Each is at most its share of the new signal, which all of them together do not exceed.
        (u64::from(level.signal_above()) << (LAST - rank)) - pushed_down.sum::<u64>()
    }

    /// Adds a member.
    pub(super) fn insert(&mut self, level: Level) {
        let rank = self.rank_of(level);
        if rank < RANKS {
            self.0.copy_within(rank..LAST, rank + 1);
            self.0[rank] = level;
        }
    }

    /// The signal of the family, rounded down, in units of 1 / [`SIGNAL_ONE`].
    pub(super) fn signal_below(&self) -> u64 {
        let signals = (0..).zip(&self.0).map(|(rank, level)| u64::from(level.signal_above()) << (LAST - rank));
        // Each rounded-up signal exceeds its exact one by less than a unit, and all ranks by less than two.
        (signals.sum::<u64>() >> LAST).saturating_sub(2)
    }

    fn rank_of(&self, level: Level) -> usize {
        self.0.iter().take_while(|&&other| other >= level).count()
    }
}

/// The greatest growth of one member, in units of 1 / [`GROWTH_ONE`]: what [`detection_above`] takes at once.
pub(super) const GROWTH_MOST: u64 = 15 * GROWTH_ONE;

/// What members of these levels add up to, the strongest first, in units of 1 / [`GROWTH_ONE`]: less than two of
/// [`GROWTH_MOST`] and a half.
pub(super) fn growth_of(levels: impl Iterator<Item = Level>) -> u64 {
    let ranks = (0..RANKS).zip(levels);
    ranks.map(|(rank, level)| u64::from(level.signal_above()) << (LAST - rank)).sum()
}

/// What a signal loses when it is pushed down one rank: half of what it counts, and all of it past the last.
fn signal_at(level: Level, below: usize, rank: usize) -> u64 {
    let signal = u64::from(level.signal_above());
    if below == RANKS { signal } else { signal << (LAST - rank - 1) }
}

/// The chance 1 - exp(-`growth`), at most its exact value, in units of 2^-32. Never falls as the growth rises.
pub(super) fn detection_below(growth: u64) -> u32 {
    nearest_detection(growth).saturating_sub(MARGIN)
}

/// The chance 1 - exp(-`growth`), at least its exact value; 0 for no growth.
pub(super) fn detection_above(growth: u64) -> u32 {
    if growth == 0 { 0 } else { nearest_detection(growth).saturating_add(MARGIN) }
}

fn nearest_detection(growth: u64) -> u32 {
    let chance = (EXP_ONE - exp_of_minus(growth)) >> (EXP_BITS - 32);
    u32::try_from(chance).unwrap_or(u32::MAX)
}

const EXP_BITS: u32 = 62;

/// The value 1 of [`exp_of_minus`].
const EXP_ONE: u64 = 1 << EXP_BITS;

/// The bits of a growth below a sixteenth.
const FINE_BITS: u32 = GROWTH_ONE.trailing_zeros() - 4;

/// exp(-`growth`) in integers: a table for the sixteenths, a series for the rest.
///
/// Never rises with the growth: the series does not within a sixteenth, for a step of the growth is 2^19 of its units,
/// far above its roundings; nor does the product with a constant; and from one sixteenth to the next the table was made
/// by that same product at the end of the step.
fn exp_of_minus(growth: u64) -> u64 {
    let sixteenths = usize::try_from(growth >> FINE_BITS).unwrap_or(usize::MAX).min(COARSE.len() - 1);
    let fine = growth & ((1 << FINE_BITS) - 1);
    product(COARSE[sixteenths], series(fine << (EXP_BITS - 4 - FINE_BITS)))
}

/// exp(-i / 16) for i sixteenths; the greatest signal is below sixteen.
const COARSE: [u64; 256] = {
    let mut table = [EXP_ONE; 256];
    let mut at = 1;
    while at < 256 {
        table[at] = product(table[at - 1], series(EXP_ONE >> 4));
        at += 1;
    }
    table
};

/// exp(-x) for x of at most a sixteenth, by Taylor's series to the eighth power: 1 - x (1 - x/2 (1 - x/3 (...))).
const fn series(x: u64) -> u64 {
    let mut sum = EXP_ONE;
    let mut power = 8;
    while power > 0 {
        sum = EXP_ONE - product(x, sum) / power;
        power -= 1;
    }
    sum
}

#[expect(clippy::cast_possible_truncation, reason = "both are at most EXP_ONE, hence the product")]
const fn product(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> EXP_BITS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranking(levels: &[u8]) -> Ranking {
        let mut ranking = Ranking::default();
        levels.iter().for_each(|&level| ranking.insert(Level(level)));
        ranking
    }

    fn whole(ranking: &Ranking) -> u64 {
        (0..).zip(&ranking.0).map(|(rank, level)| u64::from(level.signal_above()) << (LAST - rank)).sum()
    }

    #[test]
    fn each_further_member_counts_half() {
        let one = u64::from(Level(192).signal_above()) << LAST;
        assert_eq!(ranking(&[]).growth(Level(192)), one);
        assert_eq!(ranking(&[192]).growth(Level(192)), one / 2);
        assert_eq!(ranking(&[192, 192]).growth(Level(192)), one / 4);
        assert_eq!(ranking(&[176]).growth(Level(192)), one - (u64::from(Level(176).signal_above()) << (LAST - 1)));
        assert_eq!(ranking(&[192; RANKS]).growth(Level(192)), 0);
        assert_eq!(ranking(&[192]).growth(Level::NONE), 0);
    }

    proptest! {
        #[test]
        fn growth_is_the_difference_it_makes(levels in prop::collection::vec(any::<u8>(), 0..40), level: u8) {
            let (before, mut after) = (ranking(&levels), ranking(&levels));
            after.insert(Level(level));
            prop_assert_eq!(whole(&after) - whole(&before), before.growth(Level(level)));
            let mut sorted = levels;
            sorted.sort_unstable();
            prop_assert_eq!(ranking(&sorted), before, "the order of picking does not matter");
        }

        #[test]
        fn a_family_at_once_is_its_members_one_by_one(mut levels in prop::collection::vec(any::<u8>(), 0..40)) {
            let one_by_one = whole(&ranking(&levels));
            levels.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(growth_of(levels.into_iter().map(Level)), one_by_one);
        }

        #[test]
        fn growth_never_grows(levels in prop::collection::vec(any::<u8>(), 0..40), other: u8, level: u8) {
            let (before, mut after) = (ranking(&levels), ranking(&levels));
            after.insert(Level(other));
            prop_assert!(after.growth(Level(level)) <= before.growth(Level(level)));
        }

        #[test]
        fn a_detection_is_that_of_the_formula(growth in 0..=u64::from(Level::MAX.signal_above()) << LAST) {
            let exact = -libm::expm1(-(growth as f64) / GROWTH_ONE as f64) * 4_294_967_296.0;
            prop_assert!((f64::from(nearest_detection(growth)) - exact).abs() <= 1.001);
            let below = f64::from(detection_below(growth));
            prop_assert!(below <= (exact - 38.0).max(0.0) && f64::from(detection_above(growth)) >= exact);
        }

        #[test]
        fn a_detection_never_falls(growth in 0..u64::from(Level::MAX.signal_above()) << LAST, step in 0..1u64 << 20) {
            prop_assert!(exp_of_minus(growth) >= exp_of_minus(growth + 1));
            prop_assert!(exp_of_minus(growth) >= exp_of_minus(growth + step));
            let sixteenth = growth >> FINE_BITS << FINE_BITS;
            prop_assert!(exp_of_minus(sixteenth.max(1) - 1) >= exp_of_minus(sixteenth));
        }
    }
}
