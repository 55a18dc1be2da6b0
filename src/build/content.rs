//! What a model keeps of the content of a file: how to tell that it changed, and how to find its lines again.

use xxhash_rust::xxh3::xxh3_64;

use crate::model::{Stamp, anchors};

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
