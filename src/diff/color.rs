//! Colour codes off a diff that was made with `color.ui=always`.
//!
//! Only a coloured diff is touched. A plain diff may well change lines that hold escape sequences, and those are its
//! content; so the first line that is part of a diff's or a commit's frame decides which of the two it is.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

const ESCAPE: u8 = 0x1b;

/// How the lines begin that git and `diff -u` colour as a whole.
const FRAMES: [&[u8]; 10] = [
    b"diff --git ",
    b"diff --cc ",
    b"diff --combined ",
    b"diff -r ",
    b"--- ",
    b"+++ ",
    b"@@ -",
    b"@@@ -",
    b"commit ",
    b"Submodule ",
];

/// Strips colour codes if the input is a coloured diff, and borrows it otherwise.
///
/// What goes are the sequences `ESC [ ... m` (select graphic rendition) and `ESC [ ... K` (erase in line); one search
/// for the escape byte is all that other input costs.
pub fn decolor(input: &[u8]) -> Cow<'_, [u8]> {
    match memchr(ESCAPE, input) {
        Some(_) if is_colored(input) => Cow::Owned(strip(input)),
        _ => Cow::Borrowed(input),
    }
}

/// Whether the first line of the frame carries a colour code.
fn is_colored(input: &[u8]) -> bool {
    let mut start = 0;
    for end in memchr_iter(b'\n', input).chain([input.len()]) {
        let line = &input[start..end];
        let bare = skip_codes(line);
        if FRAMES.iter().any(|frame| bare.starts_with(frame)) {
            if bare.len() < line.len() || memmem::find(line, b"\x1b[").is_some() {
                return true;
            }
            // A commit line may be plain while the diff below it is not, when only the diff's colours are set.
            if !bare.starts_with(b"commit ") {
                return hunk_is_colored(&input[end..]);
            }
        }
        start = end + 1;
    }
    false
}

/// Whether the next hunk header is coloured: `color.diff.meta` may be empty while the rest has its colours.
fn hunk_is_colored(rest: &[u8]) -> bool {
    let mut start = 0;
    for end in memchr_iter(b'\n', rest).chain([rest.len()]) {
        let line = rest.get(start..end).unwrap_or_default();
        let bare = skip_codes(line);
        if bare.starts_with(b"@@ -") || bare.starts_with(b"@@@ -") {
            return bare.len() < line.len();
        }
        start = end + 1;
    }
    false
}

fn skip_codes(mut line: &[u8]) -> &[u8] {
    while let Some(length) = code_length(line) {
        line = &line[length..];
    }
    line
}

/// The length of the colour code at the start of `bytes`.
fn code_length(bytes: &[u8]) -> Option<usize> {
    let parameters = bytes.strip_prefix(b"\x1b[")?;
    // Colour codes are short: 24-bit foreground, background and attributes stay below this.
    let end = parameters.iter().take(64).position(|b| !matches!(b, b'0'..=b'9' | b';' | b':'))?;
    matches!(parameters[end], b'm' | b'K').then_some(2 + end + 1)
}

fn strip(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(at) = memchr(ESCAPE, rest) {
        out.extend_from_slice(&rest[..at]);
        let code = code_length(&rest[at..]).unwrap_or(0);
        if code == 0 {
            out.push(ESCAPE);
        }
        rest = &rest[at + code.max(1)..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_input_is_borrowed() {
        for input in [&b""[..], b"diff --git a/f b/f\n", b"\x1b", b"text \x1b[31mred\x1b[m\n"] {
            assert!(matches!(decolor(input), Cow::Borrowed(_)), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn escapes_in_the_content_of_a_plain_diff_stay() {
        let plain = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-\x1b[31mx\x1b[m\n+\x1b[32mx\x1b[m\n";
        assert!(matches!(decolor(plain), Cow::Borrowed(_)));
    }

    #[test]
    fn a_colored_diff_loses_its_codes() {
        let colored = b" f | 2 \x1b[32m+\x1b[m\n\x1b[1mdiff --git a/f b/f\x1b[m\n\x1b[36m@@ -1 +1 @@\x1b[m\n\x1b[32m+\x1b[m\x1b[32mb\x1b[41m \x1b[m\n";
        assert_eq!(&*decolor(colored), b" f | 2 +\ndiff --git a/f b/f\n@@ -1 +1 @@\n+b \n");
    }

    #[test]
    fn any_one_colored_part_of_the_frame_decides() {
        let meta_normal = b"diff --git a/f b/f\x1b[m\n\x1b[36m@@ -1 +1 @@\x1b[m\n";
        assert_eq!(&*decolor(meta_normal), b"diff --git a/f b/f\n@@ -1 +1 @@\n");
        let meta_none = b"commit 1\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n\x1b[36m@@ -1 +1 @@\x1b[m\n";
        assert_eq!(&*decolor(meta_none), b"commit 1\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n");
        assert_eq!(&*decolor(b"\x1b[33mcommit 1\x1b[m\n"), b"commit 1\n");
    }

    #[test]
    fn other_escapes_of_a_colored_diff_stay() {
        assert_eq!(&*decolor(b"\x1b[1m--- a\x1b[0m\n-\x1b[2Jx\x1b\n"), b"--- a\n-\x1b[2Jx\x1b\n");
    }
}
