//! From a change vector and the model's posting lists to candidates: the tests with a signal on what changed, their
//! rows and costs, as the optimizer takes them. And, for what is left of a budget, the tests nearest to the change.

mod nearest;
mod profile;
mod question;
mod trace;
mod views;
mod weigh;

use std::collections::{BTreeSet, HashMap, HashSet};

use self::profile::position;
use self::question::{Question, Standing};
use self::views::Views;
use self::weigh::{Crowd, Rows, Worths, evidence_of, weigh};
use crate::change::Change;
use crate::id::{TestId, file_of_id};
use crate::model::{Index, ModelError, each_test};
use crate::optimize::{CHANCE_ONE, Instance, InstanceError, as_fraction, fixed_weights};
use crate::relevance::Relevance;
use crate::signal::Evidence;

pub use nearest::nearest;
pub use question::Origin;

/// Why candidates could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// A part of the model is damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The change is larger than the optimizer takes.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The change reaches too many tests in too many regions.
    #[error("the change touches more than {limit} pairs of a region and a test; split the diff")]
    TooManySignals {
        /// The most that are gathered.
        limit: usize,
    },
}

/// The candidates of a change, ascending by test, and then those that are none: tests without a signal, to fill with.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// The test at each position of the instance.
    pub tests: Vec<TestId>,
    /// How many of them have a signal; the others follow.
    pub with_signal: usize,
    /// Rows by region of the change, costs, weights, families, set-up.
    pub instance: Instance,
    /// Where each region of the instance comes from.
    pub origins: Vec<Origin>,
    /// The share of the change that each region of the instance is.
    pub weights: Vec<f64>,
    /// What a utility of the instance is worth: the chance 1 in units of it.
    scale: f64,
    /// Where opening a test's file costs something: the file of each test as a number, and what the files cost.
    files: Option<(Vec<u32>, Vec<u64>)>,
}

/// Gathers the tests with a signal on `change`. O(postings + tests that failed before).
///
/// Regions of the instance: those of the change; then, where there is one, the part that no region knows, and what tests
/// that were never recorded may run, on which words and names alone are the signal.
///
/// # Errors
/// If a list that the change touches is damaged, or there are more regions than the optimizer takes.
pub fn gather<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
) -> Result<Candidates, CandidateError> {
    let mut views = Views { index, last: None };
    let mut question = Question::of(&mut views, change, relevance)?;
    let mut crowd = Crowd::gather(&mut question, index)?;
    let rows = weigh(&question, &mut crowd, index, relevance)?;
    Candidates::new(&question, crowd, rows, index)
}

/// What is known of each candidate of a change, before it is weighed.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The tests, ascending.
    pub tests: Vec<TestId>,
    /// What tells each from the others of a region.
    pub evidence: Vec<Evidence>,
    /// The weight of each region.
    pub weights: Vec<f64>,
    /// What the tests of regions share: the position of the test, the region, how much of it the test ran, and whether
    /// nothing recorded tells the tests of the region apart. What is declared is not shared.
    pub shares: Vec<(u32, u32, f64, bool)>,
}

/// Gathers what [`gather`] weighs.
///
/// # Errors
/// As [`gather`].
pub fn observe<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
) -> Result<Observed, CandidateError> {
    let mut views = Views { index, last: None };
    let mut question = Question::of(&mut views, change, relevance)?;
    let mut crowd = Crowd::gather(&mut question, index)?;
    let traces = crowd.traces(&question);
    let worths = Worths::of(&question, &crowd.profiles);
    let variants = crowd.variants();
    let mut relevance = relevance.ascending(index)?;
    let mut observed =
        Observed { weights: question.regions.iter().map(|asked| asked.weight).collect(), ..Observed::default() };
    for (test, &profile) in (0..).zip(&crowd.profile_of) {
        let variants = crowd.families.get(test as usize).map_or(1, |&family| variants.of_family(family));
        let words = relevance.evidence(crowd.tests[test as usize])?.unwrap_or_default();
        observed.evidence.push(evidence_of(traces[profile as usize], variants, words));
        for (row, share) in worths.of_profile(profile) {
            match question.regions[row.region() as usize].standing {
                Standing::Declared => {}
                Standing::Shared => observed.shares.push((test, row.region(), share, false)),
                Standing::Alone => observed.shares.push((test, row.region(), 1.0, true)),
            }
        }
    }
    Ok(Observed { tests: crowd.tests, ..observed })
}

