//! Per test: what is neither its name nor its cost. Blocks of sixteen tests, found and checked one by one.
//!
//! ```text
//! test    flags u8 (1 recorded, 2 family, 4 text; bits 3-6 the number of runs), family varint if flagged, runs
//! run     tag u8 (bits 0-2 the outcome; 8: of the session before; bits 4-5 the cost: 0 none, 1 follows, 2 as stored),
//!         unless of the session before: time varint, commit varint (0 none, else 1 + position); cost varint if it follows
//! ```
//!
//! The session before is time and commit of the run before, for the first run of a test of the first run of the test before
//! in the block: a suite's report gives all its tests one time. Other times are stored as the distance to it. A cost is
//! mostly the one that the costs have for the test. So a test with one run of the usual session takes two bytes.

use super::bytes::{Cursor, put_varint};
use super::error::ModelError;
use super::names::{Blocks, encode_blocks};
use crate::history::History;
use crate::observation::{Outcome, RUNS_KEPT};

const SECTION: &str = "facts";
const RECORDED: u8 = 1;
const FAMILY: u8 = 2;
const TEXT: u8 = 4;
const RUNS_SHIFT: u32 = 3;
const OUTCOME: u8 = 7;
const SESSION_BEFORE: u8 = 8;
const COST: u8 = 0x30;
const COST_FOLLOWS: u8 = 0x10;
const COST_AS_STORED: u8 = 0x20;

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

    fn first_session(&self) -> Session {
        self.runs.first().map_or(NO_SESSION, RunFact::session)
    }
}

/// Time and commit of a run.
type Session = (u64, Option<u32>);
const NO_SESSION: Session = (0, None);

impl RunFact {
    fn session(&self) -> Session {
        (self.time_us, self.commit)
    }
}

/// Lays out the facts of all tests, each with the cost that is stored for it, in microseconds.
///
/// # Panics
/// If a test has more runs than are kept.
pub(crate) fn encode(tests: &[(TestRecord, u64)]) -> Vec<u8> {
    encode_blocks(tests, |out, before, (test, stored_us)| {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let runs = u8::try_from(test.runs.len()).ok().filter(|&runs| usize::from(runs) <= RUNS_KEPT);
        let runs = runs.expect("a few runs are kept") << RUNS_SHIFT;
        out.push(
            runs | flag(test.recorded, RECORDED) | flag(test.family.is_some(), FAMILY) | flag(test.has_text, TEXT),
        );
        if let Some(family) = test.family {
            put_varint(out, family.into());
        }
        let mut session = before.map_or(NO_SESSION, |(before, _)| before.first_session());
        for run in &test.runs {
            put_run(out, run, session, *stored_us);
            session = run.session();
        }
    })
}

fn put_run(out: &mut Vec<u8>, run: &RunFact, before: Session, stored_us: u64) {
    let cost = match run.cost_us {
        None => 0,
        Some(cost_us) if cost_us == stored_us => COST_AS_STORED,
        Some(_) => COST_FOLLOWS,
    };
    let session = if run.session() == before { SESSION_BEFORE } else { 0 };
    out.push(run.outcome as u8 | session | cost);
    if session == 0 {
        put_varint(out, run.time_us.wrapping_sub(before.0));
        put_varint(out, run.commit.map_or(0, |commit| u64::from(commit) + 1));
    }
    if let (COST_FOLLOWS, Some(cost_us)) = (cost, run.cost_us) {
        put_varint(out, cost_us);
    }
}

/// The facts of the test at `position`, of `count` tests; the cost that is stored for it is `stored_us`.
pub(crate) fn read(bytes: &[u8], count: u32, position: u32, stored_us: u64) -> Result<TestRecord, ModelError> {
    let (block, before) = Blocks::new(SECTION, bytes, count)?.block_of(position)?;
    let mut cursor = Cursor::new(block);
    let mut session = NO_SESSION;
    for _ in 0..before {
        let skipped = read_test(&mut cursor, session, 0).ok_or_else(malformed)?;
        session = skipped.first_session();
    }
    read_test(&mut cursor, session, stored_us).ok_or_else(malformed)
}

