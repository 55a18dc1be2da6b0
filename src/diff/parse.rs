//! The lines between hunks: which of them open a file, say something about it, or are no part of a diff.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::draft::{Draft, FileType, Finished, Form};
use super::error::{DiffError, Excerpt, Expected};
use super::foreign::Foreign;
use super::hunk::{malformed, read_span};
use super::{Diff, FileDiff, Status, foreign, hunk, name};

/// Reads a diff.
///
/// `input` holds no colour codes: see [`decolor`](super::decolor). Paths and bodies are borrowed from it; apart from
/// one entry per file and per hunk nothing is allocated, but for paths that were quoted with escapes.
///
/// Empty input is a diff without files. Input of commit headers alone is one too, with a [`Hint`](super::Hint).
///
/// # Errors
///
/// Each variant of [`DiffError`] says when. Input that is not empty and holds no file is always an error.
pub fn parse(input: &[u8]) -> Result<Diff<'_>, DiffError> {
    foreign::refuse_utf16(input)?;
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut parser = Parser::new(input);
    while let Some(line) = parser.cursor.next_line() {
        parser.read_line(line)?;
    }
    let lost = parser.lost.take();
    let files = parser.finish()?;
    match lost {
        Some(Lost { line, foreign, found }) if !files.is_empty() => Err(DiffError::Lost { line, foreign, found }),
        lost => {
            let hint = if files.is_empty() { foreign::judge(input, lost.map(|lost| lost.foreign))? } else { None };
            Ok(Diff { files, hint })
        }
    }
}

/// A change in a form that is not read.
struct Lost {
    line: u64,
    foreign: Foreign,
    found: Excerpt,
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    files: Vec<FileDiff<'a>>,
    draft: Option<Draft<'a>>,
    /// The last line belonged to a hunk that is complete, or might be one line too many of it.
    after_hunk: bool,
    /// Between `From HASH` and `---`: the message of a mail, which may quote anything.
    in_mail: bool,
    /// What the last file was, if it may be the first half of a type change.
    deleted_type: Option<FileType>,
    /// The directories that `diff -r` compares.
    roots: Option<(&'a [u8], &'a [u8])>,
    /// `Only in DIRECTORY: NAME`: the entry, to be completed when the directories are known, and `DIRECTORY`.
    one_sided: Vec<(usize, &'a [u8])>,
    parent_counts: Vec<u32>,
    /// The first piece that would go missing.
    lost: Option<Lost>,
}

impl<'a> Parser<'a> {
    fn new(input: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(input),
            files: Vec::new(),
            draft: None,
            after_hunk: false,
            in_mail: false,
            deleted_type: None,
            roots: None,
            one_sided: Vec::new(),
            parent_counts: Vec::new(),
            lost: None,
        }
    }

    fn read_line(&mut self, line: &'a [u8]) -> Result<(), DiffError> {
        if self.in_mail && !self.ends_message(line) {
            return Ok(());
        }
        if self.after_hunk && self.is_tail(line)? {
            return Ok(());
        }
        let handled = match line.first() {
            None => true,
            Some(b'@') => self.read_hunk(line)?,
            Some(b'd') => self.open_diff(line)?,
            Some(b'-') => self.read_names(line)?,
            Some(b'I') => self.open_index(line)?,
            Some(b'B') => self.read_binary(line)?,
            Some(b'G') if line == b"GIT binary patch" => self.read_binary_patch()?,
            Some(b'S') => self.read_submodule(line)? || self.read_unlike(line)?,
            Some(b'*') => self.read_unmerged(line)?,
            Some(b'O') => self.read_only_in(line)?,
            Some(b'P') => self.read_properties(line)?,
            Some(b'#') => self.read_property_hunk(line)?,
            Some(b'C') => self.read_cannot_display(line),
            Some(b'F') => self.start_mail(line)? || self.read_unlike(line)?,
            _ => false,
        };
        if handled {
            return Ok(());
        }
        if let Some(foreign) = foreign::lost_piece(line, self.cursor.peek(), self.cursor.peek_second()) {
            self.lose(line, foreign);
        }
        self.read_other(line)
    }

