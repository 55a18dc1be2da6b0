//! One recording of coverage.py, whatever file it came in: which context ran which lines.
//!
//! A recording is judged as a whole before any of it is taken. Contexts are `node id|phase`, a bare name, or empty (what
//! ran outside any test); a static context of the recording stands before them as `static|...`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::{Context, Ingest, IngestError, Kind, Note, Outside, Summary};
use crate::id::path_in_test_id;
use crate::observation::{LineRange, LineSet, TestKey};

/// Tests that must share files before a recording can be said to lack shared lines; with fewer it is only noted.
const FIRST_HIT_TESTS: usize = 20;

/// With several worker processes, each notes its own first test for a line: the same picture, with up to one test per
/// worker on a line. It is told from a healthy suite by what the busiest lines of each file are run by: in six healthy
/// suites .74 to .97 of the tests that touch the file (weighted by tests), in the same suites thinned to first hits .02
/// to .04 with one worker, .03 to .09 with 4, .08 to .24 with 16. Suites below these sizes are not judged this way.
const WORKERS_MOST: usize = 64;
const WORKERS_TESTS: usize = 200;
const WORKERS_BUSIEST: f64 = 0.25;

/// Lines of a file are counted one by one if there are at most so many a range.
const LINES_PER_RANGE: usize = 8;

/// Numbers from here on stand for arcs of a line to itself.
const SELF_ARC: u32 = 1 << 31;

/// Lines, or numbers of arcs, by context. Additions to what is there wait, so that any order costs a sort at most.
#[derive(Debug, Default)]
struct ByContext {
    /// As they came, a context perhaps more than once: a database has one row a context, nearly always ascending.
    whole: Vec<(u32, LineSet)>,
    sets: HashMap<u32, LineSet>,
    late: Vec<(u32, LineRange)>,
}

impl ByContext {
    #[cfg(feature = "sqlite")]
    fn add(&mut self, context: u32, lines: LineSet) {
        self.whole.push((context, lines));
    }

    fn add_line(&mut self, context: u32, line: LineRange) {
        let lines = self.sets.entry(context).or_default();
        if lines.ranges().last().is_none_or(|last| last.first <= line.first) {
            lines.insert(line);
        } else {
            self.late.push((context, line));
        }
    }

    /// Each context once, ascending.
    fn settled(mut self) -> Vec<(u32, LineSet)> {
        self.late.sort_unstable();
        for group in self.late.chunk_by(|a, b| a.0 == b.0) {
            self.whole.push((group[0].0, group.iter().map(|&(_, range)| range).collect()));
        }
        self.whole.extend(self.sets);
        joined(self.whole)
    }
}

/// Each key once, ascending, with all lines of it: O(n) where keys ascend, else a sort.
fn joined<K: Copy + Ord>(mut sets: Vec<(K, LineSet)>) -> Vec<(K, LineSet)> {
    if !sets.is_sorted_by_key(|&(key, _)| key) {
        sets.sort_by_key(|&(key, _)| key);
    }
    if sets.is_sorted_by(|a, b| a.0 < b.0) {
        return sets;
    }
    let union = |group: &mut [(K, LineSet)]| match group {
        [(key, lines)] => (*key, std::mem::take(lines)),
        _ => (group[0].0, group.iter().flat_map(|(_, lines)| lines.ranges().iter().copied()).collect()),
    };
    sets.chunk_by_mut(|a, b| a.0 == b.0).map(union).collect()
}

/// A file's arcs, numbered as they come. They tell first hits where lines do not: two arcs meet in a line, and each of
/// them has a first test of its own.
#[derive(Debug, Default)]
struct RecordedArcs {
    numbers: HashMap<(i64, i64), u32>,
    /// How many of the arcs lead from a line to itself.
    selves: usize,
    noted: ByContext,
}

impl RecordedArcs {
    #[cfg(feature = "sqlite")]
    fn number(&mut self, arc: (i64, i64)) -> LineRange {
        // Fewer than 2^31 arcs fit in a database that can be read; should there be more, two may share a number.
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX) % (SELF_ARC - 2) + 1;
        let is_self = arc.0 == arc.1;
        let selves = &mut self.selves;
        LineRange::single(*self.numbers.entry(arc).or_insert_with(|| {
            *selves += usize::from(is_self);
            if is_self { SELF_ARC + next } else { next }
        }))
    }

    /// The arcs that tell. The `sysmon` core notes each line as an arc to itself, once; the arcs of its branches and
    /// returns it may note once for each place in the code that they leave from, and so for several tests.
    fn telling(self) -> Vec<(u32, LineSet)> {
        let mut noted = self.noted.settled();
        if self.selves * 2 >= self.numbers.len() {
            let is_self = |arc: &LineRange| arc.first >= SELF_ARC;
            noted.iter_mut().for_each(|(_, arcs)| *arcs = arcs.ranges().iter().copied().filter(is_self).collect());
        }
        noted
    }
}

