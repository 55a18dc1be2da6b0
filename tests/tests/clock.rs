//! The clock: what a session costs beside its tests is learned, charged, and kept as the budget says. With scripts for
//! runners, and with the real pytest.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::{Folder, ids, removal};
use crate::shop::Shop;

/// Three tests of 0.1 s in two files, all of which run line 3 of `a.py`.
const TESTS: &str = r#"{"test": "tests/test_a.py::test_1", "cost": 0.1, "lines": {"a.py": [3]}}
{"test": "tests/test_a.py::test_2[x 'y' $z]", "cost": 0.1, "lines": {"a.py": [3]}}
{"test": "tests/test_b.py::test_3", "cost": 0.1, "lines": {"a.py": [3]}}
"#;

/// Sessions that tell 0.4 s of start, 0.05 s a file and 0.01 s a test.
const SESSIONS: &str = r#"{"session": {"tests": 1, "files": 1, "cost_s": 0.1, "wall_s": 0.56}}
{"session": {"tests": 8, "files": 8, "cost_s": 0.8, "wall_s": 1.68}}
{"session": {"tests": 50, "files": 1, "cost_s": 5, "wall_s": 5.95}}
"#;

fn select(folder: &Folder, budget: &str, flags: &[&str]) -> Value {
    let (code, answer) = folder.json(&[&["select", "-t", budget, "--no-tree"], flags].concat(), &removal("a.py", 3));
    assert_eq!(code, 0, "{answer}");
    answer
}

fn summary(folder: &Folder, flags: &[&str]) -> String {
    folder.run(&[&["select", "-t", "10", "--no-tree"], flags].concat(), removal("a.py", 3)).stderr
}

#[test]
fn what_sessions_tell_is_charged_and_what_is_given_wins() {
    let folder = Folder::with_model(&format!("{TESTS}{SESSIONS}"));
    // 0.4 s, two files of 0.05 s, three tests of 0.1 s and 0.01 s.
    let learned = select(&folder, "10", &[]);
    let clock = json!({"startup_s": 0.4, "per_file_s": 0.05, "per_test_s": 0.01, "source": "measured"});
    assert_eq!((&learned["clock"], &learned["cost_s"]), (&clock, &json!(0.83)));
    // One test costs 0.56 s with all that is around it.
    assert_eq!(select(&folder, "0.559", &[])["smallest_useful_s"], 0.56);
    assert_eq!(ids(&select(&folder, "0.56", &[])).len(), 1);
    let off = ["--startup", "0", "--per-file", "0", "--per-test", "0"];
    let off = select(&folder, "10", &off);
    assert_eq!((&off["clock"]["source"], &off["cost_s"]), (&json!("set"), &json!(0.3)));
    let partly = select(&folder, "10", &["--startup", "2"]);
    assert_eq!((&partly["clock"]["per_file_s"], &partly["cost_s"]), (&json!(0.05), &json!(2.43)));
    // A share is one of the suite as it is run: 0.4 s of start and 3 tests of 0.11 s.
    assert_eq!(select(&folder, "100%", &[])["budget_s"], 0.73);
    assert!(summary(&folder, &["--verbose"]).contains("start-up 0.40 s, 50.0 ms a file, 10.0 ms a test (measured)"));
}

#[test]
fn what_no_input_states_is_nothing_and_called_unknown() {
    let folder = Folder::with_model(TESTS);
    let answer = select(&folder, "10", &[]);
    let unknown = json!({"startup_s": null, "per_file_s": null, "per_test_s": null, "source": "unknown"});
    assert_eq!((&answer["clock"], &answer["cost_s"]), (&unknown, &json!(0.3)));
    assert!(summary(&folder, &["--verbose"]).contains("clock              unknown"));
    let (_, empty) = Folder::new().json(&["select", "-t", "10"], "");
    assert_eq!(empty["clock"], unknown);
}

