use rkyv::util::AlignedVec;

use super::*;
use crate::build::{Content, build};
use crate::diff::parse;
use crate::observation::{LineSet, Observations, Symbol, SymbolKind};

fn lines(ranges: &[(u32, u32)]) -> LineSet {
    ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
}

/// `a.py` with import lines, a function whose lines ran and one that ran in part; two tests, and one that ran nothing.
fn model() -> AlignedVec<64> {
    let mut seen = Observations::default();
    let file = seen.file("src/a.py");
    let [one, two, idle] = ["t.py::TestA::test_one", "t.py::test_two[x]", "t.py::test_idle"].map(|id| seen.test(id));
    seen.cover(one, file, &lines(&[(10, 12), (14, 14), (32, 32)]));
    seen.cover(two, file, &lines(&[(14, 14)]));
    seen.test_mut(idle).recorded = true;
    let facts = seen.file_mut(file);
    facts.imported = lines(&[(1, 5), (9, 9), (30, 30)]);
    for (name, first, last) in [("f", 9, 20), ("g", 30, 40)] {
        let symbol = Symbol { lines: LineRange { first, last }, name: name.to_owned(), kind: SymbolKind::Function };
        facts.symbols.insert(symbol);
    }
    for (feature, weight) in [("pkg.m", 1.0), ("pkg.m.go", 3.0), ("pkg.m.C.run", f64::MAX), ("pkg.m.D.run", f64::MAX)] {
        seen.signal(one, feature, 1.0);
        seen.weight(feature, weight);
    }
    build(&seen, None, |_| None)
}

fn read(diff: &str) -> Change {
    read_with(diff, Mapping::default())
}

fn read_with(diff: &str, mapping: Mapping) -> Change {
    let bytes = model();
    let index = Index::open(&bytes[..]).unwrap();
    let change = Change::read(&index, &parse(diff.as_bytes()).unwrap(), mapping).unwrap();
    let sum: f64 = change.regions.iter().map(|region| region.weight).sum::<f64>() + change.unmapped_weight();
    assert!((sum - 1.0).abs() < 1e-9 || change == Change::default(), "the weights sum to {sum}");
    change
}

fn removal(path: &str, line: u32) -> String {
    format!("--- a/{path}\n+++ b/{path}\n@@ -{line} +{},0 @@\n-gone\n", line - 1)
}

/// Kind and name of each region, with its weight in hundredths.
fn told(change: &Change) -> Vec<(&'static str, &str, u32)> {
    let hundredths = |region: &Region| (region.weight * 100.0).round() as u32;
    change.regions.iter().map(|region| (region.source.kind(), region.name.as_str(), hundredths(region))).collect()
}

#[test]
fn a_line_finds_the_closest_evidence() {
    let cases = [
        (10, ("block", "src/a.py::f"), "recorded"),
        (13, ("block", "src/a.py::f"), "not recorded: the line before it"),
        (32, ("block", "src/a.py::g"), "recorded"),
        (3, ("file", "src/a.py"), "ran at import"),
        (31, ("symbol", "src/a.py::g"), "not recorded, and nothing before it in its symbol"),
        (25, ("file", "src/a.py"), "outside any symbol"),
    ];
    for (line, (kind, name), why) in cases {
        assert_eq!(told(&read(&removal("src/a.py", line))), [(kind, name, 100)], "line {line}: {why}");
    }
    let unknown = read(&removal("b.py", 1));
    assert_eq!((unknown.regions.len(), unknown.unmapped[0].reason), (0, Reason::UnknownFile));
}

#[test]
fn an_insertion_stands_for_the_lines_that_it_separates() {
    let diff = "--- a/src/a.py\n+++ b/src/a.py\n@@ -13,0 +14,2 @@\n+one\n+two\n";
    let change = read(diff);
    assert_eq!(told(&change), [("block", "src/a.py::f", 50), ("block", "src/a.py::f", 50)]);
    let lines: Vec<u32> = change.regions.iter().map(|region| region.lines[0].first).collect();
    assert_eq!(lines, [13, 14]);
    let change = read("--- a/src/a.py\n+++ b/src/a.py\n@@ -10,2 +10,5 @@\n-one\n-two\n+1\n+2\n+3\n+4\n+5\n");
    assert_eq!(told(&change), [("block", "src/a.py::f", 100)], "a replacement is what it removes");
    assert_eq!(change.regions[0].lines, [LineRange { first: 10, last: 11 }]);
}

