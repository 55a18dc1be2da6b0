//! Models from the source alone, with the real git and pytest: the first select in a tree where nothing was recorded, and
//! the tests that a diff adds.

use std::{collections::BTreeSet, fs, io::Write as _, path::Path, process::Command};

use covopt::id::TestId;
use covopt::model::Index;

use crate::shop::{Shop, recorded_cases};

const XARGS_COMMAND_FAILED: i32 = 123;
const SELECT: &str = "git diff | covopt select -t 2";

/// A shop in which nothing was recorded.
fn unrecorded() -> Shop {
    let shop = Shop::recorded();
    shop.sh("rm -f .coverage junit.xml").expect_code(0);
    shop
}

fn break_it(shop: &Shop) {
    shop.edit("shop/discounts.py", "quantity >= pieces", "quantity > pieces");
}

/// The ids of the model at the root.
fn ids(shop: &Shop) -> BTreeSet<String> {
    let bytes = fs::read(shop.path().join(".covopt")).unwrap();
    let index = Index::open(bytes).unwrap();
    (0..index.root().tests).map(|test| index.test_name(TestId(test)).unwrap()).collect()
}

/// The recorded ids without parameters.
fn functions() -> BTreeSet<String> {
    recorded_cases().keys().map(|id| id.split('[').next().unwrap().to_owned()).collect()
}

#[test]
fn the_source_has_the_tests_that_pytest_collects() {
    let shop = unrecorded();
    let built = shop.sh("covopt build").expect_code(0);
    assert!(built.stderr.contains("the source of"), "{}", built.stderr);
    assert_eq!(ids(&shop), functions());
}

#[test]
fn the_first_select_catches_a_defect_where_nothing_was_recorded() {
    let shop = unrecorded();
    break_it(&shop);
    shop.sh("git diff | covopt select -t 2 | xargs -r pytest").expect_code(XARGS_COMMAND_FAILED);
    let report = shop.report().expect("pytest ran");
    assert!(report.values().any(|case| case.failed), "{report:?}");
    let ran: BTreeSet<&str> = report.keys().map(|id| id.split('[').next().unwrap()).collect();
    let selected = shop.sh(SELECT).expect_code(0);
    assert_eq!(ran, selected.stdout.lines().collect(), "pytest ran what was selected");
    assert!(ran.len() < functions().len() / 2, "{ran:?}");
    assert!(selected.stderr.contains("source model"), "{}", selected.stderr);
}

#[test]
fn a_recording_and_the_source_are_one_model() {
    let shop = Shop::recorded();
    shop.edit(
        "tests/unit/test_stock.py",
        "def test_running_low",
        "def test_never_recorded(): pass\n\n\ndef test_running_low",
    );
    shop.sh("covopt build").expect_code(0);
    let mut want: BTreeSet<String> = recorded_cases().keys().cloned().collect();
    want.insert("tests/unit/test_stock.py::test_never_recorded".to_owned());
    assert_eq!(ids(&shop), want, "variants stay what they are, and what was never recorded joins them");
}

#[test]
fn what_is_no_cache_is_neither_read_nor_replaced() {
    let shop = unrecorded();
    let own = shop.path().join(".covopt.outlines");
    fs::write(&own, "mine").unwrap();
    shop.sh("covopt build").expect_code(0);
    assert_eq!(fs::read(&own).unwrap(), b"mine");
    shop.sh("rm .covopt.outlines && mkfifo .covopt.outlines && covopt build").expect_code(0);
    shop.sh("rm .covopt.outlines && ln -s README.md .covopt.outlines && covopt build").expect_code(0);
    assert!(own.is_symlink());
    shop.sh("rm .covopt.outlines && covopt build").expect_code(0);
    let written = fs::read(&own).unwrap();
    assert!(written.starts_with(b"covout\0"));
    fs::write(&own, &written[..40]).unwrap();
    shop.sh("covopt build").expect_code(0);
    assert_eq!(fs::read(&own).unwrap().len(), written.len(), "one that is damaged is made again");
}

