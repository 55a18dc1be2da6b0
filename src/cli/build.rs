//! `covopt build`: make or refresh the model.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use rkyv::util::AlignedVec;
use xxhash_rust::xxh3::Xxh3;

use super::model_source::{Model, Place};
use super::repository::Repository;
use super::{ModelArgs, Outcome, find, note};
use crate::build::{self, Tally};
use crate::error::{Error, exit};
use crate::ingest::{Context, HEAD_BYTES, Ingest, Kind, Note, detect};
use crate::model::Stamp;
use crate::observation::Observations;
use crate::output::group_digits;

/// A model whose recorded tests a new one would cut below this share is only replaced with `--force`.
const LEAST_SHARE_KEPT: f64 = 0.5;

/// Flags of `build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Inputs are known by their content: coverage.py databases (`.coverage`) and JSON with --show-contexts, LCOV, \
                  JUnit XML, durations `{\"test id\": seconds}`, universal-ctags JSON lines, declared features in JSON, and \
                  JSON lines. A folder is searched for LCOV and JUnit files (`bazel-testlogs`)."
)]
pub(super) struct BuildArgs {
    /// What to read; `-` is standard input. Without any, what lies in the usual places
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The commit that the inputs describe; by default HEAD
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Keep what the model holds, and add to it
    #[arg(long)]
    update: bool,
    /// A folder that goes before test ids and relative paths, for a suite that runs in a folder of its own
    #[arg(long, value_name = "DIR")]
    test_root: Option<String>,
    /// Take recordings that look wrong, and replace a model by one that knows far fewer tests
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Runs `build`.
pub(super) fn run(args: &BuildArgs) -> Outcome {
    let place = Place::find(&args.model)?;
    let root = if args.model.root.is_some() || !place.named {
        place.root.clone()
    } else {
        place.repository.as_ref().map_or_else(|| PathBuf::from("."), |repository| repository.root.clone())
    };
    let target = if place.named { place.model.clone() } else { root.join(super::model_source::MODEL_NAME) };
    let found = if args.inputs.is_empty() { Found::look(&root) } else { Some(Found { inputs: args.inputs.clone() }) };
    let Some(found) = found else {
        return Err(Error::NoModel(format!(
            "nothing in `{}` to build a model from: looked for coverage databases, LCOV, JUnit reports and durations in the usual \
             places; name the inputs, or record coverage with `pytest --cov --cov-context=test --junitxml=junit.xml`",
            root.display()
        )));
    };
    let mut context = context(&root).with_force(args.force);
    if let Some(test_root) = &args.test_root {
        context = context.with_test_root(test_root);
    }
    let ingested = found.ingest(&context)?;
    let base = base(args.base.as_deref(), &root, place.repository.as_ref(), &found, &ingested.observations, &[])?;
    let old = Place { model: target.clone(), ..place }.open();
    let (observations, tally) = join(args, old, &ingested.observations)?;
    let bytes = build::build(&observations, base.commit.as_deref(), |path| stamp(&root, path));
    replace(&target, &bytes)?;
    if !args.quiet {
        let built =
            Built { bytes, found, notes: ingested.notes.iter().map(ToString::to_string).chain(base.note).collect() };
        built.report();
        report_tally(&target, &built, &observations, tally);
    }
    Ok(exit::DONE)
}

/// Joins to the older model, or makes sure that replacing it loses nothing by accident.
fn join(args: &BuildArgs, old: Result<Model, Error>, new: &Observations) -> Result<(Observations, Tally), Error> {
    let old = match old {
        Ok(old) => old,
        Err(Error::NoModel(_)) => return Ok((new.clone(), build::compare([], new))),
        // An unreadable model is replaced, but never joined to.
        Err(error) if args.update => return Err(error),
        Err(_) => return Ok((new.clone(), build::compare([], new))),
    };
    let mut joined = build::restore(&old.index).map_err(|error| old.error(error));
    if args.update {
        let mut joined = joined?;
        let tally = build::update(&mut joined, new);
        return Ok((joined, tally));
    }
    let recorded_before = f64::from(old.index.root().tests_recorded);
    let recorded_now = new.tests().iter().filter(|test| test.recorded).count() as f64;
    if !args.force && recorded_now < recorded_before * LEAST_SHARE_KEPT {
        return Err(Error::Usage(format!(
            "the inputs hold coverage of {recorded_now} tests, model `{}` of {recorded_before}; add to it with --update, or replace \
             it with --force",
            old.path.display()
        )));
    }
    let names = joined.as_mut().map(std::mem::take).unwrap_or_default();
    let tally = build::compare(names.test_names().iter().map(String::as_str), new);
    Ok((new.clone(), tally))
}

fn report_tally(target: &Path, built: &Built, observations: &Observations, tally: Tally) {
    note(&format!(
        "wrote `{}`: {} tests, {} files, {} bytes; {} tests kept, {} added, {} replaced, {} removed",
        target.display(),
        group_digits(observations.test_names().len() as u64),
        group_digits(observations.file_paths().len() as u64),
        group_digits(built.bytes.len() as u64),
        group_digits(tally.kept as u64),
        group_digits(tally.added as u64),
        group_digits(tally.replaced as u64),
        group_digits(tally.removed as u64)
    ));
}

/// The tree that inputs speak of, under both of its names where a link leads to it.
fn context(root: &Path) -> Context {
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let context = Context::new(&absolute.to_string_lossy());
    match std::fs::canonicalize(root) {
        Ok(real) => context.also_root(&real.to_string_lossy()),
        Err(_) => context,
    }
}

/// Inputs that were named, or found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    inputs: Vec<PathBuf>,
}

