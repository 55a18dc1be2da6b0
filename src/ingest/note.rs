//! What was taken but deserves a word on stderr.

use std::fmt;

/// Something that was taken, or left out, and is named. Sorted and without repetition, so that it does not depend on the
/// order of the inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Note {
    /// Coverage is known for a part of the tests.
    PartialCoverage {
        /// The inputs that hold coverage.
        inputs: Vec<String>,
        /// Tests with recorded coverage.
        recorded: usize,
        /// All tests that the inputs name.
        known: usize,
    },
    /// Tests whose cost no input states.
    NoCost {
        /// How many.
        tests: usize,
        /// All tests.
        known: usize,
    },
    /// Tests that cost nothing by all that is stated; reports round to milliseconds.
    ZeroCosts {
        /// How many.
        tests: usize,
        /// All tests.
        known: usize,
    },
    /// Test cases of a report whose id follows from the report's convention alone.
    GuessedIds {
        /// The input.
        input: String,
        /// How many.
        cases: usize,
        /// One of the ids.
        example: String,
    },
    /// Test cases of a report that match several known tests, or none in any way.
    UnmatchedCases {
        /// The input.
        input: String,
        /// How many.
        cases: usize,
        /// One of them.
        example: String,
    },
    /// Files outside the root.
    OutsideRoot {
        /// The input.
        input: String,
        /// How many.
        files: usize,
        /// One of them.
        example: String,
    },
    /// Symbols whose span is not known.
    NoSpan {
        /// The input.
        input: String,
        /// How many.
        tags: usize,
    },
    /// Symbols of one file with one name and different spans.
    SameName {
        /// How many beyond the first of each name.
        symbols: usize,
    },
    /// Records without a test name.
    UnnamedRecords {
        /// The input.
        input: String,
        /// How many.
        records: usize,
    },
    /// Files of a directory that are empty, or links that were not followed.
    SkippedFiles {
        /// The input.
        input: String,
        /// How many.
        files: usize,
        /// Why.
        reason: &'static str,
    },
    /// Fields that mean nothing here.
    UnknownFields {
        /// The input.
        input: String,
        /// Their names, sorted; the first few.
        fields: Vec<String>,
    },
    /// A recording that looks like first-hit-only recording and was taken all the same.
    FirstHitForced {
        /// The input.
        input: String,
    },
    /// A small recording in which no two tests share a line, as in first-hit-only recording.
    NothingShared {
        /// The input.
        input: String,
        /// How many tests share files.
        tests: usize,
    },
    /// Contexts that are dotted names, not ids that a runner takes.
    DottedContexts {
        /// The input.
        input: String,
        /// How many.
        contexts: usize,
        /// One of them.
        example: String,
    },
    /// Signals on features that the model's own list does not name.
    UnlistedFeatures {
        /// The input.
        input: String,
        /// How many.
        features: usize,
        /// One of them.
        example: String,
    },
}

/// One line, whatever the inputs hold: control characters are shown as escapes.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
        if !text.contains(breaks) {
            return f.write_str(&text);
        }
        for letter in text.chars() {
            if breaks(letter) { write!(f, "{}", letter.escape_default())? } else { write!(f, "{letter}")? }
        }
        Ok(())
    }
}

