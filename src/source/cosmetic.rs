//! Edits that leave alone what runs: comments, docstrings, blank lines, and formatting that keeps all tokens.
//!
//! Both sides of a file are parsed. An edit is cosmetic where the nodes of the syntax trees on the two sides of it are the
//! same, one by one, at the same depth and with the same text, so that an indent or the end of a line that means something is
//! seen. Comments that tools obey are nodes like others; so are docstrings that the program may show.

use memchr::memmem;
use tree_sitter::{Node, TreeCursor};

use super::language::Language;
use super::outline::Reader;

/// What makes a comment more than that, to a compiler, an interpreter or a runner.
const DIRECTIVES: [&str; 18] = [
    "#!", "#cgo", "#include", "+build", "@jest", "@jsx", "@ts-", "@vitest", "Output:", "NOLINT", "coding", "eslint",
    "export ", "go:", "nolint", "noqa", "pragma", "type:",
];

/// Lines on the two sides of an edit: the first, and how many. Where there are none, the line before which it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// On the old side.
    pub old: (u32, u32),
    /// On the new side.
    pub new: (u32, u32),
}

/// A node of a syntax tree that counts.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    /// Its lines, from 1; of one that is no leaf, the first alone.
    first: u32,
    last: u32,
    depth: u32,
    kind: u16,
    /// Of a leaf.
    text: &'a str,
}

impl Reader {
    /// Which of the edits of a file, from one content to another, are cosmetic: none in a language without a grammar, or where
    /// a side cannot be understood as a whole.
    pub fn cosmetic(&mut self, path: &str, old: &str, new: &str, edits: &[Edit]) -> Vec<bool> {
        let none = || vec![false; edits.len()];
        let Some(language) = Language::of_path(path) else { return none() };
        let (Some(old_tree), Some(new_tree)) = (self.parse(language, old), self.parse(language, new)) else {
            return none();
        };
        if old_tree.root_node().has_error() || new_tree.root_node().has_error() {
            return none();
        }
        let rules = [old, new].map(|text| Obeyed::of(language, text));
        let obeyed =
            Obeyed { comments: rules.iter().any(|it| it.comments), docstrings: rules.iter().any(|it| it.docstrings) };
        let (old, new) = (tokens(old_tree.root_node(), old, obeyed), tokens(new_tree.root_node(), new, obeyed));
        edits.iter().map(|edit| is_same(within(&old, edit.old), within(&new, edit.new))).collect()
    }
}

/// What else than code a file has that is obeyed.
#[derive(Clone, Copy)]
struct Obeyed {
    comments: bool,
    docstrings: bool,
}

impl Obeyed {
    fn of(language: Language, text: &str) -> Self {
        let holds = |what: &str| memmem::find(text.as_bytes(), what.as_bytes()).is_some();
        Self {
            // What an example is to print stands in its comments, and what cgo compiles.
            comments: match language {
                Language::Go => holds("func Example") || holds("import \"C\""),
                // What documentation shows is run, and what stands over a field may be what a program prints.
                Language::Rust => holds("```") || holds("derive("),
                _ => false,
            },
            docstrings: holds("__doc__") || holds("getdoc"),
        }
    }
}

/// The tokens of the lines of an edit and of the line on either side, which both sides of it share: so that one that begins
/// before or ends behind it is there.
fn within<'t, 'a>(tokens: &'t [Token<'a>], (first, lines): (u32, u32)) -> impl Iterator<Item = &'t Token<'a>> {
    let last = first.saturating_add(lines);
    let first = first.saturating_sub(1);
    tokens.iter().filter(move |token| token.first <= last && token.last >= first)
}

fn is_same<'t, 'a: 't>(old: impl Iterator<Item = &'t Token<'a>>, new: impl Iterator<Item = &'t Token<'a>>) -> bool {
    let said = |token: &Token<'a>| (token.depth, token.kind, token.text);
    old.map(said).eq(new.map(said))
}

