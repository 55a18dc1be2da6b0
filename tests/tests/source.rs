//! Models from the source alone, with the real git and pytest: the first select in a tree where nothing was recorded, and
//! the tests that a diff adds.

use std::{collections::BTreeSet, fs};

use covopt::id::TestId;
use covopt::model::Index;

use crate::shop::{Shop, recorded_cases};

const XARGS_COMMAND_FAILED: i32 = 123;
const SELECT: &str = "git diff | covopt select -t 2";

/// A shop in which nothing was recorded.
fn unrecorded() -> Shop {
    let shop = Shop::recorded();
    shop.sh("rm -f .coverage junit.xml").expect_code(0);
    shop
}

fn break_it(shop: &Shop) {
    shop.edit("shop/discounts.py", "quantity >= pieces", "quantity > pieces");
}

/// The ids of the model at the root.
fn ids(shop: &Shop) -> BTreeSet<String> {
    let bytes = fs::read(shop.path().join(".covopt")).unwrap();
    let index = Index::open(bytes).unwrap();
    (0..index.root().tests).map(|test| index.test_name(TestId(test)).unwrap()).collect()
}

/// The recorded ids without parameters.
fn functions() -> BTreeSet<String> {
    recorded_cases().keys().map(|id| id.split('[').next().unwrap().to_owned()).collect()
}

#[test]
fn the_source_has_the_tests_that_pytest_collects() {
    let shop = unrecorded();
    let built = shop.sh("covopt build").expect_code(0);
    assert!(built.stderr.contains("the source of"), "{}", built.stderr);
    assert_eq!(ids(&shop), functions());
}

#[test]
fn the_first_select_catches_a_defect_where_nothing_was_recorded() {
    let shop = unrecorded();
    break_it(&shop);
    shop.sh("git diff | covopt select -t 2 | xargs -r pytest").expect_code(XARGS_COMMAND_FAILED);
    let report = shop.report().expect("pytest ran");
    assert!(report.values().any(|case| case.failed), "{report:?}");
    let ran: BTreeSet<&str> = report.keys().map(|id| id.split('[').next().unwrap()).collect();
    let selected = shop.sh(SELECT).expect_code(0);
    assert_eq!(ran, selected.stdout.lines().collect(), "pytest ran what was selected");
    assert!(ran.len() < functions().len() / 2, "{ran:?}");
    assert!(selected.stderr.contains("source model"), "{}", selected.stderr);
}

#[test]
fn a_recording_and_the_source_are_one_model() {
    let shop = Shop::recorded();
    shop.edit(
        "tests/unit/test_stock.py",
        "def test_running_low",
        "def test_never_recorded(): pass\n\n\ndef test_running_low",
    );
    shop.sh("covopt build").expect_code(0);
    let mut want: BTreeSet<String> = recorded_cases().keys().cloned().collect();
    want.insert("tests/unit/test_stock.py::test_never_recorded".to_owned());
    assert_eq!(ids(&shop), want, "variants stay what they are, and what was never recorded joins them");
}

#[test]
fn the_tests_that_a_diff_adds_come_first() {
    for shop in [Shop::with_model(), unrecorded()] {
        shop.sh("[ -f .covopt ] || covopt build").expect_code(0);
        break_it(&shop);
        let was = "def test_running_low";
        shop.edit("tests/unit/test_stock.py", was, &format!("def test_new():\n    assert 1 == 2\n\n\n{was}"));
        fs::write(shop.path().join("tests/unit/test_fresh.py"), "class TestA:\n    def test_b(self):\n        pass\n")
            .unwrap();
        fs::write(shop.path().join("tests/unit/helpers.py"), "def test_no():\n    pass\n").unwrap();
        shop.sh("git add -N .").expect_code(0);
        let selected = shop.sh(SELECT).expect_code(0);
        let first: BTreeSet<&str> = selected.stdout.lines().take(2).collect();
        let want = ["tests/unit/test_fresh.py::TestA::test_b", "tests/unit/test_stock.py::test_new"];
        assert_eq!(first, want.into(), "{}", selected.stderr);
        assert!(selected.stdout.lines().count() > 2, "and what the model knows");
        assert!(selected.stderr.contains("2 new in the diff"), "{}", selected.stderr);
        assert!(!selected.stderr.contains("does not know"), "{}", selected.stderr);
        let impacted = shop.sh("git diff | covopt impacted -0 --threshold 1").expect_code(0).nul_terminated();
        assert!(want.iter().all(|id| impacted.iter().any(|it| it == id)), "{impacted:?}");
        shop.sh(&format!("{SELECT} -0 | xargs -0 -r pytest")).expect_code(XARGS_COMMAND_FAILED);
        let report = shop.report().expect("pytest ran");
        assert!(report["tests/unit/test_stock.py::test_new"].failed);
        assert!(!report["tests/unit/test_fresh.py::TestA::test_b"].failed);
    }
}

#[test]
fn what_is_excluded_is_not_new_again() {
    let shop = unrecorded();
    shop.sh("covopt build").expect_code(0);
    fs::write(shop.path().join("tests/unit/test_fresh.py"), "def test_b():\n    pass\n").unwrap();
    shop.sh("git add -N . && git diff | covopt select -t 2 > ../ran").expect_code(0);
    let again = shop.sh("git diff | covopt select -t 2 --exclude ../ran").expect_code(0);
    assert!(!again.stdout.contains("test_fresh"), "{}", again.stdout);
}
