//! `covopt calibrate` through the command line: past runs in, constants of the signal out, and back into a model.

use serde_json::Value;

use crate::cli::{Folder, removal};

/// Two tests run every line; the one named after the line's function fails.
const RECORDED: &str = r#"{"test": "tests/test_a.py::test_load", "cost": 0.5, "lines": {"src/a.py": [[1, 20]]}}
{"test": "tests/test_a.py::test_store", "cost": 0.5, "lines": {"src/a.py": [[1, 20]]}}
"#;

const SYMBOLS: &str = r#"{"_type": "tag", "name": "load", "path": "src/a.py", "line": 1, "end": 10, "kind": "function"}
{"_type": "tag", "name": "store", "path": "src/a.py", "line": 11, "end": 20, "kind": "function"}
"#;

fn folder() -> Folder {
    let folder = Folder::with_model(RECORDED);
    folder.write("tags.jsonl", SYMBOLS);
    assert_eq!(folder.run(&["build", "input", "tags.jsonl"], "").code, 0);
    let runs: String = (1..=20)
        .map(|line| {
            let failed = if line <= 10 { "tests/test_a.py::test_load" } else { "tests/test_a.py::test_store" };
            serde_json::json!({"patch": removal("src/a.py", line), "failed": [failed]}).to_string() + "\n"
        })
        .collect();
    folder.write("runs.jsonl", runs);
    folder
}

fn constant(report: &Value, name: &str) -> f64 {
    report["calibration"][name].as_f64().unwrap()
}

#[test]
fn what_tells_tests_apart_gains_weight_in_the_model() {
    let folder = folder();
    let (code, report) = folder.json(&["calibrate", "runs.jsonl"], "");
    assert_eq!(code, 0);
    assert!(constant(&report, "name") > report["before"]["name"].as_f64().unwrap(), "{report}");
    assert_eq!(report["changes"], 20);
    assert_eq!(report["held_out"].as_array().unwrap().len(), 5);
    let text = folder.run(&["calibrate", "runs.jsonl"], "").stdout;
    assert!(text.starts_with("Fitted to 20 failing changes\n"), "{text}");
    assert!(text.contains("To use it: "), "{text}");

    folder.write("calibration.json", report.to_string());
    let built = folder.run(&["build", "--update", "calibration.json"], "");
    assert_eq!(built.code, 0, "{}", built.stderr);
    let (_, again) = folder.json(&["calibrate", "runs.jsonl"], "");
    assert_eq!(again["before"], report["calibration"], "the model holds them, and starts the next fit");
    let verified = folder.run(&["verify"], "");
    assert_eq!(verified.code, 0, "{}", verified.stderr);
}

#[test]
fn what_cannot_be_fitted_is_refused_or_told() {
    let folder = folder();
    let one = std::fs::read_to_string(folder.path().join("runs.jsonl")).unwrap();
    folder.write("one.jsonl", one.lines().next().unwrap());
    let text = folder.run(&["calibrate", "one.jsonl"], "").stdout;
    assert!(text.contains("Too few changes to learn from: at least 20"), "{text}");
    let (_, report) = folder.json(&["calibrate", "one.jsonl"], "");
    assert_eq!(report["calibration"], report["before"]);
    folder.write("none.jsonl", serde_json::json!({"patch": removal("src/a.py", 1), "failed": []}).to_string());
    assert!(folder.run(&["calibrate", "none.jsonl"], "").stdout.contains("1 run passed over"));
    assert_eq!(folder.run(&["calibrate", "missing=runs.jsonl"], "").code, 66);
    folder.write("bad.json", r#"{"calibration": {"words": 1e9}}"#);
    let refused = folder.run(&["build", "--update", "bad.json"], "");
    assert_eq!(refused.code, 65, "{}", refused.stderr);
    assert!(refused.stderr.contains("`calibration.words` is 1000000000"), "{}", refused.stderr);
}
