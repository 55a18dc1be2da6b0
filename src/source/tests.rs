//! Small trees in each language, and what their runners would collect.

use super::*;
use crate::observation::Observations;
use crate::words::Word;

/// The tests and symbols of a tree of these files.
fn observed(files: &[(&str, &str)]) -> (Vec<String>, Observations, Found) {
    let mut reader = Reader::default();
    let (mut outlines, mut manifests) = (Vec::new(), Vec::new());
    for (path, text) in files {
        if let Some(manifest) = Manifest::read(path, text.as_bytes()) {
            manifests.push(((*path).to_owned(), manifest));
        } else if let Some(outline) = reader.read(path, text.as_bytes()) {
            outlines.push(((*path).to_owned(), outline));
        }
    }
    let mut seen = Observations::default();
    let found = Project::new(outlines, manifests).observe(&mut seen);
    let mut ids: Vec<String> = seen.test_names().iter().cloned().collect();
    ids.sort();
    (ids, seen, found)
}

fn tests(files: &[(&str, &str)]) -> Vec<String> {
    observed(files).0
}

/// Symbols of a file: name, first and last line.
fn symbols(path: &str, text: &str) -> Vec<(String, u32, u32)> {
    let (_, seen, _) = observed(&[(path, text)]);
    let file = seen.known_file(path).unwrap();
    let of = &seen.files()[file.0 as usize].symbols;
    of.iter().map(|symbol| (symbol.name.clone(), symbol.lines.first, symbol.lines.last)).collect()
}

#[test]
fn pytest_collects_functions_and_methods() {
    let text = "
import pytest
from base import Base, Missing

def test_a(): pass
def helper(): pass

@pytest.fixture
def test_client(): pass

@pytest.mark.parametrize('x', [1, 2])
def test_b(x):
    def test_inner(): pass

class TestC:
    def test_d(self): pass
    class TestDeeper:
        async def test_e(self): pass

class TestWithInit:
    def __init__(self): pass
    def test_no(self): pass

class Case(unittest.TestCase):
    def testF(self): pass
    def helper(self): pass

class TestOff:
    __test__ = False
    def test_no(self): pass

class TestDerived(Base):
    def test_own(self): pass

if sys.platform == 'win32':
    def test_maybe(): pass

class Plain:
    def test_no(self): pass
";
    let base = "class Base:\n    def test_inherited(self): pass\n    def test_own(self): pass\n";
    let want = [
        "tests/test_x.py::Case::testF",
        "tests/test_x.py::TestC::TestDeeper::test_e",
        "tests/test_x.py::TestC::test_d",
        "tests/test_x.py::TestDerived::test_inherited",
        "tests/test_x.py::TestDerived::test_own",
        "tests/test_x.py::test_a",
        "tests/test_x.py::test_b",
    ];
    assert_eq!(tests(&[("tests/test_x.py", text), ("tests/base.py", base)]), want);
}

#[test]
fn pytest_settings_say_what_is_collected() {
    let text = "def check_a(): pass\ndef test_b(): pass\n";
    let settings = "[tool.pytest.ini_options]\npython_files = 'check_*.py'\npython_functions = ['check_*']\n";
    let files = [("pyproject.toml", settings), ("check_x.py", text), ("test_x.py", text)];
    assert_eq!(tests(&files), ["check_x.py::check_a"]);
    let settings = "[tool.pytest]\nminversion = '9.0'\npython_files = ['check_*.py']\ntestpaths = ['a']\n";
    let files = [("pyproject.toml", settings), ("a/check_x.py", text), ("b/check_x.py", text), ("a/test_x.py", text)];
    assert_eq!(tests(&files), ["a/check_x.py::test_b"]);
    let ini = "[pytest]\npython_functions =\n    check\n    test\ntestpaths = unit  # the rest is slow\n";
    let files = [("a/pytest.ini", ini), ("a/unit/test_x.py", text), ("a/slow/test_y.py", text), ("test_z.py", text)];
    assert_eq!(tests(&files), ["a/unit/test_x.py::check_a", "a/unit/test_x.py::test_b", "test_z.py::test_b"]);
    let files = [("pyproject.toml", settings), ("pytest.ini", ""), ("tox.ini", ini), ("test_x.py", text)];
    assert_eq!(tests(&files), ["test_x.py::test_b"], "`pytest.ini` comes first, even an empty one");
}

#[test]
fn a_module_that_may_skip_itself_has_no_certain_tests() {
    assert_eq!(tests(&[("test_x.py", "import pytest\npytest.importorskip('numpy')\ndef test_a(): pass\n")]), [""; 0]);
    let within = "def test_a():\n    pytest.importorskip('numpy')\n";
    assert_eq!(tests(&[("test_x.py", within)]), ["test_x.py::test_a"]);
}