/// A file's lines by context, while an input is being read.
#[derive(Debug, Default)]
pub(super) struct RecordedFile {
    pub(super) path: String,
    lines: ByContext,
    arcs: RecordedArcs,
}

impl RecordedFile {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Adds lines of a context.
    #[cfg(feature = "sqlite")]
    pub(super) fn add(&mut self, context: u32, lines: LineSet) {
        self.lines.add(context, lines);
    }

    /// Adds arcs of a context; their lines are added apart.
    #[cfg(feature = "sqlite")]
    pub(super) fn add_arcs(&mut self, context: u32, arcs: impl Iterator<Item = (i64, i64)>) {
        let numbers = arcs.map(|arc| self.arcs.number(arc)).collect();
        self.arcs.noted.add(context, numbers);
    }

    /// Adds one line of a context; any order costs a sort at most.
    pub(super) fn add_line(&mut self, context: u32, line: LineRange) {
        self.lines.add_line(context, line);
    }

    /// The lines of each context, ascending.
    pub(super) fn into_covered(self) -> Vec<(u32, LineSet)> {
        self.lines.settled()
    }
}

/// A recording, while an input is being read: contexts by position, files with their lines.
#[derive(Debug, Default)]
pub(super) struct Recording {
    contexts: Vec<String>,
    positions: HashMap<String, u32>,
    pub(super) files: Vec<RecordedFile>,
}

impl Recording {
    /// The position of a context by its name.
    pub(super) fn context(&mut self, name: &str) -> u32 {
        if let Some(&position) = self.positions.get(name) {
            return position;
        }
        let position = u32::try_from(self.contexts.len()).expect("contexts of one input fit its size");
        self.contexts.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        position
    }

    /// Judges the recording and adds it to what is gathered; `told` hears how many files are done.
    pub(super) fn settle(
        mut self,
        input: &str,
        kind: Kind,
        context: &Context,
        into: &mut Ingest,
        mut told: impl FnMut(usize),
    ) -> Result<Summary, IngestError> {
        let owners = owners(&self.contexts);
        self.check_contexts(input, kind, &owners)?;
        let mut tests = Vec::with_capacity(owners.len());
        for owner in &owners {
            tests.push(match owner {
                Some(id) => Some(into.test(input, id, context)?),
                None => None,
            });
        }
        let mut outside = Outside::default();
        let mut judged = Judged::default();
        let (mut files, mut pairs, mut named) = (0, 0, HashSet::new());
        for (at, recorded) in std::mem::take(&mut self.files).into_iter().enumerate() {
            told(at);
            let Some(file) = into.file(&recorded.path, context, &mut outside) else { continue };
            files += 1;
            let imported = &mut into.seen.file_mut(file).imported;
            let by_test = of_tests(recorded.lines.settled(), &tests, |lines| imported.union(&lines));
            let arcs = of_tests(recorded.arcs.telling(), &tests, drop);
            let is_own = |test| path_in_test_id(into.seen.test_name(test)) == Some(into.seen.file_path(file));
            judged.file(if arcs.is_empty() { &by_test } else { &arcs }, is_own);
            for (test, lines) in by_test {
                named.insert(test);
                pairs += 1;
                into.seen.cover(test, file, &lines);
            }
        }
        outside.settle(input, files, context, into)?;
        if let Some(most) = judged.first_hit_only() {
            if !context.force() {
                return Err(IngestError::FirstHitOnly { input: input.to_owned(), tests: judged.sharing.len(), most });
            }
            into.note(Note::FirstHitForced { input: input.to_owned() });
        } else if judged.shares_nothing() {
            into.note(Note::NothingShared { input: input.to_owned(), tests: judged.sharing.len() });
        }
        // A context of which nothing was recorded in these files is still a recorded test.
        tests.iter().flatten().for_each(|&test| into.seen.test_mut(test).recorded = true);
        into.coverage_inputs.insert(input.to_owned());
        self.note_dotted(input, into);
        let tests: HashSet<TestKey> = tests.into_iter().flatten().collect();
        Ok(Summary { kind, tests: tests.len(), files, pairs })
    }