    /// Remembers a piece that is not read: an error if other pieces are, so that no change vanishes beside them.
    fn lose(&mut self, line: &[u8], foreign: Foreign) {
        let line_number = self.cursor.line();
        self.lost.get_or_insert_with(|| Lost { line: line_number, foreign, found: Excerpt::of(Some(line)) });
    }

    /// Reads a line that belongs to the header of the file under way, or to none.
    fn read_other(&mut self, line: &'a [u8]) -> Result<(), DiffError> {
        let number = self.cursor.line();
        let Some(draft) = &mut self.draft else { return Ok(()) };
        let goes_on = match draft.form {
            Form::Git | Form::Combined if draft.wants_names() => draft.read_extended(line, number)?,
            // CVS has lines of its own below `Index:`.
            Form::Index => !draft.has_hunks,
            _ => false,
        };
        if goes_on { Ok(()) } else { self.close() }
    }

    /// Whether the message of a mail ends here.
    fn ends_message(&mut self, line: &[u8]) -> bool {
        let opens = [&b"diff --git "[..], b"diff --cc ", b"diff --combined "];
        if line == b"---" || opens.iter().any(|keyword| line.starts_with(keyword)) {
            self.in_mail = false;
        }
        !self.in_mail
    }

    fn start_mail(&mut self, line: &[u8]) -> Result<bool, DiffError> {
        if !foreign::is_mail_start(line) {
            return Ok(false);
        }
        self.close()?;
        self.in_mail = true;
        Ok(true)
    }

    /// Looks at a line right after a complete hunk: one with a sign would be a line that the header did not announce.
    fn is_tail(&mut self, line: &[u8]) -> Result<bool, DiffError> {
        let is_signature = matches!(line, b"-- " | b"--");
        let is_name = || line.starts_with(b"--- ") && self.cursor.peek().is_some_and(|next| next.starts_with(b"+++ "));
        match line.first() {
            Some(b' ' | b'\\') => Ok(true),
            Some(b'+') => Err(malformed(self.cursor.line(), Expected::EndOfHunk, Some(line))),
            Some(b'-') if !is_signature && !is_name() => {
                Err(malformed(self.cursor.line(), Expected::EndOfHunk, Some(line)))
            }
            _ => {
                self.after_hunk = false;
                Ok(false)
            }
        }
    }

    fn read_hunk(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let number = self.cursor.line();
        let signs = line.iter().take_while(|b| **b == b'@').count();
        let looks_like_hunk = signs > 1 && line[signs..].starts_with(b" -");
        let Some(draft) = self.draft.as_mut().filter(|draft| draft.new_name.is_some() && !draft.binary) else {
            return if looks_like_hunk { Err(malformed(number, Expected::FileHeader, Some(line))) } else { Ok(false) };
        };
        if signs < 2 {
            return Ok(false);
        }
        let hunk = hunk::read(line, &mut self.cursor, &mut self.parent_counts)?;
        draft.push(hunk, number)?;
        self.after_hunk = true;
        Ok(true)
    }

    /// `diff --git`, `diff --cc`, `diff --combined` or Mercurial's `diff -r`.
    fn open_diff(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some(rest) = line.strip_prefix(b"diff -") else { return Ok(false) };
        let after = |keyword: &str| rest.strip_prefix(keyword.as_bytes());
        let (form, header) = if let Some(header) = after("-git ") {
            (Form::Git, header)
        } else if let Some(header) = after("-cc ").or_else(|| after("-combined ")) {
            (Form::Combined, header)
        } else if let Some(header) = mercurial_path(line) {
            (Form::Mercurial, header)
        } else {
            // The echo of a `diff -ru` command, whose names come again; CVS puts one below `Index:`.
            return match &self.draft {
                Some(draft) if draft.form == Form::Index && draft.is_bare() => Ok(true),
                _ => {
                    if let Some(foreign) = foreign::lost_below_echo(line, self.cursor.peek()) {
                        self.lose(line, foreign);
                    }
                    self.close().map(|()| true)
                }
            };
        };
        // `svn diff --git` puts the git header below its own.
        if self.draft.as_ref().is_some_and(|draft| draft.form == Form::Index && draft.is_bare()) {
            self.draft = None;
        }
        self.open(Draft::new(form, self.cursor.line(), header))
    }

