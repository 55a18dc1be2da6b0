//! What was recorded of the regions of a change: which tests ran them, and how much of each.

use std::collections::BTreeMap;

use crate::id::{FileId, TestId};
use crate::model::{FileView, Index, LineRun, ModelError};
use crate::observation::LineRange;

/// The files of a change, one at a time: regions are sorted by file, and a record is unpacked as a whole when it is
/// looked up, so that looking it up for every block of a large file would cost the square of its size.
pub(super) struct Views<'a, D> {
    pub(super) index: &'a Index<D>,
    pub(super) last: Option<(FileId, FileView<'a>)>,
}

impl<'a, D: AsRef<[u8]>> Views<'a, D> {
    pub(super) fn file(&mut self, file: FileId) -> Result<&FileView<'a>, ModelError> {
        let last = match self.last.take() {
            Some(last) if last.0 == file => last,
            _ => (file, self.index.file(file)?),
        };
        Ok(&self.last.insert(last).1)
    }
}

/// The line runs that hold one of `lines`, cut to them.
pub(super) fn runs_within(view: &FileView<'_>, lines: LineRange) -> impl Iterator<Item = LineRun> {
    let runs = (view.run_from(lines.first)..).map_while(move |at| view.run(at));
    runs.take_while(move |run| run.first <= lines.last).map(move |run| LineRun {
        first: run.first.max(lines.first),
        last: run.last.min(lines.last),
        block: run.block,
    })
}

/// How many of `lines` each test ran, and how many were recorded.
pub(super) fn lines_run(view: &FileView<'_>, lines: LineRange) -> Result<(BTreeMap<TestId, f64>, f64), ModelError> {
    let mut tests = BTreeMap::new();
    let mut recorded = 0.0;
    for run in runs_within(view, lines) {
        let within = f64::from(run.last.saturating_sub(run.first)) + 1.0;
        recorded += within;
        view.block(run.block)?.for_each(|posting| *tests.entry(posting.test).or_insert(0.0) += within)?;
    }
    Ok((tests, recorded))
}
