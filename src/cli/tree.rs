//! Whether the tree still has a test: one id that the tree no longer has makes a runner such as pytest run nothing.
//!
//! For chosen ids only: the file that the id names must exist and hold the test's name. A file whose size is as recorded
//! and that the diff does not touch is not read.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::diff::Diff;
use crate::id::{TestId, path_in_test_id};
use crate::model::{Index, ModelError};

/// A file of the tree, as far as it was looked at.
enum TreeFile {
    Missing,
    /// As recorded: what it held, it holds.
    Same,
    Changed(Vec<u8>),
}

/// The tree that the chosen tests must still be in.
pub(super) struct Tree {
    root: PathBuf,
    /// What the diff did to files: the new path of each old one, or none for a file that is gone.
    moved: HashMap<String, Option<String>>,
    files: HashMap<String, TreeFile>,
    /// Files that are not as recorded although the diff does not touch them.
    pub(super) changed_since: usize,
}

impl Tree {
    /// The tree at `root`, after `diff`.
    pub(super) fn new(root: &Path, diff: &Diff<'_>) -> Self {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let moved = diff
            .files
            .iter()
            .filter_map(|file| Some((text(file.old_path.as_deref()?), file.new_path.as_deref().map(text))))
            .collect();
        Self { root: root.to_owned(), moved, files: HashMap::new(), changed_since: 0 }
    }

    /// Whether any of these tests' files is there: else this is not the tree that the model describes.
    pub(super) fn holds_any<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> bool {
        ids.into_iter().filter_map(path_in_test_id).any(|path| self.root.join(self.now(path)).exists())
    }

    /// Where a file of the model's tree is now.
    fn now<'a>(&'a self, path: &'a str) -> &'a str {
        self.moved.get(path).and_then(Option::as_deref).unwrap_or(path)
    }

    /// The id of a test as the tree names it now, or `None` if the tree no longer has it.
    pub(super) fn current_id<D: AsRef<[u8]>>(
        &mut self,
        index: &Index<D>,
        test: TestId,
    ) -> Result<Option<String>, ModelError> {
        let id = index.test_name(test)?;
        let Some(path) = path_in_test_id(&id).map(str::to_owned) else { return Ok(Some(id)) };
        if !self.files.contains_key(&path) {
            let file = self.look(index, &path)?;
            if matches!(file, TreeFile::Changed(_)) && !self.moved.contains_key(&path) {
                self.changed_since += 1;
            }
            self.files.insert(path.clone(), file);
        }
        let there = match self.files.get(&path) {
            Some(TreeFile::Same) => true,
            Some(TreeFile::Changed(content)) => names_in(&id[path.len()..]).all(|name| holds_word(content, name)),
            Some(TreeFile::Missing) | None => false,
        };
        let now = self.now(&path);
        Ok(there.then(|| if now == path { id.clone() } else { format!("{now}{}", &id[path.len()..]) }))
    }

    /// Whether the tree still has a test that is known by its id alone.
    pub(super) fn holds_id(&self, id: &str) -> bool {
        let Some(path) = path_in_test_id(id) else { return true };
        let content = fs::read(self.root.join(path));
        content.is_ok_and(|content| names_in(&id[path.len()..]).all(|name| holds_word(&content, name)))
    }

    fn look<D: AsRef<[u8]>>(&self, index: &Index<D>, path: &str) -> Result<TreeFile, ModelError> {
        let now = self.now(path);
        let full = self.root.join(now);
        let Ok(metadata) = fs::metadata(&full) else { return Ok(TreeFile::Missing) };
        if !metadata.is_file() {
            return Ok(TreeFile::Missing);
        }
        let stamp = match index.find_file(path)? {
            Some(file) => index.file(file)?.stamp(),
            None => None,
        };
        let touched = self.moved.contains_key(path);
        if !touched && stamp.is_some_and(|(size_bytes, _)| size_bytes == metadata.len()) {
            return Ok(TreeFile::Same);
        }
        Ok(fs::read(&full).map_or(TreeFile::Missing, TreeFile::Changed))
    }
}

/// The names that a test's file must hold: the classes and the function of a node id, without its parameters.
fn names_in(rest: &str) -> impl Iterator<Item = &str> {
    let names = rest.split('[').next().unwrap_or_default();
    names.split("::").filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Whether `content` holds `word` with no letter, digit or underscore on either side.
fn holds_word(content: &[u8], word: &str) -> bool {
    let within_word = |byte: Option<&u8>| byte.is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_');
    memchr::memmem::find_iter(content, word.as_bytes()).any(|at| {
        let before = at.checked_sub(1).and_then(|at| content.get(at));
        !within_word(before) && !within_word(content.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        assert!(holds_word(b"def test_a(x):", "test_a"));
        assert!(!holds_word(b"def test_ab(x):", "test_a"));
        assert!(holds_word(b"test_ab test_a", "test_a"));
        assert!(!holds_word(b"", "test_a"));
    }

    #[test]
    fn names_stop_at_the_parameters() {
        assert_eq!(names_in("::TestA::test_b[c::d]").collect::<Vec<_>>(), ["TestA", "test_b"]);
        assert_eq!(names_in("::test b").count(), 0, "a name that no file could hold as a word is not asked for");
    }
}
