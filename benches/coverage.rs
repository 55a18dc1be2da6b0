//! How fast a coverage.py database is read, in rows of `line_bits` a second.
//!
//! The database has the shape of a suite recorded with contexts: [`TESTS`] tests, each with the files of the package that it
//! speaks to and a few that everything runs, in the order in which coverage.py writes them (a context at a time). A row
//! has the lines of a test in a file: of some two hundred lines about a third, in runs of a few.
//!
//! It matters because a large suite has tens of millions of rows. Measured is `Ingest::database`, from opening the file to
//! the observations; that the rows came over whole is checked first.
//!
//! Run with `cargo bench --bench coverage`, on one core; `cargo test --bench coverage` reads a small database once.

use std::path::Path;
use std::time::Duration;

use covopt::ingest::{Context, Ingest, Summary};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rusqlite::{Connection, params};

const FILES: u32 = 400;
/// Files of one package.
const PACKAGE: u32 = 20;
/// Files that every test runs.
const HUBS: u32 = 5;
const LINES: usize = 200;

/// Tests of the suite: enough to be measured, or just enough to be read as a test.
fn tests() -> u32 {
    if std::env::args().any(|arg| arg == "--bench") { 20_000 } else { 200 }
}

/// Marsaglia's xorshift64: the same rows everywhere.
struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).expect("a small number")
    }
}

/// The lines of a test in a file: stretches of it, each run in part.
fn numbits(random: &mut XorShift) -> Vec<u8> {
    let mut bits = vec![0; LINES / 8 + 1];
    let mut line = 1;
    while line < LINES {
        let (run, gap) = (1 + random.below(6), 1 + random.below(12));
        for line in line..(line + run).min(LINES) {
            bits[line / 8] |= 1 << (line % 8);
        }
        line += run + gap;
    }
    bits
}

/// Writes the database; gives its rows and all the lines in them.
fn write(path: &Path) -> rusqlite::Result<(usize, u64)> {
    let mut database = Connection::open(path)?;
    database.execute_batch(
        "CREATE TABLE coverage_schema (version integer);
         CREATE TABLE meta (key text, value text, unique (key));
         CREATE TABLE file (id integer primary key, path text, unique (path));
         CREATE TABLE context (id integer primary key, context text, unique (context));
         CREATE TABLE line_bits (file_id integer, context_id integer, numbits blob, unique (file_id, context_id));
         CREATE TABLE arc (file_id integer, context_id integer, fromno integer, tono integer,
             unique (file_id, context_id, fromno, tono));
         CREATE TABLE tracer (file_id integer primary key, tracer text);
         INSERT INTO coverage_schema VALUES (7);",
    )?;
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let (mut rows, mut lines) = (0, 0);
    let all = database.transaction()?;
    for file in 1..=FILES {
        let path = format!("/repo/src/package_{:02}/module_{file:03}.py", file / PACKAGE);
        all.execute("INSERT INTO file VALUES (?, ?)", params![file, path])?;
    }
    let mut insert = all.prepare("INSERT INTO line_bits VALUES (?, ?, ?)")?;
    for test in 1..=tests() {
        let package = test % (FILES / PACKAGE);
        let name = format!("tests/test_package_{package:02}.py::test_{test:05}|run");
        all.execute("INSERT INTO context VALUES (?, ?)", params![test, name])?;
        for file in (1..=HUBS).chain(HUBS + 1..=FILES).filter(|&file| file <= HUBS || file / PACKAGE == package) {
            let bits = numbits(&mut random);
            lines += bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
            insert.execute(params![file, test, bits])?;
            rows += 1;
        }
    }
    drop(insert);
    all.commit()?;
    Ok((rows, lines))
}

fn read(path: &Path) -> (Summary, Ingest) {
    let mut ingest = Ingest::new();
    let summary = ingest.database("coverage", path, &Context::new("/repo"), |_, _| ()).expect("the database is sound");
    (summary, ingest)
}

fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let path = folder.path().join(".coverage");
    let (rows, lines) = write(&path).expect("the database can be written");
    let (summary, ingest) = read(&path);
    assert_eq!((summary.tests, summary.pairs), (tests() as usize, rows));
    assert_eq!(lines_of(ingest), lines);
    let mut group = criterion.benchmark_group("coverage.py");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function("rows", |bencher| bencher.iter_with_large_drop(|| read(&path)));
    group.finish();
}

/// How many pairs of a test and a line a model of it has.
fn lines_of(ingest: Ingest) -> u64 {
    let (seen, _) = ingest.finish();
    let bytes = covopt::build::build(&seen, None, |_| None);
    let index = covopt::model::Index::open(&bytes[..]).expect("what was built opens");
    let files = (0..index.root().files).map(covopt::id::FileId);
    let of_file = |file| {
        let view = index.file(file).expect("what was built is whole");
        let runs = (0..view.run_count()).filter_map(|at| view.run(at));
        let tests = |block| u64::from(view.block(block).expect("what was built is whole").count());
        runs.map(|run| u64::from(run.last - run.first + 1) * tests(run.block)).sum::<u64>()
    };
    files.map(of_file).sum()
}

criterion_group!(benches, bench);
criterion_main!(benches);
