//! Whether the tree still has a test: one id that the tree no longer has makes a runner such as pytest run nothing.
//!
//! For chosen ids only: the file that the id names must exist and hold the test's name. A file whose size is as recorded
//! and that the diff does not touch is not read.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::find::path_in_failed_id;
use super::model_source::Place;
use crate::diff::{Diff, FileDiff, Status};
use crate::id::{TestId, path_in_test_id};
use crate::model::{Index, ModelError};

/// Tests, evenly over the model, of which one must have its file in a tree for the tree to be the model's.
const SAMPLE: usize = 32;

/// Renames of one file that are followed: a diff of many commits may move a file several times.
const RENAMES_MOST: usize = 16;

/// A file of the model's tree, as far as it was looked at.
struct TreeFile {
    /// Its path now.
    path: String,
    content: Content,
}

enum Content {
    Missing,
    /// As recorded: what it held, it holds.
    Same,
    Changed(Vec<u8>),
}

/// The tree that the chosen tests must still be in.
pub(super) struct Tree {
    root: PathBuf,
    /// Where the root really is, behind all links.
    real_root: Option<PathBuf>,
    /// Whether folders that were asked about are in the tree, behind all links.
    folders: RefCell<HashMap<PathBuf, bool>>,
    renamed: HashMap<String, String>,
    /// Old paths of the diff.
    touched: HashSet<String>,
    /// By the path that the model knows.
    files: HashMap<String, TreeFile>,
    /// Tests whose files the diff deletes, whether their ids say so or not.
    gone: HashSet<String>,
    /// Paths that the model knows, of tests that are gone.
    lost: HashSet<String>,
    /// Files that are not as recorded although the diff does not touch them.
    pub(super) changed_since: usize,
}

impl Tree {
    /// The tree of the model at `place`, after `diff`. None where a model was named and its tree was not: unless the
    /// folder that it stands in holds its test files, there is nothing to check its ids against.
    pub(super) fn of<D: AsRef<[u8]>>(
        place: &Place,
        index: &Index<D>,
        diff: &Diff<'_>,
    ) -> Result<Option<Self>, ModelError> {
        let mut tree = Self::new(&place.root, diff);
        let deleted = diff.files.iter().filter(|file| file.status == Status::Deleted);
        for path in deleted.filter_map(|file| file.old_path.as_deref()) {
            let Some(file) = index.find_file(&String::from_utf8_lossy(path))? else { continue };
            for posting in index.file(file)?.defines()?.to_vec()? {
                tree.gone.insert(index.test_name(posting.test)?);
            }
        }
        Ok((!place.named || place.root_named || tree.holds_tests_of(index)?).then_some(tree))
    }

