//! What a test is worth on each region, by all that is known of it and of the others.
//!
//! Tests of one profile differ by their words, their names, their families and their failures alone. So what follows from
//! the lists is computed for a profile, and only tests that anything else speaks for have a *row* of signals of their own.

use std::collections::HashMap;

use super::profile::{Profiles, position};
use super::question::{Question, Standing};
use super::trace::{Trace, traces};
use crate::id::TestId;
use crate::model::{Entry, Index, ModelError, each_test};
use crate::optimize::{Level, NO_FAMILY, Row};
use crate::relevance::Relevance;
use crate::signal::{self, Calibration, Evidence, ShareLevels};

/// The candidates of a change, ascending, before they are weighed.
pub(super) struct Crowd {
    pub(super) tests: Vec<TestId>,
    /// The profile of each.
    pub(super) profile_of: Vec<u32>,
    pub(super) profiles: Profiles,
    /// How many candidates have each profile.
    counts: Vec<u32>,
    /// The family of each, or [`NO_FAMILY`].
    pub(super) families: Vec<u32>,
}

/// What profiles have on the regions, by profile: regions ascending, with the declared level where there is one.
pub(super) struct Worths {
    starts: Vec<u32>,
    rows: Vec<Row>,
    /// How much of each region was run; empty where it is all of it everywhere.
    shares: Vec<f64>,
}

/// Rows of signals, shared by the candidates that have the same.
pub(super) struct Rows {
    /// The number of each candidate's row, below the number of starts less one.
    pub(super) of: Vec<u32>,
    pub(super) starts: Vec<u32>,
    pub(super) rows: Vec<Row>,
    /// The chance that all tests that share a region catch together what is broken in it; 0 where none shares it.
    pub(super) reaches: Vec<f64>,
}

impl Crowd {
    /// Gathers the tests that are on a list of a region. O(postings).
    pub(super) fn gather<D: AsRef<[u8]>>(question: &mut Question<'_>, index: &Index<D>) -> Result<Self, ModelError> {
        let is_asked: Vec<bool> = question.lists.iter().map(|list| !list.parts.is_empty()).collect();
        let all_are_asked = is_asked.iter().all(|&asked| asked);
        // No more than either: what is not touched of it costs nothing.
        let most = question.postings.min(index.root().tests as usize);
        let (mut tests, mut profile_of) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let (mut profiles, mut counts) = (Profiles::new(), Vec::new());
        each_test(&mut question.readers, |test, entries| {
            if all_are_asked || entries.iter().any(|entry| is_asked[entry.list()]) {
                let profile = profiles.number(entries);
                match counts.get_mut(profile) {
                    Some(count) => *count += 1,
                    None => counts.push(1),
                }
                tests.push(test);
                profile_of.push(position(profile));
            }
        })?;
        let families = index.families_of(&tests)?;
        Ok(Self { tests, profile_of, profiles, counts, families })
    }

    /// How the way of each profile through the changed functions compares with that of the others.
    pub(super) fn traces(&mut self, question: &Question<'_>) -> Vec<Trace> {
        traces(&question.lists, &mut self.profiles, &mut self.counts)
    }

    /// How many candidates are of the family of each; empty where none has one.
    pub(super) fn variants(&self) -> Vec<u32> {
        // Members mostly stand side by side: a run of them is looked up once.
        let mut sizes: HashMap<u32, u32> = HashMap::new();
        let runs = || self.families.chunk_by(|a, b| a == b);
        for run in runs().filter(|run| run[0] != NO_FAMILY) {
            *sizes.entry(run[0]).or_default() += position(run.len());
        }
        let mut variants = Vec::with_capacity(self.families.len());
        for run in runs() {
            variants.resize(variants.len() + run.len(), sizes.get(&run[0]).copied().unwrap_or(1));
        }
        variants
    }

