//! What an input is, from its first bytes.

use std::fmt;

use super::IngestError;

/// As much of an input's beginning as [`detect`] wants to see.
pub const HEAD_BYTES: usize = 64 * 1024;

/// The kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The SQLite database of coverage.py.
    CoverageDb,
    /// `coverage json --show-contexts`.
    CoverageJson,
    /// An LCOV trace file.
    Lcov,
    /// JUnit XML.
    Junit,
    /// A JSON map of test ids to seconds.
    Durations,
    /// JSON lines of universal-ctags.
    Ctags,
    /// The conceptual model: `features` and `tests`.
    Conceptual,
    /// One test per line.
    JsonLines,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CoverageDb => "coverage.py database",
            Self::CoverageJson => "coverage.py JSON",
            Self::Lcov => "LCOV",
            Self::Junit => "JUnit XML",
            Self::Durations => "durations",
            Self::Ctags => "ctags",
            Self::Conceptual => "conceptual model",
            Self::JsonLines => "JSON lines",
        })
    }
}

/// The kind of the input that begins with `head`; `input` names it in errors.
///
/// # Errors
/// Nothing, something wrapped (compressed, archived, UTF-16), or nothing that is known.
pub fn detect(input: &str, head: &[u8]) -> Result<Kind, IngestError> {
    if let Some((found, remedy)) = wrapped(head) {
        return Err(IngestError::Wrapped { input: input.to_owned(), found, remedy });
    }
    if head.starts_with(b"SQLite format 3\0") {
        return Ok(Kind::CoverageDb);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let kind = match text.first() {
        None => return Err(IngestError::Empty { input: input.to_owned() }),
        Some(b'<') => xml_kind(text),
        Some(b'{') => json_kind(text),
        Some(b'[') if text[1..].trim_ascii_start().starts_with(b"[") => Ok(Kind::Durations),
        Some(_) => text_kind(text),
    };
    kind.map_err(|found| IngestError::Unrecognized { input: input.to_owned(), found })
}

fn wrapped(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it first";
    const RECODE: &str = "write it as UTF-8";
    match head {
        [0x1f, 0x8b, ..] => Some(("a gzip file", UNPACK)),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some(("a zip archive", UNPACK)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(("a zstd file", UNPACK)),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some(("an xz file", UNPACK)),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(("a bzip2 file", UNPACK)),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(("UTF-16 text", RECODE)),
        [b'<' | b'{' | b'[', 0, ..] | [0, b'<' | b'{' | b'[', ..] => Some(("UTF-16 text", RECODE)),
        _ => None,
    }
}

fn shown(text: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(&text[..text.len().min(24)]).chars().take(16).collect();
    format!("content that begins {start:?}")
}

/// The name of the root element decides.
fn xml_kind(text: &[u8]) -> Result<Kind, String> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'<') {
        rest = &rest[at + 1..];
        let end = match rest {
            [b'?', ..] => find(rest, b"?>"),
            [b'!', b'-', b'-', ..] => find(rest, b"-->"),
            [b'!', ..] => find(rest, b">"),
            _ => {
                let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
                return match &rest[..end] {
                    b"testsuites" | b"testsuite" => Ok(Kind::Junit),
                    b"coverage" => Err("Cobertura XML, which names no tests".to_owned()),
                    b"report" => Err("JaCoCo XML, which names no tests".to_owned()),
                    name => Err(format!("XML with the root element `{}`", String::from_utf8_lossy(name))),
                };
            }
        };
        let Some(end) = end else { break };
        rest = &rest[end..];
    }
    Err("XML without a root element".to_owned())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// LCOV begins with a record keyword, after comments at most.
fn text_kind(text: &[u8]) -> Result<Kind, String> {
    let first =
        text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty() && line[0] != b'#');
    match first {
        Some(line) if line.starts_with(b"TN:") || line.starts_with(b"SF:") => Ok(Kind::Lcov),
        _ => Err(shown(text)),
    }
}

/// What begins a value of a JSON object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Text,
    Number,
    Object,
    Array,
    Other,
}

