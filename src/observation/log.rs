//! Entries under keys, written in any order and read key by key: inputs speak test by test, and a model is laid out file
//! by file and word by word.
//!
//! An external sort (Knuth, "The Art of Computer Programming", volume 3, 5.4.1). Entries wait in 256 partitions, chosen by
//! the low bits of their keys, so that each can be sorted by itself and on any core. [`Log::spill`] sorts what waits and
//! writes it to an unnamed file as one run; [`Log::sorted`] merges all runs. A file without a name is gone with the process
//! that wrote it, however that ends.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::model::bytes::{Cursor, put_varint};

const PARTITIONS: usize = 256;
const PARTITION_BITS: u32 = PARTITIONS.trailing_zeros();
/// How much of a run is read or written at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// Entries of one kind under keys.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// By the low bits of the key: the other bits and the length of the entry as varints, then the entry.
    waiting: Vec<Vec<u8>>,
    /// An entry as it is made.
    entry: Vec<u8>,
    waiting_bytes: usize,
    spilled: Vec<Spilled>,
}

impl Default for Log {
    fn default() -> Self {
        Self { waiting: vec![Vec::new(); PARTITIONS], entry: Vec::new(), waiting_bytes: 0, spilled: Vec::new() }
    }
}

/// All entries of a key, one after the other, in a run; `start` and `bytes` fit memory, or the file.
#[derive(Clone, Copy, Debug)]
struct Group {
    key: u32,
    /// The partition that they are in; of a run in a file, 0.
    partition: u8,
    start: u64,
    bytes: u64,
}

/// A sorted run in a file.
#[derive(Clone, Debug)]
struct Spilled {
    /// In the order of the ranks.
    groups: Vec<Group>,
    file: Arc<File>,
}

/// A sorted run in memory.
struct Sorted {
    /// In the order of the ranks.
    groups: Vec<Group>,
    partitions: Vec<Vec<u8>>,
}

impl Log {
    /// Adds the entry that `put` appends.
    pub(crate) fn push_with(&mut self, key: u32, put: impl FnOnce(&mut Vec<u8>)) {
        self.entry.clear();
        put(&mut self.entry);
        let partition = &mut self.waiting[key as usize % PARTITIONS];
        let before = partition.len();
        put_varint(partition, (key >> PARTITION_BITS).into());
        put_varint(partition, self.entry.len() as u64);
        partition.extend_from_slice(&self.entry);
        self.waiting_bytes += partition.len() - before;
    }

    /// How many bytes of memory the entries take that were not spilled.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Writes what waits to a file in `folder`, in the order of `rank`. Of any two keys each later rank must tell the same
    /// order.
    ///
    /// # Errors
    /// If the file cannot be made or written.
    pub(crate) fn spill(&mut self, folder: &Path, rank: impl Fn(u32) -> u32 + Sync) -> io::Result<()> {
        if self.waiting_bytes == 0 {
            return Ok(());
        }
        let run = self.sort_waiting(rank);
        let file = tempfile::tempfile_in(folder)?;
        let mut out = io::BufWriter::with_capacity(BUFFER_BYTES, &file);
        let mut start = 0;
        let mut groups = Vec::with_capacity(run.groups.len());
        for group in &run.groups {
            out.write_all(run.bytes_of(group))?;
            groups.push(Group { partition: 0, start, ..*group });
            start += group.bytes;
        }
        out.flush()?;
        drop(out);
        self.spilled.push(Spilled { groups, file: Arc::new(file) });
        Ok(())
    }

    /// All entries, by the rank of their keys.
    pub(crate) fn sorted<R: Fn(u32) -> u32 + Sync>(mut self, rank: R) -> Merge<R> {
        let memory = self.sort_waiting(&rank);
        let spilled = self.spilled.into_iter().map(Reader::new).collect();
        Merge { rank, memory, next: 0, spilled }
    }

