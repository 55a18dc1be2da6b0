//! A choice and all that leads to it, for `select` and the commands that answer for it.

use std::borrow::Cow;
use std::time::Duration;

use clap::Args;

use super::before::{BeforeArgs, RanBefore};
use super::cosmetic;
use super::for_runner::ForRunner;
use super::model_source::{FirstBuild, Model, Place, open_or_build};
use super::new_tests;
use super::tree::Tree;
use super::units::{self, Budget, budget};
use super::{DiffArgs, ModelArgs};
use crate::candidate::CandidateError;
use crate::change::{Change, Mapping};
use crate::choose::{self, Aim, Choice, ChoiceError, Terms};
use crate::clock::Clock;
use crate::diff::Diff;
use crate::error::Error;
use crate::margin::Margin;
use crate::model::{Index, ModelError, Root};
use crate::optimize::{self, Options};
use crate::output::Runner;
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
    #[command(flatten)]
    clock: ClockArgs,
    /// Match paths exactly, never by their ends
    #[arg(long)]
    strict_paths: bool,
}

impl TermsArgs {
    /// The clock by which a model's tests are charged.
    pub(super) fn clock(&self, model: &Model) -> Result<Clock, Error> {
        self.clock.clock(model)
    }

    /// The terms but for the budget, by what is known of the clock.
    pub(super) fn terms(&self, clock: &Clock, aim: Aim) -> Terms {
        let options = Options {
            startup_us: clock.startup_us.unwrap_or(0),
            candidates: self.candidates,
            fill: self.fill,
            workers: self.workers,
            ..Options::default()
        };
        let (per_file_us, per_test_us) = (clock.per_file_us.unwrap_or(0), clock.per_test_us.unwrap_or(0));
        Terms { options, per_file_us, per_test_us, aim, ..Terms::default() }
    }

    /// How the diff is read.
    pub(super) fn mapping(&self) -> Mapping {
        Mapping { strict_paths: self.strict_paths, whole_test_files: false }
    }
}

/// What a session costs beside its tests. What is not given is as the model has learned it, and 0 where it has not.
#[derive(Debug, Args)]
struct ClockArgs {
    /// What starting the runner costs in seconds, charged once [default: what the model knows, see `covopt measure`]
    #[arg(long, value_name = "SECONDS", value_parser = units::limit)]
    startup: Option<f64>,
    /// What opening a file of tests costs in seconds (import, collection, fixtures), charged once a file [default: likewise]
    #[arg(long, value_name = "SECONDS", value_parser = units::limit)]
    per_file: Option<f64>,
    /// What the runner spends on a test beside what it reports of it, in seconds [default: likewise]
    #[arg(long, value_name = "SECONDS", value_parser = units::limit)]
    per_test: Option<f64>,
}

impl ClockArgs {
    /// The clock that the model has learned, or what was given in its place.
    fn clock(&self, model: &Model) -> Result<Clock, Error> {
        let sessions = model.index.sessions().map_err(|error| model.error(error))?;
        let [startup_us, per_file_us, per_test_us] =
            [self.startup, self.per_file, self.per_test].map(|given| given.map(units::microseconds_of));
        Ok(Clock::learn(&sessions).set(startup_us, per_file_us, per_test_us))
    }
}

/// What the whole suite takes in microseconds, as far as is known without counting its files.
pub(super) fn suite_us(root: &Root, clock: &Clock) -> u64 {
    let overhead_us = clock.per_test_us.unwrap_or(0).saturating_mul(root.tests.into());
    root.total_cost_us.saturating_add(overhead_us).saturating_add(clock.startup_us.unwrap_or(0))
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
    /// Keep the budget with this probability, 0.5 to below 1, by how known runs vary
    #[arg(long, value_name = "P", value_parser = units::certainty, requires = "budget", conflicts_with = "confidence")]
    within: Option<f64>,
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
    /// Take comments, docstrings and formatting for changes like others
    #[arg(long)]
    no_cosmetic_filter: bool,
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
    /// What a session costs beside its tests.
    pub(super) clock: Clock,
    pub(super) terms: Terms,
    /// What ran before.
    pub(super) ran: RanBefore,
    /// The tree, where there is one to ask.
    pub(super) tree: Option<Tree>,
    pub(super) choice: Choice,
    /// The runner that it is for.
    pub(super) for_runner: ForRunner,
    /// How many of the chosen tests have a cost that no input states.
    pub(super) costs_guessed: usize,
}

