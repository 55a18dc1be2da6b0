//! What a test is worth on each region, by all that is known of it and of the others.
//!
//! Tests of one profile differ by their words, their names, their families and their failures alone. So what follows from
//! the lists is computed for a profile, and only tests that anything else speaks for have a *row* of signals of their own.

use std::collections::HashMap;

use super::profile::{Profiles, position};
use super::question::{Question, Standing};
use super::trace::{Trace, traces};
use crate::id::TestId;
use crate::model::{Index, ModelError, each_test};
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
        let (mut profiles, mut counts) = (Profiles::with_capacity(most), Vec::new());
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

    /// How many candidates each family has.
    pub(super) fn variants(&self) -> Variants {
        Variants::of(&self.families)
    }

    /// Calls `visit` with each candidate that more than its profile speaks for, ascending: its position, how many its family has, what
    /// its words say, and by how much its failures raise its factor.
    fn each_distinct<D: AsRef<[u8]>>(
        &self,
        index: &Index<D>,
        relevance: &Relevance,
        mut visit: impl FnMut(u32, u32, Evidence, f64),
    ) -> Result<(), ModelError> {
        let variants = self.variants();
        let mut failures = index.failures()?.into_iter().peekable();
        let mut relevance = relevance.ascending(index)?;
        let mut next_failed = failures.peek().map_or(TestId(u32::MAX), |&(test, _)| test);
        for (candidate, &test) in (0u32..).zip(&self.tests) {
            let mut history = None;
            while next_failed <= test
                && let Some((failed, known)) = failures.next()
            {
                history = (failed == test).then_some(known);
                next_failed = failures.peek().map_or(TestId(u32::MAX), |&(test, _)| test);
            }
            let variants = self.families.get(candidate as usize).map_or(1, |&family| variants.of_family(family));
            let words = relevance.evidence(test)?;
            if history.is_some() || variants > 1 || words.is_some() {
                let history = history.map_or(1.0, signal::factor_of_history);
                visit(candidate, variants, words.unwrap_or_default(), history);
            }
        }
        Ok(())
    }
}

/// How many candidates each family has.
pub(super) enum Variants {
    /// From a family on, where families are near to each other.
    Near(u32, Vec<u32>),
    Far(HashMap<u32, u32>),
}

impl Variants {
    fn of(families: &[u32]) -> Self {
        let in_one = || families.iter().copied().filter(|&family| family != NO_FAMILY);
        let (least, greatest) = in_one().fold((u32::MAX, 0), |(a, b), family| (a.min(family), b.max(family)));
        let span = greatest.saturating_sub(least) as usize;
        if span > 4 * families.len() {
            let mut sizes = HashMap::new();
            in_one().for_each(|family| *sizes.entry(family).or_default() += 1);
            return Self::Far(sizes);
        }
        let mut sizes = vec![0; span + 1];
        in_one().for_each(|family| sizes[(family - least) as usize] += 1);
        Self::Near(least, sizes)
    }

