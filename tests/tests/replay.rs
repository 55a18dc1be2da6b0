//! `covopt replay` through the command line: past runs in, what a selection would have caught out.

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
