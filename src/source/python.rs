//! Python: modules, and what pytest collects.
//!
//! A test that pytest does not know makes it run nothing, so what may not be there is left out: tests within `if`, `try` or
//! a loop, and those of modules that skip themselves.

use std::collections::HashMap;

use tree_sitter::Node;

use super::manifest::{Manifest, Pytest};
use super::outline::{Defined, Import, Marks, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Python;

/// Classes further up than this are not looked at: a class may claim to be its own base.
const BASES_DEEP: usize = 8;

impl Rules for Python {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        match node.kind() {
            "decorated_definition" => match node.child_by_field_name("definition") {
                Some(inner) => definition(inner, place, decorators(node, place, inner.kind() == "class_definition")),
                None => Role::Leaf,
            },
            "function_definition" | "class_definition" => definition(node, place, Marks::default()),
            "import_statement" => Role::Imports(modules(node, place)),
            "import_from_statement" => Role::Imports(names(node, place)),
            "block" => Role::Open,
            "expression_statement" if place.of(node).starts_with("__test__") => {
                match place.of(node).ends_with("True") {
                    true => Role::Leaf,
                    false => Role::LeftOut,
                }
            }
            "expression_statement" | "delete_statement" if place.is_in_test => no_test(node, place),
            "if_statement"
            | "else_clause"
            | "elif_clause"
            | "try_statement"
            | "except_clause"
            | "except_group_clause"
            | "finally_clause"
            | "for_statement"
            | "while_statement"
            | "with_statement"
            | "match_statement"
            | "case_clause" => Role::Doubtful,
            _ => Role::Leaf,
        }
    }

    fn is_test_file(&self, path: &str) -> bool {
        let mut folders = path.rsplit('/');
        let name = folders.next().unwrap_or(path);
        let stem = name.split('.').next().unwrap_or(name);
        stem.starts_with("test")
            || stem.ends_with("_test")
            || stem.ends_with("_tests")
            || stem == "conftest"
            || folders.any(|folder| matches!(folder, "test" | "tests" | "testing"))
    }

    fn is_built(&self, _path: &str, text: &str) -> bool {
        let skips = |line: &str| line.contains("importorskip(") || line.contains("allow_module_level");
        let is_outer = |line: &str| !line.starts_with([' ', '\t', '#']);
        !text.contains("importorskip(") && !text.contains("allow_module_level")
            || !text.lines().any(|line| skips(line) && (is_outer(line) || line.contains("allow_module_level")))
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (path, outline) = project.file(file);
        let usual = Pytest::default();
        let (folder, settings) = project.manifest(path, Manifest::pytest).unwrap_or(("", &usual));
        let below = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
        if !outline.is_built || !settings.takes_file(below) {
            return Vec::new();
        }
        let collector = Collector { project, functions: &settings.functions, classes: &settings.classes };
        let outer = || (0u32..).zip(&outline.definitions).filter(|(_, it)| it.parent.is_none());
        let last: HashMap<&str, u32> = outer().map(|(at, it)| (it.name.as_str(), at)).collect();
        let mut found = Vec::new();
        for (at, definition) in outer() {
            if definition.marks.is_left_out || last.get(definition.name.as_str()) != Some(&at) {
                continue;
            }
            match definition.kind {
                SymbolKind::Class => collector.class(At { file, definition: at }, path, &mut found),
                SymbolKind::Function if prefixed(&settings.functions, &definition.name) => {
                    found.push(TestItem { id: format!("{path}::{}", definition.name), at: At { file, definition: at } })
                }
                _ => {}
            }
        }
        found
    }

    fn targets(&self, project: &Project, file: usize, import: &Import) -> Vec<usize> {
        let (path, _) = project.file(file);
        let mut folder = String::new();
        if import.level > 0 {
            let kept = path.split('/').count().saturating_sub(import.level as usize);
            folder = path.split('/').take(kept).collect::<Vec<_>>().join("/");
        }
        let module = import.module.replace('.', "/");
        // `from pkg import name`: the name may be a module of its own.
        let nested = match (module.is_empty(), import.name.as_str()) {
            (_, "" | "*") => None,
            (true, name) => Some(name.to_owned()),
            (false, name) => Some(format!("{module}/{name}")),
        };
        let spellings = |module: &str| match module {
            "" => vec!["__init__.py".to_owned()],
            _ => vec![format!("{module}.py"), format!("{module}/__init__.py"), format!("{module}.pyi")],
        };
        let modules = nested.into_iter().chain([module]);
        let paths = modules.flat_map(|module| spellings(&module));
        let mut found: Vec<usize> = paths
            .filter_map(|path| match import.level {
                0 => project.nearest(&path, file),
                _ if folder.is_empty() => project.at_path(&path),
                _ => project.at_path(&format!("{folder}/{path}")),
            })
            .collect();
        found.dedup();
        found
    }
}

/// `test_a = None`, `del test_a`: the name is no longer that of a test.
fn no_test<'t>(node: Node<'t>, place: &Place<'_>) -> Role<'t> {
    let Some(inner) = node.named_child(0) else { return Role::Leaf };
    let name = inner.child_by_field_name("left").unwrap_or(inner);
    match name.kind() == "identifier" && place.of(name).starts_with("test") {
        true => Role::Definition(Defined { inside: None, ..Defined::new(place.of(name), SymbolKind::Other, node) }),
        false => Role::Leaf,
    }
}

