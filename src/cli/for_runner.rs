//! Tests for one runner: those of others, which one model may hold too, are left out.

use std::collections::BTreeSet;

use super::model_source::Model;
use crate::error::Error;
use crate::id::TestId;
use crate::model::ModelError;
use crate::output::{Runner, counted};

/// The runner that an answer is for, and what was left out because of it.
#[derive(Debug)]
pub(super) struct ForRunner {
    runner: Option<Runner>,
    left_out: BTreeSet<String>,
}

impl ForRunner {
    /// An answer for a runner; without one it takes every id.
    pub(super) fn new(runner: Option<Runner>) -> Self {
        Self { runner, left_out: BTreeSet::new() }
    }

    /// Whether the runner takes a test; what it does not take is counted.
    pub(super) fn takes(&mut self, id: &str) -> bool {
        let is_taken = self.runner.is_none_or(|runner| runner.takes(id));
        if !is_taken {
            self.left_out.insert(id.to_owned());
        }
        is_taken
    }

    /// How many tests were left out.
    pub(super) fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// What to tell about it.
    pub(super) fn line(&self) -> Option<String> {
        let runner = self.runner.filter(|_| !self.left_out.is_empty())?;
        Some(format!("{} left out that {} does not run", counted(self.left_out.len(), "test"), runner.name()))
    }

    /// Refuses an answer in which nothing is left, where the model has no test of the runner at all: the format is wrong, and
    /// an empty answer would pass for a tested change.
    pub(super) fn check(&self, model: &Model, is_empty: bool) -> Result<(), Error> {
        let (Some(runner), Some(first), true) = (self.runner, self.left_out.first(), is_empty) else { return Ok(()) };
        let takes = |test| Ok(runner.takes(&model.index.test_name(TestId(test))?));
        let tests = 0..model.index.root().tests;
        let found = tests.map(takes).find(|taken: &Result<bool, ModelError>| !matches!(taken, Ok(false)));
        match found {
            None => Err(runner.refusal(first).into()),
            Some(taken) => taken.map(drop).map_err(|error| model.error(error)),
        }
    }
}
