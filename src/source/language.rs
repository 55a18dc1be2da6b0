//! The languages that are read, and whose rules hold for a file.

use memchr::memmem;
use rkyv::{Archive, Deserialize, Serialize};

use super::outline::Rules;
use super::{c, go, java, python, rust, script};
use crate::id::path_in_test_id;

/// A language with a grammar.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Language {
    /// C.
    C,
    /// C++, and headers of either.
    Cpp,
    /// Go.
    Go,
    /// Java.
    Java,
    /// JavaScript, with JSX.
    JavaScript,
    /// Python, stubs included.
    Python,
    /// Rust.
    Rust,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
}

/// Extensions by language.
const EXTENSIONS: [(Language, &[&str]); 9] = [
    (Language::C, &["c"]),
    (Language::Cpp, &["cc", "cpp", "cxx", "h", "hh", "hpp", "hxx"]),
    (Language::Go, &["go"]),
    (Language::Java, &["java"]),
    (Language::JavaScript, &["js", "jsx", "mjs", "cjs"]),
    (Language::Python, &["py", "pyi"]),
    (Language::Rust, &["rs"]),
    (Language::TypeScript, &["ts", "mts", "cts"]),
    (Language::Tsx, &["tsx"]),
];

impl Language {
    /// The language of a file, by its name.
    pub fn of_path(path: &str) -> Option<Self> {
        let extension = path.rsplit('/').next()?.rsplit_once('.')?.1;
        EXTENSIONS.into_iter().find(|(_, extensions)| extensions.contains(&extension)).map(|(language, _)| language)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Language::C => "C",
            Language::Cpp => "C++",
            Language::Go => "Go",
            Language::Java => "Java",
            Language::JavaScript => "JavaScript",
            Language::Python => "Python",
            Language::Rust => "Rust",
            Language::TypeScript | Language::Tsx => "TypeScript",
        }
    }

    /// Whether tests may stand in a file, by its path and what is written in it.
    pub fn may_hold_tests(self, path: &str, mut written: impl Iterator<Item = impl AsRef<[u8]>>) -> bool {
        let mentions =
            |text: &[u8]| ["test", "Test", "it("].iter().any(|word| memmem::find(text, word.as_bytes()).is_some());
        self.rules().is_test_file(path) || written.any(|text| mentions(text.as_ref()))
    }

    /// Other files that tell how the tests of a file are called, where they are there.
    pub fn companions(self, path: &str) -> Vec<String> {
        self.rules().companions(path)
    }

    /// Whether an id has the form that the language's runner gives to ids.
    pub fn has_form(self, id: &str) -> bool {
        let in_path = path_in_test_id(id).and_then(Language::of_path);
        match self {
            Language::Python | Language::JavaScript | Language::TypeScript | Language::Tsx => {
                in_path.is_some_and(|of| of == self || of.is_script() && self.is_script())
            }
            Language::Java => id.split_once('#').is_some_and(|(class, _)| !class.contains([' ', '/', ':'])),
            Language::Rust => {
                let is_path =
                    |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || "_-:/".contains(letter));
                id.split_once(' ').is_some_and(|(binary, name)| is_path(binary) && is_path(name))
            }
            Language::Go | Language::C | Language::Cpp => {
                in_path.is_none() && !id.contains([' ', '#']) && id.contains('.') && !id.contains(':')
            }
        }
    }

    fn is_script(self) -> bool {
        matches!(self, Language::JavaScript | Language::TypeScript | Language::Tsx)
    }

    pub(super) fn grammar(self) -> tree_sitter::Language {
        match self {
            Language::C => tree_sitter_c::LANGUAGE.into(),
            Language::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Language::Go => tree_sitter_go::LANGUAGE.into(),
            Language::Java => tree_sitter_java::LANGUAGE.into(),
            Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Language::Python => tree_sitter_python::LANGUAGE.into(),
            Language::Rust => tree_sitter_rust::LANGUAGE.into(),
            Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
        }
    }

    pub(super) fn rules(self) -> &'static dyn Rules {
        match self {
            Language::C | Language::Cpp => &c::C,
            Language::Go => &go::Go,
            Language::Java => &java::Java,
            Language::JavaScript | Language::TypeScript | Language::Tsx => &script::Script,
            Language::Python => &python::Python,
            Language::Rust => &rust::Rust,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_their_runner() {
        let ids = [
            (Language::Python, "tests/test_a.py::TestB::test_c[1]"),
            (Language::Rust, "covopt::tests merge::two"),
            (Language::Go, "example.com/m/sub.TestA"),
            (Language::Java, "a.b.C$D#m"),
            (Language::TypeScript, "src/a.test.ts::adds two"),
            (Language::Cpp, "Suite.Name"),
        ];
        for (language, id) in ids {
            assert!(language.has_form(id), "{id}");
            let others = ids.iter().filter(|(other, _)| *other != language && other.has_form(id));
            let alike = [Language::Go, Language::Cpp];
            others.for_each(|(other, _)| assert!(alike.contains(other) && alike.contains(&language), "{other:?} {id}"));
            assert!(
                !language.has_form("//pkg:target") && !language.has_form("package.module.Class test"),
                "{language:?}"
            );
        }
    }

    #[test]
    fn files_are_known_by_their_extensions() {
        let cases = [
            ("a/b.py", Some(Language::Python)),
            ("a.test.tsx", Some(Language::Tsx)),
            ("a.d.ts", Some(Language::TypeScript)),
            ("a.h", Some(Language::Cpp)),
            ("py", None),
            ("a.py/b", None),
            ("a.txt", None),
            ("", None),
        ];
        for (path, want) in cases {
            assert_eq!(Language::of_path(path), want, "{path}");
        }
        for (language, _) in EXTENSIONS {
            let mut parser = tree_sitter::Parser::new();
            parser.set_language(&language.grammar()).expect("the grammar is one that the parser reads");
        }
    }
}