#[test]
fn guessed_costs_are_no_wall_clock() {
    let none = Folder::with_model(&TESTS.replace(r#""cost": 0.1, "#, ""));
    assert!(summary(&none, &[]).contains("costs are guessed: no input states any, so 10 s is not wall clock"));
    let some = Folder::with_model(&TESTS.replacen(r#""cost": 0.1, "#, "", 1));
    assert!(summary(&some, &[]).contains("costs of 1 of 3 tests are guessed"), "{}", summary(&some, &[]));
    assert_eq!(select(&some, "10", &[])["costs_guessed"], 1);
    assert!(!summary(&Folder::with_model(TESTS), &[]).contains("guessed"));
}

/// Three sessions, one of which was slower throughout.
fn several_runs() -> String {
    let run = |time: u32, cost: f64| TESTS.replace(r#""cost": 0.1"#, &format!(r#""cost": {cost}, "time": {time}"#));
    [run(1, 0.1), run(2, 0.1), run(3, 0.13)].concat()
}

#[test]
fn a_budget_is_kept_with_a_probability() {
    let folder = Folder::with_model(&several_runs());
    assert_eq!(ids(&select(&folder, "0.3", &[])).len(), 3, "what tests usually cost");
    let sure = select(&folder, "0.3", &["--within", "0.95"]);
    assert_eq!((ids(&sure).len(), &sure["within"], &sure["expected_s"]), (2, &json!(0.95), &json!(0.2)));
    let needed_s = sure["p95_s"].as_f64().unwrap();
    assert!(0.2 < needed_s && needed_s <= 0.3, "{sure}");
    assert_eq!((&sure["spread_unknown"], &sure["cost_s"]), (&json!(0), &json!(0.2)));
    let surer = select(&folder, "0.3", &["--within", "0.999"]);
    assert!(surer["p99.9_s"].as_f64().unwrap() > needed_s || ids(&surer).len() < 2, "{surer}");
    assert_eq!(ids(&select(&folder, "0.3", &["--within", "0.5"])).len(), 3, "even odds are what tests usually cost");
    assert!(summary(&folder, &["--within", "0.95"]).contains("s with 95 %)"));
    assert_eq!(select(&folder, "0.3", &[])["within"], Value::Null);
    let small = select(&folder, "0.01", &["--within", "0.95"]);
    assert_eq!(small["status"], "nothing_fits");
    let enough = small["smallest_useful_s"].as_f64().unwrap();
    assert!(enough > 0.1, "more than the test usually costs: {small}");
    assert_eq!(ids(&select(&folder, &enough.to_string(), &["--within", "0.95"])).len(), 1, "what is named is enough");
    for wrong in ["1", "0.4", "95", "sure"] {
        assert_eq!(folder.run(&["select", "-t", "1", "--within", wrong], "").code, 64, "{wrong}");
    }
}

#[test]
fn a_spread_that_is_not_known_is_called_so() {
    let folder = Folder::with_model(TESTS);
    let answer = select(&folder, "0.3", &["--within", "0.95"]);
    assert_eq!((ids(&answer).len(), &answer["p95_s"], &answer["spread_unknown"]), (3, &json!(0.3), &json!(3)));
    assert!(summary(&folder, &["--within", "0.95"]).contains("spread unknown: one run is known of each test"));
}

/// `select`, `explain` and `replay` charge the same, learned or given.
#[test]
fn all_that_choose_charge_the_same_clock() {
    let folder = Folder::with_model(&format!("{TESTS}{SESSIONS}"));
    let run = json!({"patch": removal("a.py", 3), "failed": ["tests/test_b.py::test_3"]});
    folder.write("runs.jsonl", format!("{run}\n"));
    for flags in [&["-t", "10"][..], &["-t", "80%"], &["-t", "10", "--startup", "2", "--per-test", "0.5"]] {
        let (_, selected) = folder.json(&[&["select", "--no-tree"], flags].concat(), &removal("a.py", 3));
        let (_, explained) = folder.json(&[&["explain", "--no-tree"], flags].concat(), &removal("a.py", 3));
        let (_, replayed) = folder.json(&[&["replay", "runs.jsonl"], flags].concat(), "");
        for field in ["budget_s", "cost_s"] {
            assert_eq!(explained["selection"][field], selected[field], "{flags:?}");
            assert_eq!(replayed["results"][0]["budgets"][0][field], selected[field], "{flags:?}");
        }
        assert_eq!(explained["selection"]["clock"], selected["clock"]);
    }
    let logged = folder.run(&["replay", "runs.jsonl", "--log", "--per-test", "1"], "");
    assert_eq!(logged.code, 64, "what was chosen then is not charged anew: {}", logged.stderr);
}

/// Tests that failed, new ones among them, are charged like all others and kept within the margin; what ran is free.
#[test]
fn what_ran_before_is_on_the_clock() {
    let folder = Folder::with_model(&format!("{}{SESSIONS}", several_runs()));
    folder.write("failed", "tests/test_new.py::test_9\ntests/test_b.py::test_3\n");
    let flags = ["--last-failed", "failed"];
    let answer = select(&folder, "10", &flags);
    let (id, cost_s) = (&answer["tests"][0]["id"], &answer["tests"][0]["cost_s"]);
    assert_eq!((id, cost_s), (&json!("tests/test_new.py::test_9"), &json!(0.16)), "0.1 s, its file, its share");
    assert_eq!(
        (&answer["failed_before"], &answer["costs_guessed"], &answer["cost_s"]),
        (&json!(2), &json!(1), &json!(0.99))
    );
    assert_eq!(select(&folder, "0.99", &flags)["cost_s"], 0.99);
    let sure = select(&folder, "0.99", &[&flags[..], &["--within", "0.95"]].concat());
    let needed_s = sure["p95_s"].as_f64().unwrap();
    assert!(sure["cost_s"].as_f64().unwrap() < needed_s && needed_s <= 0.99, "{sure}");
    assert_eq!((&sure["expected_s"], &sure["spread_unknown"]), (&sure["cost_s"], &json!(1)));
    folder.write("ran", "tests/test_a.py::test_1\n");
    let rest = select(&folder, "10", &[&flags[..], &["--within", "0.95", "--exclude", "ran"]].concat());
    assert_eq!(ids(&rest)[..2], ["tests/test_new.py::test_9", "tests/test_b.py::test_3"]);
    assert_eq!((ids(&rest).len(), &rest["cost_s"]), (3, &json!(0.88)), "without 0.11 s: {rest}");
}

#[test]
fn the_clock_of_a_model_is_shown() {
    let folder = Folder::with_model(&format!("{}{SESSIONS}", several_runs()));
    let shown = folder.run(&["inspect"], "").stdout;
    assert!(shown.contains("10.0 ms a test (measured, 3 sessions); spread of the pace 17.3 %"), "{shown}");
    let (_, report) = folder.json(&["inspect"], "");
    assert_eq!((&report["sessions"], &report["clock"]["startup_s"]), (&json!(3), &json!(0.4)));
}

/// A runner that writes down its arguments, an empty line before each session, and refuses a test that is not there.
const NOTES_ITS_IDS: &str = r#"case "$1" in covopt_no*) exit 4;; esac; echo >> log; for id; do printf '%s\n' "$id" >> log; done; echo noise; exit 1"#;

#[test]
fn measuring_adds_sessions_and_keeps_the_rest() {
    let folder = Folder::with_model(TESTS);
    let before = select(&folder, "10", &["--startup", "0", "--per-file", "0", "--per-test", "0"]);
    let measured = folder.run(&["measure", "--probes", "3", "--", "/bin/sh", "-c", NOTES_ITS_IDS, "sh"], "");
    assert_eq!((measured.code, measured.stdout.as_str()), (0, ""), "{}", measured.stderr);
    assert!(measured.stderr.contains("start-up ") && measured.stderr.contains("(3 probes, "), "{}", measured.stderr);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let sessions: Vec<BTreeSet<&str>> =
        log.split("\n\n").map(|session| session.trim_start().lines().collect()).collect();
    let one: BTreeSet<&str> = ["tests/test_a.py::test_1"].into();
    let several = [&one, &["tests/test_b.py::test_3"].into()].into_iter().flatten().copied().collect();
    let many = [&one, &["tests/test_a.py::test_2[x 'y' $z]"].into()].into_iter().flatten().copied().collect();
    assert_eq!(sessions, [one.clone(), one, several, many], "one that is not timed, and one of each kind");
    let after = select(&folder, "10", &[]);
    assert_eq!(after["clock"]["source"], "measured");
    assert_eq!((ids(&after), &after["model"]), (ids(&before), &before["model"]));
    assert_eq!(folder.run(&["verify"], "").code, 0);
    // A later build that adds to the model keeps the clock.
    assert_eq!(folder.run(&["build", "--update", "input"], "").code, 0);
    assert_eq!(select(&folder, "10", &[])["clock"], after["clock"]);
}

#[test]
fn a_runner_that_does_not_run_tests_changes_nothing() {
    let folder = Folder::with_model(TESTS);
    let model = || fs::read(folder.path().join(".covopt")).unwrap();
    let before = model();
    let refuses_two = r#"case "$1" in covopt_no*) exit 4;; esac; test $# -lt 2 || exit 3"#;
    let failures: [(&[&str], &str); 6] = [
        (&["/bin/sh", "-c", "exit 4"], "exit status: 4"),
        (&["/bin/sh", "-c", "kill -9 $$"], "signal: 9"),
        (&["/no/such/runner"], "No such file"),
        (&["/bin/sh", "-c", refuses_two, "sh"], "and 1 id more"),
        (&["/bin/true"], "exit status: 0 for a test that is not there"),
        (&["/bin/false"], "exit status: 1 for a test that is not there"),
    ];
    for (command, problem) in failures {
        let failed = folder.run(&[&["measure", "--"], command].concat(), "");
        assert_eq!((failed.code, failed.stdout.as_str()), (64, ""), "{}", failed.stderr);
        assert!(failed.stderr.contains(problem) && failed.stderr.contains(command[0]), "{}", failed.stderr);
        assert!(model() == before, "{command:?}");
    }
    assert_eq!(folder.run(&["measure"], "").code, 64, "a command is needed");
    assert_eq!(Folder::new().run(&["measure", "--", "/bin/true"], "").code, 66, "and a model");
}

/// Defects of the shop and budgets for them: what is edited is read as the change, then put back, so that all tests pass.
const EDITS: [(&str, &str, &str, f64); 7] = [
    ("shop/discounts.py", "quantity >= pieces", "quantity > pieces", 1.0),
    ("shop/discounts.py", "(10, 5),", "(10, 4),", 2.0),
    ("shop/money.py", "rounding=ROUND_HALF_UP", "rounding=ROUND_HALF_EVEN", 3.0),
    ("shop/stock.py", "held - min(pieces, held)", "held - pieces", 1.5),
    ("shop/prices.py", r#""lamp": "standard""#, r#""lamp": "zero""#, 2.5),
    ("shop/parsing.py", "if position + 1 != len(word)", "if position != len(word)", 0.5),
    ("shop/stock.py", "pieces > available", "pieces >= available", 4.0),
];

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// Prints how far wall clock is from what was expected and from the budget: `cargo test wall_clock -- --nocapture`.
#[test]
fn real_selections_keep_the_budget_by_the_wall_clock_that_was_learned() {
    let shop = Shop::with_model();
    let junit = json_of(&shop, "git diff | covopt select -t 1 --format json");
    assert_eq!(junit["clock"]["source"], "junit", "the report of the recording states a session");
    let measured = shop.sh("covopt measure -- pytest").expect_code(0);
    println!("{}", measured.stderr.trim_end());
    println!("budget  expected    wall  wall/expected  wall/budget  tests");
    let mut ratios = Vec::new();
    for (file, old, new, budget_s) in EDITS {
        shop.edit(file, old, new);
        let select =
            |budget_s: f64| json_of(&shop, &format!("git diff | covopt select -t {budget_s} --fill --format json"));
        let (mut budget_s, mut answer) = (budget_s, select(budget_s));
        // On a machine so busy that the start alone takes more, the budget is twice what the cheapest test needs.
        if let Some(useful_s) = answer["smallest_useful_s"].as_f64() {
            budget_s = 2.0 * useful_s;
            answer = select(budget_s);
        }
        shop.sh("git checkout -q .").expect_code(0);
        assert_eq!(answer["clock"]["source"], "measured");
        let expected_s = answer["cost_s"].as_f64().unwrap();
        assert!(expected_s <= budget_s, "{answer}");
        let selected = ids(&answer);
        assert!(!selected.is_empty(), "{answer}");
        fs::write(shop.beside("ids"), selected.join("\0")).unwrap();
        shop.forget_report();
        let start = Instant::now();
        shop.sh("xargs -0 -r pytest < ../ids").expect_code(0);
        let wall_s = start.elapsed().as_secs_f64();
        let ran = shop.report().unwrap();
        assert_eq!(ran.keys().map(String::as_str).collect::<BTreeSet<_>>(), selected.iter().copied().collect());
        let (of_expected, of_budget) = (wall_s / expected_s, wall_s / budget_s);
        println!(
            "{budget_s:>4.1} s  {expected_s:>6.2} s {wall_s:>5.2} s  {of_expected:>13.2}  {of_budget:>11.2}  {:>5}",
            selected.len()
        );
        ratios.push((of_expected, of_budget));
    }
    for (name, ratios) in [
        ("wall/expected", ratios.iter().map(|ratio| ratio.0).collect::<Vec<_>>()),
        ("wall/budget", ratios.iter().map(|ratio| ratio.1).collect()),
    ] {
        let middle = median(ratios.iter().copied());
        let mad = median(ratios.iter().map(|ratio| (ratio - middle).abs()));
        println!("{name}: median {middle:.3}, MAD {mad:.3}, N {}", ratios.len());
    }
}

fn json_of(shop: &Shop, script: &str) -> Value {
    serde_json::from_str(&shop.sh(script).expect_code(0).stdout).unwrap()
}
