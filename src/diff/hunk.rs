//! Hunks: the header's counts, the body that fulfils them, and the body as lines.

use memchr::{memchr, memchr_iter, memmem};

use super::cursor::Cursor;
use super::error::{DiffError, Excerpt, Expected};

/// A run of lines in one version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The 1-based first line; with no lines, the line that the place follows, 0 at the top.
    pub start: u32,
    /// How many lines.
    pub lines: u32,
}

impl Span {
    /// The number of the first line, or the number that a line put here would get.
    pub fn first(self) -> u32 {
        // The parser refuses spans that end beyond `u32::MAX`, so that this and all line numbers stay within it.
        if self.lines == 0 { self.start.saturating_add(1) } else { self.start }
    }
}

/// One hunk. Equality is about spans, heading and lines.
#[derive(Clone, Debug)]
pub struct Hunk<'a> {
    /// The lines before; those of the first parent in a combined diff.
    pub old: Span,
    /// The lines after.
    pub new: Span,
    /// What stands behind the second `@@`: mostly the function that the hunk is in.
    pub heading: &'a [u8],
    /// Added lines.
    pub added: u32,
    /// Removed lines.
    pub removed: u32,
    /// Whether it is known to change nothing that runs. The parser never knows.
    pub is_cosmetic: bool,
    /// The sign columns of a line: 1, or the number of parents of a combined diff.
    columns: usize,
    body: &'a [u8],
}

impl PartialEq for Hunk<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.old, self.new, self.heading) == (other.old, other.new, other.heading) && self.lines().eq(other.lines())
    }
}

impl Eq for Hunk<'_> {}

impl<'a> Hunk<'a> {
    /// The lines of the hunk, in order.
    pub fn lines(&self) -> Lines<'a> {
        Lines { raw: self.raw_lines(), old_line: self.old.first(), new_line: self.new.first() }
    }

    pub(super) fn raw_lines(&self) -> RawLines<'a> {
        RawLines { rest: self.body, columns: self.columns }
    }
}

/// One line of a hunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What happened to the line.
    pub kind: LineKind,
    /// Its 1-based number before; for an added line, the number of the old line that it comes before.
    pub old_line: u32,
    /// Its 1-based number after; for a removed line, the number of the new line that stands where it stood.
    pub new_line: u32,
    /// The text, without sign and without `\n` or `\r\n`.
    pub text: &'a [u8],
}

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// In both versions.
    Context,
    /// Only in the new version.
    Added,
    /// Only in the old version.
    Removed,
}

/// The lines of a hunk; see [`Hunk::lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    raw: RawLines<'a>,
    old_line: u32,
    new_line: u32,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (kind, text) = loop {
            match self.raw.next()? {
                RawLine::NoNewline(_) => {}
                RawLine::Text(kind, text) => break (kind, text),
            }
        };
        let line = Line {
            kind,
            old_line: self.old_line,
            new_line: self.new_line,
            text: text.strip_suffix(b"\r").unwrap_or(text),
        };
        self.old_line = self.old_line.saturating_add(u32::from(kind != LineKind::Added));
        self.new_line = self.new_line.saturating_add(u32::from(kind != LineKind::Removed));
        Some(line)
    }
}

/// A line of a body as it stands there.
pub(super) enum RawLine<'a> {
    /// The text behind the sign, with a carriage return if there is one.
    Text(LineKind, &'a [u8]),
    /// `\ No newline at end of file`, in whatever language.
    NoNewline(&'a [u8]),
}

/// The lines of a body whose form [`read`] has checked.
#[derive(Clone, Debug)]
pub(super) struct RawLines<'a> {
    rest: &'a [u8],
    columns: usize,
}

impl<'a> Iterator for RawLines<'a> {
    type Item = RawLine<'a>;

    fn next(&mut self) -> Option<RawLine<'a>> {
        while !self.rest.is_empty() {
            let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let line = &self.rest[..end];
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            match line {
                [] | [b'\r'] => return Some(RawLine::Text(LineKind::Context, line)),
                [b'\\', ..] => return Some(RawLine::NoNewline(line)),
                _ => {}
            }
            let Some((signs, text)) = line.split_at_checked(self.columns) else { continue };
            if let Some(kind) = first_parent_kind(signs) {
                return Some(RawLine::Text(kind, text));
            }
        }
        None
    }
}

/// What a line is to the first parent; `None` if neither it nor the result has the line.
fn first_parent_kind(signs: &[u8]) -> Option<LineKind> {
    match signs.first() {
        Some(b'+') => Some(LineKind::Added),
        Some(b'-') => Some(LineKind::Removed),
        _ if signs.contains(&b'-') => None,
        _ => Some(LineKind::Context),
    }
}

/// The counts of a hunk under way.
struct Header<'a> {
    old: Span,
    new: Span,
    heading: &'a [u8],
    columns: usize,
}

