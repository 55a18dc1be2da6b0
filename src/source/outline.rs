//! What one file of source says by itself: what it defines and imports, and what each definition among tests says.
//!
//! The tree is walked with a stack of its own. A language's [`Rules`] say of a node whether it is a definition, an import,
//! or something to look into.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use rkyv::{Archive, Deserialize, Serialize};
use tree_sitter::{Node, ParseOptions, Parser, Tree};

use super::language::Language;
use super::project::Project;
use crate::observation::{LineRange, SymbolKind};
use crate::words::{Field, Word, each_word};

/// How often a parser may report progress for each kilobyte that it reads: far more than any text needs, so that none
/// makes it search without end.
const STEPS_A_KILOBYTE: usize = 4096;

/// How many times the bytes of a file the names of what it defines may take together: a name holds those of all that it
/// stands in, so that their sum grows with the square of the nesting. What people write takes less than its text.
const NAMES_A_BYTE: usize = 8;

/// What one file says.
#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// Its language.
    pub language: Language,
    /// What it defines, ascending by place; what stands in another comes after it.
    pub definitions: Vec<Definition>,
    /// What it imports, in order.
    pub imports: Vec<Import>,
    /// The package that it says it belongs to, where its language has such.
    pub package: String,
    /// Whether all of it was understood.
    pub is_whole: bool,
    /// Whether it is built at all, as far as it says so itself.
    pub is_built: bool,
}

/// Something with a name.
#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Its name within the file, with dots.
    pub name: String,
    /// Where it stands.
    pub lines: LineRange,
    /// What it is.
    pub kind: SymbolKind,
    /// The definition that it stands in.
    pub parent: Option<u32>,
    /// What a class is derived from, as written.
    pub bases: Vec<String>,
    /// What is written before it says.
    pub marks: Marks,
    /// Its words with their counts, ascending, if it may be a test and stands where tests do.
    pub words: Vec<(Word, u32)>,
}

impl Definition {
    /// Its name without what it stands in.
    pub fn last_name<'a>(&'a self, of: &'a [Definition]) -> &'a str {
        let outer = self.parent.map_or(0, |parent| of[parent as usize].name.len() + 1);
        self.name.get(outer..).unwrap_or(&self.name)
    }
}

/// What decorators, attributes and annotations say of a definition.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Marks {
    /// That it is a test.
    pub is_test: bool,
    /// That it is never run, or not by itself, or may not be there.
    pub is_left_out: bool,
}

fn words_of(text: &str) -> Vec<(Word, u32)> {
    let mut words: BTreeMap<Word, u32> = BTreeMap::new();
    each_word(text, Field::Text, |word| *words.entry(word).or_default() += 1);
    words.into_iter().collect()
}

/// A name that comes from another file.
#[derive(Archive, Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The module, as written, without leading dots.
    pub module: String,
    /// How many folders up it is looked for, 1 being the file's own; 0 where it is absolute.
    pub level: u32,
    /// What of the module is meant; empty for the module itself, `*` for all of it.
    pub name: String,
    /// What it is called here.
    pub alias: String,
}

/// What a node is.
pub(super) enum Role<'t> {
    /// Nothing to look into.
    Leaf,
    /// Something that definitions may stand in.
    Open,
    /// As [`Role::Open`], but what stands in it may not be there when it runs.
    Doubtful,
    /// It says that what it stands in is not run.
    LeftOut,
    /// A definition.
    Definition(Defined<'t>),
    /// Definitions that a macro makes of what stands in it; nothing else to look into.
    Definitions(Vec<Defined<'t>>),
    /// Names from other files; nothing to look into.
    Imports(Vec<Import>),
    /// The package of the file.
    Package(String),
}

/// A definition, as its language's rules see it.
pub(super) struct Defined<'t> {
    pub(super) name: String,
    pub(super) kind: SymbolKind,
    /// What its lines are.
    pub(super) symbol: Node<'t>,
    /// What stands in it.
    pub(super) inside: Option<Node<'t>>,
    pub(super) bases: Vec<String>,
    pub(super) marks: Marks,
    /// Whether what stands in it is among tests, whatever the rest of the file is.
    pub(super) holds_tests: bool,
}

impl<'t> Defined<'t> {
    /// A definition with nothing said of it.
    pub(super) fn new(name: impl Into<String>, kind: SymbolKind, symbol: Node<'t>) -> Self {
        Self {
            name: name.into(),
            kind,
            symbol,
            inside: symbol.child_by_field_name("body"),
            bases: Vec::new(),
            marks: Marks::default(),
            holds_tests: false,
        }
    }

