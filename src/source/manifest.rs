//! What the files beside the source say of it: how packages are called, and what their runners collect.

use std::collections::HashMap;

use serde::Deserialize;

/// A file that says something of the source around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// `Cargo.toml`.
    Cargo(Cargo),
    /// `go.mod`: the path of the module.
    Go(String),
    /// What pytest collects.
    Pytest(Pytest),
}

/// A package of Cargo, or a workspace without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cargo {
    /// Its name; empty where it is a workspace alone.
    pub package: String,
    /// The targets that it names.
    pub targets: Vec<Target>,
    /// Whether files in `tests/` are targets without being named.
    pub finds_tests: bool,
    /// The folders that belong to its workspace, if it is the root of one, as patterns.
    pub members: Option<Vec<String>>,
}

/// A target that a package names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name, with what nextest puts before it; empty for the library.
    pub name: String,
    /// Its file, relative to the package.
    pub path: String,
    /// Whether its tests run when nothing else is asked for, one by one.
    pub is_run: bool,
}

impl Target {
    /// What nextest calls it.
    pub(super) fn binary(&self, package: &str) -> String {
        if self.name.is_empty() { package.to_owned() } else { format!("{package}::{}", self.name) }
    }
}

/// What pytest collects: folders, patterns of file names, prefixes or patterns of classes and functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pytest {
    /// `testpaths`: where tests are looked for when none are named; anywhere if it is empty.
    pub paths: Vec<String>,
    /// `python_files`.
    pub files: Vec<String>,
    /// `python_classes`.
    pub classes: Vec<String>,
    /// `python_functions`.
    pub functions: Vec<String>,
}

impl Default for Pytest {
    fn default() -> Self {
        let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            paths: Vec::new(),
            files: own(&["test_*.py", "*_test.py"]),
            classes: own(&["Test"]),
            functions: own(&["test"]),
        }
    }
}

impl Pytest {
    /// Whether tests are collected from a file, by its path relative to where the settings stand.
    pub(super) fn takes_file(&self, path: &str) -> bool {
        let is_below = |folder: &String| {
            let folder = folder.trim_start_matches("./").trim_end_matches('/');
            folder == "."
                || folder.contains('*')
                || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.paths.is_empty() && !self.paths.iter().any(is_below) {
            return false;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let fits = |pattern: &String| is_match(pattern, if pattern.contains('/') { path } else { name });
        self.files.iter().any(fits)
    }
}

/// The name of each file that is a manifest; of those that pytest reads in one folder the first counts.
pub const NAMES: [&str; 6] = ["Cargo.toml", "go.mod", "pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"];

impl Manifest {
    /// Reads a file at a path; `None` where it says nothing that is needed here.
    pub fn read(path: &str, bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        match path.rsplit('/').next()? {
            "Cargo.toml" => cargo(text).map(Self::Cargo),
            "go.mod" => go(text).map(Self::Go),
            "pyproject.toml" => pyproject(text).map(Self::Pytest),
            "pytest.ini" => Some(Self::Pytest(ini(text, "pytest").unwrap_or_default())),
            "tox.ini" => ini(text, "pytest").map(Self::Pytest),
            "setup.cfg" => ini(text, "tool:pytest").map(Self::Pytest),
            _ => None,
        }
    }

    pub(super) fn pytest(&self) -> Option<&Pytest> {
        if let Self::Pytest(settings) = self { Some(settings) } else { None }
    }

    pub(super) fn cargo(&self) -> Option<&Cargo> {
        if let Self::Cargo(package) = self { Some(package) } else { None }
    }

    pub(super) fn go(&self) -> Option<&str> {
        if let Self::Go(module) = self { Some(module) } else { None }
    }
}

#[derive(Deserialize)]
struct CargoToml {
    package: Option<Package>,
    lib: Option<Stated>,
    #[serde(default)]
    test: Vec<Stated>,
    #[serde(default)]
    bin: Vec<Stated>,
    workspace: Option<Workspace>,
    #[serde(default)]
    dependencies: HashMap<String, Dependency>,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: HashMap<String, Dependency>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default = "yes")]
    autotests: bool,
}

