//! How much a whole session is faster or slower than the costs say: what a machine's day does to all tests at once.
//!
//! Runs that state one time are one session. Its pace is what its tests took over what they usually cost; the spread is
//! the standard deviation of the pace over sessions that ran at least half of the suite, by cost: in a smaller one the
//! luck of single tests would pass for the pace of all. Integers throughout, so that every machine stores the same.

use std::collections::BTreeMap;

/// One, in the unit of a pace.
const PPM: u128 = 1_000_000;

/// What the sessions that runs tell of took, by the time they state.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    /// Time to the sum of what its runs took and of what their tests usually cost, in microseconds.
    sessions: BTreeMap<u64, (u128, u128)>,
}

impl Paces {
    /// Adds a run that took `took_us`, of a test that usually costs `usual_us`. Without a time it is of no session.
    pub(crate) fn add(&mut self, time_us: u64, took_us: u64, usual_us: u64) {
        if time_us > 0 {
            let (took, usual) = self.sessions.entry(time_us).or_default();
            *took += u128::from(took_us);
            *usual += u128::from(usual_us);
        }
    }

    /// The spread in parts per million, of a suite that costs `suite_us`; `None` with fewer than two sessions.
    pub(crate) fn spread_ppm(&self, suite_us: u64) -> Option<u32> {
        let is_of_suite = |&&(_, usual): &&(u128, u128)| usual > 0 && usual * 2 >= u128::from(suite_us);
        let large = self.sessions.values().filter(is_of_suite);
        let paces: Vec<u128> = large.map(|&(took, usual)| (took * PPM / usual).min(u32::MAX.into())).collect();
        let count = paces.len() as u128;
        let mean = paces.iter().sum::<u128>().checked_div(count)?;
        let squares: u128 = paces.iter().map(|pace| pace.abs_diff(mean).pow(2)).sum();
        let variance = squares.checked_div(count - 1)?;
        u32::try_from(variance.isqrt()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(sessions: &[(u64, u64, u64)]) -> Option<u32> {
        let mut paces = Paces::default();
        sessions.iter().for_each(|&(time_us, took_us, usual_us)| paces.add(time_us, took_us, usual_us));
        paces.spread_ppm(100)
    }

    #[test]
    fn the_spread_is_that_of_whole_sessions() {
        assert_eq!(spread(&[(1, 90, 100), (2, 110, 100)]), Some(141_421));
        assert_eq!(spread(&[(1, 30, 50), (1, 60, 50), (2, 110, 100)]), Some(141_421), "a session is all its runs");
        assert_eq!(spread(&[(1, 100, 100), (2, 100, 100), (3, 100, 100)]), Some(0));
    }

    #[test]
    fn one_session_has_no_spread() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[(1, 90, 100)]), None);
        assert_eq!(spread(&[(1, 90, 100), (2, 110, 49)]), None, "a small session is none of the suite");
        assert_eq!(spread(&[(0, 90, 100), (2, 110, 100)]), None, "without a time it may be several");
        assert_eq!(spread(&[(1, 90, 0), (2, 110, 100)]), None);
        assert_eq!(spread(&[(1, u64::MAX, 100), (2, 0, 100)]), Some(3_037_000_499), "however far apart");
    }
}
