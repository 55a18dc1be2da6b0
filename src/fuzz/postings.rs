//! Posting lists: a bitmap is what the `roaring` crate reads of the same bytes, and what is written comes back.

use roaring::RoaringBitmap;

use crate::id::TestId;
use crate::model::postings::{ListAt, Posting, PostingList, encode};

/// Tests of the model: bitmaps have up to four containers, from where on they hold offsets in any case.
const TESTS: u32 = 1 << 18;

/// Any bytes as a list, and as a recipe of one: each six bytes a gap, a number of tests, the step between them and a signal.
///
/// # Panics
/// When a list is not what the crate reads, or does not come back.
pub fn postings(data: &[u8]) {
    if let Ok(list) = PostingList::read(ListAt::Inline(data), &[], TESTS) {
        let read = list.to_vec();
        if let Ok(read) = &read {
            assert!(read.is_sorted_by(|a, b| a.test < b.test), "tests ascend");
            assert!(read.iter().all(|posting| posting.test.0 < TESTS && posting.signal > 0));
        }
        compare(&list, read.ok().as_deref());
    }
    let wanted = wanted(data);
    let written = encode(&wanted);
    let list = PostingList::read(ListAt::Inline(&written), &[], TESTS).expect("what was written is a list");
    let read = list.to_vec().expect("what was written is whole");
    assert!(read == wanted, "a list does not come back");
    compare(&list, Some(&read));
}

/// What we read the crate reads. What it reads and we refuse is not as it would write it: it believes no number of the
/// ids of a container of runs, where we hold it against the runs.
fn compare(list: &PostingList<'_>, read: Option<&[Posting]>) {
    let Some(bytes) = list.bitmap() else { return };
    let mut rest = bytes;
    let theirs = RoaringBitmap::deserialize_from(&mut rest).ok().filter(|_| rest.is_empty());
    let theirs = theirs.filter(|ids| ids.len() == u64::from(list.count()) && ids.max() < Some(TESTS));
    match (read, theirs) {
        (Some(read), theirs) => {
            let theirs = theirs.expect("what we read the crate reads");
            assert!(read.iter().map(|posting| posting.test.0).eq(theirs), "ids are those of the crate");
        }
        (None, Some(theirs)) => {
            let mut again = Vec::with_capacity(bytes.len());
            theirs.serialize_into(&mut again).expect("writing to memory does not fail");
            assert!(again != bytes, "what the crate writes we read");
        }
        (None, None) => {}
    }
}

fn wanted(recipe: &[u8]) -> Vec<Posting> {
    let mut postings = Vec::new();
    let mut next = 0;
    for &[gap_low, gap_high, low, high, step, signal] in recipe.as_chunks::<6>().0 {
        next += u32::from(u16::from_le_bytes([gap_low, gap_high]));
        for at in 0..u16::from_le_bytes([low, high]) {
            if next >= TESTS {
                return postings;
            }
            // Below 128 the signals differ.
            let signal = if signal < 128 { signal.wrapping_add(at.to_le_bytes()[0] / 16) } else { signal };
            postings.push(Posting { test: TestId(next), signal: signal.max(1) });
            next += 1 + u32::from(step % 8);
        }
    }
    postings
}
