//! Files whose checksums are right and whose content breaks a rule: the checks behind the checksums.

use rkyv::rancor::Failure;
use rkyv::util::AlignedVec;

use super::layout::{ALIGNMENT, HEADER_BYTES, Kind, Preamble, SECTION_BYTES, assemble};
use super::names::{BLOCK, REF_BYTES, RawRef};
use super::postings::{ListAt, Place, RawListRef};
use super::record::{FileRecord, SymbolRecord, Unpacked, archive_of};
use super::seal::seal;
use super::{Index, ModelError, Root};
use crate::build::{Sources, build};
use crate::clock::Clock;
use crate::fuzz::{sample, sample_content};
use crate::id::{FeatureId, FileId, TestId};
use crate::observation::Observations;

type Bytes = AlignedVec<64>;
type Change<T> = fn(&mut T);

fn good() -> Bytes {
    build(&sample(), Some("c0ffee"), sample_content)
}

/// The good model with sections and root changed, and laid out again.
fn remade(change: impl FnOnce(&mut Root, &mut dyn FnMut(Kind, &dyn Fn(&mut Vec<u8>)))) -> Bytes {
    let bytes = good();
    let index = Index::open(&bytes[..]).unwrap();
    let mut sections: Vec<(Kind, Vec<u8>)> =
        Kind::ALL.iter().map(|&kind| (kind, index.section(kind).to_vec())).collect();
    let mut root = index.root().clone();
    change(&mut root, &mut |kind, edit| {
        sections.iter_mut().filter(|(known, _)| *known == kind).for_each(|(_, bytes)| edit(bytes));
    });
    let mut bytes = assemble(&rkyv::to_bytes::<Failure>(&root).unwrap(), &sections);
    seal(&mut bytes);
    bytes
}

/// The good model with the archive of `src/a.py` made anew, and that file in it.
fn with_archive(make: impl Fn(&mut FileRecord) -> AlignedVec) -> (Bytes, FileId) {
    let bytes = good();
    let index = Index::open(&bytes[..]).unwrap();
    let file = index.find_file("src/a.py").unwrap().unwrap();
    let (mut table, mut records) = (Vec::new(), Vec::new());
    for (at, entry) in index.files_table().unwrap().iter().enumerate() {
        let archive = entry.of("file records", index.section(Kind::Records), at).unwrap();
        let mut record = record_of(archive, at as u32);
        let archive = if at == file.0 as usize { make(&mut record) } else { record.encode() };
        records.resize(records.len().next_multiple_of(16), 0);
        table.extend_from_slice(bytemuck::bytes_of(&RawRef::new(records.len(), &archive, at)));
        records.extend_from_slice(&archive);
    }
    let remade = remade(|_, edit| {
        edit(Kind::Files, &|section| section.clone_from(&table));
        edit(Kind::Records, &|section| section.clone_from(&records));
    });
    (remade, file)
}

/// A record as its builder had it.
fn record_of(archive: &[u8], file: u32) -> FileRecord {
    let unpacked = Unpacked::read(archive, file).unwrap();
    let symbols = unpacked.symbols.iter().enumerate().map(|(at, symbol)| SymbolRecord {
        lines: symbol.lines,
        kind: symbol.kind,
        name: String::from_utf8(unpacked.name(at)).unwrap(),
    });
    FileRecord {
        file,
        stamp: unpacked.stamp,
        symbols: symbols.collect(),
        blocks: unpacked.blocks.iter().map(|&list| reference(list)).collect(),
        touching: reference(unpacked.touching),
        defines: reference(unpacked.defines),
        runs: unpacked.runs,
        imported: unpacked.imported,
    }
}

fn reference(list: ListAt<'_>) -> RawListRef {
    match list {
        ListAt::Inline(list) => RawListRef::new(list, |_| 0),
        ListAt::Placed(place) => {
            let (length, offset) = (place.length.to_le_bytes(), place.offset.to_le_bytes());
            bytemuck::pod_read_unaligned(&[&length[..], &offset, &place.checksum.to_le_bytes()].concat())
        }
    }
}