/// What fixed point cannot tell from nothing.
const LAST_BITS: f64 = 1e-5;

impl Candidates {
    /// The chance that a utility, a gain or a bound of the instance stands for, 0 to 1; for printing, never for deciding.
    pub fn chance(&self, utility: u64) -> f64 {
        let chance = as_fraction(utility) * self.scale;
        if chance > 1.0 - LAST_BITS { 1.0 } else { chance }
    }

    /// The risk that is left on a region where `risk` of its weight in the instance is: at most its share of the change.
    pub fn risk_of(&self, region: usize, risk: u64) -> f64 {
        let whole = u64::from(self.instance.weights()[region]) * CHANCE_ONE;
        let left = self.weights[region] - self.chance(whole.saturating_sub(risk));
        if left > LAST_BITS { left } else { 0.0 }
    }

    fn new<D: AsRef<[u8]>>(
        question: &Question<'_>,
        crowd: Crowd,
        rows: Rows,
        index: &Index<D>,
    ) -> Result<Self, CandidateError> {
        let total: f64 = question.regions.iter().map(|asked| asked.weight).sum();
        let share = |weight: f64| weight / if total > 0.0 { total } else { 1.0 };
        let weights: Vec<f64> = question.regions.iter().map(|asked| share(asked.weight)).collect();
        // What the tests of a region share is all that a fault fails: together they are to be certain.
        let in_full = |(weight, &reach): (&f64, &f64)| if reach > 0.0 { weight / reach } else { *weight };
        let weighed: Vec<f64> = weights.iter().zip(&rows.reaches).map(in_full).collect();
        let costs_us = index.costs_us(&crowd.tests)?;
        let instance = Instance::of_profiles(fixed_weights(&weighed), costs_us, rows.of, rows.starts, rows.rows)?;
        Ok(Self {
            with_signal: crowd.tests.len(),
            tests: crowd.tests,
            instance: if crowd.families.is_empty() { instance } else { instance.with_families(crowd.families)? },
            origins: question.regions.iter().map(|asked| asked.origin).collect(),
            weights,
            scale: weighed.iter().sum(),
            files: None,
        })
    }

    /// The candidates but those in `gone`: what [`gather`] would give of a model without them, but for what their number
    /// says of the others.
    ///
    /// # Errors
    /// Never for what [`gather`] gave.
    pub fn without(self, gone: &HashSet<TestId>) -> Result<Self, CandidateError> {
        let is_left = |candidate: &u32| !gone.contains(&self.tests[*candidate as usize]);
        let kept: Vec<u32> = (0..).take(self.tests.len()).filter(is_left).collect();
        fn of<T: Copy>(values: &[T], kept: &[u32]) -> Vec<T> {
            kept.iter().filter_map(|&candidate| values.get(candidate as usize)).copied().collect()
        }
        let files = self.files.as_ref().map(|(file_of, setup_us)| (of(file_of, &kept), setup_us.clone()));
        let left = Self {
            with_signal: kept.partition_point(|&candidate| (candidate as usize) < self.with_signal),
            tests: of(&self.tests, &kept),
            instance: self.instance.of_kept(&kept),
            files: None,
            ..self
        };
        match files {
            Some((file_of, setup_us)) => left.with_files(file_of, setup_us),
            None => Ok(left),
        }
    }

    /// These, and the tests of `others` that are not among them, each with its cost in microseconds: without a signal and
    /// in their order.
    ///
    /// To be called before files are charged.
    #[must_use]
    pub fn and(mut self, others: &[(TestId, u64)]) -> Self {
        let mut seen: HashSet<TestId> = HashSet::new();
        let with_signal = &self.tests[..self.with_signal];
        let further = others.iter().filter(|(test, _)| with_signal.binary_search(test).is_err());
        let further: Vec<(TestId, u64)> = further.filter(|(test, _)| seen.insert(*test)).copied().collect();
        self.tests.extend(further.iter().map(|(test, _)| test));
        self.instance = self.instance.with_others(further.iter().map(|&(_, cost_us)| cost_us));
        self
    }

