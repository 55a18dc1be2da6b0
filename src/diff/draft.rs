//! A file under way: what its header has said so far, and what that makes of it in the end.

use super::error::{DiffError, Expected};
use super::hunk::{Hunk, LineKind, malformed};
use super::name::{self, Absence, Name, Path, Side};
use super::{FileDiff, Status};

/// Which kind of line opened the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `diff --git OLD NEW`.
    Git,
    /// `diff --cc PATH` or `diff --combined PATH`.
    Combined,
    /// `diff -r REV PATH` of Mercurial.
    Mercurial,
    /// `Index: PATH` of Subversion and CVS.
    Index,
    /// `--- OLD` and `+++ NEW` alone.
    Plain,
}

/// What kind of thing a path names, as far as a type change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileType {
    Regular,
    Link,
    Gitlink,
}

impl FileType {
    fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o120_000 => Self::Link,
            0o160_000 => Self::Gitlink,
            _ => Self::Regular,
        }
    }
}

/// A file whose end has not been seen.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) form: Form,
    /// The input line of the header.
    pub(super) line: u64,
    /// What the opening line says after its keyword.
    header: &'a [u8],
    pub(super) old_name: Option<Name<'a>>,
    pub(super) new_name: Option<Name<'a>>,
    /// `rename from`, `copy from`.
    from: Option<Path<'a>>,
    /// `rename to`, `copy to`.
    to: Option<Path<'a>>,
    copied: bool,
    new_file: bool,
    deleted: bool,
    old_mode: Option<u32>,
    new_mode: Option<u32>,
    has_index: bool,
    pub(super) binary: bool,
    /// Subversion properties changed.
    pub(super) properties: bool,
    pub(super) hunks: Vec<Hunk<'a>>,
    /// A hunk was read, though it may have been left out.
    pub(super) has_hunks: bool,
    added: u32,
    removed: u32,
}

/// A file as it goes into the result, with what a type change is known by.
pub(super) struct Finished<'a> {
    pub(super) file: FileDiff<'a>,
    pub(super) file_type: FileType,
}

impl<'a> Draft<'a> {
    pub(super) fn new(form: Form, line: u64, header: &'a [u8]) -> Self {
        Self {
            form,
            line,
            header,
            old_name: None,
            new_name: None,
            from: None,
            to: None,
            copied: false,
            new_file: false,
            deleted: false,
            old_mode: None,
            new_mode: None,
            has_index: false,
            binary: false,
            properties: false,
            hunks: Vec::new(),
            has_hunks: false,
            added: 0,
            removed: 0,
        }
    }

    /// Whether only the opening line was read.
    pub(super) fn is_bare(&self) -> bool {
        self.new_name.is_none() && !self.has_hunks && !self.binary && !self.properties
    }

    /// Whether `---` and `+++` lines may still come.
    pub(super) fn wants_names(&self) -> bool {
        self.form != Form::Plain && self.new_name.is_none() && !self.has_hunks && !self.binary && !self.properties
    }

    /// Whether hunks must follow and none did. A combined diff of an unmerged file may have names alone, and so may a
    /// file whose properties changed.
    pub(super) fn lacks_hunks(&self) -> bool {
        let may_lack = matches!(self.form, Form::Combined | Form::Plain) || self.binary || self.properties;
        self.new_name.is_some() && !self.has_hunks && !may_lack
    }

    /// Adds a hunk; `None` is one that was left out.
    pub(super) fn push(&mut self, hunk: Option<Hunk<'a>>, line: u64) -> Result<(), DiffError> {
        self.has_hunks = true;
        let Some(hunk) = hunk else { return Ok(()) };
        let sum = |total: u32, more: u32| {
            total.checked_add(more).ok_or_else(|| DiffError::TooLarge {
                line,
                found: super::Excerpt::of(Some(b"the file's hunks together")),
            })
        };
        self.added = sum(self.added, hunk.added)?;
        self.removed = sum(self.removed, hunk.removed)?;
        self.hunks.push(hunk);
        Ok(())
    }

