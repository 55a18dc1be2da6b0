//! `covopt replay` through the command line: past runs in, what a selection would have caught out. And where past runs
//! come from: the log of a shadow.

use std::fs;

use serde_json::Value;

use crate::cli::{Folder, RECORDED, removal};

/// A past run, as a line of JSON.
fn run(change: (&str, &str), failed: &[&str]) -> String {
    let (field, text) = change;
    serde_json::json!({ "id": failed.first(), field: text, "failed": failed }).to_string() + "\n"
}

fn caught(report: &Value) -> Vec<(f64, u64, u64)> {
    let budgets = report["budgets"].as_array().unwrap().iter();
    let at = |at: &Value| {
        let number = |name| at["caught"][name].as_u64().unwrap();
        (at["budget_s"].as_f64().unwrap(), number("hits"), number("of"))
    };
    budgets.map(at).collect()
}

#[test]
fn past_runs_are_scored_at_each_budget() {
    let folder = Folder::with_model(RECORDED);
    folder.write("past/one.diff", removal("src/pkg/a.py", 6));
    let patch = removal("src/pkg/b.py", 3);
    let runs = [
        run(("diff", "one.diff"), &["tests/test_a.py::test_two"]),
        run(("patch", &patch), &["tests/test_b.py::test_three[x y]", "tests/new.py::test_new"]),
        run(("patch", &patch), &[]),
        run(("patch", &patch), &["tests/new.py::test_new"]),
    ];
    folder.write("past/runs.jsonl", runs.concat());
    let (code, report) = folder.json(&["replay", "past/runs.jsonl", "-t", "2", "-t", "0.5", "-t", "100%"], "");
    assert_eq!(code, 0);
    assert_eq!(caught(&report), [(0.5, 0, 2), (2.0, 2, 2), (11.6, 2, 2)]);
    assert_eq!((report["not_failing"].as_u64(), report["unknown"].as_u64()), (Some(1), Some(1)));
    assert_eq!(report["misses"][0]["reason"], "too_late");
    assert_eq!(report["calibration"]["seen"]["of"], 6);
    let text = folder.run(&["replay", "past/runs.jsonl", "-t", "2"], "").stdout;
    assert!(text.starts_with("4 runs in `past/runs.jsonl`: 2 failing, 1 in which nothing failed, 1"), "{text}");
    let (_, shares) = folder.json(&["replay", "past/runs.jsonl"], "");
    let labels: Vec<&str> =
        shares["budgets"].as_array().unwrap().iter().map(|at| at["budget"].as_str().unwrap()).collect();
    assert_eq!(labels, ["0.2 %", "1 %", "2 %", "5 %", "10 %"]);
}

/// What a replay says of a change is what `select` says of it.
#[test]
fn a_replay_agrees_with_select() {
    let folder = Folder::with_model(RECORDED);
    let patch = removal("src/pkg/a.py", 6);
    folder.write("runs.jsonl", run(("patch", &patch), &["tests/test_a.py::test_two"]));
    for flags in [&["-t", "1"][..], &["-t", "2", "--startup", "0.4"], &["-t", "4", "--fill"], &["-t", "9", "-n", "1"]] {
        let (_, replayed) = folder.json(&[&["replay", "runs.jsonl"], flags].concat(), "");
        let (_, selected) = folder.json(&[&["select", "--no-tree"], flags].concat(), &patch);
        let at = &replayed["results"][0]["budgets"][0];
        for field in ["budget_s", "cost_s", "utility", "certificate"] {
            assert_eq!(at[field], selected[field], "{field} {flags:?}");
        }
        assert_eq!(at["tests"].as_u64().unwrap() as usize, selected["tests"].as_array().unwrap().len());
        let rank = selected["tests"].as_array().unwrap().iter().position(|t| t["id"] == "tests/test_a.py::test_two");
        assert_eq!(at["first_failing_rank"].as_u64(), rank.map(|at| at as u64 + 1), "{flags:?}");
    }
}

#[test]
fn wrong_runs_are_named_with_their_line() {
    let folder = Folder::with_model(RECORDED);
    folder.write("empty.diff", "");
    let good = run(("diff", "empty.diff"), &[]);
    let failed = &["tests/test_a.py::test_two"][..];
    for (line, code, want) in [
        ("{\"failed\": []}\n".to_owned(), 65, "line 2: expected `diff`"),
        (run(("patch", "no diff at all"), failed), 65, "`runs.jsonl`, line 2: "),
        (run(("diff", "gone.diff"), failed), 66, "`gone.diff` (line 2 of `runs.jsonl`)"),
        (run(("diff", "../runs.jsonl"), failed), 65, "line 2: expected in `diff` a path below the folder"),
        (run(("diff", "/etc/hostname"), failed), 65, "line 2: expected in `diff` a path below the folder"),
    ] {
        folder.write("runs.jsonl", format!("{good}{line}"));
        let ran = folder.run(&["replay", "runs.jsonl"], "");
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}{}", ran.stderr);
        assert!(ran.stderr.contains(want), "{line}{}", ran.stderr);
    }
    let ran = folder.run(&["replay", "gone.jsonl"], "");
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    let ran = folder.run(&["replay", "-"], &good);
    assert_eq!(ran.code, 0, "an empty diff changes nothing: {}", ran.stderr);
    assert!(ran.stdout.contains("Nothing to score"), "{}", ran.stdout);
}