#[test]
fn bases_are_found_through_packages_and_what_they_hand_on() {
    let derived = "from ..common import Shared\nclass TestA(Shared):\n    pass\n";
    let files = [
        ("p/common/__init__.py", "from .impl import *\nfrom .impl import _Shared as Shared\n"),
        ("p/common/impl.py", "class _Shared:\n    def test_s(self): pass\n"),
        ("p/unit/test_a.py", derived),
        // Another package of the same name is not the one that is meant.
        ("q/common/__init__.py", "class Shared:\n    def test_other(self): pass\n"),
        ("q/unit/test_a.py", "from common import Shared\nclass TestB(Shared): pass\n"),
    ];
    assert_eq!(tests(&files), ["p/unit/test_a.py::TestA::test_s", "q/unit/test_a.py::TestB::test_other"]);
    let around = "class TestA(TestB):\n    pass\nclass TestB(TestA):\n    def test_x(self): pass\n";
    assert_eq!(tests(&[("test_a.py", around)]), ["test_a.py::TestA::test_x", "test_a.py::TestB::test_x"]);
}

#[test]
fn python_symbols_have_their_spans() {
    let text = "X = 1\n\n@decorated\ndef f():\n    return 1\n\nclass C:\n    a = 1\n    async def m(self):\n        pass\n\n\ndef last(): pass\n";
    let want = [("f", 4, 5), ("C", 7, 10), ("C.m", 9, 10), ("last", 13, 13)];
    assert_eq!(symbols("a.py", text), want.map(|(name, first, last)| (name.to_owned(), first, last)));
}

#[test]
fn nextest_names_binaries_and_modules() {
    let inline = "
pub fn parse() {}
impl<T> Index<T> { fn open() {} }
#[cfg(test)]
mod tests {
    use super::*;
    fn helper() {}
    #[test]
    fn empty() {}
    /// Said of it.
    #[tokio::test(flavor = \"multi_thread\")]
    async fn waits() {}
    #[test]
    #[ignore]
    fn slow() {}
    #[cfg(windows)]
    #[test]
    fn elsewhere() {}
    mod deeper { #[test] fn inner() {} }
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        /// Said of it.
        #[test]
        fn holds(value in 0..10u32, (a, b) in pair()) { prop_assert!(value < 10); }
        fn no_test(value in 0..10u32) {}
        #[ignore]
        #[test]
        fn slow_property(value in 0..10u32) {}
    }
}
";
    let one = "#[test]\nfn alone() {}\n";
    let files = [
        ("crates/a/Cargo.toml", "[package]\nname = \"a-b\"\n[[test]]\nname = \"named\"\npath = \"it/x.rs\"\n"),
        (
            "crates/a/src/lib.rs",
            "mod diff;\n#[cfg(windows)] mod win;\n#[path = \"odd_file.rs\"] mod odd;\nmod closed;\n#[test]\nfn alone() {}\n",
        ),
        ("crates/a/src/diff/parse.rs", inline),
        ("crates/a/src/diff/mod.rs", "pub mod parse;\n#[test]\nfn alone() {}\n"),
        ("crates/a/src/win.rs", one),
        ("crates/a/src/closed/mod.rs", "#![cfg(feature = \"f\")]\nmod inner;\n#[test]\nfn alone() {}\n"),
        ("crates/a/src/closed/inner.rs", one),
        ("crates/a/tests/closed.rs", "#![cfg(all(test, feature = \"f\"))]\n#[test]\nfn alone() {}\n"),
        ("crates/a/src/odd.rs", one),
        ("crates/a/src/odd_file.rs", one),
        ("crates/a/src/orphan.rs", one),
        ("crates/a/src/main.rs", one),
        ("crates/a/src/bin/tool.rs", one),
        ("crates/a/tests/cli.rs", one),
        ("crates/a/tests/all/main.rs", "mod x;\n"),
        ("crates/a/tests/all/x.rs", one),
        ("crates/a/tests/common/mod.rs", one),
        ("crates/a/it/x.rs", one),
    ];
    let want = [
        "a-b alone",
        "a-b diff::alone",
        "a-b diff::parse::tests::deeper::inner",
        "a-b diff::parse::tests::empty",
        "a-b diff::parse::tests::holds",
        "a-b diff::parse::tests::waits",
        "a-b::all x::alone",
        "a-b::bin/a-b alone",
        "a-b::bin/tool alone",
        "a-b::cli alone",
        "a-b::named alone",
    ];
    assert_eq!(tests(&files), want);
    assert_eq!(
        symbols("src/a.rs", inline).into_iter().map(|it| it.0).take(4).collect::<Vec<_>>(),
        ["parse", "Index", "Index.open", "tests"]
    );
}

