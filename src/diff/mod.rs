//! Unified diff bytes in, files and hunks out.
//!
//! [`decolor`] takes colour codes off, [`parse`] reads what is left, [`Diff::write`] prints the canonical form that
//! `parse` reads back to the same value. The room does no I/O and starts no process; it borrows paths and hunk bodies
//! from the input and allocates nothing per line.
//!
//! Invariant: **hunk lines are counted, never guessed**. A hunk ends where its header says it ends, so a removed line
//! `-- x` cannot be taken for a file header, and a hunk that is cut short is an error. Text between files (commit
//! messages, mail headers, `--stat` tables) is passed over, but what looks like a lost piece of a diff is an error.
//!
//! The forms that are read: git (with any prefix setting, from `diff`, `show`, `log -p` and `format-patch`), `diff -u`
//! and `diff -ru`, Mercurial with and without its git style, Subversion, CVS. They follow the "Generating patch text"
//! and "Combined diff format" sections of git-diff(1), the unified format of POSIX `diff -u`, and the output of the
//! other tools.
//!
//! **Combined diffs** (`diff --cc`, `diff --combined`, `@@@`) are read against their first parent: column 0 decides
//! whether a line is context, added or removed, the old span is the first parent's, and a line that is in neither the
//! first parent nor the result is skipped. A hunk that changes nothing against the first parent is left out.

mod color;
mod cursor;
mod draft;
mod error;
mod foreign;
mod hunk;
mod name;
mod parse;
mod quote;
mod write;

#[cfg(test)]
mod forms;
#[cfg(test)]
mod wrong;

use std::borrow::Cow;
use std::fmt;

pub use color::decolor;
pub use error::{DiffError, Excerpt, Expected};
pub use foreign::Foreign;
pub use hunk::{Hunk, Line, LineKind, Lines, Span};
pub use parse::parse;

/// What was read: the files in input order.
///
/// A path may occur more than once: `git log -p` gives one entry per commit that touches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// The files, in input order.
    pub files: Vec<FileDiff<'a>>,
    /// Why there are no files although the input was not empty; `None` whenever there are files.
    pub hint: Option<Hint>,
}

/// Why a diff without files is an answer and not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Commit headers only: a merge without conflicts, an empty commit, or one whose patch was not asked for.
    CommitWithoutFiles,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommitWithoutFiles => f.write_str(
                "a commit header without files: an empty commit, one shown without its patch, which `-p` adds, or a \
                 merge; `git show -m --first-parent` shows what a merge brought in",
            ),
        }
    }
}

/// One file's change.
///
/// Equality is about the change, not about where it stood: [`FileDiff::line`] is not compared.
#[derive(Clone, Debug)]
pub struct FileDiff<'a> {
    /// The path before, without prefix and unquoted; `None` for a file that did not exist.
    pub old_path: Option<Cow<'a, [u8]>>,
    /// The path after, without prefix and unquoted; `None` for a file that exists no more.
    pub new_path: Option<Cow<'a, [u8]>>,
    /// What happened to the file.
    pub status: Status,
    /// Whether the content is binary, so that there are no hunks to look at.
    pub binary: bool,
    /// Added lines in all hunks.
    pub added: u32,
    /// Removed lines in all hunks.
    pub removed: u32,
    /// The hunks, in input order. Empty for binary, empty, mode-only and purely renamed files.
    pub hunks: Vec<Hunk<'a>>,
    /// The 1-based input line of the file's header.
    pub line: u64,
}

impl FileDiff<'_> {
    /// The path after the change, or the one before for a deleted file.
    pub fn path(&self) -> &[u8] {
        self.new_path.as_deref().or(self.old_path.as_deref()).unwrap_or_default()
    }
}

impl PartialEq for FileDiff<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.old_path == other.old_path
            && self.new_path == other.new_path
            && (self.status, self.binary) == (other.status, other.binary)
            && (self.added, self.removed) == (other.added, other.removed)
            && self.hunks == other.hunks
    }
}

impl Eq for FileDiff<'_> {}

/// What happened to a file.
///
/// One word for the consumer's first decision; [`FileDiff::binary`] and the two paths tell the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The file is new.
    Added,
    /// The file is gone.
    Deleted,
    /// The file's lines changed, or something that the diff does not show (an unmerged path, a change in white space
    /// under `-w`).
    Modified,
    /// The file moved, with or without changed lines.
    Renamed,
    /// The file was copied, with or without changed lines; the old path still exists.
    Copied,
    /// Only the file's mode changed, or its Subversion properties.
    Mode,
    /// The binary content of a file changed in place.
    Binary,
    /// Another commit of a submodule; also one that came or went, which the paths tell.
    Submodule,
    /// The file became a symbolic link or a submodule, or the reverse.
    Type,
}

impl Status {
    /// The word that machine-readable output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Modified => "modified",
            Self::Renamed => "renamed",
            Self::Copied => "copied",
            Self::Mode => "mode",
            Self::Binary => "binary",
            Self::Submodule => "submodule",
            Self::Type => "type",
        }
    }
}
