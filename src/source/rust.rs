//! Rust: crates and modules, and what `cargo test` and nextest run.
//!
//! A test is called as nextest calls it: the id of its binary, and its path within. Modules are found by where their files
//! stand; `#[path]` is not followed, and what macros define is not seen.

use tree_sitter::Node;

use super::outline::{Defined, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Rust;

impl Rules for Rust {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        let named = |kind| Defined::new(place.field(node, "name"), kind, node);
        match node.kind() {
            "mod_item" => {
                let mut defined = named(SymbolKind::Other);
                if defined.inside.is_none() {
                    return Role::Leaf; // Its file speaks for it.
                }
                defined.holds_tests = is_for_tests(place.marks) || defined.name == "tests";
                defined.marks.is_left_out = is_conditional(place.marks);
                Role::Definition(defined)
            }
            "function_item" => {
                let mut defined = named(SymbolKind::Function);
                defined.inside = None;
                defined.marks.is_test = attributes(place.marks).any(|name| name.rsplit("::").next() == Some("test"));
                defined.marks.is_left_out = is_conditional(place.marks);
                defined.holds_tests = defined.marks.is_test;
                Role::Definition(defined)
            }
            "impl_item" => {
                let of = place.field(node, "type");
                let of = of.split('<').next().unwrap_or(of).rsplit("::").next().unwrap_or(of);
                Role::Definition(Defined::new(of, SymbolKind::Class, node))
            }
            "trait_item" | "struct_item" | "enum_item" | "union_item" => Role::Definition(named(SymbolKind::Class)),
            "macro_definition" => Role::Definition(Defined { inside: None, ..named(SymbolKind::Other) }),
            "declaration_list" => Role::Open,
            _ => Role::Leaf,
        }
    }

    fn is_mark(&self, node: Node<'_>) -> bool {
        matches!(node.kind(), "attribute_item" | "line_comment" | "block_comment")
    }

    fn is_test_file(&self, path: &str) -> bool {
        let mut parts = path.rsplit('/');
        let stem = parts.next().unwrap_or(path).trim_end_matches(".rs");
        stem == "tests" || stem.ends_with("_test") || stem.ends_with("_tests") || parts.any(|folder| folder == "tests")
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (path, outline) = project.file(file);
        let Some((binary, module)) = place_of(project, path) else { return Vec::new() };
        let mut found = Vec::new();
        for (definition, it) in (0..).zip(&outline.definitions) {
            let around = std::iter::successors(Some(definition), |&at| outline.definitions[at as usize].parent);
            let is_left_out = around.into_iter().any(|at| outline.definitions[at as usize].marks.is_left_out);
            if !it.marks.is_test || is_left_out {
                continue;
            }
            let name = it.name.replace('.', "::");
            let name = if module.is_empty() { name } else { format!("{module}::{name}") };
            found.push(TestItem { id: format!("{binary} {name}"), at: At { file, definition } });
        }
        found
    }
}

/// The binary that a file is part of, by nextest's name for it, and its module within.
fn place_of(project: &Project, path: &str) -> Option<(String, String)> {
    let (root, cargo) = project.manifest(path, |manifest| manifest.cargo())?;
    let below = |path: &str| if root.is_empty() { path.to_owned() } else { format!("{root}/{path}") };
    let inner = path.strip_prefix(root)?.trim_start_matches('/');
    let has = |path: &str| project.at_path(&below(path)).is_some();
    let package = &cargo.package;
    if let Some((name, _)) = cargo.tests.iter().find(|(_, at)| at == inner) {
        return Some((format!("{package}::{name}"), String::new()));
    }
    if let Some((name, _)) = cargo.programs.iter().find(|(_, at)| at == inner) {
        return Some((format!("{package}::bin/{name}"), String::new()));
    }
    if let Some(rest) = inner.strip_prefix("src/bin/") {
        let (name, module) = target_of(rest)?;
        return Some((format!("{package}::bin/{name}"), module));
    }
    if let Some(rest) = inner.strip_prefix("tests/") {
        let (name, module) = target_of(rest)?;
        // A folder is a target where it has a `main.rs`, and else what tests share.
        let is_target = !rest.contains('/') || has(&format!("tests/{name}/main.rs"));
        return is_target.then(|| (format!("{package}::{name}"), module));
    }
    let module = module_of(inner.strip_prefix("src/")?)?;
    match inner {
        "src/main.rs" => Some((format!("{package}::bin/{package}"), String::new())),
        _ if has("src/lib.rs") => Some((package.clone(), module)),
        _ => Some((format!("{package}::bin/{package}"), module)),
    }
}

/// A target and a module in it: `a.rs` and `a/main.rs` are the target `a`, `a/b.rs` is its module `b`.
fn target_of(path: &str) -> Option<(String, String)> {
    match path.split_once('/') {
        None => Some((path.strip_suffix(".rs")?.to_owned(), String::new())),
        Some((name, "main.rs")) => Some((name.to_owned(), String::new())),
        Some((name, rest)) => Some((name.to_owned(), module_of(rest)?)),
    }
}

/// The module of a file below the root of its crate.
fn module_of(path: &str) -> Option<String> {
    let path = path.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    Some(if matches!(path, "lib" | "main") { String::new() } else { path.replace('/', "::") })
}

/// The names of the attributes before an item.
fn attributes(marks: &str) -> impl Iterator<Item = &str> {
    let inner = marks.split("#[").skip(1);
    inner.map(|attribute| attribute.split(['(', ']', '=', ' ']).next().unwrap_or("").trim())
}

fn is_for_tests(marks: &str) -> bool {
    marks.contains("cfg(test)") || marks.contains("cfg(all(test")
}

/// Whether an item may not be there, or not run, or under other names: behind a condition, ignored, or one of several cases.
fn is_conditional(marks: &str) -> bool {
    let plain = marks.replace("cfg(test)", "");
    attributes(&plain).any(|name| matches!(name, "cfg" | "ignore" | "case" | "rstest" | "test_case" | "cfg_attr"))
}