/// Reads a hunk; its header is the line that the cursor gave last. `parent_counts` is scratch space.
///
/// Gives `None` for a combined hunk that changes nothing against the first parent.
pub(super) fn read<'a>(
    header_line: &'a [u8],
    cursor: &mut Cursor<'a>,
    parent_counts: &mut Vec<u32>,
) -> Result<Option<Hunk<'a>>, DiffError> {
    let header = read_header(header_line, cursor.line(), parent_counts)?;
    let body = cursor.rest();
    let header_at = cursor.line();
    let (added, removed) =
        if header.columns == 1 { read_plain(&header, cursor)? } else { read_combined(&header, cursor, parent_counts)? };
    let body = &body[..body.len() - cursor.rest().len()];
    if added == 0 && removed == 0 {
        return match header.columns {
            1 if is_word_diff(body) => Err(DiffError::WordDiff { line: header_at }),
            1 => Err(DiffError::NoChange { line: header_at }),
            _ => Ok(None),
        };
    }
    let Header { old, new, heading, columns } = header;
    Ok(Some(Hunk { old, new, heading, added, removed, is_cosmetic: false, columns, body }))
}

fn read_header<'a>(line: &'a [u8], line_number: u64, parent_counts: &mut Vec<u32>) -> Result<Header<'a>, DiffError> {
    let malformed = || malformed(line_number, Expected::HunkHeader, Some(line));
    let at_signs = line.iter().take_while(|b| **b == b'@').count();
    let columns =
        at_signs.checked_sub(1).filter(|columns| (1..=MAX_PARENTS).contains(columns)).ok_or_else(malformed)?;
    let mut rest = &line[at_signs..];
    let mut old = None;
    parent_counts.clear();
    for _ in 0..columns {
        let (span, after) = read_span(rest, b'-', line_number, line)?;
        old = old.or(Some(span));
        parent_counts.push(span.lines);
        rest = after;
    }
    let (new, after) = read_span(rest, b'+', line_number, line)?;
    let heading =
        after.strip_prefix(b" ").and_then(|after| after.strip_prefix(&line[..at_signs])).ok_or_else(malformed)?;
    let old = old.ok_or_else(malformed)?;
    Ok(Header { old, new, heading: heading.strip_prefix(b" ").unwrap_or(heading), columns })
}

/// Reads ` -START,LINES` with the given sign; without `,LINES` it is one line.
pub(super) fn read_span<'a>(
    bytes: &'a [u8],
    sign: u8,
    line_number: u64,
    line: &[u8],
) -> Result<(Span, &'a [u8]), DiffError> {
    let malformed = || malformed(line_number, Expected::HunkHeader, Some(line));
    let too_large = || DiffError::TooLarge { line: line_number, found: Excerpt::of(Some(line)) };
    let bytes = bytes.strip_prefix(&[b' ', sign]).ok_or_else(malformed)?;
    let (start, mut rest) = read_number(bytes).ok_or_else(malformed)?;
    let start = start.ok_or_else(too_large)?;
    let mut lines = 1;
    if let Some(after) = rest.strip_prefix(b",") {
        let (count, after) = read_number(after).ok_or_else(malformed)?;
        lines = count.ok_or_else(too_large)?;
        rest = after;
    }
    if start == 0 && lines > 0 {
        return Err(malformed());
    }
    start.checked_add(lines).and_then(|end| end.checked_add(1)).ok_or_else(too_large)?;
    Ok((Span { start, lines }, rest))
}

/// Reads digits; `Some((None, _))` for a number beyond `u32`.
fn read_number(bytes: &[u8]) -> Option<(Option<u32>, &[u8])> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at(digits);
    let value =
        number.iter().try_fold(0u32, |value, digit| value.checked_mul(10)?.checked_add(u32::from(digit - b'0')));
    (digits > 0).then_some((value, rest))
}

/// The most parents that a combined diff may have; the largest known merge has 66. An empty line counts for each of
/// them, so that without a limit a short text could claim any amount of work.
const MAX_PARENTS: usize = 128;

/// A line that both versions have.
const CONTEXT: u8 = 0b11;

/// A byte that is no sign.
const FOREIGN: u8 = 0xff;

/// What a line with this sign uses up: bit 0 an old line, bit 1 a new one. A table, because signs are hard to predict.
const USES: [u8; 256] = {
    let mut uses = [FOREIGN; 256];
    uses[b' ' as usize] = CONTEXT;
    // An empty line is context under `diff.suppressBlankEmpty`.
    uses[b'\n' as usize] = CONTEXT;
    uses[b'-' as usize] = 0b01;
    uses[b'+' as usize] = 0b10;
    uses[b'\\' as usize] = 0;
    uses
};

