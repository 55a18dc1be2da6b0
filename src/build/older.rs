//! Models that join the observations: shards of a suite, or the model that an update adds to.
//!
//! What a model holds of tests and files by themselves becomes observations again. Its blocks, by far the most of it, stay
//! where they are until the file that they are of is laid out.

use super::blocks::Blocks;
use super::{BuildError, Order};
use crate::id::{FeatureId, FileId, TestId, path_in_test_id};
use crate::model::names::NameTable;
use crate::model::{FileView, Index, ModelError, TestRecord};
use crate::observation::{FileKey, Observations, Run, Symbol, TestKey};
use crate::optimize::Level;

/// What prevails where a model and the observations both say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Everything joins.
    Join,
    /// A test that the observations recorded has the new lines alone, one that they declare signals for, or state a text of,
    /// has those alone, a file that they name symbols for has those alone, and a constant, a family or a file of a test that
    /// they state is theirs. All else joins.
    Update,
}

/// Of what a model says of a test, that which has new observations in its place.
#[derive(Clone, Copy, Debug, Default)]
struct Replaced {
    lines: bool,
    signals: bool,
    words: bool,
}

/// A model whose blocks join those of the observations.
pub(super) struct Older<'a, D> {
    index: &'a Index<D>,
    /// The key of each of its tests.
    tests: Vec<TestKey>,
    /// The key of each of its files.
    files: Vec<FileKey>,
    replaced: Vec<Replaced>,
}

