//! Words of identifiers: what a change and a test have in common before anything was recorded.
//!
//! An identifier gives its parts, split at underscores, at digits and where case changes, in lower case and without
//! common endings, and, in a text, where it has several parts, itself as a whole. Parts of one or two letters and the commonest
//! words of code are left out. A word is its hash: a model holds no text.
//!
//! A test has words in three fields, told apart by the seed of the hash: what it says, what it is called, and what its
//! file is about.

use std::collections::BTreeMap;

use rkyv::{Archive, Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Words that say nothing about what code is for.
const STOP_WORDS: [&str; 28] = [
    "and", "assert", "class", "def", "elif", "else", "false", "for", "from", "import", "init", "lambda", "none", "not",
    "raise", "return", "self", "src", "test", "tests", "that", "the", "this", "true", "with", "func", "let", "var",
];

/// Endings that a word loses where enough of it is left, the longest first.
const ENDINGS: [&str; 4] = ["ing", "ed", "es", "s"];

/// Letters that must be left of a word besides its ending.
const STEM_LEAST: usize = 4;

/// Longer identifiers are no names: hashes, encoded data.
const IDENTIFIER_MOST: usize = 128;

/// Which words of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u64)]
pub enum Field {
    /// What the test says: its source, its names and parameters, its file's name.
    Text = 0,
    /// What the test is called: its function and what that stands in.
    Name = 1,
    /// What its file is about: see [`subject_of`].
    File = 2,
}

/// A word of a field: the low half of the xxh3-64 of its letters, seeded with the field.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Word(pub u32);

impl Word {
    fn new(letters: &str, field: Field) -> Self {
        Self((xxh3_64_with_seed(letters.as_bytes(), field as u64) & 0xffff_ffff) as u32)
    }
}

/// Calls `visit` with each word of `text`, in order, with its repeats; the text may be anything.
pub fn each_word(text: &str, field: Field, mut visit: impl FnMut(Word)) {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut letters = String::new();
    for identifier in text.split(|letter| !is_letter(letter)) {
        let identifier = identifier.trim_matches('_');
        if identifier.is_empty()
            || identifier.len() > IDENTIFIER_MOST
            || identifier.starts_with(|c: char| c.is_ascii_digit())
        {
            continue;
        }
        let mut parts = 0;
        each_part(identifier, |part| {
            letters.clear();
            letters.extend(part.chars().flat_map(char::to_lowercase));
            if letters.chars().count() > 2 && !STOP_WORDS.contains(&letters.as_str()) {
                parts += 1;
                visit(Word::new(stem(&letters), field));
            }
        });
        if parts > 1 && field == Field::Text {
            letters.clear();
            letters.push('=');
            letters.extend(identifier.chars().flat_map(char::to_lowercase));
            visit(Word::new(&letters, field));
        }
    }
}

/// The parts of an identifier: runs of capitals, a capital and what is small after it, small letters, digits.
fn each_part<'a>(identifier: &'a str, mut visit: impl FnMut(&'a str)) {
    #[derive(PartialEq, Clone, Copy)]
    enum Class {
        Capital,
        Small,
        Digit,
        Other,
    }
    let class = |letter: char| match letter {
        '_' => Class::Other,
        letter if letter.is_numeric() => Class::Digit,
        letter if letter.is_uppercase() => Class::Capital,
        _ => Class::Small,
    };
    let mut start = 0;
    let mut before: Option<(usize, Class)> = None;
    for (at, letter) in identifier.char_indices() {
        let now = class(letter);
        if let Some((last_at, last)) = before {
            match (last, now) {
                (last, now) if last == now => {}
                // `HTTPServer`: the last capital begins the next part; `Server`: its capital goes with what follows.
                (Class::Capital, Class::Small) => {
                    if start < last_at {
                        visit(&identifier[start..last_at]);
                        start = last_at;
                    }
                }
                _ => {
                    if last != Class::Other {
                        visit(&identifier[start..at]);
                    }
                    start = at;
                }
            }
        }
        before = Some((at, now));
    }
    if before.is_some_and(|(_, last)| last != Class::Other) {
        visit(&identifier[start..]);
    }
}

fn stem(word: &str) -> &str {
    let stemmed = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.len() >= STEM_LEAST));
    stemmed.unwrap_or(word)
}

