//! A model is written aside and renamed into place: readers keep the file they opened, and a build that dies leaves the old
//! model.
//!
//! What is written aside has one name for each model, `.covopt.aside` for `.covopt`, and its writer holds a lock on it. A
//! second build of the same model waits for the first, and soon says so; what a build that was killed left behind, the next
//! one takes over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::model_source::MODEL_NAME;
use super::{note, sink};
use crate::error::Error;

/// How much is written at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;
/// How long another build is waited for without a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// Makes sure that a model may be written here: nothing but a model is lost.
///
/// # Errors
/// If something else is there.
pub(super) fn check_place(target: &Path) -> Result<(), Error> {
    // Its own name is covopt's to write; any other file may be one that a person meant to be read.
    if target.file_name().is_none_or(|name| name != MODEL_NAME) && holds_something_else(target) {
        return Err(Error::Occupied { path: target.to_owned() });
    }
    Ok(())
}

/// Whether something that is no model, and not empty, is there.
fn holds_something_else(target: &Path) -> bool {
    fs::metadata(target).is_ok_and(|found| !(found.is_file() && (found.len() == 0 || sink::is_model(target))))
}

/// Puts what `write` writes in the place of `model`. On any error the old one stays, and nothing beside it. That another
/// build is waited for is said unless `quiet`.
///
/// # Errors
/// What `write` says, or that the folder or the file cannot be written.
pub(super) fn replace<T>(
    model: &Path,
    quiet: bool,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = |error| Error::Write { path: model.to_owned(), error };
    let aside = aside_of(model).ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let waits = || {
        if !quiet {
            note(&format!("waiting for another process that writes `{}`", model.display()));
        }
    };
    let file = lock(&aside, &waits).map_err(failed)?;
    let written =
        write_to(&file, write, failed).and_then(|written| fs::rename(&aside, model).map(|()| written).map_err(failed));
    if written.is_err() {
        let _ = fs::remove_file(&aside); // The lock is still held: it is this build's own.
    }
    written
}

fn write_to<T>(
    file: &File,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, Error>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<T, Error> {
    file.set_len(0).map_err(&failed)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    out.rewind().map_err(&failed)?;
    let written = write(&mut out)?;
    out.flush().and_then(|()| file.sync_all()).map_err(&failed)?;
    Ok(written)
}

/// Where a model is written before it takes its place.
fn aside_of(model: &Path) -> Option<PathBuf> {
    let name = model.file_name()?.to_str()?;
    let hidden = if name.starts_with('.') { "" } else { "." };
    Some(model.with_file_name(format!("{hidden}{name}.aside")))
}

/// The file at `aside`, new or left behind, locked by this process; `waits` is called if that takes a while.
fn lock(aside: &Path, waits: &(dyn Fn() + Sync)) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(aside)?;
        match lock_saying(&file, waits) {
            // Where the file system knows no locks, two builds at once are the caller's to avoid.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            locked => locked?,
        }
        // While this build waited, what it waited for may have become the model. And a link is not ours to write through.
        if is_at(&file, aside)? {
            return Ok(file);
        }
        if fs::symlink_metadata(aside).is_ok_and(|found| found.file_type().is_symlink()) {
            fs::remove_file(aside)?;
        }
    }
}

/// Locks a file; calls `waits` once if that takes longer than [`PATIENCE`].
fn lock_saying(file: &File, waits: &(dyn Fn() + Sync)) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    let (locked, until_locked) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if until_locked.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                waits();
            }
        });
        let found = file.lock();
        drop(locked);
        found
    })
}

/// Whether this file is the one at `path`, and not behind a link.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this file is the one at `path`: a file that is open cannot be renamed here.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::build::build;
    use crate::mmap;
    use crate::observation::Observations;

    fn bytes(text: &[u8]) -> impl FnOnce(&mut BufWriter<&File>) -> Result<(), Error> {
        |out| out.write_all(text).map_err(Error::Output)
    }

    #[test]
    fn what_a_killed_build_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join(".covopt");
        fs::write(folder.path().join(".covopt.aside"), vec![7; 1000]).unwrap();
        replace(&model, true, bytes(b"new")).unwrap();
        assert_eq!(fs::read(&model).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_build_that_fails_leaves_the_old_model_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("x.covopt");
        fs::write(&model, "old").unwrap();
        let refused = replace(&model, true, |out| {
            out.write_all(b"half").unwrap();
            Err::<(), Error>(Error::Output(io::ErrorKind::StorageFull.into()))
        });
        assert!(matches!(refused, Err(Error::Output(_))));
        assert_eq!(fs::read(&model).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Who waits says so once, and not before a while has passed; who does not wait says nothing.
    #[test]
    fn waiting_for_another_build_is_said() {
        use std::sync::atomic::AtomicUsize;
        let folder = tempfile::tempdir().unwrap();
        let aside = folder.path().join(".covopt.aside");
        let said = AtomicUsize::new(0);
        let (is_said, wait) = mpsc::channel();
        let waits = move |said: &AtomicUsize| {
            said.fetch_add(1, Ordering::SeqCst);
            is_said.send(()).unwrap();
        };
        let waits = std::sync::Mutex::new(waits);
        let waits = || waits.lock().unwrap()(&said);
        let first = lock(&aside, &waits).unwrap();
        assert_eq!(said.load(Ordering::SeqCst), 0);
        thread::scope(|scope| {
            let second = scope.spawn(|| lock(&aside, &waits).unwrap());
            wait.recv().unwrap();
            drop(first);
            second.join().unwrap();
        });
        assert_eq!(said.load(Ordering::SeqCst), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (model, other) = (folder.path().join(".covopt"), folder.path().join("other"));
        fs::write(&other, "another file").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join(".covopt.aside")).unwrap();
        replace(&model, true, bytes(b"new")).unwrap();
        assert_eq!((fs::read(&model).unwrap(), fs::read(&other).unwrap()), (b"new".to_vec(), b"another file".to_vec()));
    }

    /// Two writers replace a model a thousand times; whoever reads meanwhile sees one of the two models, whole.
    #[test]
    fn builds_at_once_take_turns_and_readers_see_whole_models() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".covopt");
        let model = |tests: u32| {
            let mut seen = Observations::default();
            (0..tests).for_each(|at| _ = seen.test(&format!("t{at}")));
            build(&seen, None, |_| None)
        };
        let models = [model(1), model(9)];
        replace(&path, true, bytes(&models[0])).unwrap();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = models
                .iter()
                .map(|model| {
                    let path = &path;
                    scope.spawn(move || (0..500).for_each(|_| replace(path, true, bytes(model)).unwrap()))
                })
                .collect();
            let reader = scope.spawn(|| {
                let mut seen = 0;
                while !is_done.load(Ordering::Relaxed) {
                    let index = mmap::open(&path).unwrap();
                    index.verify(|_, _| ()).unwrap();
                    assert!(models.iter().any(|model| model[..] == *index.bytes()));
                    seen += 1;
                }
                seen
            });
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            is_done.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap() > 0);
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
