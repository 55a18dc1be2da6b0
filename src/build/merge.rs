//! Models of one suite joined to one: shards that recorded some of its tests each, or runs of the same tests.
//!
//! Every field joins as a semilattice, so that any order and any grouping of the models makes the same bytes, those of a
//! build from all their inputs at once. What cannot join is refused: constants that differ, and files whose content does.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{Seek, Write};

use super::{BuildError, Phase, Sources, Written};
use crate::id::FileId;
use crate::model::{Index, Stamp};
use crate::observation::Observations;

/// How many files are named that differ.
const FILES_NAMED: usize = 5;

/// Models that join.
pub struct Merged<'a, D> {
    sources: Sources<'a, D>,
    base: Option<String>,
    stamps: HashMap<String, Shared>,
}

/// A file as the models before know it.
#[derive(Clone, Copy)]
struct Shared {
    stamp: Option<Stamp>,
    is_covered: bool,
}

impl<'a, D: AsRef<[u8]> + Sync> Merged<'a, D> {
    /// Joins models to `nothing`: observations that say how much memory may be used. Whoever names a base vouches that all of
    /// them describe it. O(their tests, files and words); blocks are read when the model is written.
    ///
    /// # Errors
    /// If a model is damaged, or contradicts one before it; with its position.
    pub fn join(
        models: &[&'a Index<D>],
        named_base: Option<&str>,
        nothing: Observations,
    ) -> Result<Self, (usize, BuildError)> {
        let base = models.first().and_then(|model| model.root().base.clone());
        let is_of_base = |model: &&Index<D>| model.root().base == base;
        let agree = base.is_some() && models.iter().all(is_of_base);
        let is_one_base = agree || named_base.is_some();
        let sources = Sources::new(nothing);
        let mut merged =
            Self { sources, base: named_base.map(str::to_owned).or(base.filter(|_| agree)), stamps: HashMap::new() };
        for (position, model) in models.iter().enumerate() {
            let failed = |error| (position, error);
            merged.check_constants(model).map_err(failed)?;
            merged.check_files(model, is_one_base).map_err(failed)?;
            merged.sources.join(model).map_err(failed)?;
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
        let stamps = self.stamps;
        self.sources.write(self.base.as_deref(), |path| stamps.get(path)?.stamp, told, out)
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

    /// Makes sure that what is known of the lines of a file is of one content of it: as the stamps say, and where models of
    /// one commit have none, the commit.
    fn check_files(&mut self, model: &Index<D>, is_one_base: bool) -> Result<(), BuildError> {
        let mut differing = Vec::new();
        model.paths()?.scan(0, |file, path| {
            let view = model.file(FileId(file))?;
            let stamp = view.stamp().map(|(size_bytes, hash)| Stamp { size_bytes, hash });
            let found = Shared { stamp, is_covered: view.block_count() > 0 };
            match self.stamps.entry(String::from_utf8_lossy(path).into_owned()) {
                Entry::Vacant(entry) => drop(entry.insert(found)),
                Entry::Occupied(mut entry) => {
                    let known = *entry.get();
                    let agrees = match (known.stamp, found.stamp) {
                        (Some(known), Some(found)) => known == found,
                        _ => is_one_base || !(known.is_covered && found.is_covered),
                    };
                    if !agrees {
                        differing.push(entry.key().clone());
                    }
                    let stamp = known.stamp.or(found.stamp);
                    entry.insert(Shared { stamp, is_covered: known.is_covered || found.is_covered });
                }
            }
            Ok(true)
        })?;
        if differing.is_empty() {
            return Ok(());
        }
        let more = differing.len().saturating_sub(FILES_NAMED);
        differing.truncate(FILES_NAMED);
        Err(BuildError::Content { files: differing, more })
    }
}
