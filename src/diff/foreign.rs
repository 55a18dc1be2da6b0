//! What input without a file is: commit headers alone, which is an answer, or something else, which is an error.

use super::Hint;
use super::error::{DiffError, Excerpt};

/// What the input seems to be instead of a unified diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// The table of `--stat`, `--numstat`, `--raw` or `--name-status` alone.
    Summary,
    /// `diff -c`.
    Context,
    /// `diff` without `-u`.
    Normal,
    /// `diff -q`.
    Brief,
    /// `diff` with another form than `-u`: side by side, or a script for an editor.
    OtherForm,
    /// Bytes that no text holds, or the NUL-separated records of `-z`.
    Binary,
    /// `git log` without `-p`: commit headers of several commits, or one line each.
    Log,
    /// The lines of `git log --graph`.
    Graph,
    /// What an external diff tool or a pager prints for people.
    External,
    /// Anything else.
    Unknown,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Summary => "a summary without the patch",
            Self::Context => "a context diff",
            Self::Normal => "a normal diff",
            Self::Brief => "a list of files that differ",
            Self::OtherForm => "output of `diff` without `-u`",
            Self::Binary => "binary data",
            Self::Log => "commits without their patches",
            Self::Graph => "a commit graph",
            Self::External => "an external diff tool's output",
            Self::Unknown => "no diff",
        })
    }
}

impl Foreign {
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Summary => "add `-p`, or leave out `--stat`, `--numstat`, `--raw`, `--name-only` or `--name-status`",
            Self::Context | Self::Normal | Self::Brief | Self::OtherForm => {
                "use `diff -u`, or `diff -ru` for directories"
            }
            Self::Binary => "give the diff alone, made without `-z`",
            Self::Log => "add `-p`, and for what merges brought in `-m --first-parent`",
            Self::Graph => "leave out `--graph`",
            Self::External => "use `git --no-pager diff --no-ext-diff`",
            Self::Unknown => {
                "pipe the output of `git diff`, `git show` or `diff -u`; add `-p` if it was `--name-only`, and \
                 `--no-ext-diff` if a diff tool is configured"
            }
        }
    }
}

/// Refuses UTF-16, with a byte order mark or told by its zero bytes.
pub(super) fn refuse_utf16(input: &[u8]) -> Result<(), DiffError> {
    let zeros = |odd: usize| input.len() >= 8 && input.iter().take(8).skip(odd).step_by(2).all(|b| *b == 0);
    if input.starts_with(b"\xff\xfe") || input.starts_with(b"\xfe\xff") || zeros(0) || zeros(1) {
        return Err(DiffError::Utf16);
    }
    Ok(())
}

/// Says what input without a file means.
///
/// `lost` is what the parser saw go missing, which says more than the words of the other lines.
pub(super) fn judge(input: &[u8], lost: Option<Foreign>) -> Result<Option<Hint>, DiffError> {
    if input.is_empty() {
        return Ok(None);
    }
    let lines = || input.split(|b| *b == b'\n').map(|line| line.trim_ascii_end());
    let commits = if lost.is_none() { only_commits(lines()) } else { None };
    if commits.is_some_and(|commits| commits.total == 1 || commits.merges == commits.total) {
        return Ok(Some(Hint::CommitWithoutFiles));
    }
    let lost = lost.or(commits.map(|_| Foreign::Log));
    let foreign = lost.or_else(|| lines().find_map(recognize)).unwrap_or(Foreign::Unknown);
    Err(DiffError::NoFile { foreign, found: Excerpt::of(lines().find(|line| !line.is_empty())) })
}

