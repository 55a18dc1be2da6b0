//! JSON lines, one object a line: the door for every language.
//!
//! `{"test": "id", "cost": 1.25, "file": "a_test.go", "lines": {"a.go": [[10, 20], 33]}, "regions": {"pkg.fn": 0.9},
//! "text": "words", "family": "t", "outcome": "passed", "time": "2026-11-22T02:51:26Z", "commit": "c1dc5dc"}`: all but
//! `test` optional, in any order, and a test may recur. `time` is RFC 3339 or seconds since the epoch; `outcome` is
//! passed, failed, error, flaky (it failed, was run again and passed) or skipped. Unknown fields are named and not used.
//!
//! `{"session": {"tests": 90, "files": 8, "cost_s": 5.2, "wall_s": 5.9, "time": ...}}` is a session of the runner, measured
//! from outside; `time` is optional, and an unknown field is an error: numbers that are left out would be wrong ones.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{Text, line_failure, lines};
use super::{Context, Ingest, IngestError, Kind, Note, Outside, Summary, cost_us, line_range, timestamp};
use crate::observation::{FileKey, LineSet, Outcome, Run, Session, TestKey};

/// How many names of unknown fields a note holds.
const UNKNOWN_NAMED: usize = 8;

/// Reads the lines.
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let mut reading = Reading { input, context, into, outside: Outside::default(), unknown: BTreeSet::new() };
    let (mut tests, mut files, mut pairs, mut named_files) = (HashSet::new(), HashSet::new(), 0, 0);
    let mut sessions = 0;
    for (number, line) in lines(bytes) {
        let record: Record<'_> =
            serde_json::from_slice(line).map_err(|error| line_failure(input, bytes, (number, line), &error))?;
        if let Some(stated) = record.session {
            if record.test.is_some() {
                let reason = "expected `test` or `session`, found both; write two lines".to_owned();
                return Err(IngestError::Malformed { input: input.to_owned(), line: number, reason });
            }
            reading.session(number, &stated)?;
            sessions += 1;
            continue;
        }
        named_files += record.lines.iter().flatten().count();
        let (test, covered) = reading.record(number, record)?;
        tests.insert(test);
        pairs += covered.len();
        files.extend(covered);
    }
    let Reading { outside, unknown, .. } = reading;
    if tests.is_empty() && sessions == 0 {
        return Err(IngestError::Empty { input: input.to_owned() });
    }
    if !unknown.is_empty() {
        into.note(Note::UnknownFields { input: input.to_owned(), fields: unknown.into_iter().collect() });
    }
    if named_files > 0 {
        into.coverage_inputs.insert(input.to_owned());
    }
    outside.settle(input, files.len(), context, into)?;
    Ok(Summary { kind: Kind::JsonLines, tests: tests.len(), files: files.len(), pairs })
}

struct Reading<'a> {
    input: &'a str,
    context: &'a Context,
    into: &'a mut Ingest,
    outside: Outside,
    unknown: BTreeSet<String>,
}