    /// Calls `visit` with each candidate that more than its profile speaks for, ascending: its position, how many its family has, what
    /// is known of it, and by how much its failures raise its factor.
    fn each_distinct<D: AsRef<[u8]>>(
        &self,
        index: &Index<D>,
        relevance: &Relevance,
        traces: &[Trace],
        mut visit: impl FnMut(u32, u32, &Evidence, f64),
    ) -> Result<(), ModelError> {
        let variants = self.variants();
        let mut failures = index.failures()?.into_iter().peekable();
        let mut relevance = relevance.ascending();
        for (candidate, &test) in (0u32..).zip(&self.tests) {
            while failures.next_if(|(failed, _)| *failed < test).is_some() {}
            let history = failures.next_if(|(failed, _)| *failed == test);
            let variants = variants.get(candidate as usize).copied().unwrap_or(1);
            let words = relevance.evidence(test);
            if history.is_some() || variants > 1 || words.is_some() {
                let trace = traces[self.profile_of[candidate as usize] as usize];
                let evidence = evidence_of(trace, variants, words.unwrap_or_default());
                visit(
                    candidate,
                    variants,
                    &evidence,
                    history.map_or(1.0, |(_, history)| signal::factor_of_history(history)),
                );
            }
        }
        Ok(())
    }
}

/// What is known of a test of `variants`, from its way and its words.
pub(super) fn evidence_of(trace: Trace, variants: u32, words: Evidence) -> Evidence {
    Evidence { rarity: trace.rarity, fellows: trace.fellows, variants: logarithm(variants), ..words }
}

/// The logarithm of a number of tests, 0 for none.
pub(super) fn logarithm(count: u32) -> f64 {
    if count > 1 { libm::log(f64::from(count)) } else { 0.0 }
}

impl Worths {
    /// Reads the entries of the profiles as what they say of regions. O(entries).
    pub(super) fn of(question: &Question<'_>, profiles: &Profiles) -> Self {
        let has_parts_of_regions = question.regions.iter().any(|region| region.lines != 1.0);
        let mut worths = Self { starts: Vec::with_capacity(profiles.len() + 1), rows: Vec::new(), shares: Vec::new() };
        worths.starts.push(0);
        // Mostly each list is a region of its own, and nothing is declared.
        let regions: Vec<u32> = question.lists.iter().map(|list| list.parts.first().map_or(0, |part| part.0)).collect();
        let is_plain = !has_parts_of_regions
            && question.lists.iter().all(|list| list.parts.len() == 1)
            && question.regions.iter().all(|asked| asked.standing != Standing::Declared);
        let mut parts: Vec<(u32, f64, u8)> = Vec::new();
        for profile in 0..profiles.len() {
            parts.clear();
            let entries = profiles.entries(profile);
            if is_plain && entries.is_sorted_by(|a, b| regions[a.list()] < regions[b.list()]) {
                worths.rows.extend(entries.iter().map(|entry| Row::new(regions[entry.list()], Level::NONE)));
                worths.starts.push(position(worths.rows.len()));
                continue;
            }
            for entry in entries {
                let list = &question.lists[entry.list()];
                let level = if list.has_levels { entry.byte() } else { signal::IS_THE_CHANGE.0 };
                parts.extend(list.parts.iter().map(|&(region, lines)| (region, lines, level)));
            }
            if !parts.is_sorted_by(|a, b| a.0 < b.0) {
                parts.sort_by_key(|part| part.0);
            }
            for of_region in parts.chunk_by(|a, b| a.0 == b.0) {
                let (region, _, level) = of_region[0];
                let asked = &question.regions[region as usize];
                let level = if asked.standing == Standing::Declared { Level(level) } else { Level::NONE };
                worths.rows.push(Row::new(region, level));
                if has_parts_of_regions {
                    worths.shares.push(of_region.iter().map(|part| part.1).sum::<f64>() / asked.lines);
                }
            }
            worths.starts.push(position(worths.rows.len()));
        }
        worths
    }

