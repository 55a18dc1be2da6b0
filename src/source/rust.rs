//! Rust: crates and modules, and what `cargo test` and nextest run.
//!
//! A test is called as nextest calls it: the id of its binary, and its path within. Modules are found by where their files
//! stand, if those above declare them; `#[path]` is not followed. Of what macros define, the tests of `proptest!` are seen.

use std::env::consts::{FAMILY, OS};

use tree_sitter::Node;

use super::manifest::is_match;
use super::outline::{Defined, Definition, Marks, Outline, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Rust;

impl Rules for Rust {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        let named = |kind| Defined::new(place.field(node, "name"), kind, node);
        match node.kind() {
            "mod_item" => {
                let mut defined = named(SymbolKind::Other);
                defined.holds_tests = is_for_tests(place.marks) || defined.name == "tests";
                // A file that is named elsewhere is not where its module's name would look for it.
                let is_elsewhere = place.marks.contains("path =");
                defined.marks.is_left_out = is_conditional(place.marks) || is_elsewhere;
                Role::Definition(defined)
            }
            "function_item" => {
                let mut defined = named(SymbolKind::Function);
                defined.inside = None;
                defined.marks = marks_of(place.marks);
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
            "declaration_list" | "expression_statement" => Role::Open,
            "inner_attribute_item" if !is_built(&place.of(node).replacen("#!", "#", 1)) => Role::LeftOut,
            "macro_invocation" if place.field(node, "macro").rsplit("::").next() == Some("proptest") => {
                let body = node.named_children(&mut node.walk()).last();
                Role::Definitions(body.map_or(Vec::new(), |body| properties(body, place)))
            }
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

    fn companions(&self, path: &str) -> Vec<String> {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        let around = |folder: &str| ["lib", "main", "mod"].map(|name| format!("{folder}/{name}.rs")).into_iter();
        folders.flat_map(|folder| around(folder).chain([format!("{folder}.rs")])).collect()
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (path, outline) = project.file(file);
        let place = if outline.is_built { place_of(project, path) } else { None };
        let Some((binary, module)) = place else { return Vec::new() };
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

/// The tests in the body of `proptest!`, which is no tree but a list of words: `#[test] fn name(x in any()) { ... }`.
fn properties<'t>(body: Node<'t>, place: &Place<'_>) -> Vec<Defined<'t>> {
    let mut found = Vec::new();
    let (mut marks, mut name, mut is_named_next) = (String::new(), "", false);
    for node in body.children(&mut body.walk()) {
        let text = place.of(node);
        match node.kind() {
            "fn" => is_named_next = true,
            "identifier" if is_named_next => (name, is_named_next) = (text, false),
            "token_tree" if text.starts_with('[') => marks.push_str(&format!("#{text}")),
            "token_tree" if text.starts_with('{') && !name.is_empty() => {
                let mut defined = Defined::new(name, SymbolKind::Function, node);
                defined.marks = marks_of(&marks);
                defined.holds_tests = defined.marks.is_test;
                found.push(defined);
                (marks, name) = (String::new(), "");
            }
            _ => {}
        }
    }
    found
}

/// The binary that a file is part of, by nextest's name for it, and its module within.
fn place_of(project: &Project, path: &str) -> Option<(String, String)> {
    let (folder, cargo) = project.manifest(path, |manifest| manifest.cargo())?;
    if cargo.package.is_empty() || !is_member(project, folder) {
        return None;
    }
    let root = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let inner = path.strip_prefix(&root)?;
    let package = &cargo.package;
    if let Some(target) = cargo.targets.iter().find(|target| target.path == inner) {
        return target.is_run.then(|| (target.binary(package), String::new()));
    }
    if let Some(rest) = inner.strip_prefix("src/bin/") {
        let (name, module) = target_of(rest)?;
        let top = if rest.contains('/') { format!("{root}src/bin/{name}/main.rs") } else { path.to_owned() };
        return is_declared(project, &top, &module).then(|| (format!("{package}::bin/{name}"), module));
    }
    if let Some(rest) = inner.strip_prefix("tests/") {
        let (name, module) = target_of(rest)?;
        // A folder is a target where it has a `main.rs`, and else what tests share.
        let main = format!("{root}tests/{name}/main.rs");
        let is_target = !rest.contains('/') || project.at_path(&main).is_some() && is_declared(project, &main, &module);
        return (is_target && cargo.finds_tests).then(|| (format!("{package}::{name}"), module));
    }
    let module = module_of(inner.strip_prefix("src/")?)?;
    let tops = [("src/lib.rs", package.clone()), ("src/main.rs", format!("{package}::bin/{package}"))];
    let (top, binary) = tops.into_iter().find(|(top, _)| match module.is_empty() {
        true => *top == inner,
        false => {
            project.at_path(&format!("{root}{top}")).is_some() && is_declared(project, &format!("{root}{top}"), &module)
        }
    })?;
    let named = cargo.targets.iter().find(|target| target.path == top);
    match named {
        Some(target) => target.is_run.then(|| (target.binary(package), module)),
        None => Some((binary, module)),
    }
}

/// Whether `cargo` at the root of the tree runs the tests of the package in a folder. Where there is no package at the root,
/// each is run in its own folder.
fn is_member(project: &Project, folder: &str) -> bool {
    let Some((_, root)) = project.manifest("", |manifest| manifest.cargo()) else { return true };
    folder.is_empty()
        || root.members.as_ref().is_some_and(|members| members.iter().any(|member| is_match(member, folder)))
}

/// Whether a module is declared in the files above it, from the one at the top of its crate. One that is not in the tree
/// declares what it needs.
fn is_declared(project: &Project, top: &str, module: &str) -> bool {
    let mut file = project.at_path(top);
    let mut folder = top.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let mut names: Vec<&str> = Vec::new();
    for name in module.split("::").filter(|name| !name.is_empty()) {
        let Some(above) = file else { return true };
        names.push(name);
        let path = names.join(".");
        let Outline { definitions, is_built, .. } = project.file(above).1;
        let is_there = |it: &Definition| it.name == path && it.kind == SymbolKind::Other && !it.marks.is_left_out;
        if !is_built || !definitions.iter().any(is_there) {
            return false;
        }
        folder = format!("{folder}/{name}");
        // A module without a file is written out in the file above.
        if let Some(own) =
            [format!("{folder}.rs"), format!("{folder}/mod.rs")].iter().find_map(|path| project.at_path(path))
        {
            file = Some(own);
            names.clear();
        }
    }
    true
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

fn marks_of(marks: &str) -> Marks {
    let is_test = attributes(marks).any(|name| name.rsplit("::").next() == Some("test"));
    Marks { is_test, is_left_out: is_conditional(marks) }
}

fn is_for_tests(marks: &str) -> bool {
    marks.contains("cfg(test)") || marks.contains("cfg(all(test")
}

/// Whether an item may not be there, or not run, or under other names: behind a condition, ignored, or one of several cases.
fn is_conditional(marks: &str) -> bool {
    !is_built(marks) || attributes(marks).any(|name| matches!(name, "ignore" | "case" | "rstest" | "test_case"))
}

/// Whether every `#[cfg(...)]` holds for a test, and no `#[cfg_attr(...)]` may ignore it, as far as that is known.
fn is_built(marks: &str) -> bool {
    let conditions = |start| marks.split(start).skip(1).map(|rest: &str| rest.split(")]").next().unwrap_or(rest));
    let is_met = |condition| holds(condition, CONDITIONS_DEEP) == Some(true);
    let is_ignored = |attribute| {
        let terms = terms_of(attribute);
        let condition = terms.first().and_then(|condition| holds(condition, CONDITIONS_DEEP));
        condition != Some(false) && terms.iter().skip(1).any(|term| term.trim().starts_with("ignore"))
    };
    conditions("#[cfg(").all(is_met) && !conditions("#[cfg_attr(").any(is_ignored)
}

/// Conditions in conditions that are looked at.
const CONDITIONS_DEEP: usize = 4;

/// Whether a condition holds; `None` where that depends on more than is known. The runner is on the system that covopt is on.
fn holds(condition: &str, deep: usize) -> Option<bool> {
    let condition = condition.trim();
    let called = condition.split_once('(').filter(|_| deep > 0);
    if let Some((name, inner)) = called {
        let mut terms =
            terms_of(inner.strip_suffix(')').unwrap_or(inner)).into_iter().map(|term| holds(term, deep - 1));
        return match name.trim() {
            "not" => terms.next()?.map(|it| !it),
            "all" => terms.try_fold(true, |all, it| Some(all && it?)),
            "any" => terms.try_fold(false, |any, it| Some(any || it?)),
            _ => None,
        };
    }
    let condition: String = condition.split_whitespace().collect();
    let is = |name: &str, value: &str| {
        let stated = condition.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        stated.map(|stated| stated.trim_matches('"') == value)
    };
    match condition.as_str() {
        "test" | "debug_assertions" => Some(true),
        "miri" | "loom" => Some(false),
        "unix" | "windows" => Some(condition == FAMILY),
        _ => is("target_os", OS).or_else(|| is("target_family", FAMILY)),
    }
}

/// What commas outside of brackets part.
fn terms_of(list: &str) -> Vec<&str> {
    let (mut terms, mut from, mut deep) = (Vec::new(), 0, 0_usize);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' => deep += 1,
            b')' => deep = deep.saturating_sub(1),
            b',' if deep == 0 => {
                terms.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&list[from..]);
    terms.retain(|term| !term.trim().is_empty());
    terms
}
