//! A recording of the tree after a diff, read as one of the tree before it.
//!
//! A model describes the old side of the next diff. Coverage that was recorded when the change was already made has the
//! new side's lines: those that the diff leaves alone only move, and where a diff puts lines in the place of others, what
//! runs the new ones is taken to run the old ones. An added line was not there, and is forgotten.

use std::collections::{BTreeMap, HashMap};
use std::io;

use crate::diff::{FileDiff, Hunk, LineKind, Status};
use crate::id::path_in_test_id;
use crate::observation::{FileFacts, FileKey, LineRange, LineSet, Observations, Symbol, TestKey};

/// Lines that a diff replaces, adds or removes in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit {
    /// The first new line, or the one that stands behind what is removed.
    new_first: u32,
    new_lines: u32,
    /// The first old line, or the one that stood behind what is added.
    old_first: u32,
    old_lines: u32,
}

impl Edit {
    fn new_end(self) -> u32 {
        self.new_first.saturating_add(self.new_lines)
    }

    fn old_end(self) -> u32 {
        self.old_first.saturating_add(self.old_lines)
    }
}

/// What a diff did to a file that has an old and a new side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Where the file was.
    pub old_path: String,
    /// Where it is.
    pub new_path: String,
    /// Ascending and disjoint.
    edits: Vec<Edit>,
}

impl Edited {
    /// What `file` of a diff did, if the file has both sides and `content` is its new one, as far as the diff shows it.
    pub fn of(file: &FileDiff<'_>, content: &[u8]) -> Option<Self> {
        if file.status == Status::Copied {
            return None; // The original is seen as it is.
        }
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let (old_path, new_path) = (text(file.old_path.as_deref()?), text(file.new_path.as_deref()?));
        let lines: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
        let is_there = |line: crate::diff::Line<'_>| {
            let found = (line.new_line as usize).checked_sub(1).and_then(|at| lines.get(at));
            line.kind == LineKind::Removed
                || found.is_some_and(|found| found.strip_suffix(b"\r").unwrap_or(found) == line.text)
        };
        let edits: Vec<Edit> = file.hunks.iter().flat_map(edits).collect();
        let ascends =
            edits.windows(2).all(|two| two[0].new_end() <= two[1].new_first && two[0].old_end() <= two[1].old_first);
        let fits = ascends && file.hunks.iter().all(|hunk| hunk.lines().all(is_there));
        fits.then_some(Self { old_path, new_path, edits })
    }

    /// The old lines of a set of new ones.
    fn lines(&self, new: &LineSet) -> LineSet {
        let mut old = Vec::new();
        new.ranges().iter().for_each(|&range| self.range(range, &mut old));
        old.into_iter().collect()
    }

    /// Adds the old lines of a range of new ones.
    fn range(&self, new: LineRange, old: &mut Vec<LineRange>) {
        let mut next = new.first;
        let from = self.edits.partition_point(|edit| edit.new_end() <= new.first);
        for edit in self.edits[from..].iter().take_while(|edit| edit.new_first <= new.last) {
            if next < edit.new_first {
                let first = self.moved(next);
                old.push(LineRange { first, last: first.saturating_add(edit.new_first - 1 - next) });
            }
            old.extend(replaced(*edit, new));
            next = edit.new_end().max(next);
        }
        if next <= new.last {
            let first = self.moved(next);
            old.push(LineRange { first, last: first.saturating_add(new.last - next) });
        }
    }

    /// Where a line that no edit holds was; for one of an edit, where the edit begins.
    fn moved(&self, new: u32) -> u32 {
        let after = self.edits.partition_point(|edit| edit.new_end() <= new);
        match (self.edits.get(after), after.checked_sub(1).map(|before| self.edits[before])) {
            (Some(edit), _) if edit.new_first <= new => edit.old_first,
            (_, Some(edit)) => edit.old_end().saturating_add(new - edit.new_end()),
            (_, None) => new,
        }
    }

    fn facts(&self, new: FileFacts) -> FileFacts {
        let symbol = |symbol: Symbol| {
            let (first, last) = (self.moved(symbol.lines.first), self.moved(symbol.lines.last));
            Symbol { lines: LineRange { first, last: last.max(first) }, ..symbol }
        };
        FileFacts {
            is_covered: false,
            imported: self.lines(&new.imported),
            symbols: new.symbols.into_iter().map(symbol).collect(),
        }
    }
}

