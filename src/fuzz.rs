//! Bodies of the fuzz targets. `fuzz/` runs them on generated input, a stable test replays them over the seed corpora.
//!
//! A body returns on any input, and panics when an invariant of the room it calls does not hold.

mod ingest;
mod merge;
mod model;
mod postings;
mod replay;
mod sample;
#[cfg(feature = "source")]
mod source;

#[cfg(feature = "sqlite")]
pub use ingest::coverage_db;
pub use ingest::{conceptual, coverage_json, ctags, durations, ingest, json_lines, junit, lcov};
pub use merge::merge;
pub use model::{model, select_flipped};
pub use postings::postings;
pub use replay::past_runs;
pub use sample::{SAMPLE_DIFF, sample, sample_content, shard};
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
        let good = crate::build::build(&sample(), None, sample_content);
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

    #[test]
    fn damaged_shards_join_in_any_order_or_not_at_all() {
        merge(b"");
        for at in (0..40_000u32).step_by(311) {
            let at = at.to_le_bytes();
            merge(&[at[0], at[1], at[2], 0x81]);
        }
    }

    /// The crate's bitmaps as lists, of every kind of container, and each of their bytes changed.
    #[test]
    fn bitmaps_are_what_the_crate_reads() {
        let kinds = [(0u32..3, 5), (70_000..70_040, 1), (0..6, 40_000)];
        let mut bitmap: roaring::RoaringBitmap =
            kinds.into_iter().flat_map(|(ids, step)| ids.map(move |id| id * step)).collect();
        for optimized in [false, true] {
            if optimized {
                bitmap.optimize();
            }
            // Ids by bitmap, all signals 1, the number of ids after the tag.
            let mut list = vec![1, u8::try_from(bitmap.len()).unwrap()];
            bitmap.serialize_into(&mut list).unwrap();
            postings(&list);
            for (at, flip) in (0..list.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
                let mut list = list.clone();
                list[at] ^= flip;
                postings(&list);
            }
        }
        // Recipes of lists long enough to be bitmaps.
        for step in 0..8 {
            postings(&[7, 0, 0, 0x80, step, 0xff, 1, 1, 0xff, 0xff, 0, 9]);
        }
    }
}
