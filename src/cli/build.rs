//! `covopt build`: make or refresh the model.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rkyv::util::AlignedVec;
use xxhash_rust::xxh3::Xxh3;

use super::inputs::{Found, Ingested, context};
use super::model_source::{MODEL_NAME, Model, Place};
use super::progress::{Progress, Shown, WorkArgs, stage};
use super::replace::{check_place, replace};
use super::repository::Repository;
use super::source_tree::{OldSides, SourceTree};
use super::{ModelArgs, Outcome, note};
use crate::build::{self, BuildError, Content, Edited, Kept, Sources, Tally, Written};
use crate::diff::{Diff, Status};
use crate::error::{Error, exit};
use crate::id::TestId;
use crate::ingest::{Ingest, Note};
use crate::model::{ANCHORED_BYTES_MOST, Root, Stamp};
use crate::observation::{Observations, TestFacts};
use crate::output::{counted, group_digits};

/// A model whose recorded tests a new one would cut below this share is only replaced with `--force`.
const LEAST_SHARE_KEPT: f64 = 0.5;

/// Make or refresh the model from coverage, reports and JSON, as given or as found
#[derive(Debug, Args)]
#[command(
    after_help = "Inputs are known by their content: coverage.py databases (`.coverage`) and JSON with --show-contexts, LCOV, \
                  JUnit XML, durations `{\"test id\": seconds}`, universal-ctags JSON lines, declared features in JSON, and \
                  JSON lines. In a folder, `coverage.dat`, `*.info` and `*.lcov` are read as LCOV, `test.xml` as JUnit, and nothing \
                  else: it is for `bazel-testlogs`.\n\n\
                  The usual places, below the root: `.coverage` and `.coverage.*`; `coverage.json`, `coverage.jsonl`, \
                  `lcov.info`, `coverage.lcov`, `coverage/lcov.info`; `junit.xml`, `report.xml`, `test-results.xml`, \
                  `reports/junit.xml`, `test-results/junit.xml`; `.test_durations`, `durations.json`; `tags.jsonl`; \
                  `covopt.json`, `covopt.jsonl`; `coverage.json` and `junit.xml` in `.cache`; `*.xml` in \
                  `target/surefire-reports`, `build/test-results/test`, `target/nextest/default` and `target/nextest/ci`; \
                  every file in `.covopt.d`; `bazel-testlogs`."
)]
pub(super) struct BuildArgs {
    /// What to read; `-` is standard input. Without any, what lies in the usual places, and the source of the tree
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The commit that the inputs describe; by default HEAD
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Keep what the model holds, and add to it
    #[arg(long)]
    update: bool,
    /// Read the source of the tree, too, where inputs are named
    #[arg(long, conflicts_with = "no_source")]
    source: bool,
    /// Do not read the source of the tree
    #[arg(long)]
    no_source: bool,
    /// A folder of the tree, relative to its root, that goes before test ids and relative paths: for a suite that runs in a
    /// folder of its own
    #[arg(long, value_name = "DIR")]
    test_root: Option<PathBuf>,
    /// Take recordings that look wrong, and replace a model by one that knows far fewer tests
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    work: WorkArgs,
}

impl BuildArgs {
    /// What is named is all that is read, unless the source is named, too.
    fn reads_source(&self) -> bool {
        if self.inputs.is_empty() { !self.no_source } else { self.source }
    }
}

