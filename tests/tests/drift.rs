//! Diffs that start from another state than the model describes, with the real git and pytest.

use std::{collections::BTreeSet, fs};

use crate::shop::Shop;

const XARGS_COMMAND_FAILED: i32 = 123;
const SELECT: &str = "git diff | covopt select -t 2 --no-last-failed";
const FILE: &str = "shop/discounts.py";

/// A shop with a model, and then commits that move the lines of a file by some fifty, change others and add a function.
fn moved_on() -> Shop {
    let shop = Shop::with_model();
    let path = shop.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    let helpers: String = (0..12).map(|at| format!("def helper_{at}(x):\n    return x + {at}\n\n\n")).collect();
    let text = text.replace("class UnknownVoucher", &format!("{helpers}class UnknownVoucher"));
    let text = text.replace("The percentage for a number of pieces of one product.", "How much off, in percent.");
    fs::write(&path, text).unwrap();
    shop.sh("git commit -q -a -m 'Helpers'").expect_code(0);
    shop
}

fn break_it(shop: &Shop) {
    shop.edit(FILE, "quantity >= pieces", "quantity > pieces");
}

#[test]
fn a_selection_is_that_of_a_model_of_the_same_state() {
    let fresh = Shop::with_model();
    break_it(&fresh);
    let want = fresh.sh(SELECT).expect_code(0);
    let shop = moved_on();
    break_it(&shop);
    let got = shop.sh(SELECT).expect_code(0);
    let first = |text: &str| text.lines().take(8).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(first(&got.stdout), first(&want.stdout));
    assert!(got.stderr.contains("the model is of another state: 1 of 1 hunk not as it knows them"), "{}", got.stderr);
    assert!(!want.stderr.contains("another state"), "{}", want.stderr);
    shop.sh(&format!("{SELECT} -0 | xargs -0 -r pytest")).expect_code(XARGS_COMMAND_FAILED);
    assert!(shop.report().expect("pytest ran").values().any(|case| case.failed));
}

#[test]
fn changes_and_explain_say_where_a_hunk_was_found() {
    let shop = moved_on();
    break_it(&shop);
    let said = shop.sh("git diff | covopt changes").expect_code(0).stdout;
    assert!(said.contains("near at line "), "{said}");
    let json = shop.sh("git diff | covopt changes --format json").expect_code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let place = &json["files"][0]["hunks"][0]["place"];
    assert_eq!(place["step"], "near");
    let certainty = place["certainty"].as_f64().unwrap();
    assert!(0.5 < certainty && certainty < 1.0, "{place}");
    let [old, known] = [0, 1].map(|at| place["lines"][0][at].as_u64().unwrap());
    assert_eq!(old - known, 12 * 4, "{place}");
    let explained = shop.sh("git diff | covopt explain -t 2").expect_code(0).stdout;
    assert!(
        explained.contains("Not as the model knows them") && explained.contains("shop/discounts.py, line "),
        "{explained}"
    );
    let json = shop.sh("git diff | covopt select -t 2 --format json").expect_code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["mapping"]["hunks"], &json["mapping"]["near"]), (&1.into(), &1.into()), "{json}");
}

#[test]
fn a_file_that_moved_since_is_found_by_its_lines() {
    let shop = moved_on();
    shop.sh("mkdir shop/offers && git mv shop/discounts.py shop/offers/discounts.py && git commit -q -m Offers")
        .expect_code(0);
    shop.edit("shop/offers/discounts.py", "quantity >= pieces", "quantity > pieces");
    let said = shop.sh("git diff | covopt changes").expect_code(0).stdout;
    assert!(said.contains("known as  shop/discounts.py") && said.contains("BulkDiscount.percent"), "{said}");
    let strict = shop.sh("git diff | covopt changes --strict-paths").expect_code(0).stdout;
    assert!(strict.contains("1 file unmapped"), "{strict}");
}

#[test]
fn a_diff_of_the_state_that_the_model_describes_is_exact() {
    let shop = Shop::with_model();
    break_it(&shop);
    let step = |context: &str| {
        let said = shop.sh(&format!("git diff {context} | covopt changes --format json")).expect_code(0).stdout;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said["files"][0]["hunks"][0]["place"]["step"].clone()
    };
    assert_eq!([step(""), step("-U0"), step("-U20")], ["exact"; 3]);
    // What is only inserted shows no old line at all.
    shop.sh("git checkout -q .").expect_code(0);
    shop.edit(FILE, "        return 0\n", "        pieces = 0\n        return 0\n");
    assert_eq!([step(""), step("-U0")], ["exact".into(), serde_json::Value::Null]);
}

#[test]
fn an_update_with_costs_alone_leaves_the_lines_where_they_were_recorded() {
    let shop = moved_on();
    break_it(&shop);
    let before = shop.sh("git diff | covopt changes --format json").expect_code(0).stdout;
    shop.sh("covopt build --update junit.xml").expect_code(0);
    assert_eq!(shop.sh("git diff | covopt changes --format json").expect_code(0).stdout, before);
}