impl ChoiceArgs {
    /// The budget in microseconds, if there is one, for a suite of this cost.
    pub(super) fn budget_us(&self, suite_us: u64) -> Option<u64> {
        self.budget.map(|budget| budget.microseconds(suite_us))
    }

    /// What may be spent on a suite of which the model says `root`, by what is known of the clock.
    fn terms(&self, root: &Root, clock: &Clock) -> Terms {
        let terms = self.terms.terms(clock, self.aim()).with_budget(self.budget_us(suite_us(root, clock)));
        let margin = self.within.map(|probability| Margin::new(probability, root.pace_spread_ppm));
        Terms { margin, ..terms }
    }

    fn aim(&self) -> Aim {
        match (self.confidence, self.strategy) {
            (Some(share), _) => Aim::Enough(optimize::fixed_share(share)),
            (None, Strategy::Exact) => Aim::Best,
            (None, Strategy::Greedy) => Aim::Most,
        }
    }

    /// Chooses tests for a change that the tree, if there is one to ask, still has, and what failed before unless
    /// `asks_before` is off. Where there is no model, a first one is built. Where the answer is for one runner, only its tests
    /// are chosen.
    pub(super) fn choose(
        &self,
        place: &Place,
        diff: &Diff<'_>,
        asks_before: bool,
        runner: Option<Runner>,
        quiet: bool,
    ) -> Result<Chosen, Error> {
        let first = FirstBuild { allowed: !self.no_build, limit: Duration::from_secs_f64(self.build_limit) };
        let model = open_or_build(place, first, diff, quiet)?;
        let failed = |error| model.error(error);
        let mut tree = match self.no_tree {
            true => None,
            false => Tree::of(place, &model.index, diff).map_err(failed)?,
        };
        let marked = match &tree {
            Some(tree) if !self.no_cosmetic_filter => cosmetic::marked(diff, tree.root()),
            _ => Cow::Borrowed(diff),
        };
        let change = Change::read(&model.index, &marked, self.terms.mapping()).map_err(failed)?;
        let clock = self.terms.clock(&model)?;
        let mut terms = self.terms(model.index.root(), &clock);
        let ran = match asks_before {
            true => self.before.read(place, &model, tree.as_mut(), quiet)?,
            false => RanBefore::default(),
        };
        let ran = match &tree {
            Some(tree) => ran.with_new(new_tests::find(tree.root(), &model, diff).map_err(failed)?),
            None => ran,
        };
        let mut for_runner = ForRunner::new(runner);
        let ran = ran.only(|id| for_runner.takes(id));
        terms.before = ran.before.clone();
        let relevance = Relevance::score(&model.index, &Query::of(&marked, &change)).map_err(failed)?;
        let unknown_left_out = for_runner.left_out();
        let mut current_id = |id: &str| match &mut tree {
            _ if !for_runner.takes(id) => Ok(None),
            Some(tree) => tree.current_id(&model.index, id),
            None => Ok(Some(id.to_owned())),
        };
        let chosen = choose::choose(&model.index, &change, &relevance, &terms, &mut current_id);
        let mut choice = chosen.map_err(|error| match error {
            ChoiceError::Candidates(CandidateError::Model(error)) => model.error(error),
            ChoiceError::Candidates(error) => Error::Candidates(error),
            ChoiceError::Exact(error) => Error::Exact(error),
        })?;
        // Those are in the tree, all the same.
        choice.dropped = choice.dropped.saturating_sub(for_runner.left_out() - unknown_left_out);
        for_runner.check(&model, choice.named.is_empty() && choice.unknown.is_empty())?;
        let costs_guessed = costs_guessed(&model.index, &choice).map_err(|error| model.error(error))?;
        Ok(Chosen { model, change, relevance, clock, terms, ran, tree, choice, for_runner, costs_guessed })
    }
}

/// How many of the chosen tests have a cost that no input states.
fn costs_guessed<D: AsRef<[u8]>>(index: &Index<D>, choice: &Choice) -> Result<usize, ModelError> {
    let mut guessed = choice.unknown.len();
    if index.root().tests_with_cost == index.root().tests {
        return Ok(guessed);
    }
    for test in choice.tests() {
        guessed += usize::from(index.test_record(test)?.runs.iter().all(|run| run.cost_us.is_none()));
    }
    Ok(guessed)
}
