//! How fast `diff::parse` reads, in bytes per second.
//!
//! Shapes: a large pull request as git shows it (files of a few hunks, lines of about 40 bytes), the same in colour
//! (with `decolor`) and as a combined diff, and inputs that a parser may stumble over: many tiny files, many tiny hunks,
//! blank lines, one endless line, names that are all separators, and a commit message without end. The first matters
//! because a change of generated code can be hundreds of megabytes; the others because nothing on a pipe may take more
//! than linear time.
//!
//! Run with `cargo bench --bench parse`; `cargo test --bench parse` reads small inputs of every shape once.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use covopt::diff::{Diff, decolor, parse};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SEED: u64 = 0x5eed_d1ff;

/// The size of every shape: large enough to be measured, or just large enough to be read as a test.
fn shape_bytes() -> usize {
    if std::env::args().any(|arg| arg == "--bench") { 32 << 20 } else { 256 << 10 }
}

/// A small generator of numbers below a bound (xorshift), so that every run reads the same bytes.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn size_below(&mut self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).expect("bounds here are small")
    }
}

/// A shape's text, and how many files, hunks, added and removed lines were put in.
struct Shape {
    name: &'static str,
    text: Vec<u8>,
    expected: (usize, usize, u64, u64),
}

/// Signs of one hunk: runs of context with a run of removed and a run of added lines between.
fn signs(numbers: &mut Numbers) -> String {
    let (removed, added) = (numbers.size_below(6), 1 + numbers.size_below(8));
    format!("   {}{}   ", "-".repeat(removed), "+".repeat(added))
}

fn pull_request(name: &'static str, columns: usize) -> Shape {
    let mut numbers = Numbers(SEED);
    let mut text = String::new();
    let mut expected = (0, 0, 0, 0);
    while text.len() < shape_bytes() {
        let path = format!("src/package_{}/module_{}.py", numbers.below(90), expected.0);
        let header = if columns == 1 { format!("--git a/{path} b/{path}") } else { format!("--cc {path}") };
        let _ = writeln!(text, "diff {header}\nindex 1234567..89abcde 100644\n--- a/{path}\n+++ b/{path}");
        expected.0 += 1;
        for hunk in 0..1 + numbers.below(5) {
            let signs = signs(&mut numbers);
            let count = |sign| signs.matches(sign).count() as u64;
            let (added, removed) = (count('+'), count('-'));
            let (old, new) = (signs.len() as u64 - added, signs.len() as u64 - removed);
            let start = 100 * hunk + 1;
            let at = "@".repeat(columns + 1);
            let olds = format!("-{start},{old} ").repeat(columns);
            let _ = writeln!(text, "{at} {olds}+{start},{new} {at} def function_{hunk}(self):");
            for sign in signs.chars() {
                let sign = sign.to_string().repeat(columns);
                let _ = writeln!(
                    text,
                    "{sign}{:1$}value_{2} = compute({2})",
                    "",
                    numbers.size_below(5) * 4,
                    numbers.below(1 << 30)
                );
            }
            expected = (expected.0, expected.1 + 1, expected.2 + added, expected.3 + removed);
        }
    }
    Shape { name, text: text.into_bytes(), expected }
}

fn colored(plain: &Shape) -> Shape {
    let mut text = Vec::with_capacity(plain.text.len() * 2);
    for line in plain.text.split_inclusive(|b| *b == b'\n') {
        let body = &line[..line.len() - 1];
        let code = match body.first() {
            Some(b' ') => &b""[..],
            Some(b'+') => b"\x1b[32m",
            Some(b'-') => b"\x1b[31m",
            _ => b"\x1b[1m",
        };
        text.extend_from_slice(&[code, body, b"\x1b[m\n"].concat());
    }
    Shape { name: "colored", text, expected: plain.expected }
}

impl Shape {
    /// Counts what stands around the repeated unit.
    fn with(mut self, around: (usize, usize, u64, u64)) -> Self {
        let (files, hunks, added, removed) = self.expected;
        self.expected = (files + around.0, hunks + around.1, added + around.2, removed + around.3);
        self
    }
}

fn repeated(name: &'static str, head: &str, unit: &str, tail: &str, of_unit: (usize, usize, u64, u64)) -> Shape {
    let times = shape_bytes() / unit.len();
    let text = format!("{head}{}{tail}", unit.repeat(times)).into_bytes();
    let scale = |count: u64| count * times as u64;
    let expected = (times * of_unit.0, times * of_unit.1, scale(of_unit.2), scale(of_unit.3));
    Shape { name, text, expected }
}

fn shapes() -> Vec<Shape> {
    let plain = pull_request("pull request", 1);
    let file = "--- a/f\n+++ b/f\n";
    let mode = "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n";
    let lines = shape_bytes();
    let blank = format!("{file}@@ -1,{lines} +1,{} @@\n+\n", lines + 1);
    let long = format!("{file}@@ -0,0 +1 @@\n+");
    let spaces = " ".repeat(1 << 14);
    let spaces = format!("diff --git x{spaces}/{spaces} y{spaces}/{spaces}\nold mode 100644\nnew mode 100755\n");
    let none = (0, 0, 0, 0);
    vec![
        colored(&plain),
        pull_request("combined", 2),
        plain,
        repeated("tiny hunks", file, "@@ -1 +1 @@\n-a\n+b\n", "", (0, 1, 1, 1)).with((1, 0, 0, 0)),
        repeated("blank lines", &blank, "\n", "", none).with((1, 1, 1, 0)),
        repeated("one line", &long, "x", "\n", none).with((1, 1, 1, 0)),
        repeated("message", "commit 1\n\n", "    --- a line of text\n", mode, none).with((1, 0, 0, 0)),
        repeated("tiny files", "", "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", "", (1, 1, 1, 1)),
        repeated("mode changes", "", mode, "", (1, 0, 0, 0)),
        repeated("names of spaces", "", &spaces, "", (1, 0, 0, 0)),
    ]
}

fn counts(diff: &Diff<'_>) -> (usize, usize, u64, u64) {
    diff.files.iter().fold((0, 0, 0, 0), |(files, hunks, added, removed), file| {
        (files + 1, hunks + file.hunks.len(), added + u64::from(file.added), removed + u64::from(file.removed))
    })
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for Shape { name, text, expected } in &shapes() {
        let read = parse(&decolor(text)).map(|diff| counts(&diff));
        assert_eq!(read.as_ref(), Ok(expected), "{name}");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), text, |bencher, text| {
            bencher.iter(|| parse(&decolor(black_box(text))).map(|diff| diff.files.len()));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
