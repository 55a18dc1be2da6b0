//! Which test a JUnit case is.
//!
//! pytest loses the `::` of its node ids: `tests/a/test_b.py::TestC::test_d[x]` becomes the class name
//! `tests.a.test_b.TestC` and the name `test_d[x]`. With the `file` attribute (xunit1) the id follows. Without it (xunit2)
//! the ids that other inputs spell out are put through the same mill and compared; then the longest known test file that
//! begins the class name decides; then the convention: components from the end that begin with a capital are classes.
//!
//! Other runners' cases are ids of other inputs where exactly one of the usual joinings is known, else `Class#method`
//! (what Maven takes), `package.TestName` for Go, `binary-id test::name` for nextest (as `cargo nextest list` prints them
//! one a line), and the bare name where there is no class name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::junit::{Case, Dialect, StatedSession};
use super::{Ingest, Note};
use crate::id::{file_of_id, path_in_test_id};
use crate::observation::{Run, Session};

/// What the other inputs know, and the exact cases of all reports.
struct Known {
    ids: BTreeSet<String>,
    /// Ids by class name and name as pytest would report them.
    reported: HashMap<(String, String), Vec<String>>,
    /// Test files by their dotted name.
    files: HashMap<String, String>,
}

/// How an id was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    Known,
    Convention,
}

/// Gives every case that waits its test.
pub(super) fn resolve(into: &mut Ingest) {
    let cases = std::mem::take(&mut into.cases);
    if cases.is_empty() {
        return;
    }
    let mut ids: BTreeSet<String> = into.seen.test_names().iter().cloned().collect();
    let others_known = !ids.is_empty();
    let exact: Vec<Option<String>> = cases.iter().map(|case| exact_id(case, &ids)).collect();
    ids.extend(exact.iter().flatten().cloned());
    let known = Known::new(ids);
    let mut guessed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut unmatched: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut sessions = vec![Members::default(); into.sessions.len()];
    for (case, exact) in cases.iter().zip(exact) {
        let found = exact.map(|id| (id, Ground::Known)).or_else(|| found_id(case, &known));
        let found = found.filter(|(id, _)| !id.trim().is_empty() && !id.contains('\0'));
        if let Some(members) = case.session.and_then(|session| sessions.get_mut(session)) {
            members.add(found.as_ref().map(|(id, _)| id.as_str()), case.cost_us);
        }
        let Some((id, ground)) = found else {
            unmatched.entry(case.input.to_string()).or_default().insert(format!("{} {}", case.classname, case.name));
            continue;
        };
        if ground == Ground::Convention && (others_known || is_pytest(case)) {
            guessed.entry(case.input.to_string()).or_default().insert(id.clone());
        }
        add(into, case, &id);
    }
    for (input, ids) in guessed {
        let (cases, example) = (ids.len(), ids.into_iter().next().unwrap_or_default());
        into.note(Note::GuessedIds { input, cases, example });
    }
    for (input, names) in unmatched {
        let (cases, example) = (names.len(), names.into_iter().next().unwrap_or_default());
        into.note(Note::UnmatchedCases { input, cases, example });
    }
    let stated = std::mem::take(&mut into.sessions);
    let sessions = stated.iter().zip(&sessions).filter_map(|(stated, members)| members.session(stated));
    sessions.for_each(|session| into.seen.session(session));
}

/// The tests of a session.
#[derive(Clone, Debug, Default)]
struct Members {
    tests: u32,
    files: BTreeSet<String>,
    cost_us: u64,
    is_partly_unknown: bool,
}

impl Members {
    fn add(&mut self, id: Option<&str>, cost_us: Option<u64>) {
        match (id, cost_us) {
            (Some(id), Some(cost_us)) => {
                let file = file_of_id(id);
                if !self.files.contains(file) {
                    self.files.insert(file.to_owned());
                }
                self.tests = self.tests.saturating_add(1);
                self.cost_us = self.cost_us.saturating_add(cost_us);
            }
            _ => self.is_partly_unknown = true,
        }
    }

    /// The session, where all of it is known and its tests ran one after the other: with workers they cost more than it
    /// took.
    fn session(&self, stated: &StatedSession) -> Option<Session> {
        let &StatedSession { time_us, wall_us } = stated;
        let files = u32::try_from(self.files.len()).ok()?;
        let session = Session { whole: false, time_us, tests: self.tests, files, cost_us: self.cost_us, wall_us };
        (session.is_sound() && !self.is_partly_unknown && wall_us >= self.cost_us).then_some(session)
    }
}

