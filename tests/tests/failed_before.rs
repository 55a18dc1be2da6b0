//! What ran before, on the command line: what failed comes first, what is excluded does not come again.

use serde_json::Value;

use crate::cli::{Folder, ids, removal};

/// Runs of six tests. By their last ones these failed: `late`, then `cheap` and `dear`; `mended` passes again, `shaky`
/// passed in the end. All of them run line 1 of `a.py`.
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

const BROKEN: &str = "a.py";

fn why(report: &Value) -> Vec<&str> {
    report["tests"].as_array().unwrap().iter().map(|test| test["why"].as_str().unwrap()).collect()
}

#[test]
fn what_failed_last_comes_first_in_half_of_the_budget() {
    let folder = Folder::with_model(RUNS);
    let select = ["select", "-t", "10", "--no-tree"];
    let (code, report) = folder.json(&select, &removal(BROKEN, 1));
    assert_eq!((code, &report["status"], &report["failed_before"]), (0, &"selected".into(), &2.into()));
    assert_eq!(ids(&report)[..2], ["t.py::late", "t.py::cheap"], "`dear` would be more than five seconds: {report}");
    assert_eq!(why(&report)[..2], ["failed_before"; 2]);
    assert!(report["tests"].as_array().unwrap().len() > 2 && why(&report)[2..].iter().all(|why| *why == "change"));
    assert!(report["cost_s"].as_f64().unwrap() <= 10.0);
    assert!(report["tests"][0]["gain"].as_f64().unwrap() > 0.0, "it runs the changed line");
    let ran = folder.run(&select, removal(BROKEN, 1));
    assert!(ran.stderr.contains("; 2 of 3 that failed before"), "{}", ran.stderr);
    let (_, report) = folder.json(&[&select[..], &["--no-last-failed"]].concat(), &removal(BROKEN, 1));
    assert_eq!(report["failed_before"], 0);
    assert!(why(&report).iter().all(|why| *why == "change"));
}

#[test]
fn where_nothing_changed_what_failed_is_all_there_is() {
    let folder = Folder::with_model(RUNS);
    let select = ["select", "-t", "6", "--no-tree"];
    let ran = folder.run(&select, "");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "t.py::late\nt.py::cheap\nt.py::dear\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("3 failed before") && ran.stderr.contains("empty diff"), "{}", ran.stderr);
    let (_, report) = folder.json(&select, "");
    assert_eq!(
        (&report["status"], &report["residual_risk"], &report["cost_s"]),
        (&"selected".into(), &0.0.into(), &6.0.into())
    );
    let ran = folder.run(&[&select[..], &["--empty-diff", "fail"]].concat(), "");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    let (code, report) = folder.json(&[&select[..], &["--no-last-failed"]].concat(), "");
    assert_eq!((code, &report["status"], ids(&report).len()), (0, &"empty_diff".into(), 0));
}

/// What failed before says nothing of a change that nobody knows: the answer stays "run everything".
#[test]
fn failures_do_not_stand_in_for_knowing_a_change() {
    let folder = Folder::with_model(RUNS);
    let ran = folder.run(&["select", "-t", "10", "--no-tree"], removal("zz/qq.txt", 1));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    let (_, report) = folder.json(&["select", "-t", "10", "--no-tree"], &removal("zz/qq.txt", 1));
    assert_eq!((&report["status"], ids(&report).len()), (&"unknown_change".into(), 0));
}

