//! The recipe of `docs/ci.md`, as printed there, under `bash -e`: what it runs, and that a failing step is never green.

use std::{collections::BTreeSet, fs, path::Path};

use crate::shop::{Ended, Shop, recorded_cases};

const MARKER: &str = "<!-- recipe:";
const SHADOW_MARKER: &str = "<!-- shadow:";
const XARGS_COMMAND_FAILED: i32 = 123;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The first block of bash in `text`.
fn bash_block(text: &str) -> String {
    let (_, block) = text.split_once("```bash\n").expect("there is a bash block");
    let (block, _) = block.split_once("```\n").expect("the block is closed");
    block.to_owned()
}

/// The first code block after a marker.
fn marked(marker: &str) -> String {
    let page = page("docs/ci.md");
    let (_, after) = page.split_once(marker).expect("docs/ci.md marks its recipes");
    bash_block(after)
}

fn recipe() -> String {
    marked(MARKER)
}

#[test]
fn the_readme_shows_the_same_recipe() {
    assert_eq!(bash_block(&page("README.md")), recipe());
}

fn run_recipe(shop: &Shop, base: &str) -> Ended {
    shop.forget_report();
    let script = format!("export COVOPT_NO_BUILD=1 BASE={base}\n{}", recipe());
    shop.shell(&shop.path(), &["bash", "-e", "-c", &script])
}

/// A repository with a model and a branch `topic` that stands on `main`.
fn on_a_topic_branch() -> Shop {
    let shop = Shop::with_model();
    shop.sh("git branch -q -M main && git checkout -q -b topic").expect_code(0);
    shop
}

fn commit(shop: &Shop) {
    shop.sh("git commit -q -a -m 'A change'").expect_code(0);
}

fn ids_that_ran(shop: &Shop) -> BTreeSet<String> {
    shop.report().expect("pytest ran").into_keys().collect()
}

#[test]
fn an_ordinary_change_runs_the_impacted_tests() {
    let shop = on_a_topic_branch();
    shop.edit("shop/stock.py", "held - min(pieces, held)", "max(held - pieces, 0)");
    commit(&shop);
    run_recipe(&shop, "main").expect_code(0);
    let ran = ids_that_ran(&shop);
    assert!(ran.contains("tests/unit/test_stock.py::test_release_gives_back_no_more_than_was_held"), "{ran:?}");
    assert!(ran.len() < recorded_cases().len() / 2, "{ran:?}");
}

#[test]
fn a_defect_fails_the_step() {
    let shop = on_a_topic_branch();
    shop.edit("shop/stock.py", "held - min(pieces, held)", "held - pieces");
    commit(&shop);
    run_recipe(&shop, "main").expect_code(XARGS_COMMAND_FAILED);
    assert!(ids_that_ran(&shop).len() < recorded_cases().len());
}

#[test]
fn an_invalidating_change_runs_everything() {
    let shop = on_a_topic_branch();
    shop.edit("tests/conftest.py", "time.sleep(0.02)", "time.sleep(0.01)");
    commit(&shop);
    let ended = run_recipe(&shop, "main").expect_code(0);
    assert!(ended.stderr.contains("conftest.py"), "stderr names the reason for the full run:\n{}", ended.stderr);
    assert_eq!(ids_that_ran(&shop).len(), recorded_cases().len());
}

#[test]
fn a_failing_git_fails_the_step_and_runs_nothing() {
    let shop = on_a_topic_branch();
    let ended = run_recipe(&shop, "no-such-branch");
    assert!(ended.code.is_some_and(|code| code > 2), "ended with {:?}:\n{}", ended.code, ended.stderr);
    assert!(shop.report().is_none(), "pytest ran:\n{}", ended.stdout);
}

/// The ids of an earlier run lie there; they are not this run's.
#[test]
fn an_unreadable_model_fails_the_step_and_runs_nothing() {
    let shop = on_a_topic_branch();
    shop.edit("shop/stock.py", "held - min(pieces, held)", "max(held - pieces, 0)");
    commit(&shop);
    run_recipe(&shop, "main").expect_code(0);
    fs::write(shop.path().join(".covopt"), "not a model").expect("spoil the model");
    let ended = run_recipe(&shop, "main");
    assert!(ended.code.is_some_and(|code| code >= 64 && code != XARGS_COMMAND_FAILED), "ended with {:?}", ended.code);
    assert!(shop.report().is_none(), "pytest ran:\n{}", ended.stdout);
    assert_eq!(fs::read(shop.path().join("ids")).expect("ids is there"), b"");
}

/// Whichever it is, a failed download must not look like "nothing to run".
#[test]
fn a_missing_model_fails_the_step_or_runs_everything() {
    let shop = on_a_topic_branch();
    fs::remove_file(shop.path().join(".covopt")).expect("remove the model");
    shop.edit("shop/stock.py", "held - min(pieces, held)", "max(held - pieces, 0)");
    commit(&shop);
    let ended = run_recipe(&shop, "main");
    match shop.report() {
        None => assert_eq!(ended.code, Some(66), "nothing ran:\n{}", ended.stderr),
        Some(ran) => assert_eq!(ran.len(), recorded_cases().len(), "a part of the suite ran without a model"),
    }
}

#[test]
fn no_change_runs_nothing() {
    let shop = on_a_topic_branch();
    run_recipe(&shop, "main").expect_code(0);
    assert!(shop.report().is_none(), "pytest ran on an empty change");
}

/// What `docs/ci.md` says about a pipe: git fails, no test runs, and the shell calls it success.
#[test]
fn a_pipe_without_pipefail_hides_a_failing_git() {
    let shop = on_a_topic_branch();
    let pipe = "git diff no-such-branch...HEAD | covopt impacted -0 | xargs -0 -r pytest";
    shop.shell(&shop.path(), &["bash", "-e", "-c", pipe]).expect_code(0);
    assert!(shop.report().is_none());
    let ended = shop.shell(&shop.path(), &["bash", "-e", "-o", "pipefail", "-c", pipe]);
    assert_ne!(ended.code, Some(0), "pipefail shows that git failed");
}

#[test]
fn the_base_of_the_model_is_the_commit_it_was_built_at() {
    let shop = on_a_topic_branch();
    shop.edit("shop/stock.py", "held - min(pieces, held)", "max(held - pieces, 0)");
    commit(&shop);
    let from_base = shop.sh("b=$(covopt base) && git diff \"$b\"").expect_code(0);
    assert_eq!(from_base.stdout, shop.sh("git diff main...HEAD").expect_code(0).stdout);
}

/// The shadow's recipe: the job ends as the suite does, and the run can be replayed.
#[test]
fn a_shadow_leaves_a_past_run_behind() {
    let shop = on_a_topic_branch();
    shop.edit("shop/stock.py", "held - min(pieces, held)", "held - pieces");
    commit(&shop);
    // With pytest's cache, which other tests turn off.
    let script = format!("export COVOPT_NO_BUILD=1 BASE=main PYTEST_ADDOPTS=-q\n{}", marked(SHADOW_MARKER));
    shop.shell(&shop.path(), &["bash", "-e", "-c", &script]).expect_code(1);
    for replay in ["covopt replay --log runs.jsonl", "covopt replay runs.jsonl -t 60"] {
        let ended = shop.sh(&format!("{replay} --format json")).expect_code(0);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("replay prints JSON");
        let caught = &report["budgets"][0]["caught"];
        assert_eq!((caught["hits"].as_u64(), caught["of"].as_u64()), (Some(1), Some(1)), "{replay}: {}", ended.stdout);
    }
}
