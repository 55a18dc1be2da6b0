//! The input as lines, with their numbers.

use memchr::memchr;

/// Walks over the input line by line. A line is what stands before `\n`, or before the end of the input.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    line: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, line: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The 1-based number of the line read last.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next line without its end and without carriage returns before it; `None` at the end of the input.
    pub(super) fn next_line(&mut self) -> Option<&'a [u8]> {
        self.next_raw().map(trim_carriage_returns)
    }

    /// The next line with its carriage returns.
    pub(super) fn next_raw(&mut self) -> Option<&'a [u8]> {
        let line = first_line(self.rest)?;
        self.rest = after_line(self.rest);
        self.line += 1;
        Some(line)
    }

    /// The line that [`Self::next_line`] will give.
    pub(super) fn peek(&self) -> Option<&'a [u8]> {
        first_line(self.rest).map(trim_carriage_returns)
    }

    /// The line after the one that [`Self::next_line`] will give.
    pub(super) fn peek_second(&self) -> Option<&'a [u8]> {
        first_line(after_line(self.rest)).map(trim_carriage_returns)
    }

    /// Passes over `bytes` of the rest, which hold `lines` whole lines.
    pub(super) fn advance(&mut self, bytes: usize, lines: u64) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.line += lines;
    }
}

fn first_line(rest: &[u8]) -> Option<&[u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = memchr(b'\n', rest).unwrap_or(rest.len());
    Some(&rest[..end])
}

fn after_line(rest: &[u8]) -> &[u8] {
    memchr(b'\n', rest).map_or(&[], |end| &rest[end + 1..])
}

fn trim_carriage_returns(mut line: &[u8]) -> &[u8] {
    while let [before @ .., b'\r'] = line {
        line = before;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_newline_or_at_the_end() {
        let mut cursor = Cursor::new(b"a\r\n\nlast");
        assert_eq!(cursor.peek_second(), Some(&b""[..]));
        assert_eq!(cursor.next_line(), Some(&b"a"[..]));
        assert_eq!(cursor.next_line(), Some(&b""[..]));
        assert_eq!(cursor.peek_second(), None);
        assert_eq!((cursor.next_line(), cursor.line()), (Some(&b"last"[..]), 3));
        assert_eq!((cursor.next_line(), cursor.line()), (None, 3));
    }
}
