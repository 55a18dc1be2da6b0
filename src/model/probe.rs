//! From a path to its file with one probe of [`super::buckets`]: the xxh3-64 of the path chooses the bucket, its high half
//! is the fingerprint.
//!
//! ```text
//! bucket  64 bytes: seven slots of fingerprint u32, file u32
//! ```

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::xxh3_64;

use super::buckets::Shape;
use super::error::ModelError;
use crate::id::FileId;

/// Few of seven slots overflow where four are used on average at most.
const SHAPE: Shape = Shape { section: "path probe", slots: 7, load: 4 };

#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
struct RawEntry {
    fingerprint: [u8; 4],
    file: [u8; 4],
}

fn fingerprint(hash: u64) -> [u8; 4] {
    ((hash >> 32) as u32).to_le_bytes()
}

/// Lays out the buckets for `paths`, in the order of their [`FileId`]s.
pub(crate) fn encode<S: AsRef<str>>(paths: &[S]) -> Vec<u8> {
    let entry = |(path, file): (&S, u32)| {
        let hash = xxh3_64(path.as_ref().as_bytes());
        (hash, RawEntry { fingerprint: fingerprint(hash), file: file.to_le_bytes() })
    };
    let entries: Vec<(u64, RawEntry)> = paths.iter().zip(0..).map(entry).collect();
    SHAPE.encode(&entries)
}

/// The files that may have `path`: those with its fingerprint. The caller compares the paths.
pub(crate) fn candidates(bytes: &[u8], path: &[u8]) -> Result<Vec<FileId>, ModelError> {
    let hash = xxh3_64(path);
    let mut found = Vec::new();
    SHAPE.probe(bytes, hash, |entry: &RawEntry| {
        if entry.fingerprint == fingerprint(hash) {
            found.push(FileId(u32::from_le_bytes(entry.file)));
        }
        true
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_found_and_flips_are_noticed() {
        let paths: Vec<String> = (0..500).map(|i| format!("src/dir{}/file{i}.py", i % 7)).collect();
        let bytes = encode(&paths);
        for (file, path) in paths.iter().enumerate() {
            assert!(candidates(&bytes, path.as_bytes()).unwrap().contains(&FileId(file as u32)));
        }
        assert_eq!(candidates(&bytes, b"nowhere"), Ok(vec![]));
        let path = paths[0].as_bytes();
        let home = (xxh3_64(path) as usize & (bytes.len() / 64 - 1)) * 64;
        for at in home..home + 64 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            assert!(candidates(&flipped, path).is_err(), "byte {at}");
        }
    }

    #[test]
    fn no_files_is_one_empty_bucket() {
        assert_eq!(candidates(&encode::<String>(&[]), b"a"), Ok(vec![]));
        assert!(candidates(&[], b"a").is_err());
    }
}
