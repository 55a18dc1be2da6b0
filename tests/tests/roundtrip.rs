//! Observations become a model, and everything that went in comes back out of it: through the accessors, and as
//! observations that make the same bytes again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use covopt::build::{Content, Merged, Sources, build};
use covopt::fuzz::sample;
use covopt::id::{FeatureId, FileId, TestId, path_in_test_id};
use covopt::model::{Index, PathMatch, Posting, PostingList, Stamp, quantize_count};
use covopt::observation::{
    FileFacts, LineRange, LineSet, Observations, Outcome, Run, Session, Symbol, SymbolKind, TestKey,
};
use covopt::optimize::Level;
use covopt::signal::Calibration;
use proptest::prelude::*;

type Bytes = rkyv::util::AlignedVec<64>;

fn lines(ranges: &[(u32, u32)]) -> LineSet {
    ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
}

fn content(path: &str) -> Option<Content> {
    let stamp = Stamp { size_bytes: path.len() as u64, hash: u64::MAX - path.len() as u64 };
    (!path.contains("gone")).then(|| Content { stamp, anchors: (0..path.len() as u16).collect() })
}

/// Builds, verifies, checks every accessor, and builds what was restored once more.
fn round(seen: &Observations) -> Bytes {
    let bytes = build(seen, Some("0123abc"), content);
    let index = Index::open(&bytes[..]).unwrap();
    index.verify(|done, total| assert!(done <= total)).unwrap();
    assert_eq!(index.root().base.as_deref(), Some("0123abc"));
    check_tests(seen, &index);
    check_files(seen, &index);
    check_features(seen, &index);
    assert_eq!(index.sessions().unwrap(), seen.sessions().iter().copied().collect::<Vec<_>>());
    let contents = |path: &str| {
        let file = index.find_file(path).unwrap().unwrap();
        let (size_bytes, hash) = index.file(file).unwrap().stamp()?;
        Some(Content { stamp: Stamp { size_bytes, hash }, anchors: index.anchors(file).unwrap().iter().collect() })
    };
    let mut sources = Sources::new(Observations::default());
    sources.join(&index).unwrap();
    let again = sources.into_bytes(index.root().base.as_deref(), contents).unwrap();
    assert!(again[..] == bytes[..], "what was read back makes other bytes");
    bytes
}

fn check_tests(seen: &Observations, index: &Index<&[u8]>) {
    let mut names: Vec<&String> = seen.test_names().iter().collect();
    names.sort();
    assert_eq!(index.root().tests as usize, names.len());
    let known_costs: BTreeMap<&String, u64> =
        names.iter().filter_map(|&name| Some((name, median(&facts(seen, name).runs)?))).collect();
    let mut costs: Vec<u64> = known_costs.values().copied().collect();
    costs.sort_unstable();
    let usual_cost_us = costs.get(costs.len() / 2).copied();
    assert_eq!(index.root().tests_with_cost as usize, costs.len());
    assert!(usual_cost_us.is_none_or(|usual_cost_us| usual_cost_us == index.root().median_cost_us));
    for (test, name) in (0..).map(TestId).zip(names) {
        let facts = facts(seen, name);
        assert_eq!(&index.test_name(test).unwrap(), name);
        assert_eq!(index.find_test(name).unwrap(), Some(test));
        assert_eq!(index.find_test(&format!("{name}\u{0}")).unwrap(), None);
        // Beyond 36 minutes a cost is kept in whole milliseconds, 24 days at most.
        let kept_us = |us: u64| if us < 1 << 31 { us } else { us.div_ceil(1000).min((1 << 31) - 1) * 1000 };
        match known_costs.get(name).copied().or(usual_cost_us) {
            Some(cost_us) => assert_eq!(index.cost_us(test).unwrap(), kept_us(cost_us), "{name}"),
            None => assert!(index.cost_us(test).unwrap() > 0, "{name}: a guess"),
        }
        let record = index.test_record(test).unwrap();
        assert_eq!(record.recorded, facts.recorded, "{name}");
        assert_eq!(record.family.map(|family| index.family_name(family).unwrap()), facts.family);
        let commit = |commit: Option<u32>| commit.map_or(String::new(), |commit| index.commit(commit).unwrap());
        let run = |run: covopt::model::RunFact| Run {
            time_us: run.time_us,
            commit: commit(run.commit),
            outcome: run.outcome,
            cost_us: run.cost_us,
        };
        assert_eq!(record.runs.into_iter().map(run).collect::<Vec<_>>(), facts.runs, "{name}");
    }
    check_failures(seen, index);
}