impl Reading<'_> {
    /// Adds one record; gives its test and the files that it covers.
    fn record(&mut self, number: usize, record: Record<'_>) -> Result<(TestKey, Vec<FileKey>), IngestError> {
        let Some(id) = &record.test else {
            let reason = "expected a field `test` with the test's id, or `session`, found none".to_owned();
            return Err(IngestError::Malformed { input: self.input.to_owned(), line: number, reason });
        };
        let test = self.into.test(self.input, &id.0, self.context)?;
        self.run(number, test, &id.0, &record)?;
        if let Some(file) = &record.file {
            self.file(test, &file.0)?;
        }
        if let Some(text) = &record.text {
            self.into.seen.text(test, &text.0);
        }
        if let Some(family) = &record.family {
            self.into.seen.family(test, &family.0);
        }
        for (feature, signal) in record.regions.into_iter().flatten() {
            check_signal(self.input, &id.0, &feature.0, signal)?;
            self.into.seen.signal(test, &feature.0, signal);
        }
        let mut covered = Vec::new();
        if let Some(files) = record.lines {
            self.into.seen.test_mut(test).recorded = true;
            for (path, lines) in files {
                if let Some((first, last)) = lines.wrong {
                    line_range(self.input, &path.0, first, last)?;
                }
                if let Some(file) = self.into.file(&path.0, self.context, &mut self.outside) {
                    self.into.seen.cover(test, file, &lines.set);
                    covered.push(file);
                }
            }
        }
        for name in record.unknown {
            if self.unknown.len() < UNKNOWN_NAMED || self.unknown.last().is_some_and(|last| **last > *name) {
                self.unknown.insert(name.into_owned());
                if self.unknown.len() > UNKNOWN_NAMED {
                    self.unknown.pop_last();
                }
            }
        }
        Ok((test, covered))
    }

    fn run(&mut self, number: usize, test: TestKey, id: &str, record: &Record<'_>) -> Result<(), IngestError> {
        if record.cost.is_none() && record.outcome.is_none() && record.time.is_none() && record.commit.is_none() {
            return Ok(());
        }
        let malformed = |reason| IngestError::Malformed { input: self.input.to_owned(), line: number, reason };
        let outcome = match record.outcome.as_ref().map(|outcome| outcome.0.as_ref()) {
            None => Outcome::Unknown,
            Some("passed") => Outcome::Passed,
            Some("failed" | "error") => Outcome::Failed,
            Some("flaky") => Outcome::Flaky,
            Some("skipped") => Outcome::Skipped,
            Some(other) => {
                return Err(malformed(format!(
                    "`outcome` is {other:?}, expected passed, failed, error, flaky or skipped"
                )));
            }
        };
        let time_us = self.time_us(number, record.time.as_ref())?;
        let cost_us = record.cost.map(|cost| cost_us(self.input, id, cost)).transpose()?;
        let commit = record.commit.as_ref().map_or_else(String::new, |commit| commit.0.to_ascii_lowercase());
        self.into.seen.run(test, Run { time_us, commit, outcome, cost_us });
        Ok(())
    }

    /// When a run or a session was, in microseconds since the epoch; 0 where nothing is stated.
    fn time_us(&self, number: usize, time: Option<&Time<'_>>) -> Result<u64, IngestError> {
        let malformed = |reason| IngestError::Malformed { input: self.input.to_owned(), line: number, reason };
        match time {
            None => Ok(0),
            Some(Time::Seconds(seconds)) if (0.0..=MAX_TIME_S).contains(seconds) => Ok(microseconds(*seconds)),
            Some(Time::Seconds(seconds)) => {
                Err(malformed(format!("`time` is {seconds}, expected seconds since the epoch")))
            }
            Some(Time::Stated(text)) => timestamp::parse_us(text)
                .ok_or_else(|| malformed(format!("`time` is {text:?}, expected RFC 3339 or seconds since the epoch"))),
        }
    }

    fn session(&mut self, number: usize, stated: &StatedSession<'_>) -> Result<(), IngestError> {
        let &StatedSession { tests, files, cost_s, wall_s, ref time } = stated;
        let session = Session {
            whole: true,
            time_us: self.time_us(number, time.as_ref())?,
            tests,
            files,
            cost_us: cost_us(self.input, "session", cost_s)?,
            wall_us: cost_us(self.input, "session", wall_s)?,
        };
        if !session.is_sound() {
            let reason = format!(
                "a session of {tests} tests in {files} files that took {wall_s} s; expected at least one test, no more files \
                 than tests, and a time above 0"
            );
            return Err(IngestError::Malformed { input: self.input.to_owned(), line: number, reason });
        }
        self.into.seen.session(session);
        Ok(())
    }

    fn file(&mut self, test: TestKey, recorded: &str) -> Result<(), IngestError> {
        let Some(file) = self.into.file(recorded, self.context, &mut self.outside) else { return Ok(()) };
        let (known, earlier_input) =
            self.into.stated_files.entry(test).or_insert_with(|| (file, self.input.to_owned()));
        if *known != file {
            return Err(IngestError::FileConflict {
                input: self.input.to_owned(),
                test: self.into.seen.test_name(test).to_owned(),
                found: self.into.seen.file_path(file).to_owned(),
                earlier: self.into.seen.file_path(*known).to_owned(),
                earlier_input: earlier_input.clone(),
            });
        }
        self.into.seen.test_mut(test).file = Some(file);
        Ok(())
    }
}

/// The greatest time that is taken, in seconds: the year 5138.
const MAX_TIME_S: f64 = 1e11;

fn microseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: between 0 and 1e17")]
    let us = (seconds * 1e6).round() as u64;
    us
}

/// Checks a declared signal.
pub(super) fn check_signal(input: &str, test: &str, feature: &str, signal: f64) -> Result<(), IngestError> {
    if (0.0..=1.0).contains(&signal) {
        return Ok(());
    }
    let (input, test, feature) = (input.to_owned(), test.to_owned(), feature.to_owned());
    Err(IngestError::SignalRange { input, test, feature, found: signal })
}