fn add(into: &mut Ingest, case: &Case, id: &str) {
    let test = into.seen.test(id);
    let (outcome, cost_us) = (case.outcome, case.cost_us);
    into.seen.run(test, Run { time_us: case.time_us, commit: String::new(), outcome, cost_us });
}

/// The node id of a pytest case that names its file, if the class name begins with that file: a test inherited from
/// another file's class names that file instead.
fn exact_id(case: &Case, others: &BTreeSet<String>) -> Option<String> {
    let file = case.file.as_deref()?.replace('\\', "/");
    let classes = after_component(&case.classname, &dotted(&file))?;
    let id = |name: &str| case.context.test_id(&joined(&file, classes, name)).into_owned();
    let plain = id(&case.name);
    if case.name.contains("#x") && !others.contains(&plain) {
        return Some(id(&unescaped(&case.name)));
    }
    Some(plain)
}

fn found_id(case: &Case, known: &Known) -> Option<(String, Ground)> {
    if is_pytest(case) { pytest_id(case, known) } else { other_id(case, known) }
}

fn is_pytest(case: &Case) -> bool {
    match case.dialect {
        Dialect::Pytest => true,
        Dialect::Nextest | Dialect::Go => false,
        Dialect::Plain => {
            case.file.as_deref().is_some_and(|file| file.ends_with(".py"))
                || case.name.starts_with("test")
                    && case.classname.split('.').any(|part| part.starts_with("test_") || part.ends_with("_test"))
        }
    }
}

fn pytest_id(case: &Case, known: &Known) -> Option<(String, Ground)> {
    // A module that could not be collected has no class name; it is not a test.
    if case.classname.is_empty() {
        return None;
    }
    let classname = match case.context.test_root() {
        Some(prefix) => format!("{}.{}", prefix.replace('/', "."), case.classname),
        None => case.classname.clone(),
    };
    let key = (classname, case.name.clone());
    let name = unescaped(&case.name);
    match known.reported.get(&key).map_or(&[][..], Vec::as_slice) {
        [one] => Some((one.clone(), Ground::Known)),
        [] => {
            let id = known.by_file(&key.0, &name).unwrap_or_else(|| by_convention(&key.0, &name));
            Some((id, Ground::Convention))
        }
        _ => None,
    }
}

fn other_id(case: &Case, known: &Known) -> Option<(String, Ground)> {
    let (class, name) = (&case.classname, &case.name);
    let method = name.strip_suffix("()").unwrap_or(name);
    let convention = match case.dialect {
        _ if class.is_empty() => name.clone(),
        Dialect::Nextest => format!("{class} {name}"),
        Dialect::Go => format!("{class}.{name}"),
        // Go packages have slashes; nothing else that reports a class does.
        _ if class.contains('/') && name.starts_with(|c: char| c.is_ascii_uppercase()) => format!("{class}.{name}"),
        _ => format!("{class}#{method}"),
    };
    let convention = case.context.test_id(&convention).into_owned();
    if known.ids.contains(&convention) {
        return Some((convention, Ground::Known));
    }
    let joinings: BTreeSet<String> = ["::", ".", "#", " ", "/", "$"]
        .iter()
        .flat_map(|between| [format!("{class}{between}{name}"), format!("{class}{between}{method}")])
        .chain([name.clone()])
        .map(|id| case.context.test_id(&id).into_owned())
        .filter(|id| known.ids.contains(id))
        .collect();
    match joinings.len() {
        0 => Some((convention, Ground::Convention)),
        1 => joinings.into_iter().next().map(|id| (id, Ground::Known)),
        _ => None,
    }
}

impl Known {
    fn new(ids: BTreeSet<String>) -> Self {
        let mut reported: HashMap<(String, String), Vec<String>> = HashMap::new();
        let mut files = HashMap::new();
        for id in &ids {
            if let Some(path) = path_in_test_id(id) {
                files.entry(dotted(path)).or_insert_with(|| path.to_owned());
                if let Some(key) = as_reported(id) {
                    reported.entry(key).or_default().push(id.clone());
                }
            }
        }
        Self { ids, reported, files }
    }

    /// The id in the known test file whose dotted name begins the class name; the longest wins.
    fn by_file(&self, classname: &str, name: &str) -> Option<String> {
        let ends = std::iter::once(classname.len()).chain(classname.rmatch_indices('.').map(|(at, _)| at));
        ends.take(DOTS).find_map(|end| {
            let path = self.files.get(&classname[..end])?;
            Some(joined(path, classname[end..].trim_start_matches('.'), name))
        })
    }
}