/// Whoever failed, if only at first, is among the failures, and nobody else.
fn check_failures(seen: &Observations, index: &Index<&[u8]>) {
    let has_failed = |name: &&String| facts(seen, name).runs.iter().any(|run| run.outcome >= Outcome::Flaky);
    let mut names: Vec<&String> = seen.test_names().iter().filter(has_failed).collect();
    names.sort();
    let failures = index.failures().unwrap();
    assert_eq!(index.root().tests_failed as usize, failures.len());
    let found: Vec<String> = failures.iter().map(|&(test, _)| index.test_name(test).unwrap()).collect();
    assert_eq!(found.iter().collect::<Vec<_>>(), names);
}

fn facts<'a>(seen: &'a Observations, test: &str) -> &'a covopt::observation::TestFacts {
    &seen.tests()[seen.known_test(test).unwrap().0 as usize]
}

fn median(runs: &[Run]) -> Option<u64> {
    let mut costs: Vec<u64> = runs.iter().filter_map(|run| run.cost_us).collect();
    costs.sort_unstable();
    costs.get(costs.len() / 2).copied()
}

fn defined_in<'a>(seen: &'a Observations, name: &'a str) -> Option<&'a str> {
    match facts(seen, name).file {
        Some(file) => Some(seen.file_path(file)),
        None => path_in_test_id(name),
    }
}

fn check_files(seen: &Observations, index: &Index<&[u8]>) {
    let mut paths: BTreeSet<&str> = seen.file_paths().iter().map(String::as_str).collect();
    paths.extend(seen.test_names().iter().filter_map(|name| path_in_test_id(name)));
    assert_eq!(index.root().files as usize, paths.len());
    let unseen = FileFacts::default();
    let all_lines = seen.all_lines().unwrap();
    for (file, path) in (0..).map(FileId).zip(paths) {
        assert_eq!(index.path(file).unwrap(), path);
        assert_eq!(index.find_file(path).unwrap(), Some(file));
        assert_eq!(index.match_path(path).unwrap(), PathMatch::Exact(file));
        assert_eq!(index.find_file(&format!("{path}/")).unwrap(), None);
        let view = index.file(file).unwrap();
        let want = content(path);
        assert_eq!(view.stamp(), want.as_ref().map(|it| (it.stamp.size_bytes, it.stamp.hash)));
        let anchors: Vec<u16> = index.anchors(file).unwrap().iter().collect();
        assert_eq!(anchors, want.map_or(Vec::new(), |it| it.anchors));
        let defines = names_of(index, view.defines().unwrap());
        let mut want: Vec<String> =
            seen.test_names().iter().filter(|name| defined_in(seen, name) == Some(path)).cloned().collect();
        want.sort();
        assert_eq!(defines, want, "{path}");
        let known = seen.known_file(path);
        let facts = known.map_or(&unseen, |file| &seen.files()[file.0 as usize]);
        let covered = all_lines.iter().filter(|((file, _), _)| Some(*file) == known);
        check_lines(seen, index, &view, (facts, covered.map(|(&(_, test), lines)| (test, lines.clone())).collect()));
        check_symbols(&view, facts);
    }
}

