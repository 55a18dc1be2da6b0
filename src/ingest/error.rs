//! What can be wrong with an input, in fields; each message names the input and ends in the way out.

/// Why an input was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// Nothing in it.
    #[error("read `{input}`: it is empty; record again, or leave it out")]
    Empty {
        /// The input.
        input: String,
    },
    /// A file that cannot be opened or read.
    #[error("read `{input}`: {source}; check the path and its permissions")]
    Io {
        /// The input.
        input: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// What does not fit the memory that may be used cannot be put into files.
    #[error(
        "write what does not fit into memory: {source}; free some space beside the model, or allow more with --memory"
    )]
    Spill {
        /// What the system said.
        source: std::io::Error,
    },
    /// A compressed file, an archive or text in another encoding.
    #[error("read `{input}`: found {found}; {remedy}")]
    Wrapped {
        /// The input.
        input: String,
        /// What it is.
        found: &'static str,
        /// What to do with it first.
        remedy: &'static str,
    },
    /// Content of no known kind.
    #[error(
        "read `{input}`: expected a coverage.py database or JSON, LCOV, JUnit XML, durations, ctags JSON lines, a conceptual model or JSON lines, found {found}; see `covopt build --help` for what it reads"
    )]
    Unrecognized {
        /// The input.
        input: String,
        /// How it begins.
        found: String,
    },
    /// Text that is not UTF-8 where ids and paths must be.
    #[error("read `{input}`: not valid UTF-8 at byte {offset_bytes}; write it as UTF-8")]
    Encoding {
        /// The input.
        input: String,
        /// Where the first wrong byte is.
        offset_bytes: usize,
    },
    /// The input ends in the middle.
    #[error("read `{input}`: ends too early, at line {line}: expected {expected}; write it again, it was cut short")]
    Truncated {
        /// The input.
        input: String,
        /// The last line, 1-based.
        line: usize,
        /// What should have followed.
        expected: String,
    },
    /// Text that its format does not allow.
    #[error("read `{input}`, line {line}: {reason}; correct that line or write the file again")]
    Malformed {
        /// The input.
        input: String,
        /// The line, 1-based.
        line: usize,
        /// What was expected and found there.
        reason: String,
    },
    /// NaN or an infinity where a number is needed.
    #[error(
        "read `{input}`: {what} is {found}, expected a finite number; leave the value out where nothing was measured"
    )]
    NonFinite {
        /// The input.
        input: String,
        /// Whose value it is.
        what: String,
        /// The value as written.
        found: String,
    },
    /// A cost below zero.
    #[error(
        "read `{input}`: the cost of `{test}` is {found} s, expected 0 or more; leave the cost out where nothing was measured"
    )]
    NegativeCost {
        /// The input.
        input: String,
        /// The test.
        test: String,
        /// The cost as written, in seconds.
        found: String,
    },
    /// A cost that no test has.
    #[error("read `{input}`: the cost of `{test}` is {found} s, expected seconds, at most 1e9; check its unit")]
    HugeCost {
        /// The input.
        input: String,
        /// The test.
        test: String,
        /// The cost as written, in seconds.
        found: String,
    },
    /// A line number 0: lines count from 1.
    #[error("read `{input}`: line {found} of `{path}`, expected line numbers from 1; write 1-based lines")]
    LineNotPositive {
        /// The input.
        input: String,
        /// The file whose line it is.
        path: String,
        /// The number as written.
        found: i128,
    },
    /// A line number beyond [`super::MAX_LINE`].
    #[error(
        "read `{input}`: line {found} of `{path}`, expected at most {limit}; leave such a file out of the recording"
    )]
    LineTooLarge {
        /// The input.
        input: String,
        /// The file whose line it is.
        path: String,
        /// The number as written.
        found: i128,
        /// The greatest number taken.
        limit: u32,
    },
    /// A range that ends before it begins.
    #[error(
        "read `{input}`: lines {first} to {last} of `{path}`, expected the first line not to be after the last; write [first, last]"
    )]
    LineReversed {
        /// The input.
        input: String,
        /// The file whose range it is.
        path: String,
        /// The first line as written.
        first: i128,
        /// The last line as written.
        last: i128,
    },
    /// Two inputs, or two lines of one, put a test into different files.
    #[error(
        "read `{input}`: `{test}` is in `{found}`, but `{earlier_input}` has it in `{earlier}`; keep one `file` for each test"
    )]
    FileConflict {
        /// The input.
        input: String,
        /// The test.
        test: String,
        /// The file it states.
        found: String,
        /// The file that was stated before.
        earlier: String,
        /// Where that was stated.
        earlier_input: String,
    },
    /// An id that no runner can be given.
    #[error("read `{input}`: the test id {id:?} {reason}; name the test as its runner does")]
    BadId {
        /// The input.
        input: String,
        /// The id.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A declared signal outside [0, 1].
    #[error("read `{input}`: the signal of `{test}` on `{feature}` is {found}, expected 0 to 1; scale the signals")]
    SignalRange {
        /// The input.
        input: String,
        /// The test.
        test: String,
        /// The feature.
        feature: String,
        /// The signal as written.
        found: f64,
    },
    /// A declared weight or calibration value that makes no sense.
    #[error("read `{input}`: {what} is {found}, expected {expected}; correct it or leave it out")]
    BadValue {
        /// The input.
        input: String,
        /// What the value is.
        what: String,
        /// The value as written.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A SQLite file that is damaged.
    #[error("read `{input}`: damaged SQLite database: {reason}; record again, or restore the file")]
    BrokenDatabase {
        /// The input.
        input: String,
        /// What SQLite, or the check of a row, said.
        reason: String,
    },
    /// A SQLite file that coverage.py did not write.
    #[error("read `{input}`: a SQLite database, but not of coverage.py: {reason}; name the `.coverage` file")]
    ForeignDatabase {
        /// The input.
        input: String,
        /// What is missing or different.
        reason: String,
    },
    /// A coverage.py database of another schema.
    #[error(
        "read `{input}`: coverage.py schema {found}, this build reads {expected} (coverage 5 to 7); record again with such a version"
    )]
    DatabaseSchema {
        /// The input.
        input: String,
        /// The schema that was found.
        found: i64,
        /// The schema that is read.
        expected: i64,
    },
    /// A build without SQLite met a database.
    #[error(
        "read `{input}`: a coverage.py database, but this build was made without the feature `sqlite`; export it with `coverage json --show-contexts`"
    )]
    NoSqlite {
        /// The input.
        input: String,
    },
    /// A recording that does not say which test ran a line.
    #[error(
        "read `{input}`: {found}, expected one context for each test; record with `pytest --cov --cov-context=test`{also}"
    )]
    NoContexts {
        /// The input.
        input: String,
        /// What was found instead.
        found: String,
        /// What else it takes for this kind of input.
        also: &'static str,
    },
    /// A recording in which only the first test to run a line was noted.
    #[error(
        "read `{input}`: {tests} tests share files, but no line was recorded for more than {most} of them: only the first test to reach each line was noted, as the `sysmon` core of coverage.py does; record with `COVERAGE_CORE=ctrace`, or use `--force` if the tests really share no line"
    )]
    FirstHitOnly {
        /// The input.
        input: String,
        /// How many tests share files.
        tests: usize,
        /// The greatest number of tests that share one line.
        most: usize,
    },
    /// A recording of files that are all somewhere else.
    #[error(
        "read `{input}`: none of its {files} files lies under `{root}` (one is `{example}`); name the tree with `--root`, or record with `relative_files = true`"
    )]
    NothingUnderRoot {
        /// The input.
        input: String,
        /// How many files it names.
        files: usize,
        /// The tree.
        root: String,
        /// One of the files.
        example: String,
    },
    /// An LCOV file without test names.
    #[error(
        "read `{input}`: LCOV without a test name in any `TN:` record; run `geninfo --test-name NAME` (or `lcov -t NAME`) for each test, or name a directory that holds one file per test"
    )]
    UnnamedTests {
        /// The input.
        input: String,
    },
    /// A directory without anything to read.
    #[error(
        "read `{input}`: no coverage.dat, *.info, *.lcov or test.xml in it; name the directory that a run of the tests filled, such as `bazel-testlogs`"
    )]
    EmptyDirectory {
        /// The input.
        input: String,
    },
    /// More nesting or entries than anything real has.
    #[error("read `{input}`: {what} beyond {limit}; split the input")]
    TooMuch {
        /// The input.
        input: String,
        /// What there is too much of.
        what: &'static str,
        /// How much is taken.
        limit: usize,
    },
}
