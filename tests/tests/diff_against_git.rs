//! The diff parser against git, over a history that the test makes: paths and counts against `git diff --numstat -z`,
//! and lines against the files themselves.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use covopt::diff::{Diff, DiffError, FileDiff, Foreign, Hint, LineKind, Status, decolor, parse};

/// A repository in a directory that goes away.
struct Repository {
    root: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { root: tempfile::tempdir().unwrap() };
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    /// Runs git without the configuration of whoever runs the test.
    fn try_git(&self, args: &[&str]) -> std::process::Output {
        let git = Command::new("git")
            .args(args)
            .current_dir(self.root.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path())
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C"), ("TZ", "UTC")])
            .envs([("GIT_AUTHOR_NAME", "n"), ("GIT_AUTHOR_EMAIL", "n@example.org")])
            .envs([("GIT_COMMITTER_NAME", "n"), ("GIT_COMMITTER_EMAIL", "n@example.org")])
            .envs([("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")])
            .output();
        git.expect("git runs")
    }

    fn git(&self, args: &[&str]) -> Vec<u8> {
        let output = self.try_git(args);
        assert!(output.status.success(), "git {args:?}: {}", output.stderr.escape_ascii());
        output.stdout
    }

    fn path(&self, name: &[u8]) -> std::path::PathBuf {
        self.root.path().join(Path::new(OsStr::from_bytes(name)))
    }

    fn write(&self, name: &[u8], content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    fn head(&self) -> String {
        String::from_utf8(self.git(&["rev-parse", "HEAD"])).unwrap().trim().to_owned()
    }
}

const NAMES: [&[u8]; 12] = [
    b"src/plain.py",
    b"src/with space.py",
    b"src/trailing ",
    b"src/tab\there",
    b"src/new\nline",
    b"src/quote\"d",
    b"src/back\\slash",
    b"src/n\xc3\xafce",
    b"src/not\xffutf8",
    b"a/b/a/b b/a",
    b"b/x and b/x",
    b"--- a",
];

fn numbered(lines: std::ops::Range<u32>) -> String {
    lines.map(|line| format!("-- line {line}\n\n")).collect()
}

/// Two commits that differ in every way that a file can.
fn two_commits() -> (Repository, String, String) {
    let repository = Repository::new();
    for name in NAMES {
        repository.write(name, numbered(0..40));
    }
    repository.write(b"src/moved.py", numbered(100..140));
    repository.write(b"src/moved exactly", numbered(200..240));
    repository.write(b"src/source of copy.py", numbered(300..340));
    repository.write(b"src/crlf.txt", numbered(0..20).replace('\n', "\r\n"));
    repository.write(b"src/no newline", "a\nb");
    repository.write(b"src/binary", b"\0\x01");
    repository.write(b"src/binary moved", [&b"\0"[..], &[7; 500]].concat());
    repository.write(b"src/gone binary", b"\0\x02");
    repository.write(b"src/gone empty", b"");
    repository.write(b"src/gone\t", "x\n");
    repository.write(b"src/mode only", "x\n");
    repository.write(b"src/becomes link", "x\ny\n");
    repository.write(b"src/escape", "\x1b[31mred\x1b[m\n");
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        "160000,b40573726552b93c3026f0097fb603089c302554,sub mod",
    ]);
    fs::create_dir(repository.path(b"sub mod")).unwrap();
    let first = repository.commit("first");
    for name in NAMES {
        let text = numbered(0..40)
            .replace("line 7\n", "LINE 7\n")
            .replace("line 8\n", "")
            .replace("line 30\n", "line 30\n++ more\n");
        repository.write(name, text);
    }
    let rename = |old: &[u8], new: &[u8]| fs::rename(repository.path(old), repository.path(new)).unwrap();
    rename(b"src/moved.py", b"src/moved to\t.py");
    repository.write(b"src/moved to\t.py", numbered(100..139));
    rename(b"src/moved exactly", b"moved out");
    rename(b"src/binary moved", b"src/binary moved there");
    repository.write(b"src/binary moved there", [&b"\0"[..], &[7; 501]].concat());
    repository.write(b"src/copy", numbered(300..341));
    repository.write(b"src/source of copy.py", numbered(299..340));
    repository.write(b"src/crlf.txt", numbered(1..20).replace('\n', "\r\n"));
    repository.write(b"src/no newline", "a\nc");
    repository.write(b"src/binary", b"\0\x03");
    repository.write(b"src/new binary", b"\0\x09\x09\x09\x09\x09\x09");
    repository.write(b"src/new empty", b"");
    repository.write(b"src/new\xfe", "like no other\n");
    repository.write(b"src/escape", "\x1b[32mgreen\x1b[m\n");
    for gone in [&b"src/gone binary"[..], b"src/gone empty", b"src/gone\t", b"src/becomes link"] {
        fs::remove_file(repository.path(gone)).unwrap();
    }
    symlink("plain.py", repository.path(b"src/becomes link")).unwrap();
    fs::set_permissions(repository.path(b"src/mode only"), fs::Permissions::from_mode(0o755)).unwrap();
    repository.git(&["update-index", "--cacheinfo", "160000,7c7b00f55756d5dc13538c35360bc6bcbe59866e,sub mod"]);
    let second = repository.commit("second");
    (repository, first, second)
}