/// Runs `build`.
pub(super) fn run(args: &BuildArgs) -> Outcome {
    let place = Place::find(&args.model)?;
    let root = place.tree_root();
    let target = if place.named { place.model.clone() } else { root.join(MODEL_NAME) };
    check_place(&target)?;
    let found = match args.inputs.is_empty() {
        true => Found::look(&root),
        false => Found::named(args.inputs.clone()),
    };
    let found = match args.reads_source() {
        true => found.with_source(SourceTree::list(&root, place.repository.as_ref())),
        false => found,
    };
    if found.is_empty() {
        return Err(Error::NoModel(format!(
            "nothing in `{}` to build a model from: looked for coverage databases, LCOV, JUnit reports and durations in the usual \
             places, and for source; name the inputs, or record coverage with `pytest --cov --cov-context=test \
             --junitxml=junit.xml`",
            root.display()
        )));
    }
    let mut context = context(&root).with_force(args.force);
    if let Some(named) = &args.test_root {
        context = context.with_test_root(&test_root(named, &root)?);
    }
    let ingest = Ingest::with_memory(args.work.bytes_of_pairs(), folder_of(&target));
    let mut ingested = found.ingest(&context, ingest, args.work.progress())?;
    found.add_source(&mut ingested, &OldSides::new(), &target, args.work.progress());
    if args.update {
        // What the inputs do not state the older model may.
        ingested.said.retain(|note| !matches!(note, Note::NoCost { .. }));
    }
    let repository = place.repository.as_ref();
    let mut base = base(args.base.as_deref(), &root, repository, &ingested, &HashSet::new())?;
    let adds_coverage = ingested.observations.tests().iter().any(|test| test.recorded);
    let Ingested { observations, inputs, mut notes, said, .. } = ingested;
    notes.extend(said.iter().map(ToString::to_string));
    let is_first = !place.named && !target.exists();
    let repository = place.repository.clone();
    let old = Place { model: target.clone(), ..place }.open();
    if let Ok(old) = &old {
        if args.update && args.base.is_none() && !adds_coverage {
            // What is recorded is as old as it was, whatever joins it.
            base = Base { commit: old.index.root().base.clone(), note: None };
        }
        notes.extend(lost(args, old, &observations)?);
    }
    notes.extend(base.note);
    // An unreadable model is replaced, but never joined to.
    let old = match old {
        Err(error) if args.update && !matches!(error, Error::NoModel(_)) => return Err(error),
        old => old.ok(),
    };
    let covered = observations.files().iter().zip(observations.file_paths()).filter(|(facts, _)| facts.is_covered);
    let covered: HashSet<String> = covered.map(|(_, path)| path.clone()).collect();
    // Lines that only the older model knows are those of the file as it was then.
    let kept = match &old {
        Some(old) if args.update => Some(Kept::of(&old.index).map_err(|error| old.error(error))?),
        _ => None,
    };
    let of_tree = contents(&root);
    let content = |path: &str| match kept.as_ref().filter(|kept| kept.has_lines(path) && !covered.contains(path)) {
        Some(kept) => kept.content(path),
        None => of_tree(path),
    };
    let mut sources = Sources::new(observations);
    let tally = match &old {
        Some(old) if args.update => sources.update(&old.index).map_err(|error| build_error(error, &old.path))?,
        Some(old) => replaced(args, old, sources.observations())?,
        None => build::compare([], sources.observations()),
    };
    if args.update {
        notes.extend(without_cost(sources.observations()).map(|note| note.to_string()));
    }
    notes.extend(emptiness(sources.observations()));
    let mut progress = args.work.progress();
    let told = |phase, done, total| progress.at(stage(phase), done, Some(total));
    let written = replace(&target, args.work.quiet, |out| {
        let written = sources.write(base.commit.as_deref(), content, told, out);
        written.map_err(|error| build_error(error, &target))
    })?;
    drop(progress);
    if !args.work.quiet {
        report(&inputs, &notes);
        report_tally(&target, written, tally);
        if is_first {
            hint_unless_ignored(repository.as_ref());
        }
    }
    Ok(exit::DONE)
}

