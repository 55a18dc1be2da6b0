//! The source of a tree: which files there are, and what they say.
//!
//! The list comes from git's index where there is one, which costs less than walking the folders and leaves out what git
//! ignores and what a sparse checkout does not hold; elsewhere the folders are walked, by the same rules. No link is
//! followed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gix_index::entry::{Flags, Mode};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::progress::Progress;
use super::replace::replace;
use super::repository::Repository;
use crate::error::Error;
use crate::observation::Observations;
use crate::output::{counted, group_digits};
use crate::source::{
    Cache, FILE_BYTES_MOST, FileState, Found, Kept, Language, MANIFESTS, Manifest, Outline, Project, Reader,
};

/// Folders whose files are other people's, wherever they come from.
const FOREIGN_FOLDERS: [&str; 7] =
    ["node_modules", "site-packages", "vendor", "venv", ".venv", "bower_components", "__pycache__"];

/// Files whose source could not be read as a whole that are named, at most.
const NAMED_MOST: usize = 3;

/// The files of a tree that have source, relative to its root with forward slashes, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceTree {
    root: PathBuf,
    paths: Vec<String>,
}

/// The content that files of the tree had before the diff at hand, and where they were, by where they are; an empty path for one
/// that was not there.
pub(super) type OldSides = HashMap<String, (String, Vec<u8>)>;

/// A file of the tree that was read.
enum Read {
    Outline(String, Outline),
    /// One that can be kept: what was read is what is in the tree.
    Kept(String, Kept),
    Manifest(String, Manifest),
    /// Larger than any source that a person wrote.
    Large,
    Nothing,
}

impl SourceTree {
    /// Lists the files of the tree at `root`.
    pub(super) fn list(root: &Path, repository: Option<&Repository>) -> Self {
        let listed = repository.and_then(|repository| of_index(root, repository)).unwrap_or_else(|| of_folders(root));
        let is_wanted = |path: &String| {
            let name = path.rsplit('/').next().unwrap_or(path);
            (Language::of_path(path).is_some() || MANIFESTS.contains(&name))
                && !path.split('/').any(|folder| FOREIGN_FOLDERS.contains(&folder))
        };
        let mut paths: Vec<String> = listed.into_iter().filter(is_wanted).collect();
        paths.sort_unstable();
        paths.dedup();
        Self { root: root.to_owned(), paths }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.paths.iter().all(|path| Language::of_path(path).is_none())
    }

    /// Reads the files and adds what they say to what was observed. Gives what was read in words, and what about it deserves
    /// a note. What did not change since a model at `model` was built is not parsed again.
    pub(super) fn observe(
        &self,
        old_sides: &OldSides,
        into: &mut Observations,
        model: &Path,
        progress: Progress,
    ) -> (String, Vec<String>) {
        let (mut outlines, mut manifests, mut large) = (Vec::new(), Vec::new(), 0);
        let mut kept = Vec::new();
        let cache_path = cache_of(model);
        let before = known(&cache_path);
        for read in self.read(old_sides, before.as_ref().unwrap_or(&Cache::default()), progress) {
            match read {
                Read::Outline(path, outline) => outlines.push((path, outline)),
                Read::Kept(path, file) => kept.push((path, file)),
                Read::Manifest(path, manifest) => manifests.push((path, manifest)),
                Read::Large => large += 1,
                Read::Nothing => {}
            }
        }
        let now = Cache::new(kept, SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanoseconds));
        if before.is_some_and(|before| !before.is_of_the_files_of(&now)) {
            // Where it cannot be written, the next time parses again.
            let bytes = now.encode();
            let _ = replace(&cache_path, true, |out| out.write_all(&bytes).map_err(Error::Output));
        }
        outlines.extend(now.into_files());
        let files = outlines.len();
        let found = Project::new(outlines, manifests).observe(into);
        let mut notes = notes(&found);
        if large > 0 {
            let limit = FILE_BYTES_MOST >> 20;
            notes.push(format!("{} of more than {limit} MB not read as source", counted(large, "file")));
        }
        (format!("the source of {}", counted(files, "file")), notes)
    }

    /// Reads all files on all cores; on this thread the progress is shown.
    fn read(&self, old_sides: &OldSides, cache: &Cache, progress: Progress) -> Vec<Read> {
        let done = AtomicU64::new(0);
        let total = self.paths.len() as u64;
        let progress = RefCell::new(progress);
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let done = &done;
            scope.spawn(move || {
                let read = self.paths.par_iter().map_init(Reader::default, |reader, path| {
                    done.fetch_add(1, Ordering::Relaxed);
                    self.file(path, old_sides.get(path), cache, reader)
                });
                // The receiver waits until it has it.
                let _ = sender.send(read.collect::<Vec<_>>());
            });
            loop {
                match receiver.recv_timeout(Duration::from_millis(100)) {
                    Ok(read) => return read,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        progress.borrow_mut().at("read source", done.load(Ordering::Relaxed), Some(total));
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => return Vec::new(), // It panicked, and so does the scope.
                }
            }
        })
    }

    fn file(&self, path: &str, old_side: Option<&(String, Vec<u8>)>, cache: &Cache, reader: &mut Reader) -> Read {
        if let Some((old_path, content)) = old_side {
            return outline(old_path, content, reader);
        }
        let full = self.root.join(path);
        let Ok(metadata) = fs::symlink_metadata(&full) else { return Read::Nothing };
        if !metadata.is_file() {
            return Read::Nothing;
        }
        if metadata.len() > FILE_BYTES_MOST {
            return Read::Large;
        }
        let state = FileState { size: metadata.len(), modified_ns: modified_ns(&metadata) };
        if let Some(kept) = cache.unread(path, state) {
            return Read::Kept(path.to_owned(), kept.clone());
        }
        let Ok(bytes) = fs::read(&full) else { return Read::Nothing };
        let hash = xxh3_64(&bytes);
        let read = match cache.read(path, hash) {
            Some(known) => Read::Outline(path.to_owned(), known.clone()),
            None => outline(path, &bytes, reader),
        };
        match read {
            Read::Outline(path, outline) => Read::Kept(path, Kept { state, hash, outline }),
            other => other,
        }
    }
}