#[test]
fn weights_are_shares_of_the_changed_lines() {
    let diff = format!("{}{}", removal("src/a.py", 10), removal("b.py", 7));
    let change = read(&format!("{diff}{}", removal("src/a.py", 10)));
    assert_eq!(told(&change), [("block", "src/a.py::f", 50)], "a line counts once");
    assert_eq!(change.unmapped_weight(), 0.5);
}

#[test]
fn a_changed_test_is_known_by_its_name() {
    let hunk = |heading: &str| format!("--- a/t.py\n+++ b/t.py\n@@ -4 +4 @@ {heading}\n-    assert a\n+    assert b\n");
    let tests = |change: &Change| match &change.regions[..] {
        [Region { source: Source::Tests(tests), .. }] => tests.len(),
        [Region { source: Source::Defines(_), .. }] => 0,
        _ => panic!("{change:?}"),
    };
    assert_eq!(tests(&read(&hunk("def test_two(x):"))), 1);
    assert_eq!(tests(&read(&hunk("class TestA:"))), 1);
    assert_eq!(tests(&read(&hunk("def helper():"))), 0, "all that the file defines");
    let whole = Mapping { whole_test_files: true, ..Mapping::default() };
    assert_eq!(tests(&read_with(&hunk("def test_two(x):"), whole)), 0);
    let deleted = "--- a/t.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-import a\n";
    assert_eq!(read(deleted), Change::default(), "no test of a deleted file is left");
}

#[test]
fn features_share_a_hunk_by_their_weights() {
    let hunk = |heading: &str| format!("--- a/x/pkg/m.py\n+++ b/x/pkg/m.py\n@@ -4 +4 @@ {heading}\n-    a\n+    b\n");
    assert_eq!(told(&read(&hunk("def go():"))), [("feature", "pkg.m", 25), ("feature", "pkg.m.go", 75)]);
    assert_eq!(told(&read(&hunk("def gone():"))), [("feature", "pkg.m", 100)]);
    let both = [("feature", "pkg.m", 25), ("feature", "pkg.m.C.run", 38), ("feature", "pkg.m.D.run", 38)];
    assert_eq!(told(&read(&hunk("def run(self):"))), both, "whatever the scale of the weights");
}

#[test]
fn modes_and_copies_change_nothing() {
    let mode = "diff --git a/src/a.py b/src/a.py\nold mode 100644\nnew mode 100755\n";
    let copy = "diff --git a/src/a.py b/src/b.py\nsimilarity index 100%\ncopy from src/a.py\ncopy to src/b.py\n";
    let rename = "diff --git a/src/a.py b/src/b.py\nsimilarity index 100%\nrename from src/a.py\nrename to src/b.py\n";
    assert_eq!(read(mode), Change::default());
    assert_eq!(read(copy), Change::default());
    assert_eq!(told(&read(rename)), [("file", "src/a.py", 100)], "an import of the old name may break");
}

/// A file of forty functions, each with a boilerplate end, in which each function has a test of its own.
fn many(edit: impl Fn(usize) -> String) -> String {
    (0..40).map(|at| format!("{}    try:\n        go()\n    finally:\n        stop()\n\n", edit(at))).collect()
}

fn function(at: usize) -> String {
    format!("def f{at}(x):\n    y = x + {at}\n")
}

/// The diff from one text to the other, as git writes it.
fn diff_of(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let from_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let from_end = from_end.min(old.len() - same).min(new.len() - same);
    let (first, last) = (same.saturating_sub(3), (old.len() - from_end + 3).min(old.len()));
    let heading = old[..first].iter().rev().find(|line| line.starts_with("def ")).unwrap_or(&"");
    let new_lines = new.len() - from_end - same + (last - first) - (old.len() - from_end - same);
    let mut diff =
        format!("--- a/m.py\n+++ b/m.py\n@@ -{},{} +{},{new_lines} @@ {heading}\n", first + 1, last - first, first + 1);
    old[first..same].iter().for_each(|line| diff += &format!(" {line}\n"));
    old[same..old.len() - from_end].iter().for_each(|line| diff += &format!("-{line}\n"));
    new[same..new.len() - from_end].iter().for_each(|line| diff += &format!("+{line}\n"));
    old[old.len() - from_end..last].iter().for_each(|line| diff += &format!(" {line}\n"));
    diff
}