    /// The positions of those of `order` that are here, in that order. O(tests without a signal + order log candidates).
    pub fn positions<'a>(&self, order: impl IntoIterator<Item = &'a TestId>) -> Vec<u32> {
        let (with_signal, without) = self.tests.split_at(self.with_signal);
        let others: HashMap<TestId, u32> = without.iter().copied().zip(position(with_signal.len())..).collect();
        let position_of = |test| match with_signal.binary_search(test) {
            Ok(at) => Some(position(at)),
            Err(_) => others.get(test).copied(),
        };
        order.into_iter().filter_map(position_of).collect()
    }

    /// Makes the candidates in `free` cost nothing, not even to open their files: they ran before. To be called after
    /// everything is charged.
    ///
    /// # Errors
    /// Never for what [`gather`] gave.
    pub fn with_free(mut self, free: &BTreeSet<TestId>) -> Result<Self, CandidateError> {
        let positions = self.positions(free);
        if positions.is_empty() {
            return Ok(self);
        }
        self.instance = self.instance.with_free(&positions);
        let Some((mut file_of, mut setup_us)) = self.files.take() else { return Ok(self) };
        positions.iter().for_each(|&candidate| file_of[candidate as usize] = position(setup_us.len()));
        setup_us.push(0);
        self.with_files(file_of, setup_us)
    }

    /// Charges `per_test_us` for each test, beside what it costs itself. O(candidates).
    pub fn charge_tests(mut self, per_test_us: u64) -> Self {
        self.instance = self.instance.with_overhead(per_test_us);
        self
    }

    /// Charges `per_file_us` for each file of tests that is opened. O(names of the candidates).
    ///
    /// # Errors
    /// If a name is damaged.
    pub fn charge_files<D: AsRef<[u8]>>(self, index: &Index<D>, per_file_us: u64) -> Result<Self, CandidateError> {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut file_of = Vec::with_capacity(self.tests.len());
        for &test in &self.tests {
            let id = index.test_name(test)?;
            let next = position(numbers.len());
            let file = file_of_id(&id);
            let number = match numbers.get(file) {
                Some(&number) => number,
                None => *numbers.entry(file.to_owned()).or_insert(next),
            };
            file_of.push(number);
        }
        let setup_us = vec![per_file_us; numbers.len()];
        self.with_files(file_of, setup_us)
    }

    fn with_files(mut self, file_of: Vec<u32>, setup_us: Vec<u64>) -> Result<Self, CandidateError> {
        self.instance = self.instance.with_groups(file_of.clone(), setup_us.clone())?;
        self.files = Some((file_of, setup_us));
        Ok(self)
    }
}