    fn open(&mut self, draft: Draft<'a>) -> Result<bool, DiffError> {
        self.close()?;
        self.draft = Some(draft);
        Ok(true)
    }

    /// `Index: PATH`, which is a header only above its rule of `=`.
    fn open_index(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some(path) = line.strip_prefix(b"Index: ") else { return Ok(false) };
        if !self.cursor.peek().is_some_and(|rule| rule.starts_with(b"========")) {
            return Ok(false);
        }
        let number = self.cursor.line();
        self.cursor.next_line();
        let (path, absence) = match path {
            [path @ .., b' ', b'(', b'd', b'e', b'l', b'e', b't', b'e', b'd', b')'] => (path, Some(Status::Deleted)),
            [path @ .., b' ', b'(', b'a', b'd', b'd', b'e', b'd', b')'] => (path, Some(Status::Added)),
            _ => (path, None),
        };
        match absence {
            None => self.open(Draft::new(Form::Index, number, path)),
            Some(status) => {
                let path = self.path_of(path, line)?;
                self.close()?;
                self.push_bare(status, path, number);
                Ok(true)
            }
        }
    }

    /// `--- OLD` with `+++ NEW` below.
    fn read_names(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some(old) = line.strip_prefix(b"--- ") else { return Ok(false) };
        let number = self.cursor.line();
        let is_header = self.draft.as_ref().is_some_and(Draft::wants_names);
        let is_combined = is_header && self.draft.as_ref().is_some_and(|draft| draft.form == Form::Combined);
        // With `--combined-all-paths` there is a `---` line for each parent.
        while is_combined && self.cursor.peek().is_some_and(|next| next.starts_with(b"--- ")) {
            self.cursor.next_line();
        }
        let Some(new) = self.cursor.peek().and_then(|next| next.strip_prefix(b"+++ ")) else {
            return if is_header {
                Err(malformed(number + 1, Expected::NewName, self.cursor.peek()))
            } else {
                Ok(false)
            };
        };
        if !is_header && !self.cursor.peek_second().is_some_and(|next| next.starts_with(b"@@ -")) {
            return Err(malformed(number + 2, Expected::HunkHeader, self.cursor.peek_second()));
        }
        self.cursor.next_line();
        let read = |rest, line| name::read_name(rest).ok_or_else(|| malformed(line, Expected::Path, Some(rest)));
        let (old, new) = (read(old, number)?, read(new, self.cursor.line())?);
        if !is_header {
            self.open(Draft::new(Form::Plain, number, line))?;
        }
        if let Some(draft) = &mut self.draft {
            (draft.old_name, draft.new_name) = (Some(old), Some(new));
        }
        Ok(true)
    }

    /// `Binary files OLD and NEW differ`, which is about the file under way or, in `diff -r`, a file of its own.
    fn read_binary(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        if line.starts_with(b"Binary file ") && line.ends_with(b" has changed") {
            return Ok(self.mark_binary());
        }
        let Some(names) = line.strip_prefix(b"Binary files ").and_then(|rest| rest.strip_suffix(b" differ")) else {
            return Ok(line == b"Binary files differ" && self.mark_binary());
        };
        if self.draft.as_ref().is_some_and(|draft| draft.form != Form::Plain && !draft.has_hunks) && self.mark_binary()
        {
            return Ok(true);
        }
        let (old, new) = name::split_names(names, b" and ", None)
            .ok_or_else(|| malformed(self.cursor.line(), Expected::TwoNames, Some(line)))?;
        self.open_pair(line, old, new, true)
    }

    /// Two words of `diff -r` about names that no diff of lines follows: `Symbolic links OLD and NEW differ`, and `File
    /// OLD is a KIND while file NEW is a KIND`.
    fn read_unlike(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let links = line.strip_prefix(b"Symbolic links ").and_then(|rest| rest.strip_suffix(b" differ"));
        let pair = match links {
            Some(names) => name::split_names(names, b" and ", None),
            None => unlike_files(line),
        };
        match pair {
            Some((old, new)) => self.open_pair(line, old, new, false),
            None => Ok(false),
        }
    }