/// Names of regions with their shares in percent.
type Regions = Vec<(String, i32)>;

/// What a model of `recorded` makes of a change from `old` to `new`: the steps and what is touched.
fn drifted(recorded: &str, old: &str, new: &str) -> (Vec<(Step, i64)>, Regions) {
    let mut seen = Observations::default();
    let file = seen.file("m.py");
    for (at, first) in (1..).step_by(7).take(40).enumerate() {
        let test = seen.test(&format!("t.py::test_{at}"));
        seen.cover(test, file, &lines(&[(first + 1, first + 5)]));
        let symbol =
            Symbol { lines: LineRange { first, last: first + 5 }, name: format!("f{at}"), kind: SymbolKind::Function };
        seen.file_mut(file).symbols.insert(symbol);
    }
    let bytes = build(&seen, None, |path| (path == "m.py").then(|| Content::of(recorded.as_bytes())));
    let index = Index::open(&bytes[..]).unwrap();
    let diff = diff_of(old, new);
    let change = Change::read(&index, &parse(diff.as_bytes()).unwrap(), Mapping::default()).unwrap();
    let steps = change.placements.iter().flat_map(|file| file.hunks.iter().map(|hunk| (hunk.step, hunk.shift)));
    let regions = change.regions.iter().map(|region| (region.name.clone(), (region.weight * 100.0).round() as i32));
    (steps.collect(), regions.collect())
}

#[test]
fn a_hunk_is_found_where_its_lines_went() {
    let recorded = many(function);
    let changed = |text: &str| text.replace("y = x + 17\n", "y = x - 17\n");
    assert_eq!(
        drifted(&recorded, &recorded, &changed(&recorded)),
        (vec![(Step::Exact, 0)], vec![("m.py::f17".to_owned(), 100)])
    );
    // Since the model was built, twelve lines came at the top, and two functions went.
    let old = "import a\n".repeat(12) + &recorded.replace(&function(3), "").replace(&function(5), "");
    let want = (vec![(Step::Shifted, -8)], vec![("m.py::f17".to_owned(), 100)]);
    assert_eq!(drifted(&recorded, &old, &changed(&old)), want);
}

#[test]
fn repeated_lines_are_told_apart_by_what_is_near() {
    let recorded = many(function);
    // The boilerplate alone changes: its own lines are forty times in the file.
    let old = "import a\n".repeat(12) + &recorded;
    let at = old.find("def f18").unwrap();
    let new =
        old[..at].rsplit_once("stop()").map(|(before, after)| format!("{before}halt(){after}{}", &old[at..])).unwrap();
    let (steps, regions) = drifted(&recorded, &old, &new);
    assert_eq!((steps, &regions[..]), (vec![(Step::Shifted, -12)], &[("m.py::f17".to_owned(), 100)][..]));
}

#[test]
fn a_file_that_was_formatted_since_is_known_by_what_is_left() {
    let recorded = many(function);
    // Other indents and quotes say nothing; signatures went over three lines.
    let formatted = |at: usize| format!("def f{at}(\n    x,\n):\n    y = x + {at}\n");
    let old = many(formatted).replace("    ", "\t");
    let new = old.replace("y = x + 17\n", "y = x - 17\n");
    let (steps, regions) = drifted(&recorded, &old, &new);
    assert_eq!(steps, [(Step::Near, -36)], "{regions:?}");
    assert_eq!(regions.iter().max_by_key(|(_, weight)| *weight).unwrap().0, "m.py::f17", "{regions:?}");
}

#[test]
fn what_no_line_places_falls_to_the_symbol_and_then_to_the_file() {
    let recorded = many(function);
    let old = "unlike = 1\nany = 2\nline = 3\ndef f9(y):\n    other()\n    still = 1\n    odd = 1\n    even = 2\n";
    let (steps, regions) = drifted(&recorded, old, &old.replace("still = 1", "still = 2"));
    assert_eq!(steps[0].0, Step::Symbol);
    assert_eq!(regions, [("m.py::f9".to_owned(), 50), ("m.py".to_owned(), 50)]);
    let old = old.replace("f9", "new_name");
    let (steps, regions) = drifted(&recorded, &old, &old.replace("still = 1", "still = 2"));
    assert_eq!((steps[0].0, regions), (Step::File, vec![("m.py".to_owned(), 100)]));
}

