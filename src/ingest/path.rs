//! Paths and test ids as recordings write them, made those of the repository.
//!
//! A path leaves this module relative to the root, with forward slashes, without `.` and `..` components; a path that
//! leads out of the root does not leave it at all. Only text is looked at, never the file system. An id is the runner's
//! own name for a test and is kept as it is; `--test-root` goes in front of the path that it begins with.

use std::borrow::Cow;

use crate::id::path_in_test_id;

/// What the readers need to know of the world.
#[derive(Clone, Debug, Default)]
pub struct Context {
    roots: Vec<String>,
    test_root: Option<String>,
    force: bool,
}

impl Context {
    /// Inputs about the tree at `root`, an absolute path; absolute paths below it are made relative.
    pub fn new(root: &str) -> Self {
        Self { roots: vec![trimmed(root)], ..Self::default() }
    }

    /// Adds another name of the same tree: with and without symbolic links, or where a recording was made.
    #[must_use]
    pub fn also_root(mut self, root: &str) -> Self {
        let root = trimmed(root);
        if !self.roots.contains(&root) {
            self.roots.push(root);
        }
        self
    }

    /// Puts `prefix`, relative to the root, in front of relative paths and of the paths in test ids. A prefix that leads
    /// out of the root, or is the root, changes nothing.
    #[must_use]
    pub fn with_test_root(mut self, prefix: &str) -> Self {
        self.test_root = collapsed("", &slashed(prefix)).filter(|prefix| !prefix.is_empty());
        self
    }

    /// Takes recordings that look wrong: see [`super::IngestError::FirstHitOnly`].
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// The tree's root, as given first.
    pub fn root(&self) -> &str {
        self.roots.first().map_or("", String::as_str)
    }

    /// The prefix of relative paths and ids.
    pub fn test_root(&self) -> Option<&str> {
        self.test_root.as_deref()
    }

    /// Whether recordings that look wrong are taken.
    pub fn force(&self) -> bool {
        self.force
    }

    /// The repository's path for a path as recorded; `None` where it lies outside the root.
    pub fn repository_path<'a>(&self, recorded: &'a str) -> Option<Cow<'a, str>> {
        if self.test_root.is_none() && is_plain(recorded) {
            return Some(Cow::Borrowed(recorded));
        }
        let recorded = slashed(recorded);
        let recorded = recorded.strip_prefix("/proc/self/cwd/").unwrap_or(&recorded);
        if recorded.contains('\0') {
            return None;
        }
        let path = if is_absolute(recorded) {
            collapsed("", self.roots.iter().find_map(|root| below(root, recorded))?)
        } else {
            collapsed(self.test_root.as_deref().unwrap_or(""), recorded)
        };
        path.filter(|path| !path.is_empty()).map(Cow::Owned)
    }

    /// The test's id with `--test-root` in front of its path, if it begins with one.
    pub fn test_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match &self.test_root {
            Some(prefix) if path_in_test_id(id).is_some_and(|path| !is_absolute(path)) => {
                Cow::Owned(format!("{prefix}/{}", id.strip_prefix("./").unwrap_or(id)))
            }
            _ => Cow::Borrowed(id),
        }
    }
}

/// Backslashes become slashes where the path is one of Windows: it has a drive, or backslashes and no slash.
fn slashed(path: &str) -> Cow<'_, str> {
    if path.contains('\\') && (has_drive(path) || !path.contains('/')) {
        Cow::Owned(path.replace('\\', "/"))
    } else {
        Cow::Borrowed(path)
    }
}

/// Whether a path is as it should be, as most are: relative, with slashes, without empty and dotted components.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    for &byte in path.as_bytes() {
        // Any component that begins with a dot takes the long way.
        if matches!(byte, b'\\' | 0 | b':') || before == b'/' && matches!(byte, b'/' | b'.') {
            return false;
        }
        before = byte;
    }
    before != b'/'
}

fn trimmed(root: &str) -> String {
    slashed(root).trim_end_matches('/').to_owned()
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || has_drive(path)
}

/// What follows `root` in `path`, at a component boundary. Drives compare without case.
fn below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    let head = path.get(..root.len())?;
    let same = if has_drive(root) { head.eq_ignore_ascii_case(root) } else { head == root };
    let rest = path.get(root.len()..)?;
    (same && rest.starts_with('/')).then_some(rest)
}

/// `prefix/path` without empty, `.` and `..` components; `None` where `..` leads out.
fn collapsed(prefix: &str, path: &str) -> Option<String> {
    if is_absolute(path) && !path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative_paths_of_one_file_meet() {
        let context = Context::new("/home/me/repo/").also_root("/data/repo");
        for recorded in [
            "src/a.py",
            "./src/a.py",
            "src//b/../a.py",
            "/home/me/repo/src/a.py",
            "/data/repo/./src/a.py",
            "src\\a.py",
            "/proc/self/cwd/src/a.py",
        ] {
            assert_eq!(context.repository_path(recorded).as_deref(), Some("src/a.py"), "{recorded}");
        }
        for outside in [
            "/usr/lib/x.py",
            "../x.py",
            "src/../../x.py",
            "/home/me/repository/a.py",
            "/home/me/repo/../x.py",
            "/home/me/repo",
            ".",
            "",
            "a\0b",
            "C:\\x.py",
        ] {
            assert_eq!(context.repository_path(outside), None, "{outside}");
        }
    }

    #[test]
    fn windows_roots_compare_without_case() {
        let context = Context::new("C:\\Repo");
        assert_eq!(context.repository_path("c:\\repo\\src\\a.py").as_deref(), Some("src/a.py"));
        assert_eq!(context.repository_path("D:\\repo\\src\\a.py"), None);
    }

    #[test]
    fn the_test_root_goes_before_paths_alone() {
        let context = Context::new("/r").with_test_root("./svc/a/");
        assert_eq!(context.repository_path("tests/t.py").as_deref(), Some("svc/a/tests/t.py"));
        assert_eq!(context.repository_path("../b/t.py").as_deref(), Some("svc/b/t.py"));
        assert_eq!(context.repository_path("/r/tests/t.py").as_deref(), Some("tests/t.py"));
        assert_eq!(context.test_id("tests/t.py::C::test[a/b]"), "svc/a/tests/t.py::C::test[a/b]");
        assert_eq!(context.test_id("test_x.py::test_ok"), "svc/a/test_x.py::test_ok");
        assert_eq!(context.test_id("src/a.spec.ts"), "svc/a/src/a.spec.ts");
        for id in [
            "//pkg:t",
            "@@repo//pkg:t",
            "com.x.Foo#bar",
            "crate::bin mod::t",
            "example.com/pkg.TestName",
            "mod::tests::t",
        ] {
            assert_eq!(context.test_id(id), id);
        }
    }
}
