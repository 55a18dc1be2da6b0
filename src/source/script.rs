//! JavaScript and TypeScript: modules, and what Jest, Vitest and Mocha run.
//!
//! A test is `path::name`, the name being its titles from the outermost on, as `-t` and `--grep` compare them. A title that is
//! put together when it runs stands as it is written, with its `%i`, `$name` or `${...}`; so does what a function that defines
//! tests may be called in.

use tree_sitter::Node;

use super::outline::{Defined, Definition, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Script;

const GROUPS: [&str; 4] = ["describe", "suite", "context", "fdescribe"];
const TESTS: [&str; 4] = ["it", "test", "specify", "fit"];
/// What a group or a test that is to run alone is derived from.
const ONLY: &str = "only";
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
            // Tests of a table stand in loops; what does not run after all is no harm in a pattern.
            "arrow_function"
            | "function_expression"
            | "for_statement"
            | "for_in_statement"
            | "if_statement"
            | "else_clause"
                if place.is_in_test =>
            {
                Role::Open
            }
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
        let has_only = outline.definitions.iter().any(|it| it.bases.iter().any(|base| base == ONLY));
        for (definition, _) in (0..).zip(&outline.definitions).filter(|(_, it)| it.marks.is_test) {
            let of = |at: u32| &outline.definitions[at as usize];
            let around: Vec<u32> = std::iter::successors(Some(definition), |&at| of(at).parent).collect();
            if around.iter().any(|&at| of(at).marks.is_left_out) {
                continue;
            }
            // Where one is to run alone, the others of its file do not.
            if has_only && !around.iter().any(|&at| of(at).bases.iter().any(|base| base == ONLY)) {
                continue;
            }
            let titles: Vec<String> = around.iter().rev().map(|&at| title(of(at), &outline.definitions)).collect();
            found.push(TestItem { id: format!("{path}::{}", titles.join(" ")), at: At { file, definition } });
        }
        found
    }
}

/// What a group or a test adds to the titles. A function adds those of the groups that it is called in, whichever they are.
fn title(definition: &Definition, of: &[Definition]) -> String {
    match definition.kind {
        SymbolKind::Other => definition.last_name(of).to_owned(),
        SymbolKind::Function | SymbolKind::Class => format!("${{{}}}", identifier(definition.last_name(of))),
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
    // `test.describe` is a group of Playwright's, whose tests are called as any others.
    let is_group = GROUPS.contains(&first)
        || function.split('(').next().is_some_and(|it| it.split('.').skip(1).any(|word| word == "describe"));
    let is_test = !is_group && TESTS.contains(&first);
    let is_left_out = LEFT_OUT.contains(&first);
    let Some(arguments) = node.child_by_field_name("arguments") else { return Role::Leaf };
    if !(is_group || is_test || is_left_out) {
        // `forEach` of a table, and what wraps a group.
        return Role::Open;
    }
    let said_first = arguments.named_children(&mut node.walk()).find(|child| child.kind() != "comment");
    let Some(title) = said_first.and_then(|first| titled(first, place, TITLE_DEEP)) else {
        return Role::Leaf;
    };
    let mut defined = Defined::new(title, SymbolKind::Other, node);
    defined.inside = (!is_test).then_some(arguments);
    defined.marks.is_test = is_test;
    // `.each` with a template has its own modifiers in the text of the function; only the words before a bracket count.
    let modifiers = function.split(['(', '`']).next().unwrap_or(function);
    defined.marks.is_left_out = is_left_out || modifiers.split('.').any(|word| LEFT_OUT.contains(&word));
    if modifiers.split('.').any(|word| word == ONLY) || matches!(first, "fit" | "fdescribe") {
        defined.bases.push(ONLY.to_owned());
    }
    Role::Definition(defined)
}

/// Sums in a title that are looked into.
const TITLE_DEEP: usize = 16;

/// What a title says: a string, or a sum of them with the parts that are no strings as `${...}`. `None` for what no line can
/// carry, and for a function, which is no title.
fn titled(node: Node<'_>, place: &Place<'_>, deep: usize) -> Option<String> {
    match node.kind() {
        "string" | "template_string" => literal(place.of(node)),
        "arrow_function" | "function_expression" => None,
        "binary_expression" if deep > 0 => {
            let side = |name| titled(node.child_by_field_name(name)?, place, deep - 1);
            Some(side("left")? + &side("right")?)
        }
        _ => Some(format!("${{{}}}", identifier(place.of(node)))),
    }
}

/// The letters of a text that a name may have.
fn identifier(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.')).take(40).collect()
}

/// What a quoted string says. `None` for what no line can carry.
fn literal(text: &str) -> Option<String> {
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    let mut said = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                plain if plain.is_ascii_punctuation() => said.push(plain),
                _ => return None,
            },
            letter if letter.is_control() => return None,
            letter => said.push(letter),
        }
    }
    (!said.is_empty()).then_some(said)
}