/// Every test with a signal on a region of `change`, ascending. O(postings).
///
/// # Errors
/// If a list that the change touches is damaged.
pub fn impacted<D: AsRef<[u8]>>(index: &Index<D>, change: &Change) -> Result<Vec<TestId>, ModelError> {
    let mut lists = Question::tests_of(&mut Views { index, last: None }, change)?;
    let mut tests = Vec::new();
    each_test(&mut lists, |test, _| tests.push(test))?;
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::change::Mapping;
    use crate::observation::{LineRange, LineSet, Observations, Outcome, Run, Symbol, SymbolKind};

    /// Five tests by falling nearness to line 3 of `a.py`: they ran it, its function, its file, another file, nothing.
    /// The farther, the cheaper.
    fn seen() -> Observations {
        let mut seen = Observations::default();
        let [a, b] = ["a.py", "b.py"].map(|path| seen.file(path));
        for (cost_us, (id, file, line)) in
            (1..).zip([("none", b, 0), ("other", b, 1), ("file", a, 50), ("function", a, 8), ("line", a, 3)])
        {
            let test = seen.test(id);
            if line > 0 {
                seen.cover(test, file, &[LineRange::single(line)].into_iter().collect::<LineSet>());
            }
            let cost_us = Some(cost_us * 1000);
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome: Outcome::Passed, cost_us });
        }
        let lines = LineRange { first: 2, last: 10 };
        seen.file_mut(a).symbols.insert(Symbol { lines, name: "f".to_owned(), kind: SymbolKind::Function });
        seen
    }

    fn with_change(check: impl FnOnce(&Index<&[u8]>, &Change)) {
        let bytes = build(&seen(), None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = crate::diff::parse(b"--- a/a.py\n+++ b/a.py\n@@ -3 +2,0 @@\n-x\n@@ -50 +48,0 @@\n-y\n").unwrap();
        check(&index, &Change::read(&index, &diff, Mapping::default()).unwrap());
    }

    fn names(index: &Index<&[u8]>, tests: impl IntoIterator<Item = TestId>) -> Vec<String> {
        tests.into_iter().map(|test| index.test_name(test).unwrap()).collect()
    }

    #[test]
    fn candidates_have_a_signal_and_the_others_do_not() {
        with_change(|index, change| {
            let candidates = gather(index, change, &Relevance::default()).unwrap();
            assert_eq!(names(index, candidates.tests.iter().copied()), ["file", "line"]);
            assert_eq!(names(index, impacted(index, change).unwrap()), ["file", "line"]);
            assert_eq!(candidates.instance.costs_us(), [3000, 5000]);
            let changed = (0..change.regions.len()).map(Origin::Changed);
            let want: Vec<Origin> = changed.chain([Origin::Unrecorded]).collect();
            assert_eq!(candidates.origins, want, "and what `none`, unrecorded, may run");
            assert_eq!(candidates.instance.weights().len(), want.len());
            let gone = HashSet::from([candidates.tests[0]]);
            let last = candidates.instance.rows_of(1).to_vec();
            let left = candidates.without(&gone).unwrap();
            assert_eq!(
                (names(index, left.tests.clone()), left.instance.costs_us()),
                (vec!["line".to_owned()], &[5000][..])
            );
            assert_eq!(left.instance.rows_of(0), last);
            assert_eq!(left.charge_tests(250).instance.costs_us(), [5250]);
        });
    }

    /// Three tests of one line: the one that failed last has the most of its failures, the flaky one the least.
    #[test]
    fn what_failed_before_tells_tests_of_a_line_apart() {
        let mut seen = Observations::default();
        let file = seen.file("a.py");
        for (id, outcome) in [("failed", Outcome::Failed), ("flaky", Outcome::Flaky), ("passed", Outcome::Passed)] {
            let test = seen.test(id);
            seen.cover(test, file, &[LineRange::single(3)].into_iter().collect());
            seen.run(test, Run { time_us: 1, commit: String::new(), outcome, cost_us: Some(1000) });
        }
        let bytes = build(&seen, None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = crate::diff::parse(b"--- a/a.py\n+++ b/a.py\n@@ -3 +2,0 @@\n-x\n").unwrap();
        let change = Change::read(&index, &diff, Mapping::default()).unwrap();
        let candidates = gather(&index, &change, &Relevance::default()).unwrap();
        let level = |candidate| candidates.instance.rows_of(candidate)[0].level();
        let share = |factor| index.root().calibration.share(factor, 2.0 + 1.0 / 3.0 + 1.0);
        assert_eq!([0, 1, 2].map(level), [2.0, 1.0 / 3.0, 1.0].map(share));
    }

    #[test]
    fn the_nearest_come_first() {
        with_change(|index, change| {
            let nearest = nearest(index, change, &Relevance::default()).unwrap();
            let order = names(index, nearest.iter().map(|&(test, _)| test));
            assert_eq!(order, ["function", "line", "file", "none", "other"]);
        });
    }

    #[test]
    fn tests_without_a_signal_follow_in_their_order() {
        with_change(|index, change| {
            let nearest = nearest(index, change, &Relevance::default()).unwrap();
            let all = gather(index, change, &Relevance::default()).unwrap().and(&nearest);
            let all = all.charge_files(index, 7).unwrap();
            let order = ["file", "line", "function", "none", "other"];
            assert_eq!(
                (names(index, all.tests.iter().copied()), all.with_signal),
                (order.map(str::to_owned).to_vec(), 2)
            );
            assert_eq!(all.instance.costs_us(), [3000, 5000, 4000, 1000, 2000]);
            assert!(all.instance.rows_of(4).is_empty() && !all.instance.rows_of(1).is_empty());
            let order = || nearest.iter().map(|(test, _)| test);
            assert_eq!(all.positions(order()), [2, 1, 0, 3, 4]);
            let left = all.without(&HashSet::from([nearest[0].0, nearest[2].0])).unwrap();
            assert_eq!((left.with_signal, left.positions(order())), (1, vec![0, 1, 2]));
        });
    }

    #[test]
    fn no_change_has_no_candidates() {
        with_change(|index, _| {
            assert!(gather(index, &Change::default(), &Relevance::default()).unwrap().instance.is_empty())
        });
    }
}