/// How many components of a class name are looked at.
const DOTS: usize = 64;

/// The class name and name that pytest reports for a node id.
fn as_reported(id: &str) -> Option<(String, String)> {
    let (address, params) = id.split_at(id.find('[').unwrap_or(id.len()));
    let mut names: Vec<&str> = address.split("::").collect();
    let last = format!("{}{params}", names.pop()?);
    let (path, classes) = names.split_first()?;
    let classname = std::iter::once(&*dotted(path)).chain(classes.iter().copied()).collect::<Vec<_>>().join(".");
    Some((classname, escaped(&last)))
}

/// A module's dotted name: `tests/a/test_b.py` is `tests.a.test_b`.
fn dotted(path: &str) -> String {
    path.strip_suffix(".py").unwrap_or(path).replace('/', ".")
}

/// What follows `head` in a dotted name; empty where nothing does.
fn after_component<'a>(dotted: &'a str, head: &str) -> Option<&'a str> {
    let rest = dotted.strip_prefix(head)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}

fn joined(file: &str, classes: &str, name: &str) -> String {
    if classes.is_empty() {
        format!("{file}::{name}")
    } else {
        format!("{file}::{}::{name}", classes.replace('.', "::"))
    }
}

/// Components from the end that begin with a capital are classes, what is before them is the file.
fn by_convention(classname: &str, name: &str) -> String {
    let parts: Vec<&str> = classname.split('.').collect();
    let is_class = |part: &&&str| part.starts_with(|c: char| c.is_uppercase());
    let classes = parts.iter().rev().take_while(is_class).count().min(parts.len() - 1);
    let (path, classes) = parts.split_at(parts.len() - classes);
    joined(&format!("{}.py", path.join("/")), &classes.join("."), name)
}

/// Whether pytest writes a character as `#x..`: what XML 1.0 does not allow and, by a slip in its pattern, everything
/// beyond the basic plane.
fn is_escaped(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{80}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
}

/// A name as pytest writes it into a report.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match u32::from(c) {
            code if is_escaped(c) && code <= 0xff => text.push_str(&format!("#x{code:02X}")),
            code if is_escaped(c) => text.push_str(&format!("#x{code:04X}")),
            _ => text.push(c),
        }
    }
    text
}

/// A name before pytest escaped it, as far as that can be told: the longest code wins.
fn unescaped(name: &str) -> Cow<'_, str> {
    if !name.contains("#x") {
        return Cow::Borrowed(name);
    }
    let (mut text, mut rest) = (String::with_capacity(name.len()), name);
    while let Some(at) = rest.find("#x") {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let decoded = [6, 5, 4, 2].iter().find_map(|&digits| {
            let code = rest.get(2..2 + digits)?;
            let is_code = code.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'));
            let c = char::from_u32(u32::from_str_radix(code, 16).ok().filter(|_| is_code)?)?;
            (is_escaped(c) && escaped(c.encode_utf8(&mut [0; 4])).len() == 2 + digits).then_some((c, 2 + digits))
        });
        let (c, length) = decoded.unwrap_or(('#', 1));
        text.push(c);
        rest = &rest[length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pytest_escapes_come_back() {
        for name in ["test_a[\u{1b}[0m]", "test[\u{0}\u{7f}]", "test[\u{1f600}]", "#", "#x", "#xZZ", "test[#x41]"] {
            assert_eq!(unescaped(&escaped(name)), name, "{name:?}");
        }
        assert_eq!(escaped("\u{1b}é"), "#x1Bé");
    }

    #[test]
    fn reports_lose_what_the_mill_loses() {
        let reported = |id| as_reported(id).unwrap();
        let pair = |class: &str, name: &str| (class.to_owned(), name.to_owned());
        assert_eq!(reported("tests/a/test_b.py::C::D::test[x::y/z.w]"), pair("tests.a.test_b.C.D", "test[x::y/z.w]"));
        assert_eq!(reported("README.md::README.md"), pair("README.md", "README.md"));
    }

    #[test]
    fn convention_takes_capitals_for_classes() {
        assert_eq!(
            by_convention("tests.unit.test_x.TestA.TestB", "test_c[1.2]"),
            "tests/unit/test_x.py::TestA::TestB::test_c[1.2]"
        );
        assert_eq!(by_convention("TestA", "test"), "TestA.py::test");
    }
}