    /// Opens a file of which nothing but its two names is told.
    fn open_pair(
        &mut self,
        line: &'a [u8],
        old: name::Path<'a>,
        new: name::Path<'a>,
        binary: bool,
    ) -> Result<bool, DiffError> {
        let mut draft = Draft::new(Form::Plain, self.cursor.line(), line);
        draft.binary = binary;
        let read = |path: name::Path<'a>| name::Name { absence: name::absence_of(&path), path };
        (draft.old_name, draft.new_name) = (Some(read(old)), Some(read(new)));
        self.open(draft)
    }

    fn mark_binary(&mut self) -> bool {
        match &mut self.draft {
            Some(draft) if !draft.has_hunks => {
                draft.binary = true;
                true
            }
            _ => false,
        }
    }

    /// Subversion's word for a binary file.
    fn read_cannot_display(&mut self, line: &[u8]) -> bool {
        line.starts_with(b"Cannot display: ") && self.mark_binary()
    }

    /// The blocks below `GIT binary patch`: `literal SIZE` or `delta SIZE`, lines of base 85, and an empty line.
    fn read_binary_patch(&mut self) -> Result<bool, DiffError> {
        if !self.mark_binary() {
            return Ok(false);
        }
        let starts_block = |line: &[u8]| line.starts_with(b"literal ") || line.starts_with(b"delta ");
        while self.cursor.peek().is_some_and(starts_block) {
            self.cursor.next_line();
            while let Some(line) = self.cursor.next_line().filter(|line| !line.is_empty()) {
                if !is_base85(line) {
                    return Err(malformed(self.cursor.line(), Expected::BinaryLine, Some(line)));
                }
            }
        }
        Ok(true)
    }

    /// `Submodule PATH OLD..NEW:`, and what else `diff.submodule` says on one line.
    fn read_submodule(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some((path, change)) = line.strip_prefix(b"Submodule ").and_then(submodule_change) else {
            return Ok(false);
        };
        self.close()?;
        // One submodule may have a line for its content and one for its commits.
        let told = self
            .files
            .last()
            .is_some_and(|last| last.status == Status::Submodule && last.hunks.is_empty() && last.path() == path);
        if told {
            self.files.pop();
        }
        let path = self.path_of(path, line)?;
        let (is_old, is_new) = (change != Status::Added, change != Status::Deleted);
        let file = FileDiff {
            old_path: is_old.then(|| path.clone()),
            new_path: is_new.then_some(path),
            status: Status::Submodule,
            binary: false,
            added: 0,
            removed: 0,
            hunks: Vec::new(),
            line: self.cursor.line(),
        };
        self.add(Finished { file, file_type: FileType::Gitlink });
        Ok(true)
    }

    fn read_unmerged(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some(path) = line.strip_prefix(b"* Unmerged path ") else { return Ok(false) };
        let path = self.path_of(path, line)?;
        self.close()?;
        self.push_bare(Status::Modified, path, self.cursor.line());
        Ok(true)
    }

    /// `Only in DIRECTORY: NAME` of `diff -r`.
    fn read_only_in(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some(rest) = line.strip_prefix(b"Only in ") else { return Ok(false) };
        let Some(colon) = memchr::memmem::find(rest, b": ") else { return Ok(false) };
        let (directory, base) = (&rest[..colon], self.path_of(&rest[colon + 2..], line)?);
        self.close()?;
        self.one_sided.push((self.files.len(), directory));
        self.push_bare(Status::Modified, base, self.cursor.line());
        Ok(true)
    }

    /// `Property changes on: PATH` of Subversion.
    fn read_properties(&mut self, line: &'a [u8]) -> Result<bool, DiffError> {
        let Some(path) = line.strip_prefix(b"Property changes on: ") else { return Ok(false) };
        if self.draft.as_ref().is_none_or(|draft| draft.properties || draft.form == Form::Mercurial) {
            self.open(Draft::new(Form::Index, self.cursor.line(), path))?;
        }
        if let Some(draft) = &mut self.draft {
            draft.properties = true;
        }
        Ok(true)
    }