    /// How many a family has, 1 for none.
    #[inline]
    pub(super) fn of_family(&self, family: u32) -> u32 {
        match self {
            _ if family == NO_FAMILY => 1,
            Self::Near(least, sizes) => sizes[(family - least) as usize],
            Self::Far(sizes) => sizes.get(&family).copied().unwrap_or(1),
        }
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

    #[inline]
    fn rows_of(&self, profile: u32) -> &[Row] {
        &self.rows[self.starts[profile as usize] as usize..self.starts[profile as usize + 1] as usize]
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
    /// How the tests of each region are known.
    standings: Vec<Standing>,
    worths: &'a Worths,
    calibration: Calibration,
    /// Whether of any region nothing recorded tells the tests apart.
    has_alone: bool,
    /// Of each row, its profile, how many candidates have it, and how much rather they fail than others.
    kinds: Vec<Kind>,
    /// The kinds on a region of whose tests nothing recorded tells them apart, ascending, with how much rather they fail there.
    alone: Vec<(u32, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    profile: u32,
    count: u32,
    recorded: f64,
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
    let mut of = std::mem::take(&mut crowd.profile_of);
    let standings: Vec<Standing> = question.regions.iter().map(|asked| asked.standing).collect();
    let has_alone = standings.contains(&Standing::Alone);
    let calibration = index.root().calibration;
    let (kinds, alone) = (Vec::new(), Vec::new());
    let mut weighing = Weighing { standings, worths: &worths, calibration, has_alone, kinds, alone };
    weighing.add_profiles(&traces, &crowd.counts);
    weighing.tell_apart(&mut of, &traces, |visit| crowd.each_distinct(index, relevance, visit))?;
    let totals = weighing.totals();
    let (starts, rows) = weighing.levels(&totals, &mut of);
    let reaches = reaches(&weighing.standings, (&starts, &rows), &of, &crowd.families);
    Ok(Rows { of, starts, rows, reaches })
}

impl Weighing<'_> {
    fn add_kind(&mut self, profile: u32, count: u32, evidence: &Evidence, history: f64) {
        let is_alone = |row: Row| self.standings[row.region() as usize] == Standing::Alone;
        if self.has_alone && self.worths.of_profile(profile).any(|(row, _)| is_alone(row)) {
            self.alone.push((position(self.kinds.len()), self.calibration.factor_alone(evidence) * history));
        }
        self.kinds.push(Kind { profile, count, recorded: self.calibration.factor(evidence) * history });
    }

    fn add_profiles(&mut self, traces: &[Trace], counts: &[u32]) {
        for (profile, (&trace, &count)) in (0u32..).zip(traces.iter().zip(counts)) {
            self.add_kind(profile, count, &evidence_of(trace, 1, Evidence::default()), 1.0);
        }
    }

    /// Gives rows of their own to the candidates that `each_distinct` tells of, `of` being the rows of all.
    fn tell_apart(
        &mut self,
        of: &mut [u32],
        traces: &[Trace],
        each_distinct: impl FnOnce(&mut dyn FnMut(u32, u32, Evidence, f64)) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        // Of variants of one profile mostly nothing else is known: one kind for as many of them as there are, chained from the
        // last one that was found.
        let mut last = vec![NONE; self.kinds.len()];
        let mut chained: Vec<(u32, u32)> = Vec::new();
        let profiles = position(self.kinds.len());
        let mut factors = VariantFactors { calibration: self.calibration, known: Vec::new() };
        each_distinct(&mut |candidate, variants, words, history| {
            let profile = of[candidate as usize];
            self.kinds[profile as usize].count -= 1;
            let next = position(self.kinds.len());
            let is_plain = history == 1.0 && words == Evidence::default();
            let mut kind = if is_plain { last[profile as usize] } else { NONE };
            while kind != NONE && chained[(kind - profiles) as usize].0 != variants {
                kind = chained[(kind - profiles) as usize].1;
            }
            if kind != NONE {
                self.kinds[kind as usize].count += 1;
                of[candidate as usize] = kind;
                return;
            }
            of[candidate as usize] = next;
            chained.push((variants, last[profile as usize]));
            match is_plain {
                true => {
                    last[profile as usize] = next;
                    let alone = self.alone.binary_search_by_key(&profile, |&(kind, _)| kind).map(|at| self.alone[at].1);
                    let factor = factors.of(variants);
                    self.alone.extend(alone.map(|alone| (next, alone * factor)));
                    let recorded = self.kinds[profile as usize].recorded * factor;
                    self.kinds.push(Kind { profile, count: 1, recorded });
                }
                false => {
                    let evidence = evidence_of(traces[profile as usize], variants, words);
                    self.add_kind(profile, 1, &evidence, history);
                }
            }
        })
    }

    /// Calls `visit` with each kind and its factor where nothing recorded tells tests apart.
    fn each_kind(&self, mut visit: impl FnMut(&Kind, f64)) {
        let mut alone = self.alone.iter().peekable();
        for (at, kind) in (0u32..).zip(&self.kinds) {
            let factor = alone.next_if(|(kind, _)| *kind == at).map_or(0.0, |&(_, factor)| factor);
            visit(kind, factor);
        }
    }

    /// Whether recorded factors alone weigh, so that one is that of all rows of a kind.
    fn is_plain(&self) -> bool {
        self.worths.shares.is_empty() && self.standings.iter().all(|&standing| standing == Standing::Shared)
    }

    /// What the tests of each region bring together.
    fn totals(&self) -> Vec<f64> {
        let mut totals = vec![0.0; self.standings.len()];
        if self.is_plain() {
            for kind in &self.kinds {
                let all = f64::from(kind.count) * kind.recorded;
                self.worths.rows_of(kind.profile).iter().for_each(|row| totals[row.region() as usize] += all);
            }
            return totals;
        }
        self.each_kind(|kind, alone| {
            for (row, share) in self.worths.of_profile(kind.profile) {
                totals[row.region() as usize] += f64::from(kind.count) * self.weighed(kind, alone, row, share);
            }
        });
        totals
    }

    /// What a test of this kind brings into the sum that a region's tests share.
    #[inline]
    fn weighed(&self, kind: &Kind, alone: f64, row: Row, share: f64) -> f64 {
        match self.standings[row.region() as usize] {
            Standing::Declared => 0.0,
            Standing::Shared => share * kind.recorded,
            Standing::Alone => alone,
        }
    }

    /// The signals of all kinds, those of equal signals in one profile once; `of` is made the row of each candidate.
    fn levels(&self, totals: &[f64], of: &mut [u32]) -> (Vec<u32>, Vec<Row>) {
        let levels = ShareLevels::new(self.calibration);
        let mut starts: Vec<u32> = vec![0];
        let mut rows: Vec<Row> = Vec::new();
        let mut row_of: Vec<u32> = Vec::with_capacity(self.kinds.len());
        let is_plain = self.is_plain();
        let plain =
            |kind: &Kind, row: &Row| Row::new(row.region(), levels.level(kind.recorded, totals[row.region() as usize]));
        self.each_kind(|kind, alone| {
            let start = rows.len();
            let of_profile = self.worths.rows_of(kind.profile);
            match is_plain {
                true => rows.extend(of_profile.iter().map(|row| plain(kind, row))),
                false => rows.extend(self.worths.of_profile(kind.profile).map(|(row, share)| {
                    let region = row.region() as usize;
                    match self.standings[region] {
                        Standing::Declared => row,
                        _ => {
                            Row::new(row.region(), levels.level(self.weighed(kind, alone, row, share), totals[region]))
                        }
                    }
                })),
            }
            // Profiles come first, each under its own number: of a hub most signals are the least, whatever else is known.
            let at = kind.profile as usize;
            let of_profile = starts.get(at + 1).map(|&end| starts[at] as usize..end as usize);
            if of_profile.is_some_and(|of_profile| rows[of_profile] == rows[start..]) {
                rows.truncate(start);
                row_of.push(kind.profile);
            } else {
                row_of.push(position(starts.len() - 1));
                starts.push(position(rows.len()));
            }
        });
        of.iter_mut().for_each(|kind| *kind = row_of[*kind as usize]);
        (starts, rows)
    }
}

/// No kind.
const NONE: u32 = u32::MAX;

/// By how much the number of its variants changes the factor of a test of which nothing else is known.
struct VariantFactors {
    calibration: Calibration,
    /// By number; 0 where it was not asked for.
    known: Vec<f64>,
}

impl VariantFactors {
    fn of(&mut self, variants: u32) -> f64 {
        let at = variants as usize;
        if self.known.len() <= at {
            self.known.resize(at + 1, 0.0);
        }
        if self.known[at] == 0.0 {
            let evidence = Evidence { variants: logarithm(variants), ..Evidence::default() };
            self.known[at] = self.calibration.factor(&evidence);
        }
        self.known[at]
    }
}

/// The chance that all tests that share a region catch together what is broken in it; 0 where none shares it. In a family
/// each further signal counts half, as in the objective.
fn reaches(standings: &[Standing], (starts, rows): (&[u32], &[Row]), of: &[u32], families: &[u32]) -> Vec<f64> {
    let rows_of = |number: u32| &rows[starts[number as usize] as usize..starts[number as usize + 1] as usize];
    let is_shared = |row: &&Row| standings[row.region() as usize] != Standing::Declared;
    let signals: [f64; 256] = std::array::from_fn(|level| Level(u8::try_from(level).unwrap_or(u8::MAX)).signal());
    let signal = |level: Level| signals[usize::from(level.0)];
    let mut sums = vec![0.0; standings.len()];
    let mut singles = vec![0u32; starts.len() - 1];
    let mut members: Vec<(u32, u32)> = Vec::new();
    match families.is_empty() {
        true => of.iter().for_each(|&number| singles[number as usize] += 1),
        false => of.iter().zip(families).for_each(|(&number, &family)| match family {
            NO_FAMILY => singles[number as usize] += 1,
            family => members.push((family, number)),
        }),
    }
    for (number, &count) in (0u32..).zip(&singles).filter(|(_, count)| **count > 0) {
        for row in rows_of(number).iter().filter(is_shared) {
            sums[row.region() as usize] += f64::from(count) * signal(row.level());
        }
    }
    members.sort_unstable_by_key(|&(family, _)| family);
    // By region, and of a region from the weakest to the strongest.
    let mut of_family: Vec<Row> = Vec::new();
    for family in members.chunk_by(|a, b| a.0 == b.0) {
        of_family.clear();
        for &(_, number) in family {
            let shared = rows_of(number).iter().filter(is_shared);
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
