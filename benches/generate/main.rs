//! Makes the recording of a large repository that is not there: coverage of each test, diffs, and the right answers.
//!
//!     cargo run --release --example generate -- DIR --tests 1000000 --postings 189000000 --words
//!
//! writes into DIR
//! - `coverage.jsonl`: one line a test, as `covopt build` reads it; `--words` adds what each test says;
//! - `symbols.jsonl`: the functions of every file as universal-ctags writes them, for the same `covopt build`;
//! - `small.diff`, `medium.diff`, `wide.diff` and `hub.diff`, with a text that has no word of a test, and `small.words.diff` and
//!   so on, whose text has words of tests;
//! - `expected.json`: for each diff what it changes, and how many and which tests run that. Nothing of this comes from covopt.
//!
//! `generate --sum FILE` prints the xxh3 of a file, to hold the ids that covopt prints against `expected.json`.
//!
//! All of it follows from the seed. What is written is written as it is made, by all cores: memory grows with tests and files
//! (some 100 bytes each), not with postings. The diffs change the first 10,000 files, which every model of as many tests
//! and at least so many files has (10 million postings and more), so the same diff asks the same of a model of 19 million postings
//! and of one of 944 million.
//!
//! What is made has the shape of recorded suites: each module says of what, and where its figures come from. They were taken
//! from the line coverage of attrs, click, jinja, marshmallow, sqlparse and werkzeug by test (7,069 tests, 6,480 sets of lines with the
//! same tests), carried on to a million tests by the power law that their sizes follow. What is not from there: that nine
//! in ten sets reach no further than three packages, the folders, and the sizes of packages.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command of its own")]

mod change;
mod code;
mod coverage;
mod random;
mod spread;
mod suite;
mod words;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use self::change::{Expected, FILES, changes};
use self::coverage::Model;

/// Makes the recording of a large repository, diffs, and the right answers.
#[derive(Parser)]
struct Args {
    /// Where to write; made if it is not there
    #[arg(required_unless_present = "sum")]
    folder: Option<PathBuf>,
    /// How many tests, from 100 on
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=100_000_000))]
    tests: u32,
    /// About how many pairs of a region and a test
    #[arg(long, default_value_t = 189_000_000)]
    postings: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write what each test says, too
    #[arg(long)]
    words: bool,
    /// Print the xxh3 of a file, and make nothing
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    sum: Option<PathBuf>,
}

/// `expected.json`.
#[derive(Serialize)]
struct Answers {
    tests: u32,
    files: usize,
    regions: u64,
    postings: u64,
    seed: u64,
    words: bool,
    diffs: BTreeMap<String, Expected>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    match (&args.sum, &args.folder) {
        (Some(path), _) => sum(path),
        (None, Some(folder)) => generate(&args, folder),
        (None, None) => unreachable!("one of them is required"),
    }
}

fn sum(path: &Path) -> Result<(), Box<dyn Error>> {
    let (mut file, mut sum, mut part) = (File::open(path)?, Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part)? {
            0 => break,
            length => sum.update(&part[..length]),
        }
    }
    println!("{:016x}", sum.digest());
    Ok(())
}

fn generate(args: &Args, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let model = Model::new(args.seed, args.tests, args.postings);
    let mut diffs = BTreeMap::new();
    for change in changes(&model) {
        fs::write(folder.join(format!("{}.diff", change.name)), change.diff)?;
        diffs.insert(change.name, change.expected);
    }
    let mut symbols = BufWriter::with_capacity(1 << 20, File::create(folder.join("symbols.jsonl"))?);
    model.write_symbols(&mut symbols)?;
    symbols.flush()?;
    let written = model.write_coverage(args.words, &mut File::create(folder.join("coverage.jsonl"))?)?;
    let answers = Answers {
        tests: args.tests,
        files: model.code.places.len(),
        regions: model.code.regions,
        postings: written.postings,
        seed: args.seed,
        words: args.words,
        diffs,
    };
    let mut expected = serde_json::to_string_pretty(&answers)?;
    expected.push('\n');
    // Last, so that a folder that has it is whole.
    fs::write(folder.join("expected.json"), expected)?;
    eprintln!(
        "{} tests, {} files, {} regions, {} postings, {} bytes of coverage.jsonl",
        answers.tests, answers.files, answers.regions, answers.postings, written.bytes
    );
    let files = 0..u32::try_from(answers.files)?.min(FILES);
    let mut sizes: Vec<u32> = files.flat_map(|file| model.file(file).blocks(&model.clumps, args.tests)).collect();
    sizes.sort_unstable();
    let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100];
    let mean = sizes.iter().map(|&size| f64::from(size)).sum::<f64>() / sizes.len() as f64;
    eprintln!(
        "{} blocks of the first files: median {}, 99th percentile {}, mean {mean:.1}, largest {}",
        sizes.len(),
        at(50),
        at(99),
        at(100)
    );
    for (name, diff) in &answers.diffs {
        let (regions, postings, candidates) = (diff.regions.len(), diff.postings, diff.candidates);
        eprintln!("{name}.diff: {regions} regions, {postings} postings, {candidates} candidates");
    }
    Ok(())
}
