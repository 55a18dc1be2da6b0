//! Test ids on standard output, exactly as the runner names them.

use std::borrow::Cow;
use std::io::{self, Write};

/// An id that a line cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "test id `{}` {problem}, so it cannot be printed as a line; use `-0 | xargs -0 -r pytest --` (`--` ends pytest's \
     options; nothing keeps it from reading `@`) or `--format json`",
    escape(.id)
)]
#[non_exhaustive]
pub struct IdError {
    /// The id.
    pub id: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Whether `id` breaks the line protocol or would be read as an option.
fn line_problem(id: &str) -> Option<&'static str> {
    match id.as_bytes() {
        [] => Some("is empty"),
        [b'-', ..] => Some("begins with `-`, which a runner reads as an option"),
        [b'@', ..] => Some("begins with `@`, which a runner reads as a file of arguments"),
        bytes if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) => Some("holds a line break or a NUL"),
        _ => None,
    }
}

/// Whether plain `xargs` would take `id` apart or unquote it, so that `-0 | xargs -0` is needed.
pub fn needs_null(id: &str) -> bool {
    id.bytes().any(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\') || byte.is_ascii_control())
}

/// Writes one id a line.
///
/// # Errors
/// Before anything is written, if an id cannot be a line; else what `out` says.
pub fn write_lines(out: &mut impl Write, ids: &[&str]) -> io::Result<Result<(), IdError>> {
    if let Some((id, problem)) = ids.iter().find_map(|id| line_problem(id).map(|problem| (*id, problem))) {
        return Ok(Err(IdError { id: id.to_owned(), problem }));
    }
    for id in ids {
        out.write_all(id.as_bytes())?;
        out.write_all(b"\n")?;
    }
    Ok(Ok(()))
}

/// Writes each id followed by NUL. An id that holds a NUL itself cannot be written.
///
/// # Errors
/// Before anything is written, if an id holds a NUL; else what `out` says.
pub fn write_null(out: &mut impl Write, ids: &[&str]) -> io::Result<Result<(), IdError>> {
    if let Some(id) = ids.iter().find(|id| id.is_empty() || id.contains('\0')) {
        return Ok(Err(IdError { id: (*id).to_owned(), problem: "is empty or holds a NUL" }));
    }
    for id in ids {
        out.write_all(id.as_bytes())?;
        out.write_all(b"\0")?;
    }
    Ok(Ok(()))
}

/// `text` as a terminal may show it: control characters, and the characters that reorder text, as escapes.
pub fn escape(text: &str) -> Cow<'_, str> {
    let harmful = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if harmful(letter) { safe.extend(letter.escape_default()) } else { safe.push(letter) }
    }
    Cow::Owned(safe)
}

/// [`escape`], but line breaks stay.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_ids_are_exact_and_harmful_ones_are_refused() {
        let odd = ["t.py::a[a b]", "t.py::a[it's]", r"t.py::a[c\d]", "t.py::é"];
        let mut out = Vec::new();
        write_lines(&mut out, &odd).unwrap().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), odd.map(|id| format!("{id}\n")).concat());
        assert_eq!(odd.iter().filter(|id| needs_null(id)).count(), 3);
        for id in ["-x", "@file", "a\nb", "a\0b", "a\rb", ""] {
            let mut out = Vec::new();
            assert!(write_lines(&mut out, &["t.py::ok", id]).unwrap().is_err(), "{id:?}");
            assert!(out.is_empty(), "nothing is written once an id is refused");
        }
        let mut out = Vec::new();
        write_null(&mut out, &["-x", "a\nb"]).unwrap().unwrap();
        assert_eq!(out, b"-x\0a\nb\0");
        assert!(write_null(&mut out, &["a\0b"]).unwrap().is_err());
    }

    #[test]
    fn terminals_are_shown_escapes() {
        assert_eq!(escape("a\u{1b}[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(escape("plain é"), "plain é");
    }
}
