//! References of a few bytes, for records and buckets: lists that belong together lie one after the other.
//!
//! ```text
//! reference  length * 4 + where, varint: 0 the list follows; 1 it lies where the one before of this kind ended, checksum u32
//!            follows; 2 elsewhere, its offset as varint and checksum u32 follow
//! ```
//!
//! Where the first list of kind 1 lies stands before the references.

use super::super::bytes::{Cursor, put_varint};
use super::{ListAt, Place};

const FOLLOWS: u64 = 0;
const NEXT: u64 = 1;
const ELSEWHERE: u64 = 2;
/// Bytes of a checksum, which ends a reference.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// Where the lists begin that were placed one after the other, for these references alone: the last of them ends last.
pub(crate) fn own_offset<'a>(lists: impl DoubleEndedIterator<Item = ListAt<'a>> + Clone) -> u64 {
    let end = lists.clone().filter_map(ListAt::place).map(Place::end).max().unwrap_or(0);
    lists.rev().filter_map(ListAt::place).fold(end, |own, place| if place.end() == own { place.offset } else { own })
}

/// Appends a reference; `own` is where the list before ended.
pub(crate) fn put(out: &mut Vec<u8>, list: ListAt<'_>, own: &mut u64) {
    match list {
        ListAt::Inline(list) => {
            put_varint(out, (list.len() as u64) << 2 | FOLLOWS);
            out.extend_from_slice(list);
        }
        ListAt::Placed(place) => {
            let length = u64::from(place.length) << 2;
            if place.offset == *own {
                put_varint(out, length | NEXT);
                *own = place.end();
            } else {
                put_varint(out, length | ELSEWHERE);
                put_varint(out, place.offset);
            }
            out.extend_from_slice(&place.checksum.to_le_bytes());
        }
    }
}

/// Reads what [`put`] has appended.
#[inline]
pub(crate) fn read<'a>(cursor: &mut Cursor<'a>, own: &mut u64) -> Option<ListAt<'a>> {
    let head = cursor.varint()?;
    let length = u32::try_from(head >> 2).ok()?;
    let offset = match head & 3 {
        FOLLOWS => return Some(ListAt::Inline(cursor.take(length as usize)?)),
        NEXT => std::mem::replace(own, own.checked_add(length.into())?),
        ELSEWHERE => cursor.varint()?,
        _ => return None,
    };
    let checksum = u32::from_le_bytes(*cursor.take(CHECKSUM_BYTES)?.first_chunk()?);
    Some(ListAt::Placed(Place { offset, length, checksum }))
}