    /// Whether it is of a kind that runners collect.
    fn may_be_test(&self) -> bool {
        self.kind == SymbolKind::Function || self.marks.is_test
    }
}

/// What the rules see of a node.
pub(super) struct Place<'a> {
    /// The text of the file.
    pub(super) text: &'a str,
    /// What is written before the node and belongs to it.
    pub(super) marks: &'a str,
    /// Whether it stands among tests.
    pub(super) is_in_test: bool,
}

impl<'a> Place<'a> {
    /// The text of a node.
    pub(super) fn of(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or("")
    }

    /// The text of a field of a node, empty where it has none.
    pub(super) fn field(&self, node: Node<'_>, name: &str) -> &'a str {
        node.child_by_field_name(name).map_or("", |field| self.of(field))
    }
}

/// What a language, and the runners of its tests, mean.
pub(super) trait Rules: Sync {
    /// What a node is.
    fn role<'t>(&self, node: Node<'t>, place: &Place<'_>) -> Role<'t>;

    /// Whether a node belongs to the one after it.
    fn is_mark(&self, _node: Node<'_>) -> bool {
        false
    }

    /// Whether all that a file holds is there for tests.
    fn is_test_file(&self, path: &str) -> bool;

    /// Whether the file is built, as far as it says so.
    fn is_built(&self, _path: &str, _text: &str) -> bool {
        true
    }

    /// Other files that tell how the tests of a file are called, if they are there.
    fn companions(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    /// The tests of a file: ids as the runner takes them.
    fn tests(&self, project: &Project, file: usize) -> Vec<super::project::TestItem>;

    /// The files that may define what a file imports, the likeliest first: a class has the tests of those that it is derived
    /// from. None in languages without such.
    fn targets(&self, _project: &Project, _file: usize, _import: &Import) -> Vec<usize> {
        Vec::new()
    }
}

/// Reads files; holds what parsing them needs.
#[derive(Default)]
pub struct Reader {
    parsers: HashMap<Language, Parser>,
}

impl Reader {
    /// Reads the file at `path`, relative to the root of its tree with forward slashes. `None` for a language that has no
    /// grammar, and for what is no text or takes a parser too long.
    pub fn read(&mut self, path: &str, bytes: &[u8]) -> Option<Outline> {
        let language = Language::of_path(path)?;
        if bytes.contains(&0) {
            return None;
        }
        // Of a file in another encoding the lines are right, and the names that are ASCII.
        let text = String::from_utf8_lossy(bytes);
        Some(walk(language, path, &text, self.parse(language, &text)?.root_node()))
    }