/// How often each word occurs in what is known of a test: a count for each word of each field.
///
/// `id` is its name, `path` the file that defines it, `text` its source where an input states it. Its names count
/// twice among what it says, its parameters and its file's name once.
pub fn test_words(id: &str, path: Option<&str>, text: Option<&str>) -> BTreeMap<Word, u32> {
    let mut words = BTreeMap::new();
    let mut add = |text: &str, field: Field, count: u32| {
        each_word(text, field, |word| *words.entry(word).or_insert(0) += count);
    };
    let in_id = crate::id::path_in_test_id(id);
    let rest = &id[in_id.map_or(0, str::len)..];
    let (name, parameters) = rest.split_once('[').unwrap_or((rest, ""));
    let file = path.or(in_id).map_or("", file_stem);
    add(text.unwrap_or(""), Field::Text, 1);
    add(name, Field::Text, 2);
    add(parameters, Field::Text, 1);
    add(file, Field::Text, 1);
    add(name, Field::Name, 1);
    if let Some(subject) = path.or(in_id).and_then(subject_of) {
        words.insert(subject, 1);
    }
    words
}

/// What tests put before or after the name of what they test, in lower case, the longer first.
const TEST_MARKS: [&str; 10] = ["tests_", "test_", "_tests", "_test", "_spec", "tests", "test", "spec", "it_", "_it"];

/// The word, among those of files, that a file and the file of its tests have in common: `parser` for `parser.py` as for
/// `test_parser.py`, `ParserTest.java` and `parser_test.go`. A file that stands for its folder (`__init__.py`, `mod.rs`,
/// `index.js`) is called by it.
pub fn subject_of(path: &str) -> Option<Word> {
    let mut stem = file_stem(path);
    if ["__init__", "mod", "index"].contains(&stem) {
        stem = path.rsplit('/').nth(1)?;
    }
    let lower = stem.to_lowercase();
    let mut subject = lower.trim_matches('_');
    for mark in TEST_MARKS {
        let rest = if mark.starts_with('_') { subject.strip_suffix(mark) } else { subject.strip_prefix(mark) };
        let rest = rest.or_else(|| if mark.contains('_') { None } else { subject.strip_suffix(mark) });
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            subject = rest;
            break;
        }
    }
    let subject = subject.trim_matches('_');
    (!subject.is_empty()).then(|| Word::new(&format!("={subject}"), Field::File))
}

/// The name of a file without folders and extension.
pub fn file_stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        let mut words = Vec::new();
        each_word(text, Field::Text, |word| words.push(word));
        words
    }

    fn parts(identifier: &str) -> Vec<&str> {
        let mut parts = Vec::new();
        each_part(identifier, |part| parts.push(part));
        parts
    }

    #[test]
    fn identifiers_come_apart_where_a_reader_would_cut() {
        let cases: [(&str, &[&str]); 8] = [
            ("parse_order", &["parse", "order"]),
            ("HTTPServer", &["HTTP", "Server"]),
            ("getHTTPResponse2xx", &["get", "HTTP", "Response", "2", "xx"]),
            ("__init__", &["init"]),
            ("Größe", &["Größe"]),
            ("x", &["x"]),
            ("ABC", &["ABC"]),
            ("aB", &["a", "B"]),
        ];
        for (identifier, want) in cases {
            assert_eq!(parts(identifier), want, "{identifier}");
        }
    }

    #[test]
    fn a_word_is_found_under_its_endings_and_as_a_whole() {
        assert_eq!(words("parsing"), words("parsed"));
        assert_eq!(words("orders"), words("order"));
        assert_eq!(words("this is a self.x"), []);
        let whole = words("parse_order");
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[..2], [words("parse")[0], words("order")[0]]);
        assert_ne!(words("parse_order")[2], words("order_parse")[2]);
        assert_eq!(words("12345 0x1f"), []);
    }

    #[test]
    fn a_file_and_its_tests_have_one_subject() {
        let parser = subject_of("src/pkg/parser.py");
        for path in ["tests/test_parser.py", "parser_test.go", "src/ParserTest.java", "a/parser.spec.ts", "_parser.py"]
        {
            assert_eq!(subject_of(path), parser, "{path}");
        }
        assert_eq!(subject_of("src/parser/__init__.py"), parser);
        assert_ne!(subject_of("tests/test_parse.py"), parser);
        assert_eq!(subject_of("tests/__init__.py"), subject_of("tests/tests.py"));
        assert_eq!(subject_of("__init__.py"), None);
        assert_eq!(subject_of(""), None);
    }

    #[test]
    fn names_count_more_than_parameters() {
        let words = test_words("tests/test_cart.py::TestCart::test_total[vat]", None, Some("total cart"));
        let count = |letters, field| words.get(&Word::new(letters, field)).copied();
        assert_eq!(count("total", Field::Text), Some(3));
        assert_eq!(count("vat", Field::Text), Some(1));
        assert_eq!(count("cart", Field::Text), Some(1 + 2 + 1));
        assert_eq!(count("cart", Field::Name), Some(1));
        assert_eq!(count("=cart", Field::File), Some(1));
        assert_eq!(count("vat", Field::Name), None);
    }
}
