//! Java: packages, and what JUnit and TestNG run.
//!
//! A test is `package.Class#method`, as Maven's `-Dtest` takes it; a class in another is `Outer$Inner`.

use tree_sitter::Node;

use super::outline::{Defined, Import, Marks, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Java;

/// Annotations of methods that are tests.
const TESTS: [&str; 6] = ["Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate", "Property"];
/// Annotations of what does not run, or only somewhere.
const LEFT_OUT: [&str; 4] = ["Disabled", "Ignore", "EnabledIf", "EnabledOnOs"];

/// Classes further up than this are not looked at.
const BASES_DEEP: usize = 8;

impl Rules for Java {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        match node.kind() {
            "package_declaration" => {
                Role::Package(place.of(node).trim_start_matches("package").trim_end_matches(';').trim().to_owned())
            }
            "import_declaration" => {
                let text = place.of(node).trim_start_matches("import").trim().trim_end_matches(';').trim();
                let name = text.strip_prefix("static ").unwrap_or(text).trim();
                let alias = name.rsplit('.').next().unwrap_or(name);
                Role::Imports(vec![Import { module: name.to_owned(), alias: alias.to_owned(), ..Import::default() }])
            }
            "class_declaration" | "interface_declaration" | "enum_declaration" | "record_declaration" => {
                let mut defined = Defined::new(place.field(node, "name"), SymbolKind::Class, node);
                defined.marks = annotations(node, place);
                // A class that belongs to an instance of another is a test by `@Nested` alone.
                let is_inner = node.parent().is_some_and(|it| it.kind() == "class_body");
                let needs_instance = is_inner
                    && node.kind() == "class_declaration"
                    && !has_modifier(node, place, &["static", "@Nested"]);
                defined.marks.is_left_out |= needs_instance || node.kind() == "interface_declaration";
                if let Some(base) = node.child_by_field_name("superclass").and_then(|it| it.named_child(0)) {
                    defined.bases.push(place.of(base).split('<').next().unwrap_or("").to_owned());
                }
                Role::Definition(defined)
            }
            "method_declaration" | "constructor_declaration" => {
                let mut defined = Defined::new(place.field(node, "name"), SymbolKind::Function, node);
                defined.marks = annotations(node, place);
                defined.marks.is_left_out |= has_modifier(node, place, &["private", "static"]);
                defined.inside = None;
                Role::Definition(defined)
            }
            "class_body" | "interface_body" | "enum_body" | "enum_body_declarations" => Role::Open,
            _ => Role::Leaf,
        }
    }

    fn is_test_file(&self, path: &str) -> bool {
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".java");
        let is_named = ["Test", "Tests", "IT", "TestCase"].iter().any(|end| stem.ends_with(end));
        is_named || stem.starts_with("Test") || path.split('/').any(|folder| folder == "test" || folder == "tests")
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (_, outline) = project.file(file);
        let mut found = Vec::new();
        for (definition, it) in (0..).zip(&outline.definitions) {
            if it.kind != SymbolKind::Class {
                continue;
            }
            let at = At { file, definition };
            let around = std::iter::successors(Some(at), |&at| {
                project.definition(at).parent.map(|definition| At { file, definition })
            });
            if around.into_iter().any(|class| project.definition(class).marks.is_left_out) {
                continue;
            }
            let class = it.name.replace('.', "$");
            let class = if outline.package.is_empty() { class } else { format!("{}.{class}", outline.package) };
            tests_of(project, at, &class, &mut found);
        }
        found
    }

    fn targets(&self, project: &Project, file: usize, import: &Import) -> Vec<usize> {
        project.nearest(&format!("{}.java", import.module.replace('.', "/")), file).into_iter().collect()
    }
}

/// The tests of a class, its own and those that it inherits.
fn tests_of(project: &Project, class: At, name: &str, found: &mut Vec<TestItem>) {
    let line = line_of(project, class);
    let is_old = line.iter().any(|&it| project.definition(it).bases.iter().any(|base| base.ends_with("TestCase")));
    let members: Vec<At> = line.iter().flat_map(|&it| project.members(it)).collect();
    let is_method = |at: &&At| project.definition(**at).kind == SymbolKind::Function;
    let mut seen: Vec<&str> = Vec::new();
    for &at in members.iter().filter(is_method) {
        let (marks, method) = (project.definition(at).marks, project.last_name(at));
        if seen.contains(&method) {
            continue;
        }
        seen.push(method);
        if (marks.is_test || is_old && method.starts_with("test")) && !marks.is_left_out {
            found.push(TestItem { id: format!("{name}#{method}"), at });
        }
    }
}

/// A class and those that it is derived from and that are found, nearest first.
fn line_of(project: &Project, class: At) -> Vec<At> {
    let mut line = vec![class];
    while line.len() < BASES_DEEP
        && let Some(&last) = line.last()
        && let Some(base) = project.definition(last).bases.first()
        && let Some(base) = project.look_up(last.file, base).or_else(|| in_package(project, last.file, base))
        && !line.contains(&base)
    {
        line.push(base);
    }
    line
}

/// A class of the package that a file is in, whichever folder of sources it stands in.
fn in_package(project: &Project, file: usize, name: &str) -> Option<At> {
    let folder = project.file(file).1.package.replace('.', "/");
    let path = if folder.is_empty() { format!("{name}.java") } else { format!("{folder}/{name}.java") };
    let file = project.nearest(&path, file)?;
    project.look_up(file, name)
}

/// Whether one of these stands before a declaration.
fn has_modifier(node: Node<'_>, place: &Place<'_>, words: &[&str]) -> bool {
    let modifiers = node.named_children(&mut node.walk()).find(|child| child.kind() == "modifiers");
    modifiers.is_some_and(|modifiers| place.of(modifiers).split_whitespace().any(|word| words.contains(&word)))
}

fn annotations(node: Node<'_>, place: &Place<'_>) -> Marks {
    let mut marks = Marks::default();
    let modifiers = node.named_children(&mut node.walk()).find(|child| child.kind() == "modifiers");
    let Some(modifiers) = modifiers else { return marks };
    for child in modifiers.named_children(&mut modifiers.walk()) {
        let name = place.field(child, "name");
        let name = name.rsplit('.').next().unwrap_or(name);
        marks.is_test |= TESTS.contains(&name);
        marks.is_left_out |= LEFT_OUT.contains(&name);
    }
    let is_abstract = place.of(modifiers).split_whitespace().any(|word| word == "abstract");
    marks.is_left_out |= is_abstract;
    marks
}
