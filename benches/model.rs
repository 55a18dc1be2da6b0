//! How long the model takes to answer, and to be made.
//!
//! Measured, on one seeded model of 20,000 tests, 2,000 files and about 1.5 M postings whose list lengths fall like a
//! power law (a few blocks that everything runs, most that a handful of neighbouring tests run):
//! - `open`: from bytes in memory to an index; it must not depend on the size of the model, so the model of one test
//!   stands beside it;
//! - `look_up`: a path to its file, its record, and the lists of its first blocks;
//! - `candidates/small`: a diff of three hunks in three files, to candidates; the everyday question;
//! - `candidates/wide`: a diff of 200 lines in 40 files;
//! - `candidates/hub`: a diff of 2,000 lines in 50 files, which nearly every test runs one of;
//! - `match_path`: a path that is known by its end only;
//! - `verify`, `build`, `join`: everything at once; none may grow faster than its input.
//!
//! `select` runs once for each edit and opens the model each time: open, look-up and candidates must vanish beside the
//! start of a process (0.7 ms). Run with `cargo bench --bench model`; `cargo test --bench model` checks the answers alone.

#![expect(clippy::print_stderr, reason = "a bench reports")]

use std::fmt::Write;
use std::hint::black_box;

use covopt::build::{Sources, build};
use covopt::candidate::gather;
use covopt::change::{Change, Mapping};
use covopt::diff;
use covopt::model::{Index, PathMatch};
use covopt::observation::{LineRange, Observations, Outcome, Run, Symbol, SymbolKind};
use covopt::relevance::{Query, Relevance};
use criterion::{Criterion, criterion_group, criterion_main};

const TESTS: u32 = 20_000;
const FILES: u32 = 2_000;
/// Blocks of a file: each is a function of [`LINES`] lines.
const BLOCKS: u32 = 40;
const LINES: u32 = 6;
const POSTINGS: f64 = 1_500_000.0;

/// Marsaglia's xorshift64: the same numbers everywhere, without a dependency.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).expect("below a u32")
    }
}

fn path(file: u32) -> String {
    format!("src/package_{:02}/module_{file:04}.py", file / 50)
}

fn observations() -> Observations {
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let mut seen = Observations::default();
    let tests: Vec<_> = (0..TESTS)
        .map(|test| seen.test(&format!("tests/unit/test_module_{:03}.py::TestThing::test_{test:05}", test / 40)))
        .collect();
    for &test in &tests {
        let cost_us = Some((500 << random.below(12)) + u64::from(random.below(1_000)));
        seen.run(
            test,
            Run { time_us: 1_700_000_000_000_000, commit: "c0ffee".into(), outcome: Outcome::Passed, cost_us },
        );
    }
    let regions = FILES * BLOCKS;
    let harmonic: f64 = (1..=regions).map(|rank| 1.0 / f64::from(rank)).sum();
    for file in 0..FILES {
        let key = seen.file(&path(file));
        for block in 0..BLOCKS {
            let first = 1 + block * (LINES + 2);
            let lines = LineRange { first, last: first + LINES - 1 };
            let name = format!("function_{block}");
            seen.file_mut(key).symbols.insert(Symbol { lines, name, kind: SymbolKind::Function });
            let length = POSTINGS / harmonic / f64::from(1 + random.below(regions));
            let home = random.below(TESTS);
            for at in (0..TESTS).take_while(|&at| f64::from(at) < length) {
                // Half are neighbours of the first, half come from anywhere.
                let test = if at % 2 == 0 { (home + at / 2) % TESTS } else { random.below(TESTS) };
                seen.cover(tests[test as usize], key, &[lines].into_iter().collect());
            }
        }
    }
    seen
}

/// A diff that changes `lines` lines, one in each of as many functions, spread over `files` files.
fn diff_of(files: u32, lines: u32) -> String {
    let mut text = String::new();
    for file in 0..files {
        let path = path(file * (FILES / files) + 7);
        let _ = write!(text, "--- a/{path}\n+++ b/{path}\n");
        for block in 0..lines / files {
            let line = 2 + block * (LINES + 2);
            let _ = write!(text, "@@ -{line} +{line} @@\n-old\n+new\n");
        }
    }
    text
}