/// Where a model stands.
pub(super) fn folder_of(model: &Path) -> &Path {
    model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why the model at `path` could not be built, or joined.
pub(super) fn build_error(error: BuildError, path: &Path) -> Error {
    let path = path.to_owned();
    match error {
        BuildError::Io(error) => Error::Write { path, error },
        BuildError::Model(error) | BuildError::Joined { error, .. } => Error::Model { path, error },
        error => Error::Contradiction { path, error },
    }
}

/// The folder of the suite, relative to the root.
fn test_root(named: &Path, root: &Path) -> Result<String, Error> {
    let below_root = || {
        let real = std::fs::canonicalize(root.join(named)).ok().filter(|folder| folder.is_dir())?;
        let below = real.strip_prefix(std::fs::canonicalize(root).ok()?).ok()?;
        below.to_str().map(str::to_owned)
    };
    below_root().ok_or_else(|| {
        Error::Usage(format!(
            "--test-root `{}`: expected a folder in `{}`, relative to it, found none; name the tree with --root",
            named.display(),
            root.display()
        ))
    })
}

/// Tells whoever has a first model that git would offer it for a commit.
pub(super) fn hint_unless_ignored(repository: Option<&Repository>) {
    if repository.is_some_and(|repository| !repository.ignores(MODEL_NAME)) {
        note(&format!("hint: git does not ignore `{MODEL_NAME}`; add `{MODEL_NAME}*` to .gitignore"));
    }
}

/// What becomes of the tests of a model that is replaced; makes sure that this loses nothing by accident.
fn replaced(args: &BuildArgs, old: &Model, new: &Observations) -> Result<Tally, Error> {
    if let Some((now, before)) = poorer(new, old.index.root()).filter(|_| !args.force) {
        return Err(Error::Usage(format!(
            "the inputs hold {now}, model `{}` {before}; add to it with --update, or replace it with --force",
            old.path.display()
        )));
    }
    let names = (0..old.index.root().tests).map(|test| old.index.test_name(TestId(test)));
    // Of a damaged model, which is replaced, nothing is kept or removed.
    let names: Vec<String> = names.collect::<Result<_, _>>().unwrap_or_default();
    Ok(build::compare(names.iter().map(String::as_str), new))
}

/// What was learned of the older model by other commands and is not in its inputs: replacing the model leaves it out.
fn lost(args: &BuildArgs, old: &Model, new: &Observations) -> Result<Option<String>, Error> {
    let root = old.index.root();
    let measured = old.index.sessions().map_err(|error| old.error(error))?.iter().any(|session| session.whole);
    let measured = measured && !new.sessions().iter().any(|session| session.whole);
    let calibrated = root.constants_stated != 0 && new.constants().is_empty();
    let what = match (measured, calibrated) {
        _ if args.update => return Ok(None),
        (false, false) => return Ok(None),
        (true, false) => "the clock that `covopt measure` learned is",
        (false, true) => "the constants that `covopt calibrate` fitted are",
        (true, true) => "the clock that `covopt measure` learned and the constants that `covopt calibrate` fitted are",
    };
    Ok(Some(format!("{what} not in the new model; --update keeps what a model holds")))
}

/// What the new observations hold too little of, and how much of it the old model holds.
fn poorer(new: &Observations, old: &Root) -> Option<(String, String)> {
    let recorded_now = new.tests().iter().filter(|test| test.recorded).count();
    if (recorded_now as f64) < f64::from(old.tests_recorded) * LEAST_SHARE_KEPT {
        let coverage_of = |tests| format!("coverage of {}", counted(tests, "test"));
        return Some((coverage_of(recorded_now), coverage_of(old.tests_recorded as usize)));
    }
    if old.postings > 0 && !holds_evidence(new) {
        return Some(("no line that a test ran".to_owned(), format!("{} tests and what they ran", old.tests)));
    }
    let is_empty = new.tests().is_empty() && old.tests > 0;
    is_empty.then(|| ("no test".to_owned(), counted(old.tests as usize, "test")))
}

/// The tests whose cost nothing states.
fn without_cost(seen: &Observations) -> Option<Note> {
    let has_cost = |test: &&TestFacts| test.runs.iter().any(|run| run.cost_us.is_some());
    let (known, tests) = (seen.tests().len(), seen.tests().iter().filter(|test| !has_cost(test)).count());
    (tests > 0).then_some(Note::NoCost { tests, known })
}

/// Whether any test has a line that it ran or a signal that is declared.
fn holds_evidence(seen: &Observations) -> bool {
    seen.files().iter().any(|file| file.is_covered) || seen.tests().iter().any(|test| test.has_signals)
}

/// What a model without evidence cannot do. Joined to an older one, the inputs are as they are.
fn emptiness(seen: &Observations) -> Option<String> {
    if seen.test_names().is_empty() {
        Some("the model holds no test: no input names one, so there is nothing to select".to_owned())
    } else if !holds_evidence(seen) {
        let words = if seen.tests().iter().any(|test| test.has_text) { "words, " } else { "" };
        Some(format!("no test's lines were recorded: tests are chosen by their {words}names and files alone"))
    } else {
        None
    }
}

fn report_tally(target: &Path, written: Written, tally: Tally) {
    note(&format!(
        "wrote `{}`: {}, {}, {}; {} kept, {} added, {} replaced, {} removed",
        target.display(),
        counted(written.tests as usize, "test"),
        counted(written.files as usize, "file"),
        format_args!("{} bytes", group_digits(written.bytes)),
        counted(tally.kept, "test"),
        group_digits(tally.added as u64),
        group_digits(tally.replaced as u64),
        group_digits(tally.removed as u64)
    ));
}

/// A model that was just laid out.
pub(super) struct Built {
    pub(super) bytes: AlignedVec<64>,
    inputs: Vec<String>,
    notes: Vec<String>,
}

impl Found {
    /// A first model for a command that has none. `changed` are the files of the diff at hand: what they are now is not
    /// what the model describes.
    pub(super) fn build(
        self,
        root: &Path,
        model: &Path,
        repository: Option<&Repository>,
        changed: &Changed,
    ) -> Result<Built, Error> {
        let mut ingested = self.ingest(&context(root), Ingest::new(), Progress::new(Shown::None, true))?;
        let seen_after = changed.unapply(root, &mut ingested)?;
        self.add_source(&mut ingested, &changed.old_sides, model, Progress::new(Shown::None, true));
        let base = match seen_after {
            Some(note) => Base { commit: None, note: Some(note) },
            None => base(None, root, repository, &ingested, &changed.paths)?,
        };
        let Ingested { observations, inputs, mut notes, said, .. } = ingested;
        notes.extend(said.iter().map(ToString::to_string));
        notes.extend(base.note);
        notes.extend(emptiness(&observations));
        let content = contents(root);
        let content = |path: &str| if changed.paths.contains(path) { None } else { content(path) };
        let bytes = build::build(&observations, base.commit.as_deref(), content);
        Ok(Built { bytes, inputs, notes })
    }
}

/// The files of the diff at hand, for a first model.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Their paths, on both sides.
    paths: HashSet<String>,
    /// What the diff did to those that stand in the tree as it leaves them.
    edited: Vec<Edited>,
    /// What these held before it.
    old_sides: OldSides,
}

