//! The only `unsafe`: a path becomes a read-only memory map, and the map an [`Index`].

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

use crate::model::{Index, ModelError};

/// Why a model file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened or mapped.
    #[error("{0}; check the path and its permissions")]
    Io(#[from] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("expected a file, found something else of this name; name one that `covopt build` wrote")]
    NotAFile,
    /// It is not a model, or not a whole one.
    #[error("{0}")]
    Model(#[from] ModelError),
}

/// Opens and maps a model.
///
/// # Errors
/// If the file cannot be read or is not a model of this version.
pub fn open(path: &Path) -> Result<Index<Mmap>, OpenError> {
    let map = map(path)?;
    #[cfg(unix)]
    let _ = map.advise(memmap2::Advice::Random); // Only advice: without it a cold query reads ahead what it never uses.
    Ok(Index::open(map)?)
}

/// As [`open`], without advice to the system: for measuring what that brings.
///
/// # Errors
/// As [`open`].
#[doc(hidden)]
pub fn open_unadvised(path: &Path) -> Result<Index<Mmap>, OpenError> {
    Ok(Index::open(map(path)?)?)
}

fn map(path: &Path) -> Result<Mmap, OpenError> {
    // Asked before it is opened: opening a pipe waits for whoever writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(OpenError::NotAFile);
    }
    let file = File::open(path)?;
    // SAFETY: the map is read-only and private to this process's view of one inode. covopt itself writes models aside
    // and renames them, so the inode it opened never changes. A foreign process that truncates the file in place makes
    // a later read raise SIGBUS, and one that overwrites it in place changes bytes that are checked when touched; both
    // end in an error or the end of the process, never in a selection from a mixture.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature; this is the one place that does it")]
    let map = unsafe { Mmap::map(&file) }?;
    Ok(map)
}