#[test]
fn conditions_of_rust_are_read() {
    let text = "
#[cfg(any(unix, windows))]
#[test] fn a() {}
#[cfg(not(all(test, miri)))]
#[test] fn b() {}
#[cfg_attr(miri, ignore)]
#[test] fn c() {}
#[cfg_attr(not(miri), ignore = \"it says why, ignored or not\")]
#[test] fn ignored() {}
#[cfg(not(any(feature = \"f\", debug_assertions)))]
#[test] fn unbuilt() {}
#[cfg(any(feature = \"f\", target_os = \"none\"))]
#[test] fn unknown() {}
";
    let files = [("Cargo.toml", "[package]\nname = \"p\"\n"), ("src/lib.rs", text)];
    assert_eq!(tests(&files), ["p a", "p b", "p c"]);
    let deep = format!("#[cfg({}unix{})]\n#[test]\nfn a() {{}}\n", "not(".repeat(9000), ")".repeat(9000));
    assert_eq!(tests(&[files[0], ("src/lib.rs", &deep)]), [""; 0], "nesting costs no stack");
}

#[test]
fn proptest_is_looked_into() {
    let text = "
proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Said of it.
    #[test]
    fn laws_hold(a in any::<u8>(), b in 0..3_u8) {
        let checkout = { a };
    }

    #[test]
    #[ignore]
    fn slow(a in any::<u8>()) {}
    fn helper() {}
}
#[cfg(test)]
mod tests { proptest::proptest! { #[test] fn inner(x in 0..1) {} } }
other! { #[test] fn unknown() {} }
";
    let files = [("Cargo.toml", "[package]\nname = \"p\"\n"), ("src/lib.rs", text)];
    assert_eq!(tests(&files), ["p laws_hold", "p tests::inner"]);
    assert_eq!(symbols("src/lib.rs", text)[0], ("laws_hold".to_owned(), 7, 9));
}

#[test]
fn cargo_runs_the_packages_of_a_workspace() {
    let one = "#[test]\nfn alone() {}\n";
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\", \"b\"]\nexclude = [\"other\"]\n"),
        ("src/lib.rs", one),
        ("crates/a/Cargo.toml", "[package]\nname = \"a\"\nautotests = false\n[lib]\ntest = false\n"),
        ("crates/a/src/lib.rs", one),
        ("crates/a/src/main.rs", one),
        ("crates/a/tests/x.rs", one),
        (
            "b/Cargo.toml",
            "[package]\nname = \"b\"\n[lib]\nname = \"c\"\npath = \"src/lib.rs\"\n[[test]]\nname = \"own\"\nharness = false\n",
        ),
        ("b/src/lib.rs", one),
        ("b/tests/own.rs", one),
        ("b/benches/x.rs", one),
        ("b/examples/x.rs", one),
        ("other/Cargo.toml", "[package]\nname = \"other\"\n"),
        ("other/src/lib.rs", one),
    ];
    assert_eq!(tests(&files), ["a::bin/a alone", "b alone"]);
}

#[test]
fn go_tests_have_their_package() {
    let text = "package x\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {}\nfunc Testb(t *testing.T) {}\nfunc TestMain(m *testing.M) {}\n\
                func FuzzC(f *testing.F) {}\nfunc TestHelper(t testing.TB) {}\nfunc (s *Suite) TestD(t *testing.T) {}\n";
    let tagged = format!("//go:build integration\n\n{text}");
    let untagged = "//go:build (x && y) || !race && go1.9\n\npackage x\nfunc TestE(t *testing.T) {}\n\
                    func ExampleF() {\n\t// Output:\n\t// x\n}\nfunc ExampleG() {}\n";
    let files = [
        ("go.mod", "module example.com/m // here\n\ngo 1.22\n"),
        ("a_test.go", text),
        ("sub/x/b_test.go", text),
        ("sub/x/c_test.go", &tagged),
        ("sub/x/d_test.go", untagged),
        ("sub/x/e_windows_test.go", text),
        ("sub/x/f.go", text),
        ("sub/testdata/h_test.go", text),
        ("_old/h_test.go", text),
        ("other/go.mod", "module other.org/o\n"),
        ("other/g_test.go", untagged),
    ];
    let want = [
        "example.com/m.FuzzC",
        "example.com/m.TestA",
        "example.com/m/sub/x.ExampleF",
        "example.com/m/sub/x.FuzzC",
        "example.com/m/sub/x.TestA",
        "example.com/m/sub/x.TestE",
        "other.org/o.ExampleF",
        "other.org/o.TestE",
    ];
    assert_eq!(tests(&files), want);
    let text = "package x\n\nfunc (s *Set[T]) Add() {\n}\n\ntype Set struct {\n}\n";
    assert_eq!(symbols("a.go", text), [("Set.Add".to_owned(), 3, 4), ("Set".to_owned(), 6, 7)]);
}

