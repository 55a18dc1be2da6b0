//! The tests nearest to a change, for what is left of a budget.

use std::collections::HashSet;

use super::views::{Views, lines_run};
use crate::change::{Change, Source};
use crate::id::TestId;
use crate::model::{Index, ModelError};
use crate::optimize::COST_FLOOR_US;
use crate::relevance::Relevance;

/// How much nearer a test is that runs a line of a changed function, and one that runs a line of a changed file.
const NEAR: [f64; 2] = [8.0, 3.0];

/// What is taken from a test's cost when nearness is weighed against it: measured, less than all of it.
const COST_EXPONENT: f64 = 0.7;

/// All tests, the nearest to the change first: by what they run of its functions and files, by words and names, against
/// their cost. O(tests log tests): for filling a budget, never for a plain selection.
///
/// # Errors
/// If a part of the model that is read is damaged.
pub fn nearest<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    relevance: &Relevance,
) -> Result<Vec<(TestId, u64)>, ModelError> {
    let mut views = Views { index, last: None };
    let mut near: [HashSet<TestId>; 2] = Default::default();
    for symbol in &change.symbols {
        near[0].extend(lines_run(views.file(symbol.file)?, symbol.lines)?.0.into_keys());
    }
    for region in &change.regions {
        if let Source::Block(file, _) | Source::Symbol(file, _) | Source::File(file) | Source::Defines(file) =
            region.source
        {
            views.file(file)?.touching()?.for_each(|posting| {
                near[1].insert(posting.test);
            })?;
        }
    }
    let mut tests = Vec::new();
    let mut relevance = relevance.ascending(index)?;
    for test in (0..index.root().tests).map(TestId) {
        let nearness = near.iter().zip(NEAR).find(|(tests, _)| tests.contains(&test)).map_or(1.0, |(_, near)| near);
        let cost_us = index.cost_us(test)?;
        let cost = libm::pow(cost_us.max(COST_FLOOR_US) as f64, COST_EXPONENT);
        let worth = nearness * index.root().calibration.factor(&relevance.evidence(test)?.unwrap_or_default()) / cost;
        tests.push((worth, test, cost_us));
    }
    tests.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(tests.into_iter().map(|(_, test, cost_us)| (test, cost_us)).collect())
}
