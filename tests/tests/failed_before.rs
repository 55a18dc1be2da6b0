//! What failed before, on the command line: where it is known from, and which word is the last.

use crate::cli::Folder;

/// Five tests that fail, by their last runs: `late`, then `cheap` and `dear`; `mended` passes again, `shaky` passed in the end.
/// All of them run line 1 of `a.py`.
const RUNS: &str = r#"{"test": "t.py::cheap", "cost": 1, "lines": {"a.py": [1]}, "outcome": "failed", "time": 20}
{"test": "t.py::dear", "cost": 2, "lines": {"a.py": [1]}, "outcome": "failed", "time": 20}
{"test": "t.py::late", "cost": 3, "lines": {"a.py": [1]}, "outcome": "error", "time": 30}
{"test": "t.py::mended", "cost": 1, "lines": {"a.py": [1]}, "outcome": "failed", "time": 10}
{"test": "t.py::mended", "cost": 1, "outcome": "passed", "time": 20}
{"test": "t.py::shaky", "cost": 1, "lines": {"a.py": [1]}, "outcome": "flaky", "time": 30}
{"test": "t.py::sound", "cost": 1, "lines": {"a.py": [1], "b.py": [1]}, "outcome": "passed", "time": 30}
"#;

const CACHE: &str = ".pytest_cache/v/cache/lastfailed";

/// pytest's report of one test that failed and one that passed, and of one that the model does not know.
const REPORT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" timestamp="2026-11-22T02:51:26.000000+00:00">
<testcase classname="t" name="sound" time="1"><failure message="no">trace</failure></testcase>
<testcase classname="t" name="late" time="3"/>
<testcase classname="t" name="young" time="1"><error message="no">trace</error></testcase>
</testsuite></testsuites>
"#;

#[track_caller]
fn impacted(folder: &Folder, args: &[&str]) -> String {
    let ran = folder.run(&[&["impacted", "--no-tree"], args].concat(), "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn the_newest_word_on_what_failed_is_the_last() {
    let folder = Folder::with_model(RUNS);
    assert_eq!(impacted(&folder, &[]), "t.py::late\nt.py::cheap\nt.py::dear\n", "the most recent, then the cheapest");
    assert_eq!(impacted(&folder, &["--no-last-failed"]), "");
    folder.write(CACHE, r#"{"t.py::sound": true, "t.py::cheap": true}"#);
    assert_eq!(impacted(&folder, &[]), "t.py::cheap\nt.py::sound\n", "pytest's cache is newer than the model");
    folder.write(CACHE, "{}");
    assert_eq!(impacted(&folder, &[]), "", "nothing failed in the runs since");
    folder.write("report.xml", REPORT);
    assert_eq!(impacted(&folder, &["--last-failed", "report.xml"]), "t.py::sound\nt.py::young\n");
}

#[test]
fn a_broken_report_is_named_and_a_broken_cache_is_passed_over() {
    let folder = Folder::with_model(RUNS);
    folder.write("report.xml", &REPORT[..REPORT.len() - 40]);
    let ran = folder.run(&["impacted", "--no-tree", "--last-failed", "report.xml"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("`report.xml`") && ran.stderr.contains("ends too early"), "{}", ran.stderr);
    folder.write(CACHE, "{broken");
    let ran = folder.run(&["impacted", "--no-tree"], "");
    assert_eq!((ran.code, ran.stdout.lines().next()), (0, Some("t.py::late")), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not used"), "{}", ran.stderr);
}

#[test]
fn what_failed_is_looked_for_in_the_tree() {
    let folder = Folder::with_model(RUNS);
    folder.write("t.py", "def cheap(): pass\ndef late(): pass\n");
    let ran = folder.run(&["impacted"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "t.py::late\nt.py::cheap\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 test dropped"), "{}", ran.stderr);
}