/// What the inputs said, and what about it deserves a word.
struct Ingested {
    observations: Observations,
    notes: Vec<Note>,
}

fn read_error(path: String, error: std::io::Error) -> Error {
    Error::Read { path, error, remedy: "; check the path and its permissions" }
}

/// Reads one file. A database is read where it lies, anything else from memory.
fn read_file(ingest: &mut Ingest, path: &Path, name: &str, context: &Context) -> Result<(), Error> {
    let failed = |error| read_error(format!("`{name}`"), error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    std::io::Read::by_ref(&mut file).take(HEAD_BYTES as u64).read_to_end(&mut bytes).map_err(failed)?;
    let kind = detect(name, &bytes)?;
    if kind == Kind::CoverageDb {
        ingest.database(name, path, context)?;
        return Ok(());
    }
    file.read_to_end(&mut bytes).map_err(failed)?;
    ingest.bytes_of_kind(kind, name, &bytes, context)?;
    Ok(())
}

/// A model that was just laid out.
pub(super) struct Built {
    pub(super) bytes: AlignedVec<64>,
    found: Found,
    notes: Vec<String>,
}

impl Found {
    /// What lies in the usual places below `root`, or `None`.
    pub(super) fn look(root: &Path) -> Option<Self> {
        let inputs = find::usual_inputs(root);
        (!inputs.is_empty()).then_some(Self { inputs })
    }

    /// Reads every input. `context` says how their paths and ids become the repository's.
    fn ingest(&self, context: &Context) -> Result<Ingested, Error> {
        let mut ingest = Ingest::new();
        for input in &self.inputs {
            let name = input.display().to_string();
            if input.as_os_str() == "-" {
                let mut bytes = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut bytes);
                read.map_err(|error| read_error("standard input".to_owned(), error))?;
                ingest.bytes("standard input", &bytes, context)?;
            } else if input.is_dir() {
                ingest.directory(&name, input, context)?;
            } else {
                read_file(&mut ingest, input, &name, context)?;
            }
        }
        let (observations, notes) = ingest.finish();
        Ok(Ingested { observations, notes })
    }

    /// A first model for a command that has none. `changed` are the files of the diff at hand: what they are now is not
    /// what the model describes.
    pub(super) fn build(
        self,
        root: &Path,
        repository: Option<&Repository>,
        changed: &[String],
    ) -> Result<Built, Error> {
        let ingested = self.ingest(&context(root))?;
        let base = base(None, root, repository, &self, &ingested.observations, changed)?;
        let stamp = |path: &str| if changed.iter().any(|known| known == path) { None } else { stamp(root, path) };
        let bytes = build::build(&ingested.observations, base.commit.as_deref(), stamp);
        let notes = ingested.notes.iter().map(ToString::to_string).chain(base.note).collect();
        Ok(Built { bytes, found: self, notes })
    }

    /// When the newest input was written.
    fn written(&self) -> Option<SystemTime> {
        self.inputs.iter().filter_map(|input| std::fs::metadata(input).ok()?.modified().ok()).max()
    }
}