    /// The rows of a profile, each with how much of its region was run.
    #[inline]
    pub(super) fn of_profile(&self, profile: u32) -> impl Iterator<Item = (Row, f64)> {
        let range = self.starts[profile as usize] as usize..self.starts[profile as usize + 1] as usize;
        let shares = self.shares.get(range.clone()).unwrap_or_default();
        let share = move |at: usize| shares.get(at).copied().unwrap_or(1.0);
        self.rows[range].iter().enumerate().map(move |(at, &row)| (row, share(at)))
    }
}

/// Rows to be weighed: profiles, and what is told apart within them.
struct Weighing<'a> {
    question: &'a Question<'a>,
    worths: &'a Worths,
    calibration: Calibration,
    /// Whether of any region nothing recorded tells the tests apart.
    has_alone: bool,
    /// Of each row, its profile, how many candidates have it, and how much rather they fail than others.
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    profile: u32,
    count: u32,
    recorded: f64,
    /// Where nothing recorded tells the tests of a region apart; 0 for a profile on no such region.
    alone: f64,
}

/// Weighs all candidates of a question. O(entries of the profiles and of what is told apart within them).
pub(super) fn weigh<D: AsRef<[u8]>>(
    question: &Question<'_>,
    crowd: &mut Crowd,
    index: &Index<D>,
    relevance: &Relevance,
) -> Result<Rows, ModelError> {
    let traces = crowd.traces(question);
    let worths = Worths::of(question, &crowd.profiles);
    let mut of = crowd.profile_of.clone();
    let has_alone = question.regions.iter().any(|asked| asked.standing == Standing::Alone);
    let calibration = index.root().calibration;
    let mut weighing = Weighing { question, worths: &worths, calibration, has_alone, kinds: Vec::new() };
    weighing.add_profiles(&traces, &crowd.counts);
    weighing.tell_apart(&mut of, |visit| crowd.each_distinct(index, relevance, &traces, visit))?;
    let totals = weighing.totals();
    let (starts, rows) = weighing.levels(&totals);
    let reaches = reaches(question, &weighing.kinds, (&starts, &rows), &of, &crowd.families);
    Ok(Rows { of, starts, rows, reaches })
}

impl Weighing<'_> {
    fn kind(&self, profile: u32, evidence: &Evidence) -> Kind {
        let is_alone = |row: Row| self.question.regions[row.region() as usize].standing == Standing::Alone;
        let has_alone = self.has_alone && self.worths.of_profile(profile).any(|(row, _)| is_alone(row));
        let recorded = self.calibration.factor(evidence);
        let alone = if has_alone { self.calibration.factor_alone(evidence) } else { 0.0 };
        Kind { profile, count: 1, recorded, alone }
    }

    fn add_profiles(&mut self, traces: &[Trace], counts: &[u32]) {
        for (profile, (&trace, &count)) in (0u32..).zip(traces.iter().zip(counts)) {
            let kind = self.kind(profile, &evidence_of(trace, 1, Evidence::default()));
            self.kinds.push(Kind { count, ..kind });
        }
    }

    /// Gives rows of their own to the candidates that `each_distinct` tells of, `of` being the rows of all.
    fn tell_apart(
        &mut self,
        of: &mut [u32],
        each_distinct: impl FnOnce(&mut dyn FnMut(u32, u32, &Evidence, f64)) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        // Of variants of one profile mostly nothing else is known: one row for as many of them as there are.
        let mut known = Profiles::new();
        let mut rows_of_known: Vec<u32> = Vec::new();
        each_distinct(&mut |candidate, variants, evidence, history| {
            let row = &mut of[candidate as usize];
            let profile = *row;
            self.kinds[profile as usize].count -= 1;
            let next = position(self.kinds.len());
            let is_plain = history == 1.0 && evidence.words == 0.0 && evidence.name == 0.0 && evidence.mirror == 0.0;
            *row = next;
            if is_plain {
                let number = known.number(&[Entry::from_bits(profile), Entry::from_bits(variants)]);
                match rows_of_known.get(number) {
                    Some(&known) => *row = known,
                    None => rows_of_known.push(next),
                }
            }
            if *row == next {
                let kind = self.kind(profile, evidence);
                self.kinds.push(Kind { recorded: kind.recorded * history, alone: kind.alone * history, ..kind });
            } else {
                self.kinds[*row as usize].count += 1;
            }
        })
    }

    /// What the tests of each region bring together.
    fn totals(&self) -> Vec<f64> {
        let mut totals = vec![0.0; self.question.regions.len()];
        for kind in self.kinds.iter().filter(|kind| kind.count > 0) {
            for (row, share) in self.worths.of_profile(kind.profile) {
                totals[row.region() as usize] += f64::from(kind.count) * self.weighed(kind, row, share);
            }
        }
        totals
    }

    /// What a test of this kind brings into the sum that a region's tests share.
    #[inline]
    fn weighed(&self, kind: &Kind, row: Row, share: f64) -> f64 {
        match self.question.regions[row.region() as usize].standing {
            Standing::Declared => 0.0,
            Standing::Shared => share * kind.recorded,
            Standing::Alone => kind.alone,
        }
    }

    /// The signals of all rows, those that no candidate has empty.
    fn levels(&self, totals: &[f64]) -> (Vec<u32>, Vec<Row>) {
        let levels = ShareLevels::new(self.calibration);
        let mut starts = Vec::with_capacity(self.kinds.len() + 1);
        starts.push(0);
        let mut rows: Vec<Row> = Vec::new();
        for kind in &self.kinds {
            if kind.count > 0 {
                rows.extend(self.worths.of_profile(kind.profile).map(|(row, share)| {
                    match self.question.regions[row.region() as usize].standing {
                        Standing::Declared => row,
                        _ => Row::new(
                            row.region(),
                            levels.level(self.weighed(kind, row, share), totals[row.region() as usize]),
                        ),
                    }
                }));
            }
            starts.push(position(rows.len()));
        }
        (starts, rows)
    }
}