    /// `## -0,0 +1 ##`: counted like a hunk, so that a property's value cannot be taken for a header.
    fn read_property_hunk(&mut self, line: &[u8]) -> Result<bool, DiffError> {
        if !line.starts_with(b"## -") || !self.draft.as_ref().is_some_and(|draft| draft.properties) {
            return Ok(false);
        }
        let number = self.cursor.line();
        let (old, rest) = read_span(&line[2..], b'-', number, line)?;
        let (new, _) = read_span(rest, b'+', number, line)?;
        let (mut old_left, mut new_left) = (old.lines, new.lines);
        while old_left > 0 || new_left > 0 {
            let line = self.cursor.next_line();
            let bad = || malformed(self.cursor.line(), Expected::PropertyLine, line);
            let (old_used, new_used) = match line.ok_or_else(bad)?.first() {
                Some(b' ') | None => (1, 1),
                Some(b'-') => (1, 0),
                Some(b'+') => (0, 1),
                Some(b'\\') => (0, 0),
                _ => return Err(bad()),
            };
            old_left = old_left.checked_sub(old_used).ok_or_else(bad)?;
            new_left = new_left.checked_sub(new_used).ok_or_else(bad)?;
        }
        Ok(true)
    }

    fn path_of(&self, rest: &'a [u8], line: &[u8]) -> Result<name::Path<'a>, DiffError> {
        name::read_path(rest).ok_or_else(|| malformed(self.cursor.line(), Expected::Path, Some(line)))
    }

    /// Adds a file that has one path and nothing else to tell.
    fn push_bare(&mut self, status: Status, path: name::Path<'a>, line: u64) {
        let old_path = (status != Status::Added).then(|| path.clone());
        let new_path = (status != Status::Deleted).then_some(path);
        let file =
            FileDiff { old_path, new_path, status, binary: false, added: 0, removed: 0, hunks: Vec::new(), line };
        self.add(Finished { file, file_type: FileType::Regular });
    }

    /// Ends the file under way.
    fn close(&mut self) -> Result<(), DiffError> {
        self.after_hunk = false;
        let Some(draft) = self.draft.take() else { return Ok(()) };
        if draft.lacks_hunks() {
            return Err(DiffError::NoHunk { line: draft.line });
        }
        if draft.form == Form::Plain && self.roots.is_none() {
            self.roots = draft.roots();
        }
        let finished = draft.finish()?;
        self.add(finished);
        Ok(())
    }

    /// Adds a file; what git shows as a deletion and an addition of one path becomes a type change.
    fn add(&mut self, finished: Finished<'a>) {
        let Finished { file, file_type } = finished;
        let deleted_type = self.deleted_type.take();
        let changes_type = file.old_path.is_none() && deleted_type.is_some_and(|deleted| deleted != file_type);
        if let Some(last) = self.files.last_mut().filter(|last| changes_type && last.old_path == file.new_path)
            && let (Some(added), Some(removed)) =
                (last.added.checked_add(file.added), last.removed.checked_add(file.removed))
        {
            (last.added, last.removed) = (added, removed);
            last.status = Status::Type;
            last.new_path = file.new_path;
            last.binary |= file.binary;
            last.hunks.extend(file.hunks);
            return;
        }
        if file.new_path.is_none() {
            self.deleted_type = Some(file_type);
        }
        self.files.push(file);
    }

    fn finish(mut self) -> Result<Vec<FileDiff<'a>>, DiffError> {
        self.close()?;
        for (index, directory) in std::mem::take(&mut self.one_sided) {
            if let Some(file) = self.files.get_mut(index) {
                place(file, directory, self.roots);
            }
        }
        Ok(self.files)
    }
}

