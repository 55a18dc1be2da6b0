//! What is optimized: regions with weights, candidates with costs, and the signals between them.
//!
//! Invariant: an [`Instance`] that exists is well formed (every region known and named once per candidate, weights
//! within [`WEIGHT_ONE`]), so that nothing behind it has to check, and no sum over it can overflow.

use thiserror::Error;

use super::Level;
use super::objective::Residuals;

/// The weight 1 in fixed point: what the weights of all regions together may not exceed.
pub const WEIGHT_ONE: u32 = 1 << 31;

/// How many regions one instance may have: a row keeps its region in 24 bits, the last of which is no region's.
pub const MAX_REGIONS: usize = (1 << 24) - 1;

/// The family of a candidate that belongs to none, in [`Instance::with_families`].
pub const NO_FAMILY: u32 = u32::MAX;

/// One signal of a candidate: a region and how well the candidate checks it, packed in four bytes.
///
/// Ordered by region, then level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Row(u32);

impl Row {
    /// A signal of `level` on `region`.
    ///
    /// A region that does not fit in 24 bits becomes [`MAX_REGIONS`], which [`Instance::new`] refuses.
    #[inline]
    pub fn new(region: u32, level: Level) -> Self {
        const LAST: u32 = (1 << 24) - 1;
        Self(region.min(LAST) << 8 | u32::from(level.0))
    }

    /// Region and level as one number, less than 256 times the regions.
    #[inline]
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// The row of these bits.
    #[inline]
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The region, a position in the weights of its instance.
    #[inline]
    pub fn region(self) -> u32 {
        self.0 >> 8
    }

    /// The quantized signal.
    #[inline]
    pub fn level(self) -> Level {
        Level(self.0.to_le_bytes()[0])
    }
}

/// Why an instance was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// More regions than a row can name.
    #[error("the change touches {found} regions, at most {MAX_REGIONS} can be weighed at once; split the diff")]
    TooManyRegions {
        /// How many there are.
        found: usize,
    },
    /// The weights exceed [`WEIGHT_ONE`].
    #[error("region weights sum to {found}, expected at most {WEIGHT_ONE}; normalize them with `fixed_weights`")]
    WeightsAboveOne {
        /// Their sum.
        found: u64,
    },
    /// The row starts do not split the rows into one slice per cost.
    #[error(
        "{starts} row starts for {costs} costs and {rows} rows, expected one more than costs, ascending from 0 to the number of rows; pass the starts of each candidate's rows and their end"
    )]
    BadStarts {
        /// How many starts there are.
        starts: usize,
        /// How many candidates.
        costs: usize,
        /// How many rows.
        rows: usize,
    },
    /// A row names a region that has no weight.
    #[error(
        "candidate {candidate} has a signal on region {region}, expected one of {regions} regions; weigh it or leave it out"
    )]
    UnknownRegion {
        /// The candidate.
        candidate: usize,
        /// The region it names.
        region: u32,
        /// How many regions there are.
        regions: usize,
    },
    /// The regions of a candidate are not strictly ascending.
    #[error("candidate {candidate} names region {region} out of order or twice; sort its rows and join equal regions")]
    UnorderedRegion {
        /// The candidate.
        candidate: usize,
        /// The region that does not ascend.
        region: u32,
    },
    /// There is not one profile per candidate, or not all of them have rows.
    #[error("{found} profiles for {candidates} candidates, of {profiles} with rows; name one of these for each")]
    BadProfiles {
        /// How many are named.
        found: usize,
        /// How many candidates there are.
        candidates: usize,
        /// How many profiles have rows.
        profiles: usize,
    },
    /// There is not one group per candidate.
    #[error("{found} groups for {candidates} candidates; name the group of each")]
    BadGroups {
        /// How many groups are named.
        found: usize,
        /// How many candidates there are.
        candidates: usize,
    },
    /// A candidate names a group that has no set-up.
    #[error("candidate {candidate} is of group {group}, expected one of {groups} groups; state its set-up, 0 for none")]
    UnknownGroup {
        /// The candidate.
        candidate: usize,
        /// The group it names.
        group: u32,
        /// How many groups there are.
        groups: usize,
    },
    /// There is not one family per candidate.
    #[error("{found} families for {candidates} candidates; name the family of each, `NO_FAMILY` where it has none")]
    BadFamilies {
        /// How many families are named.
        found: usize,
        /// How many candidates there are.
        candidates: usize,
    },
}