#[test]
fn junit_runs_methods_of_classes_that_are_not_abstract() {
    let base = "package a.b;\npublic abstract class Base {\n  @Test void inherited() {}\n  @Test void own() {}\n}\n";
    let text = "package a.b;\nimport org.junit.jupiter.api.*;\nclass XTest extends Base {\n  @BeforeEach void setUp() {}\n  @Test void own() {}\n  \
                @ParameterizedTest(name = \"x\") @ValueSource(ints = 1) void each(int x) {}\n  @Disabled @Test void off() {}\n  void helper() {}\n  \
                @Nested class Inner { @Test void deep() {} }\n  \
                static class Plain { @Test void flat() {} }\n  class Inside { @Test void no() {} }\n  @Test private void hidden() {}\n}\n\
                interface Contract { @Test default void agreed() {} }\n";
    let old = "import junit.framework.TestCase;\npublic class OldTest extends TestCase { public void testIt() {} void other() {} }\n";
    let files = [
        ("src/test/java/a/b/XTest.java", text),
        ("src/test/java/a/b/Base.java", base),
        ("src/test/java/OldTest.java", old),
    ];
    let want = [
        "OldTest#testIt",
        "a.b.XTest#each",
        "a.b.XTest#inherited",
        "a.b.XTest#own",
        "a.b.XTest$Inner#deep",
        "a.b.XTest$Plain#flat",
    ];
    assert_eq!(tests(&files), want);
}

#[test]
fn script_tests_are_called_by_their_titles() {
    let text = "
import { sum } from './sum';
const helper = () => {};
describe('sum', () => {
  beforeEach(() => {});
  it('adds', () => { expect(sum(1, 2)).toBe(3); });
  it.skip('is off', () => {});
  it.each([[1], [2]])('adds %i to nothing', (n) => {});
  describe(\"nested\", function () {
    test(`works`, async () => {});
  });
});
test(' it\\'s (100 %) \"alone\" ', () => {});
it(`sees ${sum(1, 2)}`, () => {});
xit('off', () => {});
test(name, () => {});
";
    let files =
        [("src/sum.test.ts", text), ("src/sum.ts", "export function sum(a: number, b: number) { return a + b; }\n")];
    let want = [
        " it's (100 %) \"alone\" ",
        "${name}",
        "sees ${sum(1, 2)}",
        "sum adds",
        "sum adds %i to nothing",
        "sum nested works",
    ];
    assert_eq!(tests(&files), want.map(|title| format!("src/sum.test.ts::{title}")));
    let text = "describe('a', () => { it('b', f); it.only('c', f); });\ndescribe.only('d', () => { it('e', f); });\ntest('f', f);\n";
    assert_eq!(tests(&[("a.test.js", text)]), ["a.test.js::a c", "a.test.js::d e"]);
    let text = "
function runs(name) {
  describe('plain', () => {
    for (const c of cases) { it('sees ' + c.name + '!', f); }
    cases.forEach((c) => { if (c) test(c.title, f); });
  });
}
const arrow = () => { it('works', f); };
helper(() => 1);
runs('x');
";
    let want = ["${arrow} works", "${runs} plain ${c.title}", "${runs} plain sees ${c.name}!"];
    assert_eq!(tests(&[("a.test.js", text)]), want.map(|title| format!("a.test.js::{title}")));
    let names = |path, text| symbols(path, text).into_iter().map(|it| it.0).collect::<Vec<_>>();
    let text = "export const f = async () => {};\nexport default class A { m() {} static s = 1 }\nfunction g() {}\n";
    for path in ["a.js", "a.ts", "a.tsx"] {
        assert_eq!(names(path, text), ["f", "A", "A.m", "g"], "{path}");
    }
}

