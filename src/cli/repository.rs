//! The work tree one stands in, read from git's own files: no git is started.

use std::fs;
use std::path::{Path, PathBuf};

/// A git work tree.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    /// The root of the work tree.
    pub(super) root: PathBuf,
    /// Its git directory: `.git`, or for a linked work tree or a submodule what the `.git` file names.
    git_dir: PathBuf,
    /// What linked work trees share; the git directory itself elsewhere.
    common_dir: PathBuf,
}

impl Repository {
    /// The work tree that holds `start`.
    pub(super) fn around(start: &Path) -> Option<Self> {
        let start = fs::canonicalize(start).ok()?;
        let root = start.ancestors().find(|folder| folder.join(".git").exists())?.to_owned();
        let dot_git = root.join(".git");
        let git_dir = match fs::read_to_string(&dot_git) {
            Ok(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
            Err(_) => dot_git,
        };
        let common_dir = match fs::read_to_string(git_dir.join("commondir")) {
            Ok(text) => git_dir.join(text.trim()),
            Err(_) => git_dir.clone(),
        };
        Some(Self { root, git_dir, common_dir })
    }

    /// For a linked work tree, the root of the main one.
    pub(super) fn main_root(&self) -> Option<PathBuf> {
        if self.common_dir == self.git_dir {
            return None;
        }
        let common = fs::canonicalize(&self.common_dir).ok()?;
        (common.file_name()? == ".git").then(|| common.parent().map(Path::to_owned)).flatten()
    }

    /// The file that lists what is checked out.
    #[cfg(feature = "source")]
    pub(super) fn index(&self) -> PathBuf {
        self.git_dir.join("index")
    }

    /// The commit that HEAD names, in hexadecimal.
    pub(super) fn head(&self) -> Option<String> {
        self.resolve("HEAD")
    }

    /// The commit that a revision names: a full hash, HEAD, or a branch, tag or remote branch. What needs more than
    /// looking a name up (`HEAD~1`) is not known here; nor is what a tag stands for that is kept in a file of its own,
    /// which may be a commit or an object that names one, unless HEAD is the same commit.
    pub(super) fn resolve(&self, revision: &str) -> Option<String> {
        if is_hash(revision) {
            return Some(revision.to_owned());
        }
        let names =
            ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"].map(|start| format!("{start}{revision}"));
        let (name, found) = names.iter().find_map(|name| Some((name, self.reference(name, 0)?)))?;
        let is_loose_tag = name.starts_with("refs/tags/") && self.common_dir.join(name).is_file();
        let is_commit = || self.reference("HEAD", 0).as_ref() == Some(&found);
        (!is_loose_tag || is_commit()).then_some(found)
    }

    fn reference(&self, name: &str, depth: u32) -> Option<String> {
        // A symbolic reference leads to another; a name never leaves the git directory.
        if depth > 5 || name.split('/').any(|component| component == "..") || name.starts_with('/') {
            return None;
        }
        let loose =
            [&self.git_dir, &self.common_dir].into_iter().find_map(|dir| fs::read_to_string(dir.join(name)).ok());
        match loose.as_deref().map(str::trim) {
            Some(text) if is_hash(text) => Some(text.to_owned()),
            Some(text) => self.reference(text.strip_prefix("ref:")?.trim(), depth + 1),
            None => self.packed(name),
        }
    }

    fn packed(&self, name: &str) -> Option<String> {
        let packed = fs::read_to_string(self.common_dir.join("packed-refs")).ok()?;
        let mut lines = packed.lines();
        let line = lines.find(|line| line.split_once(' ').is_some_and(|(_, known)| known == name))?;
        // The commit that an annotated tag stands for is on the next line.
        let peeled = lines.next().and_then(|line| line.strip_prefix('^'));
        peeled.or(line.split_once(' ').map(|(hash, _)| hash)).filter(|hash| is_hash(hash)).map(str::to_owned)
    }

    /// Whether some ignore rule plainly names the model file. Only literal rules are looked at: this is for a hint.
    pub(super) fn ignores(&self, file_name: &str) -> bool {
        let rules = [self.root.join(".gitignore"), self.common_dir.join("info/exclude")];
        let names = |line: &str| {
            let rule = line.trim().trim_start_matches('/');
            rule == file_name || rule == format!("*{file_name}") || rule == format!("{file_name}*") || rule == ".*"
        };
        rules.iter().filter_map(|path| fs::read_to_string(path).ok()).any(|text| text.lines().any(names))
    }
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2c8cd3ac958a7eb316d67f2d316c27086c4c0369";

    /// Path and content.
    type File<'a> = (&'a str, &'a str);

    /// A folder with these files, and the repository around the folder `start` in it.
    fn around(files: &[File<'_>], start: &str) -> (tempfile::TempDir, Option<Repository>) {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let repository = Repository::around(&dir.path().join(start));
        (dir, repository)
    }

    #[test]
    fn references_are_read_wherever_git_keeps_them() {
        let packed = format!("# pack-refs with: peeled\n{HASH} refs/heads/main\n^{HASH}\n");
        let cases: [(&[File<'_>], Option<&str>); 6] = [
            (&[(".git/HEAD", HASH)], Some(HASH)),
            (&[(".git/HEAD", "ref: refs/heads/a/b\n"), (".git/refs/heads/a/b", HASH)], Some(HASH)),
            (&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &packed)], Some(HASH)),
            // A repository that keeps its references in a table.
            (&[(".git/HEAD", "ref: refs/heads/.invalid\n"), (".git/reftable/tables.list", "")], None),
            (&[(".git/HEAD", "ref: HEAD\n")], None),
            (&[(".git/HEAD", "ref: ../outside\n"), ("outside", HASH)], None),
        ];
        for (files, want) in cases {
            let (_dir, repository) = around(files, ".");
            assert_eq!(repository.unwrap().head().as_deref(), want, "{files:?}");
        }
        let other = HASH.replace('2', "3");
        let packed = format!("{HASH} refs/heads/main\n{other} refs/tags/v3\n^{HASH}\n{other} refs/tags/v4\n");
        let files = [
            (".git/HEAD", HASH),
            (".git/refs/tags/v1", HASH),
            (".git/refs/tags/v2", other.as_str()),
            (".git/packed-refs", packed.as_str()),
        ];
        let (_dir, repository) = around(&files, ".git");
        let resolved = ["main", "v1", "v2", "v3", "v4", "v5", "HEAD~1"].map(|name| repository.as_ref()?.resolve(name));
        let (head, other) = (Some(HASH.to_owned()), Some(other));
        assert_eq!(resolved, [head.clone(), head.clone(), None, head, other, None, None]);
    }

    #[test]
    fn linked_work_trees_share_and_submodules_do_not() {
        let linked = [
            ("main/.git/HEAD", "ref: refs/heads/main"),
            ("main/.git/refs/heads/side", HASH),
            ("main/.git/worktrees/side/HEAD", "ref: refs/heads/side"),
            ("main/.git/worktrees/side/commondir", "../.."),
            ("side/.git", "gitdir: ../main/.git/worktrees/side\n"),
            ("side/src/a.py", ""),
        ];
        let (dir, repository) = around(&linked, "side/src");
        let (repository, top) = (repository.unwrap(), fs::canonicalize(dir.path()).unwrap());
        assert_eq!(repository.root, top.join("side"));
        assert_eq!(repository.main_root(), Some(top.join("main")));
        assert_eq!(repository.head().as_deref(), Some(HASH));
        let submodule = [
            (".git/HEAD", "ref: refs/heads/main"),
            (".git/modules/sub/HEAD", HASH),
            ("sub/.git", "gitdir: ../.git/modules/sub\n"),
        ];
        let (_dir, repository) = around(&submodule, "sub");
        let repository = repository.unwrap();
        assert_eq!((repository.main_root(), repository.head().as_deref()), (None, Some(HASH)));
        let (_dir, none) = around(&[(".git", "nothing of git's")], ".");
        assert!(none.is_none());
    }

    #[test]
    fn plain_rules_are_seen() {
        for (rule, want) in [
            (".covopt", true),
            (".covopt*", true),
            ("/.covopt", true),
            ("*.covopt", true),
            ("covopt", false),
            ("# .covopt", false),
        ] {
            let (_dir, repository) = around(&[(".git/HEAD", HASH), (".gitignore", rule)], ".");
            assert_eq!(repository.unwrap().ignores(".covopt"), want, "{rule}");
        }
    }
}
