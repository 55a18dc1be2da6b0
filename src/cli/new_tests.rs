//! The tests that a diff adds and the model does not know, as the tree has them: the files of the diff are read again, and
//! nothing else but the settings of their runners.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::build::read_below;
use super::model_source::Model;
use crate::diff::{Diff, FileDiff, LineKind, Status};
use crate::id::TestId;
use crate::model::ModelError;
use crate::source::{FILE_BYTES_MOST, FoundTest, Language, MANIFESTS, Manifest, Project, Reader};

/// Files of one diff that are read, at most: beyond that it is no edit but a merge, and its tests are many.
const FILES_MOST: usize = 256;

/// Tests of the model whose ids are looked at for the form that it gives them.
const SAMPLE: u32 = 16;

/// The new tests in the tree at `root`, by id, in the order of the diff's files and of their ids within.
pub(super) fn find(root: &Path, model: &Model, diff: &Diff<'_>) -> Result<Vec<String>, ModelError> {
    let mut reader = Reader::default();
    let mut outlines = Vec::new();
    let changed = diff.files.iter().filter(|file| may_add_tests(file));
    for file in changed.clone().take(FILES_MOST) {
        let path = String::from_utf8_lossy(file.path());
        let content = read_below(root, &path).filter(|bytes| bytes.len() as u64 <= FILE_BYTES_MOST);
        if let Some(outline) = content.and_then(|bytes| reader.read(&path, &bytes)) {
            outlines.push((path.into_owned(), outline));
        }
    }
    if outlines.is_empty() {
        return Ok(Vec::new());
    }
    let around: BTreeSet<String> = outlines.iter().flat_map(|(path, it)| it.language.companions(path)).collect();
    for path in around {
        let content = read_below(root, &path).filter(|bytes| bytes.len() as u64 <= FILE_BYTES_MOST);
        outlines.extend(content.and_then(|bytes| Some((path.clone(), reader.read(&path, &bytes)?))));
    }
    let manifests = manifests(root, outlines.iter().map(|(path, _)| path.as_str()));
    let project = Project::new(outlines, manifests);
    let tests = project.tests();
    let mut found = Vec::new();
    for file in changed.take(FILES_MOST) {
        let path = String::from_utf8_lossy(file.path());
        let added = added_lines(file);
        let here: Vec<_> = tests.iter().filter(|test| test.path == path && holds_one(test, &added)).collect();
        if here.is_empty() {
            continue;
        }
        let known = known_tests(model, file)?;
        for test in here {
            let is_known = known.contains(rest(&test.id, &path)) || model.index.find_test(&test.id)?.is_some();
            if !is_known && calls_so(model, test.language)? {
                found.push(test.id.clone());
            }
        }
    }
    Ok(found)
}

/// Extensions of files whose text may show tests and that no runner collects any from.
const NO_CODE: [&str; 10] = ["adoc", "csv", "diff", "html", "json", "md", "patch", "rst", "snap", "txt"];

/// Of tests that the lines of a diff name, as path and function, those in files of code that are not read.
pub(super) fn unread(named: &[String]) -> Vec<String> {
    let may_run = |named: &&String| {
        let path = named.split_once("::").map_or("", |(path, _)| path);
        Language::of_path(path).is_none() && !path.rsplit_once('.').is_some_and(|(_, it)| NO_CODE.contains(&it))
    };
    named.iter().filter(may_run).cloned().collect()
}

/// Whether a file of the diff has a new side with lines that may be those of a test.
fn may_add_tests(file: &FileDiff<'_>) -> bool {
    let path = String::from_utf8_lossy(file.path());
    let lines = file.hunks.iter().flat_map(|hunk| hunk.lines());
    let added = lines.filter(|line| line.kind == LineKind::Added).map(|line| line.text);
    file.new_path.is_some()
        && file.status != Status::Copied
        && Language::of_path(&path).is_some_and(|language| language.may_hold_tests(&path, added))
}

/// The lines of the new side that a diff adds, ascending.
fn added_lines(file: &FileDiff<'_>) -> Vec<u32> {
    let lines = file.hunks.iter().flat_map(|hunk| hunk.lines()).filter(|line| line.kind == LineKind::Added);
    let mut added: Vec<u32> = lines.map(|line| line.new_line).collect();
    added.sort_unstable();
    added
}

/// Whether one of some lines, which ascend, is of a test.
fn holds_one(test: &FoundTest<'_>, added: &[u32]) -> bool {
    test.lines.is_some_and(|lines| {
        let at = added.partition_point(|&line| line < lines.first);
        added.get(at).is_some_and(|&line| line <= lines.last)
    })
}

/// What the model knows of a file's tests: their ids without path and parameters.
fn known_tests(model: &Model, file: &FileDiff<'_>) -> Result<HashSet<String>, ModelError> {
    let path = String::from_utf8_lossy(file.old_path.as_deref().unwrap_or(file.path()));
    let Some(known) = model.index.find_file(&path)? else { return Ok(HashSet::new()) };
    let mut tests = HashSet::new();
    for posting in model.index.file(known)?.defines()?.to_vec()? {
        let id = model.index.test_name(posting.test)?;
        tests.insert(rest(&id, &path).split('[').next().unwrap_or_default().to_owned());
    }
    Ok(tests)
}

/// An id without the path that it begins with.
fn rest<'a>(id: &'a str, path: &str) -> &'a str {
    id.strip_prefix(path).unwrap_or(id)
}

/// Whether the model gives ids as the runners of a language do: a runner of another kind takes none of theirs.
fn calls_so(model: &Model, language: Language) -> Result<bool, ModelError> {
    let tests = model.index.root().tests;
    for test in (0..tests).step_by((tests / SAMPLE).max(1) as usize) {
        if language.has_form(&model.index.test_name(TestId(test))?) {
            return Ok(true);
        }
    }
    Ok(tests == 0)
}

/// The manifests in the folders that these files stand in, and above.
fn manifests<'a>(root: &Path, paths: impl Iterator<Item = &'a str>) -> Vec<(String, Manifest)> {
    let folder_of = |path: &'a str| path.rfind('/').map_or("", |at| &path[..at]);
    let above =
        |path: &'a str| std::iter::successors(Some(folder_of(path)), move |at| (!at.is_empty()).then(|| folder_of(at)));
    let folders: HashSet<&str> = paths.flat_map(above).collect();
    let names = |folder: &str| {
        MANIFESTS.map(|name| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
    };
    let paths = folders.into_iter().flat_map(names);
    paths
        .filter_map(|path| {
            Some((Manifest::read(&path, &read_below(root, &path)?)?, path)).map(|(read, path)| (path, read))
        })
        .collect()
}
