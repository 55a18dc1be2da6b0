//! The command line: one file a subcommand. With [`crate::mmap`] the only room that touches the world.

mod base;
mod before;
mod build;
mod calibrate;
mod changes;
mod choice;
#[cfg_attr(not(feature = "source"), path = "no_cosmetic.rs")]
mod cosmetic;
mod diff_input;
mod explain;
mod find;
mod for_runner;
mod id_file;
mod impacted;
mod inputs;
mod inspect;
mod last_failed;
mod machine;
mod measure;
mod merge;
mod model_source;
#[cfg_attr(not(feature = "source"), path = "no_new_tests.rs")]
mod new_tests;
mod progress;
mod replace;
mod replay;
mod repository;
mod runs;
mod select;
mod sink;
#[cfg_attr(not(feature = "source"), path = "no_source_tree.rs")]
mod source_tree;
mod tree;
mod units;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::find::FromCwd;
use self::model_source::Place;
use crate::error::{Error, exit};
use crate::output::Runner;

/// What a finished command means for its caller: 0, or 2 for "run the whole suite".
type Outcome = Result<u8, Error>;

/// Reads a diff, prints the few tests most likely to catch a defect in it.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "Budgeted test selection: reads a diff, prints the few tests most likely to catch a defect in it",
    after_help = "Exit codes: 0 done; 2 run the whole suite; 64 usage; 65 malformed diff or input; 66 missing or unreadable \
                  input or model; 70 a bug in covopt; 73 cannot write; 74 I/O error; 78 bad configuration.\n\n\
                  Example: git diff | covopt select -t 10 -0 | xargs -0 -r pytest"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// Deferred: what a command takes is made when it is the one that is run. Its flags then bring the sentence that says what
// it does, where the list of commands has the one that stands here: they are the same.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Print the tests that best check a diff within a budget of seconds, best first
    Select(select::SelectArgs),
    /// Print every test that a diff can reach, or exit 2 where the whole suite is wiser
    Impacted(impacted::ImpactedArgs),
    /// Make or refresh the model from coverage, reports and JSON, as given or as found
    Build(build::BuildArgs),
    /// Join models of one suite: shards, or runs of the same tests
    Merge(merge::MergeArgs),
    /// Learn what a session costs beside its tests, from a few small runs of a command
    Measure(measure::MeasureArgs),
    /// Tell why tests were chosen or not, and what stays at risk
    Explain(explain::ExplainArgs),
    /// Fit the constants of the signal to past runs
    Calibrate(calibrate::CalibrateArgs),
    /// Show how a diff is read: files, hunks and the regions they touch
    Changes(changes::ChangesArgs),
    /// Tell how often selections would have missed, on past runs of the suite
    Replay(replay::ReplayArgs),
    /// Show what is in a model
    Inspect(inspect::InspectArgs),
    /// Check every byte of a model
    Verify(verify::VerifyArgs),
    /// Print the commit that a model describes
    Base(base::BaseArgs),
}

/// Where the model is.
#[derive(Debug, Args)]
struct ModelArgs {
    /// The model [default: COVOPT_MODEL, or the nearest `.covopt` upwards within the work tree]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The tree that the model describes; by default where the model stands
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl ModelArgs {
    /// The model that a person or the environment names.
    fn named_model(&self) -> Option<PathBuf> {
        self.model.clone().or_else(|| environment("COVOPT_MODEL").map(PathBuf::from))
    }
}

/// A variable of the environment. An empty one is none, as scripts write it.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where the diff is.
#[derive(Debug, Args)]
struct DiffArgs {
    /// The diff; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    diff: PathBuf,
}

/// How much is said on standard error.
#[derive(Debug, Args)]
struct VerbosityArgs {
    /// Print the figures behind the answer to standard error
    #[arg(short, long)]
    verbose: bool,
    /// Print nothing but errors to standard error
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

/// Where an answer goes.
#[derive(Debug, Args)]
struct SinkArgs {
    /// Write the answer to this file, which is emptied first; `-`, the default, is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl SinkArgs {
    /// The file, or `None` for standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| path.as_os_str() != "-")
    }
}

/// Where and how ids are printed.
#[derive(Debug, Args)]
struct OutputArgs {
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = IdFormat::Lines)]
    format: IdFormat,
    /// End each id or argument with NUL instead of a line break: for `xargs -0`
    #[arg(short = '0')]
    null: bool,
    #[command(flatten)]
    sink: SinkArgs,
    /// What printed paths are relative to
    #[arg(long, value_enum, default_value_t = IdBase::Root)]
    ids: IdBase,
}

/// What the paths in printed ids are relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IdBase {
    /// The root of the repository
    Root,
    /// The directory one stands in
    Cwd,
}

/// What an empty diff means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EmptyDiff {
    Ok,
    Fail,
}

