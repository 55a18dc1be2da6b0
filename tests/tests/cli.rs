//! The command line: exit codes, statuses, what goes to which stream. The stages behind it have their own tests.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Three tests over two files, one JSON object a line: what any recorder can write.
pub(crate) const RECORDED: &str = r#"{"test": "tests/test_a.py::test_one", "cost": 0.5, "lines": {"src/pkg/a.py": [[1, 10], 20]}}
{"test": "tests/test_a.py::test_two", "cost": 1.0, "lines": {"src/pkg/a.py": [[5, 12]]}}
{"test": "tests/test_b.py::test_three[x y]", "cost": 2.0, "lines": {"src/pkg/b.py": [3], "src/pkg/a.py": [20]}}
{"test": "tests/test_b.py::test_four", "cost": 8.0, "lines": {"src/other/b.py": [1]}}
{"test": "tests/test_b.py::test_five", "cost": 0.1, "lines": {"src/other/c.py": [1]}}
"#;

/// The schema of the Python package that the project was born from, as its page prints it.
const CONCEPTUAL: &str = r#"{
  "features": [
    "pkg.module_a",
    "pkg.module_a.fn_x",
    "pkg.module_b",
    "pkg.module_b.ClassY.method_z"
  ],
  "tests": {
    "tests/unit/test_a.py::test_one": {
      "cost": 0.8,
      "signal": {
        "pkg.module_a": 0.9,
        "pkg.module_a.fn_x": 1.0
      }
    }
  }
}"#;

pub(crate) struct Folder {
    dir: TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    /// An empty folder outside any repository.
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// A folder with a model of `inputs`.
    pub(crate) fn with_model(input: &str) -> Self {
        let folder = Self::new();
        folder.write("input", input);
        let built = folder.run(&["build", "input"], "");
        assert_eq!(built.code, 0, "{}", built.stderr);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_covopt"));
        command.args(args).current_dir(self.path()).env_clear();
        command
    }

    pub(crate) fn run(&self, args: &[&str], stdin: impl AsRef<[u8]>) -> Ran {
        self.run_with(args, stdin, &[])
    }

    pub(crate) fn run_with(&self, args: &[&str], stdin: impl AsRef<[u8]>, environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that fails early does not read its input.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_ref());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) };
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }

    pub(crate) fn json(&self, args: &[&str], stdin: &str) -> (i32, Value) {
        let ran = self.run(&[args, &["--format", "json"]].concat(), stdin);
        let value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}\n{}", ran.stdout, ran.stderr));
        (ran.code, value)
    }
}

/// A diff that removes line `line` of `path`.
pub(crate) fn removal(path: &str, line: u32) -> String {
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -{line} +{},0 @@\n-gone\n", line - 1)
}

pub(crate) fn ids(value: &Value) -> Vec<&str> {
    value["tests"].as_array().unwrap().iter().map(|test| test["id"].as_str().unwrap()).collect()
}

#[test]
fn the_seeds_model_selects_by_dotted_names() {
    let folder = Folder::with_model(CONCEPTUAL);
    let diff =
        "--- a/pkg/module_a.py\n+++ b/pkg/module_a.py\n@@ -4,1 +4,1 @@ def fn_x(a):\n-    return a\n+    return -a\n";
    let ran = folder.run(&["select", "-t", "10", "--no-tree"], diff);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "tests/unit/test_a.py::test_one\n"), "{}", ran.stderr);
    let (_, changes) = folder.json(&["changes"], diff);
    let regions: Vec<&str> =
        changes["files"][0]["regions"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(regions, ["pkg.module_a", "pkg.module_a.fn_x"]);
    let (code, report) = folder.json(&["select", "-t", "10", "--no-tree"], diff);
    assert_eq!((code, report["evidence"].as_str()), (0, Some("declared")));
}

#[test]
fn methods_are_found_by_class_and_by_definition() {
    let folder = Folder::with_model(CONCEPTUAL);
    let cases = [
        (
            "class ClassY:",
            "     def method_z(self):\n-        pass\n+        return 1\n",
            "pkg.module_b.ClassY.method_z",
        ),
        ("def method_z(self):", " \n-        pass\n+        return 1\n", "pkg.module_b.ClassY.method_z"),
        ("", " \n-X = 1\n+X = 2\n", "pkg.module_b"),
    ];
    for (heading, body, want) in cases {
        let diff = format!("--- a/src/pkg/module_b.py\n+++ b/src/pkg/module_b.py\n@@ -4,2 +4,2 @@ {heading}\n{body}");
        let (_, changes) = folder.json(&["changes"], &diff);
        let regions = changes["files"][0]["regions"].as_array().unwrap();
        let heaviest =
            regions.iter().max_by(|a, b| a["weight"].as_f64().unwrap().total_cmp(&b["weight"].as_f64().unwrap()));
        assert_eq!(heaviest.unwrap()["name"], want, "{heading}");
    }
}

#[test]
fn the_best_test_comes_first_and_the_budget_holds() {
    let folder = Folder::with_model(RECORDED);
    let (code, report) = folder.json(&["select", "-t", "10", "--no-tree"], &removal("src/pkg/a.py", 7));
    assert_eq!(code, 0);
    assert_eq!(report["status"], "selected");
    assert_eq!(ids(&report), ["tests/test_a.py::test_one", "tests/test_a.py::test_two"]);
    assert_eq!((report["total"].as_u64(), report["candidates"].as_u64()), (Some(5), Some(2)));
    assert!(report["utility"].as_f64() <= report["upper_bound"].as_f64());
    let (_, report) = folder.json(&["select", "-t", "0.9", "--no-tree"], &removal("src/pkg/a.py", 7));
    assert_eq!(ids(&report), ["tests/test_a.py::test_one"]);
    let (_, report) = folder.json(&["select", "-t", "10", "-n", "1", "--no-tree"], &removal("src/pkg/a.py", 7));
    assert_eq!(ids(&report), ["tests/test_a.py::test_one"]);
    let (_, report) = folder.json(&["select", "-t", "50%", "--no-tree"], &removal("src/pkg/a.py", 7));
    assert_eq!(report["budget_s"], 5.8);
}

#[test]
fn the_same_question_has_the_same_answer() {
    let folder = Folder::with_model(RECORDED);
    let ask = || {
        let (_, mut report) = folder.json(&["select", "-t", "10", "--no-tree", "--fill"], &removal("src/pkg/a.py", 20));
        report.as_object_mut().unwrap().remove("elapsed_ms");
        report
    };
    assert_eq!(ask(), ask());
    let model = fs::read(folder.path().join(".covopt")).unwrap();
    let mut lines: Vec<&str> = RECORDED.lines().collect();
    lines.reverse();
    folder.write("input", lines.join("\n"));
    assert_eq!(folder.run(&["build", "input"], "").code, 0);
    assert_eq!(fs::read(folder.path().join(".covopt")).unwrap(), model, "input order changes no byte");
}