    /// Reads a line between `diff --git` and the hunks. Gives whether it was one.
    pub(super) fn read_extended(&mut self, line: &'a [u8], line_number: u64) -> Result<bool, DiffError> {
        let path = |rest: &'a [u8]| {
            name::read_path(rest).map(Some).ok_or_else(|| malformed(line_number, Expected::Path, Some(line)))
        };
        let mode = |rest: &[u8]| read_mode(rest).ok_or_else(|| malformed(line_number, Expected::Mode, Some(line)));
        let after = |keyword: &str| line.strip_prefix(keyword.as_bytes());
        if let Some(rest) = after("index ") {
            self.has_index = true;
            if let Some(at) = rest.iter().position(|b| *b == b' ') {
                self.old_mode = Some(mode(&rest[at + 1..])?);
                self.new_mode = self.old_mode;
            }
        } else if let Some(rest) = after("old mode ") {
            self.old_mode = Some(mode(rest)?);
        } else if let Some(rest) = after("new mode ") {
            self.new_mode = Some(mode(rest)?);
        } else if let Some(rest) = after("mode ") {
            self.old_mode = Some(mode(rest)?);
            let result = rest.iter().rposition(|b| *b == b'.').map_or(rest, |at| &rest[at + 1..]);
            self.new_mode = Some(mode(result)?);
        } else if let Some(rest) = after("new file mode ") {
            self.new_file = true;
            self.new_mode = Some(mode(rest)?);
        } else if let Some(rest) = after("deleted file mode ") {
            self.deleted = true;
            self.old_mode = Some(mode(rest)?);
        } else if let Some(rest) = after("rename from ").or_else(|| after("rename old ")) {
            self.from = path(rest)?;
        } else if let Some(rest) = after("rename to ").or_else(|| after("rename new ")) {
            self.to = path(rest)?;
        } else if let Some(rest) = after("copy from ") {
            self.copied = true;
            self.from = path(rest)?;
        } else if let Some(rest) = after("copy to ") {
            self.copied = true;
            self.to = path(rest)?;
        } else {
            return Ok(after("similarity index ").or_else(|| after("dissimilarity index ")).is_some());
        }
        Ok(true)
    }

    /// The two directories that the names stand in, if they differ: those that `diff -r` compares.
    pub(super) fn roots(&self) -> Option<(&'a [u8], &'a [u8])> {
        match (self.old_name.as_ref()?.path.clone(), self.new_name.as_ref()?.path.clone()) {
            (Path::Borrowed(old), Path::Borrowed(new)) => name::roots(old, new),
            _ => None,
        }
    }

    /// Makes the file out of what was read.
    pub(super) fn finish(self) -> Result<Finished<'a>, DiffError> {
        let (old_path, new_path) = self.paths()?;
        let (old_type, new_type) = (self.old_mode.map(FileType::of_mode), self.new_mode.map(FileType::of_mode));
        // With `--combined-all-paths` the first parent's name shows a rename that no other line tells.
        let moved = self.form == Form::Combined && old_path != new_path;
        let status = match self.status(old_path.is_some(), new_path.is_some(), old_type, new_type) {
            Status::Modified | Status::Mode | Status::Binary | Status::Type if moved => Status::Renamed,
            status => status,
        };
        // A change without content is of one file, whatever odd labels a tool gave its two sides.
        let has_content = self.binary || !self.hunks.is_empty();
        let one_file = !has_content && matches!(status, Status::Modified | Status::Mode | Status::Type);
        let old_path = if one_file && old_path.is_some() { new_path.clone() } else { old_path };
        let file_type = new_type.or(old_type).unwrap_or(FileType::Regular);
        let Self { binary, added, removed, hunks, line, .. } = self;
        Ok(Finished { file: FileDiff { old_path, new_path, status, binary, added, removed, hunks, line }, file_type })
    }

    fn status(&self, is_old: bool, is_new: bool, old_type: Option<FileType>, new_type: Option<FileType>) -> Status {
        let types = [old_type, new_type];
        let is_link = |file_type: &FileType| *file_type == FileType::Gitlink;
        if types.iter().flatten().next().is_some() && types.iter().flatten().all(is_link) || self.names_commits() {
            return Status::Submodule;
        }
        if self.from.is_some() {
            return if self.copied { Status::Copied } else { Status::Renamed };
        }
        match (is_old, is_new) {
            (false, _) => return Status::Added,
            (_, false) => return Status::Deleted,
            _ => {}
        }
        let mode_changed = self.old_mode != self.new_mode && !self.has_hunks && !self.has_index;
        match (old_type, new_type) {
            (Some(old), Some(new)) if old != new => Status::Type,
            _ if self.binary => Status::Binary,
            _ if mode_changed || (self.properties && !self.has_hunks) => Status::Mode,
            _ => Status::Modified,
        }
    }

    /// Whether the changed lines are those that git shows for a submodule. A submodule with changes in its tree has no
    /// mode in its header, and neither has one in a combined diff.
    fn names_commits(&self) -> bool {
        let is_commit = |text: &[u8]| {
            let hash = text.strip_prefix(b"Subproject commit ").unwrap_or_default();
            hash.len() >= 40 && hash.strip_suffix(b"-dirty").unwrap_or(hash).iter().all(u8::is_ascii_hexdigit)
        };
        let modes_unknown = self.old_mode.is_none() && self.new_mode.is_none() && self.from.is_none();
        matches!(self.form, Form::Git | Form::Combined)
            && modes_unknown
            && matches!(&self.hunks[..], [hunk] if hunk.old.lines <= 1 && hunk.new.lines <= 1
                && hunk.lines().all(|line| line.kind != LineKind::Context && is_commit(line.text)))
    }

    fn paths(&self) -> Result<(Option<Path<'a>>, Option<Path<'a>>), DiffError> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => return Ok((Some(from.clone()), Some(to.clone()))),
            (None, None) => {}
            _ => return Err(malformed(self.line, Expected::BothNames, Some(self.header))),
        }
        let (old, new) = match self.form {
            Form::Git => self.git_paths(),
            Form::Plain => self.plain_paths(),
            Form::Combined | Form::Mercurial | Form::Index => self.told_paths(),
        }?;
        if old.is_empty() || new.is_empty() {
            return Err(malformed(self.line, Expected::Path, Some(self.header)));
        }
        let first = self.hunks.first();
        let is_absent = |name: &Option<Name<'_>>, lines: Option<u32>| match name.as_ref().map(|name| name.absence) {
            Some(Absence::Null | Absence::Stated) => true,
            Some(Absence::Epoch) => lines == Some(0),
            Some(Absence::Present) | None => false,
        };
        let no_old = self.new_file || is_absent(&self.old_name, first.map(|hunk| hunk.old.lines));
        let no_new = self.deleted || is_absent(&self.new_name, first.map(|hunk| hunk.new.lines));
        if no_old && no_new {
            return Err(malformed(self.line, Expected::OneSide, Some(self.header)));
        }
        Ok(((!no_old).then_some(old), (!no_new).then_some(new)))
    }

    /// The names of the `---` and `+++` lines that are not `/dev/null`.
    fn real_names(&self) -> (Option<&Path<'a>>, Option<&Path<'a>>) {
        fn real<'n, 'a>(name: &'n Option<Name<'a>>) -> Option<&'n Path<'a>> {
            name.as_ref().filter(|name| name.absence != Absence::Null).map(|name| &name.path)
        }
        (real(&self.old_name), real(&self.new_name))
    }

    fn git_paths(&self) -> Result<(Path<'a>, Path<'a>), DiffError> {
        let known = match self.real_names() {
            (Some(_), Some(_)) => return self.plain_paths(),
            (Some(old), None) => Some(Side::Old(old)),
            (None, Some(new)) => Some(Side::New(new)),
            (None, None) => None,
        };
        let is_only_guess = known.is_none();
        match name::split_names(self.header, b" ", known) {
            Some((old, new)) => Ok(name::strip_pair(&old, &new)),
            None if is_only_guess => Err(malformed(self.line, Expected::TwoNames, Some(self.header))),
            None => self.plain_paths(),
        }
    }

    fn plain_paths(&self) -> Result<(Path<'a>, Path<'a>), DiffError> {
        match self.real_names() {
            (Some(old), Some(new)) => Ok(name::strip_pair(old, new)),
            (Some(one), None) | (None, Some(one)) => Ok((name::strip_one(one), name::strip_one(one))),
            (None, None) => Err(malformed(self.line, Expected::OneSide, Some(self.header))),
        }
    }

    /// The paths of a form whose opening line tells the path without a prefix.
    fn told_paths(&self) -> Result<(Path<'a>, Path<'a>), DiffError> {
        let told =
            name::read_path(self.header).ok_or_else(|| malformed(self.line, Expected::Path, Some(self.header)))?;
        match self.real_names() {
            (None, None) => Ok((told.clone(), told)),
            (Some(old), Some(new)) => match (name::strip_to(old, &told), name::strip_to(new, &told)) {
                // Only here may the names be of two files: the new name tells which prefixes are in use.
                (_, Some(path)) if self.form == Form::Combined => {
                    let stripped = name::strip_one(old);
                    let old = if path.len() == new.len() {
                        old.clone()
                    } else if stripped.len() < old.len() {
                        stripped
                    } else {
                        name::strip_to(old, &told).unwrap_or(stripped)
                    };
                    Ok((old, path))
                }
                (Some(old), Some(new)) => Ok((old, new)),
                _ => Ok(name::strip_pair(old, new)),
            },
            (Some(one), None) | (None, Some(one)) => {
                let path = name::strip_to(one, &told).unwrap_or_else(|| name::strip_one(one));
                Ok((path.clone(), path))
            }
        }
    }
}

/// Reads the first mode of `100644`, `100644,100755` or `100644..100755`.
fn read_mode(rest: &[u8]) -> Option<u32> {
    let digits = rest.iter().take_while(|b| matches!(b, b'0'..=b'7')).count();
    let ends = rest.get(digits).is_none_or(|b| matches!(b, b',' | b'.' | b' '));
    let value = || rest[..digits].iter().fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
    ((1..=7).contains(&digits) && ends).then(value)
}