    fn check_contexts(&self, input: &str, kind: Kind, owners: &[Option<Cow<'_, str>>]) -> Result<(), IngestError> {
        let mut named =
            self.contexts.iter().zip(owners).filter_map(|(context, owner)| owner.as_ref().and(Some(context)));
        let found = match (named.next(), named.next()) {
            (None, _) if self.contexts.iter().all(String::is_empty) => "no context".to_owned(),
            (None, _) => "only a static context".to_owned(),
            // One bare word is the static context of the whole recording, not the only test of a suite.
            (Some(only), None) if phase_of(only).is_none() && !only.contains("::") && !only.contains('.') => {
                format!("only the static context `{only}`")
            }
            _ => return Ok(()),
        };
        let also = if kind == Kind::CoverageJson { " and export with `coverage json --show-contexts`" } else { "" };
        Err(IngestError::NoContexts { input: input.to_owned(), found, also })
    }

    fn note_dotted(&self, input: &str, into: &mut Ingest) {
        let is_dotted = |name: &&String| name.contains('.') && !name.contains(['/', ':', '|', '#', ' ']);
        let dotted: Vec<&String> = self.contexts.iter().filter(is_dotted).collect();
        if let Some(example) = dotted.iter().min() {
            let (contexts, example) = (dotted.len(), (*example).clone());
            into.note(Note::DottedContexts { input: input.to_owned(), contexts, example });
        }
    }
}

/// Sums up by test what is known by context; `outside` gets what ran outside any test.
fn of_tests(
    by_context: Vec<(u32, LineSet)>,
    tests: &[Option<TestKey>],
    mut outside: impl FnMut(LineSet),
) -> Vec<(TestKey, LineSet)> {
    let mut by_test = Vec::with_capacity(by_context.len());
    for (position, lines) in by_context {
        match tests[position as usize] {
            Some(test) => by_test.push((test, lines)),
            None => outside(lines),
        }
    }
    joined(by_test)
}

/// The phase that ends a context.
fn phase_of(context: &str) -> Option<&str> {
    let (_, phase) = context.rsplit_once('|')?;
    matches!(phase, "run" | "setup" | "teardown").then_some(phase)
}

/// The test of each context; `None` for what ran outside any test.
fn owners(contexts: &[String]) -> Vec<Option<Cow<'_, str>>> {
    let statics: HashSet<&str> = contexts.iter().filter_map(|context| static_of(context)).collect();
    // A bare static context has no dynamic part of its own: it is a prefix of others, up to a bar.
    let mut prefixes: HashSet<&str> = HashSet::new();
    let names: HashSet<&str> = contexts.iter().map(String::as_str).filter(|name| !name.contains("::")).collect();
    for context in contexts {
        let without_phase =
            phase_of(context).map_or(context.as_str(), |phase| &context[..context.len() - phase.len() - 1]);
        if let Some((prefix, _)) = without_phase.split_once('|')
            && names.contains(prefix)
        {
            prefixes.insert(prefix);
        }
    }
    contexts
        .iter()
        .map(|context| {
            let id = phase_of(context).map_or(context.as_str(), |phase| &context[..context.len() - phase.len() - 1]);
            if id.is_empty() || statics.contains(id) || prefixes.contains(id) {
                return None;
            }
            let id = match static_of(id) {
                Some(prefix) => &id[prefix.len() + 1..],
                None => id.split_once('|').filter(|(prefix, _)| prefixes.contains(prefix)).map_or(id, |(_, rest)| rest),
            };
            (!id.is_empty()).then_some(Cow::Borrowed(id))
        })
        .collect()
}

/// The static context before a node id: `ci` of `ci|tests/test_a.py::test|run`.
fn static_of(context: &str) -> Option<&str> {
    let (path, _) = context.split_once("::")?;
    path.rsplit_once('|').map(|(prefix, _)| prefix)
}

/// What tells a first-hit-only recording from a real one.
#[derive(Debug, Default)]
struct Judged {
    sharing: HashSet<TestKey>,
    most: usize,
    crowd: usize,
    busiest: usize,
}

impl Judged {
    /// Looks at the lines, or the arcs, of one file. What a test runs of its own file is naturally its own.
    fn file(&mut self, by_test: &[(TestKey, LineSet)], is_own: impl Fn(TestKey) -> bool) {
        let others = by_test.iter().filter(|(test, lines)| !lines.is_empty() && !is_own(*test));
        let others: Vec<(TestKey, &[LineRange])> = others.map(|(test, lines)| (*test, lines.ranges())).collect();
        if others.len() < 2 {
            return;
        }
        let most = most_at_once(&others);
        self.most = self.most.max(most);
        if others.len() >= FIRST_HIT_TESTS {
            self.crowd += others.len();
            self.busiest += most;
        }
        self.sharing.extend(others.iter().map(|&(test, _)| test));
    }