/// Counts through an ordinary body; gives how many lines it adds and removes.
///
/// This is the loop that the parser's speed hangs on: one search for `\n` and one look at the sign per line.
fn read_plain(header: &Header<'_>, cursor: &mut Cursor<'_>) -> Result<(u32, u32), DiffError> {
    let rest = cursor.rest();
    let (mut old_left, mut new_left) = (header.old.lines, header.new.lines);
    let mut context = 0;
    let mut start = 0;
    let mut lines = 0;
    let mut ends = memchr_iter(b'\n', rest);
    while old_left > 0 || new_left > 0 {
        let Some(&sign) = rest.get(start) else {
            return Err(truncated(cursor.line(), header, old_left, new_left));
        };
        let end = ends.next().unwrap_or(rest.len());
        let mut uses = USES[usize::from(sign)];
        if uses == FOREIGN {
            if rest[start..end] != *b"\r" {
                return Err(bad_line(rest, start, end, cursor.line() + lines + 1, Expected::HunkLine));
            }
            uses = CONTEXT;
        }
        let (old_used, new_used) = (u32::from(uses & 1), u32::from(uses >> 1));
        if old_used > old_left || new_used > new_left {
            return Err(bad_line(rest, start, end, cursor.line() + lines + 1, Expected::SignWithinCount));
        }
        old_left -= old_used;
        new_left -= new_used;
        context += old_used & new_used;
        start = end + 1;
        lines += 1;
    }
    cursor.advance(start.min(rest.len()), lines);
    skip_no_newline(cursor);
    Ok((header.new.lines - context, header.old.lines - context))
}

/// Counts through the body of a combined diff: every parent's lines and the result's.
fn read_combined(
    header: &Header<'_>,
    cursor: &mut Cursor<'_>,
    parents_left: &mut [u32],
) -> Result<(u32, u32), DiffError> {
    let header_at = cursor.line();
    let (mut added, mut removed) = (0, 0);
    let mut new_left = header.new.lines;
    while new_left > 0 || parents_left.iter().any(|left| *left > 0) {
        let Some(line) = cursor.next_raw() else {
            return Err(truncated(header_at, header, parents_left.first().copied().unwrap_or(0), new_left));
        };
        let bad = |expected| malformed(cursor.line(), expected, Some(line));
        let signs = match line {
            [b'\\', ..] => continue,
            // An empty context line may have lost its columns.
            [] | [b'\r'] => b" ",
            _ => line.get(..header.columns).ok_or_else(|| bad(Expected::HunkLine))?,
        };
        let lost = signs.contains(&b'-');
        if signs.iter().any(|sign| !matches!(sign, b' ' | b'-' | b'+') || (lost && *sign == b'+')) {
            return Err(bad(Expected::HunkLine));
        }
        for (column, left) in parents_left.iter_mut().enumerate() {
            let sign = signs.get(column).copied().unwrap_or(b' ');
            let present = if lost { sign == b'-' } else { sign == b' ' };
            *left = left.checked_sub(u32::from(present)).ok_or_else(|| bad(Expected::SignWithinCount))?;
        }
        new_left = new_left.checked_sub(u32::from(!lost)).ok_or_else(|| bad(Expected::SignWithinCount))?;
        match first_parent_kind(signs) {
            Some(LineKind::Added) => added += 1,
            Some(LineKind::Removed) => removed += 1,
            _ => {}
        }
    }
    skip_no_newline(cursor);
    Ok((added, removed))
}

/// `\ No newline at end of file` may follow the line that fulfils the counts.
fn skip_no_newline(cursor: &mut Cursor<'_>) {
    while cursor.rest().first() == Some(&b'\\') {
        cursor.next_line();
    }
}

fn truncated(line: u64, header: &Header<'_>, old_left: u32, new_left: u32) -> DiffError {
    DiffError::Truncated {
        line,
        old_lines: header.old.lines,
        new_lines: header.new.lines,
        old_found: header.old.lines - old_left,
        new_found: header.new.lines - new_left,
    }
}

pub(super) fn malformed(line: u64, expected: Expected, found: Option<&[u8]>) -> DiffError {
    DiffError::Malformed { line, expected, found: Excerpt::of(found) }
}

/// The error for a line that does not fit, which may be one of a word diff.
#[cold]
fn bad_line(body: &[u8], start: usize, end: usize, line: u64, expected: Expected) -> DiffError {
    if is_word_diff(&body[..end]) {
        return DiffError::WordDiff { line };
    }
    malformed(line, expected, Some(&body[start..end]))
}

/// Whether a line is `~` (`--word-diff=porcelain`) or holds `[-words-]` or `{+words+}`.
fn is_word_diff(body: &[u8]) -> bool {
    let marked = |line: &[u8], open: &[u8], close: &[u8]| {
        memmem::find(line, open).is_some_and(|at| memmem::find(&line[at + open.len()..], close).is_some())
    };
    body.split(|b| *b == b'\n').any(|line| line == b"~" || marked(line, b"[-", b"-]") || marked(line, b"{+", b"+}"))
}
