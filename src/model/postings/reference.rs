//! Where a list is: in the reference itself where it is short, else in a section of lists, with its checksum.

use bytemuck::{Pod, Zeroable};

use super::super::bytes::checksum;
use super::super::error::ModelError;
use super::damaged;

/// Top bit of a reference's length: the list is the reference's other twelve bytes.
pub(crate) const INLINE: u32 = 1 << 31;
/// Bytes of a list that fit its reference.
pub(crate) const INLINE_BYTES: usize = 12;

/// A list as whatever refers to it says: the bytes themselves, or their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListAt<'a> {
    /// The list itself, vouched for by the checksum of what holds it.
    Inline(&'a [u8]),
    /// Its place in a section of lists.
    Placed(Place),
}

/// A list as its builder has it: the bytes themselves, or their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// To stand in what refers to it.
    Inline(Vec<u8>),
    /// In a section of lists.
    Placed(Place),
}

impl Stored {
    /// Where a reader will find it.
    pub(crate) fn at(&self) -> ListAt<'_> {
        match self {
            Stored::Inline(list) => ListAt::Inline(list),
            Stored::Placed(place) => ListAt::Placed(*place),
        }
    }
}

/// Offset, length and checksum of a list in a section of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) checksum: u32,
}

impl Default for ListAt<'_> {
    fn default() -> Self {
        ListAt::Inline(&[])
    }
}

impl Place {
    /// The place of a list that `place` puts into a section of lists, and tells where.
    ///
    /// # Panics
    /// With a list of 4 GiB or more: a list of fewer than 2^30 tests is shorter than 2 GiB.
    pub(crate) fn new(list: &[u8], place: impl FnOnce(&[u8]) -> u64) -> Self {
        let length = u32::try_from(list.len()).expect("a list of fewer than 2^30 tests is shorter than 2 GiB");
        Self { offset: place(list), length, checksum: checksum(list, 0) }
    }

    /// Where in the section the list ends.
    pub(crate) fn end(self) -> u64 {
        self.offset.saturating_add(self.length.into())
    }
}

impl<'a> ListAt<'a> {
    /// The place of a list that is not inline.
    pub(crate) fn place(self) -> Option<Place> {
        match self {
            ListAt::Inline(_) => None,
            ListAt::Placed(place) => Some(place),
        }
    }

    /// The bytes of the list, checked where they lie in `section`.
    pub(super) fn bytes(self, section: &'a [u8]) -> Result<&'a [u8], ModelError> {
        let place = match self {
            ListAt::Inline(bytes) => return Ok(bytes),
            ListAt::Placed(place) => place,
        };
        let list = usize::try_from(place.offset)
            .ok()
            .and_then(|offset| section.get(offset..))
            .and_then(|rest| rest.get(..place.length as usize))
            .ok_or_else(|| damaged("a list lies outside it"))?;
        if checksum(list, 0) != place.checksum {
            return Err(damaged("the checksum of a list does not match"));
        }
        Ok(list)
    }
}

/// A reference of one size. What holds it is checked by its own checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RawListRef {
    /// Length in bytes, little-endian; with the top bit, the list itself is in `place`.
    length: [u8; 4],
    /// Offset in the postings section (8 bytes) and checksum (4 bytes), or up to twelve bytes of list.
    place: [u8; INLINE_BYTES],
}

impl Default for RawListRef {
    /// The empty list.
    fn default() -> Self {
        Self::new(&[], |_| 0)
    }
}

impl RawListRef {
    /// A reference to an encoded list that is placed in the postings section by `place`, unless it fits in here.
    pub(crate) fn new(list: &[u8], place: impl FnOnce(&[u8]) -> u64) -> Self {
        let mut at = [0; INLINE_BYTES];
        if list.len() <= INLINE_BYTES {
            at[..list.len()].copy_from_slice(list);
            let length = INLINE | u32::try_from(list.len()).expect("at most twelve");
            return Self { length: length.to_le_bytes(), place: at };
        }
        let place = Place::new(list, place);
        assert!(place.length < INLINE, "a list of fewer than 2^30 tests is shorter than 2 GiB");
        at[..8].copy_from_slice(&place.offset.to_le_bytes());
        at[8..].copy_from_slice(&place.checksum.to_le_bytes());
        Self { length: place.length.to_le_bytes(), place: at }
    }

    /// Where the list is.
    pub(crate) fn at(&self) -> Result<ListAt<'_>, ModelError> {
        let length = u32::from_le_bytes(self.length);
        if length & INLINE != 0 {
            let list = self.place.get(..(length & !INLINE) as usize);
            return Ok(ListAt::Inline(
                list.ok_or_else(|| damaged("a list in its reference is longer than twelve bytes"))?,
            ));
        }
        let (offset, sum) = self.place.split_at(8);
        let offset = offset.first_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
        let checksum = sum.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Ok(ListAt::Placed(Place { offset, length, checksum }))
    }
}