/// Counts by path before and path after; `None` for binary files.
type Counts = BTreeMap<(Vec<u8>, Vec<u8>), Option<(u32, u32)>>;

/// Reads `--numstat -z`: `ADDED TAB REMOVED TAB PATH NUL`, or an empty path and two more fields for a rename.
fn numstat(output: &[u8]) -> Counts {
    let mut fields = output.split(|b| *b == 0);
    let mut counts = Counts::new();
    while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
        let mut parts = field.splitn(3, |b| *b == b'\t');
        let mut count = || std::str::from_utf8(parts.next().unwrap()).unwrap().parse().ok();
        let lines = count().zip(count());
        let path = parts.next().unwrap().to_vec();
        let paths = if path.is_empty() {
            (fields.next().unwrap().to_vec(), fields.next().unwrap().to_vec())
        } else {
            (path.clone(), path)
        };
        counts.insert(paths, lines);
    }
    counts
}

fn counts_of(diff: &Diff<'_>) -> Counts {
    let counts = |file: &FileDiff<'_>| {
        let old = file.old_path.as_deref().unwrap_or(file.path()).to_vec();
        ((old, file.path().to_vec()), (!file.binary).then_some((file.added, file.removed)))
    };
    diff.files.iter().map(counts).collect()
}

fn find<'d, 'a>(diff: &'d Diff<'a>, path: &[u8]) -> &'d FileDiff<'a> {
    diff.files.iter().find(|file| file.path() == path).expect("the file is in the diff")
}

#[test]
fn paths_and_counts_equal_numstat_under_every_setting() {
    let (repository, first, second) = two_commits();
    let settings: [(&[&str], &[&str]); 19] = [
        (&[], &[]),
        (&[], &["--no-prefix"]),
        (&["-c", "diff.mnemonicPrefix=true"], &[]),
        (&["-c", "diff.noprefix=true"], &["-U0"]),
        (&[], &["-U0"]),
        (&[], &["-U20", "--inter-hunk-context=5"]),
        (&[], &["--function-context"]),
        (&[], &["--relative=src"]),
        (&["-c", "color.ui=always"], &[]),
        (&["-c", "color.ui=always", "-c", "color.diff.meta=normal"], &["--color-moved", "--ws-error-highlight=all"]),
        (&["-c", "diff.suppressBlankEmpty=true"], &[]),
        (&[], &["--src-prefix=old/tree/", "--dst-prefix=new/"]),
        (&[], &["--src-prefix=", "--dst-prefix=x y/"]),
        (&["-c", "core.quotePath=false"], &[]),
        (&[], &["-M", "-C", "-C"]),
        (&[], &["--no-renames", "--full-index", "--binary"]),
        (&[], &["-R"]),
        (&[], &["--stat", "--raw", "--summary", "-p"]),
        (&["-c", "diff.algorithm=histogram"], &["--ignore-submodules=none", "-w"]),
    ];
    for (config, options) in settings {
        let run = |extra: &[&str]| {
            let revisions = [first.as_str(), second.as_str()];
            repository.git(&[config, &["diff", "--no-ext-diff"], options, extra, &revisions].concat())
        };
        let text = run(&[]);
        let plain = decolor(&text);
        let diff = parse(&plain).unwrap_or_else(|error| panic!("{config:?} {options:?}: {error}"));
        let without_patch: Vec<&str> = options
            .iter()
            .copied()
            .filter(|o| !matches!(*o, "-p" | "--stat" | "--raw" | "--summary" | "--binary"))
            .collect();
        let expected = repository.git(
            &[config, &["diff", "--no-ext-diff", "--numstat", "-z"], &without_patch[..], &[&first, &second]].concat(),
        );
        let expected = numstat(&expected);
        assert!(expected.len() > 15);
        assert_eq!(counts_of(&diff), expected, "{config:?} {options:?}");
        // Every setting is undone by the canonical form.
        let mut printed = Vec::new();
        diff.write(&mut printed);
        assert_eq!(parse(&printed).as_ref(), Ok(&diff), "{config:?} {options:?}");
    }
}