#[test]
fn a_failed_test_that_the_model_does_not_know_is_run_if_the_tree_has_it() {
    let folder = Folder::with_model(RUNS);
    folder.write("t.py", "def young(): pass\ndef sound(): pass\ndef late(): pass\n");
    folder.write(CACHE, r#"{"t.py::young": true, "t.py::gone": true, "t.py::late": true, "t.py::dear": true}"#);
    let (_, report) = folder.json(&["select", "-t", "10", "--startup", "1"], &removal("b.py", 1));
    assert_eq!(ids(&report), ["t.py::young", "t.py::late", "t.py::sound"], "{report}");
    assert_eq!(why(&report), ["failed_before", "failed_before", "change"]);
    let cumulative: Vec<f64> =
        report["tests"].as_array().unwrap().iter().map(|test| test["cumulative_s"].as_f64().unwrap()).collect();
    assert_eq!(cumulative, [2.0, 5.0, 6.0], "the start, then the median cost, then what is recorded");
    assert_eq!(report["dropped"], 2, "one that the model knows, one that it does not");
}

#[test]
fn a_renamed_file_keeps_its_failures() {
    let folder = Folder::with_model(RUNS);
    folder.write("new.py", "def late(): pass\ndef sound(): pass\n");
    folder.write(CACHE, r#"{"new.py::late": true}"#);
    let diff = format!(
        "diff --git a/t.py b/new.py\nsimilarity index 100%\nrename from t.py\nrename to new.py\n{}",
        removal("b.py", 1)
    );
    let ran = folder.run(&["select", "-t", "10"], &diff);
    assert_eq!(ran.stdout, "new.py::late\nnew.py::sound\n", "{}", ran.stderr);
    folder.write("ran", ran.stdout);
    let ran = folder.run(&["select", "-t", "10", "--exclude", "ran"], &diff);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
}

/// Of three tests that run the changed line, the one with a failure in its past comes first and a flaky one last; but
/// at four times the cost no history makes up for it.
#[test]
fn history_orders_what_nothing_else_tells_apart() {
    let runs = |id: &str, cost_s: u32, outcomes: &[&str]| -> String {
        let run = |(time, outcome): (usize, &&str)| {
            let ended = format!("\"outcome\": \"{outcome}\", \"time\": {time}");
            format!("{{\"test\": \"{id}\", \"cost\": {cost_s}, \"lines\": {{\"a.py\": [1]}}, {ended}}}\n")
        };
        outcomes.iter().enumerate().map(run).collect()
    };
    for (cost_s, order) in [(1, ["c", "b", "a"]), (4, ["b", "c", "a"])] {
        let sound = runs("b", 1, &["passed", "passed"]);
        let model = runs("a", 1, &["flaky", "passed"]) + &sound + &runs("c", cost_s, &["failed", "passed"]);
        let (_, report) = Folder::with_model(&model).json(&["select", "-t", "10", "--no-tree"], &removal(BROKEN, 1));
        assert_eq!(ids(&report), order, "{report}");
        assert_eq!(report["failed_before"], 0, "all of them passed last");
    }
}

/// Eight tests of a second each, of which each runs lines of its own and one that all run.
fn eight() -> Folder {
    let line = |i: u32| {
        format!(
            "{{\"test\": \"t::{i}\", \"cost\": 1, \"lines\": {{\"a.py\": [[{0}, {1}], 99]}}}}\n",
            10 * i + 1,
            11 * i + 1
        )
    };
    Folder::with_model(&(0..8).map(line).collect::<String>())
}

/// Every line of [`eight`].
fn rewritten() -> String {
    let lines: String = (1..=99).map(|line| format!("-line {line}\n")).collect();
    format!("--- a/a.py\n+++ b/a.py\n@@ -1,99 +0,0 @@\n{lines}")
}

#[test]
fn a_second_call_goes_on_where_the_first_ended() {
    let folder = eight();
    let select = |budget: &str, more: &[&str]| {
        let ran = folder.run(&[&["select", "-t", budget, "--no-tree"], more].concat(), rewritten());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    };
    let both = select("6", &[]).stdout;
    assert_eq!(both.lines().count(), 6);
    let first = select("3", &[]).stdout;
    folder.write("lines", format!("{first}t::nobody\n"));
    folder.write("null", select("3", &["-0"]).stdout);
    folder.write("json", select("3", &["--format", "json"]).stdout);
    for form in ["lines", "null", "json"] {
        let second = select("3", &["--exclude", form]);
        assert_eq!(format!("{first}{}", second.stdout), both, "{form}: {}", second.stderr);
        assert!(second.stderr.contains("3 tests excluded"), "{}", second.stderr);
    }
    let named = select("3", &["--exclude", "lines", "-v"]);
    assert!(named.stderr.contains("1 not known") && named.stderr.contains("t::nobody"), "{}", named.stderr);

    let (_, once) = folder.json(&["select", "-t", "6", "--no-tree"], &rewritten());
    let (_, again) = folder.json(&["select", "-t", "3", "--no-tree", "--exclude", "json"], &rewritten());
    let utility = |report: &Value| report["utility"].as_f64().unwrap();
    assert!((utility(&once) - utility(&again)).abs() < 1e-9, "what ran already counts: {once} {again}");
    assert!(again["excluded"]["utility"].as_f64().unwrap() < utility(&again));
    assert_eq!(again["cost_s"], 3.0);

    folder.write("all", (0..8).map(|i| format!("t::{i}\n")).collect::<String>());
    let rest = select("3", &["--exclude", "all", "--fill"]);
    assert_eq!(rest.stdout, "");
    assert!(rest.stderr.contains("nothing more to select"), "{}", rest.stderr);
}

#[test]
fn set_up_is_charged_again_in_a_second_session() {
    let folder = eight();
    folder.write("ran", "t::0\nt::1\n");
    let args = ["select", "-t", "3", "--no-tree", "--startup", "1", "--per-file", "0.5", "--exclude", "ran"];
    let (_, report) = folder.json(&args, &rewritten());
    assert_eq!((ids(&report).len(), &report["cost_s"]), (1, &2.5.into()), "{report}");
}

#[test]
fn excluded_ids_come_from_a_file_or_standard_input() {
    let folder = eight();
    folder.write("diff", rewritten());
    let ran = folder.run(&["select", "-t", "9", "--no-tree", "--diff", "diff", "--exclude", "-"], "t::0\n");
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 7), "{}", ran.stderr);
    let ran = folder.run(&["select", "-t", "9", "--no-tree", "--exclude", "-"], rewritten());
    assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{}", ran.stderr);
    folder.write("broken", "[1]");
    for (file, code) in [("broken", 65), ("missing", 66)] {
        let ran = folder.run(&["select", "-t", "9", "--no-tree", "--exclude", file], rewritten());
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("`{file}`")), "{}", ran.stderr);
    }
    let ran = folder.run(&["select", "-t", "9", "--no-tree", "--exclude", "diff", "-o", "diff"], rewritten());
    assert_eq!(ran.code, 64, "what is read is not written: {}", ran.stderr);
}
