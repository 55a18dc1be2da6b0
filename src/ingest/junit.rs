//! JUnit XML: what each test cost and how it ended, from pytest, Maven, Gradle, nextest, go-junit-report and the like.
//!
//! The format has no specification; what the writers do is followed. A case recurs in one suite when set-up or teardown
//! fails after the call: its costs add up and the worst outcome stays. pytest's suite is one session, with a time of its
//! own. Which test a case is follows when all inputs are read: see [`super::junit_id`]. Entities other than the predefined
//! ones are errors, so nothing expands.

use std::collections::HashMap;
use std::sync::Arc;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{Context, Ingest, IngestError, Kind, Summary, cost_us, line_at, timestamp, utf8};
use crate::observation::Outcome;

/// How deep elements may nest; reports have five levels.
const DEPTH: usize = 64;

/// Who wrote a report, as far as it matters for ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// pytest names itself.
    Pytest,
    /// cargo-nextest.
    Nextest,
    /// go-junit-report, gotestsum.
    Go,
    /// Anything else: the JVM's tools, or a pytest suite with a name of its own.
    #[default]
    Plain,
}

/// A test case that waits for its id.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) input: Arc<str>,
    pub(super) context: Arc<Context>,
    pub(super) dialect: Dialect,
    pub(super) file: Option<String>,
    pub(super) classname: String,
    pub(super) name: String,
    pub(super) time_us: u64,
    pub(super) outcome: Outcome,
    pub(super) cost_us: Option<u64>,
    /// The session that it ran in, a position among the report's, then among all.
    pub(super) session: Option<usize>,
}

/// One session as a report states it: pytest's suites are that. Its cases are counted when their ids are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatedSession {
    pub(super) time_us: u64,
    pub(super) wall_us: u64,
}

/// Reads a report; its cases wait for [`Ingest::finish`].
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let (cases, sessions) = parse(input, bytes, context)?;
    let (tests, before) = (cases.len(), into.sessions.len());
    into.cases.extend(cases.into_iter().map(|case| Case { session: case.session.map(|at| before + at), ..case }));
    into.sessions.extend(sessions);
    Ok(Summary { kind: Kind::Junit, tests, files: 0, pairs: 0 })
}

/// The cases of a report, and the sessions that they ran in.
pub(super) fn parse(
    input: &str,
    bytes: &[u8],
    context: &Context,
) -> Result<(Vec<Case>, Vec<StatedSession>), IngestError> {
    let text = utf8(input, bytes)?;
    let mut report = Report::new(input, context);
    let mut xml = Reader::from_str(text);
    let mut depth = 0;
    loop {
        let event = xml.read_event();
        let at =
            || line_at(bytes, usize::try_from(xml.error_position().max(xml.buffer_position())).unwrap_or(usize::MAX));
        match event.map_err(|error| failure(input, at(), &error))? {
            Event::Start(element) => {
                depth += 1;
                if depth > DEPTH {
                    return Err(IngestError::TooMuch {
                        input: input.to_owned(),
                        what: "nested elements",
                        limit: DEPTH,
                    });
                }
                report.open(&element, false, &at)?;
            }
            Event::Empty(element) => report.open(&element, true, &at)?,
            Event::End(element) => {
                depth -= 1;
                report.close(element.name().as_ref());
            }
            Event::Eof if depth > 0 => {
                return Err(IngestError::Truncated {
                    input: input.to_owned(),
                    line: line_at(bytes.trim_ascii_end(), bytes.len()),
                    expected: "the end of its elements".to_owned(),
                });
            }
            Event::Eof => return Ok((report.cases, report.sessions)),
            _ => {}
        }
    }
}

fn failure(input: &str, line: usize, error: &quick_xml::Error) -> IngestError {
    let (input, reason) = (input.to_owned(), error.to_string());
    match error {
        quick_xml::Error::Syntax(_) => {
            IngestError::Truncated { input, line, expected: format!("a whole element ({reason})") }
        }
        _ => IngestError::Malformed { input, line, reason },
    }
}

/// What a suite says of its cases.
#[derive(Clone, Debug, Default)]
struct Suite {
    dialect: Dialect,
    time_us: u64,
    session: Option<usize>,
}

struct Report<'a> {
    input: &'a str,
    shared_input: Arc<str>,
    context: Arc<Context>,
    suites: Vec<Suite>,
    cases: Vec<Case>,
    sessions: Vec<StatedSession>,
    /// The cases of the current suite, by file, class name and name.
    known: HashMap<(Option<String>, String, String), usize>,
    open_case: Option<usize>,
}

impl<'a> Report<'a> {
    fn new(input: &'a str, context: &Context) -> Self {
        Self {
            input,
            shared_input: Arc::from(input),
            context: Arc::new(context.clone()),
            suites: Vec::new(),
            cases: Vec::new(),
            sessions: Vec::new(),
            known: HashMap::new(),
            open_case: None,
        }
    }

