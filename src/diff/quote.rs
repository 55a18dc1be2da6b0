//! Quoted paths, as git and GNU diff write them: C escapes and three octal digits between double quotes.
//!
//! The rules are those of `core.quotePath` in git-config(1).

use std::borrow::Cow;

/// Reads a quoted string at the start of `bytes`; gives its value and what follows the closing quote.
///
/// `None` if `bytes` does not start with a quote, or the string is not closed or holds an unknown escape.
pub(super) fn unquote(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let body = bytes.strip_prefix(b"\"")?;
    let plain = body.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    if body[plain] == b'"' {
        return Some((Cow::Borrowed(&body[..plain]), &body[plain + 1..]));
    }
    let mut value = body[..plain].to_vec();
    let mut rest = &body[plain..];
    loop {
        match rest {
            [b'"', after @ ..] => return Some((Cow::Owned(value), after)),
            [b'\\', escaped @ ..] => {
                let (byte, after) = unescape(escaped)?;
                value.push(byte);
                rest = after;
            }
            [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

fn unescape(escaped: &[u8]) -> Option<(u8, &[u8])> {
    if let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] = escaped {
        return Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), after));
    }
    let (letter, after) = escaped.split_first()?;
    let byte = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => b'\r',
        b'"' | b'\\' => *letter,
        _ => return None,
    };
    Some((byte, after))
}

/// Whether git would quote a path that holds this byte.
fn needs_quotes(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\')
}

/// Writes `prefix` and `path` as git does: quoted as one when the path needs it. Returns whether it was quoted.
pub(super) fn write(out: &mut Vec<u8>, prefix: &[u8], path: &[u8]) -> bool {
    if !path.iter().copied().any(needs_quotes) {
        out.extend_from_slice(prefix);
        out.extend_from_slice(path);
        return false;
    }
    out.push(b'"');
    out.extend_from_slice(prefix);
    for &byte in path {
        escape(out, byte);
    }
    out.push(b'"');
    true
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        0x07 => b'a',
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0b => b'v',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ if needs_quotes(byte) => {
            out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]);
            return;
        }
        _ => {
            out.push(byte);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_quoting() {
        let path: Vec<u8> = (1..=255).collect();
        let mut quoted = Vec::new();
        assert!(write(&mut quoted, b"a/", &path));
        quoted.extend_from_slice(b" rest");
        let (value, rest) = unquote(&quoted).unwrap();
        assert_eq!((&value[2..], rest), (&path[..], &b" rest"[..]));
    }

    #[test]
    fn plain_paths_stay_plain() {
        let mut out = Vec::new();
        assert!(!write(&mut out, b"b/", b"a b~"));
        assert_eq!(out, b"b/a b~");
        assert!(matches!(unquote(b"\"x y\"").unwrap().0, Cow::Borrowed(b"x y")));
    }

    #[test]
    fn broken_strings_are_refused() {
        for broken in [&b"x"[..], b"\"x", b"\"\\q\"", b"\"\\", b"\"\\400\"", b"\"\\12\""] {
            assert_eq!(unquote(broken), None, "{}", broken.escape_ascii());
        }
    }
}
