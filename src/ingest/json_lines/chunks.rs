//! An input cut into chunks of whole lines, so that they can be parsed apart and the input need not be held.

use std::io::{self, Read};

/// How much is read at once, in bytes; a line that is longer makes its chunk longer.
const CHUNK_BYTES: usize = 1 << 20;

/// Some whole lines of an input.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// The number of its first line in the input, 1-based.
    pub(super) first_line: usize,
    /// Whether nothing but white space follows.
    pub(super) is_last: bool,
}

/// Reads chunks.
pub(super) struct Chunks<R> {
    input: R,
    /// The begin of a line that the last chunk did not take.
    rest: Vec<u8>,
    next_line: usize,
    at_end: bool,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), next_line: 1, at_end: false }
    }

    /// Up to `most` chunks, none at the end.
    pub(super) fn take(&mut self, most: usize) -> io::Result<Vec<Chunk>> {
        let mut chunks = Vec::new();
        while chunks.len() < most
            && let Some(chunk) = self.next()?
        {
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    fn next(&mut self) -> io::Result<Option<Chunk>> {
        let mut bytes = std::mem::take(&mut self.rest);
        while !self.at_end {
            let before = bytes.len();
            bytes.reserve(CHUNK_BYTES);
            self.at_end = (&mut self.input).take(CHUNK_BYTES as u64).read_to_end(&mut bytes)? < CHUNK_BYTES;
            if let Some(newline) = memchr::memrchr(b'\n', &bytes[before..]) {
                // What follows the last newline is left for the next chunk, unless the input ends here.
                self.rest = if self.at_end { Vec::new() } else { bytes.split_off(before + newline + 1) };
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let first_line = self.next_line;
        self.next_line += memchr::memchr_iter(b'\n', &bytes).count();
        Ok(Some(Chunk { bytes, first_line, is_last: self.at_end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_numbered() {
        let long = "x".repeat(3 * CHUNK_BYTES);
        let line = "y".repeat(1000);
        let text = format!("a\n\n{long}\n{}", format!("{line}\n").repeat(5000)) + "end";
        let mut chunks = Chunks::new(text.as_bytes());
        let mut found = Vec::new();
        let mut seen_last = false;
        while let Some(chunk) = chunks.take(1).unwrap().pop() {
            assert!(!seen_last);
            seen_last = chunk.is_last;
            assert!(chunk.is_last || chunk.bytes.ends_with(b"\n"));
            assert_eq!(chunk.first_line, 1 + found.iter().filter(|&&byte| byte == b'\n').count());
            found.extend(chunk.bytes);
        }
        assert!(seen_last && found == text.as_bytes());
        assert!(Chunks::new(&b""[..]).take(9).unwrap().is_empty());
    }
}
