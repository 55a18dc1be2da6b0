//! What a query touches of a model: pages in proportion to the files that changed, whatever the size of the suite.
//!
//! What is touched is checked when it is touched. So a page is one that a query needs exactly if the query is refused when all
//! of the page is damaged: pages are counted without asking the system, which maps more than what is touched.

use std::fmt::Write as _;

use covopt::build::build;
use covopt::change::{Change, Mapping};
use covopt::choose::{Terms, choose};
use covopt::diff;
use covopt::model::Index;
use covopt::observation::{LineRange, Observations};
use covopt::optimize::Options;
use covopt::relevance::{Query, Relevance};
use rkyv::util::AlignedVec;

const PAGE: usize = 4096;
/// Tests that run a line of a file, about.
const RUN_BY: usize = 12;

/// A suite of so many tests, each of which runs lines of two files.
fn suite(tests: usize) -> AlignedVec<64> {
    let mut seen = Observations::default();
    let files = tests / RUN_BY;
    for at in 0..tests {
        let group = at / RUN_BY;
        let test = seen.test(&format!("tests/unit/group_{group:05}/test_module.py::TestCase::test_number_{at:06}"));
        for file in [group, (group * 7919 + at) % files] {
            let key = seen.file(&format!("src/package/part_{file:05}/module.py"));
            let first = 1 + (at % 5) as u32 * 10;
            seen.cover(test, key, &[LineRange { first, last: first + 8 }].into_iter().collect());
        }
    }
    build(&seen, None, |_| None)
}

/// Changes one line of each of so many files, which lie apart.
fn diff_of(files: usize, of: usize) -> String {
    let mut text = String::new();
    for at in 0..files {
        let path = format!("src/package/part_{:05}/module.py", at * (of / files) + 3);
        write!(text, "--- a/{path}\n+++ b/{path}\n@@ -3 +3 @@\n-old\n+new\n").unwrap();
    }
    text
}

/// How many tests are chosen, if the model answers.
fn chosen(model: &[u8], diff: &str) -> Option<usize> {
    let index = Index::open(model).ok()?;
    let diff = diff::parse(diff.as_bytes()).unwrap();
    let change = Change::read(&index, &diff, Mapping::default()).ok()?;
    let relevance = Relevance::score(&index, &Query::of(&diff, &change)).ok()?;
    let terms = Terms { options: Options { budget_us: Some(10_000_000), ..Options::default() }, ..Terms::default() };
    let choice = choose(&index, &change, &relevance, &terms, &mut |id| Ok(Some(id.to_owned()))).ok()?;
    Some(choice.named.len())
}

/// How many pages of a model a selection needs.
fn pages(model: &AlignedVec<64>, diff: &str) -> usize {
    let want = chosen(model, diff).expect("the whole model answers");
    assert!(want >= RUN_BY / 5, "{want} tests");
    let mut model = model.clone();
    let mut touched = 0;
    for start in (0..model.len()).step_by(PAGE) {
        let end = model.len().min(start + PAGE);
        model[start..end].iter_mut().for_each(|byte| *byte ^= 0xa5);
        let found = chosen(&model, diff);
        assert!(found.is_none_or(|found| found == want), "damage changes no answer");
        touched += usize::from(found.is_none());
        model[start..end].iter_mut().for_each(|byte| *byte ^= 0xa5);
    }
    touched
}

#[test]
fn a_small_diff_touches_pages_by_its_files_and_not_by_the_suite() {
    let (small, large) = (suite(2_400), suite(9_600));
    let (one, eight) = (diff_of(1, 160), diff_of(8, 160));
    let (of_one, of_eight, of_all) = (pages(&large, &one), pages(&large, &eight), large.len() / PAGE);
    assert!(of_one <= 32, "{of_one} pages for one file");
    assert!(of_eight <= of_one + 7 * 24, "{of_eight} pages for eight files, {of_one} for one");
    assert!(of_eight > of_one, "{of_eight} pages for eight files, {of_one} for one");
    let in_small = pages(&small, &one);
    assert!(of_one <= in_small + 12, "{in_small} pages of a suite, {of_one} of one that is four times as large");
    assert!(of_one * 4 < of_all, "{of_one} of {of_all} pages");
}
