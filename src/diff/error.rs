//! What can be wrong with a diff.

use std::fmt;

use super::foreign::Foreign;

/// Why the input is not a diff, or not a whole one. Line numbers are 1-based lines of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// The input is UTF-16, which a redirection in Windows PowerShell makes.
    #[error(
        "read diff: found UTF-16 text, expected bytes as git wrote them; write the diff with `git diff \
         --output=FILE` instead of a redirection"
    )]
    Utf16,
    /// The input is not empty and holds no file.
    #[error("read diff: expected a unified diff, found {found} ({foreign}); {}", foreign.remedy())]
    NoFile {
        /// What the input seems to be.
        foreign: Foreign,
        /// Its first line.
        found: Excerpt,
    },
    /// Beside what was read stands a change in a form that is not read, which would go missing.
    #[error("read diff: line {line}: expected nothing but unified diffs, found {found} ({foreign}); {}", foreign.remedy())]
    Lost {
        /// The line.
        line: u64,
        /// What it seems to be.
        foreign: Foreign,
        /// The line's text.
        found: Excerpt,
    },
    /// A line is not what the lines before it call for.
    #[error("read diff: line {line}: expected {expected}, found {found}; {}", expected.remedy())]
    Malformed {
        /// The line.
        line: u64,
        /// What should stand there.
        expected: Expected,
        /// What stands there.
        found: Excerpt,
    },
    /// The input ends inside a hunk.
    #[error(
        "read diff: line {line}: expected a hunk of {old_lines} old and {new_lines} new lines, found the end of the \
         input after {old_found} and {new_found}; the diff is cut off, make it again"
    )]
    Truncated {
        /// The line of the hunk's header.
        line: u64,
        /// Lines of the first old file that the header announces.
        old_lines: u32,
        /// Lines of the new file that the header announces.
        new_lines: u32,
        /// How many of the old lines are there.
        old_found: u32,
        /// How many of the new lines are there.
        new_found: u32,
    },
    /// A file's `---` and `+++` lines are there and no hunk is.
    #[error(
        "read diff: line {line}: expected a file with hunks below its `---` and `+++` lines, found none; the diff is cut \
         off, make it again"
    )]
    NoHunk {
        /// The line that opens the file.
        line: u64,
    },
    /// A number does not fit in 32 bits.
    #[error(
        "read diff: line {line}: expected line numbers and counts up to 4294967295, found {found}; make the diff again"
    )]
    TooLarge {
        /// The line.
        line: u64,
        /// The line's text.
        found: Excerpt,
    },
    /// A hunk neither adds nor removes a line; git writes such hunks only for `--color-words` and `--word-diff`.
    #[error(
        "read diff: line {line}: expected a hunk that adds or removes lines, found one that changes nothing; if the diff \
         was made with `--word-diff` or `--color-words`, leave that out"
    )]
    NoChange {
        /// The line of the hunk's header.
        line: u64,
    },
    /// The hunk shows changed words instead of changed lines.
    #[error(
        "read diff: line {line}: expected added and removed lines, found a word diff; make the diff without \
         `--word-diff` and `--color-words`"
    )]
    WordDiff {
        /// The line that gave it away.
        line: u64,
    },
}

/// What a line of a diff should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// A hunk line: a space, `+`, `-` or `\` first, one column per parent in a combined diff.
    HunkLine,
    /// Another sign, because the hunk header's count for this one is used up.
    SignWithinCount,
    /// The end of the hunk: its counts are used up.
    EndOfHunk,
    /// `@@ -old +new @@`.
    HunkHeader,
    /// `--- path` and `+++ path` before the hunk.
    FileHeader,
    /// `+++ path` after `--- path`.
    NewName,
    /// A path, or a well-formed quoted path.
    Path,
    /// Two names of one file after `diff --git`.
    TwoNames,
    /// One of the sides to exist.
    OneSide,
    /// An octal file mode.
    Mode,
    /// Both `rename from` and `rename to`, or both `copy from` and `copy to`.
    BothNames,
    /// A line of base 85 text, or the empty line that ends it.
    BinaryLine,
    /// A line of a Subversion property hunk.
    PropertyLine,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HunkLine => "a hunk line that begins with a space, `+`, `-` or `\\`",
            Self::SignWithinCount => "a hunk line within the counts of its header",
            Self::EndOfHunk => "the end of the hunk, whose counts are used up",
            Self::HunkHeader => "`@@ -START,LINES +START,LINES @@`",
            Self::FileHeader => "`--- PATH` and `+++ PATH` before the hunk",
            Self::NewName => "`+++ PATH` after `--- PATH`",
            Self::Path => "a path",
            Self::TwoNames => "two names of one file after `diff --git`",
            Self::OneSide => "a file that exists before or after",
            Self::Mode => "an octal file mode",
            Self::BothNames => "both the name before and the name after",
            Self::BinaryLine => "base 85 text or an empty line",
            Self::PropertyLine => "a property line within the counts of its header",
        })
    }
}

impl Expected {
    fn remedy(self) -> &'static str {
        match self {
            Self::HunkLine => {
                "make the diff again, without `--word-diff`, `--color-words` and `--output-indicator-new` if they were \
                 given"
            }
            Self::SignWithinCount | Self::EndOfHunk => {
                "a diff edited by hand must keep its hunk counts true: make it again, or run `rediff` on it"
            }
            _ => "make the diff again",
        }
    }
}

/// The start of a line, for a message; at most [`Excerpt::MAX_BYTES`] bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excerpt {
    /// The start of the line.
    Line(Vec<u8>),
    /// There is no line.
    EndOfInput,
}

impl Excerpt {
    /// How much of a line is kept.
    pub const MAX_BYTES: usize = 60;

    pub(super) fn of(line: Option<&[u8]>) -> Self {
        line.map_or(Self::EndOfInput, |line| Self::Line(line[..line.len().min(Self::MAX_BYTES)].to_vec()))
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) if line.is_empty() => f.write_str("an empty line"),
            Self::Line(line) => {
                let cut = if line.len() == Self::MAX_BYTES { "..." } else { "" };
                write!(f, "`{}{cut}`", line.escape_ascii())
            }
            Self::EndOfInput => f.write_str("the end of the input"),
        }
    }
}
