//! Every way in which a command can fail, and the exit code of each.

use std::io;
use std::path::PathBuf;

use crate::build::BuildError;
use crate::candidate::CandidateError;
use crate::diff::DiffError;
use crate::ingest::IngestError;
use crate::mmap::OpenError;
use crate::model::ModelError;
use crate::optimize::ExactError;
use crate::output::{IdError, RunnerError};

/// The exit codes of `covopt`; they are stable.
pub mod exit {
    /// Done. An empty change selects nothing, and that is success.
    pub const DONE: u8 = 0;
    /// Nothing trustworthy to select: run the whole suite.
    pub const FULL_RUN: u8 = 2;
    /// The command line was wrong.
    pub const USAGE: u8 = 64;
    /// The diff or an input is malformed.
    pub const MALFORMED: u8 = 65;
    /// An input or the model is missing or cannot be read.
    pub const NO_INPUT: u8 = 66;
    /// A bug in covopt.
    pub const BUG: u8 = 70;
    /// An output cannot be written.
    pub const CANNOT_WRITE: u8 = 73;
    /// Reading or writing failed half-way.
    pub const IO: u8 = 74;
    /// A configuration is wrong.
    pub const CONFIGURATION: u8 = 78;
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Flags that clap accepts and that make no sense together or here.
    #[error("{0}")]
    Usage(String),
    /// Standard input is a terminal where a diff is expected.
    #[error("standard input is a terminal, expected a diff; try `git diff | {command}`")]
    TerminalInput {
        /// The command as it was typed.
        command: String,
    },
    /// The diff is malformed.
    #[error("read the diff from {name}: {error}")]
    Diff {
        /// Where the diff came from.
        name: String,
        /// What is wrong.
        error: DiffError,
    },
    /// An input of a build is malformed.
    #[error("{0}")]
    Ingest(Box<IngestError>),
    /// An input cannot be read.
    #[error("read {path}: {error}{remedy}")]
    Read {
        /// The input.
        path: String,
        /// What the system says.
        error: io::Error,
        /// The way out, with its separator.
        remedy: &'static str,
    },
    /// A file of test ids is malformed.
    #[error("read {path}: {problem}; name a file of ids, one a line or as JSON{remedy}")]
    Ids {
        /// The file.
        path: String,
        /// What was expected, and what was found.
        problem: String,
        /// Another way out, with its separator.
        remedy: &'static str,
    },
    /// There is no model, and none is to be built.
    #[error("{0}")]
    NoModel(String),
    /// The model cannot be opened.
    #[error("open model `{path}`: {error}", path = .path.display())]
    Open {
        /// The model file.
        path: PathBuf,
        /// What is wrong.
        error: OpenError,
    },
    /// A part of the model is damaged.
    #[error("read model `{path}`: {error}", path = .path.display())]
    Model {
        /// The model file.
        path: PathBuf,
        /// What is wrong.
        error: ModelError,
    },
    /// The change is larger than the optimizer takes.
    #[error("{0}")]
    Candidates(CandidateError),
    /// The best of all choices was not searched for, or not found.
    #[error(transparent)]
    Exact(#[from] ExactError),
    /// A command that was to run tests did not.
    #[error("run {command}: {problem}; run it by hand to see why. The model is as it was")]
    Runner {
        /// The command.
        command: String,
        /// How it ended, and what was expected.
        problem: String,
    },
    /// A test id cannot be printed in the format asked for.
    #[error(transparent)]
    Id(#[from] IdError),
    /// Tests that a runner cannot be told to run.
    #[error(transparent)]
    Format(#[from] RunnerError),
    /// An output cannot be created or replaced.
    #[error("write `{path}`: {error}; name another place, or make this one writable", path = .path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A model says something else than what it is to join.
    #[error("read model `{}`: {error}", .path.display())]
    Contradiction {
        /// The model.
        path: PathBuf,
        /// What is said twice, in different ways.
        error: BuildError,
    },
    /// A model would take the place of something else.
    #[error("write model `{path}`: expected a covopt model or nothing there, found something else; name another place, or \
             remove it first", path = .path.display())]
    Occupied {
        /// Where the model was to be.
        path: PathBuf,
    },
    /// Standard output failed.
    #[error("write to standard output: {0}")]
    Output(io::Error),
}

impl Error {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::TerminalInput { .. } | Error::Exact(_) | Error::Runner { .. } => exit::USAGE,
            Error::Ingest(error) if matches!(**error, IngestError::Io { .. }) => exit::NO_INPUT,
            Error::Ingest(error) if matches!(**error, IngestError::Spill { .. }) => exit::CANNOT_WRITE,
            Error::Read { .. }
            | Error::NoModel(_)
            | Error::Open { .. }
            | Error::Model { .. }
            | Error::Candidates(CandidateError::Model(_)) => exit::NO_INPUT,
            Error::Contradiction { .. }
            | Error::Ingest(_)
            | Error::Diff { .. }
            | Error::Ids { .. }
            | Error::Id(_)
            | Error::Format(_)
            | Error::Candidates(_) => exit::MALFORMED,
            Error::Write { .. } | Error::Occupied { .. } => exit::CANNOT_WRITE,
            Error::Output(_) => exit::IO,
        }
    }
}

impl From<IngestError> for Error {
    fn from(error: IngestError) -> Self {
        Self::Ingest(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_cannot_be_read_are_told_from_files_that_cannot_be_written() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let code = |error: IngestError| Error::from(error).exit_code();
        assert_eq!(code(IngestError::Spill { source: full() }), exit::CANNOT_WRITE);
        assert_eq!(code(IngestError::Io { input: "a".to_owned(), source: full() }), exit::NO_INPUT);
        assert_eq!(code(IngestError::Empty { input: "a".to_owned() }), exit::MALFORMED);
    }
}
