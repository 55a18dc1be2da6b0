//! Outlines that were read before, in a file beside the model: what did not change is not parsed again.
//!
//! A file of the tree is the one that was read where its size and time are, and the time is well before that of the cache;
//! else where its content is, by its hash. The cache may be lost, old or damaged: then everything is read.

use rkyv::rancor::Failure;
use rkyv::{Archive, Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Outline;

/// What the file begins with, whatever version wrote it.
const MAGIC: [u8; 7] = *b"covout\0";

/// The version of what outlines say; it stands behind [`MAGIC`].
const VERSION: u8 = 6;

/// A file that is changed so short a time before the cache was written may change again without another time, in nanoseconds:
/// file systems keep times by two seconds at worst.
const RACY_NS: u64 = 2_000_000_000;

/// What is known of a file without reading it.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FileState {
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since the Unix epoch.
    pub modified_ns: u64,
}

/// The outline of a file, and which content it is of.
#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What its file was like.
    pub state: FileState,
    /// The xxh3-64 of its content.
    pub hash: u64,
    /// What it says.
    pub outline: Outline,
}

/// The outlines of a tree, by path.
#[derive(Archive, Debug, Default, Deserialize, Serialize)]
pub struct Cache {
    written_ns: u64,
    /// Ascending by path, each path once.
    files: Vec<(String, Kept)>,
}

impl Cache {
    /// A cache of these files; `now_ns` is the time.
    pub fn new(mut files: Vec<(String, Kept)>, now_ns: u64) -> Self {
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files.dedup_by(|next, first| next.0 == first.0);
        Self { written_ns: now_ns, files }
    }

    /// Its files, ascending by path.
    pub fn into_files(self) -> impl Iterator<Item = (String, Outline)> {
        self.files.into_iter().map(|(path, kept)| (path, kept.outline))
    }

    /// Whether a file that begins so is a cache, of whatever version.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads what [`Cache::encode`] wrote; anything else is an empty cache.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::checked(bytes).unwrap_or_default()
    }

    fn checked(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&[VERSION])?;
        let (sum, archive) = rest.split_first_chunk()?;
        if u64::from_le_bytes(*sum) != xxh3_64(archive) {
            return None;
        }
        let mut aligned = rkyv::util::AlignedVec::<16>::with_capacity(archive.len());
        aligned.extend_from_slice(archive);
        let cache = rkyv::from_bytes::<Self, Failure>(&aligned).ok()?;
        let is_sound = cache.files.iter().all(|(_, kept)| kept.outline.is_sound());
        (is_sound && cache.files.is_sorted_by(|a, b| a.0 < b.0)).then_some(cache)
    }

    /// Its bytes.
    ///
    /// # Panics
    /// With more than rkyv can archive, which is beyond what memory holds.
    pub fn encode(&self) -> Vec<u8> {
        let archive = rkyv::to_bytes::<Failure>(self).expect("outlines in memory can be archived");
        [&MAGIC[..], &[VERSION], &xxh3_64(&archive).to_le_bytes(), &archive].concat()
    }

    fn file(&self, path: &str) -> Option<&Kept> {
        let at = self.files.binary_search_by(|(other, _)| other.as_str().cmp(path)).ok()?;
        Some(&self.files[at].1)
    }

    /// The outline of a file that is as it was, by what is known without reading it.
    pub fn unread(&self, path: &str, state: FileState) -> Option<&Kept> {
        let kept = self.file(path).filter(|kept| kept.state == state)?;
        (state.modified_ns.saturating_add(RACY_NS) < self.written_ns).then_some(kept)
    }

    /// Whether it holds the files that another holds, in the same state, and no more.
    pub fn is_of_the_files_of(&self, other: &Self) -> bool {
        let is_same = |((path, kept), (other_path, other)): (&(String, Kept), &(String, Kept))| {
            (path, kept.state, kept.hash) == (other_path, other.state, other.hash)
        };
        self.files.len() == other.files.len() && self.files.iter().zip(&other.files).all(is_same)
    }

    /// The outline of a file with this content.
    pub fn read(&self, path: &str, hash: u64) -> Option<&Outline> {
        self.file(path).filter(|kept| kept.hash == hash).map(|kept| &kept.outline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Reader;

    fn kept(text: &str) -> Kept {
        let outline = Reader::default().read("a.py", text.as_bytes()).unwrap();
        let state = FileState { size: text.len() as u64, modified_ns: 5_000_000_000 };
        Kept { state, hash: xxh3_64(text.as_bytes()), outline }
    }

    #[test]
    fn what_did_not_change_is_known_unread() {
        let file = kept("class C:\n    def m(self): pass\n");
        let of = |path: &str, file: Kept, now_ns| Cache::new(vec![(path.to_owned(), file)], now_ns);
        let cache = |now_ns| Cache::decode(&of("a.py", file.clone(), now_ns).encode());
        let late = cache(9_000_000_000);
        assert_eq!(late.unread("a.py", file.state), Some(&file));
        assert_eq!(late.read("a.py", file.hash), Some(&file.outline));
        assert_eq!(late.unread("a.py", FileState { size: 1, ..file.state }), None);
        assert_eq!(late.unread("b.py", file.state), None);
        assert!(late.is_of_the_files_of(&of("a.py", file.clone(), 0)));
        assert!(!late.is_of_the_files_of(&Cache::default()) && !late.is_of_the_files_of(&of("b.py", file.clone(), 0)));
        assert!(!late.is_of_the_files_of(&of("a.py", Kept { hash: 1, ..file.clone() }, 0)));
        assert_eq!(late.read("a.py", 1), None);
        assert_eq!(cache(6_000_000_000).unread("a.py", file.state), None, "it may have changed since");
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let bytes = Cache::new(vec![("a.py".to_owned(), kept("def f(): pass\n"))], 9_000_000_000).encode();
        assert_eq!(Cache::decode(&bytes).files.len(), 1);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Cache::decode(&damaged).files.is_empty());
            assert!(Cache::decode(&bytes[..at]).files.is_empty());
        }
        // Behind a right checksum anything may stand.
        for at in 16..bytes.len() {
            let mut crafted = bytes.clone();
            crafted[at] ^= 0x10;
            let sum = xxh3_64(&crafted[16..]).to_le_bytes();
            crafted[8..16].copy_from_slice(&sum);
            Cache::decode(&crafted);
        }
    }
}