/// The nodes of a tree in order, less what no program sees.
fn tokens<'a>(root: Node<'_>, text: &'a str, obeyed: Obeyed) -> Vec<Token<'a>> {
    let mut tokens = Vec::new();
    let (mut cursor, mut within) = (root.walk(), root.walk());
    let mut depth = 0;
    let line = |row: usize| u32::try_from(row + 1).unwrap_or(u32::MAX);
    loop {
        let node = cursor.node();
        debug_assert_eq!(depth, cursor.depth());
        let is_left_out = is_comment(node, text, obeyed) || !obeyed.docstrings && is_docstring(node, text);
        if !is_left_out && !node.is_missing() {
            let (first, last) = (line(node.start_position().row), line(node.end_position().row));
            let token = |last, text| Token { first, last, depth, kind: node.kind_id(), text };
            if node.child_count() == 0 {
                tokens.push(token(last, text.get(node.byte_range()).unwrap_or("")));
            } else {
                tokens.push(token(first, ""));
                // Of some nodes a part is in no child: that of a string around what is escaped in it.
                between(node, text, &mut within, |part| tokens.push(token(last, part)));
            }
        }
        if !is_left_out && cursor.goto_first_child() {
            depth += 1;
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return tokens;
            }
            depth -= 1;
        }
    }
}

/// What of the text of a node is in none of its children, but white space.
fn between<'t, 'a>(node: Node<'t>, text: &'a str, cursor: &mut TreeCursor<'t>, mut found: impl FnMut(&'a str)) {
    let mut from = node.start_byte();
    let mut part = |from: usize, to: usize| {
        let part = text.get(from..to).unwrap_or("");
        if !part.trim().is_empty() {
            found(part);
        }
    };
    for child in node.children(cursor) {
        part(from, child.start_byte());
        from = child.end_byte();
    }
    part(from, node.end_byte());
}

fn is_comment(node: Node<'_>, text: &str, obeyed: Obeyed) -> bool {
    if obeyed.comments || !node.kind().contains("comment") {
        return false;
    }
    let says = text.get(node.byte_range()).unwrap_or("");
    !DIRECTIVES.iter().any(|directive| says.contains(directive))
}

/// A string by itself at the start of a module, class or function. One that has examples is run by doctest, and that of
/// something decorated may be what a command prints.
fn is_docstring(node: Node<'_>, text: &str) -> bool {
    let is_string = node.kind() == "expression_statement"
        && node.named_child_count() == 1
        && node.named_child(0).is_some_and(|child| child.kind() == "string");
    let says = text.get(node.byte_range()).unwrap_or("");
    // One that is put together runs what it holds.
    if !is_string || says.contains(">>>") || !says.trim_start_matches(['r', 'R', 'u', 'U']).starts_with(['"', '\'']) {
        return false;
    }
    let mut before = std::iter::successors(node.prev_named_sibling(), Node::prev_named_sibling);
    if !before.all(|it| it.kind() == "comment") {
        return false;
    }
    let Some(parent) = node.parent() else { return false };
    match parent.kind() {
        "module" => true,
        "block" => parent.parent().is_some_and(|definition| {
            matches!(definition.kind(), "function_definition" | "class_definition")
                && definition.parent().is_none_or(|around| around.kind() != "decorated_definition")
                && !is_read_by_its_name(definition, text)
        }),
        _ => false,
    }
}

