//! What several files tell together: the tests of a tree, and what each of them says.
//!
//! The words of fixtures and helpers are left out. Measured on six projects with nothing recorded, a quarter of each of
//! their words, one call or two away, found fewer of the bug fixes at 1 % of the suite's time (.86 to .88 for .90) and more of
//! the hard mutants (.85 to .88 for .83), in no case beyond noise.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use super::language::Language;
use super::manifest::{Manifest, NAMES as MANIFESTS};
use super::outline::{Definition, Import, Outline};
use crate::id::path_in_test_id;
use crate::observation::{LineRange, Observations, Symbol, TestKey};
use crate::words::test_words;

/// Modules that hand a name on, one after the other.
const RE_EXPORTS_DEEP: usize = 4;

/// A definition in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) definition: u32,
}

/// A test that a runner collects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestItem {
    /// Its id, as the runner takes it.
    pub(super) id: String,
    /// What it says.
    pub(super) at: At,
}

/// A test of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTest<'a> {
    /// Its id, as the runner takes it.
    pub id: String,
    /// The file that it is collected from.
    pub path: &'a str,
    /// The language of that file.
    pub language: Language,
    /// Where it stands in that file, without what decorates it; `None` if it is inherited from another.
    pub lines: Option<LineRange>,
}

struct SourceFile {
    path: String,
    outline: Outline,
    /// What it defines that another file may name.
    named: HashMap<String, u32>,
    /// Its imports by what they are called.
    imported: HashMap<String, Vec<u32>>,
}

/// The outlines of a tree.
pub struct Project {
    /// Ascending by path.
    files: Vec<SourceFile>,
    by_path: HashMap<String, usize>,
    /// Files by the last component of their paths.
    by_name: HashMap<String, Vec<usize>>,
    /// By folder; of a folder the one that its runner prefers first.
    manifests: HashMap<String, Vec<Manifest>>,
}

/// What was found in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Files and tests by language.
    pub languages: BTreeMap<&'static str, (usize, usize)>,
    /// Tests that were known already.
    pub known: usize,
    /// Tests that are new.
    pub new: usize,
    /// Files that hold something that no grammar understands, by path.
    pub broken: Vec<String>,
    /// Languages whose tests a recording calls by other names than their usual runner: none of them is added.
    pub called_otherwise: BTreeSet<&'static str>,
}