/// What a line between files is, if it and the two after it are a change in a form that is not read.
///
/// Messages and tables stand between files too, so only what a tool prints in just this way counts.
pub(super) fn lost_piece(line: &[u8], next: Option<&[u8]>, second: Option<&[u8]>) -> Option<Foreign> {
    const RULE: &[u8] = b"***************";
    let starts = |line: Option<&[u8]>, start: &[u8]| line.is_some_and(|line| line.starts_with(start));
    match line.first()? {
        b'*' if line.starts_with(b"*** ") && starts(next, b"--- ") && starts(second, RULE) => Some(Foreign::Context),
        b'*' if line.starts_with(RULE) && starts(next, b"*** ") && starts(next.map(last_word), b"****") => {
            Some(Foreign::Context)
        }
        b'0'..=b'9' if is_normal(line) && (starts(next, b"<") || starts(next, b">")) => Some(Foreign::Normal),
        b'F' if is_brief(line) => Some(Foreign::Brief),
        // With `-z` git parts commits with a NUL.
        b'\0' if !line[1..].contains(&b'\0') && !line[1..].starts_with(b"diff ") => None,
        _ => memchr::memchr(b'\0', line).map(|_| Foreign::Binary),
    }
}

/// What follows the echo of a `diff -r` command, if it is not unified.
pub(super) fn lost_below_echo(echo: &[u8], next: Option<&[u8]>) -> Option<Foreign> {
    let options = echo.split(|b| *b == b' ').skip(1).take_while(|word| word.starts_with(b"-"));
    let is_unified = |word: &[u8]| match word.strip_prefix(b"--") {
        Some(long) => long.starts_with(b"unified"),
        None => word.contains(&b'u') || word.contains(&b'U'),
    };
    let says_so = options.clone().any(is_unified);
    let recursive =
        options.clone().any(|word| word == b"--recursive" || !word.starts_with(b"--") && word.contains(&b'r'));
    let known =
        [&b"diff "[..], b"--- ", b"Binary files ", b"Only in ", b"Symbolic links ", b"File ", b"Files ", b"*** "];
    let next = next.filter(|next| !next.is_empty() && !known.iter().any(|start| next.starts_with(start)))?;
    (recursive && !says_so).then(|| if is_normal(next) { Foreign::Normal } else { Foreign::OtherForm })
}

fn last_word(line: &[u8]) -> &[u8] {
    line.rsplit(|b| *b == b' ').next().unwrap_or_default()
}

/// `Files OLD and NEW differ` of `diff -q`.
fn is_brief(line: &[u8]) -> bool {
    let names = line.strip_prefix(b"Files ").and_then(|rest| rest.strip_suffix(b" differ"));
    names.is_some_and(|names| memchr::memmem::find(names, b" and ").is_some())
}

/// How many commits there are, and how many of them are merges, which have no patch of their own.
#[derive(Clone, Copy, Default)]
struct Commits {
    total: u32,
    merges: u32,
    /// Lines `parent HASH` of the last commit under `--format=raw`.
    parents: u32,
}

impl Commits {
    fn start(&mut self) {
        (self.total, self.parents) = (self.total.saturating_add(1), 0);
    }

    fn read_header(&mut self, line: &[u8]) {
        let is_parent = line.starts_with(b"parent ");
        self.parents = self.parents.saturating_add(u32::from(is_parent));
        if line.starts_with(b"Merge: ") || is_parent && self.parents == 2 {
            self.merges = self.merges.saturating_add(1).min(self.total);
        }
    }
}

/// The commits, if all there is are commit headers, as `git show` and `git log` print them or as mails.
fn only_commits<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Commits> {
    let mut commits = Commits::default();
    let (mut in_mail, mut in_tag) = (false, false);
    for line in lines {
        let is_commit = line.strip_prefix(b"commit ").is_some_and(|rest| abbreviated_hash(rest).is_some());
        if is_commit || is_mail_start(line) {
            commits.start();
            (in_mail, in_tag) = (!is_commit, false);
        } else if line.starts_with(b"tag ") {
            in_tag = true;
        } else {
            let may_stand = in_mail || in_tag || line.is_empty() || is_header_or_message(line);
            if !may_stand || recognize(line) == Some(Foreign::Summary) {
                return None;
            }
            commits.read_header(line);
        }
    }
    (commits.total > 0).then_some(commits)
}

/// `Author: ...`, `gpg: ...`, a line of `--format=raw`, or a message line, which git indents.
fn is_header_or_message(line: &[u8]) -> bool {
    let raw = [&b"    "[..], b"tree ", b"parent ", b"author ", b"committer ", b"encoding "];
    if raw.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    let key = line.iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-')).count();
    (1..=32).contains(&key) && line.get(key) == Some(&b':')
}