fn candidates(index: &Index<&[u8]>, diff: &diff::Diff<'_>) -> (usize, usize) {
    let change = Change::read(index, diff, Mapping::default()).expect("the model is whole");
    let relevance = Relevance::score(index, &Query::of(diff, &change)).expect("the model is whole");
    let candidates = gather(index, &change, &relevance).expect("the model is whole");
    (change.regions.len(), candidates.tests.len())
}

/// The tests of the first blocks of the file at `path`.
fn look_up(index: &Index<&[u8]>, path: &str) -> u32 {
    let file = index.find_file(path).expect("the probe is whole").expect("the path is known");
    let view = index.file(file).expect("the record is whole");
    let blocks = (0..4).filter_map(|block| view.block(block).ok());
    blocks.map(|list| list.to_vec().map_or(0, |postings| postings.iter().map(|posting| posting.test.0 & 1).sum())).sum()
}

fn bench(criterion: &mut Criterion) {
    let seen = observations();
    let bytes = build(&seen, Some("c0ffee"), |_| None);
    let index = Index::open(&bytes[..]).expect("what was built opens");
    let whole = index.verify(|_, _| ()).expect("what was built is whole");
    let join = || {
        let mut sources = Sources::new(Observations::default());
        sources.join(&index).expect("what was built is whole");
        sources.into_bytes(Some("c0ffee"), |_| None).expect("memory can be written")
    };
    let again = join();
    assert!(again[..] == bytes[..], "what is read back makes the same bytes");
    let root = index.root();
    let per_posting = bytes.len() as f64 / root.postings as f64;
    eprintln!(
        "{} tests, {} files, {} blocks, {} postings and {} by file, {} lists; {} bytes, {per_posting:.2} a posting",
        root.tests,
        root.files,
        root.blocks,
        root.postings,
        root.file_postings,
        whole.lists,
        bytes.len()
    );
    for section in &index.preamble().sections {
        eprintln!("  section {:>2}: {:>9} bytes", section.kind, section.extent.length);
    }
    let mut one = Observations::default();
    one.test("one");
    let one = build(&one, None, |_| None);

    criterion.bench_function("open", |bencher| bencher.iter(|| Index::open(black_box(&bytes[..]))));
    criterion.bench_function("open/one_test", |bencher| bencher.iter(|| Index::open(black_box(&one[..]))));
    let known = path(1234);
    criterion.bench_function("look_up", |bencher| bencher.iter(|| look_up(&index, black_box(&known))));
    let end = known.split_once('/').map_or("", |(_, end)| end);
    assert!(matches!(index.match_path(end), Ok(PathMatch::Suffix(_))));
    criterion.bench_function("match_path", |bencher| bencher.iter(|| index.match_path(black_box(end))));
    for (name, files, lines) in [("small", 3, 3), ("wide", 40, 200), ("hub", 50, 2_000)] {
        let text = diff_of(files, lines);
        let diff = diff::parse(text.as_bytes()).expect("the diff is well formed");
        let (regions, found) = candidates(&index, &diff);
        assert!(regions == lines as usize && found > 0, "{name}: {regions} regions, {found} candidates");
        eprintln!("{name}: {regions} regions, {found} candidates");
        let name = format!("candidates/{name}");
        criterion.bench_function(&name, |bencher| bencher.iter(|| candidates(&index, black_box(&diff))));
    }
    let mut group = criterion.benchmark_group("whole");
    group.sample_size(10);
    group.bench_function("verify", |bencher| bencher.iter(|| index.verify(|_, _| ())));
    group.bench_function("join", |bencher| bencher.iter(join));
    group.bench_function("build", |bencher| bencher.iter(|| build(black_box(&seen), None, |_| None)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
