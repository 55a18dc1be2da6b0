//! The model that answers: named, found upwards, or built because there is none.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use memmap2::Mmap;
use rkyv::util::AlignedVec;

use super::ModelArgs;
use super::build::{self, Changed};
use super::inputs::Found;
use super::note;
use super::replace::replace;
use super::repository::Repository;
use super::source_tree::SourceTree;
use crate::diff::Diff;
use crate::error::Error;
use crate::mmap;
use crate::model::{Index, ModelError, Root};

/// The file that holds a model.
pub(super) const MODEL_NAME: &str = ".covopt";

/// The bytes of a model: mapped from its file, or just built and not written.
#[derive(Debug)]
pub(super) enum ModelBytes {
    Mapped(Mmap),
    Built(AlignedVec<64>),
}

impl AsRef<[u8]> for ModelBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            ModelBytes::Mapped(map) => map,
            ModelBytes::Built(bytes) => bytes,
        }
    }
}

/// Where a model is looked for.
#[derive(Debug)]
pub(super) struct Place {
    /// The model file, whether it is there or not.
    pub(super) model: PathBuf,
    /// Whether a person or the environment named it.
    pub(super) named: bool,
    /// The tree it describes.
    pub(super) root: PathBuf,
    /// Whether a person named that tree.
    pub(super) root_named: bool,
    /// The work tree one stands in.
    pub(super) repository: Option<Repository>,
    /// Whether one stands below the root, so that a runner started here would not find the ids.
    pub(super) below_root: bool,
}

impl Place {
    /// Finds the nearest `.covopt` upwards, no further than the root of the work tree; in a linked work tree, then that
    /// of the main one. Where there is none, this is where one would be made.
    pub(super) fn find(args: &ModelArgs) -> Result<Self, Error> {
        let here = std::env::current_dir().map_err(|error| Error::Read {
            path: ".".to_owned(),
            error,
            remedy: "; change to a folder that exists",
        })?;
        if let Some(root) = args.root.as_deref().filter(|root| !root.is_dir()) {
            let error = std::fs::metadata(root).err().unwrap_or_else(|| std::io::ErrorKind::NotADirectory.into());
            let remedy = "; --root names the folder of the tree that the model describes";
            return Err(Error::Read { path: format!("`{}`", root.display()), error, remedy });
        }
        let repository = Repository::around(args.root.as_deref().unwrap_or(&here));
        let root_named = args.root.is_some();
        if let Some(model) = args.named_model() {
            let beside = model.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let root = args.root.clone().unwrap_or_else(|| beside.to_owned());
            return Ok(Self { model, named: true, root, root_named, repository, below_root: false });
        }
        let start = args.root.clone().unwrap_or(here);
        let top = repository.as_ref().map_or_else(|| start.clone(), |repository| repository.root.clone());
        let real_start = std::fs::canonicalize(&start).unwrap_or_else(|_| start.clone());
        let upwards = real_start.ancestors().take_while(|folder| folder.starts_with(&top));
        let holds_model = |folder: &&Path| folder.join(MODEL_NAME).is_file();
        let root = |folder: &Path| args.root.clone().unwrap_or_else(|| folder.to_owned());
        let place = |folder: &Path, root: PathBuf, repository| Self {
            model: folder.join(MODEL_NAME),
            named: false,
            below_root: !root_named && real_start != root,
            root,
            root_named,
            repository,
        };
        if let Some(folder) = upwards.into_iter().find(holds_model) {
            return Ok(place(folder, root(folder), repository));
        }
        let main = repository.as_ref().and_then(Repository::main_root).filter(|main| holds_model(&main.as_path()));
        Ok(match main {
            Some(main) => place(&main, root(&top), repository),
            None => place(&top, root(&top), repository),
        })
    }

    /// The tree that a runner works in: that of the model, or of whoever names a model that stands elsewhere.
    pub(super) fn tree_root(&self) -> PathBuf {
        if self.root_named || !self.named {
            return self.root.clone();
        }
        self.repository.as_ref().map_or_else(|| PathBuf::from("."), |repository| repository.root.clone())
    }

    /// Whether a model is of the source alone, so that a build costs next to nothing, and of another commit than HEAD.
    fn is_behind(&self, root: &Root) -> bool {
        let is_of_source = root.tests_recorded == 0 && root.tests_declared == 0;
        let head = || self.repository.as_ref().and_then(Repository::head);
        is_of_source && root.base.is_some() && head().is_some_and(|head| root.base.as_ref() != Some(&head))
    }

