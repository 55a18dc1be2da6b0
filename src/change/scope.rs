//! Names of the symbols that a hunk changes, read from the diff alone: its heading, and definitions in its lines.
//!
//! No grammar: a definition is a keyword of a common language and the name after it. It serves where no spans were
//! recorded.

use crate::diff::{Hunk, LineKind};

const FUNCTIONS: [&str; 6] = ["def", "fn", "func", "function", "fun", "sub"];
const TYPES: [&str; 9] = ["class", "struct", "trait", "interface", "impl", "enum", "module", "object", "record"];

/// A symbol that changed, as far as the diff tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SymbolName<'a> {
    /// The class or the like that it stands in, where the diff shows one.
    pub(super) group: Option<&'a str>,
    /// The function, where the change is in one.
    pub(super) function: Option<&'a str>,
}

impl SymbolName<'_> {
    /// Whether `name`, a dotted name below its module, is this symbol or something it stands in.
    pub(super) fn is_within(&self, name: &str) -> bool {
        let last = name.rsplit('.').next().unwrap_or(name);
        let group = name.rsplit('.').nth(1);
        match self.function {
            Some(function) if function == last => group.is_none() || self.group.is_none_or(|own| group == Some(own)),
            _ => self.group == Some(last),
        }
    }

    /// Whether a symbol of a file, qualified with dots, has this name.
    pub(super) fn is(&self, qualified: &str) -> bool {
        let mut parts = qualified.rsplit('.');
        match (self.function, self.group) {
            (Some(function), group) => {
                parts.next() == Some(function)
                    && (group.is_none() || parts.next().is_none_or(|part| Some(part) == group))
            }
            (None, group) => parts.next() == group,
        }
    }
}

/// The name of the function or type that a hunk's heading says it is in.
pub(super) fn heading<'a>(hunk: &Hunk<'a>) -> Option<&'a str> {
    std::str::from_utf8(hunk.heading).ok().and_then(definition).map(|definition| definition.name)
}

/// The symbols around the changed lines of a hunk, sorted, without repeats.
pub(super) fn changed_symbols<'a>(hunk: &Hunk<'a>) -> Vec<SymbolName<'a>> {
    let mut scope = Scope::default();
    if let Some(definition) = std::str::from_utf8(hunk.heading).ok().and_then(definition) {
        scope.enter(definition);
    }
    let mut names: Vec<SymbolName<'a>> = Vec::new();
    for line in hunk.lines() {
        if let Some(definition) = std::str::from_utf8(line.text).ok().and_then(definition) {
            scope.enter(definition);
        }
        if line.kind != LineKind::Context && !line.text.trim_ascii().is_empty() {
            let name = SymbolName { group: scope.group.map(|g| g.name), function: scope.function.map(|f| f.name) };
            if name.group.is_some() || name.function.is_some() {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The functions that a hunk adds whose names begin as those of tests do.
pub(super) fn added_tests<'a>(hunk: &Hunk<'a>) -> impl Iterator<Item = &'a str> {
    let added = hunk.lines().filter(|line| line.kind == LineKind::Added);
    let definitions = added.filter_map(|line| std::str::from_utf8(line.text).ok().and_then(definition));
    let functions = definitions.filter(|definition| !definition.is_type).map(|definition| definition.name);
    functions.filter(|name| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("test")))
}

#[derive(Clone, Copy)]
struct Definition<'a> {
    name: &'a str,
    indent: usize,
    is_type: bool,
}

/// The definitions that the lines so far stand in.
#[derive(Default)]
struct Scope<'a> {
    group: Option<Definition<'a>>,
    function: Option<Definition<'a>>,
}

impl<'a> Scope<'a> {
    fn enter(&mut self, definition: Definition<'a>) {
        if definition.is_type {
            self.group = Some(definition);
            self.function = None;
        } else {
            // A function that is not indented deeper than the class has left it.
            self.group = self.group.filter(|group| definition.indent > group.indent);
            self.function = Some(definition);
        }
    }
}

/// The definition that a line opens, if it opens one.
fn definition(line: &str) -> Option<Definition<'_>> {
    let code = line.trim_start();
    let indent = line.len() - code.len();
    let mut words = code.split_whitespace();
    // Modifiers come first: `pub async fn`, `export default class`, `public static final class`.
    for word in words.by_ref().take(5) {
        let word = word.split('<').next().unwrap_or(word);
        let is_type = TYPES.contains(&word);
        if is_type || FUNCTIONS.contains(&word) {
            let name = words.find_map(|word| identifier(word.trim_start_matches(['*', '&', '(']), word))?;
            return Some(Definition { name, indent, is_type });
        }
        if !word.chars().all(|letter| letter.is_alphanumeric() || "_(){}@".contains(letter)) {
            return None;
        }
    }
    None
}

/// The identifier that `word` begins with. A receiver, as in Go's `func (s *Server) Close()`, is passed over.
fn identifier<'a>(word: &'a str, whole: &str) -> Option<&'a str> {
    let end = word.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(word.len());
    let is_receiver = whole.starts_with('(') || whole.ends_with(')') && !whole.contains('(');
    (end > 0 && !is_receiver).then(|| &word[..end])
}

#[cfg(test)]
mod tests {
    use super::definition;

    #[test]
    fn definitions_of_common_languages_are_seen() {
        let cases = [
            ("def fn_x(self, a):", Some(("fn_x", false))),
            ("    async def go(self):", Some(("go", false))),
            ("class ClassY(Base):", Some(("ClassY", true))),
            ("pub(crate) fn parse<'a>(input: &'a [u8]) -> X {", Some(("parse", false))),
            ("impl<T> Index<T> {", Some(("Index", true))),
            ("func (s *Server) Close() error {", Some(("Close", false))),
            ("func TestOpen(t *testing.T) {", Some(("TestOpen", false))),
            ("export default function render(props) {", Some(("render", false))),
            ("public static final class Money {", Some(("Money", true))),
            ("return class_of(x)", None),
            ("x = 1", None),
            ("# def is a word", None),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(definition(line).map(|d| (d.name, d.is_type)), want, "{line}");
        }
    }
}