/// Regions, candidates and signals: the input of [`super::select`].
///
/// Candidates are positions `0..len()` in the order of their test ids, so that ties broken by position are broken by id.
#[derive(Clone, Debug)]
pub struct Instance {
    weights: Vec<u32>,
    costs_us: Vec<u64>,
    /// The profile of each candidate: candidates of one profile have the same rows. Empty where each has its own.
    profile_of: Vec<u32>,
    /// `rows[row_starts[p]..row_starts[p + 1]]` are the rows of profile `p`.
    row_starts: Vec<u32>,
    rows: Vec<Row>,
    /// The family of each candidate, numbered from 0, or [`NO_FAMILY`]; empty where there are none.
    families: Vec<u32>,
    /// How many families there are.
    family_count: u32,
    /// The set-ups of groups; none where there are no groups.
    groups: Groups,
}

/// What candidates share: the set-up of a test file, charged once, when its first test is picked.
#[derive(Clone, Debug, Default)]
struct Groups {
    /// The group of each candidate, or [`NO_GROUP`] where its set-up is free; empty where all are.
    of: Vec<u32>,
    setup_us: Vec<u64>,
    /// `members[starts[group]..starts[group + 1]]` are the candidates of a group, ascending.
    starts: Vec<u32>,
    members: Vec<u32>,
}

/// The group of a candidate that needs no set-up.
pub(super) const NO_GROUP: u32 = u32::MAX;

impl Instance {
    /// Checks and takes an instance in compressed rows.
    ///
    /// `weights` is one per region, in units of 1 / [`WEIGHT_ONE`]; `costs_us` one per candidate, in microseconds;
    /// `rows[row_starts[i]..row_starts[i + 1]]` are the signals of candidate `i`, by strictly ascending region. O(rows).
    ///
    /// # Errors
    /// When the weights exceed one, the starts do not fit the rows, or a row names an unknown or repeated region.
    pub fn new(
        weights: Vec<u32>,
        costs_us: Vec<u64>,
        row_starts: Vec<u32>,
        rows: Vec<Row>,
    ) -> Result<Self, InstanceError> {
        if row_starts.len() != costs_us.len() + 1 {
            let (starts, costs, rows) = (row_starts.len(), costs_us.len(), rows.len());
            return Err(InstanceError::BadStarts { starts, costs, rows });
        }
        Self::checked(weights, costs_us, Vec::new(), row_starts, rows)
    }

    /// Checks and takes an instance whose candidates share rows: `rows[row_starts[p]..row_starts[p + 1]]` are the signals of
    /// profile `p`, and `profile_of` is one per candidate. O(rows + candidates).
    ///
    /// # Errors
    /// As [`Instance::new`], and when a candidate names an unknown profile.
    pub fn of_profiles(
        weights: Vec<u32>,
        costs_us: Vec<u64>,
        profile_of: Vec<u32>,
        row_starts: Vec<u32>,
        rows: Vec<Row>,
    ) -> Result<Self, InstanceError> {
        let profiles = row_starts.len().saturating_sub(1);
        let unknown = profile_of.iter().any(|&profile| profile as usize >= profiles);
        if unknown || profile_of.len() != costs_us.len() {
            let found = profile_of.len();
            return Err(InstanceError::BadProfiles { found, candidates: costs_us.len(), profiles });
        }
        Self::checked(weights, costs_us, profile_of, row_starts, rows)
    }

