//! Shards that the fuzzer wrote: joined, they are an error, or one model in any order.

use std::io::Cursor;
use std::sync::OnceLock;

use rkyv::util::AlignedVec;

use super::sample::{sample, sample_content, shard};
use crate::build::{Merged, build};
use crate::model::Index;
use crate::model::seal::seal;
use crate::observation::Observations;

/// Bytes of the shards that change at most: more of them leave little to join.
const FLIPS_MOST: usize = 32;

/// Damages two shards behind right checksums, and joins them. Each four bytes: where in them, one after the other, and what
/// to flip there.
///
/// # Panics
/// When the order makes a difference, or what was joined is no sound model.
pub fn merge(data: &[u8]) {
    static GOOD: OnceLock<[AlignedVec<64>; 2]> = OnceLock::new();
    let good = GOOD.get_or_init(|| [sample(), shard()].map(|seen| build(&seen, Some("c0ffee"), sample_content)));
    let mut models = good.clone();
    for &[low, middle, high, flip] in data.as_chunks::<4>().0.iter().take(FLIPS_MOST) {
        let at = u32::from_le_bytes([low, middle, high, 0]) as usize % (good[0].len() + good[1].len());
        match at.checked_sub(good[0].len()) {
            None => models[0][at] ^= flip,
            Some(at) => models[1][at] ^= flip,
        }
    }
    models.iter_mut().for_each(|model| seal(model));
    let [Ok(one), Ok(other)] = models.each_ref().map(|model| Index::open(&model[..])) else { return };
    let joined = joined([&one, &other]);
    assert!(joined == self::joined([&other, &one]), "the order makes a difference");
    if let Some(joined) = joined {
        let mut bytes: AlignedVec<64> = AlignedVec::with_capacity(joined.len());
        bytes.extend_from_slice(&joined);
        let index = Index::open(&bytes[..]).expect("what was joined opens");
        index.verify(|_, _| ()).expect("what was joined is sound");
    }
}

/// The models as one, or `None` where they are none.
fn joined(models: [&Index<&[u8]>; 2]) -> Option<Vec<u8>> {
    let merged = Merged::join(&models, None, Observations::default(), |_, _, _| ()).ok()?;
    let mut file = Cursor::new(Vec::new());
    merged.write(|_, _, _| (), &mut file).ok()?;
    Some(file.into_inner())
}
