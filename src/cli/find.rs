//! Paths between the root, the directory one stands in, and what lies in a repository to build a model from.

use std::path::{Component, Path, PathBuf};

use crate::error::Error;
use crate::id::path_in_test_id;

/// File names that builds, coverage tools and runners leave, relative to the root.
const USUAL_FILES: [&str; 18] = [
    ".coverage",
    "coverage.json",
    ".cache/coverage.json",
    "coverage.jsonl",
    "lcov.info",
    "coverage.lcov",
    "coverage/lcov.info",
    "junit.xml",
    "report.xml",
    "test-results.xml",
    "reports/junit.xml",
    "test-results/junit.xml",
    ".test_durations",
    "durations.json",
    "tags.jsonl",
    "covopt.json",
    "covopt.jsonl",
    ".cache/junit.xml",
];

/// Folders that hold one report for each run or class, with the end of the reports' names.
const USUAL_FOLDERS: [(&str, &str); 5] = [
    ("target/surefire-reports", ".xml"),
    ("build/test-results/test", ".xml"),
    ("target/nextest/default", ".xml"),
    ("target/nextest/ci", ".xml"),
    (".covopt.d", ""),
];

/// The path that an id names. A runner that cannot import a file fails it as a whole: then its path is the id.
pub(super) fn path_in_failed_id(id: &str) -> Option<&str> {
    path_in_test_id(id).or_else(|| path_in_test_id(&format!("{id}::")).is_some().then_some(id))
}

/// The inputs that lie in the usual places below `root`, sorted.
pub(super) fn usual_inputs(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        USUAL_FILES.iter().map(|name| root.join(name)).filter(|path| path.is_file()).collect();
    // Parallel runs of coverage.py leave one database each.
    found.extend(files_in(root, |name| name.starts_with(".coverage.")));
    for (folder, end) in USUAL_FOLDERS {
        found.extend(files_in(&root.join(folder), |name| name.ends_with(end)));
    }
    let bazel = root.join("bazel-testlogs");
    if bazel.is_dir() {
        found.push(bazel);
    }
    found.sort();
    found
}

fn files_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted))
        .collect()
}

/// The way from the directory one stands in to the root.
pub(super) struct FromCwd {
    below_root: Vec<String>,
}

impl FromCwd {
    /// # Errors
    /// Where one stands outside the root.
    pub(super) fn to_root(root: &Path) -> Result<Self, Error> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let below_root = || {
            let here = std::fs::canonicalize(std::env::current_dir().ok()?).ok()?;
            let below = here.strip_prefix(std::fs::canonicalize(root).ok()?).ok()?;
            let name = |component: Component<'_>| component.as_os_str().to_str().map(str::to_owned);
            below.components().map(name).collect::<Option<_>>()
        };
        match below_root() {
            Some(below_root) => Ok(Self { below_root }),
            None => Err(Error::Usage(format!(
                "--ids cwd: this directory is not in `{}`, expected one of that tree; name the tree with --root",
                root.display()
            ))),
        }
    }

    /// A test id of the root as a runner that is started here takes it.
    pub(super) fn id(&self, id: &str) -> String {
        match path_in_failed_id(id) {
            Some(path) => format!("{}{}", self.to(path), &id[path.len()..]),
            None => id.to_owned(),
        }
    }

    /// The test id of the root that a runner that is started here calls `id`: the reverse of [`FromCwd::id`].
    pub(super) fn of_root(&self, id: &str) -> String {
        let Some(path) = path_in_failed_id(id) else { return id.to_owned() };
        let mut way: Vec<&str> = self.below_root.iter().map(String::as_str).collect();
        for component in path.split('/') {
            match component {
                ".." => _ = way.pop(),
                "." => {}
                name => way.push(name),
            }
        }
        format!("{}{}", way.join("/"), &id[path.len()..])
    }

    /// A path of the root as one would name it from here.
    pub(super) fn to(&self, path: &str) -> String {
        let components: Vec<&str> = path.split('/').collect();
        let shared = self.below_root.iter().zip(&components).take_while(|(a, b)| a == *b).count();
        let shared = shared.min(components.len() - 1);
        let mut way = vec![".."; self.below_root.len() - shared];
        way.extend(&components[shared..]);
        way.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_from_here_are_ids_of_the_root() {
        let here = FromCwd { below_root: vec!["a".to_owned(), "b".to_owned()] };
        for id in ["a/b/t.py::t[x/y]", "a/t.py::t", "c/d/t.py::t", "t.py::C::t", "Class.method"] {
            assert_eq!(here.of_root(&here.id(id)), id);
        }
        assert_eq!(here.of_root("../../../../t.py::t"), "t.py::t", "no path leads out of the root");
    }

    #[test]
    fn the_usual_places_are_written_down() {
        use clap::Subcommand as _;
        let mut command = super::super::Command::augment_subcommands(clap::Command::new("covopt"));
        let build = command.find_subcommand_mut("build").unwrap().render_help().to_string();
        let page = include_str!("../../docs/recording.md");
        for place in USUAL_FILES.into_iter().chain(USUAL_FOLDERS.map(|(folder, _)| folder)) {
            assert!(page.contains(&format!("`{place}`")), "{place}");
            let name = place.strip_prefix(".cache/").unwrap_or(place);
            assert!(build.contains(&format!("`{name}`")), "{place}");
        }
    }

    #[test]
    fn paths_are_told_from_where_one_stands() {
        let here = FromCwd { below_root: vec!["services".to_owned(), "a".to_owned()] };
        assert_eq!(here.to("services/a/tests/t.py"), "tests/t.py");
        assert_eq!(here.to("services/b/t.py"), "../b/t.py");
        assert_eq!(here.to("t.py"), "../../t.py");
        assert_eq!(here.to("services"), "../../services");
    }
}
