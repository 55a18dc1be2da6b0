//! Positions, not strings: what the stages pass to each other.

/// Position of a test in a model; tests are sorted by id, so the order of `TestId`s is the order of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestId(pub u32);

/// Position of a file in a model; files are sorted by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// Position of a declared feature in a model; features are sorted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureId(pub u32);

/// The path that a test id begins with: what stands before the first `::` where its last component has an extension, or a
/// whole id that is one (jest names files).
///
/// `tests/test_a.py::TestB::test_c[d]` holds `tests/test_a.py`, `src/a.spec.ts` is one; the Rust test
/// `parser::tests::empty`, the label `//pkg:target` and the Go test `example.com/pkg.TestName` hold none.
pub fn path_in_test_id(id: &str) -> Option<&str> {
    let (path, is_whole) = id.split_once("::").map_or((id, true), |(path, _)| (path, false));
    let (stem, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_file = !stem.is_empty() && (1..=5).contains(&extension.len()) && extension.bytes().all(lower);
    let is_path = !is_whole || path.contains('/') && !path.contains(char::is_whitespace);
    (is_file && is_path && !path.starts_with("//") && !path.starts_with('@')).then_some(path)
}

/// The file that a runner opens for a test; an id without a path is a file of its own.
pub fn file_of_id(id: &str) -> &str {
    path_in_test_id(id).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::path_in_test_id;

    #[test]
    fn only_paths_are_paths() {
        assert_eq!(path_in_test_id("tests/test_a.py::TestB::test_c[d::e.f]"), Some("tests/test_a.py"));
        assert_eq!(path_in_test_id("a b/t.py::x"), Some("a b/t.py"));
        assert_eq!(path_in_test_id("src/a.spec.ts"), Some("src/a.spec.ts"));
        let none = [
            "parser::tests::empty",
            "//pkg:target",
            "//pkg:a.py",
            "pkg.TestName",
            "example.com/pkg.TestName",
            "Class#method",
            ".py::x",
            "a/b.::x",
            "x",
            "a.py",
            "a test of a/b.py",
        ];
        for id in none {
            assert_eq!(path_in_test_id(id), None, "{id}");
        }
    }
}
