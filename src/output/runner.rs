//! The arguments that make a runner run the chosen tests, one an entry: `xargs` may put any number of them on a command line.
//!
//! What an argument selects is exact wherever the runner can say so: names are escaped as the runner's own patterns want
//! it, and anchored. An id is never guessed at: what is not of the runner's form is refused before anything is printed.

use super::ids::escape;

/// A runner of tests that takes something else than ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// `cargo test -- --exact`.
    Cargo,
    /// `go test`.
    Go,
    /// Gradle's `test`.
    Gradle,
    /// A program of GoogleTest.
    Gtest,
    /// Jest.
    Jest,
    /// Maven's Surefire.
    Maven,
    /// Mocha.
    Mocha,
    /// `cargo nextest run`.
    Nextest,
    /// pytest.
    Pytest,
    /// `vitest run`.
    Vitest,
}

/// Ids that a runner cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// An id that is not of its form.
    #[error(
        "test id `{}` is none of {runner}'s, expected {expected}; use the format of the runner whose id it is, or \
         `--format json`",
        escape(.id)
    )]
    Form {
        /// The id.
        id: String,
        /// The runner.
        runner: &'static str,
        /// What its ids look like.
        expected: &'static str,
    },
    /// More tests than a command line holds, for a runner that must be given all at once.
    #[error(
        "{tests} tests make {bytes} bytes of arguments, and {runner} takes them in one command line of at most \
         {ONE_CALL_BYTES_MOST} bytes; ask for fewer with `-t` or `-n`, or use `--format json`"
    )]
    Long {
        /// The runner.
        runner: &'static str,
        /// How many tests.
        tests: usize,
        /// How long their arguments are.
        bytes: usize,
    },
}

/// What a runner that must be given all tests in one call is given at most. `xargs` begins another call at 128 KiB, and
/// Linux takes no longer argument.
const ONE_CALL_BYTES_MOST: usize = 120_000;

impl Runner {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cargo => "cargo test",
            Self::Go => "go test",
            Self::Gradle => "Gradle",
            Self::Gtest => "GoogleTest",
            Self::Jest => "Jest",
            Self::Maven => "Maven",
            Self::Mocha => "Mocha",
            Self::Nextest => "nextest",
            Self::Pytest => "pytest",
            Self::Vitest => "Vitest",
        }
    }

    /// What its ids look like.
    pub fn form(self) -> &'static str {
        match self {
            Self::Cargo | Self::Nextest => "`binary-id module::test`",
            Self::Go => "`import/path.TestName`",
            Self::Gradle | Self::Maven => "`package.Class#method`",
            Self::Gtest => "`Suite.Name`",
            Self::Jest | Self::Mocha | Self::Vitest => "`path/of.test.js::title title`",
            Self::Pytest => "`path/test_of.py::test_name`",
        }
    }

    /// Whether an id is of its form.
    pub fn takes(self, id: &str) -> bool {
        match self {
            Self::Cargo | Self::Nextest => rust(id).is_some(),
            Self::Go => go(id).is_some(),
            Self::Gradle | Self::Maven => java(id).is_some(),
            Self::Gtest => google(id),
            Self::Jest | Self::Mocha | Self::Vitest => script(id).is_some(),
            Self::Pytest => python(id),
        }
    }

    /// The arguments for these tests, in their order as far as the runner keeps one; none for no tests. None holds a line
    /// break or a NUL.
    ///
    /// # Errors
    /// If an id is not of its form, or they are more than one call takes.
    pub fn arguments(self, ids: &[&str]) -> Result<Vec<String>, RunnerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = match self {
            Self::Cargo => self.each(ids, |id| Some(rust(id)?.1.to_owned()))?,
            Self::Gradle => self.each(ids, |id| java(id).map(|(class, method)| format!("--tests={class}.{method}")))?,
            Self::Nextest => self.each(ids, |id| rust(id).map(expression))?,
            Self::Pytest => self.each(ids, |id| python(id).then(|| id.to_owned()))?,
            Self::Go => packages(&self.all(ids, go)?),
            Self::Gtest => {
                let names = self.all(ids, |id| google(id).then_some(id))?;
                vec![format!("--gtest_filter={}", names.join(":"))]
            }
            Self::Jest => {
                [vec!["--runTestsByPath".to_owned()], files("testNamePattern", " ", &self.all(ids, script)?)].concat()
            }
            Self::Maven => vec![format!("-Dtest={}", classes(&self.all(ids, java)?))],
            Self::Mocha => files("grep", " ", &self.all(ids, script)?),
            // Of nested titles it joins the parts by a space or, from version 5 on at the latest, by ` > `.
            Self::Vitest => files("testNamePattern", "(?: >)? ", &self.all(ids, script)?),
        };
        let bytes = arguments.iter().map(|argument| argument.len() + 1).sum();
        match self.needs_one_call() && bytes > ONE_CALL_BYTES_MOST {
            true => Err(RunnerError::Long { runner: self.name(), tests: ids.len(), bytes }),
            false => Ok(arguments),
        }
    }

    /// Whether its arguments mean something else on two command lines.
    fn needs_one_call(self) -> bool {
        !matches!(self, Self::Cargo | Self::Gradle | Self::Nextest | Self::Pytest)
    }

    /// The refusal of an id that it does not take.
    pub fn refusal(self, id: &str) -> RunnerError {
        RunnerError::Form { id: id.to_owned(), runner: self.name(), expected: self.form() }
    }

    fn all<'a, T>(self, ids: &[&'a str], read: impl Fn(&'a str) -> Option<T>) -> Result<Vec<T>, RunnerError> {
        ids.iter().map(|id| read(id).ok_or_else(|| self.refusal(id))).collect()
    }

    /// An argument a test, each once.
    fn each(self, ids: &[&str], argument: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, RunnerError> {
        let mut arguments = Vec::with_capacity(ids.len());
        let mut seen = std::collections::HashSet::new();
        for id in ids {
            let argument = argument(id).ok_or_else(|| self.refusal(id))?;
            if seen.insert(argument.clone()) {
                arguments.push(argument);
            }
        }
        Ok(arguments)
    }
}