fn names_of(index: &Index<&[u8]>, list: PostingList<'_>) -> Vec<String> {
    let postings = list.to_vec().unwrap();
    assert_eq!(postings.len(), list.count() as usize);
    assert!(postings.iter().all(|posting| posting.signal == 1));
    postings.iter().map(|posting| index.test_name(posting.test).unwrap()).collect()
}

/// The lines of each test, as runs and blocks say.
fn check_lines(
    seen: &Observations,
    index: &Index<&[u8]>,
    view: &covopt::model::FileView<'_>,
    (facts, covered): (&FileFacts, BTreeMap<TestKey, LineSet>),
) {
    let mut found: BTreeMap<String, LineSet> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for at in 0..view.run_count() {
        let run = view.run(at).unwrap();
        used.insert(run.block);
        for line in [run.first, run.last] {
            assert_eq!(view.run_at(line), Some(run));
        }
        for name in names_of(index, view.block(run.block).unwrap()) {
            found.entry(name).or_default().insert(LineRange { first: run.first, last: run.last });
        }
    }
    assert_eq!(view.run(view.run_count()), None);
    assert!(used.into_iter().eq(0..view.block_count() as u32), "a block without a line");
    assert!(view.block(view.block_count() as u32).is_err());
    let want: BTreeMap<String, LineSet> =
        covered.into_iter().map(|(test, lines)| (seen.test_name(test).to_owned(), lines)).collect();
    assert_eq!(found, want);
    let touching = view.touching().unwrap().to_vec().unwrap();
    let posting = |(name, lines): (&String, &LineSet)| Posting {
        test: index.find_test(name).unwrap().unwrap(),
        signal: quantize_count(lines.len()),
    };
    assert_eq!(touching, want.iter().map(posting).collect::<Vec<_>>());
    assert_eq!(view.imported().collect::<Vec<_>>(), facts.imported.ranges());
    for range in facts.imported.ranges() {
        assert!(view.imported_at(range.first) && view.imported_at(range.last));
        assert_eq!(view.imported_at(range.last + 1), facts.imported.contains(range.last + 1));
    }
}

fn check_symbols(view: &covopt::model::FileView<'_>, facts: &FileFacts) {
    let found =
        |symbol: covopt::model::SymbolView<'_>| Symbol { lines: symbol.lines, name: symbol.name(), kind: symbol.kind };
    assert_eq!(view.symbols().map(found).collect::<BTreeSet<_>>(), facts.symbols);
    for line in 1..60 {
        // Innermost: the one that begins last; of those, the one that ends first.
        let holding = facts.symbols.iter().filter(|s| s.lines.first <= line && line <= s.lines.last);
        let want = holding.map(|s| (s.lines.first, std::cmp::Reverse(s.lines.last))).max();
        let found = view.symbol_at(line).map(|s| (s.lines.first, std::cmp::Reverse(s.lines.last)));
        assert_eq!(found, want, "line {line}");
    }
}

fn check_features(seen: &Observations, index: &Index<&[u8]>) {
    assert_eq!(index.root().features as usize, seen.features().len());
    let features: BTreeSet<&String> = seen.features().iter().collect();
    let signals = seen.all_signals().unwrap();
    for (at, &name) in (0..).map(FeatureId).zip(&features) {
        let within = index.features_within(name, 100).unwrap();
        let below = format!("{name}.");
        let want: Vec<&String> =
            features.iter().copied().filter(|known| *known == name || known.starts_with(&below)).take(100).collect();
        assert_eq!(within.iter().map(|(_, name)| name).collect::<Vec<_>>(), want);
        assert_eq!(within[0], (at, name.clone()));
        let feature = index.feature(at).unwrap();
        let declared = seen.weight_of(name);
        assert_eq!((feature.weight, feature.weight_declared), (declared.unwrap_or(1.0), declared.is_some()));
        let mut want: Vec<Posting> = Vec::new();
        for (&(test, feature), &Level(signal)) in &signals {
            if seen.features()[feature as usize] == *name {
                want.push(Posting { test: index.find_test(seen.test_name(test)).unwrap().unwrap(), signal });
            }
        }
        want.sort();
        assert_eq!(feature.list.to_vec().unwrap(), want);
    }
}