#[test]
fn google_tests_have_a_suite() {
    let text = "#include <gtest/gtest.h>\nnamespace a {\nTEST(Sum, Adds) {\n  EXPECT_EQ(1, 1);\n}\nTEST_F(Fix, DISABLED_Off) {}\nint helper(int x) { return x; }\n}\n#if 0\nTEST(Sum, Gone) {}\n#endif\n";
    assert_eq!(tests(&[("sum_test.cc", text)]), ["Sum.Adds"]);
    let text = "class A {\n  int m() const { return 1; }\n};\nint A::n() {\n  return 2;\n}\nstatic void *f(void) { return 0; }\n";
    let names: Vec<String> = symbols("a.cc", text).into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["A", "A.m", "A.n", "f"]);
}

#[test]
fn what_was_recorded_stays_and_gets_its_text() {
    let mut seen = Observations::default();
    let variants = ["test_a.py::test_x[1]", "test_a.py::test_x[2]"].map(|id| seen.test(id));
    let outline =
        Reader::default().read("test_a.py", b"def test_x(n): assert checkout(n)\ndef test_y(): pass\n").unwrap();
    let found = Project::new(vec![("test_a.py".to_owned(), outline)], Vec::new()).observe(&mut seen);
    assert_eq!((found.known, found.new), (1, 1));
    assert_eq!(seen.test_names().len(), 3);
    assert!(variants.iter().all(|test| seen.tests()[test.0 as usize].has_text));
}

#[test]
fn a_recording_that_calls_tests_otherwise_gets_none_of_the_usual_names() {
    let outlines = || {
        let outline = Reader::default().read("test_a.py", b"def test_x(): pass\n").unwrap();
        vec![("test_a.py".to_owned(), outline)]
    };
    let observe = |id: &str, path: &str| {
        let mut seen = Observations::default();
        let (test, file) = (seen.test(id), seen.file(path));
        seen.cover(test, file, &[crate::observation::LineRange::single(1)].into_iter().collect());
        Project::new(outlines(), Vec::new()).observe(&mut seen).new
    };
    assert_eq!(observe("test_a.TestA.test_x", "a.py"), 0);
    assert_eq!(observe("test_a.TestA.test_x", "a.go"), 1);
    assert_eq!(observe("test_b.py::test_y", "a.py"), 1, "another shard");
}

#[test]
fn broken_and_deep_text_is_passed_over() {
    let broken = "def f(:\n  ???\n\ndef test_after():\n    pass\n";
    let (ids, _, found) = observed(&[("test_a.py", broken)]);
    assert_eq!((ids.len(), found.broken), (1, vec!["test_a.py".to_owned()]));
    let mut reader = Reader::default();
    assert!(reader.read("a.py", b"\0\0").is_none());
    assert!(reader.read("a.txt", b"x").is_none());
    let latin = reader.read("a.py", b"def f():\n    return '\xe9'\n\ndef g(): pass\n").unwrap();
    assert_eq!(latin.definitions[1].lines.first, 4);
    for open in ["(", "[", "{", "if x:\n ", "class A:\n "] {
        let deep: String = (0..20_000).map(|_| open).collect();
        for path in ["a.py", "a.rs", "a.go", "a.js", "a.ts", "a.java", "a.cc", "a.c"] {
            reader.read(path, deep.as_bytes());
        }
    }
}

#[test]
fn nesting_takes_no_more_than_its_text_is_worth() {
    let nested = |open: &str, close: &str| open.repeat(20_000) + &close.repeat(20_000);
    let long = format!("mod {} {{{}}}", "a".repeat(100_000), "#[test] fn t() {}\n".repeat(20_000));
    let files = [
        ("Cargo.toml", "[package]\nname = \"p\"\n".to_owned()),
        ("tests/a.rs", nested("mod a { #[test] fn t() {} ", "}")),
        ("tests/b.rs", long),
        ("src/test/java/ATest.java", nested("class ATest { @Test void t() {} @Nested ", "}")),
        ("a.test.js", nested("describe('a', () => { it('t', () => {}); ", "});")),
        ("a_test.cc", nested("namespace a { TEST(A, T) {} class B { ", "}; }")),
        ("test_a.py", (0..1_000).map(|deep| format!("{}class TestA:\n", " ".repeat(deep))).collect()),
        ("test_b.py", (0..1_000).map(|deep| format!("{}def test_a():\n", " ".repeat(deep))).collect()),
    ];
    let mut reader = Reader::default();
    for (path, text) in &files[1..] {
        let definitions = reader.read(path, text.as_bytes()).unwrap().definitions;
        let held: usize = definitions.iter().map(|it| it.name.len() + it.words.len() * size_of::<(Word, u32)>()).sum();
        assert!(held <= 16 * text.len(), "{path}: {held} of {}", text.len());
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let (_, _, found) = observed(&files);
    assert!(found.broken.contains(&"tests/a.rs".to_owned()), "{:?}", found.broken);
}
