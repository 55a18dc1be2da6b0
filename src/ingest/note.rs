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

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartialCoverage { inputs, recorded, known } => {
                let inputs: Vec<String> = inputs.iter().map(|input| format!("`{input}`")).collect();
                write!(f, "coverage of {recorded} of {known} known tests in {}", inputs.join(", "))
            }
            Self::NoCost { tests, known } => write!(f, "no cost for {tests} of {known} tests, taken as the median"),
            Self::ZeroCosts { tests, known } => {
                write!(f, "a cost of zero in every input for {tests} of {known} tests")
            }
            Self::GuessedIds { input, cases, example } => write!(
                f,
                "`{input}`: no test of another input matches {cases} of its cases; ids by the report's convention (`{example}`)"
            ),
            Self::UnmatchedCases { input, cases, example } => write!(
                f,
                "`{input}`: left out {cases} of its cases, for fitting several known tests or none (`{example}`); a report with `file` attributes (junit_family = xunit1) says which"
            ),
            Self::OutsideRoot { input, files, example } => {
                write!(f, "`{input}`: left out {files} of its files, for lying outside the root (`{example}`)")
            }
            Self::NoSpan { input, tags } => {
                write!(f, "`{input}`: left out {tags} of its tags, for having no end; run ctags with --fields=+ne")
            }
            Self::SameName { symbols } => {
                write!(f, "symbols of one name in one file, beyond the first of each: {symbols}")
            }
            Self::UnnamedRecords { input, records } => {
                write!(f, "`{input}`: left out {records} of its records, for naming no test")
            }
            Self::SkippedFiles { input, files, reason } => {
                write!(f, "`{input}`: left out {files} of its files: {reason}")
            }
            Self::UnknownFields { input, fields } => write!(f, "`{input}`: not used: {}", fields.join(", ")),
            Self::FirstHitForced { input } => {
                write!(f, "`{input}` looks as if only the first test to reach each line was noted; taken as told")
            }
            Self::NothingShared { input, tests } => write!(
                f,
                "`{input}`: {tests} tests share files and no two of them a line; if any two do run the same line, only the first test to reach each was noted, as the `sysmon` core of coverage.py does, and most selections will miss tests: record with `COVERAGE_CORE=ctrace`"
            ),
            Self::DottedContexts { input, contexts, example } => write!(
                f,
                "`{input}`: pytest does not take {contexts} of its contexts, which are dotted names (`{example}`); record with --cov-context=test"
            ),
            Self::UnlistedFeatures { input, features, example } => {
                write!(f, "`{input}`: `features` does not list {features} of the features with a signal (`{example}`)")
            }
        }
    }
}
