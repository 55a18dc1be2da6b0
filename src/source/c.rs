//! C and C++: functions and classes, and the tests of GoogleTest, called as its filter takes them: `Suite.Name`.

use tree_sitter::Node;

use super::outline::{Defined, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct C;

/// Macros that define a test, with its suite and its name.
const TESTS: [&str; 2] = ["TEST", "TEST_F"];

impl Rules for C {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        match node.kind() {
            "function_definition" => {
                let Some((name, is_test)) = function(node, place) else { return Role::Leaf };
                let mut defined = Defined { inside: None, ..Defined::new(name, SymbolKind::Function, node) };
                defined.marks.is_test = is_test;
                defined.holds_tests = is_test;
                Role::Definition(defined)
            }
            "class_specifier" | "struct_specifier" | "union_specifier"
                if node.child_by_field_name("body").is_some() =>
            {
                Role::Definition(Defined::new(place.field(node, "name"), SymbolKind::Class, node))
            }
            "namespace_definition"
            | "linkage_specification"
            | "declaration_list"
            | "field_declaration_list"
            | "template_declaration"
            | "declaration" => Role::Open,
            // It may not be compiled, and what guards a header stands around no test.
            "preproc_ifdef" | "preproc_if" | "preproc_else" | "preproc_elif" => Role::Doubtful,
            _ => Role::Leaf,
        }
    }

    fn is_test_file(&self, path: &str) -> bool {
        let mut parts = path.rsplit('/');
        let stem = parts.next().unwrap_or(path).split('.').next().unwrap_or("");
        let stem = stem.to_ascii_lowercase();
        stem.ends_with("test")
            || stem.ends_with("tests")
            || stem.ends_with("unittest")
            || stem.starts_with("test")
            || parts.any(|folder| matches!(folder, "test" | "tests" | "unittests"))
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (_, outline) = project.file(file);
        let tests = (0..).zip(&outline.definitions).filter(|(_, it)| it.marks.is_test && !it.marks.is_left_out);
        tests.map(|(definition, it)| TestItem { id: it.name.clone(), at: At { file, definition } }).collect()
    }
}

/// The name of a function, with dots, and whether it is a test.
fn function<'a>(node: Node<'_>, place: &Place<'a>) -> Option<(String, bool)> {
    let mut declarator = node.child_by_field_name("declarator")?;
    while declarator.kind() != "function_declarator" {
        declarator = declarator.child_by_field_name("declarator").or_else(|| declarator.named_child(0))?;
    }
    let name = place.field(declarator, "declarator");
    if TESTS.contains(&name) {
        let parameters = place.field(declarator, "parameters").trim_matches(['(', ')']);
        let (suite, test) = parameters.split_once(',')?;
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|it| it.is_alphanumeric() || it == '_');
        let (suite, test) = (suite.trim(), test.trim());
        return (is_word(suite) && is_word(test)).then(|| (format!("{suite}.{test}"), !test.starts_with("DISABLED_")));
    }
    Some((name.replace("::", "."), false))
}
