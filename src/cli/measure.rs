//! `covopt measure`: what a session costs beside its tests, from a few small ones.
//!
//! A probe is one run of the given command with ids appended, timed from outside: one test, one test of each of several
//! files, and many tests of one file, in turn. These three tell start, files and tests apart ([`crate::clock`]). Cheap
//! tests are taken, so that what they cost themselves, which varies, is little of what is timed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;

use super::model_source::{Model, Place};
use super::replace::replace;
use super::{ModelArgs, Outcome, build, note, units};
use crate::build::{Kept, Sources};
use crate::clock::Clock;
use crate::error::{Error, exit};
use crate::id::{TestId, file_of_id};
use crate::model::{Index, ModelError};
use crate::observation::{Observations, Session};
use crate::output::{ClockReport, counted, seconds};

/// What the tests of a probe may cost together in microseconds, by the model.
const PROBE_COST_US: u64 = 500_000;
/// Files in a probe of several files, at most.
const FILES_MOST: usize = 8;
/// Tests in a probe of many tests, at most.
const TESTS_MOST: usize = 200;
/// An id that no suite has.
const UNKNOWN_ID: &str = "covopt_no_such_test.py::test_that_is_not_there";
/// The code of a runner whose tests failed; any other than this and 0 says that it did not run them.
const TESTS_FAILED: i32 = 1;

/// Learn what a session costs beside its tests, from a few small runs of a command
#[derive(Debug, Args)]
#[command(after_help = "Example: covopt measure -- pytest -q\n\n\
                  The command is run at the root of the tree, with ids appended as arguments; it may end with 0, or with 1 \
                  where tests fail. What it prints is not shown.")]
pub(super) struct MeasureArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// How many sessions are timed, after one that is not
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = units::at_least_one, allow_negative_numbers = true)]
    probes: usize,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// The command that runs the tests whose ids are appended to it
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs `measure`.
pub(super) fn run(args: &MeasureArgs) -> Outcome {
    let start = Instant::now();
    let place = Place::find(&args.model)?;
    let model = place.open()?;
    let kinds = kinds_of_probe(&model.index).map_err(|error| model.error(error))?;
    let [one, ..] = kinds.as_slice() else {
        return Err(Error::NoModel(format!(
            "model `{}` holds no test whose id can be an argument; build it from a recording of the suite",
            model.path.display()
        )));
    };
    let runner = Runner::new(&args.command, place.tree_root())?;
    runner.must_refuse_unknown()?;
    // What the first session alone waits for, such as files that nothing has read for long, is no part of the clock.
    runner.time(one)?;
    let mut sessions = Vec::with_capacity(args.probes);
    for kind in kinds.iter().cycle().take(args.probes) {
        sessions.push(kind.session(runner.time(kind)?));
    }
    // What was built in the meantime is kept.
    let clock = add(&place.open()?, &sessions, args.quiet)?;
    if !args.quiet {
        let took = seconds(start.elapsed().as_secs_f64());
        note(&format!("{} ({}, {took})", ClockReport::from(clock), counted(sessions.len(), "probe")));
        if clock.is_nothing() {
            note(
                "sessions cost nothing beside their tests: does the command run just the tests whose ids are appended?",
            );
        }
    }
    Ok(exit::DONE)
}

/// The tests of a probe.
#[derive(Debug, Default)]
struct Probe {
    ids: Vec<String>,
    cost_us: u64,
}