const SHADOW: [&str; 7] = ["select", "-t", "2", "--no-tree", "--shadow", "--log", "log.jsonl"];

#[test]
fn a_shadow_logs_what_would_have_been_chosen_and_prints_nothing() {
    let folder = Folder::with_model(RECORDED);
    let patch = removal("src/pkg/a.py", 6);
    let (_, selected) = folder.json(&["select", "-t", "2", "--no-tree"], &patch);
    assert_eq!(selected["tests"].as_array().unwrap().len(), 2);
    for _ in 0..2 {
        let ran = folder.run(&SHADOW, &patch);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    }
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, lines[1]), "the same change logs the same line");
    let line: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(line["patch"], patch);
    let ids: Vec<&Value> = selected["tests"].as_array().unwrap().iter().map(|test| &test["id"]).collect();
    assert_eq!(line["ids"].as_array().unwrap().iter().collect::<Vec<_>>(), ids);
    for field in ["budget_s", "utility", "confidence", "upper_bound", "certificate", "cost_s", "status"] {
        assert_eq!(line[field], selected[field], "{field}");
    }
}

/// A log scores what was chosen then. Here the model has forgotten the test since.
#[test]
fn a_logged_line_with_what_failed_is_a_past_run() {
    let folder = Folder::with_model(RECORDED);
    let patch = removal("src/pkg/a.py", 6);
    folder.run(&SHADOW, &patch);
    let unfinished = folder.run(&["replay", "--log", "log.jsonl"], "");
    assert_eq!(unfinished.code, 65, "{}{}", unfinished.stdout, unfinished.stderr);
    assert!(unfinished.stderr.contains("line 1: expected `failed`"), "{}", unfinished.stderr);
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let mut line: Value = serde_json::from_str(log.trim()).unwrap();
    line["failed"] = serde_json::json!(["tests/test_a.py::test_two"]);
    folder.write("runs.jsonl", line.to_string());
    let (code, then) = folder.json(&["replay", "--log", "runs.jsonl"], "");
    assert_eq!((code, caught(&then)), (0, vec![(2.0, 1, 1)]));
    assert_eq!(then["calibration"]["said"], line["confidence"]);
    folder.write("input", RECORDED.lines().next().unwrap());
    assert_eq!(folder.run(&["build", "input", "--force"], "").code, 0);
    let (_, then) = folder.json(&["replay", "--log", "runs.jsonl"], "");
    assert_eq!(caught(&then), [(2.0, 1, 1)]);
    let (_, now) = folder.json(&["replay", "runs.jsonl"], "");
    assert_eq!(now["unknown"], 1);
    folder.write("runs.jsonl", run(("patch", &patch), &["t"]));
    let plain = folder.run(&["replay", "--log", "runs.jsonl"], "");
    assert_eq!(plain.code, 65);
    assert!(plain.stderr.contains("leave out --log"), "{}", plain.stderr);
}

#[test]
fn a_shadow_never_fails_the_job_but_for_its_log() {
    let folder = Folder::with_model(RECORDED);
    let model = fs::read(folder.path().join(".covopt")).unwrap();
    let unknown = removal("unheard/of.rs", 3);
    assert_eq!(folder.run(&["select", "-t", "2"], &unknown).code, 2);
    for (diff, lines) in [(unknown.as_str(), 1), ("", 2), ("no diff at all", 2)] {
        let ran = folder.run(&SHADOW, diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{diff}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{diff}");
        let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
        assert_eq!(log.lines().count(), lines, "{diff}: what cannot be read is not logged");
    }
    let to = |log: &str| folder.run(&["select", "-t", "2", "--shadow", "--log", log], &unknown);
    assert_eq!(to("no/such/folder/log").code, 73);
    assert_eq!(to(".covopt").code, 64);
    assert_eq!(fs::read(folder.path().join(".covopt")).unwrap(), model, "the model stays as it is");
    assert_eq!(folder.run(&["select", "-t", "2", "--shadow"], &unknown).code, 64, "a shadow without a log is nothing");
    fs::remove_file(folder.path().join(".covopt")).unwrap();
    assert_eq!(to(".covopt").code, 64, "where a model would be built");
    let ran = folder.run(&[&SHADOW[..], &["--no-build"]].concat(), &unknown);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("nothing is logged: no model"), "{}", ran.stderr);
}
