//! Which of the lists of a question a test is on: its *profile*.
//!
//! A change that everything depends on reaches a million tests and has some hundred thousand profiles, and whatever follows
//! from the lists alone is computed once for each.

use crate::model::Entry;

/// Distinct profiles, numbered as they come.
pub(super) struct Profiles {
    /// `entries[starts[profile]..starts[profile + 1]]`, ascending.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// An open hash table, of a power of two slots.
    slots: Vec<Slot>,
}

/// A half of a profile's hash, and its number + 1; 0 where no profile is.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    tag: u32,
    next: u32,
}

impl Profiles {
    pub(super) fn new() -> Self {
        Self { starts: vec![0], entries: Vec::new(), slots: vec![Slot::default(); 64] }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The entries of a profile, ascending.
    #[inline]
    pub(super) fn entries(&self, profile: usize) -> &[Entry] {
        &self.entries[self.starts[profile] as usize..self.starts[profile + 1] as usize]
    }

    /// The number of the profile with these entries.
    #[inline]
    pub(super) fn number(&mut self, entries: &[Entry]) -> usize {
        let (mut at, tag) = hash_of(entries);
        let mask = self.slots.len() - 1;
        loop {
            let slot = self.slots[at & mask];
            let Some(profile) = (slot.next as usize).checked_sub(1) else {
                return self.add(entries, at & mask, tag);
            };
            if slot.tag == tag && self.entries(profile) == entries {
                return profile;
            }
            at += 1;
        }
    }

    fn add(&mut self, entries: &[Entry], at: usize, tag: u32) -> usize {
        let profile = self.len();
        self.entries.extend_from_slice(entries);
        self.starts.push(position(self.entries.len()));
        self.slots[at] = Slot { tag, next: position(profile + 1) };
        if self.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        profile
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![Slot::default(); mask + 1];
        for profile in 0..self.len() {
            let (mut at, tag) = hash_of(self.entries(profile));
            while slots[at & mask].next != 0 {
                at += 1;
            }
            slots[at & mask] = Slot { tag, next: position(profile + 1) };
        }
        self.slots = slots;
    }
}

/// Multiplied and folded, one entry after the other, as two halves: well spread is enough, for entries are compared.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
fn hash_of(entries: &[Entry]) -> (usize, u32) {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, entry: &Entry| (hash.rotate_left(23) ^ u64::from(entry.bits())).wrapping_mul(ODD);
    let hash = entries.iter().fold(entries.len() as u64, step);
    let hash = (hash ^ hash >> 32).wrapping_mul(ODD);
    ((hash >> 32) as usize, hash as u32)
}

/// A count of signals, which are fewer than 2^32.
pub(super) fn position(count: usize) -> u32 {
    u32::try_from(count).expect("postings are counted against a limit far below")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equal_profiles_have_one_number(sets in prop::collection::vec(prop::collection::vec(0u32..12, 0..4), 0..500)) {
            let mut profiles = Profiles::new();
            let mut want: Vec<Vec<Entry>> = Vec::new();
            for set in sets {
                let entries: Vec<Entry> = set.into_iter().map(|list| Entry::new(list, 0)).collect();
                let number = want.iter().position(|known| *known == entries).unwrap_or(want.len());
                if number == want.len() {
                    want.push(entries.clone());
                }
                prop_assert_eq!(profiles.number(&entries), number);
                prop_assert_eq!(profiles.entries(number), &entries[..]);
            }
            prop_assert_eq!(profiles.len(), want.len());
        }
    }
}