    /// Takes all entries of these keys out, each with its key.
    ///
    /// # Errors
    /// If a spilled run cannot be read.
    pub(crate) fn take(&mut self, is_taken: impl Fn(u32) -> bool) -> io::Result<Vec<(u32, Vec<u8>)>> {
        let mut taken = Vec::new();
        for (low, partition) in (0u32..).zip(&mut self.waiting) {
            let mut kept = Vec::with_capacity(partition.len());
            for (key, entry, whole) in entries(partition, low) {
                if is_taken(key) {
                    taken.push((key, entry.to_vec()));
                } else {
                    kept.extend_from_slice(whole);
                }
            }
            self.waiting_bytes -= partition.len() - kept.len();
            *partition = kept;
        }
        for run in &mut self.spilled {
            for group in run.groups.iter().filter(|group| is_taken(group.key)) {
                let mut bytes = Vec::new();
                read_group(&run.file, group, &mut bytes)?;
                taken.push((group.key, bytes));
            }
            run.groups.retain(|group| !is_taken(group.key));
        }
        Ok(taken)
    }

    /// Sorts what waits, and leaves nothing waiting.
    fn sort_waiting(&mut self, rank: impl Fn(u32) -> u32 + Sync) -> Sorted {
        self.waiting_bytes = 0;
        let waiting = std::mem::replace(&mut self.waiting, vec![Vec::new(); PARTITIONS]);
        let sorted: Vec<(Vec<u8>, Vec<Group>)> =
            (0u8..=255).into_par_iter().zip(waiting).map(|(at, partition)| sort(at, partition, &rank)).collect();
        let mut groups: Vec<Group> = sorted.iter().flat_map(|(_, groups)| groups).copied().collect();
        groups.par_sort_unstable_by_key(|group| rank(group.key));
        Sorted { groups, partitions: sorted.into_iter().map(|(bytes, _)| bytes).collect() }
    }
}

impl Sorted {
    fn bytes_of(&self, group: &Group) -> &[u8] {
        let start = in_memory(group.start);
        &self.partitions[usize::from(group.partition)][start..start + in_memory(group.bytes)]
    }
}

/// The entries of a partition whose keys end with `low`: key, entry, and the entry with its head.
fn entries(partition: &[u8], low: u32) -> impl Iterator<Item = (u32, &[u8], &[u8])> {
    let mut rest = partition;
    std::iter::from_fn(move || {
        let mut cursor = Cursor::new(rest);
        let key = cursor.varint_u32()? << PARTITION_BITS | low;
        let length = cursor.varint_usize()?;
        let entry = cursor.take(length)?;
        let whole = &rest[..rest.len() - cursor.rest().len()];
        rest = cursor.rest();
        Some((key, entry, whole))
    })
}

/// The entries of a partition without their heads, those of a key together; the keys ascend by rank.
fn sort(at: u8, partition: Vec<u8>, rank: &(impl Fn(u32) -> u32 + Sync)) -> (Vec<u8>, Vec<Group>) {
    let mut order: Vec<(u32, u32, &[u8])> =
        entries(&partition, at.into()).map(|(key, entry, _)| (rank(key), key, entry)).collect();
    order.sort_by_key(|&(rank, ..)| rank);
    let mut bytes = Vec::with_capacity(order.iter().map(|(.., entry)| entry.len()).sum());
    let mut groups: Vec<Group> = Vec::new();
    for (_, key, entry) in order {
        let start = bytes.len() as u64;
        bytes.extend_from_slice(entry);
        match groups.last_mut() {
            Some(group) if group.key == key => group.bytes += entry.len() as u64,
            _ => groups.push(Group { key, partition: at, start, bytes: entry.len() as u64 }),
        }
    }
    (bytes, groups)
}

/// A number of bytes that are held at once.
fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).expect("what one key has fits memory")
}