impl Changed {
    pub(super) fn of(diff: &Diff<'_>, root: &Path) -> Self {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let mut times: HashMap<&[u8], u32> = HashMap::new();
        diff.files.iter().for_each(|file| *times.entry(file.path()).or_default() += 1);
        // Of a log of several commits no one entry tells how a file was before all of them.
        let once = diff.files.iter().filter(|file| times[file.path()] == 1);
        let (mut edited, mut old_sides) = (Vec::new(), OldSides::new());
        for file in once {
            let Some(new_path) = file.new_path.as_deref().map(text) else { continue };
            if file.old_path.is_none() || file.status == Status::Copied {
                old_sides.insert(new_path, (String::new(), Vec::new()));
                continue;
            }
            let Some(content) = read_below(root, &new_path) else { continue };
            if let Some(known) = Edited::of(file, &content) {
                let before = build::old_side(file, &content);
                old_sides.insert(known.new_path.clone(), (known.old_path.clone(), before));
                edited.push(known);
            }
        }
        let paths = diff.files.iter().flat_map(|file| [file.old_path.as_deref(), file.new_path.as_deref()]);
        Self { paths: paths.flatten().map(text).collect(), edited, old_sides }
    }

    /// Where coverage is younger than a changed file that it names, the recording saw the file as it is now: its lines are
    /// made those before the diff. Says so, because such a model describes no commit.
    fn unapply(&self, root: &Path, ingested: &mut Ingested) -> Result<Option<String>, Error> {
        let Some(recorded) = ingested.recorded else { return Ok(None) };
        let seen = &ingested.observations;
        let is_seen_after = |path: &str| {
            let modified = std::fs::metadata(root.join(path)).ok().and_then(|found| found.modified().ok());
            modified.is_some_and(|modified| modified <= recorded)
        };
        let covered = seen.files().iter().zip(seen.file_paths()).filter(|(facts, _)| facts.is_covered);
        let covered = covered.map(|(_, path)| path).filter(|path| self.paths.contains(*path) && is_seen_after(path));
        let after: HashSet<String> = covered.cloned().collect();
        let moved = |edited: &Edited| edited.old_path != edited.new_path && is_seen_after(&edited.new_path);
        let edited = self.edited.iter().filter(|edited| after.contains(&edited.new_path) || moved(edited));
        let edited: Vec<Edited> = edited.cloned().collect();
        let known: HashSet<&str> = edited.iter().map(|edited| edited.new_path.as_str()).collect();
        let off = after.iter().filter(|path| !known.contains(path.as_str())).min();
        let note = match off {
            None if edited.is_empty() => return Ok(None),
            None => format!(
                "coverage was recorded after {} changed, so {} lines are taken back to those before the diff, and HEAD is not \
                 taken as the commit that the model describes",
                counted(edited.len(), "file"),
                if edited.len() == 1 { "its" } else { "their" }
            ),
            Some(path) => format!(
                "coverage was recorded after `{path}` changed, and the diff does not lead back from what it is now, so its \
                 lines may be off and HEAD is not taken as the commit that the model describes; record coverage of a tree \
                 without changes"
            ),
        };
        build::unapply(&mut ingested.observations, &edited)
            .map_err(|error| Error::Write { path: root.to_owned(), error })?;
        Ok(Some(note))
    }
}

