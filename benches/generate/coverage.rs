//! Who runs what, turned around: from the tests of each region to the regions of each test, as JSON lines.
//!
//! The tests are written range by range. Of each range everything is gathered from the files that are near it and from the hubs,
//! sorted by test, and forgotten, so memory holds a range a worker, whatever the number of postings.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use crate::code::{Code, SourceFile, source_file};
use crate::random::rounded;
use crate::spread::{Clumps, Spread};
use crate::suite::{Suite, position};

/// Postings of a range of tests.
const RANGE_POSTINGS: u64 = 1 << 20;

/// All that is generated.
pub(crate) struct Model {
    pub(crate) suite: Suite,
    pub(crate) code: Code,
    pub(crate) clumps: Clumps,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) postings: u64,
    pub(crate) bytes: u64,
}

/// A file that a test runs: the test, the file, and the regions as bits.
type Entry = (u32, u32, u64);

impl Model {
    pub(crate) fn new(seed: u64, tests: u32, postings: u64) -> Self {
        let suite = Suite::new(seed, tests);
        let code = Code::new(&suite, postings);
        Self { suite, code, clumps: Clumps::new() }
    }

    pub(crate) fn file(&self, file: u32) -> SourceFile {
        source_file(&self.suite, file, self.code.places[file as usize])
    }

    /// What the tests of a range run, by test and file. O(postings + files near the range + hubs).
    fn entries(&self, range: &Range<u32>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut regions_of = vec![0_u64; range.len()];
        let mut gather = |file: u32, regions: &mut dyn Iterator<Item = (u32, Spread)>| {
            let (mut least, mut end) = (range.end, range.start);
            for (at, tests) in regions {
                tests.each(&self.clumps, range, |test| {
                    regions_of[(test - range.start) as usize] |= 1 << at;
                    (least, end) = (least.min(test), end.max(test + 1));
                });
            }
            for test in least..end {
                let regions = std::mem::take(&mut regions_of[(test - range.start) as usize]);
                if regions != 0 {
                    entries.push((test, file, regions));
                }
            }
        };
        for file in self.code.files_near(range) {
            let made = self.file(file);
            let near = (0..).zip(&made.regions).filter(|(_, region)| !region.is_hub);
            gather(file, &mut near.map(|(at, region)| (at, region.tests)));
        }
        for hubs in self.code.hubs().chunk_by(|a, b| a.0 == b.0) {
            gather(hubs[0].0, &mut hubs.iter().map(|&(_, at, tests)| (at, tests)));
        }
        entries.sort_unstable();
        entries.dedup_by(|next, last| {
            let joins = (next.0, next.1) == (last.0, last.1);
            last.2 |= if joins { next.2 } else { 0 };
            joins
        });
        entries
    }

    /// The JSON lines of a range of tests, with its number of postings.
    fn lines(&self, range: &Range<u32>, words: bool) -> (Vec<u8>, u64) {
        let entries = self.entries(range);
        let mut out = Vec::with_capacity(entries.len() * 64);
        let mut files: HashMap<u32, SourceFile> = HashMap::new();
        let mut postings = 0;
        let mut left = &entries[..];
        for (file, first, end) in self.suite.files(range.start, range.end) {
            for (test, id) in (first..).zip(self.suite.ids(file, end - first)) {
                if !range.contains(&test) {
                    continue;
                }
                let cost_us = self.suite.cost_us(test);
                let _ = write!(out, "{{\"test\":\"{id}\",\"cost\":{}.{:06}", cost_us / 1_000_000, cost_us % 1_000_000);
                out.extend_from_slice(b",\"lines\":{");
                let (of_test, others) = left.split_at(left.partition_point(|entry| entry.0 == test));
                left = others;
                for (at, &(_, file, regions)) in of_test.iter().enumerate() {
                    postings += u64::from(regions.count_ones());
                    out.extend_from_slice(if at == 0 { b"" } else { b"," });
                    write_file(&mut out, files.entry(file).or_insert_with(|| self.file(file)), regions);
                }
                out.push(b'}');
                if words {
                    let _ = write!(out, ",\"text\":\"{}\"", self.suite.text(file.package, &id));
                }
                out.extend_from_slice(b"}\n");
            }
        }
        (out, postings)
    }

    /// Writes a line for each test, ascending, with all cores.
    pub(crate) fn write_coverage(&self, words: bool, out: &mut (impl Write + Send)) -> io::Result<Written> {
        let postings = self.code.regions * 95;
        let ranges = (postings / RANGE_POSTINGS + 1).min(self.suite.tests.into());
        let bound = |at: usize| rounded(f64::from(self.suite.tests) * at as f64 / ranges as f64);
        let ranges = usize::try_from(ranges).unwrap_or(1);
        in_order(ranges, |at| self.lines(&(bound(at)..bound(at + 1)), words), out)
    }

