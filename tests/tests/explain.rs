//! `covopt explain` through the command line: what a person and a machine read.

use crate::cli::{Folder, RECORDED, removal};

/// A change of two files of the model, and one that it does not know.
fn change() -> String {
    [removal("src/pkg/a.py", 6), removal("src/pkg/b.py", 3), removal("docs/notes.md", 2)].concat()
}

fn text(args: &[&str], diff: &str) -> String {
    let folder = Folder::with_model(RECORDED);
    let ran = folder.run(&[&["explain", "--no-tree"], args].concat(), diff);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    ran.stdout
}

#[test]
fn a_choice_is_told() {
    insta::assert_snapshot!(text(&["-t", "2.6"], &change()), @r"
    The change: 3 files
      a  33 %  src/pkg/a.py, line 6  2 tests run it
      b  33 %  src/pkg/b.py, line 3  1 test runs it
      c  33 %  docs/notes.md         no test is known

    Chosen: 2 of 5 tests, 2.5 s of 2.6 s; 88 % of what any choice could reach in 2.6 s; recorded model; 1 file unmapped
      If this change broke something a test can see, the chance that one of these fails is 83 %.

           cost   total  adds  for  likeness  test
      1  0.50 s  0.50 s  22 %  a    name      tests/test_a.py::test_one
      2   2.0 s   2.5 s  33 %  b    name      tests/test_b.py::test_three[x y]

    Still at risk: 44 %, of which no test could catch 33 %
      33 %  c  docs/notes.md         no test could catch it
      11 %  a  src/pkg/a.py, line 6

    Nobody covers:
      33 %  docs/notes.md  the model does not know it

    One more second would add 11 %: tests/test_a.py::test_two
    ");
}

#[test]
fn single_tests_are_told() {
    insta::assert_snapshot!(text(&["-t", "1", "test_one", "three", "test_four"], &change()), @r"
    The change: 3 files
      a  33 %  src/pkg/a.py, line 6  2 tests run it
      b  33 %  src/pkg/b.py, line 3  1 test runs it
      c  33 %  docs/notes.md         no test is known

    Chosen: 1 of 5 tests, 0.50 s of 1.0 s; 74 % of what any choice could reach in 1.0 s; recorded model; 1 file unmapped

    tests/test_a.py::test_one
      costs     0.50 s
      chosen    yes, as number 1 of 1
      alone     would catch 22 %, for a
      adds      22 % when it was chosen
      likeness  name

    tests/test_b.py::test_three[x y]
      costs     2.0 s
      chosen    no, not for 1.0 s
      alone     would catch 33 %, for b
      adds      33 % to what is chosen
      likeness  name
      enters    at a budget of about 2.5 s

    tests/test_b.py::test_four
      costs   8.0 s
      chosen  no: it runs no file that changed, and it has no words in common with the change
    ");
    insta::assert_snapshot!(text(&["-t", "1", "test_two"], &removal("src/pkg/a.py", 6)), @r"
    The change: 1 file
      a  100 %  src/pkg/a.py, line 6  2 tests run it

    Chosen: 1 of 5 tests, 0.50 s of 1.0 s; 74 % of what any choice could reach in 1.0 s; recorded model

    tests/test_a.py::test_two
      costs       1.0 s
      chosen      no, not for 1.0 s
      alone       would catch 67 %, for a
      adds        33 % to what is chosen
      likeness    name
      covered by   51 %  tests/test_a.py::test_one
      enters      at a budget of 1.5 s
    ");
}

#[test]
fn where_there_is_nothing_to_tell_it_says_why() {
    insta::assert_snapshot!(text(&["-t", "2"], ""), @"nothing to select: empty diff; `git diff` leaves out staged and untracked files (try `git diff HEAD`), and a git that failed prints nothing either");
    insta::assert_snapshot!(text(&["-t", "2"], &removal("docs/notes.md", 2)), @r"
    The change: 1 file
      a  100 %  docs/notes.md  no test is known

    Chosen: nothing; the model does not know 1 changed file; run the whole suite (exit 2); 1 file unmapped

    Still at risk: 100 %, which no test could catch
      100 %  a  docs/notes.md  no test could catch it

    Nobody covers:
      100 %  docs/notes.md  the model does not know it
    ");
    insta::assert_snapshot!(text(&["-t", "0.1"], &removal("src/pkg/a.py", 6)), @r"
    The change: 1 file
      a  100 %  src/pkg/a.py, line 6  2 tests run it

    Chosen: nothing; of 2 tests for this change none fits 0.10 s; the smallest useful budget is -t 0.5

    Still at risk: 100 %
      100 %  a  src/pkg/a.py, line 6

    One more second would add 67 %: tests/test_a.py::test_one
    ");
}

#[test]
fn machines_read_the_same() {
    let folder = Folder::with_model(RECORDED);
    let explain = |args: &[&str], diff: &str| folder.json(&[&["explain", "--no-tree"], args].concat(), diff);
    let (code, whole) = explain(&["-t", "2.6"], &change());
    let (_, selected) = folder.json(&["select", "--no-tree", "-t", "2.6"], &change());
    assert_eq!(code, 0);
    for field in ["status", "tests", "utility", "confidence", "certificate", "residual_risk", "unmapped"] {
        assert_eq!(whole["selection"][field], selected[field], "{field}");
    }
    let why: Vec<&str> = whole["why"].as_array().unwrap().iter().map(|why| why["id"].as_str().unwrap()).collect();
    assert_eq!(why, ["tests/test_a.py::test_one", "tests/test_b.py::test_three[x y]"]);
    let risk: f64 = whole["parts"].as_array().unwrap().iter().map(|part| part["risk"].as_f64().unwrap()).sum();
    assert!((risk - selected["residual_risk"].as_f64().unwrap()).abs() < 1e-6);
    assert_eq!((whole["parts"][2]["kind"].as_str(), whole["selections"].as_u64()), (Some("unmapped"), Some(2)));
    let (_, one) = explain(&["-t", "1", "test_two"], &removal("src/pkg/a.py", 6));
    let answer = &one["tests"][0];
    assert_eq!((answer["enters"].as_str(), answer["enters_at_s"].as_f64()), (Some("at"), Some(1.5)));
    assert_eq!((answer["is_verified"].as_bool(), answer["rank"].as_u64()), (Some(true), None));
    assert_eq!(answer["covered_by"][0][0], "tests/test_a.py::test_one");
    assert!(one["more"].is_null());
    let (code, nothing) = explain(&["-t", "1"], "");
    assert_eq!((code, nothing["selection"]["status"].as_str()), (0, Some("empty_diff")));
}

/// An explanation is a report: whatever it tells, the command did what it was asked.
#[test]
fn only_a_wrong_question_is_a_failure() {
    let folder = Folder::with_model(RECORDED);
    let diff = removal("src/pkg/a.py", 6);
    for (test, want) in [
        (
            "test_a.py",
            "`test_a.py` is in the ids of several tests, tests/test_a.py::test_one, tests/test_a.py::test_two; name one",
        ),
        ("test_six", "`test_six` is in no id of the model's tests"),
    ] {
        let ran = folder.run(&["explain", "-t", "1", test], &diff);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""));
        assert!(ran.stderr.contains(want), "{}", ran.stderr);
    }
    let ran = Folder::new().run(&["explain", "-t", "1", "--no-build"], &diff);
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    let ran = Folder::new().run(&["explain", "-t", "1"], "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("nothing to select: empty diff"), "{}", ran.stdout);
    // The tree has none of the tests.
    let ran = folder.run(&["explain", "-t", "1", "test_one"], &diff);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("no: the tree no longer has it"), "{}", ran.stdout);
}

/// What failed before is told as that; what ran is no choice, and counts.
#[test]
fn what_ran_before_is_told() {
    let folder = Folder::with_model(RECORDED);
    folder.write("failed", "tests/test_new.py::test_six\ntests/test_b.py::test_five\n");
    folder.write("ran", "tests/test_a.py::test_one\n");
    let args = ["explain", "--no-tree", "-t", "5", "--last-failed", "failed", "--exclude", "ran"];
    insta::assert_snapshot!(folder.run(&args, change()).stdout, @r"
    The change: 3 files
      a  33 %  src/pkg/a.py, line 6  2 tests run it
      b  33 %  src/pkg/b.py, line 3  1 test runs it
      c  33 %  docs/notes.md         no test is known

    Chosen: 4 of 5 tests, 4.1 s of 5.0 s; 100 % of what any choice could reach in 5.0 s; recorded model; 2 failed before; 1 test excluded; 1 file unmapped; costs of 1 of 4 tests are guessed
      If this change broke something a test can see, the chance that one of these fails is 100 %.

           cost  total  adds  for            likeness  test
      1   1.0 s  1.0 s     -  failed before            tests/test_new.py::test_six
      2  0.10 s  1.1 s     -  failed before  name      tests/test_b.py::test_five
      3   2.0 s  3.1 s  33 %  b              name      tests/test_b.py::test_three[x y]
      4   1.0 s  4.1 s  11 %  a              name      tests/test_a.py::test_two

    Still at risk: 33 %, which no test could catch
      33 %  c  docs/notes.md  no test could catch it

    Nobody covers:
      33 %  docs/notes.md  the model does not know it

    One more second would add nothing.
    ");
    insta::assert_snapshot!(folder.run(&[&args[..], &["test_one"]].concat(), change()).stdout, @r"
    The change: 3 files
      a  33 %  src/pkg/a.py, line 6  2 tests run it
      b  33 %  src/pkg/b.py, line 3  1 test runs it
      c  33 %  docs/notes.md         no test is known

    Chosen: 4 of 5 tests, 4.1 s of 5.0 s; 100 % of what any choice could reach in 5.0 s; recorded model; 2 failed before; 1 test excluded; 1 file unmapped; costs of 1 of 4 tests are guessed

    tests/test_a.py::test_one
      costs       0.50 s
      chosen      no: it ran already
      alone       would catch 22 %, for a
      adds        0 % to what is chosen
      likeness    name
      covered by   51 %  tests/test_a.py::test_two
    ");
}
