//! Hunks that change nothing that runs, as the tree tells: the files of the diff are read, if what it shows of them may be of
//! that kind at all.

use std::borrow::Cow;
use std::path::Path;

use super::build::read_below;
use crate::build::{Edited, old_side};
use crate::diff::{Diff, FileDiff, Hunk, LineKind, Span};
use crate::source::{Edit, Language, Reader};

/// Longer files are not parsed for this, in bytes.
const FILE_BYTES_MOST: u64 = 512 << 10;
/// Files of one diff that are parsed for this, at most.
const FILES_MOST: usize = 64;
/// Files with more hunks are not parsed for this.
const HUNKS_MOST: usize = 64;

/// What begins a line of a comment or a docstring.
const BEGINNINGS: [&[u8]; 6] = [b"#", b"//", b"/*", b"*", b"\"\"\"", b"'''"];

/// The diff with the hunks marked that are cosmetic in the tree at `root`, which stands as the diff leaves it.
pub(super) fn marked<'d, 'a>(diff: &'d Diff<'a>, root: &Path) -> Cow<'d, Diff<'a>> {
    let mut marked = Cow::Borrowed(diff);
    let mut reader = Reader::default();
    let files = diff.files.iter().enumerate().filter(|(_, file)| may_be_read(file));
    for (at, file) in files.take(FILES_MOST) {
        let Some(cosmetic) = cosmetic_hunks(file, root, &mut reader) else { continue };
        if cosmetic.contains(&true) {
            let hunks = &mut marked.to_mut().files[at].hunks;
            hunks.iter_mut().zip(cosmetic).for_each(|(hunk, is_cosmetic)| hunk.is_cosmetic = is_cosmetic);
        }
    }
    marked
}

fn cosmetic_hunks(file: &FileDiff<'_>, root: &Path, reader: &mut Reader) -> Option<Vec<bool>> {
    let new_path = std::str::from_utf8(file.new_path.as_deref()?).ok()?;
    if std::fs::metadata(root.join(new_path)).ok()?.len() > FILE_BYTES_MOST {
        return None;
    }
    let new = read_below(root, new_path)?;
    Edited::of(file, &new)?;
    let (old, new) = (String::from_utf8(old_side(file, &new)).ok()?, String::from_utf8(new).ok()?);
    let lines = |span: Span| (span.first(), span.lines);
    let edits: Vec<Edit> = file.hunks.iter().map(|hunk| Edit { old: lines(hunk.old), new: lines(hunk.new) }).collect();
    Some(reader.cosmetic(new_path, &old, &new, &edits))
}

/// Whether a file is worth reading: one that moved is not where it was, whatever it says.
fn may_be_read(file: &FileDiff<'_>) -> bool {
    let path = file.new_path.as_deref().and_then(|path| std::str::from_utf8(path).ok());
    file.old_path == file.new_path
        && path.is_some_and(|path| Language::of_path(path).is_some())
        && file.hunks.len() <= HUNKS_MOST
        && file.hunks.iter().any(may_be_cosmetic)
}

/// Whether a look at a hunk leaves room for it: without comments and white space both sides are the same, or a docstring may
/// be near.
fn may_be_cosmetic(hunk: &Hunk<'_>) -> bool {
    let mut sides: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    for line in hunk.lines() {
        if [&b"\"\"\""[..], b"'''"].iter().any(|quotes| memchr::memmem::find(line.text, quotes).is_some()) {
            return true;
        }
        let side = match line.kind {
            LineKind::Context => continue,
            LineKind::Removed => &mut sides[0],
            LineKind::Added => &mut sides[1],
        };
        let code = line.text.trim_ascii();
        if !BEGINNINGS.iter().any(|begin| code.starts_with(begin)) {
            let end = [memchr::memchr(b'#', code), memchr::memmem::find(code, b"//")].into_iter().flatten().min();
            let code = &code[..end.unwrap_or(code.len())];
            side.extend(code.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    sides[0] == sides[1]
}
