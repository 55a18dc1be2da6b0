//! Go: packages, and what `go test` runs.
//!
//! A test is called by the import path of its package and its name, as `go test` reports it. Files that are built for some
//! systems or tags alone define tests that may not be there, as do folders that patterns of packages pass over.

use tree_sitter::Node;

use super::outline::{Defined, Place, Role, Rules};
use super::project::{At, Project, TestItem};
use crate::observation::SymbolKind;

pub(super) struct Go;

/// Systems and machines that end a file's name, of those that suites are commonly split by.
const PLATFORMS: [&str; 16] = [
    "aix", "android", "darwin", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd", "plan9", "solaris",
    "unix", "wasip1", "windows", "amd64",
];

impl Rules for Go {
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t> {
        match node.kind() {
            "package_clause" => Role::Package(node.named_child(0).map_or("", |name| place.of(name)).to_owned()),
            "type_declaration" => Role::Open,
            "function_declaration" => {
                let name = place.field(node, "name");
                let mut defined = Defined { inside: None, ..Defined::new(name, SymbolKind::Function, node) };
                defined.marks.is_test = is_test(name, place.field(node, "parameters"))
                    || name.starts_with("Example") && place.is_in_test && states_output(place.of(node));
                defined.holds_tests = defined.marks.is_test;
                Role::Definition(defined)
            }
            "method_declaration" => {
                let receiver = place.field(node, "receiver").trim_matches(['(', ')']);
                let of = receiver.split('[').next().unwrap_or(receiver).rsplit([' ', '*']).next().unwrap_or("");
                let name = place.field(node, "name");
                Role::Definition(Defined {
                    inside: None,
                    ..Defined::new(format!("{of}.{name}"), SymbolKind::Function, node)
                })
            }
            "type_spec" => Role::Definition(Defined {
                inside: None,
                ..Defined::new(place.field(node, "name"), SymbolKind::Class, node)
            }),
            _ => Role::Leaf,
        }
    }

    fn is_test_file(&self, path: &str) -> bool {
        path.ends_with("_test.go")
    }

    fn is_built(&self, path: &str, text: &str) -> bool {
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".go").trim_end_matches("_test");
        let is_split = stem.rsplit_once('_').is_some_and(|(_, last)| PLATFORMS.contains(&last));
        let head = text.lines().take_while(|line| !line.starts_with("package "));
        let constraint = head.into_iter().find_map(|line| line.strip_prefix("//go:build "));
        // What is built unless a tag is set is built when nothing is set; every version of the language of today is go1.x.
        let is_set = |term: &str| term.starts_with("go1.") || matches!(term, "linux" | "unix");
        let holds = |term: &str| match term.strip_prefix('!') {
            Some(term) => !is_set(term) && !term.contains(['(', '!']),
            None => is_set(term),
        };
        let is_open =
            |constraint: &str| constraint.split("||").any(|terms| terms.split("&&").map(str::trim).all(holds));
        !is_split && constraint.is_none_or(is_open)
    }

    fn tests(&self, project: &Project, file: usize) -> Vec<TestItem> {
        let (path, outline) = project.file(file);
        let (false, Some((root, module))) = (!outline.is_built, project.manifest(path, |it| it.go())) else {
            return Vec::new();
        };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // `./...` leaves them out.
        if folder.split('/').any(|name| name == "testdata" || name.starts_with(['_', '.'])) {
            return Vec::new();
        }
        let below = folder.strip_prefix(root).unwrap_or(folder).trim_start_matches('/');
        let package = if below.is_empty() { module.to_owned() } else { format!("{module}/{below}") };
        let tests = (0..).zip(&outline.definitions).filter(|(_, it)| it.marks.is_test);
        tests
            .map(|(definition, it)| TestItem { id: format!("{package}.{}", it.name), at: At { file, definition } })
            .collect()
    }
}

/// Whether a function is one that `go test` runs: `TestX(t *testing.T)`, or a fuzz target, which runs over its seeds.
fn is_test(name: &str, parameters: &str) -> bool {
    let of = |start: &str, takes: &str| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with(char::is_lowercase)) && parameters.contains(takes)
    };
    of("Test", "testing.T") && !parameters.contains("testing.TB") || of("Fuzz", "testing.F")
}

/// Whether an example says what it prints: others are built, and not run.
fn states_output(text: &str) -> bool {
    let comments = text.lines().filter_map(|line| line.trim().strip_prefix("//")).map(str::trim_start);
    let mut starts = comments.map(|comment| comment.to_ascii_lowercase());
    starts.any(|comment| comment.starts_with("output:") || comment.starts_with("unordered output:"))
}