/// `1 case`, `3 cases`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl Note {
    fn text(&self) -> String {
        let agree = |number: usize, one: &'static str, several: &'static str| if number == 1 { one } else { several };
        let were = |number| agree(number, "was", "were");
        match self {
            Self::PartialCoverage { inputs, recorded, known } => {
                let hold = agree(inputs.len(), "holds", "hold");
                let inputs: Vec<String> = inputs.iter().map(|input| format!("`{input}`")).collect();
                format!("{} {hold} coverage of {recorded} of {}", inputs.join(", "), counted(*known, "known test"))
            }
            Self::NoCost { tests, known } => {
                let (have, get) = (agree(*tests, "has", "have"), agree(*tests, "gets", "get"));
                format!("{tests} of {} {have} no cost and {get} the median", counted(*known, "test"))
            }
            Self::ZeroCosts { tests, known } => {
                let have = agree(*tests, "has", "have");
                format!("{tests} of {} {have} a cost of zero in every input", counted(*known, "test"))
            }
            Self::GuessedIds { input, cases, example } => {
                let (count, rest) = (
                    counted(*cases, "case"),
                    agree(
                        *cases,
                        "matches no test of another input; its id follows",
                        "match no test of another input; their ids follow",
                    ),
                );
                format!("`{input}`: {count} {rest} the report's convention (`{example}`)")
            }
            Self::UnmatchedCases { input, cases, example } => {
                let (count, fit) = (counted(*cases, "case"), agree(*cases, "fits", "fit"));
                format!(
                    "`{input}`: {count} {fit} several known tests or none and {} left out (`{example}`); a report with `file` attributes (junit_family = xunit1) says which",
                    were(*cases)
                )
            }
            Self::OutsideRoot { input, files, example } => {
                format!(
                    "`{input}`: {} outside the root {} left out (`{example}`)",
                    counted(*files, "file"),
                    were(*files)
                )
            }
            Self::NoSpan { input, tags } => {
                let count = counted(*tags, "tag");
                format!("`{input}`: {count} without an end {} left out; run ctags with --fields=+ne", were(*tags))
            }
            Self::SameName { symbols } => {
                let share = agree(*symbols, "shares", "share");
                format!(
                    "{} {share} a name with another of {} file",
                    counted(*symbols, "symbol"),
                    agree(*symbols, "its", "their")
                )
            }
            Self::UnnamedRecords { input, records } => {
                let count = counted(*records, "record");
                format!("`{input}`: {count} without a test name {} left out", were(*records))
            }
            Self::SkippedFiles { input, files, reason } => {
                format!("`{input}`: {} {} left out: {reason}", counted(*files, "file"), were(*files))
            }
            Self::UnknownFields { input, fields } => format!("`{input}`: not used: {}", fields.join(", ")),
            Self::FirstHitForced { input } => {
                format!("`{input}` looks as if only the first test to reach each line was noted; taken as told")
            }
            Self::NothingShared { input, tests } => format!(
                "`{input}`: {tests} tests share files and no two of them a line; if any two do run the same line, only the first test to reach each was noted, as the `sysmon` core of coverage.py does, and most selections will miss tests: record with `COVERAGE_CORE=ctrace`"
            ),
            Self::DottedContexts { input, contexts, example } => {
                let (count, are) =
                    (counted(*contexts, "context"), agree(*contexts, "is a dotted name", "are dotted names"));
                format!(
                    "`{input}`: {count} {are} (`{example}`) that pytest does not take; record with --cov-context=test"
                )
            }
            Self::UnlistedFeatures { input, features, example } => {
                let (count, are) =
                    (counted(*features, "signal"), agree(*features, "is on a feature", "are on features"));
                format!("`{input}`: {count} {are} that `features` does not list (`{example}`)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test id with a line break made a line of its own on stderr, as if covopt had said it.
    #[test]
    fn notes_are_one_line() {
        let (input, example) = ("a\nb\u{2028}".to_owned(), "t.py::t[\r\u{1b}[2Kerror: é]".to_owned());
        let notes = [
            Note::GuessedIds { input: input.clone(), cases: 1, example: example.clone() },
            Note::PartialCoverage { inputs: vec![input.clone()], recorded: 1, known: 9 },
            Note::UnknownFields { input: input.clone(), fields: vec![example.clone()] },
            Note::OutsideRoot { input, files: 3, example },
        ];
        for note in notes {
            let text = note.to_string();
            assert!(!text.contains(char::is_control) && !text.contains('\u{2028}'), "{text}");
            assert!(text.contains(r"a\nb\u{2028}") && (!text.contains("error") || text.contains("é]")), "{text}");
        }
    }

    /// One input was said to `hold`, and one test to `have` no cost.
    #[test]
    fn one_is_singular() {
        let input = || "r".to_owned();
        let partial = |inputs: &[&str]| Note::PartialCoverage {
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            recorded: 1,
            known: 5,
        };
        let cases = [
            (partial(&["r"]), "`r` holds coverage of 1 of 5 known tests"),
            (partial(&["r", "s"]), "`r`, `s` hold coverage of 1 of 5 known tests"),
            (Note::NoCost { tests: 1, known: 1 }, "1 of 1 test has no cost and gets the median"),
            (Note::SameName { symbols: 1 }, "1 symbol shares a name with another of its file"),
            (Note::SkippedFiles { input: input(), files: 1, reason: "empty" }, "`r`: 1 file was left out: empty"),
            (Note::SkippedFiles { input: input(), files: 2, reason: "empty" }, "`r`: 2 files were left out: empty"),
        ];
        for (note, expected) in cases {
            assert_eq!(note.to_string(), expected);
        }
    }
}
