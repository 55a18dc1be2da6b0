//! A recorded git repository for the end-to-end tests: the shop package of `tests/python`, its suite run once by the real
//! pytest with coverage contexts. Each test works on a copy of its own.
//!
//! Recording takes several seconds, so what was recorded is kept under `target/` and used again as long as the package,
//! the Python environment and the way of recording are the same.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde::Deserialize;
use tempfile::TempDir;
use xxhash_rust::xxh3::Xxh3;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const COVOPT: &str = env!("CARGO_BIN_EXE_covopt");

/// Makes the repository and records it; `$shop` is the package, the working directory a new, empty one.
const RECORD: &str = r#"
set -e
cp -R "$shop" repository
cd repository
rm -rf .coverage junit.xml .pytest_cache .covopt
git init -q
git add .
git commit -q -m 'The shop'
pytest --cov --cov-context=test --cov-report= --junitxml=junit.xml -o junit_family=xunit1
python "$junit_ids" junit.xml > ../cases.json
"#;

/// What pytest's report says about one test.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) seconds: f64,
    pub(crate) failed: bool,
}

/// Node id to case.
pub(crate) type Cases = BTreeMap<String, Case>;

/// A copy of the recorded repository; gone when dropped.
pub(crate) struct Shop {
    /// Canonical; holds `repository` and whatever a test puts beside it.
    dir: PathBuf,
    _owner: TempDir,
}

/// How a shell script ended.
pub(crate) struct Ended {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shop {
    /// A copy with `.coverage` and `junit.xml`, but no model yet.
    pub(crate) fn recorded() -> Self {
        let owner = tempfile::tempdir().expect("make a temporary directory");
        let dir = owner.path().canonicalize().expect("resolve the temporary directory");
        let shop = Self { dir, _owner: owner };
        // `-p` keeps the times: coverage must not look older than the sources it names.
        let copied = shop.sh_in(&shop.dir, &format!("cp -Rp {} repository", quoted(&recording().join("repository"))));
        copied.expect_code(0);
        shop
    }

    /// A copy with a model built by `covopt build` from what it finds.
    pub(crate) fn with_model() -> Self {
        let shop = Self::recorded();
        shop.sh("covopt build").expect_code(0);
        assert!(shop.path().join(".covopt").is_file(), "`covopt build` ended with 0 but left no .covopt");
        shop
    }

    /// The root of the work tree.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("repository")
    }

    /// A path beside the repository, for what must not lie in it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Runs a script with `sh` at the root of the work tree.
    pub(crate) fn sh(&self, script: &str) -> Ended {
        self.sh_in(&self.path(), script)
    }

    /// Runs a script with `sh` in a directory.
    pub(crate) fn sh_in(&self, directory: &Path, script: &str) -> Ended {
        self.shell(directory, &["sh", "-c", script])
    }

    /// Runs a command line with nothing of the caller's environment but the tools: covopt, pytest, git and the shell.
    /// pytest writes its report beside the repository, see [`Shop::report`].
    pub(crate) fn shell(&self, directory: &Path, command: &[&str]) -> Ended {
        run(directory, &self.dir, command, &[("PYTEST_ADDOPTS", &self.pytest_options())])
    }

    /// Replaces a text that occurs exactly once in a file.
    pub(crate) fn edit(&self, file: &str, old: &str, new: &str) {
        edit(&self.path().join(file), old, new);
    }

    /// What the last pytest in this copy reported; none when none ran.
    pub(crate) fn report(&self) -> Option<Cases> {
        let report = self.report_path();
        if !report.exists() {
            return None;
        }
        let script = format!("python {} {}", quoted(&junit_ids()), quoted(&report));
        Some(parse_cases(&self.sh_in(&self.dir, &script).expect_code(0).stdout))
    }

    /// Forgets what pytest reported.
    pub(crate) fn forget_report(&self) {
        if self.report_path().exists() {
            fs::remove_file(self.report_path()).expect("remove the report");
        }
    }

    fn report_path(&self) -> PathBuf {
        self.dir.join("last-run.xml")
    }

    /// No cache, so that a failure in one run does not change what the next is offered.
    fn pytest_options(&self) -> String {
        format!(
            "-q --no-header --tb=line -p no:cacheprovider -o junit_family=xunit1 --junitxml={}",
            self.report_path().display()
        )
    }
}

impl Ended {
    /// Fails with everything that was printed unless the script ended with this code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The ids on stdout, one a line.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.stdout.lines().map(str::to_owned).collect()
    }

    /// The ids on stdout, each ended by NUL.
    #[track_caller]
    pub(crate) fn nul_terminated(&self) -> Vec<String> {
        let Some(body) = self.stdout.strip_suffix('\0') else {
            assert!(self.stdout.is_empty(), "the last id is not ended by NUL: {:?}", self.stdout);
            return Vec::new();
        };
        body.split('\0').map(str::to_owned).collect()
    }
}

