use std::path::PathBuf;

use super::*;
use crate::model::quantize_count;
use crate::observation::{LineSet, Session, TestFacts};
use crate::optimize::Level;

/// Everything that was gathered, by name, in an order of its own.
fn dump(observations: &Observations) -> Vec<String> {
    let file = |key: FileKey| observations.file_path(key).to_owned();
    let test = |key: &TestKey| observations.test_name(*key).to_owned();
    let mut lines: Vec<String> = Vec::new();
    for (key, facts) in (0..).map(TestKey).zip(observations.tests()) {
        let TestFacts { file: of, family, runs, recorded, has_text, has_signals } = facts;
        let of = of.map(file);
        lines.push(format!("{} {of:?} {family:?} {runs:?} {recorded} {has_text} {has_signals}", test(&key)));
    }
    for (key, facts) in (0..).map(FileKey).zip(observations.files()) {
        let path = file(key);
        lines.push(format!("{path} imports {:?} has {:?}", facts.imported, facts.symbols));
    }
    let of_words = observations.all_words().unwrap();
    lines.extend(of_words.iter().map(|((key, word), count)| format!("{} {word:?} {count}", test(key))));
    let of_signals = observations.all_signals().unwrap();
    lines.extend(of_signals.iter().map(|((key, feature), level)| {
        format!("{} {} {level:?}", test(key), observations.features()[*feature as usize])
    }));
    let of_lines = observations.all_lines().unwrap();
    lines.extend(of_lines.iter().map(|((of, key), lines)| format!("{} {} {lines:?}", file(*of), test(key))));
    let weights = observations.features().iter().map(|name| (name, observations.weight_of(name)));
    lines.extend(weights.map(|weight| format!("{weight:?}")));
    lines.push(format!("{:?}", observations.sessions()));
    lines.sort();
    lines
}

fn gathered(inputs: &[(&str, &[u8])], context: &Context) -> (Observations, Vec<Note>) {
    let mut ingest = Ingest::new();
    for (name, bytes) in inputs {
        ingest.bytes(name, bytes, context).unwrap();
    }
    ingest.finish()
}

fn refused(bytes: &[u8]) -> String {
    refused_after(&[], bytes)
}

fn refused_after(before: &[&[u8]], bytes: &[u8]) -> String {
    let mut ingest = Ingest::new();
    let context = Context::new("/repo");
    for bytes in before {
        ingest.bytes("earlier", bytes, &context).unwrap();
    }
    let message = ingest.bytes("the input", bytes, &context).unwrap_err().to_string();
    assert!(message.contains("`the input`"), "{message}");
    assert!(!message.ends_with('.') && message.contains(';'), "{message}");
    message
}

fn lines(ranges: &[(u32, u32)]) -> LineSet {
    ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
}

fn covered(observations: &Observations, test: &str, path: &str) -> Option<LineSet> {
    let test = observations.known_test(test)?;
    observations.all_lines().unwrap().remove(&(observations.known_file(path)?, test))
}

fn ids(observations: &Observations) -> Vec<&str> {
    let mut ids: Vec<&str> = observations.test_names().iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids
}

/// The recorded projects beside the crate, where there are any.
fn projects() -> Vec<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    let Some(entries) = above.take(2).find_map(|above| std::fs::read_dir(above.join("shared/eval")).ok()) else {
        return Vec::new();
    };
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.join("junit.xml").exists()).collect()
}