/// The old lines that stood where an edit has those of `new`: of a replacement line by line, and the rest of the old
/// lines with the last new one. What was removed from within the range was run with its neighbours.
fn replaced(edit: Edit, new: LineRange) -> Option<LineRange> {
    let last_old = edit.old_end().checked_sub(1)?;
    if edit.old_lines == 0 || edit.new_lines == 0 && new.first >= edit.new_first {
        return None;
    }
    let at = |line: u32| edit.old_first.saturating_add(line.saturating_sub(edit.new_first)).min(last_old);
    let last = if new.last.saturating_add(1) >= edit.new_end() { last_old } else { at(new.last) };
    Some(LineRange { first: at(new.first), last })
}

/// The edits of a hunk: runs of lines that are not context.
fn edits(hunk: &Hunk<'_>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut within = false;
    for line in hunk.lines() {
        if line.kind == LineKind::Context {
            within = false;
            continue;
        }
        if !within {
            edits.push(Edit { new_first: line.new_line, new_lines: 0, old_first: line.old_line, old_lines: 0 });
            within = true;
        }
        if let Some(edit) = edits.last_mut() {
            edit.new_lines += u32::from(line.kind == LineKind::Added);
            edit.old_lines += u32::from(line.kind == LineKind::Removed);
        }
    }
    edits
}

/// The old side of a file of a diff, where `new` is its new one, as [`Edited::of`] tells.
pub fn old_side(file: &FileDiff<'_>, new: &[u8]) -> Vec<u8> {
    let mut left = new.split_inclusive(|&byte| byte == b'\n');
    let (mut old, mut next) = (Vec::with_capacity(new.len()), 1);
    for line in file.hunks.iter().flat_map(Hunk::lines) {
        while next < line.new_line
            && let Some(same) = left.next()
        {
            old.extend_from_slice(same);
            next += 1;
        }
        match line.kind {
            LineKind::Context => {}
            LineKind::Added => {
                left.next();
                next += 1;
            }
            LineKind::Removed => {
                old.extend_from_slice(line.text);
                old.push(b'\n');
            }
        }
    }
    left.for_each(|same| old.extend_from_slice(same));
    old
}