/// Where the outlines of the tree of a model are kept.
fn cache_of(model: &Path) -> PathBuf {
    let name = model.file_name().map_or_else(Default::default, |name| name.to_string_lossy().into_owned());
    model.with_file_name(format!("{name}.outlines"))
}

/// What is known from the last time. `None` if something else stands there, which is left alone.
fn known(path: &Path) -> Option<Cache> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Cache::default()),
        Ok(metadata) if metadata.is_file() => {}
        _ => return None,
    }
    let bytes = fs::read(path).ok()?;
    Cache::is_one(&bytes).then(|| Cache::decode(&bytes))
}

/// When a file was changed, in nanoseconds since the Unix epoch; the latest time where nothing tells.
fn modified_ns(metadata: &fs::Metadata) -> u64 {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    modified.map_or(u64::MAX, nanoseconds)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn outline(path: &str, bytes: &[u8], reader: &mut Reader) -> Read {
    if let Some(manifest) = Manifest::read(path, bytes) {
        return Read::Manifest(path.to_owned(), manifest);
    }
    reader.read(path, bytes).map_or(Read::Nothing, |outline| Read::Outline(path.to_owned(), outline))
}

/// The files below `root` that git's index names and the checkout holds.
fn of_index(root: &Path, repository: &Repository) -> Option<Vec<String>> {
    let below = fs::canonicalize(root).ok()?.strip_prefix(&repository.root).ok()?.to_str()?.to_owned();
    let prefix = if below.is_empty() { below } else { format!("{below}/") };
    let index = [gix_hash::Kind::Sha1, gix_hash::Kind::Sha256].into_iter().find_map(|kind| {
        gix_index::File::at(repository.index(), kind, true, gix_index::decode::Options::default()).ok()
    })?;
    let is_held = |entry: &&gix_index::Entry| {
        matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE) && !entry.flags.contains(Flags::SKIP_WORKTREE)
    };
    let paths = index.entries().iter().filter(is_held).map(|entry| entry.path(&index));
    // A path that is not UTF-8 is none that a model can name.
    let below = paths.filter_map(|path| std::str::from_utf8(path).ok()?.strip_prefix(&prefix).map(str::to_owned));
    Some(below.collect())
}

/// The files below `root`, less what git would ignore.
fn of_folders(root: &Path) -> Vec<String> {
    let walk = ignore::WalkBuilder::new(root).require_git(false).follow_links(false).build();
    let files = walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let relative = files.filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_str()?.replace('\\', "/")));
    relative.collect()
}

fn notes(found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    let of = |(language, &(files, tests)): (&&str, &(usize, usize))| {
        format!("{language} {} in {}", counted(tests, "test"), counted(files, "file"))
    };
    let by_language: BTreeMap<_, _> = found.languages.iter().filter(|(_, (_, tests))| *tests > 0).collect();
    if !by_language.is_empty() {
        let parts: Vec<String> = by_language.into_iter().map(of).collect();
        let known = match found.known {
            0 => String::new(),
            known => format!("; {} of them known already", group_digits(known as u64)),
        };
        notes.push(format!("found in the source: {}{known}", parts.join(", ")));
    }
    for language in &found.called_otherwise {
        if found.languages.get(language).is_some_and(|(_, tests)| *tests > 0) {
            notes.push(format!(
                "the recording calls {language} tests otherwise than their usual runner, so those found in the source are left out"
            ));
        }
    }
    if !found.broken.is_empty() {
        let named = found.broken.iter().take(NAMED_MOST).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        let more = found.broken.len().saturating_sub(NAMED_MOST);
        let more = if more > 0 { format!(" and {} more", group_digits(more as u64)) } else { String::new() };
        notes.push(format!("not all of {named}{more} could be understood; what could be counts"));
    }
    notes
}