/// A file of the tree at `root`, unless a link leads out of it.
pub(super) fn read_below(root: &Path, path: &str) -> Option<Vec<u8>> {
    let root = std::fs::canonicalize(root).ok()?;
    let real = std::fs::canonicalize(root.join(path)).ok()?;
    if real.starts_with(&root) && real.is_file() { std::fs::read(real).ok() } else { None }
}

impl Built {
    /// Says what was read, and what about it deserves a word.
    pub(super) fn report(&self) {
        report(&self.inputs, &self.notes);
    }
}

fn report(inputs: &[String], notes: &[String]) {
    note(&format!("built a model from {}", inputs.join(", ")));
    notes.iter().for_each(|text| note(text));
}

/// The commit that a model describes, or why none is stamped.
pub(super) struct Base {
    pub(super) commit: Option<String>,
    pub(super) note: Option<String>,
}

/// The commit that was named, else HEAD, unless a file that the inputs name is newer than their coverage: then they do
/// not describe HEAD. What the diff at hand changed is newer by its nature.
fn base(
    named: Option<&str>,
    root: &Path,
    repository: Option<&Repository>,
    ingested: &Ingested,
    changed: &HashSet<String>,
) -> Result<Base, Error> {
    if let Some(named) = named {
        return named_base(named, repository);
    }
    let head = repository.and_then(Repository::head);
    let seen = &ingested.observations;
    let newer = ingested.recorded.and_then(|recorded| {
        let covered = seen.files().iter().zip(seen.file_paths()).filter(|(facts, _)| facts.is_covered);
        let unchanged = covered.map(|(_, path)| path).filter(|&path| !changed.contains(path));
        let modified = |path: &String| std::fs::metadata(root.join(path)).ok()?.modified().ok();
        unchanged.into_iter().find(|path| modified(path).is_some_and(|modified| modified > recorded))
    });
    let Some(newer) = newer else { return Ok(Base { commit: head, note: None }) };
    let remedy = match head {
        Some(_) => "so HEAD is not taken as the commit it describes; --base REV names it",
        None => "so its lines may have moved; record it again",
    };
    Ok(Base { commit: None, note: Some(format!("coverage is older than `{newer}`, {remedy}")) })
}

/// The commit that a person names.
pub(super) fn named_base(named: &str, repository: Option<&Repository>) -> Result<Base, Error> {
    if named.is_empty() {
        return Err(Error::Usage(
            "--base is empty, expected a commit; did the command that was to print it fail?".to_owned(),
        ));
    }
    let known = repository.and_then(|repository| repository.resolve(named));
    let is_hex = named.len() >= 7 && named.len() <= 64 && named.bytes().all(|byte| byte.is_ascii_hexdigit());
    match known.or_else(|| is_hex.then(|| named.to_owned())) {
        Some(commit) => {
            let note = (commit.len() < 40).then(|| {
                format!("--base `{commit}` is abbreviated and taken as it is; `git rev-parse {commit}` tells all of it")
            });
            Ok(Base { commit: Some(commit), note })
        }
        None => Err(Error::Usage(format!(
            "--base `{named}` is neither a commit hash nor a branch of this repository, nor a tag that can be read \
             without git; pass --base \"$(git rev-parse '{named}^{{commit}}')\""
        ))),
    }
}

/// What a model keeps of each file of the tree at `root`, if it is there and in the tree.
fn contents(root: &Path) -> impl Fn(&str) -> Option<Content> {
    let real_root = std::fs::canonicalize(root).ok();
    move |path| {
        let real_root = real_root.as_ref()?;
        let full = std::fs::canonicalize(real_root.join(path)).ok()?;
        if full.starts_with(real_root) && full.is_file() { content(&full) } else { None }
    }
}

fn content(path: &Path) -> Option<Content> {
    let mut file = std::fs::File::open(path).ok()?;
    if file.metadata().ok()?.len() <= ANCHORED_BYTES_MOST as u64 {
        return Some(Content::of(&std::fs::read(path).ok()?));
    }
    let mut hash = Xxh3::new();
    let mut size_bytes = 0;
    let mut buffer = [0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(Content { stamp: Stamp { size_bytes, hash: hash.digest() }, anchors: Vec::new() });
        }
        size_bytes += read as u64;
        hash.update(&buffer[..read]);
    }
}
