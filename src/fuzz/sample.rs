//! A small model that has every part of the format: what the corruption tests flip and the fuzzer starts from.

use crate::build::Content;
use crate::observation::{LineRange, LineSet, Observations, Outcome, Run, Session, Symbol, SymbolKind};

/// Tests of [`sample`]: enough for lists of many runs.
const TESTS: u32 = 200;

/// A change of files that [`sample`] knows: blocks with lists of runs and of one range, an import, a symbol, a test file, a
/// path known by its end, features, and a file that nobody knows.
pub const SAMPLE_DIFF: &[u8] = b"\
--- a/src/a.py
+++ b/src/a.py
@@ -1,5 +1,5 @@
-one
-two
-three
+1
+2
+3
 four
-five
+5
@@ -30 +30 @@ def late():
-thirty
+30
--- a/repo/src/b.py
+++ b/repo/src/b.py
@@ -2,2 +2,2 @@
-two
-three
+2
+3
--- a/tests/test_0.py
+++ b/tests/test_0.py
@@ -9,1 +9,1 @@ def test_003():
-    assert True
+    assert False
--- a/pkg/mod.py
+++ b/pkg/mod.py
@@ -1,1 +1,1 @@ def go():
-    return 1
+    return 2
--- a/unknown.txt
+++ b/unknown.txt
@@ -1 +1 @@
-a
+b
";

/// The content of the files that [`SAMPLE_DIFF`] changes: one is where the diff says, one two lines further down, and of one
/// nothing is known.
pub fn sample_content(path: &str) -> Option<Content> {
    let lines = (1..=40).map(|line| format!("line {line}\n"));
    let mut text: Vec<String> = match path {
        "src/a.py" => ["a", "b", "one", "two", "three", "four", "five"].map(|line| format!("{line}\n")).to_vec(),
        "src/b.py" => ["one", "two", "three"].map(|line| format!("{line}\n")).to_vec(),
        _ => return None,
    };
    text.extend(lines);
    Some(Content::of(text.concat().as_bytes()))
}

/// The observations of the small model.
pub fn sample() -> Observations {
    let mut seen = Observations::default();
    let tests: Vec<_> = (0..TESTS).map(|at| seen.test(&format!("tests/test_{}.py::test_{at:03}", at / 100))).collect();
    let odd = ["", "//pkg:target", "naïve::tëst[a b]", "-x @y\n"].map(|id| seen.test(id));
    let file = seen.file("src/a.py");
    let mut cover = |first: u32, last: u32, wanted: &dyn Fn(u32) -> bool| {
        let lines: LineSet = [LineRange { first, last }].into_iter().collect();
        for (at, &test) in (0u32..).zip(&tests).filter(|&(at, _)| wanted(at)) {
            seen.cover(test, file, &lines);
            debug_assert_eq!(tests[at as usize], test);
        }
    };
    cover(1, 1, &|at| at % 16 != 3);
    cover(2, 2, &|at| at % 9 == 2);
    cover(3, 3, &|at| (40..90).contains(&at));
    cover(5, 9, &|at| [7, 80, 199].contains(&at));
    cover(28, 29, &|at| at * at % 31 == 4);
    let symbol =
        |first, last, name: &str, kind| Symbol { lines: LineRange { first, last }, name: name.to_owned(), kind };
    seen.file_mut(file).imported = [LineRange { first: 4, last: 5 }, LineRange::single(12)].into_iter().collect();
    seen.file_mut(file).symbols = [
        symbol(1, 20, "Class", SymbolKind::Class),
        symbol(2, 9, "Class.method_with_a_longer_name", SymbolKind::Function),
        symbol(27, 40, "late", SymbolKind::Function),
    ]
    .into();
    for path in ["src/b.py", "lib/src/b.py", "deep/lib/src/c.py", "src/d.py"] {
        let file = seen.file(path);
        seen.cover(tests[5], file, &[LineRange { first: 1, last: 3 }].into_iter().collect());
        seen.cover(odd[1], file, &[LineRange::single(3)].into_iter().collect());
    }
    for (feature, weight) in [("pkg.mod", None), ("pkg.mod.go", Some(2.5)), ("pkg.other", Some(0.0)), ("zz", None)] {
        seen.feature(feature);
        weight.into_iter().for_each(|weight| seen.weight(feature, weight));
    }
    for (at, &test) in (0u32..).zip(&tests).filter(|(at, _)| at % 40 == 1) {
        seen.signal(test, "pkg.mod.go", f64::from(at + 1) / 200.0);
        seen.signal(test, "pkg.mod", 1.0);
    }
    for (at, &test) in (0u32..).zip(&tests).filter(|(at, _)| at % 9 == 2) {
        seen.text(test, if at % 2 == 0 { "late charges" } else { "late late" });
    }
    // A list too long for its bucket: many runs, and bytes that change.
    for (at, &test) in (0u32..).zip(&tests).filter(|(at, _)| at * at % 31 > 11) {
        seen.text(test, &"parcel ".repeat(at as usize * 7 % 5 + 1));
    }
    seen.test_mut(odd[0]).recorded = true;
    for (at, &test) in (0u32..).zip(&tests) {
        if at % 50 == 9 {
            seen.test_mut(test).family = Some(format!("family {}", at / 100));
        }
        let commit = if at % 3 == 0 { String::new() } else { format!("c0ffee{}", at % 2) };
        let outcome = [Outcome::Passed, Outcome::Failed, Outcome::Skipped, Outcome::Unknown][at as usize % 4];
        let cost_us = (at % 7 != 0).then(|| 1000 * u64::from(at % 11));
        if at % 5 != 4 {
            seen.run(test, Run { time_us: u64::from(at / 100) * 1_700_000_000_000_000, commit, outcome, cost_us });
        }
    }
    // Flaky in both ways that runs can tell: at one commit, and within one report.
    let ended = |time_us, outcome| Run { time_us, commit: "c0ffee0".to_owned(), outcome, cost_us: None };
    for (at, time_us, outcome) in [(7, 1, Outcome::Failed), (7, 2, Outcome::Passed), (40, 3, Outcome::Flaky)] {
        seen.run(tests[at], ended(time_us, outcome));
    }
    seen.run(odd[2], Run { time_us: 0, commit: String::new(), outcome: Outcome::Passed, cost_us: Some(1 << 40) });
    for (whole, tests, wall_us) in [(false, 200, 1_500_000), (true, 1, 400_000), (true, 90, 900_000)] {
        seen.session(Session { whole, time_us: 1_700_000_000_000_000, tests, files: 1, cost_us: 1000, wall_us });
    }
    seen
}