    fn new(root: &Path, diff: &Diff<'_>) -> Self {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        // The original of a copy stays as it is.
        let files = || diff.files.iter().filter(|file| file.status != Status::Copied);
        let both = |file: &FileDiff<'_>| Some((text(file.old_path.as_deref()?), text(file.new_path.as_deref()?)));
        Self {
            root: root.to_owned(),
            real_root: fs::canonicalize(root).ok(),
            folders: RefCell::default(),
            renamed: files().filter_map(both).filter(|(old, new)| old != new).collect(),
            touched: files().filter_map(|file| file.old_path.as_deref().map(text)).collect(),
            files: HashMap::new(),
            gone: HashSet::new(),
            lost: HashSet::new(),
            changed_since: 0,
        }
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn holds_tests_of<D: AsRef<[u8]>>(&self, index: &Index<D>) -> Result<bool, ModelError> {
        let tests = index.root().tests;
        for test in (0..tests).step_by((tests as usize / SAMPLE).max(1)) {
            let id = index.test_name(TestId(test))?;
            if path_in_test_id(&id).is_some_and(|path| self.size_bytes(&self.now(path)).is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The test of the model that `id` names in the tree, where the diff renamed its file.
    pub(super) fn renamed_test<D: AsRef<[u8]>>(
        &self,
        index: &Index<D>,
        id: &str,
    ) -> Result<Option<TestId>, ModelError> {
        let Some(mut path) = path_in_failed_id(id) else { return Ok(None) };
        let rest = &id[path.len()..];
        for _ in 0..RENAMES_MOST {
            // A diff of several commits may rename two files to one.
            let olds = self.renamed.iter().filter(|(_, new)| *new == path).map(|(old, _)| old);
            let Some(old) = olds.min() else { break };
            if let Some(test) = index.find_test(&format!("{old}{rest}"))? {
                return Ok(Some(test));
            }
            path = old;
        }
        Ok(None)
    }

    /// Where a file of the model's tree is now: the first place it was renamed to that is there.
    fn now(&self, path: &str) -> String {
        let places = std::iter::successors(self.renamed.get(path), |&path| self.renamed.get(path));
        let there = places.take(RENAMES_MOST).find(|path| self.size_bytes(path).is_some());
        there.map_or(path, String::as_str).to_owned()
    }

    /// The size of a file of the tree. A path that leads out of it is no file of it.
    fn size_bytes(&self, path: &str) -> Option<u64> {
        let metadata = fs::metadata(self.below_root(path)?).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    fn below_root(&self, path: &str) -> Option<PathBuf> {
        let within = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        Path::new(path).components().all(within).then(|| self.root.join(path))
    }

    /// The content of a file of the tree, unless a link leads out of it.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let full = self.below_root(path)?;
        let kind = fs::symlink_metadata(&full).ok()?.file_type();
        let is_within = match kind.is_symlink() {
            true => self.holds(&full) && full.is_file(),
            false => kind.is_file() && self.holds_folder(full.parent()?),
        };
        is_within.then(|| fs::read(full).ok()).flatten()
    }

    /// Whether what a path leads to is in the tree.
    fn holds(&self, path: &Path) -> bool {
        let real = fs::canonicalize(path).ok().zip(self.real_root.as_ref());
        real.is_some_and(|(real, root)| real.starts_with(root))
    }

    /// As [`Tree::holds`]; the tests of a folder ask once.
    fn holds_folder(&self, folder: &Path) -> bool {
        if let Some(&known) = self.folders.borrow().get(folder) {
            return known;
        }
        let found = self.holds(folder);
        self.folders.borrow_mut().insert(folder.to_owned(), found);
        found
    }

    /// `id` as the tree names it now, or `None` if the tree no longer has it.
    pub(super) fn current_id<D: AsRef<[u8]>>(
        &mut self,
        index: &Index<D>,
        id: &str,
    ) -> Result<Option<String>, ModelError> {
        match path_in_test_id(id) {
            Some(path) => self.current_id_at(index, id, path),
            None => Ok((!self.gone.contains(id)).then(|| id.to_owned())),
        }
    }

    /// [`Tree::current_id`] of an id that the model need not know: without a path it must, and whatever it does not know
    /// is looked for in the file.
    pub(super) fn current_failed_id<D: AsRef<[u8]>>(
        &mut self,
        index: &Index<D>,
        id: &str,
    ) -> Result<Option<String>, ModelError> {
        let is_known = index.find_test(id)?.is_some();
        let Some(path) = path_in_failed_id(id) else {
            return Ok(is_known.then(|| id.to_owned()));
        };
        let Some(now) = self.current_id_at(index, id, path)? else { return Ok(None) };
        let file = &self.files[path];
        let holds = |content: Vec<u8>| names_in(&id[path.len()..]).all(|name| holds_word(&content, name));
        let there = is_known || !matches!(file.content, Content::Same) || self.read(&file.path).is_some_and(holds);
        Ok(there.then_some(now))
    }

    fn current_id_at<D: AsRef<[u8]>>(
        &mut self,
        index: &Index<D>,
        id: &str,
        path: &str,
    ) -> Result<Option<String>, ModelError> {
        if !self.files.contains_key(path) {
            let file = self.look(index, path)?;
            if matches!(file.content, Content::Changed(_)) && !self.touched.contains(path) {
                self.changed_since += 1;
            }
            self.files.insert(path.to_owned(), file);
        }
        let rest = &id[path.len()..];
        let file = &self.files[path];
        let there = match &file.content {
            Content::Same => true,
            Content::Changed(content) => names_in(rest).all(|name| holds_word(content, name)),
            Content::Missing => false,
        };
        if !there {
            self.lost.insert(path.to_owned());
        }
        Ok(there.then(|| format!("{}{rest}", file.path)))
    }

    /// Whether the tests that are gone are those that `diff` deletes, file by file, and it does nothing else.
    pub(super) fn lost_only_what(&self, diff: &Diff<'_>) -> bool {
        let deleted = |file: &FileDiff<'_>| match file.status {
            Status::Deleted => file.old_path.as_deref().map(|path| String::from_utf8_lossy(path).into_owned()),
            _ => None,
        };
        let deleted: Option<HashSet<String>> = diff.files.iter().map(deleted).collect();
        deleted.is_some_and(|deleted| !deleted.is_empty() && deleted == self.lost)
    }

    fn look<D: AsRef<[u8]>>(&self, index: &Index<D>, path: &str) -> Result<TreeFile, ModelError> {
        let now = self.now(path);
        let Some(size_bytes) = self.size_bytes(&now) else {
            return Ok(TreeFile { path: now, content: Content::Missing });
        };
        let stamp = match index.find_file(path)? {
            Some(file) => index.file(file)?.stamp(),
            None => None,
        };
        let as_recorded = !self.touched.contains(path) && stamp.is_some_and(|(recorded, _)| recorded == size_bytes);
        let content = match as_recorded {
            true => Content::Same,
            false => self.read(&now).map_or(Content::Missing, Content::Changed),
        };
        Ok(TreeFile { path: now, content })
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
