//! A choice and all that leads to it, for `select` and the commands that answer for it.

use std::time::Duration;

use clap::Args;

use super::before::{BeforeArgs, RanBefore};
use super::model_source::{FirstBuild, Model, Place, open_or_build};
use super::tree::Tree;
use super::units::{self, Budget, budget};
use super::{DiffArgs, ModelArgs};
use crate::candidate::CandidateError;
use crate::change::{Change, Mapping};
use crate::choose::{self, Aim, Choice, ChoiceError, Terms};
use crate::diff::Diff;
use crate::error::Error;
use crate::optimize::{self, Options};
use crate::relevance::{Query, Relevance};

/// Flags of the choice.
#[derive(Debug, Args)]
pub(super) struct TermsArgs {
    /// How many workers share the tests: the budget is when the last of them is done
    #[arg(short = 'j', long, value_name = "N", default_value_t = 1, value_parser = units::at_least_one,
          allow_negative_numbers = true)]
    pub(super) workers: usize,
    /// Choose among the N best candidates after initial scoring
    #[arg(short = 'n', value_name = "N", value_parser = units::at_least_one, allow_negative_numbers = true)]
    candidates: Option<usize>,
    /// Spend what is left of the budget on further tests, the nearest to the change first
    #[arg(long)]
    fill: bool,
    /// What starting the runner costs in seconds, charged once
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = units::limit)]
    startup: f64,
    /// What opening a file of tests costs in seconds (import, collection, fixtures), charged once a file
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = units::limit)]
    per_file: f64,
    /// Match paths exactly, never by their ends
    #[arg(long)]
    strict_paths: bool,
}

impl TermsArgs {
    /// The terms but for the budget.
    pub(super) fn terms(&self, aim: Aim) -> Terms {
        let options = Options {
            startup_us: units::microseconds_of(self.startup),
            candidates: self.candidates,
            fill: self.fill,
            workers: self.workers,
            ..Options::default()
        };
        Terms { options, per_file_us: units::microseconds_of(self.per_file), aim, ..Terms::default() }
    }

    /// How the diff is read.
    pub(super) fn mapping(&self) -> Mapping {
        Mapping { strict_paths: self.strict_paths, whole_test_files: false }
    }
}

/// Flags of the commands that choose.
#[derive(Debug, Args)]
pub(super) struct ChoiceArgs {
    /// The budget: `10`, `1.5`, `90s`, `2m`, or `20%` of the suite
    #[arg(short = 't', long = "time", value_name = "SECONDS", value_parser = budget, allow_negative_numbers = true,
          required_unless_present = "confidence")]
    budget: Option<Budget>,
    /// Choose the cheapest tests that reach this confidence, 0 to 1: if the change broke something a test can see, the
    /// chance that one of these fails
    #[arg(long, value_name = "SHARE", value_parser = units::confidence, allow_negative_numbers = true,
          conflicts_with_all = ["fill", "strategy"])]
    pub(super) confidence: Option<f64>,
    /// How to choose: `greedy`, or `exact` for the best of all choices among few tests
    #[arg(long, value_enum, default_value_t = Strategy::Greedy)]
    pub(super) strategy: Strategy,
    #[command(flatten)]
    pub(super) terms: TermsArgs,
    #[command(flatten)]
    pub(super) before: BeforeArgs,
    #[command(flatten)]
    pub(super) diff: DiffArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// Do not look at the tree for tests that are gone: for a model used away from its tree
    #[arg(long)]
    no_tree: bool,
    /// Do not build a first model where there is none
    #[arg(long, env = "COVOPT_NO_BUILD", value_parser = clap::builder::FalseyValueParser::new())]
    no_build: bool,
    /// How many seconds building a first model may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = units::limit)]
    build_limit: f64,
}

/// How tests are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Strategy {
    Greedy,
    Exact,
}

impl Strategy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Exact => "exact",
        }
    }
}

/// A choice and all that led to it.
pub(super) struct Chosen {
    pub(super) model: Model,
    pub(super) change: Change,
    pub(super) relevance: Relevance,
    pub(super) terms: Terms,
    /// What ran before.
    pub(super) ran: RanBefore,
    /// The tree, where there is one to ask.
    pub(super) tree: Option<Tree>,
    pub(super) choice: Choice,
}

impl ChoiceArgs {
    /// The budget in microseconds, if there is one, for a suite of this cost.
    pub(super) fn budget_us(&self, suite_us: u64) -> Option<u64> {
        self.budget.map(|budget| budget.microseconds(suite_us))
    }

    fn aim(&self) -> Aim {
        match (self.confidence, self.strategy) {
            (Some(share), _) => Aim::Enough(optimize::fixed_share(share)),
            (None, Strategy::Exact) => Aim::Best,
            (None, Strategy::Greedy) => Aim::Most,
        }
    }

    /// Chooses tests for a change that the tree, if there is one to ask, still has, and what failed before unless
    /// `asks_before` is off. Where there is no model, a first one is built.
    pub(super) fn choose(
        &self,
        place: &Place,
        diff: &Diff<'_>,
        asks_before: bool,
        quiet: bool,
    ) -> Result<Chosen, Error> {
        let first = FirstBuild { allowed: !self.no_build, limit: Duration::from_secs_f64(self.build_limit) };
        let model = open_or_build(place, first, diff, quiet)?;
        let failed = |error| model.error(error);
        let change = Change::read(&model.index, diff, self.terms.mapping()).map_err(failed)?;
        let mut terms = self.terms.terms(self.aim()).with_budget(self.budget_us(model.index.root().total_cost_us));
        let mut tree = match self.no_tree {
            true => None,
            false => Tree::of(place, &model.index, diff).map_err(failed)?,
        };
        let ran = match asks_before {
            true => self.before.read(&place.root, &model, tree.as_mut(), quiet)?,
            false => RanBefore::default(),
        };
        terms.before = ran.before.clone();
        let relevance = Relevance::score(&model.index, &Query::of(diff, &change)).map_err(failed)?;
        let chosen = match &mut tree {
            Some(tree) => {
                let mut current_id = |id: &str| tree.current_id(&model.index, id);
                choose::choose(&model.index, &change, &relevance, &terms, &mut current_id)
            }
            None => choose::choose(&model.index, &change, &relevance, &terms, &mut |id| Ok(Some(id.to_owned()))),
        };
        let choice = chosen.map_err(|error| match error {
            ChoiceError::Candidates(CandidateError::Model(error)) => model.error(error),
            ChoiceError::Candidates(error) => Error::Candidates(error),
            ChoiceError::Exact(error) => Error::Usage(error.to_string()),
        })?;
        Ok(Chosen { model, change, relevance, terms, ran, tree, choice })
    }
}