    /// Writes the functions of every file as universal-ctags does.
    pub(crate) fn write_symbols(&self, out: &mut impl Write) -> io::Result<()> {
        for file in 0..position(self.code.places.len()) {
            let file = self.file(file);
            for function in &file.functions {
                writeln!(
                    out,
                    "{{\"_type\":\"tag\",\"name\":\"{}\",\"path\":\"{}\",\"line\":{},\"end\":{},\"kind\":\"function\"}}",
                    function.name, file.path, function.first, function.last
                )?;
            }
        }
        Ok(())
    }
}

/// `"path":[[first,last],line]`: lines that follow each other are one range, whichever regions they are of.
fn write_file(out: &mut Vec<u8>, file: &SourceFile, regions: u64) {
    let _ = write!(out, "\"{}\":[", file.path);
    let mut runs = file.runs.iter().filter(|run| regions >> run.region & 1 == 1).map(|run| (run.first, run.last));
    let mut last = runs.next();
    while let Some((first, end)) = last {
        let next = runs.next();
        if let Some((_, next_end)) = next.filter(|next| next.0 == end + 1) {
            last = Some((first, next_end));
            continue;
        }
        let _ = if first == end { write!(out, "{first}") } else { write!(out, "[{first},{end}]") };
        out.extend_from_slice(if next.is_some() { b"," } else { b"" });
        last = next;
    }
    out.push(b']');
}

/// Makes parts with all cores and writes them in their order. A worker waits with its part until those before it are written.
fn in_order(
    parts: usize,
    make: impl Fn(usize) -> (Vec<u8>, u64) + Sync,
    out: &mut (impl Write + Send),
) -> io::Result<Written> {
    let next = AtomicUsize::new(0);
    let turn = Mutex::new((0, out, Ok(Written::default())));
    let passed = Condvar::new();
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= parts {
                return;
            }
            let (part, postings) = make(at);
            let guard = turn.lock().expect("no worker panics with it");
            let mut turn = passed.wait_while(guard, |turn| turn.0 != at).expect("no worker panics with it");
            let (now, out, result) = &mut *turn;
            *now += 1;
            if let Ok(written) = result {
                written.postings += postings;
                written.bytes += part.len() as u64;
                if let Err(error) = out.write_all(&part) {
                    *result = Err(error);
                }
            }
            passed.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    turn.into_inner().expect("no worker panics with it").2
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn written(model: &Model) -> (Written, Vec<serde_json::Value>) {
        let mut out = Vec::new();
        let written = model.write_coverage(true, &mut out).unwrap();
        assert_eq!(written.bytes, out.len() as u64);
        let lines = out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        (written, lines.map(|line| serde_json::from_slice(line).unwrap()).collect())
    }

    /// The lines of each file that a test runs, from its side and from the side of the regions.
    #[test]
    fn turning_around_loses_and_adds_nothing() {
        let model = Model::new(3, 3_000, 4_000_000);
        let (written, tests) = written(&model);
        assert!(written.postings > 3 * RANGE_POSTINGS, "several ranges");
        let mut want: Vec<BTreeMap<String, Vec<u32>>> = vec![BTreeMap::new(); 3_000];
        let mut postings = 0;
        for file in (0..position(model.code.places.len())).map(|file| model.file(file)) {
            for (at, region) in (0..).zip(&file.regions) {
                let lines: Vec<u32> =
                    file.runs.iter().filter(|run| run.region == at).flat_map(|run| run.first..=run.last).collect();
                for test in region.tests.tests(&model.clumps, 3_000) {
                    postings += 1;
                    want[test as usize].entry(file.path.clone()).or_default().extend(&lines);
                }
            }
        }
        assert_eq!(written.postings, postings);
        assert_eq!(tests.len(), want.len());
        for (test, mut want) in tests.iter().zip(want) {
            want.values_mut().for_each(|lines| lines.sort_unstable());
            let number = |value: &serde_json::Value| u32::try_from(value.as_u64().unwrap()).unwrap();
            let lines = |value: &serde_json::Value| match value.as_array() {
                Some(range) => (number(&range[0])..=number(&range[1])).collect(),
                None => vec![number(value)],
            };
            let files = test["lines"].as_object().unwrap().iter();
            let found: BTreeMap<String, Vec<u32>> = files
                .map(|(path, ranges)| (path.clone(), ranges.as_array().unwrap().iter().flat_map(lines).collect()))
                .collect();
            assert_eq!(found, want, "{}", test["test"]);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let bytes = |seed: u64| {
            let mut out = Vec::new();
            Model::new(seed, 500, 20_000).write_coverage(true, &mut out).unwrap();
            out
        };
        assert!(bytes(1) == bytes(1) && bytes(1) != bytes(2));
    }
}
