//! Where an answer goes: standard output, or a file that is emptied first.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{IdFormat, OutputArgs};
use crate::error::{Error, exit};
use crate::output::{self, counted};

/// Empties the file that the answer will go to, so that a failure never leaves old ids in it.
pub(super) fn prepare(output: Option<&Path>) -> Result<(), Error> {
    match output {
        Some(path) => File::create(path).map(drop).map_err(|error| write_error(path, error)),
        None => Ok(()),
    }
}

/// Empties the output that a refused command line names, of the commands that have one.
pub(super) fn empty_named_output(arguments: &[OsString]) {
    let text = |argument: &OsString| argument.to_str().map(str::to_owned);
    if !arguments.get(1).and_then(text).is_some_and(|command| matches!(command.as_str(), "select" | "impacted")) {
        return;
    }
    for (at, argument) in arguments.iter().enumerate().skip(2) {
        let named = match text(argument).as_deref() {
            Some("-o" | "--output") => arguments.get(at + 1).map(PathBuf::from),
            Some(argument) => {
                let attached = argument.strip_prefix("--output=").or_else(|| argument.strip_prefix("-o"));
                attached.map(|path| PathBuf::from(path.strip_prefix('=').unwrap_or(path)))
            }
            None => None,
        };
        if let Some(path) = named.filter(|path| path.is_file()) {
            let _ = File::create(path); // The refusal itself is about to be reported.
        }
    }
}

/// Writes the whole answer. A closed pipe is success: whoever reads has what it wants.
pub(super) fn write(output: Option<&Path>, answer: &[u8]) -> Result<u8, Error> {
    let written = match output {
        Some(path) => {
            return std::fs::write(path, answer).map(|()| exit::DONE).map_err(|error| write_error(path, error));
        }
        None => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(answer).and_then(|()| stdout.flush())
        }
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(exit::DONE),
    }
}

/// Prints ids, or `report` where JSON is asked for.
pub(super) fn write_ids(args: &OutputArgs, ids: &[&str], report: &impl serde::Serialize) -> Result<u8, Error> {
    let output = args.output.as_deref();
    let mut bytes = Vec::new();
    match args.format() {
        IdFormat::Json => return write_json(output, report),
        IdFormat::Lines => output::write_lines(&mut bytes, ids),
        IdFormat::Null => output::write_null(&mut bytes, ids),
    }
    .map_err(Error::Output)??;
    write(output, &bytes)
}

/// What to tell whoever prints ids as lines that plain `xargs` would take apart.
pub(super) fn odd_ids_hint(args: &OutputArgs, ids: &[&str]) -> Option<String> {
    let odd = ids.iter().filter(|id| output::needs_null(id)).count();
    (odd > 0 && args.format() == IdFormat::Lines)
        .then(|| format!("{} with a space, a quote or a backslash: use `-0 | xargs -0 -r`", counted(odd, "id")))
}

/// Prints `value` as one JSON object.
pub(super) fn write_json(output: Option<&Path>, value: &impl serde::Serialize) -> Result<u8, Error> {
    let mut text = serde_json::to_vec_pretty(value).expect("a report has string keys and finite numbers");
    text.push(b'\n');
    write(output, &text)
}

fn write_error(path: &Path, error: io::Error) -> Error {
    Error::Write { path: path.to_owned(), error }
}