/// Completes the entry of `Only in DIRECTORY: NAME`. Which side `DIRECTORY` is on shows in the other files' names; when
/// there are none, it stays an unspecified change.
fn place(file: &mut FileDiff<'_>, directory: &[u8], roots: Option<(&[u8], &[u8])>) {
    let below = |root: &[u8]| {
        let root = root.strip_suffix(b"/").unwrap_or(root);
        let rest = directory.strip_prefix(root)?;
        rest.strip_prefix(b"/").or_else(|| rest.is_empty().then_some(rest))
    };
    let old = roots.and_then(|(old, _)| below(old));
    let new = roots.and_then(|(_, new)| below(new));
    let (status, directory) = match (old, new) {
        (Some(below), None) => (Status::Deleted, below),
        (None, Some(below)) => (Status::Added, below),
        // One directory lies in the other.
        (Some(old), Some(new)) if old.len() < new.len() => (Status::Deleted, old),
        (Some(_), Some(new)) => (Status::Added, new),
        (None, None) => (Status::Modified, directory),
    };
    let mut path = directory.to_vec();
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(file.path());
    file.status = status;
    file.old_path = (status != Status::Added).then(|| Cow::Owned(path.clone()));
    file.new_path = (status != Status::Deleted).then_some(Cow::Owned(path));
}

/// The path of `diff -r REV [-r REV] PATH`; revisions of Mercurial are at least 12 hexadecimal digits here, which tells
/// them from the directories of GNU diff.
fn mercurial_path(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line.strip_prefix(b"diff ")?;
    let mut revisions = 0;
    while let Some(after) = rest.strip_prefix(b"-r ") {
        let digits = after.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).count();
        rest = after[digits..].strip_prefix(b" ").filter(|_| digits >= 12)?;
        revisions += 1;
    }
    (revisions > 0 && !rest.is_empty()).then_some(rest)
}

/// The names of `File OLD is a KIND while file NEW is a KIND`, of a file that became a directory and its like.
fn unlike_files(line: &[u8]) -> Option<(name::Path<'_>, name::Path<'_>)> {
    let rest = line.strip_prefix(b"File ")?;
    let (old, new) = rest.split_at(memchr::memmem::find(rest, b" while file ")?);
    let path = |side: &'_ [u8]| memchr::memmem::rfind(side, b" is a ").filter(|at| *at > 0);
    let new = &new[b" while file ".len()..];
    Some((name::read_path(&old[..path(old)?])?, name::read_path(&new[..path(new)?])?))
}

/// Whether a line is base 85 text: a letter for the number of bytes, then five characters for every four.
fn is_base85(line: &[u8]) -> bool {
    let bytes = match line.first() {
        Some(letter @ b'A'..=b'Z') => usize::from(letter - b'A') + 1,
        Some(letter @ b'a'..=b'z') => usize::from(letter - b'a') + 27,
        _ => return false,
    };
    line.len() == 1 + bytes.div_ceil(4) * 5 && line.iter().all(u8::is_ascii_graphic)
}

/// The path and the change of a submodule line, after `Submodule `: `PATH contains modified content`, `PATH OLD..NEW:`,
/// `PATH OLD...NEW (new submodule)`.
fn submodule_change(rest: &[u8]) -> Option<(&[u8], Status)> {
    for suffix in [&b" contains untracked content"[..], b" contains modified content"] {
        if let Some(path) = rest.strip_suffix(suffix) {
            return (!path.is_empty()).then_some((path, Status::Modified));
        }
    }
    let (rest, note) = match rest.strip_suffix(b")").or_else(|| rest.strip_suffix(b"):")) {
        Some(rest) => rest.split_at(rest.iter().rposition(|b| *b == b'(')?),
        None => (rest, &b""[..]),
    };
    let rest = rest.strip_suffix(b" ").or_else(|| rest.strip_suffix(b":"))?;
    let space = rest.iter().rposition(|b| *b == b' ').filter(|at| *at > 0)?;
    let is_range = rest[space + 1..].iter().all(|b| b.is_ascii_hexdigit() || *b == b'.')
        && memchr::memmem::find(&rest[space + 1..], b"..").is_some();
    let status = match note {
        b"(new submodule" => Status::Added,
        b"(submodule deleted" => Status::Deleted,
        _ => Status::Modified,
    };
    is_range.then_some((&rest[..space], status))
}