fn malformed() -> ModelError {
    ModelError::damaged(SECTION, "a test does not fit its block")
}

fn read_test(cursor: &mut Cursor<'_>, mut session: Session, stored_us: u64) -> Option<TestRecord> {
    let flags = cursor.byte()?;
    let count = usize::from(flags >> RUNS_SHIFT);
    if count > RUNS_KEPT {
        return None;
    }
    let family = if flags & FAMILY != 0 { Some(cursor.varint_u32()?) } else { None };
    let mut runs = Vec::with_capacity(count);
    for _ in 0..count {
        let run = read_run(cursor, session, stored_us)?;
        session = run.session();
        runs.push(run);
    }
    Some(TestRecord { recorded: flags & RECORDED != 0, has_text: flags & TEXT != 0, family, runs })
}

fn read_run(cursor: &mut Cursor<'_>, before: Session, stored_us: u64) -> Option<RunFact> {
    let tag = cursor.byte().filter(|tag| tag & !(OUTCOME | SESSION_BEFORE | COST) == 0)?;
    let outcome = match tag & OUTCOME {
        0 => Outcome::Unknown,
        1 => Outcome::Skipped,
        2 => Outcome::Passed,
        3 => Outcome::Flaky,
        4 => Outcome::Failed,
        _ => return None,
    };
    let (time_us, commit) = match tag & SESSION_BEFORE {
        0 => (before.0.wrapping_add(cursor.varint()?), cursor.varint_u32()?.checked_sub(1)),
        _ => before,
    };
    let cost_us = match tag & COST {
        0 => None,
        COST_FOLLOWS => Some(cursor.varint()?),
        COST_AS_STORED => Some(stored_us),
        _ => return None,
    };
    Some(RunFact { time_us, commit, outcome, cost_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(time_us: u64, cost_us: Option<u64>) -> RunFact {
        RunFact { time_us, commit: Some(3), outcome: Outcome::Passed, cost_us }
    }

    #[test]
    fn facts_come_back() {
        let test = |i: u32| TestRecord {
            recorded: i.is_multiple_of(3),
            has_text: i.is_multiple_of(7),
            family: (i.is_multiple_of(5)).then_some(i),
            runs: (0..u64::from(i) % 4).map(|n| run(1_700_000_000_000_000 - u64::from(i / 7) + n, Some(n))).collect(),
        };
        let tests: Vec<(TestRecord, u64)> = (0..40).map(|i| (test(i), u64::from(i) % 3)).collect();
        let bytes = encode(&tests);
        for (position, (test, stored_us)) in tests.iter().enumerate() {
            assert_eq!(&read(&bytes, 40, position as u32, *stored_us).unwrap(), test);
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x11;
            for (position, (test, stored_us)) in tests.iter().enumerate() {
                if let Ok(found) = read(&flipped, 40, position as u32, *stored_us) {
                    assert_eq!(&found, test, "byte {at}");
                }
            }
        }
    }

    /// As `docs/format.md` says: sixteen tests of one session take two bytes each, and what the session is once.
    #[test]
    fn a_usual_run_takes_two_bytes() {
        let test = TestRecord { recorded: true, runs: vec![run(300, Some(9))], ..TestRecord::default() };
        let bytes = encode(&[(test.clone(), 9), (test.clone(), 9), (test, 8)]);
        assert_eq!(bytes[16..], [0x09, 0x22, 0xac, 2, 4, 0x09, 0x2a, 0x09, 0x1a, 9]);
        let reads = |part: &[u8], stored_us| read_test(&mut Cursor::new(part), (5, None), stored_us);
        assert_eq!(reads(&[0x08, 0x2a], 70).map(|test| test.runs[0].cost_us), Some(Some(70)));
        for lie in
            [&[][..], &[9 << 3], &[0x08], &[0x08, 0x3a], &[0x08, 0x4a], &[0x08, 0x0d], &[0x08, 0x1a], &[0x08, 0x02, 0]]
        {
            assert_eq!(reads(lie, 0), None, "{lie:?}");
        }
    }
}
