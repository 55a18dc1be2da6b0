//! Where an answer goes: standard output, or a file that is emptied first.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use super::model_source::{MODEL_NAME, Place};
use super::{IdFormat, ModelArgs, OutputArgs, SinkArgs};
use crate::error::{Error, exit};
use crate::model::layout::MAGIC;
use crate::output::{self, Runner, counted};

/// Empties the file that the answer will go to, so that a failure never leaves old ids in it. A file that is read for the
/// answer, or is a model, is refused and stays as it is.
fn prepare(output: Option<&Path>, inputs: &[&Path]) -> Result<(), Error> {
    let Some(path) = output.filter(|path| path.is_file()) else {
        return output.map_or(Ok(()), empty);
    };
    if let Some(input) = inputs.iter().find(|input| is_same(path, input)) {
        return Err(Error::Usage(format!(
            "-o `{}` is `{}`, which is read for the answer; name another file",
            path.display(),
            input.display()
        )));
    }
    if is_model(path) {
        return Err(Error::Usage(format!("-o `{}` is a covopt model; name another file", path.display())));
    }
    empty(path)
}

/// Finds the model, and then empties the output even where there is no such place.
pub(super) fn prepare_with_place(output: &SinkArgs, model: &ModelArgs, inputs: &[&Path]) -> Result<Place, Error> {
    let place = Place::find(model);
    let model = place.as_ref().map_or(Path::new(MODEL_NAME), |place| &place.model);
    prepare(output.file(), &[inputs, &[model]].concat())?;
    place
}

/// Refuses a log that is one of `others`, or a model.
pub(super) fn check_log(log: &Path, others: &[&Path]) -> Result<(), Error> {
    // A model that is yet to be built has no inode to compare.
    let absolute = |path: &Path| std::path::absolute(path).ok();
    if is_model(log) || others.iter().any(|other| absolute(log) == absolute(other) || is_same(log, other)) {
        let log = log.display();
        return Err(Error::Usage(format!(
            "--log `{log}` has another part in this command, or is a model; name another file"
        )));
    }
    Ok(())
}

/// Appends `value` to a log as one line of JSON, in one write, so that the lines of jobs that share it do not mix.
pub(super) fn append(log: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    let mut line = serde_json::to_vec(value).expect("a line has string keys and finite numbers");
    line.push(b'\n');
    let file = File::options().append(true).create(true).open(log);
    file.and_then(|mut file| file.write_all(&line)).map_err(|error| write_error(log, error))
}

fn empty(path: &Path) -> Result<(), Error> {
    File::create(path).map(drop).map_err(|error| write_error(path, error))
}

/// Whether both names lead to one file; `-` is the file that standard input is, if it is one.
fn is_same(path: &Path, input: &Path) -> bool {
    let input = if input.as_os_str() == "-" { Path::new("/dev/stdin") } else { input };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let inode = |path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        inode(path).is_some_and(|found| inode(input) == Some(found))
    }
    #[cfg(not(unix))]
    std::fs::canonicalize(path).is_ok_and(|path| std::fs::canonicalize(input).is_ok_and(|input| input == path))
}

/// Whether a file begins as a model does, whole or not.
pub(super) fn is_model(path: &Path) -> bool {
    let mut mark = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut mark)).is_ok_and(|()| mark == MAGIC)
}

/// Empties the output that a refused command line names, of the commands that have one, unless the line may also read it.
pub(super) fn empty_named_output(arguments: &[OsString]) {
    let text = |argument: &OsString| argument.to_str().map(str::to_owned);
    if !arguments.get(1).and_then(text).is_some_and(|command| {
        matches!(command.as_str(), "select" | "impacted" | "explain" | "changes" | "replay" | "calibrate")
    }) {
        return;
    }
    let mut outputs: Vec<PathBuf> = Vec::new();
    let mut others: Vec<PathBuf> = vec![PathBuf::from("-")];
    let mut rest = arguments.iter().skip(2);
    while let Some(argument) = rest.next() {
        match text(argument).as_deref() {
            Some("-o" | "--output") => outputs.extend(rest.next().map(PathBuf::from)),
            Some(argument) => {
                let attached = argument.strip_prefix("--output=").or_else(|| argument.strip_prefix("-o"));
                match attached {
                    Some(path) => outputs.push(PathBuf::from(path.strip_prefix('=').unwrap_or(path))),
                    None => others.push(PathBuf::from(argument.split_once('=').map_or(argument, |(_, value)| value))),
                }
            }
            None => others.push(PathBuf::from(argument)),
        }
    }
    let others: Vec<&Path> = others.iter().map(PathBuf::as_path).collect();
    for path in outputs.iter().filter(|path| path.as_os_str() != "-" && path.is_file()) {
        let _ = prepare(Some(path), &others); // The refusal itself is about to be reported.
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
    let output = args.sink.file();
    if let Some(runner) = args.runner() {
        let end = if args.null { "\0" } else { "\n" };
        let ended = |argument| [argument, end.to_owned()];
        return write(output, runner.arguments(ids)?.into_iter().flat_map(ended).collect::<String>().as_bytes());
    }
    let mut bytes = Vec::new();
    match args.format() {
        IdFormat::Json => return write_json(output, report),
        IdFormat::Null => output::write_null(&mut bytes, ids),
        _ => output::write_lines(&mut bytes, ids),
    }
    .map_err(Error::Output)??;
    write(output, &bytes)
}

/// What to tell whoever prints ids as lines that plain `xargs` would take apart.
pub(super) fn odd_ids_hint(args: &OutputArgs, ids: &[&str]) -> Option<String> {
    if args.format() != IdFormat::Lines {
        return None;
    }
    let is_for = |runner: Runner| ids.iter().all(|id| runner.takes(id));
    if !is_for(Runner::Pytest) && is_for(Runner::Nextest) {
        return Some("`--format nextest` and `--format cargo` give what the runners of these tests take".to_owned());
    }
    let is_one_of = |runner: Runner| ids.iter().any(|id| runner.takes(id));
    if [Runner::Pytest, Runner::Jest].into_iter().any(is_one_of)
        && [Runner::Nextest, Runner::Go, Runner::Maven].into_iter().any(is_one_of)
    {
        return Some("ids of several runners: `--format` with the name of one gives what it takes".to_owned());
    }
    let odd = ids.iter().filter(|id| output::needs_null(id)).count();
    (odd > 0).then(|| format!("{} with a space, a quote or a backslash: use `-0 | xargs -0 -r`", counted(odd, "id")))
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