#[test]
fn the_tests_that_a_diff_adds_come_first() {
    for shop in [Shop::with_model(), unrecorded()] {
        // Where there is no model, the first call makes one of the tree before the diff.
        break_it(&shop);
        let was = "def test_running_low";
        shop.edit("tests/unit/test_stock.py", was, &format!("def test_new():\n    assert 1 == 2\n\n\n{was}"));
        fs::write(shop.path().join("tests/unit/test_fresh.py"), "class TestA:\n    def test_b(self):\n        pass\n")
            .unwrap();
        fs::write(shop.path().join("tests/unit/helpers.py"), "def test_no():\n    pass\n").unwrap();
        shop.sh("git add -N .").expect_code(0);
        let selected = shop.sh(SELECT).expect_code(0);
        let first: BTreeSet<&str> = selected.stdout.lines().take(2).collect();
        let want = ["tests/unit/test_fresh.py::TestA::test_b", "tests/unit/test_stock.py::test_new"];
        assert_eq!(first, want.into(), "{}", selected.stderr);
        assert!(selected.stdout.lines().count() > 2, "and what the model knows");
        assert!(selected.stderr.contains("2 new in the diff"), "{}", selected.stderr);
        assert!(!selected.stderr.contains("does not know"), "{}", selected.stderr);
        let impacted = shop.sh("git diff | covopt impacted -0 --threshold 1").expect_code(0).nul_terminated();
        assert!(want.iter().all(|id| impacted.iter().any(|it| it == id)), "{impacted:?}");
        shop.sh(&format!("{SELECT} -0 | xargs -0 -r pytest")).expect_code(XARGS_COMMAND_FAILED);
        let report = shop.report().expect("pytest ran");
        assert!(report["tests/unit/test_stock.py::test_new"].failed);
        assert!(!report["tests/unit/test_fresh.py::TestA::test_b"].failed);
    }
}

#[test]
fn what_is_excluded_is_not_new_again() {
    let shop = unrecorded();
    shop.sh("covopt build").expect_code(0);
    fs::write(shop.path().join("tests/unit/test_fresh.py"), "def test_b():\n    pass\n").unwrap();
    shop.sh("git add -N . && git diff | covopt select -t 2 > ../ran").expect_code(0);
    let again = shop.sh("git diff | covopt select -t 2 --exclude ../ran").expect_code(0);
    assert!(!again.stdout.contains("test_fresh"), "{}", again.stdout);
}

#[test]
fn a_model_of_the_source_says_that_it_is_behind() {
    let shop = unrecorded();
    break_it(&shop);
    let said = |shop: &Shop| shop.sh(SELECT).expect_code(0).stderr;
    assert!(!said(&shop).contains("another commit"));
    shop.sh(
        "git commit -qam broken && git mv tests/unit/test_stock.py tests/unit/test_store.py && git commit -qm moved",
    )
    .expect_code(0);
    shop.edit("shop/stock.py", "class Stock", "class OldStock");
    assert!(said(&shop).contains("of another commit than HEAD (`covopt build` refreshes it)"), "{}", said(&shop));
    shop.sh("covopt build").expect_code(0);
    let selected = shop.sh(SELECT).expect_code(0);
    assert!(!selected.stderr.contains("another commit"), "{}", selected.stderr);
    assert!(selected.stdout.contains("tests/unit/test_store.py"), "{}", selected.stdout);
}

#[test]
fn a_model_without_tests_is_not_kept() {
    let shop = unrecorded();
    shop.sh("git rm -rqf tests && git commit -qm none").expect_code(0);
    break_it(&shop);
    shop.sh(SELECT);
    assert!(!shop.path().join(".covopt").exists());
}

#[test]
fn ids_without_paths_of_a_deleted_file_are_gone() {
    let shop = tree_of("rust");
    shop.sh("covopt build").expect_code(0);
    shop.sh("git rm -qf alpha/tests/outside.rs").expect_code(0);
    let selected = shop.sh("git diff HEAD | covopt select -t 100 --fill").expect_code(0);
    assert!(ids(&shop).iter().any(|id| id.starts_with("alpha::outside ")), "the model knows them");
    assert!(!selected.stdout.contains("alpha::outside "), "{}", selected.stdout);
}

#[test]
fn ids_of_several_runners_need_a_format() {
    let shop = tree_of("rust");
    shop.sh("mkdir tests && echo 'def test_a(): double' > tests/test_a.py && git add . && git commit -qm two")
        .expect_code(0);
    shop.edit("alpha/src/lib.rs", "n * 2", "n * 3");
    let selected = shop.sh("git diff | covopt select -t 100 --fill").expect_code(0);
    assert!(selected.stderr.contains("ids of several runners"), "{}", selected.stderr);
    shop.sh("git rm -qf tests/test_a.py && git commit -qm one && rm .covopt").expect_code(0);
    let selected = shop.sh("git diff | covopt select -t 100").expect_code(0);
    assert!(selected.stderr.contains("`--format nextest`"), "{}", selected.stderr);
}

