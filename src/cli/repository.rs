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

    /// The commit that HEAD names, in hexadecimal.
    pub(super) fn head(&self) -> Option<String> {
        self.resolve("HEAD")
    }

    /// The commit that a revision names: a full hash, HEAD, or a branch, tag or remote branch. What needs more than
    /// looking a name up (`HEAD~1`) is not known here.
    pub(super) fn resolve(&self, revision: &str) -> Option<String> {
        if is_hash(revision) {
            return Some(revision.to_owned());
        }
        let names = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        names.iter().find_map(|prefix| self.reference(&format!("{prefix}{revision}"), 0))
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
        let line = packed.lines().find(|line| line.split_once(' ').is_some_and(|(_, known)| known == name))?;
        line.split_once(' ').map(|(hash, _)| hash.to_owned()).filter(|hash| is_hash(hash))
    }

    /// Whether some ignore rule plainly names the model file. Only literal rules are looked at: this is for a hint.
    pub(super) fn ignores(&self, file_name: &str) -> bool {
        let rules = [self.root.join(".gitignore"), self.common_dir.join("info/exclude")];
        let names = |line: &str| {
            let rule = line.trim().trim_start_matches('/');
            rule == file_name || rule == format!("*{file_name}") || rule == ".*"
        };
        rules.iter().filter_map(|path| fs::read_to_string(path).ok()).any(|text| text.lines().any(names))
    }
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
