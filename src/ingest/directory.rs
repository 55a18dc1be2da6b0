//! A directory with one LCOV file per test: `bazel-testlogs` (`coverage.dat` with a `test.xml` beside it), or traces
//! named after their tests (`*.info`, `*.lcov`).
//!
//! Links inside the directory are not followed, so nothing outside of it is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Context, Ingest, IngestError, Kind, Note, Outside, Summary, junit, lcov};
use crate::observation::{Outcome, Run};

/// How deep the walk goes.
const DEPTH: usize = 64;

/// How many files and directories the walk looks at.
const ENTRIES: usize = 10_000_000;

/// The largest file that is read, in bytes.
const FILE_BYTES: u64 = 1 << 31;

/// Walks the directory and reads what is in it.
pub(super) fn read(input: &str, path: &Path, context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let mut walk = Walk { input, context, outside: Outside::default(), skipped: 0, links: 0, reports: BTreeMap::new() };
    let mut summary = Summary { kind: Kind::Lcov, tests: 0, files: 0, pairs: 0 };
    // `bazel-testlogs` itself is a link.
    let root = std::fs::canonicalize(path).map_err(|source| IngestError::Io { input: input.to_owned(), source })?;
    let mut paths = Vec::new();
    walk.list(&root, &mut paths)?;
    paths.sort_unstable();
    for relative in &paths {
        if let Some(part) = walk.file(&root, relative, into)? {
            summary.tests += part.tests;
            summary.files = summary.files.max(part.files);
            summary.pairs += part.pairs;
        }
    }
    if summary.tests == 0 && walk.reports.is_empty() {
        return Err(IngestError::EmptyDirectory { input: input.to_owned() });
    }
    walk.finish(&mut summary, into)?;
    Ok(summary)
}

/// What a test's shards, runs and attempts add up to.
#[derive(Default)]
struct Report {
    cost_us: u64,
    time_us: u64,
    outcome: Option<Outcome>,
}

struct Walk<'a> {
    input: &'a str,
    context: &'a Context,
    outside: Outside,
    skipped: usize,
    links: usize,
    reports: BTreeMap<String, Report>,
}

impl Walk<'_> {
    /// The files under `root` that are read, relative to it.
    fn list(&mut self, root: &Path, files: &mut Vec<String>) -> Result<(), IngestError> {
        let io = |source| IngestError::Io { input: self.input.to_owned(), source };
        let mut open: Vec<(PathBuf, String, usize)> = vec![(root.to_owned(), String::new(), 0)];
        let mut entries = 0;
        while let Some((directory, prefix, depth)) = open.pop() {
            for entry in std::fs::read_dir(&directory).map_err(io)? {
                let entry = entry.map_err(io)?;
                entries += 1;
                if entries > ENTRIES || depth > DEPTH {
                    let (what, limit) = if depth > DEPTH { ("nested directories", DEPTH) } else { ("files", ENTRIES) };
                    return Err(IngestError::TooMuch { input: self.input.to_owned(), what, limit });
                }
                let kind = entry.file_type().map_err(io)?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                if kind.is_symlink() {
                    self.links += 1;
                } else if kind.is_dir() {
                    open.push((entry.path(), relative, depth + 1));
                } else if kind.is_file() && is_read(&relative) {
                    files.push(relative);
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, root: &Path, relative: &str, into: &mut Ingest) -> Result<Option<Summary>, IngestError> {
        let input = format!("{}/{relative}", self.input.trim_end_matches('/'));
        let io = |source| IngestError::Io { input: input.clone(), source };
        let path = root.join(relative);
        if std::fs::metadata(&path).map_err(io)?.len() > FILE_BYTES {
            return Err(IngestError::TooMuch { input, what: "bytes of one file", limit: 1 << 31 });
        }
        let bytes = std::fs::read(&path).map_err(io)?;
        if bytes.trim_ascii().is_empty() {
            // Bazel leaves an empty file for a test that covers nothing it instruments.
            self.skipped += 1;
            return Ok(None);
        }
        self.bytes(&input, relative, &bytes, into)
    }

    /// One file of the directory; a pure function of its path in the directory and its bytes.
    fn bytes(
        &mut self,
        input: &str,
        relative: &str,
        bytes: &[u8],
        into: &mut Ingest,
    ) -> Result<Option<Summary>, IngestError> {
        if relative.ends_with(".xml") {
            let Some(label) = label_of(relative) else { return Ok(None) };
            let report = self.reports.entry(label).or_default();
            for case in junit::parse(input, bytes, self.context)?.0 {
                report.cost_us = report.cost_us.saturating_add(case.cost_us.unwrap_or(0));
                report.time_us = report.time_us.max(case.time_us);
                report.outcome = report.outcome.max(Some(case.outcome));
            }
            return Ok(None);
        }
        let stem = relative.rsplit_once('.').map_or(relative, |(stem, _)| stem);
        let is_bazel = relative.ends_with("coverage.dat");
        if !is_bazel && lcov::has_names(bytes) {
            return lcov::read(input, bytes, self.context, into).map(Some);
        }
        let test = if is_bazel { label_of(relative) } else { Some(stem.to_owned()) };
        let Some(test) = test else { return Ok(None) };
        lcov::read_as(input, bytes, &test, self.context, &mut self.outside, into).map(Some)
    }

    fn finish(self, summary: &mut Summary, into: &mut Ingest) -> Result<(), IngestError> {
        let mut cached = 0;
        for (label, report) in self.reports {
            let test = into.test(self.input, &label, self.context)?;
            // A result from Bazel's cache took no time; that is not what the test costs.
            cached += usize::from(report.cost_us == 0);
            let cost_us = Some(report.cost_us).filter(|&cost_us| cost_us > 0);
            let outcome = report.outcome.unwrap_or(Outcome::Unknown);
            into.seen.run(test, Run { time_us: report.time_us, commit: String::new(), outcome, cost_us });
            summary.tests = summary.tests.max(1);
        }
        for (files, reason) in [
            (self.skipped, "empty"),
            (self.links, "links are not followed"),
            (cached, "their time is zero, the result was cached; the cost is not known from them"),
        ] {
            if files > 0 {
                into.note(Note::SkippedFiles { input: self.input.to_owned(), files, reason });
            }
        }
        self.outside.settle(self.input, summary.files, self.context, into)
    }
}

fn is_read(relative: &str) -> bool {
    let name = relative.rsplit('/').next().unwrap_or(relative);
    matches!(name, "coverage.dat" | "test.xml") || name.ends_with(".info") || name.ends_with(".lcov")
}

/// The Bazel label of the test whose logs lie at `relative` in `bazel-testlogs`: `pkg/sub/target/coverage.dat` is
/// `//pkg/sub:target`. Shards, runs and attempts of a test are one test; `external/repo/...` is `@@repo//...`.
pub fn label_of(relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = relative.split('/').collect();
    parts.pop()?;
    while parts.last().is_some_and(|part| is_repetition(part)) {
        parts.pop();
    }
    let target = parts.pop().filter(|target| !target.is_empty())?;
    match parts.as_slice() {
        ["external", repository, package @ ..] => Some(format!("@@{repository}//{}:{target}", package.join("/"))),
        package => Some(format!("//{}:{target}", package.join("/"))),
    }
}

/// `shard_1_of_3`, `run_2_of_5`, and both in one name.
fn is_repetition(part: &str) -> bool {
    let is_word = |word: &str| {
        matches!(word, "shard" | "run" | "of" | "n") || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    };
    (part.starts_with("shard_") || part.starts_with("run_")) && part.contains("_of_") && part.split('_').all(is_word)
}
