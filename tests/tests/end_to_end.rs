//! The main job with the real parts: git, pytest with coverage contexts, `covopt build`, a broken function, and the pipe
//! from `git diff` through `covopt select` and `xargs` into pytest.

use std::{collections::BTreeSet, fs};

use crate::shop::{Cases, Ended, Shop, edit, needs_nul, recorded_cases};

const BUDGET_S: f64 = 2.0;
const SELECT: &str = "git diff | covopt select -t 2 -0";
const SELECT_AND_RUN: &str = "git diff | covopt select -t 2 -0 | xargs -0 -r pytest";

/// A defect: in a file, this text, which occurs once, becomes that.
type Defect = (&'static str, &'static str, &'static str);

/// Discounts start a piece too late. Slow and fast tests run the line, five fast ones notice.
const LATE_DISCOUNT: Defect = ("shop/discounts.py", "quantity >= pieces", "quantity > pieces");
/// A backslash in a quoted name is no escape any more. Nearly all tests that run the line have odd ids.
const LOST_ESCAPE: Defect = (
    "shop/parsing.py",
    "        elif letter == ESCAPE:\n            escaped = True",
    "        elif letter == COMMENT:\n            escaped = True",
);

fn break_it(shop: &Shop, (file, old, new): Defect) {
    shop.edit(file, old, new);
}

/// xargs gives 123 when a command it ran failed; pytest's 1 (tests failed) is behind that, as its 4 (no such test) is.
const XARGS_COMMAND_FAILED: i32 = 123;

fn failing(report: &Cases) -> BTreeSet<String> {
    report.iter().filter(|(_, case)| case.failed).map(|(id, _)| id.clone()).collect()
}

/// The ids that `script` selects at the root of the work tree; all of them are tests of the suite, none twice.
#[track_caller]
fn select(shop: &Shop, script: &str) -> Vec<String> {
    checked_ids(&shop.sh(script).expect_code(0))
}

#[track_caller]
fn checked_ids(ended: &Ended) -> Vec<String> {
    let ids = ended.nul_terminated();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is selected twice: {ids:?}");
    for id in &ids {
        assert!(recorded_cases().contains_key(id), "selected a test that does not exist: {id:?}");
    }
    ids
}

/// The defect is caught by what fits the budget, and the same tests pass without it.
#[track_caller]
fn assert_caught(defect: Defect) {
    let shop = Shop::with_model();
    let suite_s: f64 = recorded_cases().values().map(|case| case.seconds).sum();
    assert!(suite_s > 2.0 * BUDGET_S, "the suite takes {suite_s} s: a budget of {BUDGET_S} s would prove nothing");
    break_it(&shop, defect);

    let selected = select(&shop, SELECT);
    let cost_s: f64 = selected.iter().map(|id| recorded_cases()[id].seconds).sum();
    assert!(cost_s <= BUDGET_S, "{selected:?} take {cost_s} s");

    let caught = shop.sh(SELECT_AND_RUN).expect_code(XARGS_COMMAND_FAILED);
    let report = shop.report().expect("pytest ran");
    assert!(!failing(&report).is_empty(), "no selected test fails:\n{}\n{}", caught.stdout, caught.stderr);
    assert_eq!(report.keys().collect::<BTreeSet<_>>(), selected.iter().collect(), "pytest ran what was selected");

    fs::write(shop.beside("ids"), selected.join("\0")).expect("keep the selection");
    shop.forget_report();
    shop.sh("git checkout -q . && xargs -0 -r pytest < ../ids").expect_code(0);
    let report = shop.report().expect("pytest ran");
    assert_eq!(report.keys().collect::<BTreeSet<_>>(), selected.iter().collect(), "pytest ran the same selection");
}

#[test]
fn catches_a_wrong_bound() {
    assert_caught(LATE_DISCOUNT);
}

#[test]
fn catches_a_defect_behind_odd_ids() {
    assert_caught(LOST_ESCAPE);
}

/// Four tests run the line, one of them slowly; one notices.
#[test]
fn catches_what_a_single_test_notices() {
    assert_caught(("shop/stock.py", "held - min(pieces, held)", "held - pieces"));
}

/// A line that ran at import time: no test's context holds it.
#[test]
fn catches_a_wrong_constant_at_module_scope() {
    assert_caught(("shop/prices.py", r#""lamp": "standard""#, r#""lamp": "zero""#));
}

#[test]
fn catches_a_wrong_entry_in_a_class_table() {
    assert_caught(("shop/discounts.py", "(10, 5),", "(10, 4),"));
}

/// The decorator is behind nearly every amount of the suite.
#[test]
fn catches_a_defect_in_a_decorator() {
    assert_caught(("shop/money.py", "rounding=ROUND_HALF_UP", "rounding=ROUND_HALF_EVEN"));
}

#[test]
fn the_same_diff_gives_the_same_selection() {
    let shop = Shop::with_model();
    break_it(&shop, LATE_DISCOUNT);
    let first = shop.sh(SELECT).expect_code(0).stdout;
    assert!(!first.is_empty());
    assert_eq!(shop.sh(SELECT).expect_code(0).stdout, first);
}

#[test]
fn odd_ids_come_through_exactly() {
    let shop = Shop::with_model();
    break_it(&shop, LOST_ESCAPE);
    let by_nul: BTreeSet<String> = select(&shop, "git diff | covopt impacted -0").into_iter().collect();
    for variant in ["a b", "it's", r"c\\d", r"tab\there", r"caf\xe9", "$HOME", "-rf"] {
        let id = format!("tests/unit/test_parsing.py::test_quoted_name_comes_back[{variant}]");
        assert!(by_nul.contains(&id), "{id:?} runs the changed line; impacted: {by_nul:?}");
    }

    let by_line = shop.sh("git diff | covopt impacted").expect_code(0);
    assert_eq!(by_line.lines().into_iter().collect::<BTreeSet<_>>(), by_nul);
    let odd = by_nul.iter().filter(|id| needs_nul(id)).count();
    assert_says(&by_line.stderr, &[&odd.to_string(), "-0"]);

    // The shell and xargs hand them on unchanged: pytest knows every one.
    shop.sh("git diff | covopt impacted -0 | xargs -0 -r pytest").expect_code(XARGS_COMMAND_FAILED);
    assert_eq!(shop.report().expect("pytest ran").into_keys().collect::<BTreeSet<_>>(), by_nul);
}

/// In line mode an odd id is printed as it is, and stderr counts what plain xargs would break.
#[test]
fn select_counts_the_ids_that_need_nul() {
    let shop = Shop::with_model();
    break_it(&shop, LOST_ESCAPE);
    let by_line = shop.sh("git diff | covopt select -t 2").expect_code(0);
    assert_eq!(by_line.lines(), select(&shop, SELECT));
    let odd = by_line.lines().iter().filter(|id| needs_nul(id)).count();
    assert!(odd > 0, "nearly all that run the line have odd ids: {}", by_line.stdout);
    assert_says(&by_line.stderr, &[&odd.to_string(), "-0"]);
}

#[test]
fn a_changed_test_file_selects_its_own_tests() {
    let shop = Shop::with_model();
    shop.edit("tests/unit/test_stock.py", r#"["bread", "kettle"]"#, r#"["kettle", "bread"]"#);
    let edited = "tests/unit/test_stock.py::test_running_low".to_owned();
    assert!(select(&shop, SELECT).contains(&edited));

    let impacted: BTreeSet<String> = select(&shop, "git diff | covopt impacted -0").into_iter().collect();
    let own = recorded_cases().keys().filter(|id| id.starts_with("tests/unit/test_stock.py::"));
    assert_eq!(impacted.iter().collect::<BTreeSet<_>>(), own.collect());

    shop.sh(SELECT_AND_RUN).expect_code(XARGS_COMMAND_FAILED);
    assert!(failing(&shop.report().expect("pytest ran")).contains(&edited));
}

#[test]
fn the_first_select_builds_the_model_and_says_so() {
    let shop = Shop::recorded();
    break_it(&shop, LATE_DISCOUNT);
    let first = shop.sh(SELECT).expect_code(0);
    assert!(!checked_ids(&first).is_empty(), "{}", first.stderr);
    assert_says(&first.stderr, &["built", ".covopt"]);
    assert!(shop.path().join(".covopt").is_file());

    shop.sh(SELECT_AND_RUN).expect_code(XARGS_COMMAND_FAILED);
    assert!(!failing(&shop.report().expect("pytest ran")).is_empty());
}

#[test]
fn json_says_whether_the_model_was_just_built() {
    let shop = Shop::recorded();
    break_it(&shop, LATE_DISCOUNT);
    for built_now in [true, false] {
        let answer = json(&shop.sh("git diff | covopt select -t 2 --format json").expect_code(0));
        assert_eq!(answer["built_now"], built_now, "{answer}");
        assert_eq!(answer["budget_s"], BUDGET_S, "{answer}");
        assert!(answer["cost_s"].as_f64().is_some_and(|cost_s| cost_s <= BUDGET_S), "{answer}");
        assert!(answer["tests"].as_array().is_some_and(|tests| !tests.is_empty()), "{answer}");
    }
}

#[test]
fn no_build_means_no_build() {
    let shop = Shop::recorded();
    break_it(&shop, LATE_DISCOUNT);
    for script in ["git diff | covopt select -t 2 --no-build", "git diff | COVOPT_NO_BUILD=1 covopt select -t 2"] {
        let refused = shop.sh(script).expect_code(66);
        assert_eq!(refused.stdout, "", "{script}");
        assert_says(&refused.stderr, &["covopt build"]);
        assert!(!shop.path().join(".covopt").exists(), "{script} left a model");
    }
}

#[test]
fn a_subdirectory_finds_the_model_and_prints_the_same_ids() {
    let shop = Shop::with_model();
    break_it(&shop, LATE_DISCOUNT);
    let at_the_root = select(&shop, SELECT);
    let below = shop.sh_in(&shop.path().join("tests/unit"), SELECT).expect_code(0);
    assert_eq!(checked_ids(&below), at_the_root);
    assert!(!shop.path().join("tests/unit/.covopt").exists());
}

#[test]
fn a_linked_worktree_finds_the_main_model() {
    let shop = Shop::with_model();
    shop.sh("git worktree add -q ../linked").expect_code(0);
    let linked = shop.beside("linked");
    let (file, old, new) = LATE_DISCOUNT;
    edit(&linked.join(file), old, new);

    let ids = checked_ids(&shop.sh_in(&linked, SELECT).expect_code(0));
    assert!(!linked.join(".covopt").exists(), "the main work tree's model was there");
    assert!(!ids.is_empty());
    shop.sh_in(&linked, SELECT_AND_RUN).expect_code(XARGS_COMMAND_FAILED);
    assert!(!failing(&shop.report().expect("pytest ran")).is_empty());

    break_it(&shop, LATE_DISCOUNT);
    assert_eq!(ids, select(&shop, SELECT), "the same change in the main work tree");
}

#[test]
fn an_empty_diff_selects_nothing_and_hints() {
    let shop = Shop::with_model();
    let empty = shop.sh("git diff | covopt select -t 2").expect_code(0);
    assert_eq!(empty.stdout, "");
    assert_says(&empty.stderr, &["git diff", "staged"]);

    let answer = json(&shop.sh("git diff | covopt select -t 2 --format json").expect_code(0));
    assert_eq!(answer["status"], "empty_diff");
    let strict = shop.sh("git diff | covopt select -t 2 --empty-diff fail").expect_code(2);
    assert_eq!(strict.stdout, "");

    shop.sh(SELECT_AND_RUN).expect_code(0);
    assert!(shop.report().is_none(), "`xargs -r` ran pytest on nothing");
}

/// One id that the tree no longer has, and pytest runs none of the others.
#[test]
fn a_deleted_test_is_not_printed() {
    let shop = Shop::with_model();
    break_it(&shop, LATE_DISCOUNT);
    delete_a_test(&shop);
    let deleted = "tests/unit/test_discounts.py::TestBulkDiscount::test_amount_rounds_half_up";
    assert_not_offered(&shop, |id| id == deleted);
}

/// The diff does not speak of the deletion: the model is older than the commit the diff starts from.
#[test]
fn a_test_deleted_since_the_model_was_built_is_not_printed() {
    let shop = Shop::with_model();
    delete_a_test(&shop);
    shop.sh("git commit -q -a -m 'One test less'").expect_code(0);
    break_it(&shop, LATE_DISCOUNT);
    let deleted = "tests/unit/test_discounts.py::TestBulkDiscount::test_amount_rounds_half_up";
    assert_not_offered(&shop, |id| id == deleted);
}

#[test]
fn the_tests_of_a_removed_file_are_not_printed() {
    let shop = Shop::with_model();
    break_it(&shop, ("shop/stock.py", "pieces > available", "pieces >= available"));
    shop.sh("rm tests/unit/test_stock.py").expect_code(0);
    let removed = |id: &str| id.starts_with("tests/unit/test_stock.py::");
    let ids = select(&shop, SELECT);
    assert!(!ids.is_empty() && !ids.iter().any(|id| removed(id)), "{ids:?}");

    shop.sh("git add -A tests && git commit -q -m 'No stock tests' tests").expect_code(0);
    let ids = select(&shop, SELECT);
    assert!(!ids.is_empty() && !ids.iter().any(|id| removed(id)), "{ids:?}");
    shop.sh(SELECT_AND_RUN).expect_code(0);
    assert!(shop.report().is_some_and(|report| !report.is_empty()));
}

fn delete_a_test(shop: &Shop) {
    let test = "    def test_amount_rounds_half_up(self):\n        assert BulkDiscount().amount(10, 30) == 2\n\n\n";
    shop.edit("tests/unit/test_discounts.py", test, "");
}

/// No such id is printed, by `select` or `impacted`, and pytest runs what is.
#[track_caller]
fn assert_not_offered(shop: &Shop, gone: impl Fn(&str) -> bool) {
    for script in [SELECT, "git diff | covopt impacted -0"] {
        let ids = select(shop, script);
        assert!(!ids.is_empty(), "{script}");
        assert!(!ids.iter().any(|id| gone(id)), "{script}: {ids:?}");
    }
    shop.sh(SELECT_AND_RUN).expect_code(XARGS_COMMAND_FAILED);
    assert!(!failing(&shop.report().expect("pytest ran")).is_empty(), "the defect is still caught");
}

#[track_caller]
fn assert_says(stderr: &str, parts: &[&str]) {
    for part in parts {
        assert!(stderr.contains(part), "stderr does not say {part:?}:\n{stderr}");
    }
}

#[track_caller]
fn json(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.stdout).expect("stdout is one JSON object")
}

/// The explanation names the line that is broken, and the tests that are about to fail.
#[test]
fn the_choice_for_a_defect_is_explained() {
    let shop = Shop::with_model();
    break_it(&shop, LATE_DISCOUNT);
    let selected = select(&shop, SELECT);
    let text = shop.sh("git diff | covopt explain -t 2").expect_code(0).stdout;
    assert!(text.contains("shop/discounts.py, line 25 of BulkDiscount.percent  21 tests run it"), "{text}");
    let rows = text.lines().skip_while(|line| !line.ends_with("  test")).skip(1).take_while(|line| !line.is_empty());
    let rows: Vec<&str> = rows.collect();
    assert_eq!(rows.len(), selected.len(), "{text}");
    assert!(rows.iter().zip(&selected).all(|(row, id)| row.ends_with(id.as_str())), "{selected:?}\n{text}");
}
