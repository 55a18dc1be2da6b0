//! The tests that failed in one of their runs, ascending, so that no query looks for them among all tests.
//!
//! ```text
//! entry   20 bytes: test u32, runs u8, failed u8 (bit 0 the last run), flags u8 (1 flaky), reserved u8,
//!         time of the last failure u64, checksum u32 of the rest seeded with the entry's position
//! ```
//!
//! All of it follows from the runs in the facts; `verify` compares the two.

use bytemuck::{Pod, Zeroable};

use super::bytes::checksum;
use super::error::ModelError;
use crate::history::History;
use crate::id::TestId;
use crate::observation::RUNS_KEPT;

const SECTION: &str = "failures";
const FLAKY: u8 = 1;
/// Length of a [`RawFailure`] in bytes.
const FAILURE_BYTES: usize = size_of::<RawFailure>();
/// Where the checksum of a [`RawFailure`] stands, over all before it.
const CHECKSUM_AT: usize = FAILURE_BYTES - 4;

/// A test that failed, as it lies in the section.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RawFailure {
    test: [u8; 4],
    runs: u8,
    failed: u8,
    flags: u8,
    reserved: u8,
    failed_us: [u8; 8],
    checksum: [u8; 4],
}

impl RawFailure {
    fn new(test: TestId, history: History, position: usize) -> Self {
        let mut raw = Self {
            test: test.0.to_le_bytes(),
            runs: history.runs,
            failed: history.failed,
            flags: if history.is_flaky { FLAKY } else { 0 },
            reserved: 0,
            failed_us: history.failed_us.to_le_bytes(),
            checksum: [0; 4],
        };
        raw.checksum = raw.expected_checksum(position).to_le_bytes();
        raw
    }

    fn expected_checksum(&self, position: usize) -> u32 {
        checksum(&bytemuck::bytes_of(self)[..CHECKSUM_AT], position as u64)
    }

    /// The history, if it is one that runs can tell.
    fn history(&self) -> Option<History> {
        let history = History {
            runs: self.runs,
            failed: self.failed,
            is_flaky: self.flags == FLAKY,
            failed_us: u64::from_le_bytes(self.failed_us),
        };
        let is_one = (1..=RUNS_KEPT).contains(&self.runs.into())
            && u32::from(self.failed) < 1 << self.runs
            && self.flags <= FLAKY
            && (self.failed != 0 || history.is_flaky);
        is_one.then_some(history)
    }
}

/// Lays out the tests that failed, ascending.
pub(crate) fn encode(failures: &[(TestId, History)]) -> Vec<u8> {
    let raw = |(position, &(test, history))| RawFailure::new(test, history, position);
    let table: Vec<RawFailure> = failures.iter().enumerate().map(raw).collect();
    bytemuck::cast_slice(&table).to_vec()
}

/// Reads all entries, of a model of `tests` tests.
pub(crate) fn read(table: &[RawFailure], tests: u32) -> Result<Vec<(TestId, History)>, ModelError> {
    let damaged = |problem| ModelError::damaged(SECTION, problem);
    let mut failures: Vec<(TestId, History)> = Vec::with_capacity(table.len());
    for (position, raw) in table.iter().enumerate() {
        if raw.expected_checksum(position) != u32::from_le_bytes(raw.checksum) {
            return Err(damaged("the checksum of an entry does not match"));
        }
        let test = TestId(u32::from_le_bytes(raw.test));
        if test.0 >= tests || failures.last().is_some_and(|&(last, _)| last >= test) {
            return Err(damaged("the tests do not ascend, or one is not there"));
        }
        failures.push((test, raw.history().ok_or_else(|| damaged("an entry is no history"))?));
    }
    Ok(failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<(TestId, History)> {
        let history = |runs, failed, is_flaky| History { runs, failed, is_flaky, failed_us: 1_700_000_000_000_000 };
        vec![(TestId(2), history(8, 0xff, true)), (TestId(5), history(1, 1, false)), (TestId(9), history(3, 0, true))]
    }

    fn read_bytes(bytes: &[u8], tests: u32) -> Result<Vec<(TestId, History)>, ModelError> {
        read(bytemuck::cast_slice(bytes), tests)
    }

    #[test]
    fn failures_come_back_and_flips_do_not() {
        let bytes = encode(&some());
        assert_eq!(bytes.len(), 3 * 20);
        assert_eq!(read_bytes(&bytes, 10), Ok(some()));
        assert!(read_bytes(&bytes, 9).is_err(), "the last test is not there");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x11;
            assert!(read_bytes(&flipped, 10).is_err(), "byte {at}");
        }
        let (first, second) = bytes.split_at(20);
        assert!(read_bytes(&[second, first].concat(), 10).is_err(), "entries that changed places");
    }

    #[test]
    fn what_no_runs_can_tell_is_refused() {
        let lie = |change: fn(&mut History)| {
            let mut history = some()[1].1;
            change(&mut history);
            read_bytes(&encode(&[(TestId(0), history)]), 1)
        };
        assert!(lie(|_| ()).is_ok());
        assert!(lie(|history| history.runs = 0).is_err());
        assert!(lie(|history| history.runs = 9).is_err());
        assert!(lie(|history| history.failed = 0b10).is_err(), "a failure before the first run");
        assert!(lie(|history| history.failed = 0).is_err(), "neither failed nor flaky");
        let twice = [some()[0], some()[0]];
        assert!(read_bytes(&encode(&twice), 10).is_err(), "a test twice");
    }
}