impl<'a, D: AsRef<[u8]>> Older<'a, D> {
    /// Adds what a model says to what was seen, but for its blocks; `see_file` sees each of its files, `step` is called for each
    /// file, test and word.
    ///
    /// # Errors
    /// If a part of the model is damaged, or it contradicts what was seen.
    pub(super) fn add(
        index: &'a Index<D>,
        seen: &mut Observations,
        rule: Rule,
        mut see_file: impl FnMut(FileKey, FileId, &FileView<'_>) -> Result<(), ModelError>,
        step: &mut dyn FnMut(),
    ) -> Result<Self, BuildError> {
        let mut older = Self { index, tests: Vec::new(), files: Vec::new(), replaced: Vec::new() };
        each_name(&index.test_names()?, |name| older.tests.push(seen.test(name)))?;
        each_name(&index.paths()?, |path| older.files.push(seen.file(path)))?;
        let facts = older.tests.iter().map(|test| &seen.tests()[test.0 as usize]);
        older.replaced = match rule {
            Rule::Join => vec![Replaced::default(); older.tests.len()],
            Rule::Update => facts
                .map(|facts| Replaced { lines: facts.recorded, signals: facts.has_signals, words: facts.has_text })
                .collect(),
        };
        for (file, key) in (0..).map(FileId).zip(&older.files) {
            let view = index.file(file)?;
            see_file(*key, file, &view)?;
            older.add_file(&view, *key, seen, rule)?;
            step();
        }
        let texts = older.add_tests(seen, rule, step)?;
        older.add_features(seen)?;
        older.add_words(seen, &texts, step)?;
        index.sessions()?.into_iter().for_each(|session| seen.session(session));
        let root = index.root();
        for (name, value) in root.calibration.stated(root.constants_stated) {
            if rule == Rule::Join || !seen.constants().contains_key(name) {
                seen.constant(name, value);
            }
        }
        Ok(older)
    }

    /// Adds tests; tells of each whether the model holds a text of it that counts.
    fn add_tests(&self, seen: &mut Observations, rule: Rule, step: &mut dyn FnMut()) -> Result<Vec<bool>, BuildError> {
        let index = self.index;
        let mut texts = Vec::with_capacity(self.tests.len());
        for test in (0..index.root().tests).map(TestId) {
            let TestRecord { recorded, has_text, family, runs } = index.test_record(test)?;
            let (key, replaced) = (self.tests[test.0 as usize], self.replaced[test.0 as usize]);
            seen.test_mut(key).recorded |= recorded;
            if let Some(family) = family
                && (rule == Rule::Join || seen.tests()[key.0 as usize].family.is_none())
            {
                seen.family(key, &index.family_name(family)?);
            }
            for run in runs {
                let commit = run.commit.map(|commit| index.commit(commit)).transpose()?.unwrap_or_default();
                seen.run(key, Run { time_us: run.time_us, commit, outcome: run.outcome, cost_us: run.cost_us });
            }
            texts.push(has_text && !replaced.words);
            step();
        }
        Ok(texts)
    }

    fn add_file(
        &self,
        view: &FileView<'_>,
        key: FileKey,
        seen: &mut Observations,
        rule: Rule,
    ) -> Result<(), BuildError> {
        for posting in view.defines()?.to_vec()? {
            self.define(self.tests[posting.test.0 as usize], key, seen, rule)?;
        }
        let facts = seen.file_mut(key);
        facts.is_covered |= view.block_count() > 0;
        facts.imported.union(&view.imported().collect());
        if rule == Rule::Join || facts.symbols.is_empty() {
            facts.symbols.extend(symbols(view));
        }
        Ok(())
    }

    /// Makes `file` the one that defines `test`, unless the id says so.
    fn define(&self, test: TestKey, file: FileKey, seen: &mut Observations, rule: Rule) -> Result<(), BuildError> {
        // What the id says anyway was perhaps never declared, and must not stand against what another input declares.
        if path_in_test_id(seen.test_name(test)) == Some(seen.file_path(file)) {
            return Ok(());
        }
        match seen.tests()[test.0 as usize].file {
            None => seen.test_mut(test).file = Some(file),
            Some(known) if known == file || rule == Rule::Update => {}
            Some(known) => {
                return Err(BuildError::FileConflict {
                    test: seen.test_name(test).to_owned(),
                    files: [known, file].map(|file| seen.file_path(file).to_owned()),
                });
            }
        }
        Ok(())
    }

    fn add_features(&self, seen: &mut Observations) -> Result<(), BuildError> {
        let mut names = Vec::new();
        each_name(&self.index.feature_names()?, |name| names.push(name.to_owned()))?;
        for (feature, name) in (0..).map(FeatureId).zip(&names) {
            let entry = self.index.feature(feature)?;
            let key = seen.feature(name);
            if entry.weight_declared {
                seen.weight(name, entry.weight);
            }
            entry.list.for_each(|posting| {
                let test = posting.test.0 as usize;
                if !self.replaced[test].signals {
                    seen.level(self.tests[test], key, Level(posting.signal));
                }
            })?;
            seen.settle()?;
        }
        Ok(())
    }

    /// Adds the words of the tests that have a text; those of names alone come again with the names.
    fn add_words(&self, seen: &mut Observations, texts: &[bool], step: &mut dyn FnMut()) -> Result<(), BuildError> {
        let mut spilled = Ok(());
        self.index.each_word(|word, list| {
            step();
            list.for_each(|posting| {
                let test = posting.test.0 as usize;
                if texts[test] {
                    seen.test_mut(self.tests[test]).has_text = true;
                    seen.word(self.tests[test], word, posting.signal);
                }
            })?;
            if spilled.is_ok() {
                spilled = seen.settle();
            }
            Ok(())
        })?;
        Ok(spilled?)
    }

    /// The keys of its tests.
    pub(super) fn tests(&self) -> &[TestKey] {
        &self.tests
    }

    /// The file at this key, if the model knows it; keys are asked for in the order of their paths.
    pub(super) fn file_of(&self, key: FileKey, next: &mut usize) -> Option<FileId> {
        let is_next = self.files.get(*next) == Some(&key);
        let file = u32::try_from(*next).ok().filter(|_| is_next).map(FileId);
        *next += usize::from(is_next);
        file
    }

    /// What the model knows of the lines of a file.
    pub(super) fn blocks(&self, file: FileId, order: &Order) -> Result<Blocks, ModelError> {
        Blocks::of_view(&self.index.file(file)?, |TestId(test)| {
            let test = test as usize;
            (!self.replaced[test].lines).then(|| order.id(self.tests[test]))
        })
    }
}

/// Visits the names of a table; that they ascend is checked, for what is laid out trusts their order.
fn each_name(names: &NameTable<'_>, mut visit: impl FnMut(&str)) -> Result<(), ModelError> {
    let mut before: Option<Vec<u8>> = None;
    names.scan(0, |_, name| {
        if before.as_deref().is_some_and(|before| before >= name) {
            return Err(names.damaged("its names do not ascend"));
        }
        before = Some(name.to_vec());
        visit(std::str::from_utf8(name).map_err(|_| names.damaged("a name is not UTF-8"))?);
        Ok(true)
    })
}

fn symbols(view: &FileView<'_>) -> impl Iterator<Item = Symbol> {
    view.symbols().map(|symbol| Symbol { lines: symbol.lines, name: symbol.name(), kind: symbol.kind })
}