fn is_word(text: &str, also: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || also.contains(letter))
}

/// Binary and test of `binary-id module::test`.
fn rust(id: &str) -> Option<(&str, &str)> {
    let (binary, test) = id.split_once(' ')?;
    let is_test = !test.is_empty() && !test.starts_with('-') && !test.contains(char::is_control);
    (is_word(binary, "-:/") && !binary.starts_with(['-', '/']) && is_test).then_some((binary, test))
}

/// The expression that is true of one test. Several `-E` are united.
fn expression((binary, test): (&str, &str)) -> String {
    let mut name = String::with_capacity(test.len());
    for letter in test.chars() {
        if matches!(letter, '\\' | '/' | ',' | ')') {
            name.push('\\');
        }
        name.push(letter);
    }
    format!("-Ebinary_id(={binary}) & test(={name})")
}

/// Package and name of `import/path.TestName`; of a subtest, those of the test that it is part of.
fn go(id: &str) -> Option<(&str, &str)> {
    let starts = [".Test", ".Fuzz", ".Example", ".Benchmark"].into_iter().filter_map(|start| id.find(start));
    let (package, rest) = id.split_at(starts.min()?);
    let name = rest[1..].split('/').next()?;
    (is_word(package, "-./~") && !package.starts_with('-') && is_word(name, "")).then_some((package, name))
}

/// The pattern of all names, and then the packages: a name that two packages have runs in both.
fn packages(tests: &[(&str, &str)]) -> Vec<String> {
    let names = once(tests.iter().map(|(_, name)| *name));
    let packages = once(tests.iter().map(|(package, _)| *package));
    let pattern = format!("-run=^({})$", names.join("|"));
    std::iter::once(pattern).chain(packages.into_iter().map(str::to_owned)).collect()
}

/// Class and method of `package.Class#method`, without the parameters of a report.
fn java(id: &str) -> Option<(&str, &str)> {
    let (class, method) = id.split_once('#')?;
    let method = method.split(['(', '[', '{']).next()?.trim_end();
    (is_word(class, ".$") && is_word(method, "$")).then_some((class, method))
}

/// `Class#a+b,Other#c`.
fn classes(tests: &[(&str, &str)]) -> String {
    let classes = once(tests.iter().map(|(class, _)| *class));
    let of = |class: &str| {
        let methods = once(tests.iter().filter(|(other, _)| *other == class).map(|(_, method)| *method));
        format!("{class}#{}", methods.join("+"))
    };
    classes.into_iter().map(of).collect::<Vec<_>>().join(",")
}

/// Whether an id is `Suite.Name`, or one with an instance and an index: `Instance/Suite.Name/0`.
fn google(id: &str) -> bool {
    id.split_once('.').is_some_and(|(suite, name)| is_word(suite, "/") && is_word(name, "/"))
}

/// Path and titles of `path::title title`; no titles where the file is meant.
fn script(id: &str) -> Option<(&str, &str)> {
    let (path, titles) = id.split_once("::").unwrap_or((id, ""));
    let extension = path.rsplit('/').next()?.rsplit_once('.')?.1;
    let is_script = matches!(extension, "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts");
    (is_script && !path.starts_with('-') && !path.contains(char::is_control)).then_some((path, titles))
}