fn read_group(mut file: &File, group: &Group, into: &mut Vec<u8>) -> io::Result<()> {
    file.seek(SeekFrom::Start(group.start))?;
    let read = file.take(group.bytes).read_to_end(into)?;
    if read as u64 == group.bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads a run from its file, in order.
struct Reader {
    run: Spilled,
    next: usize,
    /// What was read ahead, and how much of it was used.
    buffer: Vec<u8>,
    used: usize,
    /// Where in the file the buffer ends.
    end: u64,
}

impl Reader {
    fn new(run: Spilled) -> Self {
        Self { run, next: 0, buffer: Vec::new(), used: 0, end: 0 }
    }

    fn peek(&self) -> Option<u32> {
        self.run.groups.get(self.next).map(|group| group.key)
    }

    /// Appends the entries of the next key.
    fn append(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let Some(group) = self.run.groups.get(self.next) else { return Ok(()) };
        self.next += 1;
        let begin = self.end - (self.buffer.len() - self.used) as u64;
        // Keys that were taken out leave gaps.
        let skipped = group.start - begin;
        let buffered = self.buffer.len() - self.used;
        if skipped + group.bytes > buffered as u64 {
            let wanted = in_memory(group.bytes).max(BUFFER_BYTES);
            (&*self.run.file).seek(SeekFrom::Start(group.start))?;
            self.buffer.clear();
            (&*self.run.file).take(wanted as u64).read_to_end(&mut self.buffer)?;
            self.end = group.start + self.buffer.len() as u64;
            self.used = 0;
        } else {
            self.used += in_memory(skipped);
        }
        let bytes =
            self.buffer.get(self.used..self.used + in_memory(group.bytes)).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.extend_from_slice(bytes);
        self.used += bytes.len();
        Ok(())
    }
}

/// The entries of all runs, by the ranks of their keys.
pub(crate) struct Merge<R> {
    rank: R,
    memory: Sorted,
    next: usize,
    spilled: Vec<Reader>,
}

impl<R: Fn(u32) -> u32> Merge<R> {
    /// No more keys than this are left.
    pub(crate) fn keys_most(&self) -> u64 {
        let spilled: usize = self.spilled.iter().map(|reader| reader.run.groups.len() - reader.next).sum();
        (self.memory.groups.len() - self.next + spilled) as u64
    }

    /// The next key.
    pub(crate) fn peek(&self) -> Option<u32> {
        let memory = self.memory.groups.get(self.next).map(|group| group.key);
        memory.into_iter().chain(self.spilled.iter().filter_map(Reader::peek)).min_by_key(|&key| (self.rank)(key))
    }

    /// Appends all entries of the next key to `into`, in any order.
    ///
    /// # Errors
    /// If a spilled run cannot be read.
    pub(crate) fn append(&mut self, into: &mut Vec<u8>) -> io::Result<Option<u32>> {
        let Some(key) = self.peek() else { return Ok(None) };
        if let Some(group) = self.memory.groups.get(self.next).filter(|group| group.key == key) {
            into.extend_from_slice(self.memory.bytes_of(group));
            self.next += 1;
        }
        for reader in self.spilled.iter_mut().filter(|reader| reader.peek() == Some(key)) {
            reader.append(into)?;
        }
        Ok(Some(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Every key's entries, sorted, in the order of the log. Entries are a byte of length and so many bytes.
    fn read(log: Log, rank: impl Fn(u32) -> u32 + Sync) -> Vec<(u32, Vec<Vec<u8>>)> {
        let mut merge = log.sorted(rank);
        let mut found = Vec::new();
        let mut bytes = Vec::new();
        while let Some(key) = merge.append(&mut bytes).unwrap() {
            let mut entries = Vec::new();
            let mut rest = &bytes[..];
            while let Some((&length, after)) = rest.split_first() {
                entries.push(after[..usize::from(length)].to_vec());
                rest = &after[usize::from(length)..];
            }
            entries.sort();
            found.push((key, entries));
            bytes.clear();
        }
        found
    }

    proptest! {
        #[test]
        fn entries_come_back_by_rank_wherever_they_waited(
            pushed in proptest::collection::vec((prop_oneof![0u32..9, 0u32..2000, any::<u32>()], 0u8..5, any::<bool>()), 0..60),
            taken in 0u32..9,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut log = Log::default();
            let mut want: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
            for (at, &(key, length, spill)) in (0u8..).zip(&pushed) {
                let mut entry = vec![length];
                entry.resize(1 + usize::from(length), at);
                log.push_with(key, |out| out.extend_from_slice(&entry));
                want.entry(u32::MAX - key).or_default().push(entry[1..].to_vec());
                if spill {
                    log.spill(folder.path(), |key| u32::MAX - key).unwrap();
                }
            }
            let out = log.take(|key| key == taken).unwrap();
            let bytes: usize = out.iter().map(|(_, bytes)| bytes.len()).sum();
            let gone = want.remove(&(u32::MAX - taken)).unwrap_or_default();
            prop_assert_eq!(bytes, gone.iter().map(|entry| entry.len() + 1).sum::<usize>());
            let found = read(log, |key| u32::MAX - key);
            let want: Vec<(u32, Vec<Vec<u8>>)> = want.into_iter().map(|(rank, mut entries)| {
                entries.sort();
                (u32::MAX - rank, entries)
            }).collect();
            prop_assert_eq!(found, want);
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file was left behind");
        }
    }
}