/// The chance that all tests that share a region catch together what is broken in it; 0 where none shares it. In a family
/// each further signal counts half, as in the objective.
fn reaches(
    question: &Question<'_>,
    kinds: &[Kind],
    (starts, rows): (&[u32], &[Row]),
    of: &[u32],
    families: &[u32],
) -> Vec<f64> {
    let rows_of = |kind: u32| &rows[starts[kind as usize] as usize..starts[kind as usize + 1] as usize];
    let is_shared = |row: &&Row| question.regions[row.region() as usize].standing != Standing::Declared;
    let signals: [f64; 256] = std::array::from_fn(|level| Level(u8::try_from(level).unwrap_or(u8::MAX)).signal());
    let signal = |level: Level| signals[usize::from(level.0)];
    let mut sums = vec![0.0; question.regions.len()];
    let mut singles: Vec<u32> = kinds.iter().map(|kind| kind.count).collect();
    let mut members: Vec<(u32, u32)> = Vec::new();
    for (&kind, &family) in of.iter().zip(families).filter(|(_, family)| **family != NO_FAMILY) {
        singles[kind as usize] -= 1;
        members.push((family, kind));
    }
    for (kind, &count) in (0u32..).zip(&singles).filter(|(_, count)| **count > 0) {
        for row in rows_of(kind).iter().filter(is_shared) {
            sums[row.region() as usize] += f64::from(count) * signal(row.level());
        }
    }
    members.sort_unstable_by_key(|&(family, _)| family);
    // By region, and of a region from the weakest to the strongest.
    let mut of_family: Vec<Row> = Vec::new();
    for family in members.chunk_by(|a, b| a.0 == b.0) {
        of_family.clear();
        for &(_, kind) in family {
            let shared = rows_of(kind).iter().filter(is_shared);
            of_family.extend(shared);
        }
        of_family.sort_unstable();
        for of_region in of_family.chunk_by(|a, b| a.region() == b.region()) {
            let ranked = of_region.iter().fold(0.0, |further, row| signal(row.level()) + further / 2.0);
            sums[of_region[0].region() as usize] += ranked;
        }
    }
    sums.into_iter().map(|sum| -libm::expm1(-sum)).collect()
}
