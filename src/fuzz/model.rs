//! Models that the fuzzer wrote: no bytes make a reader panic or work without bound, and damage never changes a
//! selection.

use std::sync::OnceLock;

use rkyv::util::AlignedVec;

use super::sample::{SAMPLE_DIFF, sample, sample_content};
use crate::build::{Sources, build};
use crate::candidate::gather;
use crate::change::{Change, Mapping};
use crate::choose::{Terms, choose};
use crate::clock::Clock;
use crate::diff;
use crate::explain::{SELECTIONS_MOST, Subject, explain};
use crate::id::{FeatureId, FileId, TestId};
use crate::model::seal::seal;
use crate::model::{Index, PostingList};
use crate::observation::{Observations, Session};
use crate::optimize::{Options, select};
use crate::relevance::{Query, Relevance};

/// Longer input says nothing new, and what a crafted file unfolds to grows with the square of its length.
const BYTES_MOST: usize = 1 << 16;
/// Positions past the end that are asked for as well.
const BEYOND: u32 = 2;

/// Opens the bytes, as they are and with all checksums made right, and calls every accessor.
///
/// # Panics
/// When an answer breaks a rule that the accessor states.
pub fn model(data: &[u8]) {
    let mut bytes: AlignedVec<64> = AlignedVec::with_capacity(data.len());
    bytes.extend_from_slice(&data[..data.len().min(BYTES_MOST)]);
    open(&bytes);
    seal(&mut bytes);
    open(&bytes);
}

fn open(bytes: &[u8]) {
    let Ok(index) = Index::open(bytes) else { return };
    let _ = index.verify(|_, _| ());
    let mut sources = Sources::new(Observations::default());
    if sources.join(&index).is_ok() {
        let _ = sources.into_bytes(None, |_| None);
    }
    if let Ok(sessions) = index.sessions() {
        assert!(sessions.iter().all(Session::is_sound));
        let _ = Clock::learn(&sessions);
    }
    ask_names(&index);
    for file in (0..index.root().files.saturating_add(BEYOND)).map(FileId) {
        ask_file(&index, file);
    }
    for feature in (0..index.root().features.saturating_add(BEYOND)).map(FeatureId) {
        if let Ok(feature) = index.feature(feature) {
            assert!(feature.weight.is_finite() && feature.weight >= 0.0);
            ask_list(feature.list, index.root().tests);
        }
    }
    let _ = (index.failures(), chosen(&index));
    explained(&index);
}

/// Explains a choice for [`SAMPLE_DIFF`], and its first test.
fn explained(index: &Index<&[u8]>) -> Option<()> {
    let diff = diff::parse(SAMPLE_DIFF).expect("the sample's diff is well formed");
    let change = Change::read(index, &diff, Mapping::default()).ok()?;
    let relevance = Relevance::score(index, &Query::of(&diff, &change)).ok()?;
    let terms = Terms { options: Options { budget_us: Some(10_000), ..Options::default() }, ..Terms::default() };
    let choice = choose(index, &change, &relevance, &terms, &mut |id| Ok(Some(id.to_owned()))).ok()?;
    let subject = Subject { index, change: &change, relevance: &relevance, terms: &terms, choice: &choice };
    for tests in [&[][..], &[TestId(0)], &[TestId(BEYOND)]] {
        let Ok(found) = explain(subject, tests) else { continue };
        assert!(found.selections <= SELECTIONS_MOST);
        assert!(found.parts.iter().all(|part| part.unreachable <= part.risk && part.risk <= part.weight));
    }
    Some(())
}