/// The good model with the record of `src/a.py` changed, and that file in it.
fn with_record(change: impl Fn(&mut FileRecord)) -> (Bytes, FileId) {
    with_archive(|record| {
        change(record);
        record.encode()
    })
}

fn refusal(bytes: &[u8]) -> String {
    Index::open(bytes).map(|_| ()).unwrap_err().to_string()
}

/// What the touching list of `src/a.py` says if it is these bytes.
fn list(list: &[u8]) -> Result<Vec<(u32, u8)>, ModelError> {
    let (bytes, file) = with_record(|record| record.touching = RawListRef::new(list, |_| 0));
    let index = Index::open(&bytes[..]).unwrap();
    let postings = index.file(file).unwrap().touching()?.to_vec()?;
    Ok(postings.into_iter().map(|posting| (posting.test.0, posting.signal)).collect())
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn sealing_a_good_model_changes_nothing() {
    let (bytes, mut sealed) = (good(), good());
    seal(&mut sealed);
    assert!(bytes[..] == sealed[..]);
    assert!(remade(|_, _| ())[..] == bytes[..]);
    assert!(with_record(|_| ()).0[..] == bytes[..]);
}

#[test]
fn another_version_is_named() {
    let mut bytes = good();
    put_u32(&mut bytes, 8, 2);
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..56]);
    put_u64(&mut bytes, 56, sum);
    assert_eq!(Index::open(&bytes[..]).map(|_| ()), Err(ModelError::Version { found: 2, supported: 1 }));
    assert_eq!(
        refusal(&bytes),
        "format version 2, this build reads 1; rebuild it with `covopt build`, or use the covopt that wrote it"
    );
}

#[test]
fn a_root_outside_or_over_the_table_is_refused() {
    for (at, value) in [(24, 1 << 40), (24, u64::MAX - 63), (32, 1 << 40), (32, u64::MAX), (24, 65)] {
        let mut bytes = good();
        put_u64(&mut bytes, at, value);
        seal(&mut bytes);
        assert!(refusal(&bytes).contains("section `root` is damaged: it lies outside the file"), "{at} {value}");
    }
    let mut bytes = good();
    put_u64(&mut bytes, 24, 64);
    seal(&mut bytes);
    assert!(refusal(&bytes).contains("it overlaps the section table"));
}