#[derive(Deserialize)]
struct Stated {
    #[serde(default)]
    name: String,
    path: Option<String>,
    #[serde(default = "yes")]
    test: bool,
    #[serde(default = "yes")]
    harness: bool,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

#[derive(Deserialize)]
struct Workspace {
    #[serde(default)]
    members: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Dependency {
    At { path: String },
    Other(serde::de::IgnoredAny),
}

fn yes() -> bool {
    true
}

impl Stated {
    fn target(self, name: String, usual: &str) -> Target {
        let is_run = self.test && self.harness && self.required_features.is_empty();
        Target { name, path: self.path.unwrap_or_else(|| usual.to_owned()), is_run }
    }
}

fn cargo(text: &str) -> Option<Cargo> {
    let CargoToml { package, lib, test, bin, workspace, dependencies, dev_dependencies } = toml::from_str(text).ok()?;
    if package.is_none() && workspace.is_none() {
        return None;
    }
    // A package that another needs by its path is in its workspace without being named.
    let needed = dependencies.into_values().chain(dev_dependencies.into_values()).filter_map(|it| match it {
        Dependency::At { path } => Some(path),
        Dependency::Other(_) => None,
    });
    let plain = |path: String| path.trim_start_matches("./").trim_end_matches('/').to_owned();
    let members = workspace.map(|it| it.members.into_iter().chain(needed).map(plain).collect());
    let Package { name, autotests } = package.unwrap_or(Package { name: String::new(), autotests: true });
    let mut targets = Vec::new();
    targets.extend(lib.map(|it| it.target(String::new(), "src/lib.rs")));
    for it in bin {
        let usual = if it.name == name { "src/main.rs".to_owned() } else { format!("src/bin/{}.rs", it.name) };
        let target = format!("bin/{}", it.name);
        targets.push(it.target(target, &usual));
    }
    for it in test {
        let (target, usual) = (it.name.clone(), format!("tests/{}.rs", it.name));
        targets.push(it.target(target, &usual));
    }
    Some(Cargo { package: name, targets, finds_tests: autotests, members })
}

fn go(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("module "))?;
    let module = line.split("//").next()?.trim().trim_matches('"');
    (!module.is_empty()).then(|| module.to_owned())
}

#[derive(Deserialize)]
struct PyProject {
    tool: Option<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    pytest: Option<PytestTable>,
}

/// From pytest 9 on its options stand in the table itself; before in one that is called after the INI file.
#[derive(Deserialize)]
struct PytestTable {
    ini_options: Option<Options>,
    #[serde(flatten)]
    options: Options,
}

#[derive(Default, Deserialize)]
struct Options {
    testpaths: Option<Words>,
    python_files: Option<Words>,
    python_classes: Option<Words>,
    python_functions: Option<Words>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Many(Vec<String>),
    One(String),
}

impl Words {
    fn words(self) -> Vec<String> {
        match self {
            Self::Many(words) => words,
            Self::One(words) => words.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

impl Options {
    fn settings(self) -> Pytest {
        let default = Pytest::default();
        Pytest {
            paths: self.testpaths.map_or(default.paths, Words::words),
            files: self.python_files.map_or(default.files, Words::words),
            classes: self.python_classes.map_or(default.classes, Words::words),
            functions: self.python_functions.map_or(default.functions, Words::words),
        }
    }
}

fn pyproject(text: &str) -> Option<Pytest> {
    let parsed: PyProject = toml::from_str(text).ok()?;
    let PytestTable { ini_options, options } = parsed.tool?.pytest?;
    Some(ini_options.unwrap_or(options).settings())
}

/// The settings in a section of an INI file: a value goes on in lines that are indented.
fn ini(text: &str, section: &str) -> Option<Pytest> {
    let mut options = Options::default();
    let (mut is_found, mut is_within) = (false, false);
    let mut value: Option<&mut Option<Words>> = None;
    for line in text.lines() {
        let bare = line.split(" #").next().unwrap_or(line).trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_within = name == section;
            is_found |= is_within;
            value = None;
            continue;
        }
        if !is_within {
            continue;
        }
        let more = match bare.split_once('=').filter(|_| !line.starts_with([' ', '\t'])) {
            Some((key, rest)) => {
                value = match key.trim() {
                    "testpaths" => Some(&mut options.testpaths),
                    "python_files" => Some(&mut options.python_files),
                    "python_classes" => Some(&mut options.python_classes),
                    "python_functions" => Some(&mut options.python_functions),
                    _ => None,
                };
                rest
            }
            None => bare,
        };
        if let Some(words) = &mut value {
            let mut known = words.take().map_or(Vec::new(), Words::words);
            known.extend(more.split_whitespace().map(str::to_owned));
            **words = Some(Words::Many(known));
        }
    }
    is_found.then(|| options.settings())
}

/// Whether a name is as a pattern says: `*` stands for any letters, `?` for one.
pub(super) fn is_match(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_pattern) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                retry = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(&letter) if letter == '?' || letter == name[at] => {
                in_pattern += 1;
                at += 1;
            }
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (in_pattern, at) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|&letter| letter == '*')
}