/// A tree in one file: `-- path --` begins a file, `-- path -> target --` is a symbolic link. So the trees are none that this
/// repository's own runners would find.
fn unpack(tree: &str, into: &Path) {
    let heads = tree.split_inclusive('\n').map(|line| (line, line.trim().strip_prefix("-- ")));
    let mut open: Option<fs::File> = None;
    for (line, head) in heads {
        let Some(name) = head.and_then(|head| head.strip_suffix(" --")) else {
            open.as_mut().expect("a tree begins with a file").write_all(line.as_bytes()).unwrap();
            continue;
        };
        let (name, target) = name.split_once(" -> ").map_or((name, None), |(name, target)| (name, Some(target)));
        let path = into.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => open = Some(fs::File::create(path).unwrap()),
        }
    }
}

/// A repository that holds nothing but a tree of `tests/data/source`.
fn tree_of(language: &str) -> Shop {
    let shop = unrecorded();
    let tree = fs::read_to_string(format!("{}/tests/data/source/{language}.txt", env!("CARGO_MANIFEST_DIR"))).unwrap();
    shop.sh("git rm -rqf . && rm -rf ./* .coveragerc").expect_code(0);
    unpack(&tree, &shop.path());
    shop.sh("git add . && git commit -qm tree").expect_code(0);
    shop
}

/// What is in one and not in the other, both ways.
fn differences<'a>(found: &'a BTreeSet<String>, listed: &'a BTreeSet<String>) -> [Vec<&'a str>; 2] {
    [found.difference(listed), listed.difference(found)].map(|ids| ids.map(String::as_str).collect())
}

#[test]
fn pytest_collects_what_is_found_in_a_tree_of_traps() {
    let shop = tree_of("python");
    shop.sh("covopt build").expect_code(0);
    let listed = shop.sh("PYTEST_ADDOPTS= pytest tests --collect-only -q -p no:cacheprovider").expect_code(0).lines();
    let listed = listed.into_iter().filter(|line| line.contains("::"));
    let listed: BTreeSet<String> = listed.map(|id| id.split('[').next().unwrap().to_owned()).collect();
    let unseen = [
        "tests/unit/test_cart.py::TestShown::test_collected",
        "tests/unit/test_cart.py::TestShown::test_hidden",
        "tests/unit/test_cart.py::test_alias",
        "tests/unit/test_cart.py::test_guarded",
        "tests/unit/test_cart.py::test_handed_on",
        "tests/unit/test_optional.py::test_optional",
    ];
    assert_eq!(differences(&ids(&shop), &listed), [vec![], unseen.to_vec()]);
}

#[test]
fn the_tests_of_this_program_are_those_that_it_lists() {
    let shop = unrecorded();
    let root = env!("CARGO_MANIFEST_DIR");
    shop.sh(&format!("covopt build --root '{root}' --model ./.covopt")).expect_code(0);
    let of_binary = |id: &String| id.strip_prefix("covopt::tests ").map(str::to_owned);
    let found: BTreeSet<String> = ids(&shop).iter().filter_map(of_binary).collect();
    let listed = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let listed: BTreeSet<String> =
        listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
    let [unknown, unseen] = differences(&found, &listed);
    assert_eq!(unknown, [""; 0]);
    let conditional = ["cli::the_binary_is_static", "killed::a_full_disk_is_told_and_the_model_stays"];
    assert!(unseen.iter().all(|name| conditional.contains(name)), "{unseen:?}");
    assert!(found.contains("source::the_tests_of_this_program_are_those_that_it_lists"));
}

/// The tests that the programs which cargo builds list themselves, less those that they ignore, as nextest calls them.
fn listed_by_cargo(tree: &Path) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["test", "--workspace", "--no-run", "--offline", "--message-format=json"];
    let mut build = Command::new(cargo);
    build.args(arguments).current_dir(tree).env("CARGO_TARGET_DIR", tree.join("target"));
    let built = build.output().expect("start cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let mut listed = BTreeSet::new();
    for line in String::from_utf8(built.stdout).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(program) = message["executable"].as_str() else { continue };
        if message["profile"]["test"] != true {
            continue; // an example, built and not run
        }
        let target = &message["target"];
        let package = Path::new(message["manifest_path"].as_str().unwrap()).parent().unwrap().file_name().unwrap();
        let (package, name) = (package.to_str().unwrap(), target["name"].as_str().unwrap());
        let binary = match target["kind"][0].as_str().unwrap() {
            "lib" => package.to_owned(),
            "bin" => format!("{package}::bin/{name}"),
            kind => {
                assert_eq!(kind, "test", "{line}");
                format!("{package}::{name}")
            }
        };
        let list = |which: &[&str]| {
            let output = Command::new(program).arg("--list").args(which).output().unwrap();
            let names = String::from_utf8(output.stdout).unwrap();
            let names = names.lines().filter_map(|line| line.strip_suffix(": test"));
            names.map(|name| format!("{binary} {name}")).collect::<BTreeSet<String>>()
        };
        listed.extend(&list(&[]) - &list(&["--ignored"]));
    }
    listed
}