fn definition<'t>(node: Node<'t>, place: &Place<'_>, marks: Marks) -> Role<'t> {
    let is_class = node.kind() == "class_definition";
    let kind = if is_class { SymbolKind::Class } else { SymbolKind::Function };
    let name = place.field(node, "name");
    let mut defined = Defined::new(name, kind, node);
    defined.marks = marks;
    if let Some(bases) = node.child_by_field_name("superclasses") {
        let is_base = |base: &Node<'_>| matches!(base.kind(), "identifier" | "attribute" | "subscript");
        let bases = bases.named_children(&mut bases.walk()).filter(is_base).collect::<Vec<_>>();
        defined.bases = bases.into_iter().map(|base| place.of(base).to_owned()).collect();
    }
    Role::Definition(defined)
}

fn decorators(node: Node<'_>, place: &Place<'_>, is_class: bool) -> Marks {
    let mut marks = Marks::default();
    for decorator in node.named_children(&mut node.walk()).filter(|child| child.kind() == "decorator") {
        let text = place.of(decorator);
        let called = text.trim_start_matches('@').split('(').next().unwrap_or(text).trim();
        if called == "fixture" || called.ends_with(".fixture") || called.ends_with("_fixture") {
            marks.is_left_out = true;
        }
        // They give a class an `__init__`, and pytest takes none that has one.
        let last = called.rsplit('.').next().unwrap_or(called);
        if is_class && matches!(last, "dataclass" | "define" | "frozen" | "attrs" | "s") {
            marks.is_left_out = true;
        }
    }
    marks
}

/// `import a.b, c as d`.
fn modules(node: Node<'_>, place: &Place<'_>) -> Vec<Import> {
    let import = |child: Node<'_>| {
        let (module, alias) = match child.kind() {
            "aliased_import" => (place.field(child, "name"), place.field(child, "alias")),
            _ => (place.of(child), place.of(child).split('.').next().unwrap_or("")),
        };
        Import { module: module.to_owned(), alias: alias.to_owned(), ..Import::default() }
    };
    node.named_children(&mut node.walk()).map(import).collect()
}

/// `from ..a import b, c as d`.
fn names(node: Node<'_>, place: &Place<'_>) -> Vec<Import> {
    let module = place.field(node, "module_name");
    let own = module.trim_start_matches('.');
    let level = u32::try_from(module.len() - own.len()).unwrap_or(u32::MAX);
    let import = |name: &str, alias: &str| Import {
        module: own.trim().to_owned(),
        level,
        name: name.to_owned(),
        alias: alias.to_owned(),
    };
    let mut found = Vec::new();
    for child in node.named_children(&mut node.walk()).skip(1) {
        match child.kind() {
            "aliased_import" => found.push(import(place.field(child, "name"), place.field(child, "alias"))),
            "dotted_name" => found.push(import(place.of(child), place.of(child))),
            "wildcard_import" => found.push(import("*", "*")),
            _ => {}
        }
    }
    found
}

fn prefixed(prefixes: &[String], name: &str) -> bool {
    prefixes.iter().any(|prefix| match prefix.contains(['*', '?', '[']) {
        true => super::manifest::is_match(prefix, name),
        false => name.starts_with(prefix.as_str()),
    })
}

/// What pytest collects of a file.
struct Collector<'a> {
    project: &'a Project,
    functions: &'a [String],
    classes: &'a [String],
}

impl Collector<'_> {
    /// The tests of a class, its own and those that it inherits.
    fn class(&self, at: At, prefix: &str, found: &mut Vec<TestItem>) {
        let definition = self.project.definition(at);
        let (_, outline) = self.project.file(at.file);
        let name = definition.last_name(&outline.definitions);
        let line = self.line_of(at);
        let is_unittest = line.iter().any(|&class| self.is_unittest(class));
        // `__test__ = False` holds for what is derived, too.
        if line.iter().any(|&class| self.project.definition(class).marks.is_left_out) {
            return;
        }
        let members = |class: At| self.project.members(class);
        let is_named = |member: &At, name: &str| self.project.last_name(*member) == name;
        let is_collected = is_unittest
            || prefixed(self.classes, name)
                && !line
                    .iter()
                    .any(|&class| members(class).iter().any(|it| is_named(it, "__init__") || is_named(it, "__new__")));
        if !is_collected {
            return;
        }
        let prefix = format!("{prefix}::{name}");
        let mut seen: Vec<&str> = Vec::new();
        for &class in &line {
            for member in members(class) {
                let (definition, name) = (self.project.definition(member), self.project.last_name(member));
                if seen.contains(&name) {
                    continue;
                }
                seen.push(name);
                let is_test = match is_unittest {
                    true => name.starts_with("test"),
                    false => prefixed(self.functions, name),
                };
                match definition.kind {
                    SymbolKind::Class if class == at && !definition.marks.is_left_out => {
                        self.class(member, &prefix, found)
                    }
                    SymbolKind::Function if is_test && !definition.marks.is_left_out => {
                        found.push(TestItem { id: format!("{prefix}::{name}"), at: member });
                    }
                    _ => {}
                }
            }
        }
    }

    /// A class and those that it is derived from and that are found, nearest first.
    fn line_of(&self, at: At) -> Vec<At> {
        let mut line = vec![at];
        let mut next = 0;
        while next < line.len() && line.len() < BASES_DEEP {
            let class = line[next];
            next += 1;
            for base in &self.project.definition(class).bases {
                let name = base.split('[').next().unwrap_or(base);
                if let Some(base) = self.project.look_up(class.file, name)
                    && self.project.definition(base).kind == SymbolKind::Class
                    && !line.contains(&base)
                {
                    line.push(base);
                }
            }
        }
        line
    }

    fn is_unittest(&self, class: At) -> bool {
        let bases = &self.project.definition(class).bases;
        bases.iter().any(|base| base.rsplit('.').next().is_some_and(|name| name.ends_with("TestCase")))
    }
}
