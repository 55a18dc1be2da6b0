//! The constants of the signal, fitted to past changes of which it is known what failed.
//!
//! The tests of a region share what a fault fails by a conditional logit ([`crate::signal`]). So the chance that a past
//! change gave to the tests that failed is a number, and its logarithm, averaged over the changes, is the likelihood of
//! the constants. [`fit`] climbs it from the constants that the models hold, less a penalty for leaving them, so that a
//! short history moves them little (ridge regression towards a prior; Hoerl and Kennard 1970).
//!
//! What a fit is worth shows on changes that it did not see: [`Fit::held_out`] leaves out one group after the other.
//!
//! Climbing is a pattern search (Hooke and Jeeves, "Direct search solution of numerical and statistical problems", 1961):
//! no derivatives, a fixed order of steps, the same on every machine.

use std::collections::HashSet;

use crate::candidate::{self, CandidateError, Observed};
use crate::change::{Change, Mapping};
use crate::diff::Diff;
use crate::id::TestId;
use crate::model::{Index, ModelError};
use crate::relevance::{Query, Relevance};
use crate::signal::{Calibration, Evidence};

/// The chance that no evidence ranks what failed: keeps one hopeless change from ruling the mean.
const HOPELESS: f64 = 1e-6;

/// How much leaving the starting constants costs, a square of one: a thousandth of mean log likelihood, a tenth of a percent of
/// the chance that is given to what failed.
const PENALTY: f64 = 0.001;

/// The first step along each constant, and the one at which the climb ends.
const STEPS: (f64, f64) = (1.0, 0.02);

/// How many constants are fitted: the coefficients. The number of failing tests is not a matter of shares.
const FITTED: usize = 7;

/// A past change as the constants see it.
#[derive(Clone, Debug, Default)]
pub struct Occasion {
    /// What the change may have broken.
    pub regions: Vec<OccasionRegion>,
    /// Of each candidate.
    pub evidence: Vec<Evidence>,
    /// Whether each candidate failed.
    pub failed: Vec<bool>,
}

/// A region whose tests share what a fault fails.
#[derive(Clone, Debug)]
pub struct OccasionRegion {
    /// Its share of the change; over the regions of an occasion any sum.
    pub weight: f64,
    /// Whether nothing recorded tells its tests apart.
    pub alone: bool,
    /// The candidates that are its tests, each with how much of the region it ran.
    pub tests: Vec<(u32, f64)>,
}

/// A past change on which `failed` failed; `None` where no evidence ranks any of them, so that nothing is to be learned.
///
/// # Errors
/// If a part of the model that the change touches is damaged, or the change is larger than the optimizer takes.
pub fn occasion<D: AsRef<[u8]>>(
    index: &Index<D>,
    diff: &Diff<'_>,
    failed: &[impl AsRef<str>],
) -> Result<Option<Occasion>, CandidateError> {
    let known = failed.iter().filter_map(|id| index.find_test(id.as_ref()).transpose());
    let known = known.collect::<Result<HashSet<TestId>, ModelError>>()?;
    let change = Change::read(index, diff, Mapping::default())?;
    let relevance = Relevance::score(index, &Query::of(diff, &change))?;
    let Observed { tests, evidence, weights, shares } = candidate::observe(index, &change, &relevance)?;
    let failed: Vec<bool> = tests.iter().map(|test| known.contains(test)).collect();
    if !shares.iter().any(|&(test, ..)| failed[test as usize]) {
        return Ok(None);
    }
    let region = |&weight| OccasionRegion { weight, alone: false, tests: Vec::new() };
    let mut regions: Vec<OccasionRegion> = weights.iter().map(region).collect();
    for (test, region, share, alone) in shares {
        regions[region as usize].alone = alone;
        regions[region as usize].tests.push((test, share));
    }
    Ok(Some(Occasion { regions, evidence, failed }))
}

impl Occasion {
    /// The chance that the constants give to what failed.
    fn likelihood(&self, calibration: &Calibration) -> f64 {
        let factors: Vec<[f64; 2]> =
            self.evidence.iter().map(|of| [calibration.factor(of), calibration.factor_alone(of)]).collect();
        let (mut caught, mut weights) = (0.0, 0.0);
        for region in &self.regions {
            let (mut failed, mut all) = (0.0, 0.0);
            for &(test, share) in &region.tests {
                let worth = share * factors[test as usize][usize::from(region.alone)];
                all += worth;
                failed += if self.failed[test as usize] { worth } else { 0.0 };
            }
            if all > 0.0 {
                caught += region.weight * failed / all;
                weights += region.weight;
            }
        }
        if weights > 0.0 { caught / weights } else { 0.0 }
    }
}

/// The mean logarithm of the chance that the constants give to what failed.
fn log_likelihood<'a>(calibration: &Calibration, occasions: impl IntoIterator<Item = &'a Occasion>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for occasion in occasions {
        sum += libm::log(occasion.likelihood(calibration).max(HOPELESS));
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Occasions of one group, such as one project.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Its past changes.
    pub occasions: Vec<Occasion>,
}

/// What a fit came to.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The constants.
    pub calibration: Calibration,
    /// How many changes it was fitted to.
    pub occasions: usize,
    /// Mean log likelihood with the constants it started from, and with the fitted ones.
    pub log_likelihood: [f64; 2],
    /// The same on each group, with constants fitted to the others; and those constants.
    pub held_out: Vec<HeldOut>,
}