    fn checked(
        weights: Vec<u32>,
        costs_us: Vec<u64>,
        profile_of: Vec<u32>,
        row_starts: Vec<u32>,
        rows: Vec<Row>,
    ) -> Result<Self, InstanceError> {
        if weights.len() > MAX_REGIONS {
            return Err(InstanceError::TooManyRegions { found: weights.len() });
        }
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        if total > u64::from(WEIGHT_ONE) {
            return Err(InstanceError::WeightsAboveOne { found: total });
        }
        let ascending = row_starts.is_sorted() && row_starts.first() == Some(&0);
        let ends_at_rows = row_starts.last().is_some_and(|&end| end as usize == rows.len());
        // Candidates are counted in `u32`, and so are picks.
        if !(ascending && ends_at_rows && u32::try_from(costs_us.len()).is_ok()) {
            let (starts, costs, rows) = (row_starts.len(), costs_us.len(), rows.len());
            return Err(InstanceError::BadStarts { starts, costs, rows });
        }
        let instance = Self {
            weights,
            costs_us,
            profile_of,
            row_starts,
            rows,
            families: Vec::new(),
            family_count: 0,
            groups: Groups::default(),
        };
        instance.check_rows()?;
        Ok(instance)
    }

    /// The candidates in `kept`, in that order, each once, without groups. O(kept + rows).
    ///
    /// # Panics
    /// If there is no such candidate.
    #[must_use]
    pub fn of_kept(&self, kept: &[u32]) -> Self {
        let without_families = Self {
            weights: self.weights.clone(),
            costs_us: kept.iter().map(|&candidate| self.costs_us[candidate as usize]).collect(),
            profile_of: kept.iter().map(|&candidate| self.profile_of(candidate)).collect(),
            row_starts: self.row_starts.clone(),
            rows: self.rows.clone(),
            families: Vec::new(),
            family_count: 0,
            groups: Groups::default(),
        };
        match self.family_count {
            0 => without_families,
            _ => without_families.joined(kept.iter().map(|&candidate| self.family_of(candidate)).collect()),
        }
    }

    /// These candidates and then others without a signal, of these costs in microseconds and of no family; without groups.
    ///
    /// # Panics
    /// Never: there are fewer profiles than 2^32, for their starts are counted in `u32`.
    #[must_use]
    pub fn with_others(mut self, costs_us: impl IntoIterator<Item = u64>) -> Self {
        if self.profile_of.is_empty() {
            self.profile_of.extend((0..).take(self.costs_us.len()));
        }
        let no_rows = u32::try_from(self.profile_count()).expect("profiles are counted in u32");
        self.row_starts.push(self.row_starts[no_rows as usize]);
        self.costs_us.extend(costs_us);
        self.profile_of.resize(self.costs_us.len(), no_rows);
        if self.family_count > 0 {
            self.families.resize(self.costs_us.len(), NO_FAMILY);
        }
        self.groups = Groups::default();
        self
    }

