//! The choice: candidates for the optimizer, and what it picks, all of it still in the tree.
//!
//! What the tree no longer has is dropped and its budget is spent again: only chosen tests are looked for, so that a small
//! selection looks at few files, until so many of them are gone that all candidates are.

use std::collections::HashSet;

use crate::candidate::{self, CandidateError, Candidates};
use crate::change::Change;
use crate::id::TestId;
use crate::model::{Index, ModelError};
use crate::optimize::{self, ExactError, Instance, Options, Selection, Verdict};
use crate::relevance::Relevance;

/// Rounds in which only chosen tests are looked for in the tree. Where that many found some gone, so much is gone that
/// the next looks for all candidates, and is the last but one.
const ROUNDS_OF_CHOSEN: usize = 4;

/// What is chosen for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aim {
    /// As much utility as greedy finds within the budget.
    #[default]
    Most,
    /// The best of all choices within the budget.
    Best,
    /// This share of what all candidates could reach, in units of 1 / [`optimize::SHARE_ONE`], as cheap as can be found.
    Enough(u64),
}

/// What may be spent, and on what.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Budget, start of the session, workers, number of candidates, whether to fill.
    pub options: Options,
    /// What opening a file of tests costs in microseconds, charged once a file and worker.
    pub per_file_us: u64,
    /// What is chosen for.
    pub aim: Aim,
}

impl Terms {
    /// These terms at another budget, in microseconds; `None` is no budget.
    #[must_use]
    pub fn with_budget(&self, budget_us: Option<u64>) -> Self {
        Self { options: Options { budget_us, ..self.options.clone() }, ..*self }
    }
}

/// Why nothing could be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// There are no candidates to choose from.
    #[error(transparent)]
    Candidates(#[from] CandidateError),
    /// The best of all choices was asked for and is out of reach.
    #[error(transparent)]
    Exact(#[from] ExactError),
}

impl From<ModelError> for ChoiceError {
    fn from(error: ModelError) -> Self {
        Self::Candidates(error.into())
    }
}

/// The id of a test as the tree names it now, or `None` where the tree no longer has it.
pub type CurrentId<'a> = dyn FnMut(&str) -> Result<Option<String>, ModelError> + 'a;

/// What was chosen.
#[derive(Debug)]
pub struct Choice {
    /// The tests with a signal on the change; where the budget is filled, all others too.
    pub candidates: Candidates,
    /// The picks among them.
    pub selection: Selection,
    /// How a target fared, where one was set.
    pub target: Option<Target>,
    /// The ids of the picks, as the tree has them.
    pub named: Vec<String>,
    /// How many chosen tests the tree no longer has.
    pub dropped: usize,
}

/// How a share to be reached fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it was reached.
    pub verdict: Verdict,
    /// What no selection that reaches it is cheaper than, in microseconds; `None` where all tests together do not.
    pub cost_at_least_us: Option<u64>,
}

/// Chooses tests for a change.
///
/// # Errors
/// If a part of the model that the change touches is damaged, the change is larger than the optimizer takes, or the best of all
/// choices is out of reach.
pub fn choose<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
    terms: &Terms,
    current_id: &mut CurrentId<'_>,
) -> Result<Choice, ChoiceError> {
    let candidates = candidate::gather(index, change, relevance)?;
    choose_among(candidates, index, change, relevance, terms, current_id)
}

/// [`choose`], from candidates that were gathered for this change: several budgets need them once.
///
/// # Errors
/// As [`choose`].
pub fn choose_among<D: AsRef<[u8]>>(
    mut candidates: Candidates,
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
    terms: &Terms,
    current_id: &mut CurrentId<'_>,
) -> Result<Choice, ChoiceError> {
    // Nearness alone does not stand in for evidence: an unknown change, or none, stays what it is.
    let nearest = match terms.options.fill && candidates.instance.cheapest_useful_cost_us().is_some() {
        true => candidate::nearest(index, change, relevance)?,
        false => Vec::new(),
    };
    if !nearest.is_empty() {
        candidates = candidates.and(&nearest)?;
    }
    if terms.per_file_us > 0 {
        candidates = candidates.charge_files(index, terms.per_file_us)?;
    }
    let mut presence = Presence { index, current_id, gone: HashSet::new() };
    let mut rounds = 0..ROUNDS_OF_CHOSEN;
    loop {
        let options = Options { last: candidates.positions(&nearest), ..terms.options.clone() };
        let (selection, target) = select(&candidates.instance, &options, terms.aim)?;
        let picked: Vec<TestId> =
            selection.picks.iter().map(|pick| candidates.tests[pick.candidate as usize]).collect();
        let named = presence.still_there(&picked)?;
        if named.len() == picked.len() {
            return Ok(Choice { candidates, selection, target, named, dropped: presence.gone.len() });
        }
        if rounds.next().is_none() {
            presence.still_there(&candidates.tests)?;
        }
        candidates = candidates.without(&presence.gone)?;
    }
}

fn select(instance: &Instance, options: &Options, aim: Aim) -> Result<(Selection, Option<Target>), ExactError> {
    Ok(match aim {
        Aim::Most => (optimize::select(instance, options), None),
        Aim::Best => (optimize::select_exact(instance, options)?, None),
        Aim::Enough(share) => {
            let cover = optimize::cover(instance, options, share);
            let target = Target { verdict: cover.verdict, cost_at_least_us: cover.cost_at_least_us };
            (cover.selection, Some(target))
        }
    })
}

/// Which tests the tree still has.
struct Presence<'a, 'b, D> {
    index: &'a Index<D>,
    current_id: &'a mut CurrentId<'b>,
    /// Tests that it was asked for and no longer has.
    gone: HashSet<TestId>,
}

impl<D: AsRef<[u8]>> Presence<'_, '_, D> {
    /// The ids of the tests that the tree still has, as it has them; the others join the gone.
    fn still_there(&mut self, tests: &[TestId]) -> Result<Vec<String>, ModelError> {
        let mut there = Vec::with_capacity(tests.len());
        for &test in tests {
            match (self.current_id)(&self.index.test_name(test)?)? {
                Some(id) => there.push(id),
                None => {
                    self.gone.insert(test);
                }
            }
        }
        Ok(there)
    }
}
