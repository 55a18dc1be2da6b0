//! The languages that are read, and whose rules hold for a file.

use rkyv::{Archive, Deserialize, Serialize};

use super::outline::Rules;
use super::{c, go, java, python, rust, script};

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