/// One thing that an input says.
#[derive(Clone, Debug)]
enum Said {
    Constant(usize, f64),
    Covered(usize, usize, LineSet),
    Ran(usize, Run),
    Signal(usize, usize, f64),
    Weight(usize, f64),
    Feature(usize),
    Imported(usize, LineSet),
    Symbol(usize, Symbol),
    /// Declares the family and the file that belong to a test: inputs that contradict each other are refused earlier.
    Belongs(usize),
    Empty(usize),
    Text(usize, String),
    Session(Session),
}

const NAMES: [&str; 9] = [
    "tests/test_a.py::test_x",
    "tests/test_a.py::test_x[é ☃]",
    "tests/test_b.py::T::test[it's a::b.c]",
    "",
    "//pkg:target",
    "\n\u{0}\\",
    "日本語/テスト.py::試験",
    "x",
    "tests/test_a.py::test_xx",
];
const PATHS: [&str; 6] = ["src/a.py", "a.py", "gone/a.py", "日本語/テスト.py", "src/a b's.py", "tests/test_b.py"];
const FEATURES: [&str; 5] = ["pkg", "pkg.mod", "pkg.mod.fn", "pkg.mod-x", "ünï.cödé"];

fn said() -> impl Strategy<Value = Said> {
    let test = 0..NAMES.len();
    let file = 0..PATHS.len();
    let feature = 0..FEATURES.len();
    let set = || {
        proptest::collection::vec((1u32..50, 0u32..6), 0..5).prop_map(|ranges| {
            ranges.into_iter().map(|(first, more)| LineRange { first, last: first + more }).collect()
        })
    };
    let outcome = prop_oneof![
        Just(Outcome::Unknown),
        Just(Outcome::Skipped),
        Just(Outcome::Passed),
        Just(Outcome::Flaky),
        Just(Outcome::Failed)
    ];
    let time_us = prop_oneof![Just(0u64), 0u64..5, Just(u64::MAX)];
    let cost_us = proptest::option::of(prop_oneof![0u64..10, Just(1 << 33), Just(u64::MAX)]);
    let run = (time_us, prop_oneof!["", "[0-9a-f]{2}"], outcome, cost_us)
        .prop_map(|(time_us, commit, outcome, cost_us)| Run { time_us, commit, outcome, cost_us });
    let kind = prop_oneof![Just(SymbolKind::Function), Just(SymbolKind::Class), Just(SymbolKind::Other)];
    let symbol = (1u32..50, 0u32..20, "[a-c]{0,12}", kind).prop_map(|(first, more, name, kind)| Symbol {
        lines: LineRange { first, last: first + more },
        name,
        kind,
    });
    let session =
        (any::<bool>(), 0u64..9, 1u32..9, 1u32..9, 1u64..99).prop_map(|(whole, time_us, files, more, wall_us)| {
            Session { whole, time_us, tests: files + more, files, cost_us: wall_us / 2, wall_us }
        });
    let number = prop_oneof![0.0..1.0f64, Just(0.0), Just(-0.0), Just(1.0), Just(1e-9), Just(7.5)];
    prop_oneof![
        6 => (test.clone(), file.clone(), set()).prop_map(|(test, file, lines)| Said::Covered(test, file, lines)),
        4 => (test.clone(), run).prop_map(|(test, run)| Said::Ran(test, run)),
        2 => (test.clone(), feature.clone(), number.clone()).prop_map(|(test, at, signal)| Said::Signal(test, at, signal)),
        1 => (feature.clone(), number).prop_map(|(at, weight)| Said::Weight(at, weight)),
        1 => (0..Calibration::NAMES.len(), -2.0..9.0f64).prop_map(|(at, value)| Said::Constant(at, value)),
        1 => feature.prop_map(Said::Feature),
        1 => (file.clone(), set()).prop_map(|(file, lines)| Said::Imported(file, lines)),
        2 => (file, symbol).prop_map(|(file, symbol)| Said::Symbol(file, symbol)),
        1 => test.clone().prop_map(Said::Belongs),
        1 => test.clone().prop_map(Said::Empty),
        3 => session.prop_map(Said::Session),
        2 => (test, "([a-e]{3,5} ){0,40}").prop_map(|(test, text)| Said::Text(test, text)),
    ]
}