#[test]
fn statuses_are_those_of_the_changes() {
    let (repository, first, second) = two_commits();
    let text = repository.git(&["diff", "-M", "-C", "-C", &first, &second]);
    let diff = parse(&text).unwrap();
    let expected: [(&[u8], Status); 12] = [
        (b"src/plain.py", Status::Modified),
        (b"src/moved to\t.py", Status::Renamed),
        (b"moved out", Status::Renamed),
        (b"src/binary moved there", Status::Renamed),
        (b"src/copy", Status::Copied),
        (b"src/binary", Status::Binary),
        (b"src/new\xfe", Status::Added),
        (b"src/gone\t", Status::Deleted),
        (b"src/gone binary", Status::Deleted),
        (b"src/mode only", Status::Mode),
        (b"src/becomes link", Status::Type),
        (b"sub mod", Status::Submodule),
    ];
    for (path, status) in expected {
        assert_eq!(find(&diff, path).status, status, "{}", path.escape_ascii());
    }
    let log = repository.git(&["diff", "--submodule=log", &first, &second]);
    assert_eq!(find(&parse(&log).unwrap(), b"sub mod").status, Status::Submodule);
}

/// One side of a file as the hunks of a diff with unlimited context show it: lines without their ends.
fn side(file: &FileDiff<'_>, absent: LineKind) -> Vec<Vec<u8>> {
    let lines = file.hunks.iter().flat_map(covopt::diff::Hunk::lines);
    lines.filter(|line| line.kind != absent).map(|line| line.text.to_vec()).collect()
}

/// A blob's lines without their ends.
fn blob(repository: &Repository, revision: &str, path: &[u8]) -> Vec<Vec<u8>> {
    let path = std::str::from_utf8(path).expect("only UTF-8 paths are compared");
    let content = repository.git(&["cat-file", "blob", &format!("{revision}:{path}")]);
    let content = content.strip_suffix(b"\n").unwrap_or(&content);
    content.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect()
}

#[test]
fn with_unlimited_context_the_lines_are_the_files() {
    let (repository, first, second) = two_commits();
    let text = repository.git(&["diff", "-U1000000", &first, &second]);
    let diff = parse(&text).unwrap();
    let mut compared = 0;
    for file in diff.files.iter().filter(|file| !matches!(file.status, Status::Submodule | Status::Type)) {
        let is_utf8 = |path: &Option<std::borrow::Cow<'_, [u8]>>| {
            path.as_deref().is_none_or(|path| std::str::from_utf8(path).is_ok())
        };
        if file.hunks.is_empty() || !is_utf8(&file.old_path) || !is_utf8(&file.new_path) {
            continue;
        }
        if let Some(old) = &file.old_path {
            assert_eq!(side(file, LineKind::Added), blob(&repository, &first, old));
        }
        if let Some(new) = &file.new_path {
            assert_eq!(side(file, LineKind::Removed), blob(&repository, &second, new));
        }
        compared += 1;
    }
    assert!(compared > 12);
}

