//! When a selection must not be trusted, and what the answer is then.

use crate::change::Change;
use crate::diff::Diff;
use crate::optimize::Instance;

/// The share of the suite above which running all of it is wiser than running what is impacted.
pub const THRESHOLD: f64 = 0.4;

/// File names whose change may affect any test: what configures the runner, and what pins the environment.
pub const FULL_RUN_FILES: [&str; 17] = [
    "conftest.py",
    "pyproject.toml",
    "pytest.ini",
    "setup.cfg",
    "tox.ini",
    "covopt.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "Cargo.lock",
    "Gemfile.lock",
    "composer.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "go.sum",
];

/// Whether a change of the file at `path` may affect any test. `strict_tests` adds everything in a `tests` folder.
pub fn needs_full_run(path: &str, strict_tests: bool) -> bool {
    let mut components = path.rsplit('/');
    let name = components.next().unwrap_or(path);
    FULL_RUN_FILES.contains(&name) || strict_tests && components.any(|folder| folder == "tests")
}

/// Why the whole suite should run instead of the impacted tests.
#[derive(Clone, Debug, PartialEq)]
pub enum FullRun {
    /// The diff is empty and was expected not to be; this is what that may mean.
    EmptyDiff(String),
    /// There is no model; this is where one would be.
    NoModel(String),
    /// The model holds no test.
    EmptyModel,
    /// This file may affect any test.
    File(String),
    /// More of the suite is impacted than the threshold allows.
    AboveThreshold {
        /// The impacted share.
        share: f64,
        /// The most that is allowed.
        threshold: f64,
    },
    /// The change is not empty, and nothing is impacted as far as the model knows; this is why.
    NothingSelected(String),
    /// So many tests are impacted, and the tree no longer has any of them.
    AllGone(usize),
}

impl FullRun {
    /// The word that metrics use.
    pub fn reason(&self) -> &'static str {
        match self {
            FullRun::EmptyDiff(_) => "empty_diff",
            FullRun::NoModel(_) => "no_map",
            FullRun::EmptyModel => "empty_model",
            FullRun::File(_) => "full_run_file",
            FullRun::AboveThreshold { .. } => "above_threshold",
            FullRun::NothingSelected(_) | FullRun::AllGone(_) => "nothing_selected",
        }
    }

    /// What a person is told.
    pub fn explanation(&self) -> String {
        match self {
            FullRun::EmptyDiff(hint) => hint.clone(),
            FullRun::NoModel(path) => format!("there is no model at `{path}`; make one with `covopt build`"),
            FullRun::EmptyModel => "the model holds no test".to_owned(),
            FullRun::File(path) => format!("a change of `{path}` may affect any test"),
            FullRun::AboveThreshold { share, threshold } => {
                format!("{:.0} % of the suite is impacted, more than {:.0} %", share * 100.0, threshold * 100.0)
            }
            FullRun::NothingSelected(reason) => reason.clone(),
            FullRun::AllGone(1) => "the only test known to run what changed is gone from the tree".to_owned(),
            FullRun::AllGone(tests) => format!("all {tests} tests known to run what changed are gone from the tree"),
        }
    }
}

/// How a selection came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Tests were selected.
    Selected,
    /// The diff was empty.
    EmptyDiff,
    /// The diff changes nothing that a test could see.
    NothingRelevant,
    /// No test with a signal fits the budget.
    NothingFits,
    /// No evidence ranks any test for this change.
    UnknownChange,
}

impl Status {
    /// The status of a selection of so many tests, of these candidates for a change that was read from `diff`. What failed
    /// before is selected where nothing changed, and does not stand in for knowing a change.
    pub fn of(diff: &Diff<'_>, change: &Change, candidates: &Instance, selected: usize) -> Self {
        let is_known = candidates.has_useful();
        if !change.is_empty() && !is_known {
            Self::UnknownChange
        } else if selected > 0 {
            Self::Selected
        } else if diff.files.is_empty() {
            Self::EmptyDiff
        } else if is_known {
            Self::NothingFits
        } else {
            Self::NothingRelevant
        }
    }
}

#[cfg(test)]
mod tests {
    use super::needs_full_run;

    #[test]
    fn names_count_wherever_they_are() {
        assert!(needs_full_run("conftest.py", false));
        assert!(needs_full_run("services/a/tests/conftest.py", false));
        assert!(needs_full_run("web/package-lock.json", false));
        assert!(!needs_full_run("src/conftest.pyx", false));
        assert!(!needs_full_run("tests/test_a.py", false));
        assert!(needs_full_run("tests/test_a.py", true));
        assert!(needs_full_run("pkg/tests/data/x.json", true));
        assert!(!needs_full_run("src/tests.py", true));
    }
}