    /// How many profiles there are.
    #[inline]
    pub(super) fn profile_count(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// The profile of a candidate, below [`Self::profile_count`].
    #[inline]
    pub(super) fn profile_of(&self, candidate: u32) -> u32 {
        if self.profile_of.is_empty() { candidate } else { self.profile_of[candidate as usize] }
    }

    /// The signals of the candidates of a profile, by ascending region.
    #[inline]
    pub(super) fn rows_of_profile(&self, profile: u32) -> &[Row] {
        let profile = profile as usize;
        &self.rows[self.row_starts[profile] as usize..self.row_starts[profile + 1] as usize]
    }

    /// Makes candidates cost nothing but their set-up.
    ///
    /// # Panics
    /// If there is no such candidate.
    #[must_use]
    pub fn with_free(mut self, candidates: &[u32]) -> Self {
        candidates.iter().for_each(|&candidate| self.costs_us[candidate as usize] = 0);
        self
    }

    /// Joins candidates into families, whose signals on a region count by rank: each further one half.
    ///
    /// `family_of` is one per candidate, any number or [`NO_FAMILY`]; candidates of the same number are one family. A
    /// family of one is none. O(candidates log candidates).
    ///
    /// # Errors
    /// When there is not one family per candidate.
    pub fn with_families(self, family_of: Vec<u32>) -> Result<Self, InstanceError> {
        if family_of.len() != self.len() {
            return Err(InstanceError::BadFamilies { found: family_of.len(), candidates: self.len() });
        }
        Ok(self.joined(family_of))
    }

    /// [`Self::with_families`], of one family per candidate.
    fn joined(mut self, mut family_of: Vec<u32>) -> Self {
        let in_one = (0u32..).zip(&family_of).filter(|(_, family)| **family != NO_FAMILY);
        let mut members: Vec<(u32, u32)> = in_one.map(|(candidate, &family)| (family, candidate)).collect();
        members.sort_unstable();
        self.family_count = 0;
        for family in members.chunk_by(|a, b| a.0 == b.0) {
            let number = if family.len() > 1 { self.family_count } else { NO_FAMILY };
            family.iter().for_each(|&(_, candidate)| family_of[candidate as usize] = number);
            self.family_count += u32::from(family.len() > 1);
        }
        self.families = if self.family_count == 0 { Vec::new() } else { family_of };
        self
    }

    /// Adds `each_us` microseconds to what every candidate costs: what a runner spends on any test. O(candidates).
    pub fn with_overhead(mut self, each_us: u64) -> Self {
        self.costs_us.iter_mut().for_each(|cost_us| *cost_us = cost_us.saturating_add(each_us));
        self
    }

    /// Charges a set-up once for each group of which anything is picked, such as a test file.
    ///
    /// `group_of` is one per candidate, a position in `setup_us`, which is in microseconds. O(candidates + groups).
    ///
    /// # Errors
    /// When there is not one group per candidate, or a group has no set-up.
    pub fn with_groups(mut self, mut group_of: Vec<u32>, setup_us: Vec<u64>) -> Result<Self, InstanceError> {
        let candidates = self.len();
        if group_of.len() != candidates {
            return Err(InstanceError::BadGroups { found: group_of.len(), candidates });
        }
        let setup_of = |group: u32| setup_us.get(group as usize).copied();
        if let Some(candidate) = group_of.iter().position(|&group| group == NO_GROUP || setup_of(group).is_none()) {
            let (group, groups) = (group_of[candidate], setup_us.len());
            return Err(InstanceError::UnknownGroup { candidate, group, groups });
        }
        group_of.iter_mut().filter(|group| setup_of(**group) == Some(0)).for_each(|group| *group = NO_GROUP);
        let mut members: Vec<u32> = (0..).take(candidates).filter(|&i| group_of[i as usize] != NO_GROUP).collect();
        if members.is_empty() {
            self.groups = Groups::default();
            return Ok(self);
        }
        members.sort_by_key(|&candidate| group_of[candidate as usize]);
        let mut starts = vec![0; setup_us.len() + 1];
        members.iter().for_each(|&candidate| starts[group_of[candidate as usize] as usize + 1] += 1);
        (1..starts.len()).for_each(|group| starts[group] += starts[group - 1]);
        self.groups = Groups { of: group_of, setup_us, starts, members };
        Ok(self)
    }

    /// The group of a candidate, below [`Self::group_count`], or [`NO_GROUP`].
    #[inline]
    pub(super) fn group_of(&self, candidate: u32) -> u32 {
        self.groups.of.get(candidate as usize).copied().unwrap_or(NO_GROUP)
    }

    /// How many groups there are.
    pub(super) fn group_count(&self) -> usize {
        self.groups.setup_us.len()
    }

    /// The candidates of a group, ascending.
    pub(super) fn members_of(&self, group: u32) -> &[u32] {
        let group = group as usize;
        &self.groups.members[self.groups.starts[group] as usize..self.groups.starts[group + 1] as usize]
    }

    /// The set-up of a group in microseconds.
    pub(super) fn setup_us(&self, group: u32) -> u64 {
        self.groups.setup_us[group as usize]
    }

    /// The cost of a candidate and its set-up in microseconds: what it costs alone. A sum beyond `u64` is the greatest.
    #[inline]
    pub(super) fn cost_alone_us(&self, candidate: u32) -> u64 {
        let setup_us = self.groups.setup_us.get(self.group_of(candidate) as usize).copied().unwrap_or(0);
        self.costs_us[candidate as usize].saturating_add(setup_us)
    }

    /// The family of a candidate, below [`Self::family_count`], or [`NO_FAMILY`].
    #[inline]
    pub(super) fn family_of(&self, candidate: u32) -> u32 {
        self.families.get(candidate as usize).copied().unwrap_or(NO_FAMILY)
    }

    /// How many families of two or more there are.
    pub(super) fn family_count(&self) -> u32 {
        self.family_count
    }

    /// The utility of candidates picked in this order.
    pub(super) fn utility_of(&self, candidates: impl Iterator<Item = u32>) -> u64 {
        let mut residuals = Residuals::untouched(self);
        candidates.map(|candidate| residuals.pick(self, candidate)).sum()
    }

    fn check_rows(&self) -> Result<(), InstanceError> {
        let regions = self.weights.len();
        // Without profiles the number of a slice is that of its candidate.
        for (candidate, bounds) in self.row_starts.windows(2).enumerate() {
            let mut expected_at_least = 0;
            for row in &self.rows[bounds[0] as usize..bounds[1] as usize] {
                let region = row.region();
                if region as usize >= regions {
                    return Err(InstanceError::UnknownRegion { candidate, region, regions });
                }
                if region < expected_at_least {
                    return Err(InstanceError::UnorderedRegion { candidate, region });
                }
                expected_at_least = region + 1;
            }
        }
        Ok(())
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.costs_us.len()
    }

    /// Whether there is no candidate.
    pub fn is_empty(&self) -> bool {
        self.costs_us.is_empty()
    }

    /// The weight of each region, in units of 1 / [`WEIGHT_ONE`].
    pub fn weights(&self) -> &[u32] {
        &self.weights
    }

    /// The cost of each candidate in microseconds.
    pub fn costs_us(&self) -> &[u64] {
        &self.costs_us
    }

    /// The signals of all candidates, profile after profile: candidate after candidate where each has its own.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The signals of one candidate, by ascending region.
    ///
    /// # Panics
    /// When there is no such candidate.
    #[inline]
    pub fn rows_of(&self, candidate: u32) -> &[Row] {
        self.rows_of_profile(self.profile_of(candidate))
    }

    /// Whether any candidate has a signal on a region of any weight.
    pub fn has_useful(&self) -> bool {
        (0u32..).take(self.len()).any(|candidate| self.rows_of(candidate).iter().any(|row| self.is_useful(*row)))
    }

    fn is_useful(&self, row: Row) -> bool {
        row.level() != Level::NONE && self.weights[row.region() as usize] > 0
    }

    /// The cheapest candidate, set-up included, with a signal on a region of any weight.
    pub fn cheapest_useful(&self) -> Option<u32> {
        let useful = |row: &Row| self.is_useful(*row);
        let profiles = (0u32..).take(self.profile_count());
        let is_useful: Vec<bool> = profiles.map(|profile| self.rows_of_profile(profile).iter().any(useful)).collect();
        let candidates = (0u32..).take(self.len()).filter(|&candidate| is_useful[self.profile_of(candidate) as usize]);
        candidates.min_by_key(|&candidate| self.cost_alone_us(candidate))
    }

    /// What [`Instance::cheapest_useful`] costs in microseconds: the smallest budget that selects something, but for the
    /// start of the session.
    pub fn cheapest_useful_cost_us(&self) -> Option<u64> {
        self.cheapest_useful().map(|candidate| self.cost_alone_us(candidate))
    }
}

/// Weights of any scale in the fixed point of an instance: proportional, summing to at most [`WEIGHT_ONE`].
///
/// Each is rounded down, so equal weights stay equal and the sum falls short of one by less than a unit a region.
/// Negative and non-finite weights count as 0. Only IEEE additions, divisions and multiplications in a fixed order: the
/// same on every machine.
pub fn fixed_weights(weights: &[f64]) -> Vec<u32> {
    let usable = |weight: f64| if weight.is_finite() { weight.max(0.0) } else { 0.0 };
    let greatest = weights.iter().fold(0.0, |greatest: f64, &weight| greatest.max(usable(weight)));
    if greatest == 0.0 {
        return vec![0; weights.len()];
    }
    // Shares of the greatest first: the sum of the weights themselves may be beyond a float.
    let shares: f64 = weights.iter().map(|&weight| usable(weight) / greatest).sum();
    let mut left = WEIGHT_ONE;
    let fixed = |&weight: &f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounds down, in 0..=WEIGHT_ONE")]
        let exact = (usable(weight) / greatest / shares * f64::from(WEIGHT_ONE)) as u32;
        // The float sum of millions of shares may be low by more than the rounding takes away.
        let weight = exact.min(left);
        left -= weight;
        weight
    };
    weights.iter().map(fixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pairs: &[(u32, u8)]) -> Vec<Row> {
        pairs.iter().map(|&(region, level)| Row::new(region, Level(level))).collect()
    }