impl Fit {
    /// Whether constants fitted to the other groups are better, over all groups, than those that the fit started from.
    pub fn holds(&self) -> bool {
        self.held_out.iter().map(|held| held.log_likelihood[1] - held.log_likelihood[0]).sum::<f64>() > 0.0
    }
}

/// What a fit to the other groups is worth on a group.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// The group.
    pub group: String,
    /// How many changes it holds.
    pub occasions: usize,
    /// The constants fitted to the others.
    pub calibration: Calibration,
    /// Mean log likelihood on the group with the constants it started from, and with these.
    pub log_likelihood: [f64; 2],
}

/// Fits the constants to the groups, all of the same say, starting from `start`. O(evidence) a step, some hundreds of steps
/// for each group and one for all.
pub fn fit(start: &Calibration, groups: &[Group]) -> Fit {
    let calibration = climb(start, groups, None);
    let on = |groups: &[Group], calibration: &Calibration| mean(calibration, groups, None);
    let held_out = |(at, group): (usize, &Group)| {
        let calibration = climb(start, groups, Some(at));
        let alone = std::slice::from_ref(group);
        HeldOut {
            group: group.name.clone(),
            occasions: group.occasions.len(),
            calibration,
            log_likelihood: [on(alone, start), on(alone, &calibration)],
        }
    };
    let held_out = if groups.len() > 1 { groups.iter().enumerate().map(held_out).collect() } else { Vec::new() };
    let occasions = groups.iter().map(|group| group.occasions.len()).sum();
    Fit { calibration, occasions, log_likelihood: [on(groups, start), on(groups, &calibration)], held_out }
}

/// The mean over the groups but the one at `without`.
fn mean(calibration: &Calibration, groups: &[Group], without: Option<usize>) -> f64 {
    let kept = groups.iter().enumerate().filter(|&(at, group)| Some(at) != without && !group.occasions.is_empty());
    let of_groups: Vec<f64> = kept.map(|(_, group)| log_likelihood(calibration, &group.occasions)).collect();
    of_groups.iter().sum::<f64>() / of_groups.len().max(1) as f64
}

fn climb(start: &Calibration, groups: &[Group], without: Option<usize>) -> Calibration {
    let from = start.values();
    let worth = |values: &[f64; Calibration::NAMES.len()]| {
        let left: f64 = values.iter().zip(&from).map(|(value, from)| (value - from) * (value - from)).sum();
        mean(&Calibration::from_values(*values), groups, without) - PENALTY * left
    };
    let mut best = from;
    let mut best_worth = worth(&best);
    let mut step = STEPS.0;
    while step >= STEPS.1 {
        let mut climbed = false;
        for constant in 0..FITTED {
            for towards in [step, -step] {
                let mut tried = best;
                tried[constant] += towards;
                let tried_worth = worth(&tried);
                if tried_worth > best_worth {
                    (best, best_worth, climbed) = (tried, tried_worth, true);
                    break;
                }
            }
        }
        if !climbed {
            step /= 2.0;
        }
    }
    Calibration::from_values(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes of one region with four tests, of which the one with `words` in common fails.
    fn group(name: &str, words: f64, changes: usize) -> Group {
        let evidence = |at: usize, test: usize| Evidence {
            words: if test == at % 4 { words } else { 0.1 },
            name: if test == (at + 1) % 4 { 1.0 } else { 0.0 },
            ..Evidence::default()
        };
        let occasion = |at: usize| Occasion {
            regions: vec![OccasionRegion {
                weight: 1.0,
                alone: false,
                tests: (0..4).map(|test| (test, 1.0)).collect(),
            }],
            evidence: (0..4).map(|test| evidence(at, test)).collect(),
            failed: (0..4).map(|test| test == at % 4).collect(),
        };
        Group { name: name.to_owned(), occasions: (0..changes).map(occasion).collect() }
    }

    #[test]
    fn what_tells_failing_tests_gains_weight_and_what_misleads_loses_it() {
        let start = Calibration { words: 0.0, name: 1.0, ..Calibration::default() };
        let groups = [group("a", 1.0, 8), group("b", 0.8, 8)];
        let fit = fit(&start, &groups);
        assert!(fit.calibration.words > 1.0, "{:?}", fit.calibration);
        assert!(fit.calibration.name < 0.0, "{:?}", fit.calibration);
        assert_eq!(fit.calibration.failing, start.failing);
        assert_eq!(fit.calibration.words_alone, start.words_alone, "of what no change says, nothing is learned");
        assert!(fit.log_likelihood[1] > fit.log_likelihood[0]);
        assert_eq!(fit.held_out.len(), 2);
        assert!(fit.holds());
        assert!(fit.held_out.iter().all(|held| held.log_likelihood[1] > held.log_likelihood[0]));
    }

    #[test]
    fn what_one_group_teaches_and_the_other_belies_does_not_hold() {
        let start = Calibration { words: 0.0, name: 0.0, ..Calibration::default() };
        let fit = fit(&start, &[group("a", 1.0, 8), group("b", -0.8, 8)]);
        assert!(!fit.holds(), "{:?}", fit.held_out);
    }

    #[test]
    fn nothing_to_learn_from_changes_nothing() {
        let start = Calibration::default();
        assert_eq!(fit(&start, &[]).calibration, start);
        let hopeless = Group { name: "a".to_owned(), occasions: vec![Occasion::default()] };
        assert_eq!(fit(&start, &[hopeless]).calibration, start);
    }
}
