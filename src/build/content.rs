//! What a model keeps of the content of a file: how to tell that it changed, and how to find its lines again.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::id::FileId;
use crate::model::{Anchors, Index, ModelError, Stamp, anchors};

/// What a model keeps of the content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
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
pub struct Kept<'a> {
    files: HashMap<String, KeptFile<'a>>,
}

struct KeptFile<'a> {
    stamp: Option<Stamp>,
    anchors: Anchors<'a>,
    has_lines: bool,
}

impl<'a> Kept<'a> {
    /// What a model keeps.
    ///
    /// # Errors
    /// If any of it is damaged.
    pub fn of<D: AsRef<[u8]>>(index: &'a Index<D>) -> Result<Self, ModelError> {
        let mut files = HashMap::new();
        for file in (0..index.root().files).map(FileId) {
            let view = index.file(file)?;
            let stamp = view.stamp().map(|(size_bytes, hash)| Stamp { size_bytes, hash });
            let kept = KeptFile { stamp, anchors: index.anchors(file)?, has_lines: view.block_count() > 0 };
            files.insert(index.path(file)?, kept);
        }
        Ok(Self { files })
    }

    /// Whether the model has recorded lines of a file.
    pub fn has_lines(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|kept| kept.has_lines)
    }

    /// What it keeps of a file.
    pub fn content(&self, path: &str) -> Option<Content> {
        let kept = self.files.get(path)?;
        Some(Content { stamp: kept.stamp?, anchors: kept.anchors.iter().collect() })
    }
}
