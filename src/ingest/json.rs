//! What the JSON inputs share: text borrowed from the input, and serde's errors turned into ours.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::IngestError;

/// A string that borrows from the input unless it holds escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// What went wrong in `bytes`, which begin at the 1-based `first_line` of `input`.
pub(super) fn failure(input: &str, bytes: &[u8], first_line: usize, error: &serde_json::Error) -> IngestError {
    let line = first_line + error.line().max(1) - 1;
    let at = offset_of(bytes, error.line(), error.column());
    let input = input.to_owned();
    if error.is_syntax()
        && let Some((found, key)) = non_finite(bytes, at, error)
    {
        let what = key
            .map_or_else(|| format!("the value in line {line}"), |key| format!("the value of `{key}` in line {line}"));
        return IngestError::NonFinite { input, what, found };
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return IngestError::Encoding { input, offset_bytes: error.valid_up_to() };
    }
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
    if error.is_eof() {
        let expected =
            reason.strip_prefix("EOF while parsing ").map_or(reason.clone(), |what| format!("the end of {what}"));
        return IngestError::Truncated { input, line, expected };
    }
    IngestError::Malformed { input, line, reason: format!("{reason} in column {}", error.column()) }
}

/// The offset of serde's 1-based line and column.
fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let start = match line.checked_sub(2) {
        Some(newline) => {
            bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').nth(newline).map_or(0, |(at, _)| at + 1)
        }
        None => 0,
    };
    (start + column).min(bytes.len())
}

/// The literal that Python writes for what JSON cannot say, and the key before it.
fn non_finite(bytes: &[u8], at: usize, error: &serde_json::Error) -> Option<(String, Option<String>)> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    let start = bytes[..at].iter().rposition(|byte| !is_token(byte)).map_or(0, |before| before + 1);
    let end = at + bytes[at..].iter().position(|byte| !is_token(byte)).unwrap_or(bytes.len() - at);
    let token = std::str::from_utf8(&bytes[start..end]).ok()?;
    let is_named =
        ["nan", "inf", "infinity"].contains(&token.trim_start_matches(['-', '+']).to_ascii_lowercase().as_str());
    if !is_named && !error.to_string().starts_with("number out of range") {
        return None;
    }
    let before = bytes[..start]
        .trim_ascii_end()
        .strip_suffix(b":")
        .map(<[u8]>::trim_ascii_end)
        .and_then(|key| key.strip_suffix(b"\""));
    let key = before.and_then(|before| {
        let open = before.iter().rposition(|&byte| byte == b'"')?;
        Some(String::from_utf8_lossy(&before[open + 1..]).into_owned())
    });
    Some((token.to_owned(), key))
}

/// Fails unless only white space follows what was read.
pub(super) fn end(
    input: &str,
    bytes: &[u8],
    json: &mut serde_json::Deserializer<serde_json::de::SliceRead<'_>>,
) -> Result<(), IngestError> {
    json.end().map_err(|error| failure(input, bytes, 1, &error))
}

/// The lines of a JSON lines input that hold something, each with its 1-based number. A line that is cut short at the
/// end of the input is told from one that is wrong.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes
        .split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
}

/// What went wrong in one line of a JSON lines input: only its last line can be cut short.
pub(super) fn line_failure(input: &str, is_last: bool, line: (usize, &[u8]), error: &serde_json::Error) -> IngestError {
    let (number, text) = line;
    match failure(input, text, number, error) {
        IngestError::Truncated { input, expected, .. } if !is_last => {
            IngestError::Malformed { input, line: number, reason: format!("expected {expected}, one object a line") }
        }
        other => other,
    }
}
