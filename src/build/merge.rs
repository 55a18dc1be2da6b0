//! Models of one suite joined to one: shards that recorded some of its tests each, or runs of the same tests.
//!
//! Every field joins as a semilattice, so that any order and any grouping of the models makes the same bytes, those of a
//! build from all their inputs at once. What cannot join is refused: constants that differ, and files whose content does.

use std::collections::HashMap;
use std::io::{Seek, Write};

use super::{BuildError, Content, Phase, Sources, Written};
use crate::model::{Anchors, FileView, Index, Stamp};
use crate::observation::{FileKey, Observations};

/// Files, tests and words between two words on how much is done.
const STEPS_BETWEEN: u64 = 4096;

/// How many files are named that differ.
const FILES_NAMED: usize = 5;

/// Models that join.
pub struct Merged<'a, D> {
    sources: Sources<'a, D>,
    base: Option<String>,
    files: Shared<'a>,
}

/// What is known of the content of files, by their keys among the observations.
#[derive(Default)]
struct Shared<'a> {
    files: Vec<Known<'a>>,
    /// Whether all models are taken to be of one commit.
    is_one_base: bool,
}

/// A file as the models so far know it.
#[derive(Clone, Copy, Default)]
struct Known<'a> {
    stamp: Option<Stamp>,
    is_covered: bool,
    /// The anchors of its lines: of one content all models know the same, or none.
    anchors: Anchors<'a>,
}

impl<'a, D: AsRef<[u8]> + Sync> Merged<'a, D> {
    /// Joins models to `nothing`: observations that say how much memory may be used. Whoever names a base vouches that all of
    /// them describe it. O(their tests, files and words), of which `told` hears how many are done, from time to time; blocks are
    /// read when the model is written.
    ///
    /// # Errors
    /// If a model is damaged, or contradicts one before it; with its position.
    pub fn join(
        models: &[&'a Index<D>],
        named_base: Option<&str>,
        nothing: Observations,
        mut told: impl FnMut(Phase, u64, u64),
    ) -> Result<Self, (usize, BuildError)> {
        let first = models.first().and_then(|model| model.root().base.as_deref());
        let common = first.filter(|first| models.iter().all(|model| model.root().base.as_deref() == Some(*first)));
        let base = named_base.or(common).map(str::to_owned);
        let files = Shared { is_one_base: base.is_some(), ..Shared::default() };
        let mut merged = Self { sources: Sources::new(nothing), base, files };
        let steps = |model: &&Index<D>| {
            let root = model.root();
            [root.files, root.tests, root.words].map(u64::from).iter().sum::<u64>()
        };
        let (mut done, total) = (0, models.iter().map(steps).sum());
        let mut step = || {
            done += 1;
            if done % STEPS_BETWEEN == 0 {
                told(Phase::Models, done, total);
            }
        };
        for (position, model) in models.iter().enumerate() {
            merged.add(model, &mut step).map_err(|error| (position, error))?;
        }
        Ok(merged)
    }

    /// The commit that all of them describe; `None` where nobody named it, and they name several, or one of them none.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Lays out the model of all of them.
    ///
    /// # Errors
    /// As [`Sources::write`].
    pub fn write<W: Write + Seek>(self, told: impl FnMut(Phase, u64, u64), out: W) -> Result<Written, BuildError> {
        let paths = self.sources.observations().file_paths().iter().cloned();
        let known: HashMap<String, Known<'_>> = paths.zip(self.files.files).collect();
        let content = |path: &str| {
            let Known { stamp, anchors, .. } = known.get(path)?;
            Some(Content { stamp: (*stamp)?, anchors: anchors.iter().collect() })
        };
        self.sources.write(self.base.as_deref(), content, told, out)
    }

    fn add(&mut self, model: &'a Index<D>, step: &mut dyn FnMut()) -> Result<(), BuildError> {
        self.check_constants(model)?;
        let mut differing = Vec::new();
        let files = &mut self.files;
        let see_file = |key, file, view: &FileView<'_>| {
            if !files.agrees(key, view, model.anchors(file)?) {
                differing.push(key);
            }
            Ok(())
        };
        self.sources.join_seeing(model, see_file, step)?;
        if differing.is_empty() {
            return Ok(());
        }
        let more = differing.len().saturating_sub(FILES_NAMED);
        let path = |&key: &FileKey| self.sources.observations().file_path(key).to_owned();
        Err(BuildError::Content { files: differing.iter().take(FILES_NAMED).map(path).collect(), more })
    }

    fn check_constants(&self, model: &Index<D>) -> Result<(), BuildError> {
        let root = model.root();
        let known = self.sources.observations().constants();
        let differs = |&(name, value): &(&'static str, f64)| known.get(name).is_some_and(|&known| known != value);
        match root.calibration.stated(root.constants_stated).find(differs) {
            Some((name, found)) => Err(BuildError::Constant { name, found, before: known[name] }),
            None => Ok(()),
        }
    }
}

impl<'a> Shared<'a> {
    /// Whether what a model knows of the lines of a file is of the content that the models before it know: as the stamps say,
    /// and where one of them has none, the commit.
    fn agrees(&mut self, key: FileKey, view: &FileView<'_>, anchors: Anchors<'a>) -> bool {
        let at = key.0 as usize;
        if at >= self.files.len() {
            self.files.resize(at + 1, Known::default());
        }
        let known = &mut self.files[at];
        let stamp = view.stamp().map(|(size_bytes, hash)| Stamp { size_bytes, hash });
        let is_covered = view.block_count() > 0;
        let agrees = match (known.stamp, stamp) {
            (Some(known), Some(found)) => known == found,
            _ => self.is_one_base || !(known.is_covered && is_covered),
        };
        let anchors = if known.anchors.is_empty() { anchors } else { known.anchors };
        *known = Known { stamp: known.stamp.or(stamp), is_covered: known.is_covered || is_covered, anchors };
        agrees
    }
}
