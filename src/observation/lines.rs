//! Sets of lines.

use rkyv::{Archive, Deserialize, Serialize};

use crate::model::bytes::{Cursor, put_varint};

/// An inclusive range of 1-based line numbers, `first <= last`.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LineRange {
    /// The first line, at least 1.
    pub first: u32,
    /// The last line, inclusive.
    pub last: u32,
}

impl LineRange {
    /// The range that holds one line.
    pub fn single(line: u32) -> Self {
        Self { first: line, last: line }
    }
}

/// A set of lines as sorted, disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineSet {
    ranges: Vec<LineRange>,
}

impl LineSet {
    /// The ranges, sorted, disjoint and non-adjacent.
    pub fn ranges(&self) -> &[LineRange] {
        &self.ranges
    }

    /// Whether no line is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The number of lines in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| u64::from(r.last - r.first) + 1).sum()
    }

    /// Whether `line` is in the set. O(log ranges).
    pub fn contains(&self, line: u32) -> bool {
        let after = self.ranges.partition_point(|r| r.first <= line);
        after > 0 && self.ranges[after - 1].last >= line
    }

    /// Adds a range. Appending in ascending order is O(1); anything else is O(ranges).
    pub fn insert(&mut self, range: LineRange) {
        debug_assert!(range.first >= 1 && range.first <= range.last);
        match self.ranges.last_mut() {
            Some(last) if range.first > last.last.saturating_add(1) => self.ranges.push(range),
            Some(last) if range.first >= last.first => last.last = last.last.max(range.last),
            None => self.ranges.push(range),
            Some(_) => {
                let from = self.ranges.partition_point(|r| r.last.saturating_add(1) < range.first);
                let to = self.ranges.partition_point(|r| r.first <= range.last.saturating_add(1));
                let mut joined = range;
                if from < to {
                    joined.first = joined.first.min(self.ranges[from].first);
                    joined.last = joined.last.max(self.ranges[to - 1].last);
                }
                self.ranges.splice(from..to, [joined]);
            }
        }
    }

    /// Appends the set: of each range the distance to the end of the one before it, and its length - 1, as varints.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let mut before = 0;
        for range in &self.ranges {
            put_varint(out, (range.first - before).into());
            put_varint(out, (range.last - range.first).into());
            before = range.last;
        }
    }

    /// Adds every line of `other`. O(ranges of both), and O(ranges of `other`) where they lie after this set's.
    pub fn union(&mut self, other: &LineSet) {
        let Some(&first) = other.ranges.first() else { return };
        if self.ranges.last().is_none_or(|last| last.first <= first.first) {
            other.ranges.iter().for_each(|&range| self.insert(range));
            return;
        }
        let mine = std::mem::take(&mut self.ranges);
        self.ranges.reserve(mine.len() + other.ranges.len());
        let (mut left, mut right) = (mine.iter().peekable(), other.ranges.iter().peekable());
        while let Some(next) = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a.first <= b.first => left.next(),
            (_, Some(_)) => right.next(),
            (_, None) => left.next(),
        } {
            self.insert(*next);
        }
    }
}

/// So many ranges as [`LineSet::put`] wrote them, ascending; ends early where the bytes do.
pub(crate) struct LineRanges<'c, 'b> {
    cursor: &'c mut Cursor<'b>,
    left: usize,
    before: u32,
}

impl<'c, 'b> LineRanges<'c, 'b> {
    pub(super) fn new(cursor: &'c mut Cursor<'b>, left: usize) -> Self {
        Self { cursor, left, before: 0 }
    }
}

impl Iterator for LineRanges<'_, '_> {
    type Item = LineRange;

    fn next(&mut self) -> Option<LineRange> {
        self.left = self.left.checked_sub(1)?;
        let first = self.before.checked_add(self.cursor.varint_u32()?)?;
        self.before = first.checked_add(self.cursor.varint_u32()?)?;
        Some(LineRange { first, last: self.before })
    }
}

impl FromIterator<LineRange> for LineSet {
    /// Ranges in any order, overlapping or not. O(n) when they ascend, else O(n log n).
    fn from_iter<I: IntoIterator<Item = LineRange>>(ranges: I) -> Self {
        let mut ranges: Vec<LineRange> = ranges.into_iter().collect();
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_in_any_order() {
        let want = [LineRange { first: 1, last: 4 }, LineRange { first: 6, last: 9 }];
        let parts = [(1, 2), (3, 4), (6, 7), (8, 9), (7, 8)].map(|(first, last)| LineRange { first, last });
        for rotation in 0..parts.len() {
            let mut parts = parts;
            parts.rotate_left(rotation);
            let set: LineSet = parts.into_iter().collect();
            assert_eq!(set.ranges(), want, "rotated by {rotation}");
            assert_eq!(set.len(), 8);
            assert!(set.contains(4) && !set.contains(5) && set.contains(9) && !set.contains(10));
        }
    }
}
