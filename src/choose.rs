//! The choice: candidates for the optimizer, what it picks, and what fills the rest of the budget, all of it still in the
//! tree.
//!
//! What the tree no longer has is dropped and its budget is spent again: only chosen tests are looked for, so that a small
//! selection looks at few files, until so many of them are gone that all candidates are.

use std::collections::HashSet;

use crate::candidate::{self, CandidateError, Candidates};
use crate::change::Change;
use crate::id::TestId;
use crate::model::{Index, ModelError};
use crate::optimize::{self, Options, Selection};
use crate::relevance::Relevance;

/// Rounds in which only chosen tests are looked for in the tree. Where that many found some gone, so much is gone that
/// the next looks for all candidates, and is the last but one.
const ROUNDS_OF_CHOSEN: usize = 4;

/// What may be spent, and on what.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Budget, start of the session, number of candidates, whether to fill.
    pub options: Options,
    /// What opening a file of tests costs in microseconds, charged once a file.
    pub per_file_us: u64,
}

/// The id of a test as the tree names it now, or `None` where the tree no longer has it.
pub type CurrentId<'a> = dyn FnMut(&str) -> Result<Option<String>, ModelError> + 'a;

/// What was chosen.
#[derive(Debug)]
pub struct Choice {
    /// The tests with a signal on the change.
    pub candidates: Candidates,
    /// The picks among them.
    pub selection: Selection,
    /// The ids of the picks, as the tree has them.
    pub named: Vec<String>,
    /// Tests that fill the budget without a signal, as the tree has them, with what each adds to the cost in microseconds.
    pub filled: Vec<(String, u64)>,
    /// How many chosen tests the tree no longer has.
    pub dropped: usize,
}

/// Chooses tests for a change.
///
/// # Errors
/// If a part of the model that the change touches is damaged, or the change is larger than the optimizer takes.
pub fn choose<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
    terms: &Terms,
    current_id: &mut CurrentId<'_>,
) -> Result<Choice, CandidateError> {
    let mut candidates = candidate::gather(index, change, relevance)?;
    if terms.per_file_us > 0 {
        candidates = candidates.charge_files(index, terms.per_file_us)?;
    }
    let mut presence = Presence { index, current_id, gone: HashSet::new() };
    let mut rounds = 0..ROUNDS_OF_CHOSEN;
    loop {
        let selection = optimize::select(&candidates.instance, &terms.options);
        let picked: Vec<TestId> =
            selection.picks.iter().map(|pick| candidates.tests[pick.candidate as usize]).collect();
        let named = presence.still_there(&picked)?;
        if named.len() == picked.len() {
            let left_us = terms.options.budget_us.unwrap_or(u64::MAX).saturating_sub(selection.cost_us());
            // Nearness alone does not stand in for evidence: an unknown change, or none, stays what it is.
            let filled = match terms.options.fill && candidates.instance.cheapest_useful_cost_us().is_some() {
                true => {
                    let taken: HashSet<TestId> = picked.iter().copied().collect();
                    let nearest = candidate::nearest(index, change, relevance, &taken)?;
                    fill(terms, &picked, nearest, left_us, &mut presence)?
                }
                false => Vec::new(),
            };
            return Ok(Choice { candidates, selection, named, filled, dropped: presence.gone.len() });
        }
        if rounds.next().is_none() {
            presence.still_there(&candidates.tests)?;
        }
        candidates = candidates.without(&presence.gone)?;
    }
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

    /// The file that a runner opens for a test.
    fn file_of(&self, test: TestId) -> Result<String, ModelError> {
        Ok(candidate::file_of_id(&self.index.test_name(test)?).to_owned())
    }
}

/// Spends what is left of the budget on the tests nearest to the change, in their order.
fn fill<D: AsRef<[u8]>>(
    terms: &Terms,
    picked: &[TestId],
    nearest: Vec<(TestId, u64)>,
    mut left_us: u64,
    presence: &mut Presence<'_, '_, D>,
) -> Result<Vec<(String, u64)>, ModelError> {
    let mut open: HashSet<String> = HashSet::new();
    if terms.per_file_us > 0 {
        for &test in picked {
            open.insert(presence.file_of(test)?);
        }
    }
    let mut filled: Vec<(String, u64)> = Vec::new();
    for (test, cost_us) in nearest {
        if cost_us > left_us || presence.gone.contains(&test) {
            continue;
        }
        let is_first = picked.is_empty() && filled.is_empty();
        let mut cost_us = cost_us.saturating_add(if is_first { terms.options.startup_us } else { 0 });
        let file = if terms.per_file_us == 0 { None } else { Some(presence.file_of(test)?) };
        if file.as_ref().is_some_and(|file| !open.contains(file)) {
            cost_us = cost_us.saturating_add(terms.per_file_us);
        }
        if cost_us > left_us {
            continue;
        }
        if let Some(id) = presence.still_there(&[test])?.pop() {
            left_us -= cost_us;
            open.extend(file);
            filled.push((id, cost_us));
        }
    }
    Ok(filled)
}
