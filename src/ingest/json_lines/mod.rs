//! JSON lines, one object a line: the door for every language.
//!
//! `{"test": "id", "cost": 1.25, "file": "a_test.go", "lines": {"a.go": [[10, 20], 33]}, "regions": {"pkg.fn": 0.9},
//! "text": "words", "family": "t", "outcome": "passed", "time": "2026-11-22T02:51:26Z", "commit": "c1dc5dc"}`: all but
//! `test` optional, in any order, and a test may recur. `time` is RFC 3339 or seconds since the epoch; `outcome` is
//! passed, failed, error, flaky (it failed, was run again and passed) or skipped. Unknown fields are named and not used.
//!
//! `{"session": {"tests": 90, "files": 8, "cost_s": 5.2, "wall_s": 5.9, "time": ...}}` is a session of the runner, measured
//! from outside; `time` is optional, and an unknown field is an error: numbers that are left out would be wrong ones.
//!
//! The input streams: it is read in chunks of whole lines, which are parsed on all cores while those before them are added
//! in their order.

mod chunks;
mod parse;
mod record;

use std::collections::{BTreeSet, HashSet};
use std::io::Read;

use rayon::prelude::*;

use self::chunks::Chunks;
use self::parse::{Parsed, Stated, UNKNOWN_NAMED, parse};
use super::{Context, Ingest, IngestError, Kind, Note, Outside, Summary};
use crate::observation::{FileKey, TestKey};

pub(super) use self::record::Pairs;

/// How many chunks are parsed at once.
const CHUNKS_AT_ONCE: usize = 16;

/// Reads the lines.
pub(super) fn read(
    input: &str,
    bytes: impl Read,
    context: &Context,
    into: &mut Ingest,
) -> Result<Summary, IngestError> {
    let failed = |source| IngestError::Io { input: input.to_owned(), source };
    let mut chunks = Chunks::new(bytes);
    let mut reading = Reading::new(input, context, into);
    let mut ready: Vec<Result<Parsed, IngestError>> = Vec::new();
    loop {
        let batch = chunks.take(CHUNKS_AT_ONCE).map_err(failed)?;
        let is_end = batch.is_empty();
        let mut next = Vec::new();
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| next = batch.par_iter().map(|chunk| parse(input, chunk, context)).collect());
            ready.drain(..).try_for_each(|parsed| reading.add(parsed?))
        })?;
        ready = next;
        if is_end {
            return reading.finish();
        }
    }
}

struct Reading<'a> {
    input: &'a str,
    context: &'a Context,
    into: &'a mut Ingest,
    outside: Outside,
    unknown: BTreeSet<String>,
    tests: HashSet<TestKey>,
    files: HashSet<FileKey>,
    pairs: usize,
    sessions: usize,
    names_files: bool,
}

impl<'a> Reading<'a> {
    fn new(input: &'a str, context: &'a Context, into: &'a mut Ingest) -> Self {
        Self {
            input,
            context,
            into,
            outside: Outside::default(),
            unknown: BTreeSet::new(),
            tests: HashSet::new(),
            files: HashSet::new(),
            pairs: 0,
            sessions: 0,
            names_files: false,
        }
    }

    /// Adds what a chunk states.
    fn add(&mut self, parsed: Parsed) -> Result<(), IngestError> {
        let Parsed { tests, sessions, paths, features, unknown } = parsed;
        self.names_files |= !paths.is_empty();
        let files: Vec<Option<FileKey>> =
            paths.iter().map(|path| self.into.file(path, self.context, &mut self.outside)).collect();
        self.files.extend(files.iter().flatten());
        let features: Vec<u32> = features.iter().map(|feature| self.into.seen.feature(feature)).collect();
        for stated in tests {
            self.test(stated, &files, &features)?;
        }
        self.sessions += sessions.len();
        sessions.into_iter().for_each(|session| self.into.seen.session(session));
        self.unknown.extend(unknown);
        while self.unknown.len() > UNKNOWN_NAMED {
            self.unknown.pop_last();
        }
        self.into.settle()
    }

    fn test(&mut self, stated: Stated, files: &[Option<FileKey>], features: &[u32]) -> Result<(), IngestError> {
        let test = self.into.test(self.input, &stated.id, self.context)?;
        self.tests.insert(test);
        if let Some(file) = &stated.file {
            self.file(test, file)?;
        }
        let seen = &mut self.into.seen;
        stated.run.into_iter().for_each(|run| seen.run(test, run));
        stated.words.into_iter().for_each(|words| seen.words(test, words));
        stated.family.into_iter().for_each(|family| seen.family(test, &family));
        for (feature, signal) in stated.signals {
            seen.signal_on(test, features[feature], signal);
        }
        for (path, lines) in stated.covered.iter().flatten() {
            if let Some(file) = files[*path] {
                seen.cover_encoded(test, file, lines);
                self.pairs += 1;
            }
        }
        seen.test_mut(test).recorded |= stated.covered.is_some();
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

    fn finish(self) -> Result<Summary, IngestError> {
        let Self { input, context, into, outside, unknown, tests, files, pairs, sessions, names_files } = self;
        if tests.is_empty() && sessions == 0 {
            return Err(IngestError::Empty { input: input.to_owned() });
        }
        if !unknown.is_empty() {
            into.note(Note::UnknownFields { input: input.to_owned(), fields: unknown.into_iter().collect() });
        }
        if names_files {
            into.coverage_inputs.insert(input.to_owned());
        }
        outside.settle(input, files.len(), context, into)?;
        Ok(Summary { kind: Kind::JsonLines, tests: tests.len(), files: files.len(), pairs })
    }
}

/// Checks a declared signal.
pub(super) fn check_signal(input: &str, test: &str, feature: &str, signal: f64) -> Result<(), IngestError> {
    if (0.0..=1.0).contains(&signal) {
        return Ok(());
    }
    let (input, test, feature) = (input.to_owned(), test.to_owned(), feature.to_owned());
    Err(IngestError::SignalRange { input, test, feature, found: signal })
}