#[test]
fn every_id_of_real_reports_is_rebuilt() {
    for project in projects() {
        let read = |name: &str| std::fs::read(project.join(name)).unwrap();
        let (durations, junit) = (read("durations.json"), read("junit.xml"));
        let without_files = {
            let text = String::from_utf8(junit.clone()).unwrap();
            let mut parts = text.split(" file=\"");
            let first = parts.next().unwrap().to_owned();
            parts.fold(first, |text, part| text + part.split_once('"').unwrap().1)
        };
        let context = Context::new("/repo");
        let want: BTreeSet<String> = gathered(&[("d", &durations)], &context).0.test_names().iter().cloned().collect();
        for (form, inputs) in [
            ("xunit1 alone", vec![("j", junit.as_slice())]),
            ("xunit1", vec![("j", junit.as_slice()), ("d", durations.as_slice())]),
            ("xunit2", vec![("j", without_files.as_bytes()), ("d", durations.as_slice())]),
            ("xunit2 alone", vec![("j", without_files.as_bytes())]),
        ] {
            let (observations, _) = gathered(&inputs, &context);
            let found: BTreeSet<String> = observations.test_names().iter().cloned().collect();
            let wrong: Vec<_> = want.symmetric_difference(&found).collect();
            println!("{}: {form}: {} ids, {} wrong", project.display(), want.len(), wrong.len());
            assert!(wrong.is_empty(), "{}: {form}: {wrong:?}", project.display());
        }
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn real_projects_are_read_in_any_order() {
    for project in projects() {
        let context = Context::new("/repo");
        let names = ["coverage.sqlite", "junit.xml", "durations.json", "tags.jsonl", "texts.jsonl"];
        let inputs: Vec<(&str, Vec<u8>)> =
            names.iter().map(|&name| (name, std::fs::read(project.join(name)).unwrap())).collect();
        let mut inputs: Vec<(&str, &[u8])> = inputs.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let (first, notes) = gathered(&inputs, &context);
        notes.iter().for_each(|note| println!("{}: {note}", project.display()));
        inputs.reverse();
        let (last, last_notes) = gathered(&inputs, &context);
        assert!(dump(&first) == dump(&last), "{}", project.display());
        assert_eq!(notes, last_notes);
    }
}

const JUNIT: &[u8] = br#"<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" timestamp="2026-11-22T02:51:26.692511+00:00">
<testcase classname="tests.unit.test_x.TestA.TestB" name="test_c[a::b/c.d-#x1B[0m]" time="0.25"/>
<testcase classname="tests.unit.test_x" name="test_d" time="0.5"><failure message="&lt;no&gt;">text</failure></testcase>
<testcase classname="tests.unit.test_x" name="test_d" time="0.25"><error message="teardown"/></testcase>
<testcase classname="tests.unit.test_x" name="test_s" time="0"><skipped/></testcase>
<testcase classname="" name="tests.unit.test_broken" time="0"><error message="collection failure"/></testcase>
</testsuite></testsuites>"#;

/// The sessions that a pytest report of these cases states, if its suite says `time`.
fn sessions_of(time: &str, cases: &str) -> Vec<Session> {
    let stamp = "1970-01-01T00:00:01+00:00";
    let report = format!("<testsuite name=\"pytest\" time=\"{time}\" timestamp=\"{stamp}\">{cases}</testsuite>");
    let (seen, _) = gathered(&[("j", report.as_bytes())], &Context::new("/repo"));
    seen.sessions().iter().copied().collect()
}

#[test]
fn a_pytest_suite_is_a_session() {
    let case = |class: &str, name: &str, time: &str| {
        format!("<testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\"/>")
    };
    let cases = [case("tests.test_a", "t1", "0.25"), case("tests.test_a", "t2", "0.5"), case("tests.test_b", "t", "1")];
    let cases = cases.concat();
    let (time_us, cost_us) = (1_000_000, 1_750_000);
    let session = Session { whole: false, time_us, tests: 3, files: 2, cost_us, wall_us: 2_500_000 };
    assert_eq!(sessions_of("2.5", &cases), [session]);
    // The teardown of a test that failed is a case of its own in the report, and no test of its own.
    let cases = cases + &case("tests.test_b", "t", "0.25");
    assert_eq!(sessions_of("2.5", &cases), [Session { cost_us: 2_000_000, ..session }]);
}

#[test]
fn what_is_no_session_of_one_worker_states_none() {
    let case = |time: &str| format!("<testcase classname=\"tests.test_a\" name=\"t\" {time}/>");
    assert_eq!(sessions_of("1.5", &case("time=\"1.25\"")).len(), 1);
    assert_eq!(sessions_of("1.0", &case("time=\"1.25\"")), [], "its tests took longer: they ran side by side");
    assert_eq!(sessions_of("1.5", &case("")), [], "what the tests took is not all known");
    for time in ["", "nan", "-1", "1e300", "0", "soon"] {
        assert_eq!(sessions_of(time, &case("time=\"0\"")), [], "{time}");
    }
    let broken = "<testcase classname=\"\" name=\"tests.test_broken\" time=\"0\"><error/></testcase>";
    assert_eq!(sessions_of("1.5", &(case("time=\"1\"") + broken)), [], "a file that could not be imported");
    let other = b"<testsuite name=\"a\" time=\"2\"><testcase classname=\"A\" name=\"t\" time=\"1\"/></testsuite>";
    assert!(gathered(&[("j", other)], &Context::new("/repo")).0.sessions().is_empty(), "not a session of pytest");
}

#[test]
fn a_line_states_a_session_measured_from_outside() {
    let line = br#"{"session": {"tests": 3, "files": 2, "cost_s": 1.75, "wall_s": 1.5, "time": 1}}"#;
    let (seen, notes) = gathered(&[("l", line)], &Context::new("/repo"));
    let (time_us, cost_us, wall_us) = (1_000_000, 1_750_000, 1_500_000);
    let session = Session { whole: true, time_us, tests: 3, files: 2, cost_us, wall_us };
    assert_eq!((seen.sessions().iter().collect::<Vec<_>>(), notes), (vec![&session], Vec::new()));
    let refusals = [
        (r#"{"session": {"tests": 3, "files": 2, "cost_s": 1}}"#, "missing field `wall_s`"),
        (r#"{"session": {"tests": 3, "files": 2, "cost_s": 1, "wall_s": 1, "wal": 1}}"#, "unknown field `wal`"),
        (r#"{"session": {"tests": 3, "files": 4, "cost_s": 1, "wall_s": 1}}"#, "3 tests in 4 files"),
        (r#"{"session": {"tests": 3, "files": 2, "cost_s": 1, "wall_s": 0}}"#, "took 0 s"),
        (r#"{"session": {"tests": 3, "files": 2, "cost_s": -1, "wall_s": 1}}"#, "-1"),
        (r#"{"session": {"tests": 1, "files": 1, "cost_s": 1, "wall_s": 1}, "test": "t"}"#, "found both"),
    ];
    for (line, problem) in refusals {
        let message = refused(line.as_bytes());
        assert!(message.contains(problem), "{line}: {message}");
    }
}

#[test]
fn junit_cases_become_runs_of_known_tests_in_any_order() {
    let durations: &[u8] = b"{\"tests/unit/test_x.py::TestA::TestB::test_c[a::b/c.d-\x1b[0m]\": 0.3}";
    // JSON does not take a raw control character.
    let durations = String::from_utf8(durations.to_vec()).unwrap().replace('\u{1b}', "\\u001b");
    let context = Context::new("/repo");
    let (seen, notes) = gathered(&[("j", JUNIT), ("d", durations.as_bytes())], &context);
    let (again, again_notes) = gathered(&[("d", durations.as_bytes()), ("j", JUNIT)], &context);
    assert_eq!(dump(&seen), dump(&again));
    assert_eq!(notes, again_notes);
    let named = "tests/unit/test_x.py::TestA::TestB::test_c[a::b/c.d-\u{1b}[0m]";
    assert_eq!(ids(&seen), [named, "tests/unit/test_x.py::test_d", "tests/unit/test_x.py::test_s"]);
    let runs = |id: &str| {
        let TestKey(key) = seen.known_test(id).unwrap();
        let runs = seen.tests()[key as usize].runs.iter();
        runs.map(|run| (run.time_us, run.outcome, run.cost_us)).collect::<Vec<_>>()
    };
    let time_us = 1_795_315_886_692_511;
    assert_eq!(runs(named), [(0, Outcome::Unknown, Some(300_000)), (time_us, Outcome::Passed, Some(250_000))]);
    assert_eq!(runs("tests/unit/test_x.py::test_d"), [(time_us, Outcome::Failed, Some(750_000))]);
    assert_eq!(runs("tests/unit/test_x.py::test_s"), [(time_us, Outcome::Skipped, Some(0))]);
    let text: Vec<String> = notes.iter().map(Note::to_string).collect();
    assert!(text.iter().any(|note| note.contains("2 cases match no test")), "{text:?}");
    assert!(text.iter().any(|note| note.contains("tests.unit.test_broken")), "{text:?}");
}

#[test]
fn a_known_file_beats_the_convention() {
    // By convention `Case` would be a class of tests/Api.py; the known file says otherwise.
    let xml =
        br#"<testsuite name="pytest"><testcase classname="tests.Api.Case" name="test_new" time="1"/></testsuite>"#;
    let (seen, _) = gathered(&[("j", xml), ("d", br#"{"tests/Api/Case.py::test_old": 1}"#)], &Context::new("/repo"));
    assert_eq!(ids(&seen), ["tests/Api/Case.py::test_new", "tests/Api/Case.py::test_old"]);
}

#[test]
fn a_case_that_fits_two_tests_is_left_out() {
    let xml = br#"<testsuite name="pytest"><testcase classname="a.b.C" name="test" time="1"/></testsuite>"#;
    let durations = br#"{"a/b/C.py::test": 1, "a.py::b::C::test": 1}"#;
    let (seen, notes) = gathered(&[("j", xml), ("d", durations)], &Context::new("/repo"));
    assert!(seen.tests().iter().all(|test| test.runs.len() == 1));
    assert!(notes.iter().any(|note| matches!(note, Note::UnmatchedCases { cases: 1, .. })), "{notes:?}");
}

#[test]
fn two_services_with_the_same_ids_stay_apart() {
    let coverage = br#"{"test": "tests/test_x.py::test_ok", "lines": {"app.py": [1], "../lib/l.py": [2]}}"#;
    let report =
        br#"<testsuite name="pytest"><testcase classname="tests.test_x" name="test_ok" time="1"/></testsuite>"#;
    let mut ingest = Ingest::new();
    for service in ["a", "svc/b"] {
        let context = Context::new("/repo").with_test_root(service);
        ingest.bytes("r", report, &context).unwrap();
        ingest.bytes("c", coverage, &context).unwrap();
    }
    let (seen, _) = ingest.finish();
    assert_eq!(ids(&seen), ["a/tests/test_x.py::test_ok", "svc/b/tests/test_x.py::test_ok"]);
    assert!(seen.tests().iter().all(|test| test.runs.len() == 1));
    assert_eq!(covered(&seen, "svc/b/tests/test_x.py::test_ok", "svc/b/app.py"), Some(lines(&[(1, 1)])));
    assert_eq!(covered(&seen, "svc/b/tests/test_x.py::test_ok", "svc/lib/l.py"), Some(lines(&[(2, 2)])));
}

#[test]
fn other_runners_cases_have_ids_that_the_runner_takes() {
    let xml = br#"<testsuites>
<testsuite name="com.x.FooTest" timestamp="2026-01-01T00:00:00"><properties><property name="java.version" value="21"/></properties>
<testcase name="bar()" classname="com.x.FooTest" time="1,234.5"/>
<testcase name="flaky" classname="com.x.FooTest" time="1"><flakyFailure message="once"/></testcase></testsuite>
<testsuite name="example.com/pkg"><properties><property name="go.version" value="go1.23"/></properties>
<testcase classname="example.com/pkg" name="TestA/sub" time="0.1"/></testsuite>
<testsuite name="other"><testcase name="alone" time="1"/></testsuite></testsuites>"#;
    let (seen, _) = gathered(&[("j", xml)], &Context::new("/repo"));
    assert_eq!(ids(&seen), ["alone", "com.x.FooTest#bar", "com.x.FooTest#flaky", "example.com/pkg.TestA/sub"]);
    let cost = |id: &str| seen.tests()[seen.known_test(id).unwrap().0 as usize].runs.clone();
    assert_eq!(cost("com.x.FooTest#bar").first().unwrap().cost_us, Some(1_234_500_000));
    let outcomes: Vec<_> = cost("com.x.FooTest#flaky").iter().map(|run| run.outcome).collect();
    assert_eq!(outcomes, [Outcome::Flaky]);

    let nextest = br#"<testsuites name="nextest-run" uuid="1"><testsuite name="krate::bin/x">
<testcase classname="krate::bin/x" name="mod::t" timestamp="2026-01-01T00:00:00.5+01:00" time="0.1"/></testsuite></testsuites>"#;
    let (seen, _) = gathered(&[("j", nextest)], &Context::new("/repo"));
    assert_eq!(ids(&seen), ["krate::bin/x mod::t"]);

    let known = br#"{"com.x.FooTest.bar": 1}"#;
    let (seen, _) = gathered(&[("j", xml), ("d", known)], &Context::new("/repo"));
    assert!(ids(&seen).contains(&"com.x.FooTest.bar") && !ids(&seen).contains(&"com.x.FooTest#bar"));
}

#[test]
fn wrong_junit_is_told_apart() {
    let suite = |inner: &str| format!("<testsuite name='pytest'>{inner}</testsuite>").into_bytes();
    assert!(refused(&JUNIT[..JUNIT.len() - 20]).contains("ends too early"));
    assert!(refused(&JUNIT[..200]).contains("ends too early"));
    assert!(refused(&suite("<testcase name='t' time='nan'/>")).contains("finite"));
    assert!(refused(&suite("<testcase name='t' time='-1'/>")).contains("0 or more"));
    assert!(refused(&suite("<testcase name='t' time='soon'/>")).contains("expected seconds"));
    assert!(refused(&suite("<testcase time='1'/>")).contains("`name`"));
    assert!(refused(&suite("<testcase></testsuite>")).contains("line 1"));
    assert!(refused(&suite("<testcase name='&bomb;'/>")).contains("bomb"));
    assert!(refused(&suite(&"<a>".repeat(100))).contains("nested elements"));
}

#[test]
fn coverage_json_is_read_in_both_shapes() {
    let written = br#"{"meta": {"format": 3}, "files": {"/repo/src/a.py": {"executed_lines": [1, 2, 3], "contexts":
        {"1": [""], "2": ["t.py::a|setup", "t.py::b|run"], "3": ["t.py::a|run", ""]},
        "functions": {"f": {"contexts": {"3": ["t.py::a|run"]}}}}}, "totals": {}}"#;
    let turned = br#"{"files": {"src/a.py": {"contexts": {"": [3, 1], "t.py::a|run": [3], "t.py::a|setup": [2], "t.py::b": [2]}}}}"#;
    let context = Context::new("/repo");
    let (seen, _) = gathered(&[("c", written)], &context);
    assert_eq!(covered(&seen, "t.py::a", "src/a.py"), Some(lines(&[(2, 3)])));
    assert_eq!(seen.files()[0].imported, lines(&[(1, 1), (3, 3)]));
    assert_eq!(dump(&seen), dump(&gathered(&[("c", turned)], &context).0));
    assert_eq!(dump(&seen), dump(&gathered(&[("c", turned), ("d", written)], &context).0));
}

#[test]
fn wrong_coverage_json_is_told_apart() {
    let file = |inner: &str| format!("{{\"files\": {{\"a.py\": {{{inner}}}}}}}").into_bytes();
    assert!(refused(&file("\"executed_lines\": [1]")).contains("--show-contexts"));
    assert!(refused(&file("\"contexts\": {\"1\": [\"\"]}")).contains("no context"));
    assert!(refused(&file("\"contexts\": {\"1\": [\"nightly\"]}")).contains("static context `nightly`"));
    assert!(refused(&file("\"contexts\": {\"0\": [\"t.py::a\"]}")).contains("from 1"));
    assert!(refused(&file("\"contexts\": {\"t.py::a\": [-3]}")).contains("from 1"));
    assert!(refused(&file("\"contexts\": {\"t.py::a\": [99999999]}")).contains("at most"));
    assert!(refused(&file("\"contexts\": {\"x\": [\"t.py::a\"]}")).contains("expected a line number"));
    assert!(refused(&file("\"contexts\": {\"1\": [\"t.py::a\"")[..45]).contains("ends too early"));
    let elsewhere = br#"{"files": {"/ci/build/a.py": {"contexts": {"1": ["t.py::a"]}}}}"#;
    let message = refused(elsewhere);
    assert!(message.contains("/ci/build/a.py") && message.contains("--root"), "{message}");
}

/// Twenty-five tests of one file; `shared` of them run its first line.
fn recording(shared: usize) -> Vec<u8> {
    let line =
        |test: usize| format!("\"t.py::test_{test}|run\": [{}{}]", test + 2, if test < shared { ", 1" } else { "" });
    let contexts: Vec<String> = (0..25).map(line).collect();
    format!("{{\"files\": {{\"a.py\": {{\"contexts\": {{{}}}}}}}}}", contexts.join(", ")).into_bytes()
}

#[test]
fn first_hit_only_recordings_need_force() {
    let message = refused(&recording(1));
    assert!(message.contains("25 tests share files") && message.contains("sysmon"), "{message}");
    assert!(message.contains("--force"));
    gathered(&[("c", &recording(2))], &Context::new("/repo"));
    let (_, notes) = gathered(&[("c", &recording(1))], &Context::new("/repo").with_force(true));
    assert!(notes.contains(&Note::FirstHitForced { input: "c".to_owned() }));
}

/// A suite of 16 tests was taken without a word, though its recording held first hits alone.
#[test]
fn small_recordings_that_share_nothing_are_named() {
    let small = |shared: usize, tests: usize| {
        let line = |test: usize| format!("\"t.py::t{test}\": [{}{}]", test + 2, if test < shared { ", 1" } else { "" });
        let contexts: Vec<String> = (0..tests).map(line).collect();
        format!("{{\"files\": {{\"a.py\": {{\"contexts\": {{{}}}}}}}}}", contexts.join(", "))
    };
    let notes = |json: &str| gathered(&[("c", json.as_bytes())], &Context::new("/repo")).1;
    let said = |json: &str| notes(json).iter().any(|note| matches!(note, Note::NothingShared { .. }));
    assert!(notes(&small(1, 16)).contains(&Note::NothingShared { input: "c".to_owned(), tests: 16 }));
    assert!(said(&small(0, 2)) && !said(&small(0, 1)) && !said(&small(2, 16)));
    assert!(refused(small(0, 20).as_bytes()).contains("sysmon"));
}

#[test]
fn first_hit_only_recordings_of_several_workers_are_seen() {
    // 400 tests on 8 workers; each worker notes a line once.
    let line = |test: usize| format!("\"t.py::test_{test}|run\": [{}, {}]", test + 10, test / 8 + 1000);
    let contexts: Vec<String> = (0..400).map(line).collect();
    let json = format!("{{\"files\": {{\"a.py\": {{\"contexts\": {{{}}}}}}}}}", contexts.join(", "));
    assert!(refused(json.as_bytes()).contains("more than 8"));
}

#[test]
fn lcov_names_a_test_per_record() {
    let trace = b"TN:test_a\nSF:/repo/src/a.c\nFN:1,main\nDA:1,3\nDA:2,0\nDA:3,1,checksum\nend_of_record\n\
        TN:test_b,diff\nSF:src/a.c\nDA:2,1e3\nBRDA:1,0,0,-\nend_of_record\nTN:\nSF:src/a.c\nDA:9,1\nend_of_record\n";
    let (seen, notes) = gathered(&[("l", trace)], &Context::new("/repo"));
    assert_eq!(ids(&seen), ["test_a", "test_b"]);
    assert_eq!(covered(&seen, "test_a", "src/a.c"), Some(lines(&[(1, 1), (3, 3)])));
    assert_eq!(covered(&seen, "test_b", "src/a.c"), Some(lines(&[(2, 2)])));
    assert!(notes.iter().any(|note| matches!(note, Note::UnnamedRecords { records: 1, .. })));
}

#[test]
fn wrong_lcov_is_told_apart() {
    assert!(refused(b"TN:\nSF:a.c\nDA:1,1\nend_of_record\n").contains("`TN:`"));
    assert!(refused(b"TN:t\nSF:a.c\nDA:1,1\n").contains("ends too early, at line 3"));
    assert!(refused(b"TN:t\nSF:a.c\nDA:0,1\nend_of_record\n").contains("from 1"));
    assert!(refused(b"TN:t\nSF:a.c\nDA:x\nend_of_record\n").contains("line 3"));
    assert!(refused(b"TN:t\nDA:1,1\n").contains("expected `SF:`"));
    assert!(refused(b"TN:t\nwhat is this\n").contains("line 2"));
}

#[test]
fn a_directory_holds_a_file_per_test() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("pkg/sub/t1/coverage.dat", "SF:pkg/a.c\nDA:1,1\nend_of_record\n");
    write(
        "pkg/sub/t1/test.xml",
        "<testsuites><testsuite name='t'><testcase name='t' time='2'/></testsuite></testsuites>",
    );
    write("t2/shard_1_of_2/coverage.dat", "TN:x\nSF:pkg/a.c\nDA:2,1\nend_of_record\n");
    write("t2/shard_2_of_2/coverage.dat", "SF:pkg/a.c\nDA:3,1\nend_of_record\n");
    write("t2/shard_1_of_2/test.xml", "<testsuite name='t'><testcase name='t' time='0'/></testsuite>");
    write("t3/coverage.dat", "");
    write("plain/test_p.info", "SF:pkg/a.c\nDA:4,1\nend_of_record\n");
    std::fs::write(outside.path().join("coverage.dat"), "SF:pkg/secret.c\nDA:1,1\nend_of_record\n").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path(), directory.path().join("link")).unwrap();

    let mut ingest = Ingest::new();
    ingest.directory("logs", directory.path(), &Context::new("/repo")).unwrap();
    let (seen, notes) = ingest.finish();
    assert_eq!(ids(&seen), ["//:t2", "//pkg/sub:t1", "plain/test_p"]);
    assert_eq!(covered(&seen, "//:t2", "pkg/a.c"), Some(lines(&[(2, 3)])));
    assert_eq!(seen.file_paths().iter().collect::<Vec<_>>(), ["pkg/a.c"]);
    let cost =
        |id: &str| seen.tests()[seen.known_test(id).unwrap().0 as usize].runs.first().and_then(|run| run.cost_us);
    assert_eq!(cost("//pkg/sub:t1"), Some(2_000_000));
    assert_eq!(cost("//:t2"), None);
    assert!(notes.iter().any(|note| note.to_string().contains("cached")), "{notes:?}");
    let empty = Ingest::new().directory("the input", outside.path().join("none").as_path(), &Context::new("/repo"));
    assert!(matches!(empty, Err(IngestError::Io { .. })));
}

#[test]
fn labels_follow_from_paths() {
    assert_eq!(label_of("pkg/t/run_1_of_2/coverage.dat").as_deref(), Some("//pkg:t"));
    assert_eq!(label_of("external/repo/pkg/t/coverage.dat").as_deref(), Some("@@repo//pkg:t"));
    assert_eq!(label_of("pkg/shard_tests/coverage.dat").as_deref(), Some("//pkg:shard_tests"));
    assert_eq!(label_of("coverage.dat"), None);
}

#[test]
fn durations_are_costs() {
    let context = Context::new("/repo");
    for json in [
        &br#"{"t.py::a": 0.5, "t.py::b": 0, "t.py::c": 1e-9}"#[..],
        br#"[["t.py::a", 0.5], ["t.py::b", 0], ["t.py::c", 1e-9]]"#,
    ] {
        let (seen, notes) = gathered(&[("d", json)], &context);
        let costs: Vec<_> = seen.tests().iter().map(|test| test.runs.first().unwrap().cost_us.unwrap()).collect();
        assert_eq!(costs, [500_000, 0, 1]);
        assert_eq!(notes, [Note::ZeroCosts { tests: 1, known: 3 }]);
    }
}

#[test]
fn wrong_durations_are_told_apart() {
    let message = refused(b"{\n \"t.py::a\": NaN}");
    assert!(message.contains("NaN") && message.contains("`t.py::a`") && message.contains("line 2"), "{message}");
    assert!(refused(b"{\"t.py::a\": -Infinity}").contains("-Infinity"));
    assert!(refused(b"{\"t.py::a\": 1e999}").contains("1e999"));
    assert!(refused(b"{\"t.py::a\": -0.5}").contains("0 or more"));
    assert!(refused(b"{\"t.py::a\": 1e12}").contains("unit"));
    assert!(refused(b"{\"t.py::a\": 1,\n\"t").contains("ends too early, at line 2"));
    assert!(refused(b"[[\"t.py::a\", \"x\"]]").contains("invalid type"));
    assert!(refused(b"{\"\": 1}").contains("is empty"));
    assert!(refused(b"{\"a\\u0000b\": 1}").contains("NUL"));
    assert!(refused(b"{\"a\": 1} x").contains("trailing"));
    assert!(refused(b"{\"\xff\": 1}").contains("UTF-8"));
}

#[test]
fn tags_are_symbols_with_dotted_names() {
    let tags = br#"{"_type": "ptag", "name": "JSON_OUTPUT_VERSION", "path": "1.0"}
{"_type": "tag", "name": "f", "path": "src/a.py", "line": 3, "end": 5, "kind": "function", "scope": "C.g", "scopeKind": "function"}
{"_type": "tag", "name": "C", "path": "/repo/src/a.cc", "pattern": "/^class C$/", "line": 1, "end": 9, "kind": "class", "scope": "ns::in"}
{"_type": "tag", "name": "v", "path": "src/a.py", "line": 1, "kind": "variable"}
{"_type": "tag", "name": "x", "path": "/usr/a.h", "line": 1, "end": 1, "kind": "macro"}"#;
    let (seen, notes) = gathered(&[("t", tags)], &Context::new("/repo"));
    let symbols: Vec<_> =
        seen.files().iter().flat_map(|file| &file.symbols).map(|s| (s.name.as_str(), s.kind)).collect();
    use crate::observation::SymbolKind::{Class, Function};
    assert_eq!(symbols, [("C.g.f", Function), ("ns.in.C", Class)]);
    assert!(notes.iter().any(|note| matches!(note, Note::NoSpan { tags: 1, .. })));
    assert!(notes.iter().any(|note| matches!(note, Note::OutsideRoot { files: 1, .. })));
    let tag = |line: i32, end: i32| {
        format!("{{\"_type\": \"tag\", \"name\": \"f\", \"path\": \"a.py\", \"line\": {line}, \"end\": {end}}}")
    };
    assert!(refused(tag(0, 3).as_bytes()).contains("from 1"));
    assert!(refused(tag(5, 3).as_bytes()).contains("lines 5 to 3"));
    assert!(refused(br#"{"_type": "tag", "name": "f"}"#).contains("`path`"));
}

#[test]
fn the_conceptual_model_declares_signals() {
    let model = br#"{"features": ["m.a", "m.a.f"], "tests": {
        "t.py::one": {"cost": 0.8, "signal": {"m.a": 0.9, "m.a.f": 1.0}}, "t.py::two": {"signal": {"m.b": 0.5}}, "t.py::three": {}},
        "weights": {"m.a": 2.0}, "calibration": {"scale": 0.5, "kind": "none"},
        "redundancy": [["t.py::one", "t.py::two", 0.9], ["t.py::two", "t.py::three", 0.2]]}"#;
    let (seen, notes) = gathered(&[("m", model)], &Context::new("/repo"));
    let facts = |id: &str| &seen.tests()[seen.known_test(id).unwrap().0 as usize];
    let one = seen.known_test("t.py::one").unwrap();
    let signals = seen.all_signals().unwrap().into_iter().filter(|((test, _), _)| *test == one);
    assert_eq!(signals.map(|(_, level)| level).collect::<Vec<_>>(), [0.45, 0.5].map(Level::from_signal));
    assert_eq!(
        seen.features().iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
        ["m.a", "m.a.f", "m.b"]
    );
    assert_eq!(seen.weight_of("m.a"), Some(2.0));
    let families: Vec<_> = ["t.py::one", "t.py::two", "t.py::three"].map(|id| facts(id).family.clone()).into();
    assert_eq!(families, [Some("t.py::one".to_owned()), Some("t.py::one".to_owned()), None]);
    assert!(notes.iter().any(|note| note.to_string().contains("calibration.kind")));
    assert!(notes.iter().any(|note| matches!(note, Note::UnlistedFeatures { features: 1, .. })));
    let with = |more: &str| format!("{{\"tests\": {{\"t\": {{\"signal\": {{\"m\": 1}}}}}}, {more}}}").into_bytes();
    for redundancy in ["[[\"t\", \"u\"]]", "{\"group\": [\"t\", \"u\"]}", "{\"t\": {\"u\": 0.8}}"] {
        let (seen, _) = gathered(&[("m", &with(&format!("\"redundancy\": {redundancy}")))], &Context::new("/repo"));
        assert!(seen.tests().iter().all(|test| test.family.as_deref() == Some("t")), "{redundancy}");
    }
    assert!(refused(&with("\"redundancy\": 3")).contains("`redundancy`"));
    assert!(refused(&with("\"weights\": {\"m\": -1}")).contains("weight of `m`"));
    assert!(refused(br#"{"tests": {"t": {"signal": {"m": 1.5}}}}"#).contains("0 to 1"));
    assert!(refused(br#"{"tests": {"t": {"cost": -1}}}"#).contains("0 or more"));
    assert!(refused(br#"{"tests": {"t": {"cost": "#).contains("ends too early"));
    assert!(refused(br#"{"tests": {}}"#).contains("empty"));
}

const RECORDS: &[u8] = br#"{"test": "//pkg:t1", "cost": 1.25, "file": "pkg/t_test.go", "lines": {"pkg/a.go": [[10, 20], 33, [5, 9]]}, "regions": {"pkg.mod.fn": 0.9}, "text": "words of it", "family": "t1", "outcome": "passed", "time": 12.5, "commit": "ABC"}

{"lines": {"./pkg/a.go": [21, 1]}, "test": "//pkg:t1", "text": "more words of it", "colour": "red"}
{"test": "esc\"aped", "time": "2026-11-22T02:51:26Z"}
"#;

#[test]
fn json_lines_are_read_in_any_order() {
    let (seen, notes) = gathered(&[("r", RECORDS)], &Context::new("/repo"));
    assert_eq!(covered(&seen, "//pkg:t1", "pkg/a.go"), Some(lines(&[(1, 1), (5, 21), (33, 33)])));
    let key = seen.known_test("//pkg:t1").unwrap();
    let facts = &seen.tests()[key.0 as usize];
    let both = crate::words::test_words("//pkg:t1", None, Some("more words of it"));
    let both = both.into_iter().map(|(word, count)| ((key, word), quantize_count(count.into()))).collect();
    assert_eq!(seen.all_words().unwrap(), both, "the words of both texts, which are those of the longer one");
    assert_eq!(seen.features().get_index(0).map(String::as_str), Some("pkg.mod.fn"));
    assert_eq!(seen.all_signals().unwrap(), [((key, 0), Level::from_signal(0.9))].into());
    assert_eq!(facts.family.as_deref(), Some("t1"));
    let run = Run { time_us: 12_500_000, commit: "abc".to_owned(), outcome: Outcome::Passed, cost_us: Some(1_250_000) };
    assert_eq!(facts.runs.iter().collect::<Vec<_>>(), [&run]);
    assert_eq!(facts.file.map(|file| seen.file_path(file)), Some("pkg/t_test.go"));
    assert!(notes.iter().any(|note| note.to_string().contains("colour")));
    let mut turned: Vec<&[u8]> = RECORDS.split_inclusive(|&byte| byte == b'\n').collect();
    turned.reverse();
    assert_eq!(dump(&seen), dump(&gathered(&[("r", &turned.concat())], &Context::new("/repo")).0));
}

#[test]
fn wrong_json_lines_are_told_apart() {
    let line = |more: &str| format!("{{\"test\": \"t\"}}\n{{\"test\": \"u\", {more}}}\n").into_bytes();
    assert!(refused(&line("\"cost\": -1")).contains("0 or more"));
    assert!(refused(&line("\"cost\": NaN")).contains("line 2 is NaN"));
    assert!(refused(&line("\"lines\": {\"a\": [0]}")).contains("from 1"));
    assert!(refused(&line("\"lines\": {\"a\": [-4]}")).contains("line -4"));
    assert!(refused(&line("\"lines\": {\"a\": [1, [9, 3]]}")).contains("lines 9 to 3 of `a`"));
    assert!(refused(&line("\"lines\": {\"a\": [[1, 2, 3]]}")).contains("line 2"));
    assert!(refused(&line("\"lines\": {\"a\": [[1, 90000000000]]}")).contains("at most"));
    assert!(refused(&line("\"regions\": {\"f\": 2}")).contains("0 to 1"));
    assert!(refused(&line("\"outcome\": \"great\"")).contains("great"));
    assert!(refused(&line("\"time\": \"noon\"")).contains("RFC 3339"));
    assert!(refused(b"{\"test\": \"t\"}\n{\"cost\": 1}").contains("`test`"));
    assert!(refused(b"{\"test\": \"t\"}\n{\"test\": ").contains("ends too early"));
    assert!(refused(b"{\"test\": \"t\",\n\"cost\": 1}\n").contains("one object a line"));
    assert!(refused(b"{\"test\": \"t\"}\nrubbish\n").contains("line 2"));
    let conflict = refused_after(&[br#"{"test": "t", "file": "a.py"}"#], br#"{"test": "t", "file": "b.py"}"#);
    assert!(conflict.contains("`b.py`") && conflict.contains("`a.py`") && conflict.contains("`earlier`"), "{conflict}");
}

#[test]
fn lines_in_any_order_cost_a_sort() {
    // Each record once added one line before all others to a set that grew: quadratic in the number of records.
    let mut records = String::new();
    for line in (1..=40_000).rev() {
        records.push_str(&format!("{{\"test\": \"t\", \"lines\": {{\"a\": [{}]}}}}\n", line * 2));
    }
    let (seen, _) = gathered(&[("r", records.as_bytes())], &Context::new("/repo"));
    assert_eq!(covered(&seen, "t", "a").unwrap().ranges().len(), 40_000);
}

#[test]
fn partial_coverage_and_missing_costs_are_named() {
    let coverage = br#"{"files": {"a.py": {"contexts": {"1": ["t.py::a|run"], "2": ["t.py::b|run"]}}}}"#;
    let durations = br#"{"t.py::a": 1, "t.py::c": 1, "t.py::d": 1, "t.py::e": 1}"#;
    let (_, notes) = gathered(&[(".coverage", coverage), ("d", durations)], &Context::new("/repo"));
    let text: Vec<String> = notes.iter().map(Note::to_string).collect();
    assert!(text.contains(&"`.coverage` holds coverage of 2 of 5 known tests".to_owned()), "{text:?}");
    assert!(text.contains(&"1 of 5 tests has no cost and gets the median".to_owned()), "{text:?}");
}

#[cfg(feature = "sqlite")]
mod database {
    use std::collections::BTreeSet;
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;

    const SCHEMA: &str = "CREATE TABLE coverage_schema (version integer);
        CREATE TABLE meta (key text, value text, unique (key));
        CREATE TABLE file (id integer primary key, path text, unique (path));
        CREATE TABLE context (id integer primary key, context text, unique (context));
        CREATE TABLE line_bits (file_id integer, context_id integer, numbits blob, unique (file_id, context_id));
        CREATE TABLE arc (file_id integer, context_id integer, fromno integer, tono integer);
        CREATE TABLE tracer (file_id integer primary key, tracer text);
        INSERT INTO coverage_schema VALUES (7);
        INSERT INTO file VALUES (1, '/repo/src/a.py'), (2, 'src\\b.py'), (3, '/usr/lib/x.py');
        INSERT INTO context VALUES (1, ''), (2, 't.py::a|run'), (3, 't.py::a|setup'), (4, 't.py::b');";

    const ARC: &str = "INSERT INTO arc VALUES (1, 2, 1, 2);";

    /// The least that SQLite knows.
    const PAGE_BYTES: usize = 512;

    const LINES: &str =
        "INSERT INTO line_bits VALUES (1, 1, x'03'), (1, 2, x'0C01'), (1, 3, x'20'), (2, 4, x'FEFF01'), (3, 4, x'02');";

    fn database(directory: &Path, statements: &[&str]) -> std::path::PathBuf {
        let path = directory.join("a b%#?.coverage");
        let database = Connection::open(&path).unwrap();
        statements.iter().for_each(|statement| database.execute_batch(statement).unwrap());
        path
    }

    fn read(statements: &[&str]) -> Result<(Observations, Vec<Note>), IngestError> {
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), statements);
        let mut ingest = Ingest::new();
        ingest.database("the input", &path, &Context::new("/repo"), |_, _| ())?;
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        Ok(ingest.finish())
    }

    fn refused(statements: &[&str]) -> String {
        let message = read(statements).unwrap_err().to_string();
        assert!(message.contains("`the input`"), "{message}");
        message
    }

    #[test]
    fn lines_and_contexts_are_read() {
        let (seen, notes) = read(&[SCHEMA, LINES]).unwrap();
        assert_eq!(ids(&seen), ["t.py::a", "t.py::b"]);
        assert_eq!(covered(&seen, "t.py::a", "src/a.py"), Some(lines(&[(2, 3), (5, 5), (8, 8)])));
        assert_eq!(covered(&seen, "t.py::b", "src/b.py"), Some(lines(&[(1, 16)])));
        assert_eq!(seen.files()[0].imported, lines(&[(1, 1)]));
        assert!(notes.iter().any(|note| matches!(note, Note::OutsideRoot { files: 1, .. })));
    }

    /// Rows for the arcs of tests, those that were noted.
    fn arcs(noted: impl Fn(i64, i64, usize) -> bool, tests: usize) -> String {
        let mut statements = "BEGIN;".to_owned();
        for test in 0..tests {
            statements += &format!("INSERT INTO context VALUES ({}, 's/t.py::t{test}|run');", test + 10);
            // Every test runs line 1, a branch of its own from there, and returns from line 500.
            let own = i64::try_from(test).unwrap() + 10;
            for (from, to) in [(1, 1), (-1, 1), (1, own), (own, own), (own, 500), (500, 500), (500, -1)] {
                if noted(from, to, test) {
                    statements += &format!("INSERT INTO arc VALUES (1, {}, {from}, {to});", test + 10);
                }
            }
        }
        statements + "COMMIT;"
    }

    /// Recordings with branches passed for healthy ones: line 1 has a first test for each arc that leaves it.
    #[test]
    fn first_hits_of_arcs_are_seen() {
        let is_own = |from: i64, to: i64| from > 9 && from < 500 || to > 9 && to < 500;
        let traced = |from: i64, to: i64, _: usize| from != to;
        let first_traced = |from: i64, to: i64, test: usize| from != to && (test == 0 || is_own(from, to));
        read(&[SCHEMA, &arcs(traced, 30)]).unwrap();
        assert!(refused(&[SCHEMA, &arcs(first_traced, 30)]).contains("30 tests share files"));
        // `sysmon` notes lines as arcs to themselves, and the return once for each place that it returns from.
        let monitored = |from: i64, to: i64, test: usize| {
            test == 0 || is_own(from, to) && (from == to || test.is_multiple_of(2)) || test == 1 && to == -1
        };
        let every = |_: i64, _: i64, _: usize| true;
        read(&[SCHEMA, &arcs(every, 30)]).unwrap();
        assert!(refused(&[SCHEMA, &arcs(monitored, 30)]).contains("sysmon"));
        let (_, notes) = read(&[SCHEMA, &arcs(first_traced, 19)]).unwrap();
        assert!(notes.contains(&Note::NothingShared { input: "the input".to_owned(), tests: 19 }), "{notes:?}");
    }

    #[test]
    fn arcs_are_their_lines() {
        let arcs = "INSERT INTO arc VALUES (1, 2, -1, 2), (1, 2, 2, 3), (1, 3, 5, 8), (1, 2, 3, -1), (2, 4, -1, 1), (2, 4, 1, -1), (1, 1, -1, 1);";
        let (seen, _) = read(&[SCHEMA, arcs]).unwrap();
        assert_eq!(covered(&seen, "t.py::a", "src/a.py"), Some(lines(&[(2, 3), (5, 5), (8, 8)])));
        assert_eq!(covered(&seen, "t.py::b", "src/b.py"), Some(lines(&[(1, 1)])));
        assert_eq!(seen.files()[0].imported, lines(&[(1, 1)]));
    }

    #[test]
    fn an_unfinished_write_ahead_log_is_read_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), &["PRAGMA journal_mode = wal", SCHEMA]);
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch(LINES).unwrap();
        let names = || -> BTreeSet<_> {
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        let before = names();
        assert!(before.len() > 1);
        let mut ingest = Ingest::new();
        ingest.database("db", &path, &Context::new("/repo"), |_, _| ()).unwrap();
        assert_eq!(names(), before);
        assert_eq!(ids(&ingest.finish().0), ["t.py::a", "t.py::b"]);
        drop(writer);
        // The last writer has cleaned up; the header still says that the log is to be used.
        let before = names();
        assert_eq!(before.len(), 1);
        Ingest::new().database("db", &path, &Context::new("/repo"), |_, _| ()).unwrap();
        assert_eq!(names(), before);
    }

    #[test]
    fn wrong_databases_are_told_apart() {
        let without = |table: &str| format!("DROP TABLE {table};");
        assert!(refused(&[SCHEMA, &without("line_bits")]).contains("no table `line_bits`"));
        assert!(refused(&["CREATE TABLE bookmarks (url text);"]).contains("not of coverage.py"));
        assert!(refused(&[SCHEMA, "UPDATE coverage_schema SET version = 8;"]).contains("schema 8, this build reads 7"));
        assert!(refused(&[SCHEMA, "DELETE FROM context WHERE id > 1;"]).contains("no context"));
        assert!(
            refused(&[SCHEMA, "DELETE FROM context WHERE id > 1; UPDATE context SET context = 'ci';"])
                .contains("static context `ci`")
        );
        assert!(refused(&[SCHEMA, "INSERT INTO line_bits VALUES (1, 2, 'text');"]).contains("not a blob"));
        assert!(refused(&[SCHEMA, "INSERT INTO line_bits VALUES (9, 2, x'02');"]).contains("names file 9"));
        assert!(refused(&[SCHEMA, "INSERT INTO line_bits VALUES (1, 'x', x'02');"]).contains("expected an integer"));
        assert!(refused(&[SCHEMA, "INSERT INTO line_bits VALUES (1, 2, zeroblob(2000000));"]).contains("at most"));
        assert!(refused(&[SCHEMA, "INSERT INTO arc VALUES (1, 2, 1, 99999999999);"]).contains("at most"));
        assert!(refused(&[SCHEMA, "UPDATE file SET path = cast(x'ff' AS text) WHERE id = 1;"]).contains("UTF-8"));
        assert!(refused(&[SCHEMA, "UPDATE file SET path = '/ci/' || id;"]).contains("none of its 3 files"));
    }

    #[test]
    fn a_schema_runs_nothing() {
        let view = "DROP TABLE context; CREATE VIEW context AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, 't' || id AS context FROM n;";
        assert!(refused(&[SCHEMA, view]).contains("no table `context`"));
    }

    /// Makes interior pages, one above the other, of `page`: each refers 60 times to the one below, the last to what `page` was.
    fn read_over_and_over(bytes: &mut Vec<u8>, page: usize) {
        const LEVELS: usize = 8;
        const TIMES: usize = 60;
        let pages = bytes.len() / PAGE_BYTES;
        let at = (page - 1) * PAGE_BYTES;
        let leaf = bytes[at..at + PAGE_BYTES].to_vec();
        let interior = |child: usize| {
            let child = u32::try_from(child).unwrap().to_be_bytes();
            let mut page = vec![0; PAGE_BYTES];
            (page[0], page[4]) = (5, u8::try_from(TIMES - 1).unwrap());
            page[8..12].copy_from_slice(&child);
            let mut end = PAGE_BYTES;
            for (cell, key) in (1u8..).take(TIMES - 1).enumerate() {
                end -= 5;
                page[end..end + 4].copy_from_slice(&child);
                page[end + 4] = key;
                page[12 + 2 * cell..14 + 2 * cell].copy_from_slice(&u16::try_from(end).unwrap().to_be_bytes());
            }
            page[5..7].copy_from_slice(&u16::try_from(end).unwrap().to_be_bytes());
            page
        };
        bytes[at..at + PAGE_BYTES].copy_from_slice(&interior(pages + 1));
        (2..=LEVELS).for_each(|level| bytes.extend(interior(pages + level)));
        bytes.extend(leaf);
        bytes[28..32].copy_from_slice(&u32::try_from(pages + LEVELS).unwrap().to_be_bytes());
    }

    /// Pages that are referred to over and over stood for 60^8 rows: memory ran out over files, and nothing ended over lines, or
    /// in SQLite itself over the schema.
    #[test]
    fn a_page_is_not_read_over_and_over() {
        // The row of the last index alone on a page, as the one of its table fills another.
        let last = format!("CREATE TABLE last (a, {}, unique (a));", "b".repeat(300));
        let statements = [&format!("PRAGMA page_size = {PAGE_BYTES};"), SCHEMA, LINES, ARC, &last];
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), &statements);
        let good = std::fs::read(&path).unwrap();
        let opened = Connection::open(&path).unwrap();
        let read = |bytes: &[u8]| {
            let context = Context::new("/repo");
            Ingest::new()
                .bytes_of_kind(Kind::CoverageDb, "the input", bytes, &context)
                .map_err(|error| error.to_string())
        };
        read(&good).unwrap();
        let root = |table: &str| {
            let root: u16 = opened
                .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table], |row| row.get(0))
                .unwrap();
            usize::from(root)
        };
        let schema = u32::from_be_bytes(good[108..112].try_into().unwrap()) as usize;
        for (page, problem) in [
            (root("file"), "more rows than fit"),
            (root("context"), "more rows than fit"),
            (root("line_bits"), "more rows than fit"),
            (root("arc"), "more rows than fit"),
            (schema, "more work"),
        ] {
            let mut bytes = good.clone();
            read_over_and_over(&mut bytes, page);
            let refused = read(&bytes).unwrap_err();
            assert!(refused.contains("damaged SQLite database") && refused.contains(problem), "page {page}: {refused}");
        }
    }

    /// A computed column of four kilobytes took four gigabytes.
    #[test]
    fn computed_columns_are_refused() {
        for kept in ["VIRTUAL", "STORED"] {
            let computed = format!(
                "DROP TABLE context; CREATE TABLE context (id integer primary key, context text AS (hex(zeroblob(3))) {kept});"
            );
            assert!(refused(&[SCHEMA, &computed]).contains("table `context` has columns that are computed"));
        }
    }

    #[test]
    fn damaged_files_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), &[SCHEMA, LINES]);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 10, 16, 100, 512, 4096, bytes.len() - 4096] {
            let result =
                Ingest::new().bytes_of_kind(Kind::CoverageDb, "the input", &bytes[..length], &Context::new("/repo"));
            assert!(result.is_err(), "cut to {length} bytes");
        }
        for at in (0..bytes.len()).step_by(97) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            let _ = Ingest::new().bytes_of_kind(Kind::CoverageDb, "the input", &bytes, &Context::new("/repo"));
        }
        let missing =
            Ingest::new().database("the input", &directory.path().join("none"), &Context::new("/repo"), |_, _| ());
        assert!(matches!(missing, Err(IngestError::Io { .. })));
    }

    #[test]
    fn a_database_and_its_json_say_the_same() {
        let json = br#"{"files": {"src/a.py": {"contexts": {"1": [""], "2": ["t.py::a|run"], "3": ["t.py::a|run"], "5": ["t.py::a|setup"], "8": ["t.py::a|run"]}},
            "src/b.py": {"contexts": {"t.py::b": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}}}}"#;
        assert_eq!(dump(&read(&[SCHEMA, LINES]).unwrap().0), dump(&gathered(&[("j", json)], &Context::new("/repo")).0));
    }
}