impl Built {
    /// Says what was read, and what about it deserves a word.
    pub(super) fn report(&self) {
        let names: Vec<String> = self.found.inputs.iter().map(|input| format!("`{}`", input.display())).collect();
        note(&format!("built a model from {}", names.join(", ")));
        self.notes.iter().for_each(|text| note(text));
    }
}

/// The commit that a model describes, or why none is stamped.
struct Base {
    commit: Option<String>,
    note: Option<String>,
}

/// The commit that was named, else HEAD, unless a file that the inputs name is newer than the inputs: then they do not
/// describe HEAD.
fn base(
    named: Option<&str>,
    root: &Path,
    repository: Option<&Repository>,
    found: &Found,
    seen: &Observations,
    changed: &[String],
) -> Result<Base, Error> {
    if let Some(named) = named {
        let known = repository.and_then(|repository| repository.resolve(named));
        let is_hex = named.len() >= 7 && named.len() <= 64 && named.bytes().all(|byte| byte.is_ascii_hexdigit());
        return match known.or_else(|| is_hex.then(|| named.to_owned())) {
            Some(commit) => Ok(Base { commit: Some(commit), note: None }),
            None => Err(Error::Usage(format!(
                "--base `{named}` is neither a commit hash nor a branch or tag of this repository; pass \
                 --base \"$(git rev-parse {named})\""
            ))),
        };
    }
    let head = repository.and_then(Repository::head);
    let newer = found.written().and_then(|written| {
        let covered = seen.files().iter().zip(seen.file_paths()).filter(|(facts, _)| !facts.covered.is_empty());
        let unchanged = covered.map(|(_, path)| path).filter(|path| !changed.contains(path));
        let modified = |path: &String| std::fs::metadata(root.join(path)).ok()?.modified().ok();
        unchanged.into_iter().find(|path| modified(path).is_some_and(|modified| modified > written)).cloned()
    });
    match newer {
        Some(path) if head.is_some() => Ok(Base {
            commit: None,
            note: Some(format!(
                "coverage is older than `{path}`, so HEAD is not taken as the commit it describes; --base REV names it"
            )),
        }),
        _ => Ok(Base { commit: head, note: None }),
    }
}

/// Size and content hash of a file of the tree, if it is there and in the tree.
fn stamp(root: &Path, path: &str) -> Option<Stamp> {
    let full = std::fs::canonicalize(root.join(path)).ok()?;
    if !full.starts_with(std::fs::canonicalize(root).ok()?) || !full.is_file() {
        return None;
    }
    let mut file = std::fs::File::open(full).ok()?;
    let mut hash = Xxh3::new();
    let mut size_bytes = 0;
    let mut buffer = [0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(Stamp { size_bytes, hash: hash.digest() });
        }
        size_bytes += read as u64;
        hash.update(&buffer[..read]);
    }
}

/// Writes a model aside and renames it into place, so that readers keep the file they opened and a build that dies
/// leaves the old model.
pub(super) fn replace(model: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error| Error::Write { path: model.to_owned(), error };
    let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new();
    aside.prefix(".covopt-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any file that a program makes: what the umask leaves of it.
        aside.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = aside.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(model).map_err(|error| failed(error.error))?;
    Ok(())
}
