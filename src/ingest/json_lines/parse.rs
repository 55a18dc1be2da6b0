//! A chunk of lines to what they state. Needs nothing but the chunk, so that chunks are parsed on all cores.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use super::chunks::Chunk;
use super::record::{Record, StatedSession, Time};
use crate::ingest::json::{Text, line_failure, lines};
use crate::ingest::{Context, IngestError, cost_us, line_range, timestamp};
use crate::observation::{EncodedLines, Outcome, Run, Session};
use crate::words::{Word, test_words};

/// How many names of unknown fields are kept.
pub(super) const UNKNOWN_NAMED: usize = 8;

/// The greatest time that is taken, in seconds: the year 5138.
const MAX_TIME_S: f64 = 1e11;

/// What a chunk states.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) tests: Vec<Stated>,
    pub(super) sessions: Vec<Session>,
    /// The paths that the lines of tests are of, as recorded.
    pub(super) paths: IndexSet<String>,
    pub(super) features: IndexSet<String>,
    /// Names of unknown fields, the first few of them by name.
    pub(super) unknown: BTreeSet<String>,
}

/// What a line states of a test.
pub(super) struct Stated {
    pub(super) id: String,
    pub(super) run: Option<Run>,
    pub(super) file: Option<String>,
    pub(super) words: Option<Vec<(Word, u32)>>,
    pub(super) family: Option<String>,
    /// Signals by the positions of their features.
    pub(super) signals: Vec<(usize, f64)>,
    /// Lines by the positions of their paths, if any are stated.
    pub(super) covered: Option<Vec<(usize, EncodedLines)>>,
}

/// Parses the lines of a chunk.
pub(super) fn parse(input: &str, chunk: &Chunk, context: &Context) -> Result<Parsed, IngestError> {
    let mut parsed = Parsed::default();
    let mut lines = lines(&chunk.bytes).peekable();
    while let Some((at, line)) = lines.next() {
        let number = chunk.first_line + at - 1;
        let is_last = chunk.is_last && lines.peek().is_none();
        let record: Record<'_> =
            serde_json::from_slice(line).map_err(|error| line_failure(input, is_last, (number, line), &error))?;
        let line = Line { input, number };
        match (&record.test, &record.session) {
            (Some(_), Some(_)) => {
                return Err(line.malformed("expected `test` or `session`, found both; write two lines".to_owned()));
            }
            (None, None) => {
                let reason = "expected a field `test` with the test's id, or `session`, found none";
                return Err(line.malformed(reason.to_owned()));
            }
            (None, Some(session)) => parsed.sessions.push(line.session(session)?),
            (Some(Text(id)), None) => {
                let id = id.clone().into_owned();
                parsed.add(line, id, record, context)?;
            }
        }
    }
    Ok(parsed)
}

impl Parsed {
    fn add(&mut self, line: Line<'_>, id: String, record: Record<'_>, context: &Context) -> Result<(), IngestError> {
        let run = line.run(&id, &record)?;
        let mut signals = Vec::new();
        for (Text(feature), signal) in record.regions.into_iter().flatten() {
            super::check_signal(line.input, &id, &feature, signal)?;
            signals.push((position(&mut self.features, &feature), signal));
        }
        let covered = record.lines.map(|files| {
            let each = files.into_iter().map(|(Text(path), lines)| {
                if let Some((first, last)) = lines.wrong {
                    line_range(line.input, &path, first, last)?;
                }
                Ok((position(&mut self.paths, &path), EncodedLines::new(&lines.set)))
            });
            each.collect::<Result<Vec<_>, IngestError>>()
        });
        for name in record.unknown {
            self.unknown.insert(name.into_owned());
            if self.unknown.len() > UNKNOWN_NAMED {
                self.unknown.pop_last();
            }
        }
        let words = |Text(text)| test_words(&context.test_id(&id), None, Some(&text)).into_iter().collect();
        self.tests.push(Stated {
            run,
            words: record.text.map(words),
            file: record.file.map(|Text(file)| file.into_owned()),
            family: record.family.map(|Text(family)| family.into_owned()),
            signals,
            covered: covered.transpose()?,
            id,
        });
        Ok(())
    }
}

/// The position of a name, new or known.
fn position(names: &mut IndexSet<String>, name: &str) -> usize {
    names.get_index_of(name).unwrap_or_else(|| names.insert_full(name.to_owned()).0)
}

/// Where a line stands.
#[derive(Clone, Copy)]
struct Line<'a> {
    input: &'a str,
    number: usize,
}

impl Line<'_> {
    fn malformed(self, reason: String) -> IngestError {
        IngestError::Malformed { input: self.input.to_owned(), line: self.number, reason }
    }

    fn run(self, id: &str, record: &Record<'_>) -> Result<Option<Run>, IngestError> {
        if record.cost.is_none() && record.outcome.is_none() && record.time.is_none() && record.commit.is_none() {
            return Ok(None);
        }
        let outcome = match record.outcome.as_ref().map(|outcome| outcome.0.as_ref()) {
            None => Outcome::Unknown,
            Some("passed") => Outcome::Passed,
            Some("failed" | "error") => Outcome::Failed,
            Some("flaky") => Outcome::Flaky,
            Some("skipped") => Outcome::Skipped,
            Some(other) => {
                return Err(
                    self.malformed(format!("`outcome` is {other:?}, expected passed, failed, error, flaky or skipped"))
                );
            }
        };
        let time_us = self.time_us(record.time.as_ref())?;
        let cost_us = record.cost.map(|cost| cost_us(self.input, id, cost)).transpose()?;
        let commit = record.commit.as_ref().map_or_else(String::new, |commit| commit.0.to_ascii_lowercase());
        Ok(Some(Run { time_us, commit, outcome, cost_us }))
    }

    /// When a run or a session was, in microseconds since the epoch; 0 where nothing is stated.
    fn time_us(self, time: Option<&Time<'_>>) -> Result<u64, IngestError> {
        match time {
            None => Ok(0),
            Some(Time::Seconds(seconds)) if (0.0..=MAX_TIME_S).contains(seconds) => Ok(microseconds(*seconds)),
            Some(Time::Seconds(seconds)) => {
                Err(self.malformed(format!("`time` is {seconds}, expected seconds since the epoch")))
            }
            Some(Time::Stated(text)) => timestamp::parse_us(text).ok_or_else(|| {
                self.malformed(format!("`time` is {text:?}, expected RFC 3339 or seconds since the epoch"))
            }),
        }
    }

    fn session(self, stated: &StatedSession<'_>) -> Result<Session, IngestError> {
        let &StatedSession { tests, files, cost_s, wall_s, ref time } = stated;
        let session = Session {
            whole: true,
            time_us: self.time_us(time.as_ref())?,
            tests,
            files,
            cost_us: cost_us(self.input, "session", cost_s)?,
            wall_us: cost_us(self.input, "session", wall_s)?,
        };
        if session.is_sound() {
            return Ok(session);
        }
        Err(self.malformed(format!(
            "a session of {tests} tests in {files} files that took {wall_s} s; expected at least one test, no more files than \
             tests, and a time above 0"
        )))
    }
}

fn microseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: between 0 and 1e17")]
    let us = (seconds * 1e6).round() as u64;
    us
}
