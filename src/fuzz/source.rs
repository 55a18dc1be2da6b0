//! Source text and manifests: any bytes are outlines or nothing.

use crate::observation::Observations;
use crate::source::{Cache, Edit, Manifest, Project, Reader};

/// A file of each language, and each manifest: the first byte tells which.
const PATHS: [&str; 16] = [
    "tests/test_a.py",
    "tests/a.rs",
    "src/a.rs",
    "a_test.go",
    "src/a.test.ts",
    "src/a.spec.tsx",
    "test/a.js",
    "src/test/java/ATest.java",
    "a_test.cc",
    "a.c",
    "Cargo.toml",
    "go.mod",
    "pyproject.toml",
    "pytest.ini",
    "setup.cfg",
    "tox.ini",
];

/// Longer text says nothing new, and parsing it takes long.
const BYTES_MOST: usize = 1 << 12;

/// Reads the halves of a text as the two sides of a file; what is the same is cosmetic if it can be read at all.
fn compare(path: &str, text: &[u8]) {
    let (old, new) = text.split_at(text.len() / 2);
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let span = |byte: usize| {
        (u32::from(text.get(byte).copied().unwrap_or(0)), u32::from(text.get(byte + 1).copied().unwrap_or(0)))
    };
    let edits = [Edit { old: span(0), new: span(2) }, Edit { old: span(0), new: span(0) }];
    let mut reader = Reader::default();
    assert_eq!(reader.cosmetic(path, &old, &new, &edits).len(), edits.len());
    let [_, same] = reader.cosmetic(path, &old, &old, &edits)[..] else { return };
    let [whole, _] = reader.cosmetic(path, &old, &old, &[Edit { old: (1, u32::MAX), new: (1, u32::MAX) }; 2])[..]
    else {
        return;
    };
    assert_eq!(same, whole, "a text is the same as itself, wherever one looks");
}

/// Reads bytes as a file among others, and as a cache of outlines.
///
/// # Panics
/// When a definition is not where the text can have one, or ids differ between two readings.
pub fn source(data: &[u8]) {
    let Some((&which, text)) = data.split_first() else { return };
    let (path, text) = (PATHS[usize::from(which) % PATHS.len()], &text[..text.len().min(BYTES_MOST)]);
    let _ = Cache::decode(text);
    compare(path, text);
    let ids = || {
        let mut reader = Reader::default();
        let mut outlines = Vec::new();
        for (path, text) in [(path, text), ("tests/base.py", b"class Base:\n    def test_x(self): pass\n")] {
            if let Some(outline) = reader.read(path, text) {
                let lines = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
                assert!(outline.definitions.iter().all(|it| it.lines.first >= 1 && it.lines.first <= it.lines.last));
                assert!(outline.definitions.iter().all(|it| it.lines.last as usize <= lines));
                outlines.push((path.to_owned(), outline));
            }
        }
        let manifests = Manifest::read(path, text).map(|manifest| (path.to_owned(), manifest));
        let mut seen = Observations::default();
        Project::new(outlines, manifests.into_iter().collect()).observe(&mut seen);
        seen.test_names().clone()
    };
    assert_eq!(ids(), ids());
}