#[test]
fn a_moved_file_is_known_by_its_lines() {
    let recorded = many(function);
    let mut seen = Observations::default();
    for path in ["old/m.py", "other/m.py"] {
        let (file, test) = (seen.file(path), seen.test(&format!("{path}_test.py::test")));
        seen.cover(test, file, &lines(&[(1, 200)]));
    }
    let bytes = build(&seen, None, |path| match path {
        "old/m.py" => Some(Content::of(recorded.as_bytes())),
        "other/m.py" => Some(Content::of(b"import b\ngo()\nstop()\n")),
        _ => None,
    });
    let index = Index::open(&bytes[..]).unwrap();
    let new = recorded.replace("y = x + 17\n", "y = x - 17\n");
    let diff = diff_of(&recorded, &new).replace("m.py", "new/place/m.py");
    let change = Change::read(&index, &parse(diff.as_bytes()).unwrap(), Mapping::default()).unwrap();
    assert_eq!(change.placements[0].known_as.as_deref(), Some("old/m.py"));
    assert_eq!((change.regions.len(), change.regions[0].name.as_str()), (1, "old/m.py"));
    let strict = Mapping { strict_paths: true, ..Mapping::default() };
    let change = Change::read(&index, &parse(diff.as_bytes()).unwrap(), strict).unwrap();
    assert_eq!(change.unmapped[0].reason, Reason::UnknownFile);
}

#[test]
fn a_place_as_good_as_another_is_half_sure() {
    // Lines that stand a hundred times in the file tell nothing of where they are.
    let recorded = "try:\n    go()\nfinally:\n    stop()\n\n".repeat(100);
    let old = "import a\nimport b\nimport c\n".to_owned() + &recorded;
    let at = old.match_indices("    go()").nth(50).unwrap().0;
    let new = format!("{}    went(){}", &old[..at], &old[at + "    go()".len()..]);
    let change = read_drifted(&recorded, &diff_of(&old, &new));
    assert!(change.placements[0].hunks.iter().all(|hunk| hunk.certainty <= 0.5), "{change:?}");
}

/// The change that a diff makes, read against a model whose one test ran all lines of a file.
fn read_drifted(recorded: &str, diff: &str) -> Change {
    let mut seen = Observations::default();
    let (file, test) = (seen.file("m.py"), seen.test("t.py::test"));
    seen.cover(test, file, &lines(&[(1, 5000)]));
    let bytes = build(&seen, None, |path| (path == "m.py").then(|| Content::of(recorded.as_bytes())));
    let index = Index::open(&bytes[..]).unwrap();
    Change::read(&index, &parse(diff.as_bytes()).unwrap(), Mapping::default()).unwrap()
}

#[test]
fn hunks_without_old_lines_go_with_the_nearest_that_have_some() {
    let recorded: String = (0..400).map(|at| format!("line {at}\n")).collect();
    let mut diff = "--- a/m.py\n+++ b/m.py\n@@ -141,1 +141,0 @@\n-line 40\n".to_owned();
    (0..15).for_each(|at| diff += &format!("@@ -{},0 +{},1 @@\n+new\n", 160 + 10 * at, 160 + 11 * at));
    let change = read_drifted(&recorded, &diff);
    let shifts: Vec<i64> = change.placements[0].hunks.iter().map(|hunk| hunk.shift).collect();
    assert_eq!(shifts, [-100; 16]);
}

#[test]
fn of_a_long_hunk_all_lines_are_held_against_the_file() {
    let recorded: String = (0..2000).map(|at| format!("line {at}\n")).collect();
    let old = recorded.replace("line 700\n", &("new\n".repeat(50) + "line 700\n"));
    let mut diff = format!("--- a/m.py\n+++ b/m.py\n@@ -1,{0} +1,{0} @@\n", 2050);
    for (at, line) in (1..).zip(old.lines()) {
        diff += &if at == 1550 { format!("-{line}\n+changed\n") } else { format!(" {line}\n") };
    }
    let change = read_drifted(&recorded, &diff);
    let placement = &change.placements[0].hunks[0];
    assert_eq!((placement.step, placement.line(1550)), (Step::Near, 1500));
}

#[test]
fn the_last_line_that_a_number_can_have_is_a_line() {
    let change = read_drifted("a\n", "--- a/m.py\n+++ b/m.py\n@@ -4294967294,0 +1,1 @@\n+x\n");
    assert!(change.placements.len() <= 1);
}