fn hear(seen: &mut Observations, said: &Said) {
    match said {
        Said::Covered(test, file, lines) => {
            let (test, file) = (seen.test(NAMES[*test]), seen.file(PATHS[*file]));
            seen.cover(test, file, lines);
        }
        Said::Ran(test, run) => {
            let test = seen.test(NAMES[*test]);
            seen.run(test, run.clone());
        }
        Said::Signal(test, feature, signal) => {
            let test = seen.test(NAMES[*test]);
            seen.signal(test, FEATURES[*feature], *signal);
        }
        Said::Weight(feature, weight) => seen.weight(FEATURES[*feature], *weight),
        Said::Constant(at, value) => seen.constant(Calibration::NAMES[*at], *value),
        Said::Feature(feature) => _ = seen.feature(FEATURES[*feature]),
        Said::Imported(file, lines) => {
            let file = seen.file(PATHS[*file]);
            seen.file_mut(file).imported.union(lines);
        }
        Said::Symbol(file, symbol) => {
            let file = seen.file(PATHS[*file]);
            seen.file_mut(file).symbols.insert(symbol.clone());
        }
        Said::Belongs(at) => {
            let (test, file) = (seen.test(NAMES[*at]), seen.file(PATHS[*at % PATHS.len()]));
            let facts = seen.test_mut(test);
            (facts.family, facts.file) = (Some(format!("family {}", at % 3)), Some(file));
        }
        Said::Text(test, text) => {
            let test = seen.test(NAMES[*test]);
            seen.text(test, text);
        }
        Said::Session(session) => seen.session(*session),
        Said::Empty(test) => {
            let test = seen.test(NAMES[*test]);
            seen.test_mut(test).recorded = true;
        }
    }
}

fn hear_all<'a>(all: impl IntoIterator<Item = &'a Said>) -> Observations {
    let mut seen = Observations::default();
    all.into_iter().for_each(|said| hear(&mut seen, said));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_went_in_comes_out_in_any_order(
        (all, shuffled) in proptest::collection::vec(said(), 0..40)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let bytes = round(&hear_all(&all));
        let again = build(&hear_all(&shuffled), Some("0123abc"), content);
        prop_assert!(bytes[..] == again[..], "another order made other bytes");
    }

    /// A model stands for the observations that it was built from: adding to one is adding to the other.
    #[test]
    fn models_join_like_their_observations(
        first in proptest::collection::vec(said(), 0..20),
        more in proptest::collection::vec(said(), 0..20),
    ) {
        let old = build(&hear_all(&first), None, content);
        let old = Index::open(&old[..]).unwrap();
        let joined = build(&hear_all(first.iter().chain(&more)), None, content);
        let mut one = Sources::new(hear_all(&more));
        one.join(&old).unwrap();
        prop_assert!(one.into_bytes(None, content).unwrap()[..] == joined[..]);
    }
}