/// Whether a function is of a kind whose docstring is a grammar (PLY) or the help of a command (cmd).
fn is_read_by_its_name(definition: Node<'_>, text: &str) -> bool {
    let name = definition.child_by_field_name("name").and_then(|name| text.get(name.byte_range())).unwrap_or("");
    ["p_", "t_", "do_"].iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the change of one text to another, as one edit of all that differs, is cosmetic.
    fn is_cosmetic(path: &str, old: &str, new: &str) -> bool {
        let (olds, news): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        let same = olds.iter().zip(&news).take_while(|(a, b)| a == b).count();
        let behind = olds.iter().rev().zip(news.iter().rev()).take_while(|(a, b)| a == b).count();
        let behind = behind.min(olds.len() - same).min(news.len() - same);
        let span = |lines: usize| (same as u32 + 1, (lines - same - behind) as u32);
        let edit = Edit { old: span(olds.len()), new: span(news.len()) };
        Reader::default().cosmetic(path, old, new, &[edit])[0]
    }

    #[test]
    fn what_no_program_sees_is_cosmetic() {
        let function = "def f(a):\n    \"\"\"Says.\"\"\"\n    # why\n    return g(a, 1)\n\n\ndef h(): pass\n";
        let cosmetic = [
            function.replace("# why", "# because"),
            function.replace("    # why\n", ""),
            function.replace("Says.", "Says more.\n\n    At length."),
            function.replace("g(a, 1)", "g(\n        a,\n        1)  # long"),
            function.replace("\n\n\ndef h", "\n\n\n\n\n# here\ndef h"),
        ];
        for new in cosmetic {
            assert!(is_cosmetic("a.py", function, &new), "{new}");
            assert!(is_cosmetic("a.py", &new, function), "{new}");
        }
        let others = [
            function.replace("1)", "2)"),
            function.replace("    # why\n", "    # noqa\n"),
            function.replace("Says.", ">>> f(1)\n    2"),
            function.replace("    return", "    if a:\n        return"),
            function.replace("def f", "@command\ndef f").replace("Says.", "Says this."),
        ];
        for new in others {
            assert!(!is_cosmetic("a.py", function, &new), "{new}");
        }
        let decorated = function.replace("def f", "@command\ndef f");
        assert!(!is_cosmetic("a.py", &decorated, &decorated.replace("Says.", "Prints.")));
        assert!(!is_cosmetic(
            "a.py",
            &format!("{function}print(__doc__)\n"),
            &format!("{}print(__doc__)\n", function.replace("Says.", "So."))
        ));
    }

    #[test]
    fn every_letter_of_a_string_counts() {
        let strings = [
            ("a.py", r#"x = "one\n""#),
            ("a.py", r#"x = f"{a:.1f}""#),
            ("a.py", r#"x = b"http://one\n" # why"#),
            ("a.py", r#"def do_x(): "one""#),
            ("a.py", r#"f"""{one}""""#),
            ("a.rs", r#"const X: &str = "one\n";"#),
            ("a.rs", "/// ```\n/// assert!(one);\n/// ```\nfn f() {}"),
            ("a.rs", "#[derive(Parser)]\nstruct A {\n    /// one\n    a: u8,\n}"),
            ("a.go", "package a\nconst x = \"one\\n\""),
            ("a.js", "const x = `one\\n${y}`; // why"),
            ("a.ts", "const x = 'one\\n';"),
            ("a.tsx", "const x = <b>one &amp; {y}</b>;"),
            ("a.java", "class A { String x = \"one\\n\"; }"),
            ("a.cc", "const char* x = \"one\\n\";"),
            ("a.c", "#define X one \\\n  two\n"),
        ];
        for (path, text) in strings {
            let changed = text.replace("one", "two").replace(".1f", ".2f");
            assert!(!is_cosmetic(path, &format!("{text}\n"), &format!("{changed}\n")), "{text}");
            assert!(is_cosmetic(path, &format!("{text}\n"), &format!("{text}\n\n")), "{text}");
        }
    }

    #[test]
    fn indents_and_line_breaks_that_mean_something_are_seen() {
        let text = "def f(a):\n    if a:\n        b()\n        c()\n    s = '''\n    x\n    y\n    '''\n";
        assert!(!is_cosmetic("a.py", text, &text.replace("        c()", "    c()")));
        assert!(!is_cosmetic("a.py", text, &text.replace("    x\n", "    # x\n")), "within a string");
        assert!(!is_cosmetic("a.py", text, &text.replace("    x\n", "    x\n\n")), "within a string");
        assert!(!is_cosmetic("a.py", text, "def f(a:\n"), "what cannot be understood is none");
        assert!(!is_cosmetic("a.js", "function f() { return x; }\n", "function f() { return\nx; }\n"));
        assert!(is_cosmetic("a.js", "function f() { return x; }\n", "function f() {\n  return x; // x\n}\n"));
        assert!(is_cosmetic("a.rs", "fn f() -> u8 { 1 }\n", "/// One.\nfn f() -> u8 {\n    1\n}\n"));
        assert!(!is_cosmetic("a.go", "package a\n", "//go:build linux\n\npackage a\n"));
        assert!(is_cosmetic("a.go", "package a\n\nfunc f() {}\n", "package a\n\n// f is.\nfunc f() {}\n"));
        assert!(!is_cosmetic("a.txt", "a\n", "a \n"));
    }
}
