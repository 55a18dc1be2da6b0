//! What a model keeps of the content of a file: how to tell that it changed, and how to find its lines again.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::id::FileId;
use crate::model::{Index, ModelError, Stamp, anchors};

/// What a model keeps of the content of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// Its size and hash.
    pub stamp: Stamp,
    /// The anchor of each line; none where it is not known.
    pub anchors: Vec<u16>,
}

impl Content {
    /// What is kept of a file with these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let stamp = Stamp { size_bytes: bytes.len() as u64, hash: xxh3_64(bytes) };
        Self { stamp, anchors: anchors(bytes) }
    }
}

/// What a model keeps of the content of its files, all of it read once.
pub struct Kept<'a, D> {
    index: &'a Index<D>,
    files: HashMap<String, FileId>,
}

impl<'a, D: AsRef<[u8]>> Kept<'a, D> {
    /// What a model keeps.
    ///
    /// # Errors
    /// If any of it is damaged.
    pub fn of(index: &'a Index<D>) -> Result<Self, ModelError> {
        let mut files = HashMap::new();
        for file in (0..index.root().files).map(FileId) {
            index.file(file)?;
            index.anchors(file)?;
            files.insert(index.path(file)?, file);
        }
        Ok(Self { index, files })
    }

    /// Whether the model has recorded lines of a file.
    pub fn has_lines(&self, path: &str) -> bool {
        let file = self.files.get(path).and_then(|&file| self.index.file(file).ok());
        file.is_some_and(|view| view.block_count() > 0)
    }

    /// What it keeps of a file.
    pub fn content(&self, path: &str) -> Option<Content> {
        let file = *self.files.get(path)?;
        let (size_bytes, hash) = self.index.file(file).ok()?.stamp()?;
        let anchors = self.index.anchors(file).ok()?.iter().collect();
        Some(Content { stamp: Stamp { size_bytes, hash }, anchors })
    }
}