/// The observations of another shard of the suite of [`sample`]: some of its tests and files, and some of its own.
pub fn shard() -> Observations {
    let mut seen = Observations::default();
    let tests: Vec<_> = (190..215).map(|at| seen.test(&format!("tests/test_1.py::test_{at:03}"))).collect();
    for (path, first, last, step) in
        [("src/a.py", 2, 3, 2), ("src/a.py", 5, 7, 5), ("deep/lib/src/c.py", 2, 9, 1), ("e.py", 1, 4, 3)]
    {
        let file = seen.file(path);
        let lines: LineSet = [LineRange { first, last }].into_iter().collect();
        tests.iter().step_by(step).for_each(|&test| seen.cover(test, file, &lines));
        seen.file_mut(file).imported = [LineRange { first: 1, last: 12 }].into_iter().collect();
        let symbol =
            Symbol { lines: LineRange { first: 2, last: 9 }, name: "shared".to_owned(), kind: SymbolKind::Function };
        seen.file_mut(file).symbols = [symbol].into();
    }
    seen.weight("pkg.mod", 0.5);
    let defined = seen.file("checks/late.py");
    for (at, &test) in (0u32..).zip(&tests).filter(|(at, _)| at % 3 == 0) {
        seen.signal(test, "pkg.mod", f64::from(at + 1) / 20.0);
        seen.signal(test, "pkg.new", 0.5);
        seen.text(test, "late parcel");
        seen.test_mut(test).family = Some("family 1".to_owned());
        let outcome = [Outcome::Passed, Outcome::Failed, Outcome::Flaky][at as usize / 3 % 3];
        let run = Run { time_us: 1 << 50, commit: "c0ffee1".to_owned(), outcome, cost_us: Some(u64::from(at)) };
        seen.run(test, run);
    }
    let other = seen.test("checks::late");
    seen.test_mut(other).file = Some(defined);
    seen.constant("words", 4.5);
    seen.session(Session { whole: true, time_us: 7, tests: 25, files: 1, cost_us: 300, wall_us: 500 });
    seen
}
