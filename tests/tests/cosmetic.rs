//! Edits that change nothing that runs, with the real git.

use crate::shop::Shop;

const SELECT: &str = "git diff | covopt select -t 2 --no-last-failed";
const FILE: &str = "shop/discounts.py";

#[test]
fn comments_docstrings_and_formatting_weigh_nothing() {
    let shop = Shop::with_model();
    shop.edit(FILE, "The percentage for a number of pieces of one product.", "How much off, in percent.");
    shop.edit(
        FILE,
        "            if quantity >= pieces:\n",
        "            # A tier.\n            if quantity >= pieces:\n",
    );
    let selected = shop.sh(SELECT).expect_code(0);
    assert_eq!(selected.stdout, "", "{}", selected.stderr);
    assert!(selected.stderr.contains("the diff changes no line that a test could see"), "{}", selected.stderr);
    let said = shop.sh("git diff | covopt changes").expect_code(0).stdout;
    assert!(said.contains("  cosmetic") && said.contains("0 regions"), "{said}");
    for all in [SELECT, "git diff | covopt changes"] {
        let said = shop.sh(&format!("{all} --no-cosmetic-filter")).expect_code(0).stdout;
        assert!(said.contains("TestBulkDiscount") || said.contains("BulkDiscount.percent"), "{said}");
    }
    // Beside a change that counts, only that counts.
    let before = shop.sh("git diff | covopt changes --no-cosmetic-filter").expect_code(0).stdout;
    shop.edit(FILE, "class UnknownVoucher(ValueError)", "class UnknownVoucher(KeyError)");
    let said = shop.sh("git diff -U0 | covopt changes").expect_code(0).stdout;
    assert!(!said.contains("BulkDiscount") && before.contains("BulkDiscount"), "{said}");
}

#[test]
fn an_indent_that_means_something_counts() {
    let shop = Shop::with_model();
    shop.edit(FILE, "        return 0\n", "            return 0\n");
    let selected = shop.sh(SELECT).expect_code(0);
    assert!(selected.stdout.contains("TestBulkDiscount"), "{}", selected.stderr);
}

#[test]
fn a_file_that_moved_counts_whatever_it_says() {
    let shop = Shop::with_model();
    shop.sh("git mv shop/discounts.py shop/offers.py").expect_code(0);
    shop.edit("shop/offers.py", "The percentage for a number", "How much off for a number");
    let said = shop.sh("git diff HEAD -M | covopt changes").expect_code(0).stdout;
    assert!(!said.contains("cosmetic") && said.contains("BulkDiscount"), "{said}");
}