/// What does not fit into memory makes the same model.
#[test]
fn a_build_with_little_memory_makes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let hear = |mut seen: Observations| {
        for at in 0..3000u32 {
            let test = seen.test(&format!("tests/test_{}.py::test_{at:04}", at % 7));
            let file = seen.file(&format!("src/module_{:02}.py", at * at % 31));
            seen.cover(test, file, &lines(&[(1 + at % 5, 9 + at % 11), (40, 40 + at % 3)]));
            seen.text(test, &format!("words of number{} and more", at % 97));
            seen.signal(test, &format!("pkg.feature{}", at % 13), f64::from(1 + at % 9) / 10.0);
            seen.settle().unwrap();
        }
        build(&seen, None, content)
    };
    let bytes = hear(Observations::default());
    assert!(hear(Observations::with_memory(4000, folder.path()))[..] == bytes[..]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Shards merge to the model of all of them, in any order and grouping, to the byte.
    #[test]
    fn models_merge_in_any_order_and_grouping(
        all in proptest::collection::vec((said(), 0usize..3), 0..40),
    ) {
        // Constants of different shards are refused where they differ, so all shards are built with the same ones.
        let constants: Vec<Said> = all.iter().filter(|(said, _)| matches!(said, Said::Constant(..))).map(|(said, _)| said.clone()).collect();
        let shard = |at: usize| {
            let said = all.iter().filter(|(said, of)| *of == at && !matches!(said, Said::Constant(..))).map(|(said, _)| said);
            build(&hear_all(said.chain(&constants)), Some("0123abc"), content)
        };
        let merge = |models: &[&Bytes]| {
            let models: Vec<Index<&[u8]>> = models.iter().map(|bytes| Index::open(&bytes[..]).unwrap()).collect();
            let known: Vec<&Index<&[u8]>> = models.iter().collect();
            let merged = Merged::join(&known, None, Observations::default(), |_, _, _| ()).unwrap();
            let mut file = std::io::Cursor::new(Vec::new());
            merged.write(|_, done, total| assert!(done <= total), &mut file).unwrap();
            let mut bytes = Bytes::new();
            bytes.extend_from_slice(file.get_ref());
            bytes
        };
        let [a, b, c] = [0, 1, 2].map(shard);
        let want = build(&hear_all(all.iter().map(|(said, _)| said)), Some("0123abc"), content);
        for merged in [merge(&[&a, &b, &c]), merge(&[&merge(&[&c, &a]), &b]), merge(&[&a, &merge(&[&b, &c])]), merge(&[&b, &want])] {
            prop_assert!(merged[..] == want[..]);
        }
    }
}

#[test]
fn the_sample_comes_back() {
    let bytes = round(&sample());
    let index = Index::open(&bytes[..]).unwrap();
    assert!(index.preamble().sections.iter().all(|section| section.extent.length > 0), "every section is in use");
}

#[test]
fn an_empty_model_answers() {
    let bytes = round(&Observations::default());
    let index = Index::open(&bytes[..]).unwrap();
    assert_eq!(index.find_test("x").unwrap(), None);
    assert_eq!(index.match_path("x.py").unwrap(), PathMatch::None);
    assert!(index.test_name(TestId(0)).is_err() && index.cost_us(TestId(0)).is_err());
    assert!(index.test_record(TestId(0)).is_err() && index.file(FileId(0)).is_err());
    assert!(index.feature(FeatureId(0)).is_err() && index.family_name(0).is_err());
    assert_eq!(index.features_within("", 9).unwrap(), []);
}

#[test]
fn one_test_is_a_model() {
    let mut seen = Observations::default();
    let (test, file) = (seen.test("only"), seen.file("a"));
    seen.cover(test, file, &lines(&[(1, 1), (u32::MAX - 1, u32::MAX)]));
    round(&seen);
}

#[test]
fn a_test_recorded_without_a_line_stays_recorded() {
    let mut seen = Observations::default();
    let (test, file) = (seen.test("idle"), seen.file("a"));
    seen.cover(test, file, &LineSet::default());
    seen.test("never run");
    let bytes = round(&seen);
    let index = Index::open(&bytes[..]).unwrap();
    assert_eq!(index.root().tests_recorded, 1);
    assert_eq!(index.file(FileId(0)).unwrap().touching().unwrap().count(), 0);
}