    /// The syntax tree of a text; `None` where that takes a parser too long.
    pub(super) fn parse(&mut self, language: Language, text: &str) -> Option<Tree> {
        let parser = self.parsers.entry(language).or_default();
        // A test makes sure of it for every grammar.
        parser.set_language(&language.grammar()).ok()?;
        let mut left = (text.len() / 1024 + 1) * STEPS_A_KILOBYTE;
        let mut step = |_: &_| {
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let bytes = text.as_bytes();
        let mut rest = |at: usize, _| bytes.get(at..).unwrap_or_default();
        let options = ParseOptions::new().progress_callback(&mut step);
        let tree = parser.parse_with_options(&mut rest, None, Some(options));
        if tree.is_none() {
            parser.reset();
        }
        tree
    }
}

/// A node whose children are to be seen.
struct Entry<'t> {
    node: Node<'t>,
    around: Around,
    marks: (usize, usize),
}

/// What holds for all that stands in a node.
#[derive(Clone, Copy)]
struct Around {
    parent: Option<u32>,
    is_in_test: bool,
    is_doubtful: bool,
    /// Whether the words of what it stands in are known: what stands in a test is none.
    is_said: bool,
}

fn walk(language: Language, path: &str, text: &str, root: Node<'_>) -> Outline {
    let rules = language.rules();
    let mut outline = Outline {
        language,
        definitions: Vec::new(),
        imports: Vec::new(),
        package: String::new(),
        is_whole: !root.has_error(),
        is_built: rules.is_built(path, text),
    };
    let mut names_left = text.len().saturating_mul(NAMES_A_BYTE);
    let mut stack = Vec::new();
    let around = Around { parent: None, is_in_test: rules.is_test_file(path), is_doubtful: false, is_said: false };
    push_children(rules, root, around, &mut stack);
    while let Some(Entry { node, around, marks }) = stack.pop() {
        let place = Place { text, marks: text.get(marks.0..marks.1).unwrap_or(""), is_in_test: around.is_in_test };
        match rules.role(node, &place) {
            Role::Leaf => {}
            Role::Open => push_children(rules, node, around, &mut stack),
            Role::Doubtful => push_children(rules, node, Around { is_doubtful: true, ..around }, &mut stack),
            Role::LeftOut => match around.parent {
                Some(parent) => outline.definitions[parent as usize].marks.is_left_out = true,
                None => outline.is_built = false,
            },
            Role::Imports(imports) => outline.imports.extend(imports),
            Role::Package(package) => outline.package = package,
            Role::Definitions(all) => {
                for defined in all {
                    let symbol = defined.symbol;
                    let is_said = defined.may_be_test() && (around.is_in_test || defined.holds_tests);
                    let says = is_said.then(|| ((symbol.start_byte(), symbol.start_byte()), symbol));
                    outline.add(text, defined, around.parent, says, &mut names_left);
                }
            }
            Role::Definition(mut defined) => {
                defined.marks.is_left_out |= around.is_doubtful;
                let is_in_test = around.is_in_test || defined.holds_tests;
                let is_said = is_in_test && !around.is_said && defined.may_be_test();
                let inside = defined.inside;
                let own = outline.add(text, defined, around.parent, is_said.then_some((marks, node)), &mut names_left);
                if let (Some(inside), Some(_)) = (inside, own) {
                    let is_said = is_said || around.is_said;
                    let within = Around { parent: own, is_in_test, is_doubtful: false, is_said };
                    push_children(rules, inside, within, &mut stack);
                }
            }
        }
    }
    outline
}

/// Puts the named children of a node on the stack, the last first.
fn push_children<'t>(rules: &dyn Rules, node: Node<'t>, around: Around, stack: &mut Vec<Entry<'t>>) {
    let from = stack.len();
    let mut marks: Option<(usize, usize)> = None;
    for child in node.named_children(&mut node.walk()) {
        if rules.is_mark(child) {
            marks = Some((marks.map_or(child.start_byte(), |marks| marks.0), child.end_byte()));
            continue;
        }
        let before = marks.take().unwrap_or((child.start_byte(), child.start_byte()));
        stack.push(Entry { node: child, around, marks: before });
    }
    stack[from..].reverse();
}

impl Outline {
    /// Whether what it says can be an outline: one that comes from a file may say anything.
    pub(super) fn is_sound(&self) -> bool {
        let is_before = |at: usize, parent: u32| (parent as usize) < at;
        let fits = |(at, it): (usize, &Definition)| {
            let outer = it.parent.filter(|&parent| is_before(at, parent));
            let starts = |outer: u32| {
                let rest = it.name.strip_prefix(&self.definitions[outer as usize].name);
                rest.is_some_and(|rest| rest.starts_with('.'))
            };
            it.lines.first > 0 && it.lines.first <= it.lines.last && (it.parent.is_none() || outer.is_some_and(starts))
        };
        self.definitions.iter().enumerate().all(fits)
    }

    /// Adds a definition and gives its position; what has no name is none, nor is what is called by more than `names_left`,
    /// which it takes its name from.
    fn add(
        &mut self,
        text: &str,
        defined: Defined<'_>,
        parent: Option<u32>,
        says: Option<((usize, usize), Node<'_>)>,
        names_left: &mut usize,
    ) -> Option<u32> {
        let Defined { name, kind, symbol, bases, marks, .. } = defined;
        if name.is_empty() {
            return None;
        }
        let own = u32::try_from(self.definitions.len()).ok()?;
        let outer = parent.map_or(0, |parent| self.definitions[parent as usize].name.len() + 1);
        let Some(left) = names_left.checked_sub(outer + name.len()) else {
            self.is_whole = false;
            return None;
        };
        *names_left = left;
        let name = match parent {
            Some(parent) => format!("{}.{name}", self.definitions[parent as usize].name),
            None => name,
        };
        let line = |row: usize| u32::try_from(row + 1).unwrap_or(u32::MAX);
        let (first, last) = (line(symbol.start_position().row), line(symbol.end_position().row));
        // A node that ends at the start of a line ends before it.
        let last = if symbol.end_position().column == 0 { last - 1 } else { last };
        let words = says.map_or(Vec::new(), |(marks, node)| {
            words_of(text.get(marks.0.min(node.start_byte())..node.end_byte()).unwrap_or(""))
        });
        let lines = LineRange { first, last: last.max(first) };
        self.definitions.push(Definition { name, lines, kind, parent, bases, marks, words });
        Some(own)
    }
}
