//! LCOV trace files (`geninfo(1)`): one test per `TN:` name, or the whole file as one test's.

use std::collections::{BTreeSet, HashMap};

use super::recording::RecordedFile;
use super::{Context, Ingest, IngestError, Kind, Note, Outside, Summary, line_range};
use crate::observation::TestKey;

/// Reads a file whose records name their tests.
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let trace = parse(input, bytes, None)?;
    if trace.names.iter().all(String::is_empty) {
        return Err(IngestError::UnnamedTests { input: input.to_owned() });
    }
    if trace.unnamed > 0 {
        into.note(Note::UnnamedRecords { input: input.to_owned(), records: trace.unnamed });
    }
    let mut outside = Outside::default();
    let summary = add(input, trace, context, &mut outside, into)?;
    outside.settle(input, summary.files, context, into)?;
    Ok(summary)
}

/// Reads a file that belongs to one test, whatever its records are named.
pub(super) fn read_as(
    input: &str,
    bytes: &[u8],
    test: &str,
    context: &Context,
    outside: &mut Outside,
    into: &mut Ingest,
) -> Result<Summary, IngestError> {
    let trace = parse(input, bytes, Some(test))?;
    add(input, trace, context, outside, into)
}

/// Whether any record of a file is named.
pub(super) fn has_names(bytes: &[u8]) -> bool {
    bytes
        .split(|&byte| byte == b'\n')
        .any(|line| line.strip_prefix(b"TN:").is_some_and(|name| !name.trim_ascii().is_empty()))
}

#[derive(Default)]
struct Trace {
    names: Vec<String>,
    files: Vec<RecordedFile>,
    unnamed: usize,
}

fn add(
    input: &str,
    trace: Trace,
    context: &Context,
    outside: &mut Outside,
    into: &mut Ingest,
) -> Result<Summary, IngestError> {
    let mut tests: Vec<Option<TestKey>> = Vec::with_capacity(trace.names.len());
    for name in &trace.names {
        tests.push(if name.is_empty() { None } else { Some(into.test(input, name, context)?) });
    }
    tests.iter().flatten().for_each(|&test| into.seen.test_mut(test).recorded = true);
    into.coverage_inputs.insert(input.to_owned());
    let (mut files, mut pairs) = (BTreeSet::new(), 0);
    for recorded in trace.files {
        let Some(file) = into.file(&recorded.path, context, outside) else { continue };
        files.insert(file);
        for (name, lines) in recorded.into_covered() {
            if let Some(test) = tests[name as usize] {
                pairs += 1;
                into.seen.cover(test, file, &lines);
            }
        }
    }
    let tests: BTreeSet<TestKey> = tests.into_iter().flatten().collect();
    Ok(Summary { kind: Kind::Lcov, tests: tests.len(), files: files.len(), pairs })
}

/// The executed lines by test name and file; `test` stands for all names.
fn parse(input: &str, bytes: &[u8], test: Option<&str>) -> Result<Trace, IngestError> {
    let mut trace = Trace::default();
    let (mut names, mut files): (HashMap<String, u32>, HashMap<String, usize>) = (HashMap::new(), HashMap::new());
    let mut name_of = |trace: &mut Trace, name: &str| -> u32 {
        *names.entry(name.to_owned()).or_insert_with(|| {
            trace.names.push(name.to_owned());
            u32::try_from(trace.names.len() - 1).expect("names of one input fit its size")
        })
    };
    let mut name = name_of(&mut trace, test.unwrap_or(""));
    let mut open: Option<usize> = None;
    let mut last_line = 0;
    for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        let number = at + 1;
        let malformed =
            |reason: &str| IngestError::Malformed { input: input.to_owned(), line: number, reason: reason.to_owned() };
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| malformed("not valid UTF-8"));
        if !line.is_empty() {
            last_line = number;
        }
        if let Some(found) = line.strip_prefix(b"TN:") {
            // geninfo marks traces that were carried over to another source version.
            let found = text(found)?.trim();
            let found = found.strip_suffix(",diff").unwrap_or(found);
            name = name_of(&mut trace, test.unwrap_or(found));
        } else if let Some(path) = line.strip_prefix(b"SF:") {
            if open.is_some() {
                return Err(malformed("expected `end_of_record` before the next `SF:`"));
            }
            let path = text(path)?;
            trace.unnamed += usize::from(trace.names[name as usize].is_empty());
            open = Some(*files.entry(path.to_owned()).or_insert_with(|| {
                trace.files.push(RecordedFile::new(path));
                trace.files.len() - 1
            }));
        } else if line == b"end_of_record" {
            open = None;
        } else if let Some(data) = line.strip_prefix(b"DA:") {
            let file = open.ok_or_else(|| malformed("expected `SF:` before `DA:`"))?;
            let (line, is_run) = data_of(text(data)?).ok_or_else(|| malformed("expected `DA:<line>,<count>`"))?;
            let line = line_range(input, &trace.files[file].path, line, line)?;
            if is_run {
                trace.files[file].add_line(name, line);
            }
        } else if !line.is_empty() && line[0] != b'#' && !is_record(line) {
            return Err(malformed("expected a record of LCOV, such as `SF:`, `DA:` or `end_of_record`"));
        }
    }
    if open.is_some() {
        let expected = "`end_of_record`".to_owned();
        return Err(IngestError::Truncated { input: input.to_owned(), line: last_line, expected });
    }
    Ok(trace)
}

/// The line and whether it was run, of `12,3[,checksum]`. Counts are whole numbers; some writers give fractions.
fn data_of(text: &str) -> Option<(i128, bool)> {
    let mut parts = text.split(',');
    let line: i64 = parts.next()?.trim().parse().ok()?;
    let count: f64 = parts.next()?.trim().parse().ok()?;
    Some((line.into(), count > 0.0))
}

/// A keyword of capital letters and a colon: `FN:`, `BRDA:`, `VER:` and what later versions add.
fn is_record(line: &[u8]) -> bool {
    let keyword = line.iter().position(|&byte| byte == b':').map(|end| &line[..end]);
    keyword.is_some_and(|keyword| !keyword.is_empty() && keyword.iter().all(u8::is_ascii_uppercase))
}