/// `From HASH DATE`, the line that starts a mail of `git format-patch`.
pub(super) fn is_mail_start(line: &[u8]) -> bool {
    line.strip_prefix(b"From ")
        .and_then(abbreviated_hash)
        .is_some_and(|(hash, rest)| hash.len() >= 40 && !rest.is_empty())
}

/// `HASH subject` of `--oneline`. Plain numbers are left to `--numstat` and its like.
fn is_oneline_commit(line: &[u8]) -> bool {
    abbreviated_hash(line).is_some_and(|(_, rest)| rest.starts_with(b" "))
}

/// A hexadecimal name of at least seven digits, and what follows the whole word.
fn abbreviated_hash(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = bytes.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).count();
    let (hash, rest) = bytes.split_at(digits);
    ((7..=64).contains(&digits) && rest.first().is_none_or(u8::is_ascii_whitespace)).then_some((hash, rest))
}

fn recognize(line: &[u8]) -> Option<Foreign> {
    match line.first()? {
        b'*' if line.starts_with(b"*** ") => Some(Foreign::Context),
        b'*' | b'|' if is_graph(line) => Some(Foreign::Graph),
        b':' if is_raw(line) => Some(Foreign::Summary),
        b'F' if is_brief(line) => Some(Foreign::Brief),
        _ if is_summary(line) => Some(Foreign::Summary),
        _ if is_oneline_commit(line) => Some(Foreign::Log),
        _ if is_normal(line) => Some(Foreign::Normal),
        _ if is_external(line) => Some(Foreign::External),
        _ => None,
    }
}

fn is_graph(line: &[u8]) -> bool {
    let rest = line.trim_ascii_start();
    let rest = &rest[rest.iter().take_while(|b| matches!(b, b'*' | b'|' | b'\\' | b'/' | b' ')).count()..];
    rest.starts_with(b"commit ") || rest.starts_with(b"diff --git ") || is_oneline_commit(rest)
}

/// `:100644 100644 ...`, or with one colon per parent.
fn is_raw(line: &[u8]) -> bool {
    let modes = &line[line.iter().take_while(|b| **b == b':').count()..];
    matches!(modes.iter().position(|b| *b == b' '), Some(6)) && modes[..6].iter().all(u8::is_ascii_digit)
}

/// A line of `--stat`, `--shortstat`, `--numstat` or `--name-status`.
fn is_summary(line: &[u8]) -> bool {
    let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let is_count = |word: &[u8]| word == b"-" || word.iter().all(u8::is_ascii_digit);
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    if line.first() == Some(&b' ') && is_count(first) && matches!(second, b"file" | b"files") {
        return words.next().is_some_and(|word| word.starts_with(b"changed"));
    }
    let tab = line.iter().position(|b| *b == b'\t');
    if tab == Some(first.len()) && line.starts_with(first) {
        let is_letter = matches!(first, [b'A' | b'C' | b'D' | b'M' | b'R' | b'T' | b'U' | b'X', score @ ..] if score.iter().all(u8::is_ascii_digit));
        return is_letter || (is_count(first) && is_count(second) && words.next().is_some());
    }
    // ` path | 12 ++--`, ` path | Bin 0 -> 12 bytes`
    line.first() == Some(&b' ')
        && memchr::memmem::rfind(line, b" | ").is_some_and(|bar| {
            let count = line[bar + 3..].trim_ascii_start();
            count.starts_with(b"Bin") || count.first().is_some_and(u8::is_ascii_digit)
        })
}

/// `12,13c12` of a normal diff.
fn is_normal(line: &[u8]) -> bool {
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_digit() || *b == b',');
    line.iter()
        .position(|b| matches!(b, b'a' | b'c' | b'd'))
        .is_some_and(|at| digits(&line[..at]) && digits(&line[at + 1..]))
}

/// `path --- Language` of difftastic, or the box drawing of delta.
fn is_external(line: &[u8]) -> bool {
    let named = memchr::memmem::find(line, b" --- ").is_some_and(|at| at > 0 && line[0].is_ascii_graphic());
    let boxed = ["│", "─", "┐", "┘"].iter().any(|sign| memchr::memmem::find(line, sign.as_bytes()).is_some());
    named || boxed
}