impl OutputArgs {
    fn format(&self) -> IdFormat {
        if self.null && self.format == IdFormat::Lines { IdFormat::Null } else { self.format }
    }

    /// Refuses flags that contradict each other.
    fn check(&self) -> Result<(), Error> {
        match self.null && self.format == IdFormat::Json {
            true => {
                Err(Error::Usage("-0 ends ids with NUL, and --format json prints one object; leave one out".to_owned()))
            }
            false => Ok(()),
        }
    }

    /// The runner that the answer is for, where it takes something else than ids.
    fn runner(&self) -> Option<Runner> {
        match self.format {
            IdFormat::Json | IdFormat::Lines | IdFormat::Null => None,
            IdFormat::Cargo => Some(Runner::Cargo),
            IdFormat::Go => Some(Runner::Go),
            IdFormat::Gradle => Some(Runner::Gradle),
            IdFormat::Gtest => Some(Runner::Gtest),
            IdFormat::Jest => Some(Runner::Jest),
            IdFormat::Maven => Some(Runner::Maven),
            IdFormat::Mocha => Some(Runner::Mocha),
            IdFormat::Nextest => Some(Runner::Nextest),
            IdFormat::Pytest => Some(Runner::Pytest),
            IdFormat::Vitest => Some(Runner::Vitest),
        }
    }

    /// From where ids are told, unless it is the root.
    fn ids_from(&self, place: &Place) -> Result<Option<FromCwd>, Error> {
        match self.ids {
            IdBase::Root => Ok(None),
            IdBase::Cwd => FromCwd::to_root(&place.root).map(Some),
        }
    }

    /// What to tell whoever stands below the root, where a runner would not find the ids.
    fn root_hint(&self, place: &Place) -> Option<String> {
        let is_needed = place.below_root && self.ids == IdBase::Root;
        is_needed.then(|| format!("ids are relative to `{}`: run there, or use --ids cwd", place.root.display()))
    }
}

/// How ids are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IdFormat {
    /// One id a line
    Lines,
    /// One JSON object
    Json,
    /// Each id followed by NUL
    Null,
    /// For `xargs -d '\n' -r cargo test -- --exact`
    Cargo,
    /// For `xargs -d '\n' -r go test`
    Go,
    /// For `xargs -d '\n' -r gradle test`
    Gradle,
    /// For `xargs -d '\n' -r ./program_of_tests`
    Gtest,
    /// For `xargs -d '\n' -r npx jest`
    Jest,
    /// For `xargs -d '\n' -r mvn test`
    Maven,
    /// For `xargs -d '\n' -r npx mocha`
    Mocha,
    /// For `xargs -d '\n' -r cargo nextest run`
    Nextest,
    /// For `xargs -d '\n' -r pytest`; ids of other runners are left out
    Pytest,
    /// For `xargs -d '\n' -r npx vitest run`
    Vitest,
}

/// How a report for people or machines is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Runs the command line and gives the exit code. Errors are on standard error by then.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments),
    };
    let outcome = match cli.command {
        Command::Select(args) => select::run(&args),
        Command::Impacted(args) => impacted::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Changes(args) => changes::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Base(args) => base::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say_line(&format!("error: {error}"));
            error.exit_code()
        }
    }
}

/// Help and version are success; anything else that clap refuses is 64, because its own code, 2, means "run everything"
/// here. An output file that the refused line names is emptied all the same, so that no old ids are taken for new ones.
fn usage(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if !error.use_stderr() {
        return if error.print().is_ok() { exit::DONE } else { exit::IO };
    }
    sink::empty_named_output(arguments);
    let _ = error.print(); // There is nowhere left to complain to.
    exit::USAGE
}

/// Prints text on standard error, with what could fool a terminal escaped. A closed standard error is not a failure.
fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let escaped = crate::output::escape_lines(text);
    let _ = stderr.write_all(escaped.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
}

/// [`say`] for one line: a name with a line break in it does not begin another.
fn say_line(text: &str) {
    say(&crate::output::escape(text));
}

/// [`say_line`], as `covopt: text`.
fn note(text: &str) {
    say_line(&format!("covopt: {text}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn each_command_says_what_the_list_of_commands_says() {
        let listed = Cli::command();
        let mut built = Cli::command();
        built.build();
        for command in listed.get_subcommands() {
            let of_flags = built.find_subcommand(command.get_name()).unwrap();
            assert!(of_flags.get_arguments().count() > 0, "{} is still deferred", command.get_name());
            let said = of_flags.get_about().map(ToString::to_string);
            assert_eq!(said, command.get_about().map(ToString::to_string), "{}", command.get_name());
        }
        assert!(listed.get_subcommands().all(|command| command.get_about().is_some()));
    }
}
