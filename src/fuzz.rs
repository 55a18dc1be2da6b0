//! Bodies of the fuzz targets. `fuzz/` runs them on generated input, a stable test replays them over the seed corpora.
//!
//! A body returns on any input, and panics when an invariant of the room it calls does not hold.

mod ingest;
mod model;
mod replay;
mod sample;
#[cfg(feature = "source")]
mod source;

#[cfg(feature = "sqlite")]
pub use ingest::coverage_db;
pub use ingest::{conceptual, coverage_json, ctags, durations, ingest, json_lines, junit, lcov};
pub use model::{model, select_flipped};
pub use replay::past_runs;
pub use sample::{SAMPLE_DIFF, sample};
#[cfg(feature = "source")]
pub use source::source;

use crate::diff;

/// What parses prints and parses back to the same value; a hunk's counts are those of its lines.
///
/// # Panics
///
/// When that does not hold.
pub fn diff(data: &[u8]) {
    let plain = diff::decolor(data);
    let Ok(read) = diff::parse(&plain) else { return };
    for file in &read.files {
        assert!(file.old_path.is_some() || file.new_path.is_some(), "a file has a path");
        file.hunks.iter().for_each(check_counts);
    }
    assert!(read.hint.is_none() || read.files.is_empty(), "a hint stands for files");
    let mut printed = Vec::new();
    read.write(&mut printed);
    match diff::parse(&printed) {
        Ok(again) => assert_eq!(read, again, "printed:\n{}", printed.escape_ascii()),
        Err(error) => panic!("{error}\nprinted:\n{}", printed.escape_ascii()),
    }
}

fn check_counts(hunk: &diff::Hunk<'_>) {
    let count = |kind| hunk.lines().filter(|line| line.kind == kind).count() as u64;
    let (added, removed) = (count(diff::LineKind::Added), count(diff::LineKind::Removed));
    let context = count(diff::LineKind::Context);
    assert_eq!((u64::from(hunk.added), u64::from(hunk.removed)), (added, removed));
    assert_eq!((u64::from(hunk.old.lines), u64::from(hunk.new.lines)), (context + removed, context + added));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small damage to a small model, as the fuzzer would start with it.
    #[test]
    fn the_model_bodies_hold_on_damaged_samples() {
        let good = crate::build::build(&sample(), None, |_| None);
        model(&good);
        for at in (0..good.len()).step_by(61) {
            let mut bytes = good.to_vec();
            bytes[at] ^= 0x81;
            model(&bytes);
            let at = (at as u32).to_le_bytes();
            select_flipped(&[&at[..], &[0x81], &at[..], &[0x18]].concat());
        }
        model(b"");
        select_flipped(b"");
    }
}