fn ask_names(index: &Index<&[u8]>) {
    let root = index.root();
    for test in (0..root.tests.saturating_add(BEYOND)).map(TestId) {
        let _ = (index.cost_us(test), index.test_record(test));
        if let Ok(name) = index.test_name(test) {
            let _ = index.find_test(&name);
        }
    }
    for file in (0..root.files.saturating_add(BEYOND)).map(FileId) {
        if let Ok(path) = index.path(file) {
            let tail = path.split_once('/').map_or("", |(_, tail)| tail);
            let _ = (index.find_file(&path), index.match_path(tail), index.match_path(&format!("a/{path}")));
        }
    }
    (0..root.families.saturating_add(BEYOND)).for_each(|family| drop(index.family_name(family)));
    (0..root.commits.saturating_add(BEYOND)).for_each(|commit| drop(index.commit(commit)));
    let _ = (index.features_within("", 8), index.features_within("pkg", 8));
}

fn ask_file(index: &Index<&[u8]>, file: FileId) {
    if let Ok(anchors) = index.anchors(file) {
        let lines: Vec<u16> = anchors.iter().collect();
        assert_eq!(lines.len(), anchors.len());
        assert!((0u32..).zip(&lines).all(|(at, &anchor)| anchors.line(at + 1) == Some(anchor)));
    }
    let Ok(view) = index.file(file) else { return };
    let tests = index.root().tests;
    for block in (0u32..).take(view.block_count() + 1) {
        view.block(block).into_iter().for_each(|list| ask_list(list, tests));
    }
    view.touching().into_iter().chain(view.defines()).for_each(|list| ask_list(list, tests));
    let runs: Vec<_> = (0..view.run_count()).filter_map(|at| view.run(at)).collect();
    assert!(runs.is_sorted_by(|a, b| a.last < b.first), "runs ascend");
    for line in runs.iter().flat_map(|run| [run.first, run.last, run.last.saturating_add(1)]) {
        assert_eq!(view.run_at(line), runs.iter().find(|run| run.first <= line && line <= run.last).copied());
        let _ = (view.imported_at(line), view.symbol_at(line));
    }
    let _ = (view.stamp(), view.imported().count(), view.symbols().map(|symbol| symbol.name().len()).sum::<usize>());
}

fn ask_list(list: PostingList<'_>, tests: u32) {
    if let Ok(postings) = list.to_vec() {
        assert_eq!(postings.len(), list.count() as usize);
        assert!(postings.is_sorted_by(|a, b| a.test < b.test));
        assert!(postings.iter().all(|posting| posting.test.0 < tests && posting.signal > 0));
    }
}

/// What is selected for [`SAMPLE_DIFF`], or `None` where a part of the model is damaged.
fn chosen(index: &Index<&[u8]>) -> Option<Vec<(TestId, u64)>> {
    let diff = diff::parse(SAMPLE_DIFF).expect("the sample's diff is well formed");
    let change = Change::read(index, &diff, Mapping::default()).ok()?;
    let relevance = Relevance::score(index, &Query::of(&diff, &change)).ok()?;
    let candidates = gather(index, &change, &relevance).ok()?;
    let selection = select(&candidates.instance, &Options::default());
    Some(selection.picks.iter().map(|pick| (candidates.tests[pick.candidate as usize], pick.gain)).collect())
}

/// Damages a good model (each five bytes: where, and what to flip there) and selects from it: the same tests, or none.
///
/// # Panics
/// When damage changes a selection.
pub fn select_flipped(data: &[u8]) {
    static GOOD: OnceLock<(AlignedVec<64>, Vec<(TestId, u64)>)> = OnceLock::new();
    let (good, want) = GOOD.get_or_init(|| {
        let bytes = build(&sample(), Some("c0ffee"), sample_content);
        let index = Index::open(&bytes[..]).expect("what was built opens");
        let chosen = chosen(&index).expect("what was built is whole");
        (bytes, chosen)
    });
    let mut flipped = good.clone();
    // Checksums are 32 bits wide: enough flips in one part would pass one for another now and then.
    for flip in data.as_chunks::<5>().0.iter().take(3) {
        let at = u32::from_le_bytes([flip[0], flip[1], flip[2], flip[3]]) as usize % flipped.len();
        flipped[at] ^= flip[4];
    }
    if let Ok(index) = Index::open(&flipped[..])
        && let Some(found) = chosen(&index)
    {
        assert_eq!(&found, want, "damage changed the selection");
    }
}