    #[test]
    fn a_row_keeps_both_parts() {
        for (region, level) in [(0, 0), (1, 255), (16_777_214, 192)] {
            let row = Row::new(region, Level(level));
            assert_eq!((row.region(), row.level()), (region, Level(level)));
        }
        assert_eq!(Row::new(u32::MAX, Level(7)).region() as usize, MAX_REGIONS);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let new = |weights: &[u32], costs: usize, starts: &[u32], pairs: &[(u32, u8)]| {
            Instance::new(weights.to_vec(), vec![1; costs], starts.to_vec(), rows(pairs)).map(|_| ())
        };
        assert_eq!(new(&[1, 2], 2, &[0, 1, 2], &[(0, 1), (1, 1)]), Ok(()));
        assert_eq!(new(&[], 0, &[0], &[]), Ok(()));
        let bad_starts = |starts, costs, rows| Err(InstanceError::BadStarts { starts, costs, rows });
        assert_eq!(new(&[1], 0, &[], &[]), bad_starts(0, 0, 0));
        assert_eq!(new(&[1], 1, &[0, 2], &[(0, 1)]), bad_starts(2, 1, 1));
        assert_eq!(new(&[1], 2, &[0, 1], &[(0, 1)]), bad_starts(2, 2, 1));
        assert_eq!(new(&[1], 2, &[0, 2, 1], &[(0, 1)]), bad_starts(3, 2, 1));
        assert_eq!(new(&[1], 1, &[1, 1], &[(0, 1)]), bad_starts(2, 1, 1));
        let unknown = |region| Err(InstanceError::UnknownRegion { candidate: 0, region, regions: 1 });
        assert_eq!(new(&[1], 1, &[0, 1], &[(1, 1)]), unknown(1));
        assert_eq!(new(&[1], 1, &[0, 1], &[(u32::MAX, 1)]), unknown((1 << 24) - 1));
        let unordered = |region| Err(InstanceError::UnorderedRegion { candidate: 0, region });
        assert_eq!(new(&[1, 1], 1, &[0, 2], &[(0, 1), (0, 1)]), unordered(0));
        assert_eq!(new(&[1, 1], 1, &[0, 2], &[(1, 1), (0, 1)]), unordered(0));
        assert_eq!(new(&[WEIGHT_ONE], 0, &[0], &[]), Ok(()));
        let above = u64::from(WEIGHT_ONE) + 1;
        assert_eq!(new(&[WEIGHT_ONE, 1], 0, &[0], &[]), Err(InstanceError::WeightsAboveOne { found: above }));
    }