impl Probe {
    /// The first of `tests` that a probe may cost, but at least one.
    fn of<'a>(tests: impl IntoIterator<Item = &'a Cheap>) -> Self {
        let mut probe = Self::default();
        for (cost_us, id) in tests {
            if !probe.ids.is_empty() && probe.cost_us.saturating_add(*cost_us) > PROBE_COST_US {
                break;
            }
            probe.cost_us = probe.cost_us.saturating_add(*cost_us);
            probe.ids.push(id.clone());
        }
        probe
    }

    fn session(&self, took: Duration) -> Session {
        let files: BTreeSet<&str> = self.ids.iter().map(|id| file_of_id(id)).collect();
        let count = |number: usize| u32::try_from(number).expect("a probe has a few hundred tests at most");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Session {
            whole: true,
            time_us: microseconds(now),
            tests: count(self.ids.len()),
            files: count(files.len()),
            cost_us: self.cost_us,
            wall_us: microseconds(took).max(1),
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A test by what it costs in microseconds.
type Cheap = (u64, String);

/// One test, several files, many tests of one file: as far as the model has them. The one is of the file with the many.
fn kinds_of_probe<D: AsRef<[u8]>>(index: &Index<D>) -> Result<Vec<Probe>, ModelError> {
    let mut files: Vec<Vec<Cheap>> = tests_by_file(index)?.into_values().collect();
    files.iter_mut().for_each(|tests| tests.sort_unstable());
    let many = |tests: &Vec<Cheap>| Probe::of(tests.iter().take(TESTS_MOST));
    // Of files with as many, the cheapest.
    files.sort_by_cached_key(|tests| {
        let probe = many(tests);
        (std::cmp::Reverse(probe.ids.len()), probe.cost_us)
    });
    let Some(first) = files.first() else { return Ok(Vec::new()) };
    let (one, many) = (Probe::of(&first[..1]), many(first));
    let mut others: Vec<&Cheap> = files[1..].iter().map(|tests| &tests[0]).collect();
    others.sort_unstable();
    let several = Probe::of(std::iter::once(&first[0]).chain(others).take(FILES_MOST));
    let differ = [several, many].into_iter().filter(|probe| probe.ids.len() > 1);
    Ok(std::iter::once(one).chain(differ).collect())
}

/// The tests that a probe may run, by file: those whose cost is known and that have not failed, where there are any.
fn tests_by_file<D: AsRef<[u8]>>(index: &Index<D>) -> Result<BTreeMap<String, Vec<Cheap>>, ModelError> {
    let (mut sure, mut all) = (BTreeMap::new(), BTreeMap::new());
    for test in (0..index.root().tests).map(TestId) {
        let id = index.test_name(test)?;
        if !can_be_argument(&id) {
            continue;
        }
        let record = index.test_record(test)?;
        let cost_is_known = record.runs.iter().any(|run| run.cost_us.is_some());
        let has_failed = record.history().is_some();
        let by_file: &mut BTreeMap<String, Vec<Cheap>> =
            if cost_is_known && !has_failed { &mut sure } else { &mut all };
        by_file.entry(file_of_id(&id).to_owned()).or_default().push((index.cost_us(test)?, id));
    }
    Ok(if sure.is_empty() { all } else { sure })
}

/// Whether a runner takes the id for a test: not for an option, nor for a file of arguments.
fn can_be_argument(id: &str) -> bool {
    !id.is_empty() && !id.contains('\0') && !id.starts_with(['-', '@'])
}

/// The command that runs tests.
struct Runner<'a> {
    program: PathBuf,
    arguments: &'a [OsString],
    directory: PathBuf,
}

impl<'a> Runner<'a> {
    fn new(command: &'a [OsString], directory: PathBuf) -> Result<Self, Error> {
        let (program, arguments) = command.split_first().expect("clap wants one at least");
        let mut program = PathBuf::from(program);
        // A path is told from where one stands, and the command is run at the root.
        if program.components().count() > 1 {
            program = std::path::absolute(&program).map_err(|error| Error::Runner {
                command: program.display().to_string(),
                problem: error.to_string(),
            })?;
        }
        Ok(Self { program, arguments, directory })
    }

    /// Makes sure that the command looks at the ids it is given: it has to fail for one that no suite has.
    fn must_refuse_unknown(&self) -> Result<(), Error> {
        let probe = Probe { ids: vec![UNKNOWN_ID.to_owned()], cost_us: 0 };
        let ended = self.run(&probe)?;
        match ended.code() {
            Some(exit_code) if exit_code == 0 || exit_code == TESTS_FAILED => {
                let problem = format!(
                    "{ended} for a test that is not there, expected another exit code; it has to run the tests whose ids are appended to it, and nothing else"
                );
                Err(self.error(&probe, &problem))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, probe: &Probe) -> Result<ExitStatus, Error> {
        let mut command = Command::new(&self.program);
        command.args(self.arguments).args(&probe.ids).current_dir(tree(&self.directory));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().map_err(|error| self.error(probe, &error.to_string()))
    }

    /// Runs a probe and says how long it took, the start and the end of the process included.
    fn time(&self, probe: &Probe) -> Result<Duration, Error> {
        let start = Instant::now();
        let ended = self.run(probe)?;
        let took = start.elapsed();
        match ended.code() {
            Some(exit_code) if exit_code == 0 || exit_code == TESTS_FAILED => Ok(took),
            _ => Err(self.error(probe, &format!("{ended}, expected exit code 0, or 1 where tests fail"))),
        }
    }

    fn error(&self, probe: &Probe, problem: &str) -> Error {
        let mut words = vec![self.program.display().to_string()];
        words.extend(self.arguments.iter().map(|argument| argument.to_string_lossy().into_owned()));
        words.extend(probe.ids.first().cloned());
        let more = probe.ids.len() - 1;
        let rest = if more > 0 { format!(" and {} more", counted(more, "id")) } else { String::new() };
        Error::Runner { command: format!("`{}`{rest}", words.join(" ")), problem: problem.to_owned() }
    }
}

/// A directory as the system takes it: the empty path is where one stands.
fn tree(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

/// Adds sessions to a model, and gives the clock that it has then.
fn add(model: &Model, sessions: &[Session], quiet: bool) -> Result<Clock, Error> {
    let index = &model.index;
    let mut seen = Observations::default();
    sessions.iter().for_each(|&session| seen.session(session));
    let failed = |error| build::build_error(error, &model.path);
    let mut sources = Sources::new(seen);
    sources.update(index).map_err(failed)?;
    let contents = Kept::of(index).map_err(|error| model.error(error))?;
    let kept: Vec<Session> = sources.observations().sessions().iter().copied().collect();
    replace(&model.path, quiet, |out| {
        sources.write(index.root().base.as_deref(), |path| contents.content(path), |_, _, _| (), out).map_err(failed)
    })?;
    Ok(Clock::learn(&kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Outcome as Ended, Run};

    fn probes(tests: &[(&str, Option<u64>)]) -> Vec<(Vec<String>, u64)> {
        let mut seen = Observations::default();
        for &(id, cost_ms) in tests {
            let test = seen.test(id);
            let cost_us = cost_ms.map(|ms| ms * 1000);
            let outcome = match id {
                id if id.contains("broken") => Ended::Failed,
                id if id.contains("shaky") => Ended::Flaky,
                _ => Ended::Passed,
            };
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome, cost_us });
        }
        let bytes = crate::build::build(&seen, None, |_| None);
        let probes = kinds_of_probe(&Index::open(&bytes[..]).unwrap()).unwrap();
        probes.into_iter().map(|probe| (probe.ids, probe.cost_us)).collect()
    }

    #[test]
    fn cheap_tests_are_probed_one_several_files_and_many() {
        let found = probes(&[
            ("a.py::t1", Some(3)),
            ("a.py::t2", Some(1)),
            ("a.py::slow", Some(900)),
            ("a.py::broken", Some(1)),
            ("a.py::shaky", Some(1)),
            ("a.py::unknown", None),
            ("-b.py::t", Some(1)),
            ("b.py::t", Some(2)),
            ("c.py::t", Some(1)),
            ("d.py::t", Some(600)),
        ]);
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        let several = (ids(&["a.py::t2", "c.py::t", "b.py::t"]), 4000);
        assert_eq!(found, [(ids(&["a.py::t2"]), 1000), several, (ids(&["a.py::t2", "a.py::t1"]), 4000)]);
    }

    #[test]
    fn a_model_of_one_test_has_one_kind_and_an_empty_one_none() {
        assert_eq!(probes(&[("a.py::t", Some(9_000))]), [(vec!["a.py::t".to_owned()], 9_000_000)]);
        assert_eq!(probes(&[("a.py::unknown", None)]).len(), 1);
        assert_eq!(probes(&[("@a.py::t", Some(1))]), []);
    }

    #[test]
    fn large_suites_have_small_probes() {
        let ids: Vec<String> = (0..1000).map(|at| format!("t{}.py::t{at}", at / 300)).collect();
        let tests: Vec<(&str, Option<u64>)> = ids.iter().map(|id| (id.as_str(), Some(1))).collect();
        assert_eq!(probes(&tests).iter().map(|(ids, _)| ids.len()).collect::<Vec<_>>(), [1, 4, TESTS_MOST]);
        let slow: Vec<(&str, Option<u64>)> = ids.iter().map(|id| (id.as_str(), Some(100))).collect();
        assert!(probes(&slow).iter().all(|&(_, cost_us)| cost_us <= PROBE_COST_US));
    }
}