/// The pattern of all titles, in which `space` is what may stand for a space, and then the files.
fn files(pattern: &str, space: &str, tests: &[(&str, &str)]) -> Vec<String> {
    let paths = once(tests.iter().map(|(path, _)| *path)).into_iter().map(str::to_owned);
    if tests.iter().any(|(_, titles)| titles.is_empty()) {
        return paths.collect();
    }
    let titles = once(tests.iter().map(|(_, titles)| *titles)).into_iter();
    let titles: Vec<String> = titles.map(|titles| expression_of(titles, space)).collect();
    std::iter::once(format!("--{pattern}=^({})$", titles.join("|"))).chain(paths).collect()
}

/// A regular expression of JavaScript for titles: what is put together when a test runs may be anything.
fn expression_of(titles: &str, space: &str) -> String {
    let mut pattern = String::with_capacity(titles.len());
    let mut rest = titles;
    // A function that defines tests may be called in groups, or in none.
    while rest.starts_with("${")
        && let Some(after) = rest.get(placeholder(rest)..).and_then(|after| after.strip_prefix(' '))
    {
        pattern.push_str(&format!("(.*{space})?"));
        rest = after;
    }
    while let Some(letter) = rest.chars().next() {
        let varying = placeholder(rest);
        match letter {
            _ if varying > 0 => pattern.push_str(".*"),
            ' ' => pattern.push_str(space),
            '\\' | '^' | '$' | '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '/' => {
                pattern.extend(['\\', letter]);
            }
            letter if letter.is_control() => pattern.push_str(r"\s"),
            letter => pattern.push(letter),
        }
        rest = &rest[varying.max(letter.len_utf8())..];
    }
    pattern
}

/// How many bytes at the start of a text stand for something else: `%i` and `$name` of `each`, `${...}` of a template.
fn placeholder(text: &str) -> usize {
    let of_name = |text: &str| {
        let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '#');
        text.find(|letter| !is_name(letter)).unwrap_or(text.len())
    };
    let bytes = text.as_bytes();
    match bytes {
        [b'%', b'p' | b's' | b'd' | b'i' | b'f' | b'j' | b'o' | b'O' | b'c' | b'#' | b'$' | b'%', ..] => 2,
        [b'$', b'{', ..] => {
            let mut deep = 0_usize;
            let closed = bytes.iter().position(|byte| {
                deep = deep + usize::from(*byte == b'{') - usize::from(*byte == b'}' && deep > 0);
                *byte == b'}' && deep == 0
            });
            closed.map_or(bytes.len(), |at| at + 1)
        }
        [b'$', first, ..] if first.is_ascii_alphabetic() || matches!(first, b'_' | b'#') => 1 + of_name(&text[1..]),
        _ => 0,
    }
}

/// Whether an id is a node id of pytest that can stand on a command line.
fn python(id: &str) -> bool {
    let path = id.split("::").next().unwrap_or(id);
    path.ends_with(".py") && !id.starts_with(['-', '@']) && !id.contains(['\n', '\r', '\0'])
}

