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
    /// An open hash table, of a power of two slots: a half of a profile's hash, and in the lower half its number + 1; 0 where
    /// no profile is.
    slots: Vec<u64>,
}

impl Profiles {
    /// None yet, of at most so many.
    pub(super) fn with_capacity(most: usize) -> Self {
        // What is not touched of it costs nothing.
        let mut starts = Vec::with_capacity(most + 1);
        starts.push(0);
        Self { starts, entries: Vec::with_capacity(most), slots: vec![0; (most / 2).next_power_of_two().max(64)] }
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
            if slot == 0 {
                return self.add(entries, at & mask, tag);
            }
            if slot >> 32 == tag >> 32 {
                let profile = usize::try_from(slot - tag).map_or(0, |next| next - 1);
                if self.entries(profile) == entries {
                    return profile;
                }
            }
            at += 1;
        }
    }

    fn add(&mut self, entries: &[Entry], at: usize, tag: u64) -> usize {
        let profile = self.len();
        self.entries.extend_from_slice(entries);
        self.starts.push(position(self.entries.len()));
        self.slots[at] = tag | (profile as u64 + 1);
        if self.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        profile
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0; mask + 1];
        for profile in 0..self.len() {
            let (mut at, tag) = hash_of(self.entries(profile));
            while slots[at & mask] != 0 {
                at += 1;
            }
            slots[at & mask] = tag | (profile as u64 + 1);
        }
        self.slots = slots;
    }
}

/// Multiplied and folded, one entry after the other: where to begin to look, and the other half in its place in a slot. Well
/// spread is enough, for entries are compared.
#[inline]
fn hash_of(entries: &[Entry]) -> (usize, u64) {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, entry: &Entry| (hash.rotate_left(23) ^ u64::from(entry.bits())).wrapping_mul(ODD);
    let hash = entries.iter().fold(entries.len() as u64, step);
    let hash = (hash ^ hash >> 32).wrapping_mul(ODD);
    ((hash >> 32) as usize, hash << 32)
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
            let mut profiles = Profiles::with_capacity(8);
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