#[test]
fn long_names_and_large_lists_come_back() {
    let mut seen = Observations::default();
    let file = seen.file(&format!("{}/x.py", "deep/".repeat(500)));
    for at in 0..20_000u32 {
        let test = seen.test(&format!("t{at:05}{}", if at == 77 { "é".repeat(9000) } else { String::new() }));
        let wanted = |divisor: u32, line| (at % divisor != 0).then_some(LineRange::single(line));
        let ran = [wanted(2, 1), wanted(3, 2), wanted(64, 5), (at % 97 == 0).then_some(LineRange::single(6))];
        seen.cover(test, file, &ran.into_iter().flatten().collect());
    }
    round(&seen);
}

#[test]
fn paths_match_by_their_ends() {
    let mut seen = Observations::default();
    for path in ["src/pkg/a.py", "lib/pkg/a.py", "src/pkg/b.py", "c.py", "x/y/d.py", "y/d.py", "pkg"] {
        seen.file(path);
    }
    let bytes = build(&seen, None, |_| None);
    let index = Index::open(&bytes[..]).unwrap();
    let of = |path: &str| index.find_file(path).unwrap().unwrap();
    let matched = |path: &str| index.match_path(path).unwrap();
    assert_eq!(matched("src/pkg/a.py"), PathMatch::Exact(of("src/pkg/a.py")));
    assert_eq!(matched("pkg/b.py"), PathMatch::Suffix(of("src/pkg/b.py")), "the model's path is the longer");
    assert_eq!(matched("b.py"), PathMatch::Suffix(of("src/pkg/b.py")));
    assert_eq!(matched("repo/root/c.py"), PathMatch::Suffix(of("c.py")), "the model's path is the shorter");
    assert_eq!(matched("kg/b.py"), PathMatch::None, "only at a slash");
    assert_eq!(matched("src/pkg/a.pyx"), PathMatch::None);
    let PathMatch::Ambiguous(mut files) = matched("pkg/a.py") else { panic!("two files end so") };
    files.sort();
    assert_eq!(files, [of("lib/pkg/a.py"), of("src/pkg/a.py")]);
    assert_eq!(matched("z/x/y/d.py"), PathMatch::Ambiguous(vec![of("x/y/d.py"), of("y/d.py")]));
    assert_eq!(matched("d.py"), PathMatch::Ambiguous(vec![of("y/d.py"), of("x/y/d.py")]));
    assert_eq!(matched(""), PathMatch::None);
    assert_eq!(matched(&format!("{}c.py", "/".repeat(100_000))), PathMatch::Suffix(of("c.py")), "and soon");
}

#[test]
fn a_path_that_many_files_end_with_is_reported_with_a_few() {
    let mut seen = Observations::default();
    (0..50).for_each(|at| _ = seen.file(&format!("pkg{at}/__init__.py")));
    let bytes = build(&seen, None, |_| None);
    let found = Index::open(&bytes[..]).unwrap().match_path("__init__.py").unwrap();
    assert!(matches!(found, PathMatch::Ambiguous(files) if files.len() == 4));
}

/// The fuzzer starts from models of today's format. After a change of the format: `COVOPT_WRITE_SEEDS=1 cargo test seeds`.
#[test]
fn seeds_of_the_fuzzer_are_models_of_today() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/model");
    let mut two = Observations::default();
    let (test, file) = (two.test("t.py::a"), two.file("a.py"));
    two.cover(test, file, &lines(&[(1, 3)]));
    two.test("t.py::b");
    for (name, seen) in [("empty", Observations::default()), ("two", two), ("sample", sample())] {
        let (path, bytes) = (folder.join(name), build(&seen, None, |_| None));
        if std::env::var_os("COVOPT_WRITE_SEEDS").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes[..], "seed {name} is not what is built today");
        covopt::fuzz::model(&bytes);
    }
}
