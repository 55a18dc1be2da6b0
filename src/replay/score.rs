//! Shares with their intervals, and what was said against what was seen.
//!
//! The interval of a share is Wilson's (1927), which holds where shares are near 0 or 1 and counts are small; what was said
//! is scored as Brier (1950) does, by the mean squared difference. For people to read: no choice rests on them.

use serde::Serialize;

/// The quantile of the normal distribution that leaves out a twentieth.
const Z: f64 = 1.959_963_985;

/// How many bins what was said is sorted into.
const BINS: u32 = 10;

/// So many of so many, with the 95 % interval of the share behind it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// How many it is true of.
    pub hits: usize,
    /// Of how many.
    pub of: usize,
    /// The share; `None` of nothing.
    pub share: Option<f64>,
    /// The interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Share {
    /// The share of `hits` in `of`, which holds them. Of nothing, anything may be true: 0 to 1.
    pub fn new(hits: usize, of: usize) -> Self {
        if of == 0 {
            return Self { hits, of, share: None, low: 0.0, high: 1.0 };
        }
        let (n, share) = (of as f64, hits as f64 / of as f64);
        let spread = Z * libm::sqrt(share * (1.0 - share) / n + Z * Z / (4.0 * n * n));
        let (middle, scale) = (share + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
        let end = |end: f64| (end / scale).clamp(0.0, 1.0);
        Self { hits, of, share: Some(share), low: end(middle - spread), high: end(middle + spread) }
    }

    /// The share of the true ones.
    pub fn of(outcomes: impl Iterator<Item = bool>) -> Self {
        let (hits, of) = outcomes.fold((0, 0), |(hits, of), hit| (hits + usize::from(hit), of + 1));
        Self::new(hits, of)
    }
}

/// Predictions of about the same chance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// The least chance in it.
    pub from: f64,
    /// No chance in it is above.
    pub to: f64,
    /// The mean of what was said.
    pub said: f64,
    /// How often it came true.
    pub seen: Share,
}

/// What was said against what was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// The bins that hold anything, ascending.
    pub bins: Vec<Bin>,
    /// The mean of all that was said.
    pub said: f64,
    /// How often it came true.
    pub seen: Share,
    /// The mean squared difference: 0 is perfect, 0.25 is what "one in two" always has.
    pub brier: Option<f64>,
}

impl Reliability {
    /// Compares chances, each from 0 to 1, with what came true. O(predictions), in their order.
    pub fn of(predictions: &[(f64, bool)]) -> Self {
        let bin = |number: u32| {
            let (from, to) = (f64::from(number) / f64::from(BINS), f64::from(number + 1) / f64::from(BINS));
            let is_last = number + 1 == BINS;
            let within = |&&(said, _): &&(f64, bool)| said >= from && (said < to || is_last);
            let held: Vec<(f64, bool)> = predictions.iter().filter(within).copied().collect();
            let seen = Share::of(held.iter().map(|&(_, seen)| seen));
            mean(held.iter().map(|&(said, _)| said)).map(|said| Bin { from, to, said, seen })
        };
        let error = |&(said, seen): &(f64, bool)| {
            let difference = said - f64::from(u8::from(seen));
            difference * difference
        };
        Self {
            bins: (0..BINS).filter_map(bin).collect(),
            said: mean(predictions.iter().map(|&(said, _)| said)).unwrap_or(0.0),
            seen: Share::of(predictions.iter().map(|&(_, seen)| seen)),
            brier: mean(predictions.iter().map(error)),
        }
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Against the published table of Newcombe (1998): 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    #[test]
    fn intervals_are_wilsons() {
        for ((hits, of), (low, high)) in [
            ((81, 263), (0.2553, 0.3662)),
            ((15, 148), (0.0624, 0.1605)),
            ((0, 20), (0.0, 0.1611)),
            ((1, 29), (0.0061, 0.1718)),
        ] {
            let found = Share::new(hits, of);
            assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5, "{hits} of {of}: {found:?}");
        }
        assert_eq!((Share::new(0, 0).share, Share::new(0, 0).low, Share::new(0, 0).high), (None, 0.0, 1.0));
    }

    #[test]
    fn what_was_said_stands_in_its_bin() {
        let found = Reliability::of(&[(0.0, false), (0.09, true), (0.1, false), (1.0, true), (0.95, true)]);
        let bins: Vec<_> = found.bins.iter().map(|bin| (bin.from, bin.seen.hits, bin.seen.of)).collect();
        assert_eq!(bins, [(0.0, 1, 2), (0.1, 0, 1), (0.9, 2, 2)]);
        assert!((found.bins[2].said - 0.975).abs() < 1e-12);
        let brier = (0.0 + 0.91 * 0.91 + 0.01 + 0.0 + 0.0025) / 5.0;
        assert!((found.brier.unwrap() - brier).abs() < 1e-12);
        assert_eq!((Reliability::of(&[]).brier, Reliability::of(&[]).bins.len()), (None, 0));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share_and_narrows(of in 1usize..500, hits in 0usize..500, times in 2usize..20) {
            let hits = hits.min(of);
            let (few, many) = (Share::new(hits, of), Share::new(hits * times, of * times));
            let share = few.share.unwrap();
            prop_assert!(few.low <= share + 1e-12 && share <= few.high + 1e-12);
            prop_assert!(many.high - many.low < few.high - few.low);
            let not = Share::new(of - hits, of);
            prop_assert!((not.low - (1.0 - few.high)).abs() < 1e-12, "a miss is a hit seen from the other side");
        }

        #[test]
        fn every_prediction_is_in_one_bin(said in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 0..50)) {
            let found = Reliability::of(&said);
            prop_assert_eq!(found.bins.iter().map(|bin| bin.seen.of).sum::<usize>(), said.len());
            prop_assert!(found.bins.iter().all(|bin| bin.from <= bin.said && bin.said <= bin.to + 1e-12));
        }
    }
}