    #[test]
    fn families_of_one_are_none() {
        let four = || Instance::new(vec![], vec![1; 4], vec![0; 5], vec![]).unwrap();
        let families = |family_of: &[u32]| four().with_families(family_of.to_vec()).map(|four| four.families);
        assert_eq!(families(&[9, 7, 9, NO_FAMILY]), Ok(vec![0, NO_FAMILY, 0, NO_FAMILY]));
        assert_eq!(families(&[4_000_000_000, 7, 7, 4_000_000_000]), Ok(vec![1, 0, 0, 1]));
        assert_eq!(families(&[1, 2, 3, NO_FAMILY]), Ok(vec![]));
        assert_eq!(families(&[1]), Err(InstanceError::BadFamilies { found: 1, candidates: 4 }));
        assert_eq!(four().family_of(3), NO_FAMILY);
    }

    #[test]
    fn groups_are_charged_when_alone() {
        let three = || Instance::new(vec![1], vec![1, 2, u64::MAX], vec![0, 1, 2, 2], rows(&[(0, 9), (0, 9)])).unwrap();
        let grouped = three().with_groups(vec![2, 0, 2], vec![0, 5, 7]).unwrap();
        let alone: Vec<u64> = (0..3).map(|candidate| grouped.cost_alone_us(candidate)).collect();
        assert_eq!(alone, [8, 2, u64::MAX]);
        assert_eq!(
            (grouped.group_of(1), grouped.members_of(1), grouped.members_of(2)),
            (NO_GROUP, &[][..], &[0, 2][..])
        );
        assert_eq!((three().cheapest_useful_cost_us(), grouped.cheapest_useful_cost_us()), (Some(1), Some(2)));
        let refused = |group_of: &[u32]| three().with_groups(group_of.to_vec(), vec![1]).map(|_| ());
        assert_eq!(refused(&[0]), Err(InstanceError::BadGroups { found: 1, candidates: 3 }));
        assert_eq!(refused(&[0, 1, 0]), Err(InstanceError::UnknownGroup { candidate: 1, group: 1, groups: 1 }));
    }