/// Every test of the recorded suite.
pub(crate) fn recorded_cases() -> &'static Cases {
    static CASES: OnceLock<Cases> = OnceLock::new();
    CASES.get_or_init(|| {
        let cases = parse_cases(&fs::read_to_string(recording().join("cases.json")).expect("read the recorded cases"));
        assert!(cases.values().all(|case| !case.failed), "the recorded suite has failures");
        cases
    })
}

/// An id that plain `xargs` would change: it splits at white space and reads quotes and backslashes.
pub(crate) fn needs_nul(id: &str) -> bool {
    id.contains(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '\\'))
}

/// Replaces a text that occurs exactly once in a file.
#[track_caller]
pub(crate) fn edit(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).expect("read the file to edit");
    assert_eq!(text.matches(old).count(), 1, "{old:?} in {}", file.display());
    fs::write(file, text.replace(old, new)).expect("write the edited file");
}

/// A path as one word of a shell script.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_str().expect("temporary paths are UTF-8").replace('\'', r"'\''"))
}

fn parse_cases(json: &str) -> Cases {
    serde_json::from_str(json).expect("junit_ids.py prints a map of cases")
}

fn shop_source() -> PathBuf {
    Path::new(ROOT).join("tests/python/shop")
}

fn junit_ids() -> PathBuf {
    Path::new(ROOT).join("tests/python/junit_ids.py")
}

/// The bin directory of the Python environment, made on first use.
fn python_bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| {
        let made = Command::new("sh")
            .arg(Path::new(ROOT).join("tests/python/env.sh"))
            .stdin(Stdio::null())
            .output()
            .expect("start sh for tests/python/env.sh");
        assert!(
            made.status.success(),
            "the end-to-end tests run the real pytest and need Python 3.9 or newer with venv:\n{}",
            String::from_utf8_lossy(&made.stderr)
        );
        PathBuf::from(String::from_utf8(made.stdout).expect("env.sh prints a path").trim_end())
    })
}

/// The directory that holds the recorded `repository` and its `cases.json`.
fn recording() -> &'static Path {
    static RECORDING: OnceLock<PathBuf> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shop-{:016x}", recording_key()));
        if !kept.exists() {
            record(&kept);
        }
        kept
    })
}

/// Records aside and renames; where another process was faster, its recording is as good.
fn record(kept: &Path) {
    let parent = kept.parent().expect("the recording lies in a directory");
    let aside = tempfile::tempdir_in(parent).expect("make a directory to record in");
    let (shop, ids) = (shop_source(), junit_ids());
    let variables = [
        ("shop", shop.to_str().expect("the checkout's path is UTF-8")),
        ("junit_ids", ids.to_str().expect("the checkout's path is UTF-8")),
    ];
    run(aside.path(), aside.path(), &["sh", "-c", RECORD], &variables).expect_code(0);
    let renamed = fs::rename(aside.path(), kept);
    assert!(renamed.is_ok() || kept.exists(), "keep the recording: {renamed:?}");
}

/// Changes with everything that the recording depends on.
fn recording_key() -> u64 {
    let mut key = Xxh3::new();
    key.update(RECORD.as_bytes());
    key.update(python_bin().as_os_str().as_encoded_bytes());
    key.update(&fs::read(junit_ids()).expect("read junit_ids.py"));
    for file in files_below(&shop_source()) {
        key.update(file.as_os_str().as_encoded_bytes());
        key.update(&fs::read(&file).expect("read a file of the shop"));
    }
    key.digest()
}

/// The package's files in order, without what a run inside the checkout would leave behind.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let made_by_runs = ["__pycache__", ".pytest_cache", ".coverage", ".covopt", "junit.xml"];
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("list the shop").map(|entry| entry.expect("list the shop")) {
            let path = entry.path();
            if made_by_runs.iter().any(|name| entry.file_name() == OsStr::new(name)) {
                continue;
            }
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn run(directory: &Path, home: &Path, command: &[&str], variables: &[(&str, &str)]) -> Ended {
    let bin = Path::new(COVOPT).parent().expect("the binary lies in a directory");
    let mut path = vec![bin.to_owned(), python_bin().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").expect("PATH is set")));
    let output: Output = Command::new(command[0])
        .args(&command[1..])
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::join_paths(path).expect("no directory on the PATH holds a colon"))
        .env("HOME", home)
        .env("LC_ALL", "C")
        .env("PYTHONUTF8", "1")
        // Python takes a compiled file for current when a source changes within a second without changing size.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CEILING_DIRECTORIES", home)
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "tests")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "tests@localhost")))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("start `{}`: {error}", command[0]));
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}