/// The root is an archive with a pointer in it: it may lead outside, to itself, or back.
#[test]
fn pointers_of_the_root_lead_nowhere_else() {
    let base = "c0ffee".repeat(7);
    let good = build(&sample(), Some(&base), |_| None);
    let root = Preamble::read(&good).unwrap().root;
    let mut refused = 0;
    for at in (0..root.length - 3).step_by(4) {
        let to_start = u32::try_from(at).unwrap().wrapping_neg();
        for value in [0, 1, to_start, to_start.wrapping_sub(64), 1 << 31, (1 << 31) - 1, u32::MAX] {
            let mut bytes = good.clone();
            put_u32(&mut bytes, root.offset + at, value);
            seal(&mut bytes);
            match Index::open(&bytes[..]) {
                Ok(index) => assert!(index.root().base.as_ref().is_none_or(|base| base.len() < root.length)),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn constants_that_are_no_numbers_are_refused() {
    let constants: [Change<Root>; 4] = [
        |root| root.calibration.words = f64::NAN,
        |root| root.calibration.rarity = f64::NEG_INFINITY,
        |root| root.calibration.name = 1e300,
        |root| root.calibration.failing = -1.0,
    ];
    for change in constants {
        let message = refusal(&remade(|root, _| change(root)));
        assert!(message.contains("section `root` is damaged"), "{message}");
    }
}

#[test]
fn sections_that_do_not_fit_are_refused() {
    let entry = |at: usize| HEADER_BYTES + at * SECTION_BYTES;
    let broken = |change: &dyn Fn(&mut Bytes)| {
        let mut bytes = good();
        change(&mut bytes);
        seal(&mut bytes);
        refusal(&bytes)
    };
    let offset_of =
        |bytes: &Bytes, at: usize| u64::from_le_bytes(bytes[entry(at) + 8..entry(at) + 16].try_into().unwrap());
    let overlap = broken(&|bytes| {
        let before = offset_of(bytes, 4);
        put_u64(bytes, entry(5) + 8, before);
    });
    assert!(overlap.starts_with("section 6 is overlapping what lies before it"), "{overlap}");
    assert!(broken(&|bytes| put_u64(bytes, entry(0) + 8, 64)).starts_with("section 1 is overlapping"));
    assert!(broken(&|bytes| put_u64(bytes, entry(12) + 16, u64::MAX)).starts_with("section 13 is outside the file"));
    assert!(broken(&|bytes| put_u64(bytes, entry(12) + 8, u64::MAX - 63)).starts_with("section 13 is outside"));
    assert!(broken(&|bytes| put_u32(bytes, entry(3), 3)).starts_with("section 3 is out of order"));
    assert!(broken(&|bytes| put_u32(bytes, entry(18), 20)).starts_with("section 20 is unknown to this build"));
    assert!(broken(&|bytes| put_u32(bytes, 12, 18)).starts_with("section 19 is missing"));
    assert!(broken(&|bytes| put_u32(bytes, 12, 257)).contains("more than 256 sections"));
    assert!(broken(&|bytes| put_u32(bytes, 12, 0)).starts_with("section 1 is missing"));
}

/// The good model with one more section at its end, of a kind nobody knows.
fn with_section(kind: u32) -> Bytes {
    let mut bytes = good();
    let count = Kind::ALL.len();
    let entry = HEADER_BYTES + count * SECTION_BYTES;
    // Room for one more entry: everything behind the table moves by one alignment.
    let mut moved = Bytes::new();
    moved.extend_from_slice(&bytes[..entry]);
    moved.resize(entry + ALIGNMENT, 0);
    moved.extend_from_slice(&bytes[entry..]);
    bytes = moved;
    for offset_at in (0..count).map(|at| HEADER_BYTES + at * SECTION_BYTES + 8).chain([24]) {
        let offset = u64::from_le_bytes(bytes[offset_at..offset_at + 8].try_into().unwrap());
        put_u64(&mut bytes, offset_at, offset + ALIGNMENT as u64);
    }
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    let offset = bytes.len() as u64;
    bytes.extend_from_slice(b"anchors");
    put_u32(&mut bytes, 12, count as u32 + 1);
    put_u32(&mut bytes, entry, kind);
    put_u64(&mut bytes, entry + 8, offset);
    put_u64(&mut bytes, entry + 16, 7);
    seal(&mut bytes);
    bytes
}

#[test]
fn unknown_sections_are_skipped_where_they_are_optional() {
    let bytes = with_section(0x101);
    let index = Index::open(&bytes[..]).unwrap();
    assert!(index.find_file("src/a.py").unwrap().is_some());
    index.verify(|_, _| ()).unwrap();
    let last = HEADER_BYTES + (Kind::ALL.len() - 1) * SECTION_BYTES;
    let renamed = |kind| {
        let mut bytes = good();
        put_u32(&mut bytes, last, kind);
        seal(&mut bytes);
        bytes
    };
    assert!(refusal(&renamed(20)).starts_with("section 20 is unknown to this build and not optional"));
    let without = renamed(0x102);
    assert!(!Index::open(&without[..]).unwrap().has_anchors(), "anchors are optional");
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(Index::open(&flipped[..]).unwrap().verify(|_, _| ()).is_err());
}

#[test]
fn counts_that_the_sections_do_not_bear_out_are_refused() {
    let claims: [(&str, Change<Root>); 7] = [
        ("costs", |root| root.tests = u32::MAX),
        ("costs", |root| root.tests /= 2),
        ("path suffixes", |root| root.files = 1 << 30),
        ("features", |root| root.features += 1),
        ("family names", |root| root.families = u32::MAX),
        ("commits", |root| root.commits = 1 << 20),
        ("failures", |root| root.tests_failed -= 1),
    ];
    for (section, claim) in claims {
        let message = refusal(&remade(|root, _| claim(root)));
        assert!(message.contains(section), "{section}: {message}");
    }
    let totals: [Change<Root>; 5] = [
        |root| root.postings += 1,
        |root| root.runs = 0,
        |root| root.total_cost_us += 1,
        |root| root.blocks += 1,
        |root| root.pace_spread_ppm = Some(u32::MAX),
    ];
    for claim in totals {
        let bytes = remade(|root, _| claim(root));
        assert!(Index::open(&bytes[..]).unwrap().verify(|_, _| ()).is_err(), "a total is only a claim until verified");
    }
}

#[test]
fn lists_that_lie_are_errors() {
    // How ids and signals are stored, with a count of two; a count of 0 is one that follows.
    const RUNS: u8 = 0x24;
    const RUNS_BYTES: u8 = 0x28;
    const RUNS_PALETTE: u8 = 0x2c;
    const ROARING: u8 = 0x15;
    const RANGE: u8 = 0x26;
    const MORE: u8 = 0x0f;
    assert_eq!(list(&[RUNS, 9, 0x46]), Ok(vec![(3, 9), (7, 9)]));
    assert_eq!(list(&[RUNS & MORE, 2, 9, 0x46]), Ok(vec![(3, 9), (7, 9)]));
    assert_eq!(list(&[RANGE, 9, 3]), Ok(vec![(3, 9), (4, 9)]));
    assert_eq!(list(&[RUNS_BYTES, 8, 9, 0x46]), Ok(vec![(3, 8), (7, 9)]));
    assert_eq!(list(&[RUNS_PALETTE, 2, 8, 9, 1, 0x10, 0x46]), Ok(vec![(3, 8), (7, 9)]));
    let lies: [(&str, &[u8]); 24] = [
        ("more than it holds", &[RUNS + 0x10, 9, 0x46]),
        ("fewer than it holds", &[RUNS - 0x10, 9, 0x46]),
        ("none", &[RUNS & MORE, 0, 9]),
        ("a test past the last", &[RUNS, 9, 0xa6, 0x7d]),
        ("a run past its count", &[RUNS, 9, 0x17]),
        ("a run past all numbers", &[RUNS, 9, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00]),
        ("a filling that is not 0", &[RUNS, 9, 0x46, 0x10]),
        ("ids and more", &[RUNS, 9, 0x46, 0]),
        ("a signal of 0", &[RUNS, 0, 0x46]),
        ("one signal of 0", &[RUNS_BYTES, 8, 0, 0x46]),
        ("signals cut short", &[RUNS_BYTES, 8]),
        ("no palette", &[RUNS_PALETTE, 0, 1, 0x10, 0x46]),
        ("a palette with a 0", &[RUNS_PALETTE, 2, 8, 0, 1, 0x10, 0x46]),
        ("a palette cut short", &[RUNS_PALETTE, 200, 8, 9, 1, 0x10, 0x46]),
        ("fewer signals than ids", &[RUNS_PALETTE, 2, 8, 9, 0, 0x46]),
        ("more signals than ids", &[RUNS_PALETTE, 2, 8, 9, 1, 0x05, 0x46]),
        ("signals longer than the list", &[RUNS_PALETTE, 2, 8, 9, 0xff, 0xff, 0x7f, 0x10, 0x46]),
        ("a number cut short", &[RUNS, 9, 0x88]),
        ("more tests than the model", &[RANGE & MORE, 0xff, 0xff, 0xff, 0xff, 0x0f, 9, 0]),
        ("a range past the last", &[RANGE & MORE, 100, 9, 120]),
        ("a range and more", &[RANGE, 9, 3, 4]),
        ("an unknown encoding", &[0x17, 9, 3]),
        ("a bitmap cut short", &[ROARING, 9, 0x3a, 0x30, 0, 0]),
        ("a bitmap of another size", &[ROARING, 9, 0x3a, 0x30, 0, 0, 0, 0, 0, 0]),
    ];
    for (what, bytes) in lies {
        assert!(list(bytes).is_err(), "{what}");
    }
}

#[test]
fn references_outside_the_postings_are_errors() {
    for (offset, length) in [(u64::MAX, 13), (0, (1 << 31) - 1), (0, 1 << 20), (1 << 40, 0)] {
        let place = Place { offset, length, checksum: 0 };
        let (bytes, file) = with_record(|record| record.touching = reference(ListAt::Placed(place)));
        let index = Index::open(&bytes[..]).unwrap();
        assert!(index.file(file).and_then(|view| view.touching().map(|_| ())).is_err(), "{place:?}");
    }
    let long = remade(|_, edit| edit(Kind::Features, &|table| put_u32(table, 0, 13 | 1 << 31)));
    assert!(Index::open(&long[..]).unwrap().feature(FeatureId(0)).is_err(), "more than fits the reference");
}

/// What a packed record may claim is told in `record.rs`; here that it is an error of the model.
#[test]
fn records_that_lie_are_errors() {
    let claims_blocks: &[u8] = &[0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let another_file = with_record(|record| record.file += 1);
    let lies = [
        ("another file", another_file),
        ("more blocks than bytes", with_archive(|record| archive_of(record.file, claims_blocks))),
        ("nothing", with_archive(|record| archive_of(record.file, &[]))),
        ("no archive", with_archive(|_| AlignedVec::new())),
    ];
    for (what, (bytes, file)) in lies {
        let index = Index::open(&bytes[..]).unwrap();
        assert!(matches!(index.file(file), Err(ModelError::Damaged { section: "file records", .. })), "{what}");
        assert!(index.verify(|_, _| ()).is_err(), "{what}");
    }
    let swapped = remade(|_, edit| {
        edit(Kind::Files, &|table| {
            let (first, second) = table.split_at_mut(REF_BYTES);
            first.swap_with_slice(&mut second[..REF_BYTES]);
        });
    });
    let index = Index::open(&swapped[..]).unwrap();
    assert!(index.file(FileId(0)).is_err() && index.file(FileId(1)).is_err(), "records that changed places");
}

#[test]
fn offsets_outside_a_section_are_errors() {
    for offset in [1 << 40, u64::MAX, 1 << 20] {
        let index_entry = move |section: &mut Vec<u8>| put_u64(section, 0, offset);
        let bytes = remade(|_, edit| {
            for kind in [Kind::TestNames, Kind::Facts, Kind::Paths, Kind::Files, Kind::FamilyNames, Kind::Commits] {
                edit(kind, &index_entry);
            }
        });
        let index = Index::open(&bytes[..]).unwrap();
        assert!(index.test_name(TestId(0)).is_err() && index.path(FileId(0)).is_err());
        assert!(index.test_record(TestId(0)).is_err() && index.file(FileId(0)).is_err());
        assert!(index.family_name(0).is_err() && index.commit(0).is_err());
        assert!(index.find_file("src/nowhere.py").is_ok() && index.feature(FeatureId(0)).is_ok(), "the rest answers");
        assert!(index.verify(|_, _| ()).is_err());
    }
}

/// Each part refers to the first one again: what is asked ends, and what reads everything finds out.
#[test]
fn references_that_lead_back_are_found() {
    let good = good();
    let root = Index::open(&good[..]).unwrap().root().clone();
    let tables = [
        (Kind::TestNames, (root.tests as usize).div_ceil(BLOCK)),
        (Kind::Facts, (root.tests as usize).div_ceil(BLOCK)),
        (Kind::Paths, (root.files as usize).div_ceil(BLOCK)),
        (Kind::Files, root.files as usize),
    ];
    for (kind, references) in tables {
        let bytes = remade(|_, edit| {
            edit(kind, &|section| {
                (1..references).for_each(|at| section.copy_within(0..REF_BYTES - 4, at * REF_BYTES));
            });
        });
        if references < 2 {
            continue;
        }
        let index = Index::open(&bytes[..]).unwrap();
        let _ = (index.find_test("tests/test_1.py::test_150"), index.find_file("src/a.py"), index.match_path("a.py"));
        let _ = (index.test_name(TestId(150)), index.test_record(TestId(150)), index.file(FileId(1)).map(|_| ()));
        assert!(index.verify(|_, _| ()).is_err(), "{kind:?}");
        if kind != Kind::Facts {
            assert!(Sources::new(Observations::default()).join(&index).is_err(), "{kind:?}");
        }
    }
}

#[test]
fn ids_past_the_end_are_errors() {
    let bytes = remade(|root, edit| {
        edit(Kind::Suffixes, &|section| section.chunks_exact_mut(64).for_each(|chunk| put_u32(chunk, 4, u32::MAX)));
        edit(Kind::Probe, &|section| section.chunks_exact_mut(8).for_each(|entry| put_u32(entry, 4, u32::MAX)));
        (root.families, root.commits) = (0, 0);
    });
    let index = Index::open(&bytes[..]).unwrap();
    assert!(index.verify(|_, _| ()).is_err());
    for path in ["src/a.py", "d.py", "b.py", "nowhere"] {
        let _ = (index.find_file(path), index.match_path(path));
    }
    let named = |test: u32| index.test_record(TestId(test));
    let refused = (0..index.root().tests).filter(|&test| named(test).is_err()).count();
    assert!(refused > 0, "families and commits that are not there");
}

#[test]
fn probe_buckets_that_never_end_are_an_error() {
    let bytes = remade(|_, edit| {
        edit(Kind::Probe, &|section| section.chunks_exact_mut(64).for_each(|bucket| bucket[4..6].fill(0xff)));
    });
    let index = Index::open(&bytes[..]).unwrap();
    assert!(index.find_file("nowhere/to/be/found").is_err());
}

/// Entries that vouch for themselves and are not those of the runs.
#[test]
fn failures_that_no_run_tells_are_found_by_verify() {
    let good = good();
    let mut failures = Index::open(&good[..]).unwrap().failures().unwrap();
    failures[0].1.failed_us += 1;
    let bytes = remade(|_, edit| edit(Kind::Failures, &|section| *section = super::failures::encode(&failures)));
    let index = Index::open(&bytes[..]).unwrap();
    assert_eq!(index.failures(), Ok(failures));
    assert!(index.verify(|_, _| ()).unwrap_err().to_string().contains("failures"));
}

#[test]
fn more_sessions_than_are_kept_are_refused() {
    let bytes = remade(|_, edit| edit(Kind::Sessions, &|section| section.resize(17 * 40, 0)));
    assert!(refusal(&bytes).contains("section `sessions` is damaged"));
    let bytes = remade(|_, edit| edit(Kind::Sessions, &|section| put_u32(section, 24, 0)));
    assert!(Index::open(&bytes[..]).unwrap().sessions().is_err(), "a session without tests");
}

/// What sums up sessions, or divides by them, holds with the greatest and the least of them.
#[test]
fn sums_of_sessions_do_not_overflow() {
    for (cost_us, wall_us) in [(u64::MAX, u64::MAX), (0, u64::MAX), (u64::MAX, 1)] {
        let bytes = remade(|_, edit| {
            edit(Kind::Sessions, &|section| {
                for session in section.chunks_exact_mut(40) {
                    put_u64(session, 8, cost_us);
                    put_u64(session, 16, wall_us);
                    put_u32(session, 24, u32::MAX);
                    put_u32(session, 28, u32::MAX);
                }
            });
        });
        let index = Index::open(&bytes[..]).unwrap();
        let sessions = index.sessions().unwrap_or_default();
        let clock = Clock::learn(&sessions);
        assert!(clock == Clock::learn(&sessions), "{cost_us} {wall_us}");
        let _ = index.verify(|_, _| ());
    }
}

#[test]
fn weights_that_are_no_weights_are_errors() {
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let bytes = remade(|_, edit| edit(Kind::Features, &|table| put_u64(table, 16, f64::to_bits(weight))));
        assert!(Index::open(&bytes[..]).unwrap().feature(FeatureId(0)).is_err(), "{weight}");
    }
}