    #[test]
    fn fixed_weights_keep_proportions_at_any_scale() {
        assert_eq!(fixed_weights(&[1.0, 1.0]), [WEIGHT_ONE / 2; 2]);
        assert_eq!(fixed_weights(&[1e308, 1e308, 0.0]), [WEIGHT_ONE / 2, WEIGHT_ONE / 2, 0]);
        assert_eq!(fixed_weights(&[5e-324]), [WEIGHT_ONE]);
        assert_eq!(fixed_weights(&[-1.0, f64::NAN, f64::INFINITY, 3.0]), [0, 0, 0, WEIGHT_ONE]);
        assert_eq!(fixed_weights(&[0.0, -0.0]), [0, 0]);
        assert_eq!(fixed_weights(&[]), [0u32; 0]);
        let thirds = fixed_weights(&[0.1; 3]);
        assert!(thirds.iter().all(|&weight| weight == thirds[0]));
        assert!(WEIGHT_ONE - thirds.iter().sum::<u32>() < 3);
    }

    #[test]
    fn the_cheapest_useful_cost_skips_what_has_no_signal() {
        let pairs = rows(&[(0, 0), (1, 9), (0, 9), (0, 9)]);
        let instance = Instance::new(vec![1, 0], vec![1, 2, 9, 8], vec![0, 1, 2, 3, 4], pairs).unwrap();
        assert_eq!(instance.cheapest_useful_cost_us(), Some(8));
    }
}
