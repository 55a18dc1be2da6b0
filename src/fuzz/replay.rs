//! Past runs: any bytes are runs or an error, and what is read can be replayed.

use std::sync::OnceLock;

use rkyv::util::AlignedVec;

use super::sample::sample;
use crate::build::build;
use crate::change::Mapping;
use crate::choose::Terms;
use crate::diff;
use crate::ingest::{self, PastChange, PastRun};
use crate::model::Index;
use crate::optimize::Options;
use crate::replay::{Question, Standing, replay};

/// Runs of one input that are replayed: more say nothing new, and each costs a selection.
const REPLAYED_MOST: usize = 4;

/// Past runs, the first of them replayed on the small model.
///
/// # Panics
/// When what was read breaks a rule that the parser states, or a run does not count as it should.
pub fn past_runs(data: &[u8]) {
    let Ok(runs) = ingest::past_runs("fuzz", data) else { return };
    assert!(!runs.is_empty() && runs.is_sorted_by(|a, b| a.line < b.line), "one run a line");
    for run in &runs {
        assert!(run.failed.is_sorted_by(|a, b| a < b), "failed ids ascend");
        if let Some(chosen) = &run.chosen {
            let shares = [chosen.utility, chosen.confidence, chosen.certificate];
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            assert!(chosen.budget_s >= 0.0 && chosen.cost_s >= 0.0);
        }
    }
    runs.iter().take(REPLAYED_MOST).for_each(replay_on_sample);
}

fn replay_on_sample(run: &PastRun<'_>) {
    static MODEL: OnceLock<AlignedVec<64>> = OnceLock::new();
    let PastChange::Patch(patch) = &run.change else { return };
    let Ok(diff) = diff::parse(patch.as_bytes()) else { return };
    let bytes = MODEL.get_or_init(|| build(&sample(), None, |_| None));
    let index = Index::open(&bytes[..]).expect("what was built opens");
    let terms = Terms { options: Options { fill: true, ..Options::default() }, ..Terms::default() };
    let question = Question { budgets_us: vec![0, 5_000, u64::MAX], terms, mapping: Mapping::default() };
    let Ok(replayed) = replay(&index, &diff, &run.failed, &question) else { return };
    assert_eq!(replayed.standing == Standing::NotFailing, run.failed.is_empty());
    assert_eq!(replayed.outcomes.len(), if replayed.standing == Standing::Failing { 3 } else { 0 });
    assert!(replayed.outcomes.iter().all(|outcome| outcome.cost_us <= outcome.budget_us), "the budget holds");
}
