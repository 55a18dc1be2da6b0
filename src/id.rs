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

/// The path in a test id, where it has one: what stands before the first `::`, if its last component has an extension.
///
/// `tests/test_a.py::TestB::test_c[d]` holds `tests/test_a.py`; the Rust test `parser::tests::empty` and the label
/// `//pkg:target` hold none.
pub fn path_in_test_id(id: &str) -> Option<&str> {
    let (path, _) = id.split_once("::")?;
    let name = path.rsplit('/').next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    let plausible = !stem.is_empty() && (1..=5).contains(&extension.len());
    (plausible && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::path_in_test_id;

    #[test]
    fn only_paths_are_paths() {
        assert_eq!(path_in_test_id("tests/test_a.py::TestB::test_c[d::e.f]"), Some("tests/test_a.py"));
        assert_eq!(path_in_test_id("a b/t.py::x"), Some("a b/t.py"));
        for id in ["parser::tests::empty", "//pkg:target", "pkg.TestName", "Class#method", ".py::x", "a/b.::x", "x"] {
            assert_eq!(path_in_test_id(id), None, "{id}");
        }
    }
}