    /// Whether no two tests share a line, and there are too few of them to say that this cannot be.
    fn shares_nothing(&self) -> bool {
        self.most == 1 && self.sharing.len() < FIRST_HIT_TESTS
    }

    /// The greatest number of tests on one line, if the recording cannot be trusted.
    fn first_hit_only(&self) -> Option<usize> {
        let tests = self.sharing.len();
        let is_single = self.most == 1 && tests >= FIRST_HIT_TESTS;
        #[expect(clippy::cast_precision_loss, reason = "counts of tests, compared with a coarse ratio")]
        let is_idle = self.crowd > 0 && (self.busiest as f64) < WORKERS_BUSIEST * self.crowd as f64;
        let is_workers = tests >= WORKERS_TESTS && self.most <= WORKERS_MOST && self.most * 10 <= tests && is_idle;
        (is_single || is_workers).then_some(self.most)
    }
}

/// How many of the tests share the line that most of them share.
fn most_at_once(tests: &[(TestKey, &[LineRange])]) -> usize {
    let ranges = || tests.iter().flat_map(|(_, lines)| *lines);
    let last = ranges().map(|range| range.last).max().unwrap_or(0) as usize;
    // Lines lie close together and are counted one by one; numbers of arcs may be far apart, and their ends are sorted.
    if last < ranges().count() * LINES_PER_RANGE {
        let mut steps = vec![0_i64; last + 2];
        for range in ranges() {
            steps[range.first as usize] += 1;
            steps[range.last as usize + 1] -= 1;
        }
        return deepest(steps);
    }
    let mut edges: Vec<(u32, i64)> =
        ranges().flat_map(|range| [(range.first, 1), (range.last.saturating_add(1), -1)]).collect();
    edges.sort_unstable();
    deepest(edges.into_iter().map(|(_, step)| step))
}

/// The greatest sum of the first steps.
fn deepest(steps: impl IntoIterator<Item = i64>) -> usize {
    let sums = steps.into_iter().scan(0, |depth: &mut i64, step| {
        *depth += step;
        Some(*depth)
    });
    usize::try_from(sums.max().unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Close together or far apart, the lines that most tests share are those that a count of each finds.
        #[test]
        fn the_busiest_line_is_found(
            tests in proptest::collection::vec(proptest::collection::vec((1u32..40, 0u32..5), 0..9), 0..9),
            apart in prop_oneof![Just(1u32), Just(1000)],
        ) {
            let sets: Vec<LineSet> = tests
                .iter()
                .map(|ranges| ranges.iter().map(|&(at, more)| LineRange { first: at * apart, last: at * apart + more }).collect())
                .collect();
            let known: Vec<(TestKey, &[LineRange])> =
                (0..).map(TestKey).zip(&sets).map(|(test, set)| (test, set.ranges())).collect();
            let runs = |line| sets.iter().filter(|set| set.contains(line)).count();
            let want = (1..=40 * apart + 5).map(runs).max().unwrap();
            prop_assert_eq!(most_at_once(&known), want);
        }

        /// A database may hold several rows of a context, and lines may come in any order.
        #[test]
        fn what_is_said_of_a_context_joins(parts in proptest::collection::vec((0u32..4, 1u32..50, 0u32..9), 0..40)) {
            let sets = parts.iter().map(|&(key, first, more)| {
                (key, [LineRange { first, last: first + more }].into_iter().collect::<LineSet>())
            });
            let found = joined(sets.collect());
            prop_assert!(found.is_sorted_by(|a, b| a.0 < b.0));
            for line in 1..60 {
                for key in 0..4 {
                    let want = parts.iter().any(|&(known, first, more)| known == key && (first..=first + more).contains(&line));
                    prop_assert_eq!(found.iter().any(|(known, set)| *known == key && set.contains(line)), want);
                }
            }
        }
    }

    fn owned(contexts: &[&str]) -> Vec<Option<String>> {
        let contexts: Vec<String> = contexts.iter().map(|&name| name.to_owned()).collect();
        owners(&contexts).into_iter().map(|owner| owner.map(Cow::into_owned)).collect()
    }

    #[test]
    fn contexts_name_their_tests() {
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(
            owned(&["", "t.py::a|run", "t.py::a[x|y]|setup", "m.test_b"]),
            [None, some("t.py::a"), some("t.py::a[x|y]"), some("m.test_b")]
        );
        assert_eq!(owned(&["ci", "ci|t.py::a|run", "nightly|t.py::a|run"]), [None, some("t.py::a"), some("t.py::a")]);
        assert_eq!(owned(&["ci", "ci|m.test_b", "ci|m.test_c|run"]), [None, some("m.test_b"), some("m.test_c")]);
    }
}
