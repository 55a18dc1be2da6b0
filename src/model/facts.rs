//! Per test: what is neither its name nor its cost. Blocks of sixteen tests, found and checked one by one.
//!
//! ```text
//! test    flags u8 (1 recorded, 2 family, 4 text), family varint if flagged, runs varint, runs
//! run     outcome u8 (with 0x10: a cost follows), time varint, commit varint (0 none, else 1 + position), cost varint
//! ```
//!
//! Runs ascend, so a time is stored as the distance to the one before, and the first to the first of the test before in
//! the block: a suite's report gives all its tests one time.

use super::bytes::{Cursor, put_varint};
use super::error::ModelError;
use super::names::{Blocks, encode_blocks};
use crate::history::History;
use crate::observation::{Outcome, RUNS_KEPT};

const SECTION: &str = "facts";
const RECORDED: u8 = 1;
const FAMILY: u8 = 2;
const TEXT: u8 = 4;
const COST: u8 = 0x10;

/// One run of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFact {
    /// Microseconds since the Unix epoch, 0 where not stated.
    pub time_us: u64,
    /// Position in the root's commits.
    pub commit: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// Cost in microseconds, where stated.
    pub cost_us: Option<u64>,
}

/// What is known of one test besides its name, cost and postings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRecord {
    /// Whether its coverage was recorded.
    pub recorded: bool,
    /// Whether an input stated its text.
    pub has_text: bool,
    /// Its declared family, a position among the family names.
    pub family: Option<u32>,
    /// Its runs, ascending by time, then commit, outcome, cost.
    pub runs: Vec<RunFact>,
}

impl TestRecord {
    /// What its runs say of its failures, or `None` where none failed.
    pub fn history(&self) -> Option<History> {
        History::of(self.runs.iter().map(|run| (run.time_us, run.commit, run.outcome)))
    }

    fn first_time(&self) -> u64 {
        self.runs.first().map_or(0, |run| run.time_us)
    }
}

/// Lays out the facts of all tests.
pub(crate) fn encode(tests: &[TestRecord]) -> Vec<u8> {
    encode_blocks(tests, |out, before, test| {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        out.push(flag(test.recorded, RECORDED) | flag(test.family.is_some(), FAMILY) | flag(test.has_text, TEXT));
        if let Some(family) = test.family {
            put_varint(out, family.into());
        }
        put_varint(out, test.runs.len() as u64);
        let mut time_us = before.map_or(0, TestRecord::first_time);
        for run in &test.runs {
            out.push(run.outcome as u8 | if run.cost_us.is_some() { COST } else { 0 });
            put_varint(out, run.time_us.wrapping_sub(time_us));
            put_varint(out, run.commit.map_or(0, |commit| u64::from(commit) + 1));
            if let Some(cost_us) = run.cost_us {
                put_varint(out, cost_us);
            }
            time_us = run.time_us;
        }
    })
}

/// The facts of the test at `position`, of `count` tests.
pub(crate) fn read(bytes: &[u8], count: u32, position: u32) -> Result<TestRecord, ModelError> {
    let (block, before) = Blocks::new(SECTION, bytes, count)?.block_of(position)?;
    let mut cursor = Cursor::new(block);
    let mut first_time = 0;
    for _ in 0..before {
        let skipped = read_test(&mut cursor, first_time).ok_or_else(malformed)?;
        first_time = skipped.first_time();
    }
    read_test(&mut cursor, first_time).ok_or_else(malformed)
}

fn malformed() -> ModelError {
    ModelError::damaged(SECTION, "a test does not fit its block")
}

fn read_test(cursor: &mut Cursor<'_>, first_time: u64) -> Option<TestRecord> {
    let flags = cursor.byte().filter(|flags| flags & !(RECORDED | FAMILY | TEXT) == 0)?;
    let family = if flags & FAMILY != 0 { Some(cursor.varint_u32()?) } else { None };
    let count = cursor.varint_usize().filter(|&count| count <= RUNS_KEPT)?;
    let mut runs = Vec::with_capacity(count);
    let mut time_us = first_time;
    for _ in 0..count {
        let tag = cursor.byte()?;
        let outcome = match tag & !COST {
            0 => Outcome::Unknown,
            1 => Outcome::Skipped,
            2 => Outcome::Passed,
            3 => Outcome::Flaky,
            4 => Outcome::Failed,
            _ => return None,
        };
        time_us = time_us.wrapping_add(cursor.varint()?);
        let commit = cursor.varint_u32()?.checked_sub(1);
        let cost_us = if tag & COST != 0 { Some(cursor.varint()?) } else { None };
        runs.push(RunFact { time_us, commit, outcome, cost_us });
    }
    Some(TestRecord { recorded: flags & RECORDED != 0, has_text: flags & TEXT != 0, family, runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back() {
        let run = |time_us, cost_us| RunFact { time_us, commit: Some(3), outcome: Outcome::Passed, cost_us };
        let tests: Vec<TestRecord> = (0..40u32)
            .map(|i| TestRecord {
                recorded: i % 3 == 0,
                has_text: i % 7 == 0,
                family: (i % 5 == 0).then_some(i),
                runs: (0..u64::from(i) % 4).map(|n| run(1_700_000_000_000_000 - u64::from(i) + n, Some(n))).collect(),
            })
            .collect();
        let bytes = encode(&tests);
        for (position, test) in tests.iter().enumerate() {
            assert_eq!(&read(&bytes, 40, position as u32).unwrap(), test);
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x11;
            for position in 0..40u32 {
                if let Ok(found) = read(&flipped, 40, position) {
                    assert_eq!(found, tests[position as usize], "byte {at}");
                }
            }
        }
    }
}