#[test]
fn filling_spends_what_is_left_and_says_so() {
    let folder = Folder::with_model(RECORDED);
    let (_, report) = folder.json(&["select", "-t", "4", "--no-tree", "--fill"], &removal("src/pkg/b.py", 3));
    assert_eq!(ids(&report)[0], "tests/test_b.py::test_three[x y]");
    assert_eq!(report["tests"].as_array().unwrap().len(), 4, "{report}");
    assert!(report["tests"].as_array().unwrap()[1..].iter().all(|test| test["why"] == "background"));
    assert!(report["cost_s"].as_f64().unwrap() <= 4.0);
    let mode = "diff --git a/src/pkg/a.py b/src/pkg/a.py\nold mode 100644\nnew mode 100755\n";
    let unknown = removal("docs/guide.md", 3);
    for (diff, status, want) in
        [("", "empty_diff", 2), (mode, "nothing_relevant", 0), (unknown.as_str(), "unknown_change", 2)]
    {
        let args = ["select", "-t", "4", "--no-tree", "--fill", "--empty-diff", "fail"];
        let (code, report) = folder.json(&args, diff);
        assert_eq!((report["status"].as_str(), ids(&report).len(), code), (Some(status), 0, want));
        assert_eq!(folder.run(&args, diff).stdout, "", "{status}");
    }
    let ran = folder.run(&["select", "-t", "1", "--no-tree", "--fill"], removal("src/pkg/b.py", 3));
    assert!(ran.code == 0 && ran.stderr.contains("only spend the budget"), "{}", ran.stderr);
}