/// The keys of the first object, and what kind of value each has, decide.
fn json_kind(text: &[u8]) -> Result<Kind, String> {
    let (keys, is_whole) = first_object(text);
    let has = |name: &str, start: Start| keys.iter().any(|&(key, found)| key == name.as_bytes() && found == start);
    let is_record_key =
        |key: &[u8]| matches!(key, b"lines" | b"regions" | b"text" | b"family" | b"outcome" | b"file" | b"commit");
    if has("_type", Start::Text) {
        Ok(Kind::Ctags)
    } else if has("test", Start::Text) || has("session", Start::Object) {
        Ok(Kind::JsonLines)
    } else if has("files", Start::Object)
        && (has("meta", Start::Object) || has("totals", Start::Object) || keys.len() == 1)
    {
        Ok(Kind::CoverageJson)
    } else if has("features", Start::Array) || has("tests", Start::Object) || has("calibration", Start::Object) {
        Ok(Kind::Conceptual)
    } else if has("meta", Start::Object) && !is_whole {
        Ok(Kind::CoverageJson)
    } else if !keys.is_empty() && keys.iter().all(|&(_, start)| start == Start::Number) {
        Ok(Kind::Durations)
    } else if keys.is_empty() && is_whole {
        Err("an empty JSON object".to_owned())
    } else if keys.is_empty() || keys.iter().any(|&(key, start)| start != Start::Number && is_record_key(key)) {
        Ok(Kind::JsonLines)
    } else if keys.iter().all(|&(_, start)| matches!(start, Start::Number | Start::Other)) {
        Ok(Kind::Durations)
    } else {
        let names: Vec<_> = keys.iter().take(4).map(|(key, _)| String::from_utf8_lossy(key)).collect();
        Err(format!("a JSON object with the keys {}", names.join(", ")))
    }
}

/// The keys of the object that `text` begins with, each with the start of its value, and whether its end was seen.
fn first_object(text: &[u8]) -> (Vec<(&[u8], Start)>, bool) {
    let mut keys = Vec::new();
    let (mut depth, mut at, mut expects_key) = (0_usize, 0, false);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                let Some(end) = string_end(text, at) else { return (keys, false) };
                if depth == 1 && expects_key {
                    expects_key = false;
                    let after =
                        text[end..].trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start();
                    if let Some(&byte) = after.first() {
                        keys.push((&text[at + 1..end - 1], start_of(byte)));
                    }
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                expects_key = depth == 1;
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return (keys, true);
                }
            }
            b',' => expects_key = depth == 1,
            _ => {}
        }
        at += 1;
    }
    (keys, false)
}

fn start_of(byte: u8) -> Start {
    match byte {
        b'"' => Start::Text,
        b'0'..=b'9' | b'-' => Start::Number,
        b'{' => Start::Object,
        b'[' => Start::Array,
        _ => Start::Other,
    }
}

/// The offset behind the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        let cases: [(&[u8], Kind); 18] = [
            (b"SQLite format 3\0....", Kind::CoverageDb),
            (b"{\"meta\": {\"format\": 3}, \"files\": {\"a.py\": {", Kind::CoverageJson),
            (b"{\"files\": {\"a.py\": {}}, \"totals\": {}}", Kind::CoverageJson),
            (b"# made by x\nTN:a\nSF:a.c\n", Kind::Lcov),
            (b"SF:a.c\n", Kind::Lcov),
            (b"<?xml version='1.0'?>\n<!-- <x> -->\n<testsuites name=''>", Kind::Junit),
            (b"\xef\xbb\xbf <testsuite>", Kind::Junit),
            (b"{\n\"t.py::a[\\\"{]\": 0.5,", Kind::Durations),
            (b"{\"t.py::a\": NaN}", Kind::Durations),
            (b"[[\"t.py::a\", 1.0]]", Kind::Durations),
            (b"{\"_type\": \"ptag\", \"name\": \"x\"}\n", Kind::Ctags),
            (b"{\"tests\": {\"a\": {\"cost\": 1}}}", Kind::Conceptual),
            (b"{\"features\": [\"a\"]", Kind::Conceptual),
            (b"{\"calibration\": {\"words\": 5.0}}", Kind::Conceptual),
            (b"{\"cost\": 1.0, \"test\": \"a\"}", Kind::JsonLines),
            (b"{\"lines\": {\"a\": [", Kind::JsonLines),
            (b"{\"test\": \"a\"}", Kind::JsonLines),
            (b"{\"te", Kind::JsonLines),
        ];
        for (head, kind) in cases {
            assert_eq!(detect("x", head).unwrap(), kind, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let cases: [(&[u8], &str); 11] = [
            (b"", "it is empty"),
            (b" \n", "it is empty"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"PK\x03\x04", "zip"),
            (b"\xff\xfe<\0", "UTF-16"),
            (b"{\0\"\0", "UTF-16"),
            (b"<coverage line-rate='1'>", "Cobertura"),
            (b"<html>", "`html`"),
            (b"hello world", "hello world"),
            (b"{}", "an empty JSON object"),
            (b"{\"a\": \"b\", \"c\": 1}", "keys a, c"),
        ];
        for (head, want) in cases {
            let message = detect("the input", head).unwrap_err().to_string();
            assert!(message.contains(want) && message.contains("`the input`"), "{message}");
        }
    }
}