/// Each text once, by where it is first.
fn once<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    texts.filter(|text| seen.insert(*text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Runner; 10] = [
        Runner::Cargo,
        Runner::Go,
        Runner::Gradle,
        Runner::Gtest,
        Runner::Jest,
        Runner::Maven,
        Runner::Mocha,
        Runner::Nextest,
        Runner::Pytest,
        Runner::Vitest,
    ];

    fn arguments(runner: Runner, ids: &[&str]) -> Vec<String> {
        runner.arguments(ids).unwrap()
    }

    #[test]
    fn rust_tests_are_expressions_or_names() {
        let ids = ["covopt::tests merge::two", "covopt diff::a", "covopt::bin/x diff::a", "a b, c)"];
        let want = [
            "-Ebinary_id(=covopt::tests) & test(=merge::two)",
            "-Ebinary_id(=covopt) & test(=diff::a)",
            "-Ebinary_id(=covopt::bin/x) & test(=diff::a)",
            r"-Ebinary_id(=a) & test(=b\, c\))",
        ];
        assert_eq!(arguments(Runner::Nextest, &ids), want);
        assert_eq!(arguments(Runner::Cargo, &ids[..3]), ["merge::two", "diff::a"]);
    }

    #[test]
    fn go_tests_are_a_pattern_and_packages() {
        let ids = ["example.com/m/sub.TestB", "example.com/m.TestA/case.x", "example.com/m/sub.TestA"];
        assert_eq!(arguments(Runner::Go, &ids), ["-run=^(TestB|TestA)$", "example.com/m/sub", "example.com/m"]);
    }

    #[test]
    fn script_tests_are_a_pattern_and_files() {
        let ids = ["src/a.test.ts::adds 1 + 1 (twice)", "b.spec.js::is $5\n off", "src/a.test.ts::works"];
        let pattern = r"^(adds 1 \+ 1 \(twice\)|is \$5\s off|works)$";
        let paths = ["src/a.test.ts", "b.spec.js"];
        assert_eq!(
            arguments(Runner::Jest, &ids),
            ["--runTestsByPath", &format!("--testNamePattern={pattern}"), paths[0], paths[1]]
        );
        assert_eq!(arguments(Runner::Mocha, &ids), [&format!("--grep={pattern}"), paths[0], paths[1]]);
        let spaced = format!("--testNamePattern={}", pattern.replace(' ', "(?: >)? "));
        assert_eq!(arguments(Runner::Vitest, &ids), [&spaced, paths[0], paths[1]]);
        // What a title is put together from may be anything, and nothing else.
        let ids = ["b.spec.js::${runs} ${inner} works"];
        assert_eq!(arguments(Runner::Mocha, &ids), [r"--grep=^((.* )?(.* )?works)$", "b.spec.js"]);
        let ids = ["b.spec.js::each %i of $a.b is ${f({})}!", "b.spec.js::100 % $", "b.spec.js::open ${x"];
        let pattern = r"--grep=^(each .* of .* is .*!|100 % \$|open .*)$";
        assert_eq!(arguments(Runner::Mocha, &ids), [pattern, "b.spec.js"]);
        // A whole file is among them: a pattern would leave out its tests.
        assert_eq!(arguments(Runner::Vitest, &["src/a.test.ts::works", "b.spec.js"]), paths);
    }

    #[test]
    fn java_tests_are_classes_with_methods() {
        let ids = ["a.b.X$In#one", "Y#two", "a.b.X$In#three(int)[1]", "a.b.X$In#one[2]"];
        assert_eq!(arguments(Runner::Maven, &ids), ["-Dtest=a.b.X$In#one+three,Y#two"]);
        let want = ["--tests=a.b.X$In.one", "--tests=Y.two", "--tests=a.b.X$In.three"];
        assert_eq!(arguments(Runner::Gradle, &ids), want);
    }

    #[test]
    fn google_tests_are_a_filter() {
        assert_eq!(arguments(Runner::Gtest, &["A.b", "I/C.d/0"]), ["--gtest_filter=A.b:I/C.d/0"]);
    }

    #[test]
    fn no_tests_are_no_arguments() {
        ALL.into_iter().for_each(|runner| assert!(arguments(runner, &[]).is_empty(), "{runner:?}"));
    }

    #[test]
    fn ids_of_other_forms_are_refused_by_name() {
        let ids = [
            ("tests/test_a.py::test_b[x y]", vec![Runner::Pytest]),
            ("covopt::tests merge::two", vec![Runner::Cargo, Runner::Nextest]),
            ("example.com/m/sub.TestA", vec![Runner::Go]),
            ("a.b.C$D#m", vec![Runner::Gradle, Runner::Maven]),
            ("src/a.test.ts::adds two", vec![Runner::Jest, Runner::Mocha, Runner::Vitest]),
            ("Suite.Name", vec![Runner::Gtest]),
            ("//pkg:target", vec![]),
            ("--help", vec![]),
            ("-a.py::b", vec![]),
            ("-x a", vec![]),
            ("-a.b/c.TestX", vec![]),
            ("a -x", vec![]),
            ("A.b*:-", vec![]),
            ("t.py::a\nb", vec![]),
            ("a b\nc", vec![]),
            ("a\n.js::x", vec![]),
            ("", vec![]),
        ];
        for (id, takers) in ids {
            for runner in ALL {
                assert_eq!(runner.takes(id), takers.contains(&runner), "{runner:?} {id:?}");
                let refused = runner.arguments(&[id]).err().map(|error| error.to_string());
                assert_eq!(refused.is_none(), takers.contains(&runner), "{runner:?} {id:?}");
                assert!(refused.is_none_or(|text| text.contains(&*escape(id))), "{runner:?} {id:?}");
            }
        }
    }

    #[test]
    fn what_one_call_cannot_hold_is_refused() {
        let ids: Vec<String> = (0..4000).map(|at| format!("example.com/some/package/{at}.TestSomething{at}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert!(matches!(Runner::Go.arguments(&ids), Err(RunnerError::Long { tests: 4000, .. })));
        assert!(Runner::Go.arguments(&ids[..100]).is_ok());
        let ids: Vec<String> = (0..4000).map(|at| format!("some-crate::tests module::test_{at}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(arguments(Runner::Nextest, &ids).len(), 4000, "each call is given some of them");
    }
}
