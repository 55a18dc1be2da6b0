//! JavaScript and TypeScript: modules, and what Jest, Vitest and Mocha run.
//!
//! A test is `path::name`, the name being its titles from the outermost on, as `-t` and `--grep` compare them. Of a title
//! that is put together when it runs, what stands before that is known.

use tree_sitter::Node;

use super::outline::{Defined, Place, Role, Rules, unquoted};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Script;

const GROUPS: [&str; 4] = ["describe", "suite", "context", "fdescribe"];
const TESTS: [&str; 4] = ["it", "test", "specify", "fit"];
const LEFT_OUT: [&str; 7] = ["xdescribe", "xit", "xtest", "skip", "todo", "fixme", "skipIf"];

impl Rules for Script {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        let named = |kind| Defined::new(place.field(node, "name"), kind, node);
        match node.kind() {
            "export_statement" => Role::Open,
            "function_declaration" | "generator_function_declaration" | "method_definition" => {
                Role::Definition(named(SymbolKind::Function))
            }
            "class_declaration" | "abstract_class_declaration" | "interface_declaration" | "enum_declaration" => {
                Role::Definition(named(SymbolKind::Class))
            }
            "lexical_declaration"
            | "variable_declaration"
            | "class_body"
            | "arguments"
            | "statement_block"
            | "expression_statement"
            | "internal_module"
            | "module"
            | "ambient_declaration"
            | "program"
            | "await_expression" => Role::Open,
            "arrow_function" | "function_expression" if place.is_in_test => Role::Open,
            "variable_declarator" => variable(node, place),
            "call_expression" if place.is_in_test => call(node, place),
            _ => Role::Leaf,
        }
    }

    fn is_test_file(&self, path: &str) -> bool {
        let mut parts = path.rsplit('/');
        let name = parts.next().unwrap_or(path);
        name.contains(".test.")
            || name.contains(".spec.")
            || name.contains("-test.")
            || name.contains("_test.")
            || parts.any(|folder| matches!(folder, "__tests__" | "test" | "tests"))
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (path, outline) = project.file(file);
        let mut found = Vec::new();
        for (definition, _) in (0..).zip(&outline.definitions).filter(|(_, it)| it.marks.is_test) {
            let of = |at: u32| &outline.definitions[at as usize];
            let around: Vec<u32> = std::iter::successors(Some(definition), |&at| of(at).parent).collect();
            if around.iter().any(|&at| of(at).marks.is_left_out) {
                continue;
            }
            let mut titles: Vec<&str> = Vec::new();
            for &at in around.iter().rev() {
                let title = of(at).last_name(&outline.definitions);
                let known = title.find(['%', '$']).unwrap_or(title.len());
                titles.push(title[..known].trim());
                if known < title.len() {
                    break;
                }
            }
            let name = titles.join(" ");
            let id = if name.trim().is_empty() { path.to_owned() } else { format!("{path}::{}", name.trim()) };
            found.push(TestItem { id, at: At { file, definition } });
        }
        found
    }
}

/// `const f = () => ...`.
fn variable<'t>(node: Node<'t>, place: &Place<'_>) -> Role<'t> {
    let Some(value) = node.child_by_field_name("value") else { return Role::Leaf };
    let name = place.field(node, "name");
    match value.kind() {
        "arrow_function" | "function_expression" | "function" | "generator_function" | "class" => {
            let kind = if value.kind() == "class" { SymbolKind::Class } else { SymbolKind::Function };
            Role::Definition(Defined { inside: value.child_by_field_name("body"), ..Defined::new(name, kind, node) })
        }
        _ => Role::Leaf,
    }
}

/// `describe("...", () => ...)`, `it.each(...)("...", ...)`.
fn call<'t>(node: Node<'t>, place: &Place<'_>) -> Role<'t> {
    let function = place.field(node, "function");
    let mut words = function.split(|letter: char| !letter.is_alphanumeric());
    let first = words.next().unwrap_or("");
    let (is_group, is_test) = (GROUPS.contains(&first), TESTS.contains(&first));
    let is_left_out = LEFT_OUT.contains(&first);
    let Some(arguments) = node.child_by_field_name("arguments") else { return Role::Leaf };
    if !(is_group || is_test || is_left_out) {
        return Role::Leaf;
    }
    let Some(title) = arguments.named_child(0) else { return Role::Leaf };
    let title = match title.kind() {
        "string" | "template_string" => unquoted(place.of(title)),
        _ => return Role::Leaf,
    };
    let mut defined = Defined::new(title, SymbolKind::Other, node);
    defined.inside = (!is_test).then_some(arguments);
    defined.marks.is_test = is_test;
    // `.each` with a template has its own modifiers in the text of the function; only the words before a bracket count.
    let modifiers = function.split(['(', '`']).next().unwrap_or(function);
    defined.marks.is_left_out = is_left_out || modifiers.split('.').any(|word| LEFT_OUT.contains(&word));
    Role::Definition(defined)
}