/// A merge that conflicts with both of its parents, and one that does not.
fn merges() -> (Repository, String) {
    let repository = Repository::new();
    repository.write(b"f \xc3\xa9", numbered(0..30));
    repository.write(b"other", "x\n");
    repository.commit("base");
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.write(b"f \xc3\xa9", numbered(0..30).replace("line 3\n", "side 3\n").replace("line 20\n", "side 20\n"));
    repository.commit("side");
    repository.git(&["checkout", "-q", "main"]);
    repository.write(b"f \xc3\xa9", numbered(0..30).replace("line 3\n", "main 3\n").replace("line 25\n", ""));
    repository.commit("main");
    assert!(!repository.try_git(&["merge", "-q", "side"]).status.success(), "the merge conflicts");
    let unmerged = repository.git(&["diff"]);
    let diff = parse(&unmerged).unwrap();
    assert!(find(&diff, b"f \xc3\xa9").added > 0);
    let cached = repository.git(&["diff", "--cached"]);
    assert_eq!(find(&parse(&cached).unwrap(), b"f \xc3\xa9").hunks.len(), 0, "* Unmerged path");
    let resolved =
        numbered(0..30).replace("line 3\n", "both 3\n").replace("line 20\n", "side 20\n").replace("line 25\n", "");
    repository.write(b"f \xc3\xa9", resolved + "end\n");
    let merge = repository.commit("merge");
    (repository, merge)
}

#[test]
fn combined_diffs_are_relative_to_the_first_parent() {
    let (repository, merge) = merges();
    for option in ["--cc", "-c"] {
        for extra in [&[][..], &["--color=always"], &["--combined-all-paths"], &["--no-prefix"]] {
            let text = repository.git(&[&["show", option, "-U1000000"], extra, &[merge.as_str()]].concat());
            let plain = decolor(&text);
            let diff = parse(&plain).unwrap();
            assert_eq!(diff.files.len(), 1);
            let (file, name) = (&diff.files[0], "f é".as_bytes());
            assert_eq!((file.old_path.as_deref(), file.new_path.as_deref()), (Some(name), Some(name)), "{extra:?}");
            assert_eq!(side(file, LineKind::Added), blob(&repository, &format!("{merge}^1"), name));
            assert_eq!(side(file, LineKind::Removed), blob(&repository, &merge, name));
            let expected = numstat(&repository.git(&["diff", "--numstat", "-z", &format!("{merge}^1"), &merge]));
            assert_eq!(counts_of(&diff), expected);
        }
    }
}

#[test]
fn commits_in_series_and_commits_without_files() {
    let (repository, merge) = merges();
    let log = repository.git(&["log", "-p", "--stat", "--format=fuller", "-m", &merge]);
    let files = parse(&log).unwrap().files.len();
    let mails = repository.git(&["format-patch", "--stdout", "--root", "HEAD"]);
    assert_eq!((files, parse(&mails).unwrap().files.len()), (6, 4));
    repository.commit("empty");
    for options in [&["show"][..], &["show", "--format=fuller", "--color=always"], &["show", "--notes", "--format=raw"]]
    {
        let text = repository.git(options);
        let plain = decolor(&text);
        assert_eq!(parse(&plain).unwrap().hint, Some(Hint::CommitWithoutFiles), "{options:?}");
    }
    for options in [&["log", "-3"][..], &["log", "-3", "--oneline"], &["show", "--oneline"]] {
        let text = repository.git(options);
        let found = parse(&text);
        assert!(matches!(found, Err(DiffError::NoFile { foreign: Foreign::Log, .. })), "{options:?}: {found:?}");
    }
    repository.git(&["checkout", "-q", "-b", "clean", "HEAD~2"]);
    repository.write(b"third", "t\n");
    repository.commit("third");
    repository.git(&["merge", "-q", "--no-edit", "main"]);
    let text = repository.git(&["show"]);
    assert_eq!(parse(&text).unwrap().hint, Some(Hint::CommitWithoutFiles));
}

#[test]
fn summaries_and_word_diffs_are_refused() {
    let (repository, first, second) = two_commits();
    let options = [
        "--stat",
        "--shortstat",
        "--numstat",
        "--raw",
        "--name-only",
        "--name-status",
        "--dirstat",
        "--word-diff",
        "--word-diff=porcelain",
        "--color-words",
        "--output-indicator-new=>",
    ];
    for option in options {
        let text = repository.git(&["diff", option, &first, &second]);
        let plain = decolor(&text);
        assert!(parse(&plain).is_err(), "{option}");
    }
}
