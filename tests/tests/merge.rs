//! `covopt merge` through the command line: shards that were recorded apart become the model of all of them.

use std::fs;

use crate::cli::{Folder, Ran, removal};

const BASE: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "76543210fedcba9876543210fedcba9876543210";

/// Two shards of a suite, and a shard of other tests of the same files.
const SHARDS: [&str; 3] = [
    r#"{"test": "tests/test_a.py::test_one", "cost": 0.5, "lines": {"src/a.py": [[1, 9]]}, "text": "words of one"}"#,
    r#"{"test": "tests/test_a.py::test_two", "cost": 0.25, "lines": {"src/a.py": [[3, 5]], "src/b.py": [1]}}"#,
    r#"{"test": "tests/test_a.py::test_one", "lines": {"src/a.py": [12]}, "outcome": "failed", "time": 7}
{"test": "tests/test_b.py::test_three", "regions": {"pkg.fn": 0.5}}"#,
];

/// A folder with a tree, and a model of each shard, each made in a folder of its own with a copy of the tree.
fn folder() -> Folder {
    let folder = Folder::new();
    for (at, shard) in SHARDS.iter().enumerate() {
        let place = format!("runner{at}");
        for file in ["src/a.py", "src/b.py", "tests/test_a.py"] {
            let line_12_is_removed = format!("# {file}\n{}gone\n", "\n".repeat(10));
            folder.write(&format!("{place}/{file}"), line_12_is_removed);
        }
        folder.write(&format!("{place}/input.jsonl"), format!("{shard}\n"));
        built(&folder, at, BASE);
    }
    folder
}

/// Builds the model of a shard.
fn built(folder: &Folder, at: usize, base: &str) {
    let (root, input) = (format!("runner{at}"), format!("runner{at}/input.jsonl"));
    let model = format!("{at}.covopt");
    let ran = folder.run(&["build", &input, "--root", &root, "--model", &model, "--base", base], "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn merged(folder: &Folder, args: &[&str]) -> Ran {
    folder.run(&[&["merge"], args].concat(), "")
}

fn bytes(folder: &Folder, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).unwrap()
}

#[test]
fn shards_become_what_a_build_of_all_inputs_makes() {
    let folder = folder();
    folder.write("runner0/all.jsonl", SHARDS.join("\n"));
    let all = ["build", "runner0/all.jsonl", "--root", "runner0", "--model", "all.covopt", "--base", BASE];
    assert_eq!(folder.run(&all, "").code, 0);
    let ran = merged(&folder, &["0.covopt", "1.covopt", "2.covopt", "--model", "merged.covopt"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("merged 3 models into `merged.covopt`: 3 tests"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty());
    assert!(bytes(&folder, "merged.covopt") == bytes(&folder, "all.covopt"));
    // As a tree, in place, in another order.
    assert_eq!(merged(&folder, &["2.covopt", "0.covopt", "--model", "2.covopt", "-q"]).stderr, "");
    assert_eq!(merged(&folder, &["1.covopt", "2.covopt", "--model", "1.covopt"]).code, 0);
    assert!(bytes(&folder, "1.covopt") == bytes(&folder, "all.covopt"));
    let args = ["select", "-t", "9", "--model", "1.covopt", "--no-tree", "--no-last-failed"];
    let ran = folder.run(&args, removal("src/a.py", 12));
    assert_eq!(ran.stdout, "tests/test_a.py::test_one\n", "{}", ran.stderr);
}

#[test]
fn models_of_several_commits_merge_where_shared_files_agree() {
    let folder = folder();
    built(&folder, 1, OTHER);
    let ran = merged(&folder, &["0.covopt", "1.covopt", "--model", "m.covopt"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("--base REV"), "{}", ran.stderr);
    assert_eq!(folder.run(&["base", "--model", "m.covopt"], "").stdout, "");
    assert_eq!(merged(&folder, &["0.covopt", "1.covopt", "--model", "m.covopt", "--base", OTHER]).code, 0);
    assert_eq!(folder.run(&["base", "--model", "m.covopt"], "").stdout, format!("{OTHER}\n"));

    folder.write("runner1/src/a.py", "# another content\n");
    built(&folder, 1, OTHER);
    let ran = merged(&folder, &["0.covopt", "1.covopt", "--model", "m.covopt"]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.contains("1.covopt") && ran.stderr.contains("`src/a.py`"), "{}", ran.stderr);
    assert_eq!(folder.run(&["base", "--model", "m.covopt"], "").stdout, format!("{OTHER}\n"), "and it is as it was");
    // A file that is not there has no content to compare: its lines may be of two.
    fs::remove_file(folder.path().join("runner1/src/a.py")).unwrap();
    built(&folder, 1, OTHER);
    assert_eq!(merged(&folder, &["0.covopt", "1.covopt", "--model", "m.covopt"]).code, 65);
    let named = ["0.covopt", "1.covopt", "--model", "m.covopt", "--base", BASE];
    assert_eq!(merged(&folder, &named).code, 0, "whoever names the commit vouches for it");
    built(&folder, 1, BASE);
    assert_eq!(merged(&folder, &["0.covopt", "1.covopt", "--model", "m.covopt"]).code, 0, "of one commit it is one");
}

#[test]
fn what_contradicts_or_is_damaged_is_refused() {
    let folder = folder();
    for (at, words) in [(0, 4.0), (1, 5.0)] {
        folder.write("constants.json", format!(r#"{{"tests": {{}}, "calibration": {{"words": {words}}}}}"#));
        let model = format!("{at}.covopt");
        let ran = folder
            .run(&["build", "--update", "constants.json", "--root", &format!("runner{at}"), "--model", &model], "");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let ran = merged(&folder, &["0.covopt", "1.covopt", "--model", "m.covopt"]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.contains("`words` is 5"), "{}", ran.stderr);
    assert_eq!(merged(&folder, &["0.covopt", "2.covopt", "--model", "m.covopt"]).code, 0, "one states none");

    let mut damaged = bytes(&folder, "2.covopt");
    let root = usize::from(u16::from_le_bytes([damaged[24], damaged[25]]));
    damaged[root] ^= 1;
    let mut old = bytes(&folder, "0.covopt");
    old[8] = 9;
    folder.write("damaged.covopt", &damaged);
    folder.write("other_version.covopt", &old);
    for name in ["damaged.covopt", "other_version.covopt", "missing.covopt", "runner0/input.jsonl"] {
        let ran = merged(&folder, &["0.covopt", name, "--model", "m2.covopt"]);
        assert_eq!(ran.code, 66, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
        assert!(!folder.path().join("m2.covopt").exists());
    }
    assert_eq!(merged(&folder, &["--model", "m.covopt"]).code, 64);
    let source = bytes(&folder, "runner0/src/a.py");
    let ran = merged(&folder, &["0.covopt", "2.covopt", "--model", "runner0/src/a.py"]);
    assert_eq!(ran.code, 73, "{}", ran.stderr);
    assert_eq!(bytes(&folder, "runner0/src/a.py"), source, "what is no model is not replaced");
}