#[test]
fn an_empty_selection_says_which_it_is() {
    let folder = Folder::with_model(RECORDED);
    let cases = [
        ("", "empty_diff", 0),
        ("diff --git a/src/pkg/a.py b/src/pkg/a.py\nold mode 100644\nnew mode 100755\n", "nothing_relevant", 0),
        (&removal("src/pkg/b.py", 3), "nothing_fits", 0),
        (&removal("docs/guide.md", 3), "unknown_change", 2),
    ];
    for (diff, status, want) in cases {
        let (code, report) = folder.json(&["select", "-t", "1.5", "--no-tree"], diff);
        assert_eq!((report["status"].as_str(), code), (Some(status), want));
        assert!(ids(&report).is_empty());
        let ran = folder.run(&["select", "-t", "1.5", "--no-tree"], diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (want, ""), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    let ran = folder.run(&["select", "-t", "1.5", "--no-tree"], removal("src/pkg/b.py", 3));
    assert!(ran.stderr.contains("-t 2"), "names the smallest useful budget: {}", ran.stderr);
    let ran = folder.run(&["select", "-t", "1.5", "--empty-diff", "fail"], "");
    assert_eq!(ran.code, 2);
    let merge = "commit 2c8cd3ac958a7eb316d67f2d316c27086c4c0369\nMerge: 1234567 89abcde\nAuthor: a <a@b>\nDate:   now\n\n    Merge\n";
    let ran = folder.run(&["select", "-t", "1"], merge);
    assert!(ran.code == 0 && ran.stderr.contains("--first-parent"), "{}", ran.stderr);
}

#[test]
fn paths_match_by_their_ends_unless_told_otherwise() {
    let folder = Folder::with_model(RECORDED);
    let tests = |args: &[&str], path: &str, line| {
        let (_, report) = folder.json(&[&["select", "-t", "10", "--no-tree"], args].concat(), &removal(path, line));
        (ids(&report).len(), report["unmapped"].as_array().unwrap().first().map(|part| part["reason"].clone()))
    };
    assert_eq!(tests(&[], "pkg/a.py", 7), (2, None), "the diff's path is the shorter one");
    assert_eq!(tests(&[], "repo/src/pkg/a.py", 7), (2, None), "the model's path is the shorter one");
    assert_eq!(tests(&["--strict-paths"], "pkg/a.py", 7), (0, Some("unknown_file".into())));
    assert_eq!(tests(&[], "b.py", 3), (0, Some("ambiguous_path".into())), "not guessed");
    for (path, says) in [("b.py", "may be one of several"), ("docs/x.md", "does not know 1 changed file")] {
        for command in [&["select", "-t", "10", "--no-tree", "--verbose"][..], &["impacted", "--no-tree", "--verbose"]]
        {
            let ran = folder.run(command, removal(path, 3));
            assert!(ran.code == 2 && ran.stderr.contains(says), "{}", ran.stderr);
            let is_named = ran.stderr.contains("may be src/pkg/b.py or src/other/b.py");
            assert_eq!(is_named, path == "b.py", "{}", ran.stderr);
        }
    }
    assert_eq!(tests(&[], "kg/a.py", 7), (0, Some("unknown_file".into())), "only at a component boundary");
}

#[test]
fn usage_is_64_and_stdout_stays_clean() {
    let folder = Folder::with_model(RECORDED);
    let wrong: [&[&str]; 9] = [
        &["select", "-t", "10", "-n", "0"],
        &[],
        &["selct"],
        &["select"],
        &["select", "-t", "ten"],
        &["select", "-t", "10", "--nonsense"],
        &["select", "-t", "-5"],
        &["impacted", "--threshold", "1.5"],
        &["select", "-t", "10", "-0", "--format", "json"],
    ];
    for args in wrong {
        let ran = folder.run(args, "");
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty());
    }
    for (args, says) in
        [(&["select", "-t", "-1"][..], "expected seconds"), (&["select", "-t", "1", "-n", "-1"], "at least 1")]
    {
        let ran = folder.run(args, "");
        assert!(ran.code == 64 && ran.stderr.contains(says), "{}", ran.stderr);
    }
    for args in [&["--help"][..], &["--version"], &["select", "--help"]] {
        let ran = folder.run(args, "");
        assert!(ran.code == 0 && !ran.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_failure_never_leaves_old_ids() {
    let folder = Folder::with_model(RECORDED);
    let failing: [(&[&str], &str, i32); 6] = [
        (&["select", "-t", "ten", "-oids"], "", 64),
        (&["impacted", "--nonsense", "--output=ids"], "", 64),
        (&["select", "-t", "10", "-o", "ids"], "@@ nonsense", 65),
        (&["select", "-t", "ten", "-o", "ids"], "", 64),
        (&["select", "-t", "10", "--model", "missing", "-o", "ids"], &removal("a", 1), 66),
        (&["impacted", "-o", "ids"], "not a diff at all", 65),
    ];
    for (args, stdin, code) in failing {
        folder.write("ids", "old\n");
        let ran = folder.run(args, stdin);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert_eq!(fs::read(folder.path().join("ids")).unwrap(), b"", "{args:?}");
    }
    let ran = folder.run(&["select", "-t", "10", "--no-tree", "-o", "ids"], removal("src/pkg/a.py", 7));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(folder.path().join("ids")).unwrap().lines().count(), 2);
    let ran = folder.run(&["select", "-t", "10", "--no-tree", "-o", "-"], removal("src/pkg/a.py", 7));
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{}", ran.stderr);
    assert!(!folder.path().join("-").exists());
    let ran = folder.run(&["changes", "-o", "ids"], removal("src/pkg/a.py", 7));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(fs::read_to_string(folder.path().join("ids")).unwrap().contains("modified"));
    folder.write("ids", "mine\n");
    assert_eq!(folder.run(&["verify", "-o", "ids"], "").code, 64);
    assert_eq!(fs::read(folder.path().join("ids")).unwrap(), b"mine\n", "no output of this command");
    let ran = folder.run(&["select", "-t", "10", "-o", "no/such/folder"], "");
    assert_eq!(ran.code, 73, "{}", ran.stderr);
}

#[test]
fn a_test_root_is_a_folder_of_the_tree() {
    let folder = Folder::new();
    folder.write("svc/tests/test_a.py", "def test_one(): pass\n");
    folder.write("input", RECORDED);
    let absolute = folder.path().join("svc");
    for test_root in ["svc", "./svc/", absolute.to_str().unwrap()] {
        assert_eq!(folder.run(&["build", "input", "--test-root", test_root], "").code, 0);
        let (_, report) = folder.json(&["select", "-t", "0.9", "--no-tree"], &removal("svc/src/pkg/a.py", 7));
        assert_eq!(ids(&report), ["svc/tests/test_a.py::test_one"], "{test_root}");
    }
    for test_root in ["nowhere", "..", "/", "input"] {
        let ran = folder.run(&["build", "input", "--test-root", test_root], "");
        assert!(ran.code == 64 && ran.stderr.contains("--root"), "{test_root}: {}", ran.stderr);
    }
}

#[test]
fn an_output_never_takes_the_place_of_an_input() {
    let folder = Folder::with_model(RECORDED);
    folder.write("sub/x", "");
    let diff = removal("src/pkg/a.py", 7);
    let kept = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let model = kept(".covopt");
    folder.write("d", &diff);
    folder.write("failed", "tests/test_a.py::test_one\n");
    folder.write("elsewhere", &model);
    let select = ["select", "-t", "1", "--diff", "d", "-o"];
    for (args, output) in [
        (&select[..], "d"),
        (&select, "sub/../d"),
        (&select, ".covopt"),
        (&select, "elsewhere"),
        (&["impacted", "--diff", "d", "--last-failed", "failed", "-o"], "failed"),
        (&["impacted", "--diff=d", "--nonsense", "-o"], "d"),
        (&["impacted", "--nonsense", "-o"], ".covopt"),
    ] {
        let before = kept(output);
        let ran = folder.run(&[args, &[output]].concat(), "");
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{args:?} {output}: {}", ran.stderr);
        assert_eq!(kept(output), before, "{args:?} {output}");
    }
    for (target, code) in [("d", 73), ("sub", 73), ("empty", 0), ("elsewhere", 0), ("new", 0)] {
        folder.write("empty", "");
        let ran = folder.run(&["build", "input", "--model", target], "");
        assert_eq!(ran.code, code, "{target}: {}", ran.stderr);
    }
    assert_eq!(kept("d"), diff.as_bytes());
}

#[test]
fn missing_and_damaged_models_are_66() {
    let folder = Folder::new();
    let diff = removal("src/pkg/a.py", 7);
    for args in [
        &["select", "-t", "1"][..],
        &["select", "-t", "1", "--no-build"],
        &["select", "-t", "1", "--model", "named"],
        &["inspect"],
        &["verify"],
        &["base"],
        &["build"],
    ] {
        let ran = folder.run(args, &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (66, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("covopt build") || ran.stderr.contains("record coverage"), "{}", ran.stderr);
    }
    let folder = Folder::with_model(RECORDED);
    for root in ["nowhere", "input"] {
        folder.write("ids", "old");
        let ran = folder.run(&["select", "-t", "1", "--model", ".covopt", "--root", root, "-o", "ids"], &diff);
        assert!(ran.code == 66 && ran.stderr.contains("--root"), "{root}: {}", ran.stderr);
        assert_eq!(fs::read(folder.path().join("ids")).unwrap(), b"", "emptied before anything else");
    }
    let model = fs::read(folder.path().join(".covopt")).unwrap();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("text", b"hello".to_vec(), "not a covopt model"),
        ("cut", model[..model.len() - 1].to_vec(), "cut"),
        (
            "flipped",
            {
                let mut m = model.clone();
                m[20] ^= 1;
                m
            },
            "header",
        ),
        (
            "newer",
            {
                let mut m = model.clone();
                m[8] = 9;
                let sum = xxhash_rust::xxh3::xxh3_64(&m[..56]);
                m[56..64].copy_from_slice(&sum.to_le_bytes());
                m
            },
            "format version 9",
        ),
    ];
    for (name, bytes, says) in cases {
        folder.write(name, bytes);
        for command in ["select", "inspect", "verify"] {
            let args: &[&str] =
                if command == "select" { &["select", "-t", "1", "--model", name] } else { &[command, "--model", name] };
            let ran = folder.run(args, &diff);
            assert_eq!((ran.code, ran.stdout.as_str()), (66, ""), "{name} {command}");
            assert!(ran.stderr.contains(says) && ran.stderr.contains(name), "{}", ran.stderr);
        }
    }
    let ran = folder.run(&["base"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (66, ""), "no commit is known: {}", ran.stderr);
}

#[test]
fn the_base_is_what_was_named() {
    let folder = Folder::new();
    folder.write("input", RECORDED);
    let hash = "2c8cd3ac958a7eb316d67f2d316c27086c4c0369";
    assert_eq!(folder.run(&["build", "input", "--base", hash], "").code, 0);
    let ran = folder.run(&["base"], "");
    assert_eq!((ran.code, ran.stdout), (0, format!("{hash}\n")));
    for (base, says) in [("no-such-branch", "git rev-parse 'no-such-branch^{commit}'"), ("", "expected a commit")] {
        let ran = folder.run(&["build", "input", "--base", base], "");
        assert!(ran.code == 64 && ran.stderr.contains(says), "{}", ran.stderr);
    }
    let ran = folder.run(&["build", "input", "--base", &hash[..10]], "");
    assert!(ran.code == 0 && ran.stderr.contains("abbreviated"), "{}", ran.stderr);
}

#[test]
fn ids_that_break_the_protocol_are_refused_in_lines() {
    let folder = Folder::with_model(
        "{\"test\": \"-rf\", \"cost\": 1, \"lines\": {\"a.py\": [1]}}\n{\"test\": \"ok\", \"cost\": 1, \"lines\": {\"a.py\": [1]}}\n",
    );
    let diff = removal("a.py", 1);
    let ran = folder.run(&["select", "-t", "10"], &diff);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("-0") && ran.stderr.contains("--format json"), "{}", ran.stderr);
    let ran = folder.run(&["select", "-t", "10", "-0"], &diff);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "-rf\0ok\0"));
    let (code, report) = folder.json(&["select", "-t", "10"], &diff);
    assert_eq!((code, ids(&report)), (0, vec!["-rf", "ok"]));
}

#[test]
fn impacted_is_all_or_a_full_run() {
    let folder = Folder::with_model(RECORDED);
    let run = |args: &[&str], diff: &str| folder.run(&[&["impacted", "--no-tree"], args].concat(), diff);
    let ran = run(&[], &removal("src/pkg/a.py", 7));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "tests/test_a.py::test_one\ntests/test_a.py::test_two\n"));
    for metric in ["impacted_count=2", "total_in_map=5", "p=0.400", "selector_ms=", "fallback_reason=none"] {
        assert!(ran.stderr.contains(metric), "{}", ran.stderr);
    }
    let ran = run(&["--threshold", "0.3"], &removal("src/pkg/a.py", 7));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("fallback_reason=above_threshold"), "{}", ran.stderr);
    let ran = folder.run_with(&["impacted"], removal("src/pkg/a.py", 7), &[("IMPACTED_THRESHOLD", "0.1")]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = folder.run_with(&["impacted"], "", &[("IMPACTED_THRESHOLD", "often")]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    for (diff, reason) in [
        (removal("sub/conftest.py", 3), "full_run_file"),
        (removal("uv.lock", 3), "full_run_file"),
        (removal("docs/guide.md", 3), "nothing_selected"),
    ] {
        let ran = run(&[], &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
    let ran = run(&[], &removal("tests/test_a.py", 3));
    assert_eq!(
        (ran.code, ran.stdout.lines().count()),
        (0, 2),
        "a changed test file selects its own tests: {}",
        ran.stderr
    );
    assert_eq!(run(&["--strict-tests"], &removal("tests/test_a.py", 3)).code, 2);
    let ran = run(&[], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "no change and no prior failure: nothing to run");
    folder.write("failed.json", r#"{"tests/test_b.py::test_four": true}"#);
    let ran = run(&["--last-failed", "failed.json"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "tests/test_b.py::test_four\n"));
    let ran = run(&["--last-failed", "failed.json"], &removal("src/pkg/b.py", 3));
    assert_eq!(ran.stdout, "tests/test_b.py::test_three[x y]\ntests/test_b.py::test_four\n");
    assert_eq!(run(&["--last-failed", "missing.json"], "").code, 66);
    let ran = run(&["--last-failed", "failed.json", "--empty-diff", "fail"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("fallback_reason=empty_diff"), "{}", ran.stderr);
    for (diff, want) in
        [("", "empty_diff"), (&removal("src/pkg/a.py", 7), "impacted"), (&removal("uv.lock", 7), "full_run")]
    {
        let (_, report) = folder.json(&["impacted", "--no-tree"], diff);
        assert_eq!(report["status"], want);
    }
    let without_model = Folder::new();
    let ran = without_model.run(&["impacted"], removal("a.py", 1));
    assert!(ran.code == 2 && ran.stderr.contains("fallback_reason=no_map"), "{}", ran.stderr);
}

#[test]
fn what_failed_before_is_ids_or_nothing() {
    let folder = with_tree();
    for broken in ["{broken", "[\"tests/test_b.py::test_four\"", "{\"a\": true}}", "\u{feff}{"] {
        folder.write("failed", broken);
        let ran = folder.run(&["impacted", "--last-failed", "failed"], "");
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("`failed`"), "{}", ran.stderr);
        folder.write(".pytest_cache/v/cache/lastfailed", broken);
        let ran = folder.run(&["impacted"], removal("tests/test_a.py", 1));
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{}", ran.stderr);
    }
    folder.write("failed", "test_b\nsome words\ntests/test_b.py::test_gone\ntests/test_a.py\ngone.py\n");
    let ran = folder.run(&["impacted", "--last-failed", "failed"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "tests/test_a.py\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("4 tests dropped"), "{}", ran.stderr);
}

/// Two test files of two tests each, recorded where they stand.
fn with_tree() -> Folder {
    let folder = Folder::new();
    folder.write("tests/test_a.py", "def test_one(): pass\ndef test_two(): pass\n");
    folder.write("tests/test_b.py", "def test_three(): pass\ndef test_four(): pass\ndef test_five(): pass\n");
    folder.write("input", RECORDED);
    let built = folder.run(&["build", "input"], "");
    assert_eq!(built.code, 0, "{}", built.stderr);
    folder
}

#[test]
fn ids_follow_the_tree() {
    let folder = with_tree();
    let removal = removal("src/pkg/a.py", 7);
    let asked = |folder: &Folder, diff: &str| {
        let selected = folder.run(&["select", "-t", "10"], diff);
        let impacted = folder.run(&["impacted", "--threshold", "1"], diff);
        assert_eq!((selected.code, &selected.stdout), (impacted.code, &impacted.stdout), "{}", impacted.stderr);
        (selected.code, selected.stdout)
    };
    let both = |file: &str| (0, format!("tests/{file}.py::test_one\ntests/{file}.py::test_two\n"));
    assert_eq!(asked(&folder, &removal), both("test_a"));
    let copied = format!(
        "diff --git a/tests/test_a.py b/tests/copy.py\nsimilarity index 100%\ncopy from tests/test_a.py\ncopy to tests/copy.py\n{removal}"
    );
    fs::copy(folder.path().join("tests/test_a.py"), folder.path().join("tests/copy.py")).unwrap();
    assert_eq!(asked(&folder, &copied), both("test_a"), "the original of a copy is where it was");
    let rename = |from: &str, to: &str| {
        format!(
            "diff --git a/tests/{from}.py b/tests/{to}.py\nsimilarity index 100%\nrename from tests/{from}.py\nrename to tests/{to}.py\n"
        )
    };
    let twice = format!("{}{}{removal}", rename("test_y", "test_z"), rename("test_a", "test_y"));
    assert_eq!(asked(&folder, &twice), both("test_a"), "a diff that is not applied moves nothing");
    fs::rename(folder.path().join("tests/test_a.py"), folder.path().join("tests/test_z.py")).unwrap();
    assert_eq!(asked(&folder, &twice), both("test_z"), "a log of several commits moves a file several times");
    let (code, stdout) = asked(&folder, &removal);
    assert_eq!((code, stdout.as_str()), (2, ""), "no test that is known is there: the whole suite is wiser");
    let ran = folder.run(&["select", "-t", "10"], &removal);
    assert!(ran.stderr.contains("in the tree") && ran.stderr.contains("2 tests dropped"), "{}", ran.stderr);
}

#[test]
fn tests_that_the_diff_deletes_are_not_missed() {
    let folder = with_tree();
    fs::remove_file(folder.path().join("tests/test_a.py")).unwrap();
    let deleted = "diff --git a/tests/test_a.py b/tests/test_a.py\ndeleted file mode 100644\n--- a/tests/test_a.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-def test_one(): pass\n-def test_two(): pass\n";
    let changed = removal("src/pkg/a.py", 7);
    for command in [&["select", "-t", "10"][..], &["impacted"]] {
        let ran = folder.run(command, deleted);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
        for diff in [format!("{deleted}{changed}"), changed.clone()] {
            let ran = folder.run(command, diff);
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
            assert!(ran.stderr.contains("in the tree") || ran.stderr.contains("gone from the tree"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_tree_that_lost_much_is_not_asked_without_end() {
    let folder = Folder::new();
    let test = |i: u32| format!("{{\"test\": \"t.py::test_{i}\", \"cost\": 1, \"lines\": {{\"a.py\": [1]}}}}\n");
    folder.write("t.py", "def test_199(): pass\n");
    folder.write("input", (0..200).map(test).collect::<String>());
    assert_eq!(folder.run(&["build", "input"], "").code, 0);
    let (_, report) = folder.json(&["select", "-t", "2"], &removal("a.py", 1));
    // The file has not changed since the recording, as far as its size tells.
    assert_eq!((ids(&report).len(), report["dropped"].as_u64()), (2, Some(0)));
    folder.write("t.py", "def test_199(): pass # now\n");
    let (_, report) = folder.json(&["select", "-t", "2"], &removal("a.py", 1));
    assert_eq!((ids(&report), report["dropped"].as_u64()), (vec!["t.py::test_199"], Some(199)));
}

#[test]
fn a_model_away_from_its_tree_has_no_tree_to_ask() {
    let folder = with_tree();
    folder.write("elsewhere/model", fs::read(folder.path().join(".covopt")).unwrap());
    let diff = removal("src/pkg/a.py", 7);
    for command in [&["select", "-t", "10"][..], &["impacted"]] {
        let ran = folder.run(&[command, &["--model", "elsewhere/model"]].concat(), &diff);
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{}", ran.stderr);
        // In its own tree it is asked even where the only file that was chosen from is gone.
        fs::rename(folder.path().join("tests/test_a.py"), folder.path().join("kept")).unwrap();
        let ran = folder.run(&[command, &["--model", ".covopt"]].concat(), &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        let ran = folder.run(&[command, &["--model", "elsewhere/model", "--root", "."]].concat(), &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        fs::rename(folder.path().join("kept"), folder.path().join("tests/test_a.py")).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn no_id_leads_out_of_the_tree() {
    let folder = with_tree();
    folder.write("outside/secret.py", "def test_it(): pass\n");
    folder.write("in/.covopt", fs::read(folder.path().join(".covopt")).unwrap());
    folder.write("in/tests/test_a.py", "def test_one(): pass\ndef test_two(): pass # here\n");
    std::os::unix::fs::symlink(folder.path().join("outside"), folder.path().join("in/link")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("in/zero.py")).unwrap();
    let outside = folder.path().join("outside/secret.py");
    for path in [outside.to_str().unwrap(), "../outside/secret.py", "link/secret.py", "zero.py"] {
        folder.write("failed", format!("{path}::test_it\n"));
        let ran = folder.run(&["impacted", "--root", "in", "--last-failed", "failed"], "");
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{path}: {}", ran.stderr);
        assert!(ran.stderr.contains("1 test dropped"), "{}", ran.stderr);
    }
}

#[test]
fn ids_are_told_from_where_one_stands() {
    let folder = with_tree();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let run_command = |command: &[&str], args: &[&str]| {
        let mut command = folder.command(&[command, &["--diff", "../d.diff"], args].concat());
        let output = command.current_dir(folder.path().join("src")).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let run = |args: &[&str]| run_command(&["select", "-t", "0.9"], args);
    folder.write("d.diff", removal("src/pkg/a.py", 7));
    folder.write("src/x", "");
    let (_, stdout, stderr) = run_command(&["impacted"], &[]);
    assert!(stdout.starts_with("tests/test_a.py::test_one\n") && stderr.contains("--ids cwd"), "{stderr}");
    folder.write("failed", "tests/test_b.py\n");
    let (code, stdout, stderr) = run_command(&["impacted"], &["--ids", "cwd", "--last-failed", "../failed"]);
    let want = "../tests/test_a.py::test_one\n../tests/test_a.py::test_two\n../tests/test_b.py\n";
    assert_eq!((code, stdout.as_str()), (0, want), "{stderr}");
    assert!(!stderr.contains("--ids cwd"), "{stderr}");
    let (code, stdout, stderr) = run(&[]);
    assert_eq!((code, stdout.as_str()), (0, "tests/test_a.py::test_one\n"));
    assert!(stderr.contains("--ids cwd"), "{stderr}");
    let (code, stdout, stderr) = run(&["--ids", "cwd"]);
    assert_eq!((code, stdout.as_str()), (0, "../tests/test_a.py::test_one\n"), "{stderr}");
    fs::create_dir(folder.path().join("away")).unwrap();
    let (code, stdout, stderr) = run(&["--ids", "cwd", "--root", "../away", "--model", "../.covopt"]);
    assert_eq!((code, stdout.as_str()), (64, ""), "{stderr}");
}

#[test]
fn what_is_found_and_foreign_is_left_out() {
    let folder = Folder::new();
    folder.write("report.xml", "<coverage line-rate='1'/>");
    folder.write("coverage.json", r#"{"src/a.ts": {"path": "src/a.ts", "statementMap": {}}}"#);
    folder.write("durations.json", "");
    let ran = folder.run(&["build"], "");
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    assert!(ran.stderr.contains("report.xml") && ran.stderr.contains("durations.json"), "{}", ran.stderr);
    folder.write("covopt.jsonl", RECORDED);
    let ran = folder.run(&["build"], "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in ["report.xml", "coverage.json", "durations.json"] {
        assert!(ran.stderr.lines().any(|line| line.contains("left out") && line.contains(name)), "{}", ran.stderr);
    }
    let first = ran.stderr.lines().next().unwrap();
    assert!(first.contains("covopt.jsonl") && !first.contains("report.xml"), "{first}");
    let ran = folder.run(&["build", "covopt.jsonl", "report.xml"], "");
    assert!(ran.code == 65 && ran.stderr.contains("Cobertura"), "one that is named must be read: {}", ran.stderr);
    folder.write("covopt.jsonl", "{\"test\": \"x\", \"cost\": -1}\n");
    assert_eq!(folder.run(&["build"], "").code, 65, "one that is ours and wrong is no other's");
}

#[test]
fn coverage_older_than_the_tree_is_not_of_head() {
    let folder = with_tree();
    let hash = "2c8cd3ac958a7eb316d67f2d316c27086c4c0369";
    folder.write(".git/HEAD", hash);
    folder.write(".gitignore", ".covopt\n");
    let at = |name: &str, minutes: u64| {
        let file = fs::File::options().append(true).open(folder.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(60 * minutes)).unwrap();
    };
    folder.write("src/pkg/a.py", "");
    folder.write("durations", r#"{"tests/test_a.py::test_one": 1}"#);
    let base = || {
        let ran = folder.run(&["build", "input", "durations"], "");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!ran.stderr.contains("hint"), "no first model: {}", ran.stderr);
        (folder.run(&["base"], "").stdout, ran.stderr.contains("older than `src/pkg/a.py`"))
    };
    at("src/pkg/a.py", 1);
    at("input", 2);
    assert_eq!(base(), (format!("{hash}\n"), false));
    at("src/pkg/a.py", 3);
    at("durations", 4);
    assert_eq!(base(), (String::new(), true), "whatever else was written since");
    // What the diff at hand changes is newer by its nature.
    fs::rename(folder.path().join("input"), folder.path().join("covopt.jsonl")).unwrap();
    for (path, want) in [("src/pkg/a.py", 0), ("docs/x.md", 66)] {
        fs::remove_file(folder.path().join(".covopt")).unwrap();
        let ran = folder.run(&["select", "-t", "1"], removal(path, 7));
        assert!(ran.stderr.contains("built a model"), "{}", ran.stderr);
        assert_eq!(folder.run(&["base"], "").code, want, "{path}: {}", ran.stderr);
    }
}

/// Edit, run the tests with coverage, select: the recording has the lines of the edited file, the diff is about those
/// before.
#[test]
fn coverage_of_an_edited_tree_is_read_as_of_before() {
    let line = |n: u32| format!("line_{n} = {n}\n");
    let head = "2c8cd3ac958a7eb316d67f2d316c27086c4c0369";
    let recorded = |first: u32| {
        let test = |name: &str, line: u32| {
            format!("{{\"test\": \"t.py::{name}\", \"cost\": 1, \"lines\": {{\"a.py\": [{line}]}}}}\n")
        };
        format!("{}{}", test("test_far", first + 8), test("test_near", first + 28))
    };
    let added: String = (100..120).map(line).collect();
    let diff = format!(
        "--- a/a.py\n+++ b/a.py\n@@ -0,0 +1,20 @@\n{}@@ -29 +49 @@\n-{}+broken\n",
        (100..120).map(|n| format!("+{}", line(n))).collect::<String>(),
        line(29)
    );
    let edited: String = format!("{added}{}broken\n{}", (1..29).map(line).collect::<String>(), line(30));
    let at = |folder: &Folder, name: &str, seconds: u64| {
        let file = fs::File::options().append(true).open(folder.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    // Recorded before the edit, after it, and after one that the diff does not tell of.
    for (first, content, recorded_at, says, base) in [
        (1, &edited, 5, "built a model", 0),
        (21, &edited, 20, "taken back to those before", 66),
        (1, &added, 20, "may be off", 66),
    ] {
        let folder = Folder::new();
        folder.write(".git/HEAD", head);
        folder.write("t.py", "def test_far(): pass\ndef test_near(): pass\n");
        folder.write("a.py", content);
        folder.write("covopt.jsonl", recorded(first));
        at(&folder, "a.py", 10);
        at(&folder, "t.py", 1);
        at(&folder, "covopt.jsonl", recorded_at);
        let ran = folder.run(&["select", "-t", "1"], &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "t.py::test_near\n"), "{recorded_at}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(folder.run(&["base"], "").code, base, "{}", ran.stderr);
    }
}

#[test]
fn a_first_model_that_git_would_add_is_named() {
    let folder = Folder::new();
    folder.write(".git/HEAD", "ref: refs/heads/.invalid\n");
    folder.write("input", RECORDED);
    let ran = folder.run(&["build", "input"], "");
    assert!(ran.code == 0 && ran.stderr.contains(".gitignore"), "{}", ran.stderr);
    assert_eq!(folder.run(&["base"], "").code, 66, "references that are kept elsewhere are not guessed");
    let ran = folder.run(&["build", "input"], "");
    assert!(!ran.stderr.contains(".gitignore"), "only the first: {}", ran.stderr);
}

#[test]
fn a_name_never_begins_a_line_on_stderr() {
    let folder = Folder::with_model(RECORDED);
    let diff = "diff --git \"a/x\\ncovopt: all is well\" \"b/x\\ncovopt: all is well\"\n--- \"a/x\\ncovopt: all is well\"\n+++ \"b/x\\ncovopt: all is well\"\n@@ -1 +1 @@\n-a\n+b\n";
    for command in [&["select", "-t", "1", "--verbose"][..], &["impacted", "--verbose"]] {
        let ran = folder.run(command, diff);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("x\\ncovopt: all") && !ran.stderr.contains("\ncovopt: all"), "{}", ran.stderr);
    }
    let ran = folder.run(&["select", "-t", "1", "--model", "x\ny"], diff);
    assert_eq!((ran.code, ran.stderr.lines().count()), (66, 1), "{}", ran.stderr);
}

#[test]
#[cfg(unix)]
fn a_model_is_a_file() {
    let folder = Folder::new();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    for model in ["pipe", "/dev/null", "."] {
        let ran = folder.run(&["verify", "--model", model], "");
        assert!(ran.code == 66 && ran.stderr.contains("expected a file"), "{model}: {}", ran.stderr);
    }
}

#[test]
fn an_empty_variable_is_none() {
    let folder = Folder::with_model(RECORDED);
    for name in ["COVOPT_MODEL", "IMPACTED_THRESHOLD", "COVOPT_NO_BUILD"] {
        let ran = folder.run_with(&["impacted"], "", &[(name, "")]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
    }
    folder.write("model", fs::read(folder.path().join(".covopt")).unwrap());
    let ran = folder.run_with(&["verify"], "", &[("COVOPT_MODEL", "model")]);
    assert!(ran.code == 0 && ran.stdout.starts_with("model:"), "{}", ran.stdout);
    let ran = folder.run_with(&["select", "-t", "1"], "", &[("COVOPT_MODEL", "missing")]);
    assert_eq!(ran.code, 66, "a model that was named is never built: {}", ran.stderr);
}

#[test]
fn models_are_joined_or_replaced_but_not_lost() {
    let folder = Folder::with_model(RECORDED);
    let one = r#"{"test": "tests/test_a.py::test_one", "cost": 0.7, "lines": {"src/pkg/a.py": [30]}}"#;
    folder.write("one", one);
    let before = fs::read(folder.path().join(".covopt")).unwrap();
    let ran = folder.run(&["build", "one"], "");
    assert_ne!(ran.code, 0, "a fraction does not replace a fuller model");
    assert!(ran.stderr.contains("--update") && ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(fs::read(folder.path().join(".covopt")).unwrap(), before);
    let ran = folder.run(&["build", "one", "--update"], "");
    assert!(ran.stderr.contains("4 tests kept, 0 added, 1 replaced, 0 removed"), "{}", ran.stderr);
    let (_, report) = folder.json(&["select", "-t", "10", "--no-tree"], &removal("src/pkg/a.py", 30));
    assert_eq!(ids(&report), ["tests/test_a.py::test_one"]);
    let (_, report) = folder.json(&["select", "-t", "10", "--no-tree"], &removal("src/pkg/a.py", 7));
    assert_eq!(ids(&report), ["tests/test_a.py::test_two"], "its old lines are gone");
    folder.write("lines", r#"{"test": "tests/test_a.py::test_one", "lines": {"src/pkg/a.py": [30]}}"#);
    let ran = folder.run(&["build", "lines", "--update"], "");
    assert!(ran.code == 0 && !ran.stderr.contains("no cost"), "the model states it: {}", ran.stderr);
    assert!(ran.stderr.contains("5 tests, 6 files"), "as `inspect` counts: {}", ran.stderr);
    let ran = folder.run(&["build", "one", "--force"], "");
    assert!(ran.stderr.contains("1 replaced, 4 removed"), "{}", ran.stderr);
    let bare = RECORDED.replace("\"lines\": {", "\"lines\": {}, \"other\": {");
    for (input, says) in [("<testsuites/>", "no test"), (bare.as_str(), "no test's lines were recorded")] {
        folder.write("empty", input);
        let before = fs::read(folder.path().join(".covopt")).unwrap();
        let ran = folder.run(&["build", "empty"], "");
        assert!(ran.code == 64 && ran.stderr.contains("--force"), "{input}: {}", ran.stderr);
        assert_eq!(fs::read(folder.path().join(".covopt")).unwrap(), before);
        let ran = folder.run(&["build", "empty", "--model", "other"], "");
        assert!(ran.code == 0 && ran.stderr.contains(says), "{input}: {}", ran.stderr);
    }
    folder.write("broken", "{\"test\": \"x\", \"cost\": -1}\n");
    let before = fs::read(folder.path().join(".covopt")).unwrap();
    let ran = folder.run(&["build", "broken"], "");
    assert!(ran.code == 65 && ran.stderr.contains("broken"), "{}", ran.stderr);
    assert_eq!(fs::read(folder.path().join(".covopt")).unwrap(), before, "the old model stays");
}

#[test]
fn what_is_in_a_model_is_shown_and_checked() {
    let folder = Folder::with_model(RECORDED);
    let (_, report) = folder.json(&["inspect"], "");
    for (field, want) in [("tests", 5), ("files", 6), ("tests_recorded", 5), ("tests_without_cost", 0), ("postings", 9)]
    {
        assert_eq!(report[field], want, "{field}: {report}");
    }
    let listed = |field: &str| -> u64 {
        let encodings = ["blocks", "features"].map(|of| report["lists"][of].as_object().unwrap());
        encodings.into_iter().flat_map(|encodings| encodings.values()).map(|share| share[field].as_u64().unwrap()).sum()
    };
    assert_eq!(report["postings"], listed("postings"), "{report}");
    assert!(listed("bytes") >= listed("lists"), "{report}");
    let per_posting = report["size"]["bytes_per_posting"].as_f64().unwrap();
    assert!((per_posting * 9.0 - report["bytes"].as_f64().unwrap()).abs() < 1e-6, "{report}");
    let ran = folder.run(&["verify"], "");
    assert!(ran.code == 0 && ran.stdout.contains("whole"), "{}", ran.stderr);
    let path = folder.path().join(".covopt");
    let model = fs::read(&path).unwrap();
    for at in (0..model.len()).step_by(7) {
        let mut flipped = model.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, flipped).unwrap();
        assert_eq!(folder.run(&["verify"], "").code, 66, "byte {at}");
    }
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_is_success() {
    let many: String = (0..5000)
        .map(|i| format!("{{\"test\": \"t.py::test_{i:0>60}\", \"cost\": 0.001, \"lines\": {{\"a.py\": [1]}}}}\n"))
        .collect();
    let folder = Folder::with_model(&many);
    let covopt = env!("CARGO_BIN_EXE_covopt");
    folder.write("d.diff", removal("a.py", 1));
    let script =
        format!("{covopt} impacted --threshold 1 --no-tree --diff d.diff | head -n 1; echo ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().last(), Some("0"), "{stdout}");
}

/// Start-up is most of what `select` costs, and static linking is most of start-up: a flag that is lost must not go unseen.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_binary_is_static() {
    let elf = fs::read(env!("CARGO_BIN_EXE_covopt")).unwrap();
    let half = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().unwrap());
    let word = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().unwrap());
    const ET_EXEC: u16 = 2;
    const PT_INTERP: u32 = 3;
    assert_eq!((&elf[..5], half(16)), (&b"\x7fELF\x02"[..], ET_EXEC), "a position-dependent 64-bit executable");
    let headers = usize::try_from(word(32)).unwrap();
    for header in 0..usize::from(half(56)) {
        let at = headers + header * usize::from(half(54));
        let kind = u32::from_le_bytes(elf[at..at + 4].try_into().unwrap());
        assert_ne!(kind, PT_INTERP, "it asks for a dynamic loader; is RUSTFLAGS set?");
    }
}

/// A budget is what its user waits for: starting the runner and opening files count.
#[test]
fn set_up_is_charged_once_a_session_and_once_a_file() {
    let folder = Folder::with_model(RECORDED);
    let chosen = |budget: &str, more: &[&str]| {
        let args = [&["select", "-t", budget, "--no-tree"], more].concat();
        let (_, report) = folder.json(&args, &removal("src/pkg/a.py", 20));
        (ids(&report).len(), report["cost_s"].as_f64().unwrap())
    };
    // Line 20 is run by a test of each file: 0.5 s and 2 s.
    assert_eq!(chosen("2.5", &[]), (2, 2.5));
    assert_eq!(chosen("2.5", &["--startup", "0.2"]).0, 1);
    assert_eq!(chosen("2.7", &["--startup", "0.2"]), (2, 2.7));
    assert_eq!(chosen("2.7", &["--per-file", "0.2"]).0, 1);
    assert_eq!(chosen("2.9", &["--per-file", "0.2"]), (2, 2.9));
    assert!(chosen("4", &["--per-file", "0.5", "--startup", "0.5", "--fill"]).1 <= 4.0);
    // What fills shares the files that are open: 0.5, two files at 0.2, and all tests but the one of 8 s.
    let filled = chosen("4.5", &["--per-file", "0.2", "--startup", "0.5", "--fill"]);
    assert_eq!(filled, (4, 4.5));
}

/// Words rank tests before anything was recorded, and the answer says what it rests on.
#[test]
fn words_alone_are_evidence() {
    let texts = r#"{"test": "t.py::test_order", "cost": 1, "text": "order.parse(discount)"}
{"test": "t.py::test_stock", "cost": 1, "text": "stock.count()"}
"#;
    let folder = Folder::with_model(texts);
    let diff = "--- a/shop/order.py\n+++ b/shop/order.py\n@@ -3 +3 @@\n-    return parse(discount)\n+    return 0\n";
    let (code, report) = folder.json(&["select", "-t", "10", "--no-tree"], diff);
    assert_eq!((code, ids(&report)), (0, vec!["t.py::test_order"]), "{report}");
    assert_eq!(report["evidence"], "source");
    let ran = folder.run(&["select", "-t", "10", "--no-tree"], diff);
    assert!(ran.stderr.contains("source model"), "{}", ran.stderr);
}

/// The first line that `covopt` says about an answer.
fn summary(ran: &Ran) -> &str {
    ran.stderr.lines().next().unwrap().trim_start_matches("covopt: ")
}

#[test]
fn workers_share_the_tests() {
    let folder = Folder::with_model(RECORDED);
    let args = ["select", "-t", "2", "--no-tree", "--format", "json"];
    let (_, alone) = folder.json(&args[..4], &removal("src/pkg/a.py", 20));
    assert_eq!((ids(&alone).len(), &alone["workers"]), (1, &Value::from(1)), "0.5 s, and 2 s do not fit beside it");
    let (_, shared) = folder.json(&[&args[..4], &["-j", "2"]].concat(), &removal("src/pkg/a.py", 20));
    assert_eq!((ids(&shared).len(), shared["cost_s"].as_f64()), (2, Some(2.0)));
    assert_eq!([&shared["tests"][0]["worker"], &shared["tests"][1]["worker"]], [0, 1]);
    let ran = folder.run(&[&args[..4], &["-j", "2"]].concat(), removal("src/pkg/a.py", 20));
    assert!(summary(&ran).starts_with("2 of 5 tests, 2.0 s of 2.0 s on 2 workers; "), "{}", ran.stderr);
    for workers in ["0", "-1", "many"] {
        assert_eq!(folder.run(&["select", "-t", "2", "-j", workers], "").code, 64);
    }
}

#[test]
fn a_confidence_is_bought_as_cheaply_as_can_be() {
    let folder = Folder::with_model(RECORDED);
    let ask = |args: &[&str]| {
        let args = [&["select", "--no-tree"], args].concat();
        (folder.json(&args, &removal("src/pkg/a.py", 20)).1, folder.run(&args, removal("src/pkg/a.py", 20)))
    };
    let (report, ran) = ask(&["--confidence", "0.5"]);
    assert_eq!((&report["confidence_target"], &report["confidence_reached"]), (&Value::from(0.5), &Value::from(true)));
    assert!(report["budget_s"].is_null() && report["confidence"].as_f64().unwrap() >= 0.5, "{report}");
    assert!(report["cost_lower_bound_s"].as_f64().unwrap() <= report["cost_s"].as_f64().unwrap());
    assert!(
        summary(&ran).starts_with("confidence 50 % reached with 1 of 5 tests, 0.50 s; nothing below "),
        "{}",
        ran.stderr
    );
    let (all, _) = ask(&["--confidence", "99%"]);
    assert_eq!((ids(&all).len(), all["cost_s"].as_f64()), (2, Some(2.5)));
    let (less, ran) = ask(&["--confidence", "0.99", "-t", "1"]);
    assert_eq!((&less["confidence_reached"], ids(&less).len(), ran.code), (&Value::from(false), 1, 0));
    let line = "no selection within 1.0 s reaches confidence 99 %; this one reaches ";
    assert!(summary(&ran).starts_with(line), "{}", ran.stderr);
    let (_, unknown) = folder.json(&["select", "--no-tree", "--confidence", "0.5"], &removal("docs/guide.md", 3));
    assert_eq!((&unknown["confidence"], &unknown["confidence_reached"]), (&Value::from(0.0), &Value::from(false)));
    for args in [
        &["--confidence", "1"][..],
        &["--confidence", "0.9", "--fill"],
        &[],
        &["--confidence", "0.9", "--strategy", "exact"],
    ] {
        assert_eq!(folder.run(&[&["select"], args].concat(), "").code, 64, "{args:?}");
    }
}

#[test]
fn the_best_of_all_choices_is_found_or_refused() {
    let folder = Folder::with_model(RECORDED);
    let args = ["select", "-t", "3", "--no-tree", "--strategy", "exact"];
    let (_, report) = folder.json(&args, &removal("src/pkg/a.py", 7));
    assert_eq!((ids(&report).len(), &report["strategy"]), (2, &Value::from("exact")));
    let ran = folder.run(&args, removal("src/pkg/a.py", 7));
    assert!(summary(&ran).contains("; no choice reaches more in 3.0 s; "), "{}", ran.stderr);
    let refused = folder.run(&[&args[..], &["-j", "2"]].concat(), removal("src/pkg/a.py", 7));
    assert_eq!((refused.code, refused.stdout.as_str()), (64, ""));
    assert!(refused.stderr.contains("with one worker, not with 2; choose greedily"), "{}", refused.stderr);
    let test = |i: u32| format!("{{\"test\": \"t.py::test_{i}\", \"cost\": 1, \"lines\": {{\"a.py\": [1]}}}}\n");
    let many = Folder::with_model(&(0..257).map(test).collect::<String>());
    let refused = many.run(&args, removal("a.py", 1));
    assert_eq!((refused.code, refused.stdout.as_str()), (64, ""));
    assert!(refused.stderr.contains("at most 256 tests, this change has 257"), "{}", refused.stderr);
    assert_eq!(many.run(&[&args[..], &["-n", "256"]].concat(), removal("a.py", 1)).code, 0);
}

#[test]
fn a_curve_is_drawn_or_told() {
    let folder = Folder::with_model(RECORDED);
    let args = ["select", "-t", "5", "--no-tree", "--curve"];
    let (_, report) = folder.json(&args, &removal("src/pkg/a.py", 20));
    let curve = report["curve"].as_array().unwrap();
    assert_eq!(curve.len(), 2);
    assert_eq!((&curve[1]["tests"], curve[1]["cost_s"].as_f64()), (&Value::from(2), Some(2.5)));
    assert_eq!([&curve[1]["utility"], &curve[1]["residual_risk"]], [&report["utility"], &report["residual_risk"]]);
    let drawn = folder.run(&args, removal("src/pkg/a.py", 20));
    assert_eq!(drawn.stdout.lines().count(), 2, "ids alone");
    assert!(drawn.stderr.contains("100 % ┤") && drawn.stderr.contains("2.5 s"), "{}", drawn.stderr);
    assert!(!folder.run(&args[..4], removal("src/pkg/a.py", 20)).stderr.contains('┤'));
    assert_eq!(folder.json(&args, "").1["curve"], Value::Array(Vec::new()));
}

/// A test that the diff adds is not in the model: it is not chosen, and whoever runs the choice is told.
#[test]
fn a_new_test_is_told() {
    let folder = Folder::with_model(RECORDED);
    let added = "--- a/tests/test_a.py\n+++ b/tests/test_a.py\n@@ -9,0 +10,4 @@\n+def test_one():\n+    pass\n+\n+def test_new():\n";
    let diff = format!("{}{added}", removal("src/pkg/a.py", 6));
    let (code, report) = folder.json(&["select", "-t", "9", "--no-tree"], &diff);
    assert_eq!((code, &report["new_tests"]), (0, &serde_json::json!(["tests/test_a.py::test_new"])));
    let hint = "the diff adds 1 test that the model does not know: run tests/test_a.py::test_new too";
    for command in [&["select", "-t", "9", "--no-tree"][..], &["impacted", "--no-tree", "--threshold", "1"]] {
        let ran = folder.run(command, &diff);
        assert!(ran.code == 0 && ran.stderr.contains(hint) && !ran.stdout.contains("test_new"), "{}", ran.stderr);
    }
    let file = "diff --git a/tests/test_c.py b/tests/test_c.py\nnew file mode 100644\n--- /dev/null\n+++ b/tests/test_c.py\n@@ -0,0 +1,3 @@\n+import x\n+def test_c():\n+    x()\n";
    let (_, report) =
        folder.json(&["select", "-t", "9", "--no-tree"], &format!("{}{file}", removal("src/pkg/a.py", 6)));
    assert_eq!(report["new_tests"], serde_json::json!(["tests/test_c.py::test_c"]));
}

#[test]
fn a_runner_is_given_its_own_tests() {
    let rust = r#"{"test": "pkg::cli parse::empty", "cost": 0.5, "lines": {"src/pkg/a.py": [[1, 10]]}}"#;
    let folder = Folder::with_model(&format!("{RECORDED}{rust}\n"));
    let diff = removal("src/pkg/a.py", 7);
    for command in [&["select", "-t", "10", "--no-tree"][..], &["impacted", "--no-tree", "--threshold", "1"]] {
        let ran = folder.run(&[command, &["--format", "nextest"]].concat(), &diff);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (0, "-Ebinary_id(=pkg::cli) & test(=parse::empty)\n"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("left out that nextest does not run"), "{}", ran.stderr);
        let ran = folder.run(&[command, &["--format", "cargo", "-0"]].concat(), &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "parse::empty\0"), "{}", ran.stderr);
        let ran = folder.run(&[command, &["--format", "pytest"]].concat(), &diff);
        assert!(ran.code == 0 && ran.stdout.lines().all(|id| id.starts_with("tests/")), "{}", ran.stdout);
        assert!(!ran.stdout.is_empty());
        // No test of the model is one of Go's: nothing would be run, and pass.
        let ran = folder.run(&[command, &["--format", "go"]].concat(), &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("none of go test's, expected `import/path.TestName`"), "{}", ran.stderr);
        // What the change reaches is not nextest's, and the model has tests that are.
        let ran = folder.run(&[command, &["--format", "nextest"]].concat(), removal("src/other/c.py", 1));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    }
}