    fn open(&mut self, element: &BytesStart<'_>, is_empty: bool, line: &dyn Fn() -> usize) -> Result<(), IngestError> {
        match element.name().as_ref() {
            "testsuites" | "testsuite" => {
                let suite = self.suite(element, line)?;
                self.known.clear();
                if !is_empty {
                    self.suites.push(suite);
                }
            }
            "testcase" => {
                let case = self.case(element, line)?;
                self.open_case = (!is_empty).then_some(case);
            }
            "property" => {
                if let (Some(suite), Some(name)) =
                    (self.suites.last_mut(), attribute(self.input, element, "name", line)?)
                    && name == "go.version"
                {
                    suite.dialect = Dialect::Go;
                }
            }
            "failure" | "error" => self.ended(Outcome::Failed),
            "skipped" => self.ended(Outcome::Skipped),
            "flakyFailure" | "flakyError" => self.ended(Outcome::Flaky),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        match name {
            "testsuites" | "testsuite" => drop(self.suites.pop()),
            "testcase" => self.open_case = None,
            _ => {}
        }
    }

    fn suite(&mut self, element: &BytesStart<'_>, line: &dyn Fn() -> usize) -> Result<Suite, IngestError> {
        let mut suite = self.suites.last().cloned().unwrap_or_default();
        let name = attribute(self.input, element, "name", line)?;
        match name.as_deref() {
            Some("pytest" | "pytest tests") => suite.dialect = Dialect::Pytest,
            Some("nextest-run") => suite.dialect = Dialect::Nextest,
            _ if attribute(self.input, element, "uuid", line)?.is_some() => suite.dialect = Dialect::Nextest,
            _ => {}
        }
        if let Some(time_us) =
            attribute(self.input, element, "timestamp", line)?.and_then(|text| timestamp::parse_us(&text))
        {
            suite.time_us = time_us;
        }
        if suite.dialect == Dialect::Pytest && element.name().as_ref() == "testsuite" {
            let stated = attribute(self.input, element, "time", line)?;
            suite.session = stated.and_then(|text| wall_us(&text)).map(|wall_us| {
                self.sessions.push(StatedSession { time_us: suite.time_us, wall_us });
                self.sessions.len() - 1
            });
        }
        Ok(suite)
    }

    /// Adds a case, or adds to the one of the same name; gives its position.
    fn case(&mut self, element: &BytesStart<'_>, line: &dyn Fn() -> usize) -> Result<usize, IngestError> {
        let get = |name| attribute(self.input, element, name, line);
        let Some(name) = get("name")? else {
            let reason = "expected a `name` on `testcase`, found none".to_owned();
            return Err(IngestError::Malformed { input: self.input.to_owned(), line: line(), reason });
        };
        let (file, classname) = (get("file")?, get("classname")?.unwrap_or_default());
        let cost_us = match get("time")?.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(self.cost(&name, text)?),
        };
        let suite = self.suites.last().cloned().unwrap_or_default();
        let time_us = get("timestamp")?.and_then(|text| timestamp::parse_us(&text)).unwrap_or(suite.time_us);
        let key = (file.clone(), classname.clone(), name.clone());
        if let Some(&known) = self.known.get(&key) {
            let case = &mut self.cases[known];
            case.cost_us = match (case.cost_us, cost_us) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                (a, b) => a.or(b),
            };
            return Ok(known);
        }
        self.known.insert(key, self.cases.len());
        self.cases.push(Case {
            input: Arc::clone(&self.shared_input),
            context: Arc::clone(&self.context),
            dialect: suite.dialect,
            file,
            classname,
            name,
            time_us,
            outcome: Outcome::Passed,
            cost_us,
            session: suite.session,
        });
        Ok(self.cases.len() - 1)
    }

    /// Seconds; some writers group thousands with commas.
    fn cost(&self, name: &str, text: &str) -> Result<u64, IngestError> {
        let seconds: f64 = text.replace(',', "").parse().map_err(|_| IngestError::BadValue {
            input: self.input.to_owned(),
            what: format!("the time of `{name}`"),
            found: text.to_owned(),
            expected: "seconds",
        })?;
        cost_us(self.input, name, seconds)
    }

    fn ended(&mut self, outcome: Outcome) {
        if let Some(case) = self.open_case {
            let case = &mut self.cases[case];
            // A case that passed its call and was only skipped in part is a skipped one; what failed once stays so.
            if case.outcome < Outcome::Flaky.max(outcome) {
                case.outcome = outcome;
            }
        }
    }
}

/// The wall clock of a session in microseconds. Nothing depends on it but the clock: what cannot be read is not stated.
fn wall_us(text: &str) -> Option<u64> {
    let seconds: f64 = text.trim().replace(',', "").parse().ok()?;
    cost_us("", "", seconds).ok()
}

/// The value of an attribute, its references resolved.
fn attribute(
    input: &str,
    element: &BytesStart<'_>,
    name: &str,
    line: &dyn Fn() -> usize,
) -> Result<Option<String>, IngestError> {
    let failed = |error: quick_xml::Error| failure(input, line(), &error);
    let found = element.try_get_attribute(name).map_err(|error| failed(error.into()))?;
    let value = found.map(|found| found.normalized_value(XmlVersion::Implicit1_0)).transpose().map_err(failed)?;
    Ok(value.map(|value| value.into_owned()))
}