/// Makes of what was observed after `edited` what would have been observed before. Tests keep their ids: those of a file
/// that moved count as defined where it was.
///
/// # Errors
/// If what was spilled cannot be read.
///
/// # Panics
/// With 2^32 files.
pub fn unapply(seen: &mut Observations, edited: &[Edited]) -> io::Result<()> {
    let known = edited.iter().filter_map(|edited| Some((seen.known_file(&edited.new_path)?, edited)));
    let by_file: BTreeMap<FileKey, &Edited> = known.collect();
    // All is taken before any is put back: files may have changed places.
    let lines = seen.take_lines(&by_file.keys().copied().collect())?;
    let facts: Vec<(FileFacts, &Edited)> =
        by_file.iter().map(|(&file, &edited)| (std::mem::take(seen.file_mut(file)), edited)).collect();
    for (facts, edited) in facts {
        let key = seen.file(&edited.old_path);
        *seen.file_mut(key) = edited.facts(facts);
    }
    for (file, test, lines) in lines {
        let edited = by_file[&file];
        let key = seen.file(&edited.old_path);
        seen.cover(test, key, &edited.lines(&lines));
    }
    let by_path: HashMap<&str, &Edited> = edited.iter().map(|edited| (edited.new_path.as_str(), edited)).collect();
    let moved: Vec<(TestKey, &Edited)> = (0..)
        .map(TestKey)
        .zip(seen.test_names())
        .filter_map(|(key, name)| Some((key, *by_path.get(path_in_test_id(name)?)?)))
        .filter(|(_, edited)| edited.old_path != edited.new_path)
        .collect();
    for (test, edited) in moved {
        let file = seen.file(&edited.old_path);
        seen.test_mut(test).file = Some(file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff;

    const OLD: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    /// Two lines added at the top, 3 replaced by two, 5 and 6 removed.
    const NEW: &str = "a\nb\n1\n2\nc\nd\n4\n7\n8\n9\n";
    const DIFF: &str =
        "--- a/f.py\n+++ b/f.py\n@@ -0,0 +1,2 @@\n+a\n+b\n@@ -3 +5,2 @@\n-3\n+c\n+d\n@@ -5,2 +7,0 @@\n-5\n-6\n";

    fn edited() -> Edited {
        Edited::of(&diff::parse(DIFF.as_bytes()).unwrap().files[0], NEW.as_bytes()).unwrap()
    }

    fn old(ranges: &[[u32; 2]]) -> Vec<[u32; 2]> {
        let set = ranges.iter().map(|&[first, last]| LineRange { first, last }).collect();
        edited().lines(&set).ranges().iter().map(|range| [range.first, range.last]).collect()
    }

    #[test]
    fn lines_go_back_to_where_they_were() {
        assert_eq!(old(&[[1, 2]]), [[0; 2]; 0], "added lines were not there");
        assert_eq!(old(&[[3, 4]]), [[1, 2]]);
        assert_eq!(old(&[[5, 5]]), [[3, 3]], "what replaces a line stands for it");
        assert_eq!(old(&[[6, 6]]), [[3, 3]]);
        assert_eq!(old(&[[7, 7]]), [[4, 4]]);
        assert_eq!(old(&[[8, 8]]), [[7, 7]]);
        assert_eq!(old(&[[7, 8]]), [[4, 7]], "what was removed ran with both its neighbours");
        assert_eq!(old(&[[1, 10]]), [[1, 9]]);
        assert_eq!(old(&[[4, 5], [10, 10_000_000]]), [[2, 3], [9, 9_999_999]]);
    }

    #[test]
    fn only_the_new_side_is_unapplied() {
        let diff = diff::parse(DIFF.as_bytes()).unwrap();
        assert!(Edited::of(&diff.files[0], NEW.replace('\n', "\r\n").as_bytes()).is_some());
        for content in [OLD, "", "a\nb\n1\n2\nc\n"] {
            assert_eq!(Edited::of(&diff.files[0], content.as_bytes()), None);
        }
    }

    #[test]
    fn the_old_side_comes_back() {
        let diff = diff::parse(DIFF.as_bytes()).unwrap();
        assert_eq!(old_side(&diff.files[0], NEW.as_bytes()), OLD.as_bytes());
        let (old, new) = ("a\nb\nc\nd\n", "a\nx\nd\ne\n");
        let with_context = "--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n a\n-b\n-c\n+x\n d\n+e\n";
        let diff = diff::parse(with_context.as_bytes()).unwrap();
        assert_eq!(old_side(&diff.files[0], new.as_bytes()), old.as_bytes());
    }

    #[test]
    fn a_file_that_moved_is_seen_where_it_was() {
        let moved = |from: &str, to: &str| Edited { old_path: from.to_owned(), new_path: to.to_owned(), edits: vec![] };
        let mut seen = Observations::default();
        for (path, line) in [("a.py", 1), ("b.py", 2)] {
            let (test, file) = (seen.test(&format!("{path}::test")), seen.file(path));
            seen.cover(test, file, &[LineRange::single(line)].into_iter().collect());
        }
        unapply(&mut seen, &[moved("b.py", "a.py"), moved("a.py", "b.py")]).unwrap();
        for (path, other, line) in [("a.py", "b.py", 2), ("b.py", "a.py", 1)] {
            let (test, file) = (seen.test(&format!("{other}::test")), seen.file(path));
            assert_eq!(seen.tests()[test.0 as usize].file, Some(file));
            assert!(seen.all_lines().unwrap()[&(file, test)].contains(line));
        }
    }
}