#[test]
fn cargo_lists_what_is_found_in_a_workspace_of_traps() {
    let shop = tree_of("rust");
    shop.sh("covopt build").expect_code(0);
    let unseen = [
        "alpha moved::in_moved_here",
        "alpha tests::made_one",
        "alpha tests::made_two",
        "alpha::outside shared::six_is_six",
    ];
    assert_eq!(differences(&ids(&shop), &listed_by_cargo(&shop.path())), [vec![], unseen.to_vec()]);
}

/// What a program with arguments prints, in a folder; `None` where it is not there or has not what it needs.
fn installed(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let ended = Command::new(program).args(arguments).current_dir(folder).output().ok();
    let ended = ended.filter(|ended| ended.status.success())?;
    Some(String::from_utf8(ended.stdout).unwrap())
}

/// The tests of `tests/data/source/go.txt`.
const GO_TESTS: [&str; 8] = [
    "example.com/other.TestOther",
    "example.com/shop.ExampleTotal",
    "example.com/shop.FuzzTotal",
    "example.com/shop.TestFromOutside",
    "example.com/shop.TestTotal",
    "example.com/shop.TestUntagged",
    "example.com/shop/sub/deep.TestDeep",
    "example.com/shop/sub/deep.TestTotal",
];

/// The tests of `tests/data/source/cpp.txt`.
const GOOGLE_TESTS: [&str; 2] = ["Sum.Adds", "Sums.HaveFixtures"];

#[test]
fn go_runs_what_is_found_in_modules_of_traps() {
    let shop = tree_of("go");
    shop.sh("covopt build").expect_code(0);
    let found = ids(&shop);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), GO_TESTS);
    // And where Go is installed, that is what it has.
    let Some(_) = installed("go", &["version"], &shop.path()) else { return };
    let mut listed = BTreeSet::new();
    for module in ["", "other"] {
        let output = installed("go", &["test", "-list", ".", "./..."], &shop.path().join(module)).expect("go lists");
        // The names of a package stand before the line that names it.
        let mut names: Vec<&str> = Vec::new();
        for line in output.lines() {
            match line.strip_prefix("ok ") {
                Some(package) => {
                    let package = package.split_whitespace().next().unwrap();
                    listed.extend(names.drain(..).map(|name| format!("{package}.{name}")));
                }
                None => names.push(line),
            }
        }
    }
    assert_eq!(differences(&found, &listed), [vec![], vec!["example.com/shop.BenchmarkTotal"]]);

    shop.edit("shop.go", "sum := 0", "sum := 1");
    let arguments = shop.sh("git diff | covopt select -t 10 --format go").expect_code(0).lines();
    let ran = Command::new("go").args(["test", "-v"]).args(&arguments).current_dir(shop.path()).output().unwrap();
    let ran = String::from_utf8(ran.stdout).unwrap();
    assert!(
        ran.contains("--- FAIL: TestFromOutside") && ran.contains("--- FAIL: ExampleTotal"),
        "{arguments:?}\n{ran}"
    );
}

#[test]
fn google_test_lists_what_is_found() {
    let shop = tree_of("cpp");
    shop.sh("covopt build").expect_code(0);
    let compile = ["sum_test.cc", "-o", "program", "-lgtest", "-lgtest_main", "-pthread"];
    let found = ids(&shop);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), GOOGLE_TESTS);
    // And where GoogleTest is installed, that is what it has.
    let Some(_) = installed("c++", &compile, &shop.path()) else { return };
    let program = shop.path().join("program");
    let output =
        installed(program.to_str().unwrap(), &["--gtest_list_tests"], &shop.path()).expect("it lists its tests");
    let (mut suite, mut listed) = ("", BTreeSet::new());
    for line in output.lines().filter(|line| !line.starts_with("Running")) {
        match line.strip_prefix("  ") {
            Some(name) => _ = listed.insert(format!("{suite}{}", name.split_whitespace().next().unwrap())),
            None => suite = line.split_whitespace().next().unwrap(),
        }
    }
    let unseen = ["Few/Numbers.AreKept/0", "Few/Numbers.AreKept/1", "Later.IsMade", "Sum.DISABLED_IsOff"];
    assert_eq!(differences(&found, &listed), [vec![], unseen.to_vec()]);
}
