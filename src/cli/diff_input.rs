//! The diff: a file, or standard input.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use crate::diff::{self, Diff};
use crate::error::Error;

/// The bytes of a diff, without colours, and where they came from.
pub(super) struct DiffInput {
    name: String,
    bytes: Vec<u8>,
}

impl DiffInput {
    /// Reads all of it. `command` is what a person who forgot the pipe should have typed after it.
    pub(super) fn read(path: &Path, command: &str) -> Result<Self, Error> {
        let (name, bytes) = read(path, || Error::TerminalInput { command: command.to_owned() })?;
        let bytes = match diff::decolor(&bytes) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(plain) => plain,
        };
        Ok(Self { name, bytes })
    }

    /// The diff as it was read, without colours.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The files and hunks in it.
    pub(super) fn parse(&self) -> Result<Diff<'_>, Error> {
        diff::parse(&self.bytes).map_err(|error| Error::Diff { name: self.name.clone(), error })
    }
}

/// What a file, or standard input for `-`, is called and holds. A terminal is never waited for.
pub(super) fn read(path: &Path, at_terminal: impl FnOnce() -> Error) -> Result<(String, Vec<u8>), Error> {
    let standard = path.as_os_str() == "-";
    let name = if standard { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    let bytes = if !standard {
        std::fs::read(path)
    } else if io::stdin().is_terminal() {
        return Err(at_terminal());
    } else {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    };
    let remedy = "; check the path and its permissions";
    let bytes = bytes.map_err(|error| Error::Read { path: name.clone(), error, remedy })?;
    Ok((name, bytes))
}

/// What to tell whoever piped an empty change.
pub(super) fn empty_hint(diff: &Diff<'_>) -> String {
    match &diff.hint {
        Some(hint) => format!("empty change: {hint}"),
        None => "empty diff; `git diff` leaves out staged and untracked files (try `git diff HEAD`), and \
                 a git that failed prints nothing either"
            .to_owned(),
    }
}