impl Project {
    /// A tree of these files, each with its path relative to the root, and of these manifests, by theirs.
    pub fn new(mut outlines: Vec<(String, Outline)>, mut listed: Vec<(String, Manifest)>) -> Self {
        outlines.sort_by(|a, b| a.0.cmp(&b.0));
        outlines.dedup_by(|next, first| next.0 == first.0);
        let rank = |path: &str| MANIFESTS.iter().position(|name| path.ends_with(name));
        listed.sort_by(|a, b| (rank(&a.0), &a.0).cmp(&(rank(&b.0), &b.0)));
        let mut manifests: HashMap<String, Vec<Manifest>> = HashMap::new();
        for (path, manifest) in listed {
            manifests.entry(folder_of(&path).to_owned()).or_default().push(manifest);
        }
        let files: Vec<SourceFile> =
            outlines.into_par_iter().map(|(path, outline)| SourceFile::new(path, outline)).collect();
        let by_path = files.iter().enumerate().map(|(at, file)| (file.path.clone(), at)).collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            by_name.entry(name.to_owned()).or_default().push(at);
        }
        Self { files, by_path, by_name, manifests }
    }

    /// Adds symbols, tests and their words to what was observed. What is known of a file's symbols stays; a test that is
    /// known, or some of its variants, gets its text.
    pub fn observe(&self, into: &mut Observations) -> Found {
        let mut found = Found::default();
        for file in &self.files {
            found.languages.entry(file.outline.language.name()).or_default().0 += 1;
            if !file.outline.is_whole {
                found.broken.push(file.path.clone());
            }
            let key = into.file(&file.path);
            let facts = into.file_mut(key);
            if facts.symbols.is_empty() {
                let symbol = |it: &Definition| Symbol { lines: it.lines, name: it.name.clone(), kind: it.kind };
                facts.symbols.extend(file.outline.definitions.iter().map(symbol));
            }
        }
        let mut known: HashMap<String, Vec<TestKey>> = HashMap::new();
        for (key, name) in (0..).map(TestKey).zip(into.test_names()) {
            let base = name.split_once('[').map_or(name.as_str(), |(base, _)| base);
            known.entry(base.to_owned()).or_default().push(key);
        }
        let tests: Vec<(Language, Vec<TestItem>)> =
            (0..self.files.len()).into_par_iter().map(|file| self.tests_of(file)).collect();
        found.called_otherwise = called_otherwise(into, &tests, &known);
        for (file, (language, tests)) in self.files.iter().zip(tests) {
            for item in tests {
                found.languages.entry(language.name()).or_default().1 += 1;
                let keys = match known.get(&item.id) {
                    Some(keys) => {
                        found.known += 1;
                        keys.clone()
                    }
                    None if found.called_otherwise.contains(language.name()) => continue,
                    None => {
                        found.new += 1;
                        vec![into.test(&item.id)]
                    }
                };
                let words = &self.definition(item.at).words;
                let defined_in = into.file(&file.path);
                for key in keys {
                    let facts = into.test_mut(key);
                    facts.file = facts.file.or(Some(defined_in));
                    let mut counts = test_words(into.test_name(key), Some(&file.path), None);
                    words.iter().for_each(|&(word, count)| *counts.entry(word).or_default() += count);
                    into.words(key, counts);
                }
            }
        }
        found
    }

    /// The tests of the tree.
    pub fn tests(&self) -> Vec<FoundTest<'_>> {
        let of = |file: usize| {
            let (_, items) = self.tests_of(file);
            items.into_iter().map(move |item| {
                let SourceFile { path, outline, .. } = &self.files[file];
                // One that is inherited stands elsewhere; of it the class that inherits is what the file holds.
                let lines = (item.at.file == file).then(|| self.definition(item.at).lines);
                FoundTest { id: item.id, path, language: outline.language, lines }
            })
        };
        (0..self.files.len()).flat_map(of).collect()
    }

    fn tests_of(&self, file: usize) -> (Language, Vec<TestItem>) {
        let outline = &self.files[file].outline;
        let mut items = outline.language.rules().tests(self, file);
        items.sort_by(|a, b| a.id.cmp(&b.id));
        items.dedup_by(|next, first| next.id == first.id);
        (outline.language, items)
    }

    pub(super) fn file(&self, file: usize) -> (&str, &Outline) {
        (&self.files[file].path, &self.files[file].outline)
    }

    pub(super) fn definition(&self, at: At) -> &Definition {
        &self.files[at.file].outline.definitions[at.definition as usize]
    }

    pub(super) fn last_name(&self, at: At) -> &str {
        self.definition(at).last_name(&self.files[at.file].outline.definitions)
    }

    /// What stands directly in a definition.
    pub(super) fn members(&self, at: At) -> Vec<At> {
        let definitions = &self.files[at.file].outline.definitions;
        let within = (at.definition + 1..).zip(&definitions[at.definition as usize + 1..]);
        let within = within.take_while(|(_, it)| it.parent.is_some_and(|parent| parent >= at.definition));
        let own = within.filter(|(_, it)| it.parent == Some(at.definition));
        own.map(|(definition, _)| At { file: at.file, definition }).collect()
    }

    /// The file at a path.
    pub(super) fn at_path(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// Of the files whose path ends with `path`, the one that shares the most folders with `near`; of equals the one with the
    /// shortest path, then the first.
    pub(super) fn nearest(&self, path: &str, near: usize) -> Option<usize> {
        let name = path.rsplit('/').next()?;
        let near = &self.files[near].path;
        let shared = |other: &str| other.split('/').zip(near.split('/')).take_while(|(a, b)| a == b).count();
        let ends = |other: &str| other.strip_suffix(path).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        let candidates = self.by_name.get(name)?.iter().copied().filter(|&at| ends(&self.files[at].path));
        candidates.max_by_key(|&at| {
            let path = &self.files[at].path;
            (shared(path), std::cmp::Reverse((path.split('/').count(), at)))
        })
    }

    /// The class or function that a dotted name means in a file: its own, or one that it imports.
    pub(super) fn look_up(&self, file: usize, name: &str) -> Option<At> {
        let mut parts = name.split('.');
        let first = parts.next()?;
        let last = name.rsplit('.').next()?;
        let own = self.files[file].defined(first).filter(|_| first == last);
        if let Some(definition) = own {
            return Some(At { file, definition });
        }
        let imports = self.files[file].imports(first);
        let named = imports.flat_map(|import| self.imported(file, import, last, RE_EXPORTS_DEEP));
        named.into_iter().next()
    }

    /// What an import of a file means: the definition called as it says, or as `name` where it means a module.
    fn imported(&self, file: usize, import: &Import, name: &str, deep: usize) -> Option<At> {
        let language = self.files[file].outline.language;
        let wanted = if import.name.is_empty() || import.name == "*" { name } else { import.name.as_str() };
        for target in language.rules().targets(self, file, import) {
            let own = [wanted, name].into_iter().find_map(|name| self.files[target].defined(name));
            if let Some(definition) = own {
                return Some(At { file: target, definition });
            }
            if deep > 0 {
                let handed_on = self.files[target].imports(wanted).chain(self.files[target].imports("*"));
                let found = handed_on.into_iter().find_map(|next| self.imported(target, next, wanted, deep - 1));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Where a manifest of a kind holds for a path, and what `of` reads in it: the nearest upwards.
    pub(super) fn manifest<'a, T>(
        &'a self,
        path: &'a str,
        of: impl Fn(&'a Manifest) -> Option<T>,
    ) -> Option<(&'a str, T)> {
        let upwards = std::iter::successors(Some(folder_of(path)), |at| (!at.is_empty()).then(|| folder_of(at)));
        let in_folder = |folder: &'a str| Some((folder, self.manifests.get(folder)?.iter().find_map(&of)?));
        upwards.into_iter().find_map(in_folder)
    }
}

/// The folder that a path stands in, empty for the root.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The languages whose files were recorded although the recording knows none of their tests.
fn called_otherwise(
    seen: &Observations,
    tests: &[(Language, Vec<TestItem>)],
    known: &HashMap<String, Vec<TestKey>>,
) -> BTreeSet<&'static str> {
    let covered = seen.files().iter().zip(seen.file_paths()).filter(|(facts, _)| facts.is_covered);
    let mut languages: BTreeSet<&str> =
        covered.filter_map(|(_, path)| Language::of_path(path)).map(Language::name).collect();
    for (language, tests) in tests {
        if languages.contains(language.name()) && tests.iter().any(|item| known.contains_key(&item.id)) {
            languages.remove(language.name());
        }
    }
    // A shard may know no test that is found, and call its own as they would be.
    let named = known.keys().filter_map(|id| Language::of_path(path_in_test_id(id)?));
    named.for_each(|language| _ = languages.remove(language.name()));
    languages
}

impl SourceFile {
    fn new(path: String, outline: Outline) -> Self {
        let mut named: HashMap<String, u32> = HashMap::new();
        for (at, definition) in (0..).zip(&outline.definitions).filter(|(_, it)| it.parent.is_none()) {
            named.insert(definition.name.clone(), at);
        }
        let mut imported: HashMap<String, Vec<u32>> = HashMap::new();
        for (at, import) in (0..).zip(&outline.imports) {
            imported.entry(import.alias.clone()).or_default().push(at);
        }
        Self { path, outline, named, imported }
    }

    /// What is called so and stands outside of everything else; of several the last.
    fn defined(&self, name: &str) -> Option<u32> {
        self.named.get(name).copied()
    }

    fn imports(&self, name: &str) -> impl Iterator<Item = &Import> {
        let positions = self.imported.get(name).map_or(&[][..], Vec::as_slice);
        positions.iter().map(|&at| &self.outline.imports[at as usize])
    }
}