    /// Opens the model.
    pub(super) fn open(&self) -> Result<Model, Error> {
        let mapped = mmap::open(&self.model).map_err(|error| match error {
            mmap::OpenError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Error::NoModel(format!("no model at `{}`; make one with `covopt build`", self.model.display()))
            }
            error => Error::Open { path: self.model.clone(), error },
        })?;
        let is_behind = self.is_behind(mapped.root());
        Ok(Model { index: mapped.map_data(ModelBytes::Mapped), path: self.model.clone(), built_now: false, is_behind })
    }
}

/// An open model.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) index: Index<ModelBytes>,
    pub(super) path: PathBuf,
    pub(super) built_now: bool,
    /// Whether it is of the source alone, and of another commit than HEAD: what came since is not in it.
    pub(super) is_behind: bool,
}

impl Model {
    /// Adds the path to what the model says of itself.
    pub(super) fn error(&self, error: ModelError) -> Error {
        Error::Model { path: self.path.clone(), error }
    }
}

/// Whether and for how long a first model may be built inside another command.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstBuild {
    pub(super) allowed: bool,
    pub(super) limit: Duration,
}

/// Opens the model at `place`, or builds a first one from what is found in the tree.
pub(super) fn open_or_build(place: &Place, first: FirstBuild, diff: &Diff<'_>, quiet: bool) -> Result<Model, Error> {
    if place.named || place.model.exists() {
        return place.open();
    }
    let command = format!("covopt build --root {}", shell_word(&place.root));
    if !first.allowed {
        return Err(Error::NoModel(format!(
            "no model at `{}`, and building one is turned off; make one with `{command}`",
            place.model.display()
        )));
    }
    let bytes = build_within(place, first.limit, Changed::of(diff, &place.root), &command, quiet)?;
    let damaged = |error| Error::Model { path: place.model.clone(), error };
    let index = Index::open(ModelBytes::Built(bytes)).map_err(damaged)?;
    // One without tests would stand in the way of the next.
    if index.root().tests > 0 {
        let written = replace(&place.model, quiet, |out| {
            out.write_all(index.bytes()).map_err(|error| Error::Write { path: place.model.clone(), error })
        });
        if !quiet {
            match &written {
                Ok(()) => note(&format!("wrote a first model to `{}`", place.model.display())),
                Err(error) => note(&format!("{error}; going on from memory")),
            }
            if written.is_ok() {
                build::hint_unless_ignored(place.repository.as_ref());
            }
        }
    }
    Ok(Model { index, path: place.model.clone(), built_now: true, is_behind: false })
}

/// Builds on a thread of its own, so that a tree too large for the limit never freezes its caller: past the limit the
/// process ends with the error, and the thread with it, before a model is written.
fn build_within(
    place: &Place,
    limit: Duration,
    changed: Changed,
    command: &str,
    quiet: bool,
) -> Result<AlignedVec<64>, Error> {
    let (root, model) = (place.root.clone(), place.model.clone());
    let repository = place.repository.clone();
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let found = Found::look(&root).with_source(SourceTree::list(&root, repository.as_ref()));
        let built = (!found.is_empty()).then(|| found.build(&root, &model, repository.as_ref(), &changed));
        // The receiver is gone once the limit has passed.
        let _ = sender.send(built);
    });
    match receiver.recv_timeout(limit) {
        Ok(Some(Ok(built))) => {
            if !quiet {
                built.report();
            }
            Ok(built.bytes)
        }
        Ok(Some(Err(error))) => Err(error),
        Ok(None) => Err(Error::NoModel(format!(
            "no model at `{}`, and nothing in `{}` to build one from; record coverage (`pytest --cov --cov-context=test`) and \
             run `{command}`",
            place.model.display(),
            place.root.display()
        ))),
        Err(RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().expect_err("it sends unless it panics"))
        }
        Err(RecvTimeoutError::Timeout) => Err(Error::NoModel(format!(
            "no model at `{}`, and building one takes longer than {} s; run `{command}` once",
            place.model.display(),
            limit.as_secs_f64()
        ))),
    }
}

/// A path as a shell takes it back.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@%:,=".contains(&byte));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