/// One line.
#[derive(Default)]
struct Record<'a> {
    test: Option<Text<'a>>,
    cost: Option<f64>,
    file: Option<Text<'a>>,
    lines: Option<Vec<(Text<'a>, Lines)>>,
    regions: Option<Vec<(Text<'a>, f64)>>,
    text: Option<Text<'a>>,
    family: Option<Text<'a>>,
    outcome: Option<Text<'a>>,
    time: Option<Time<'a>>,
    commit: Option<Text<'a>>,
    session: Option<StatedSession<'a>>,
    unknown: Vec<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecordVisitor;
        impl<'de> Visitor<'de> for RecordVisitor {
            type Value = Record<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the field `test` or `session`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
                let mut record = Record::default();
                while let Some(Text(key)) = map.next_key()? {
                    match key.as_ref() {
                        "test" => record.test = Some(map.next_value()?),
                        "cost" => record.cost = map.next_value()?,
                        "file" => record.file = map.next_value()?,
                        "lines" => record.lines = map.next_value::<Option<Pairs<'de, Lines>>>()?.map(|pairs| pairs.0),
                        "regions" => record.regions = map.next_value::<Option<Pairs<'de, f64>>>()?.map(|pairs| pairs.0),
                        "text" => record.text = map.next_value()?,
                        "family" => record.family = map.next_value()?,
                        "outcome" => record.outcome = map.next_value()?,
                        "time" => record.time = map.next_value()?,
                        "commit" => record.commit = map.next_value()?,
                        "session" => record.session = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            record.unknown.push(key);
                        }
                    }
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(RecordVisitor)
    }
}

/// A session as a line states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedSession<'a> {
    tests: u32,
    files: u32,
    cost_s: f64,
    wall_s: f64,
    #[serde(borrow, default)]
    time: Option<Time<'a>>,
}

/// An object as its pairs, in order, repetitions included.
pub(super) struct Pairs<'a, V>(pub(super) Vec<(Text<'a>, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<'de, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de, V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(std::marker::PhantomData))
    }
}

enum Time<'a> {
    Seconds(f64),
    Stated(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Time<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2^53")]
        impl<'de> Visitor<'de> for TimeVisitor {
            type Value = Time<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as RFC 3339 or as seconds since the epoch")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time<'de>, E> {
                Ok(Time::Seconds(seconds as f64))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time<'de>, E> {
                Ok(Time::Seconds(seconds as f64))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time<'de>, E> {
                Ok(Time::Seconds(seconds))
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Time<'de>, E> {
                Ok(Time::Stated(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time<'de>, E> {
                Ok(Time::Stated(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

/// `[[10, 20], 33]`, and the first range of it that is wrong.
struct Lines {
    set: LineSet,
    wrong: Option<(i128, i128)>,
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinesVisitor;
        impl<'de> Visitor<'de> for LinesVisitor {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of line numbers and [first, last] ranges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lines, A::Error> {
                let mut lines = Lines { set: LineSet::default(), wrong: None };
                let mut unsorted = Vec::new();
                while let Some(Span(first, last)) = seq.next_element()? {
                    match line_range("", "", first, last) {
                        Err(_) => lines.wrong = lines.wrong.or(Some((first, last))),
                        Ok(range) if lines.set.ranges().last().is_none_or(|last| last.first <= range.first) => {
                            lines.set.insert(range);
                        }
                        Ok(range) => unsorted.push(range),
                    }
                }
                if !unsorted.is_empty() {
                    lines.set.union(&unsorted.into_iter().collect::<LineSet>());
                }
                Ok(lines)
            }
        }
        deserializer.deserialize_seq(LinesVisitor)
    }
}

/// One line, or the first and last of a range, as written.
struct Span(i128, i128);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;
        impl<'de> Visitor<'de> for SpanVisitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a line number or [first, last]")
            }

            fn visit_u64<E: de::Error>(self, line: u64) -> Result<Span, E> {
                Ok(Span(line.into(), line.into()))
            }

            fn visit_i64<E: de::Error>(self, line: i64) -> Result<Span, E> {
                Ok(Span(line.into(), line.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Span, A::Error> {
                let first: i64 = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let last: i64 = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Span(first.into(), last.into())),
                    Some(_) => Err(de::Error::invalid_length(3, &self)),
                }
            }
        }
        deserializer.deserialize_any(SpanVisitor)
    }
}
