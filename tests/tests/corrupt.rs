//! A small model that has every part, damaged in every way that one byte can be: the answer is the same or an error,
//! never another answer and never a panic.

use std::collections::HashSet;

use covopt::build::{Content, Merged, build};
use covopt::candidate::gather;
use covopt::change::{Change, Mapping};
use covopt::diff::{self, Diff};
use covopt::fuzz::{SAMPLE_DIFF, sample, sample_content};
use covopt::id::{FeatureId, FileId, TestId};
use covopt::model::{Encoding, Index, Kind, ModelError, PathMatch, PostingList, Stamp};
use covopt::observation::{LineRange, Observations, Session};
use covopt::optimize::{Options, select};
use covopt::relevance::{Query, Relevance};
use rkyv::util::AlignedVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::cli::Folder;

type Model<'a> = Index<&'a [u8]>;
type Answer = Result<Vec<u64>, String>;
type Question = Box<dyn Fn(&Model<'_>) -> Answer + Sync>;

fn model() -> AlignedVec<64> {
    build(&sample(), Some("c0ffee"), |path| {
        let stamp = Stamp { size_bytes: path.len() as u64, hash: 0x1234_5678_9abc_def0 };
        sample_content(path).or_else(|| path.contains('a').then(|| Content { stamp, anchors: Vec::new() }))
    })
}

fn text(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

fn list(list: Result<PostingList<'_>, ModelError>, answer: &mut Vec<u64>) -> Result<(), ModelError> {
    let list = list?;
    answer.push(list.count().into());
    let postings = list.to_vec()?;
    answer.extend(postings.iter().map(|posting| u64::from(posting.test.0) << 8 | u64::from(posting.signal)));
    Ok(())
}

fn file(index: &Model<'_>, file: FileId) -> Result<Vec<u64>, ModelError> {
    let view = index.file(file)?;
    let mut answer = vec![view.block_count() as u64];
    answer.extend(index.anchors(file)?.iter().map(u64::from));
    answer.extend(view.stamp().into_iter().flat_map(|(size_bytes, hash)| [size_bytes, hash]));
    answer.extend(
        (0..view.run_count())
            .filter_map(|at| view.run(at))
            .flat_map(|run| [run.first, run.last, run.block].map(u64::from)),
    );
    answer.extend(view.imported().flat_map(|range| [range.first, range.last].map(u64::from)));
    answer.extend(
        view.symbols().flat_map(|symbol| [u64::from(symbol.lines.last), symbol.kind as u64, text(&symbol.name())]),
    );
    answer.extend([2, 8, 25].map(|line| view.symbol_at(line).map_or(0, |symbol| text(&symbol.name()))));
    for block in 0..view.block_count() as u32 {
        list(view.block(block), &mut answer)?;
    }
    list(view.touching(), &mut answer)?;
    list(view.defines(), &mut answer)?;
    Ok(answer)
}

fn matched(path_match: &PathMatch) -> Vec<u64> {
    match path_match {
        PathMatch::None => vec![0],
        PathMatch::Exact(file) => vec![1, file.0.into()],
        PathMatch::Suffix(file) => vec![2, file.0.into()],
        PathMatch::Ambiguous(files) => files.iter().map(|file| u64::from(file.0)).collect(),
    }
}

/// The whole way from a diff to a selection.
fn pipeline(index: &Model<'_>, diff: &Diff<'_>) -> Answer {
    let change = Change::read(index, diff, Mapping::default()).map_err(|error| error.to_string())?;
    let relevance = Relevance::score(index, &Query::of(diff, &change)).map_err(|error| error.to_string())?;
    let candidates = gather(index, &change, &relevance).map_err(|error| error.to_string())?;
    let selection = select(&candidates.instance, &Options { budget_us: Some(30_000), ..Options::default() });
    let pick = |pick: &covopt::optimize::Pick| [u64::from(candidates.tests[pick.candidate as usize].0), pick.gain];
    let mut answer: Vec<u64> = selection.picks.iter().flat_map(pick).collect();
    answer.push(change.unmapped_weight().to_bits());
    Ok(answer)
}

/// Asks for every kind of thing, at a few places.
fn questions(index: &Model<'_>) -> Vec<Question> {
    fn ask(question: impl Fn(&Model<'_>) -> Result<Vec<u64>, ModelError> + Sync + 'static) -> Question {
        Box::new(move |index| question(index).map_err(|error| error.to_string()))
    }
    let mut questions: Vec<Question> = vec![
        ask(|index| index.find_file("src/a.py").map(|file| vec![file.map_or(u64::MAX, |file| file.0.into())])),
        ask(|index| index.find_file("not/there").map(|file| vec![file.is_some().into()])),
        ask(|index| index.match_path("src/c.py").map(|found| matched(&found))),
        ask(|index| index.match_path("src/b.py").map(|found| matched(&found))),
        ask(|index| index.match_path("b.py").map(|found| matched(&found))),
        ask(|index| index.match_path("x/src/d.py").map(|found| matched(&found))),
        ask(|index| {
            index.find_test("tests/test_1.py::test_150").map(|test| vec![test.map_or(0, |test| test.0.into())])
        }),
        ask(|index| index.find_test("nothing").map(|test| vec![test.is_some().into()])),
        ask(|index| {
            Ok(index.features_within("pkg.mod", 9)?.iter().flat_map(|(id, name)| [id.0.into(), text(name)]).collect())
        }),
        ask(|index| {
            let sessions = index.sessions()?;
            let session =
                |s: &Session| [s.whole.into(), s.time_us, s.tests.into(), s.files.into(), s.cost_us, s.wall_us];
            Ok(sessions.iter().flat_map(session).collect())
        }),
        ask(|index| Ok(vec![text(&index.family_name(0)?), text(&index.commit(1)?)])),
        ask(|index| {
            let failures = index.failures()?.into_iter().flat_map(|(test, history)| {
                [test.0.into(), history.runs.into(), history.failed.into(), history.is_flaky.into(), history.failed_us]
            });
            Ok(failures.collect())
        }),
    ];
    questions.extend((0..index.root().files).map(FileId).map(|at| ask(move |index| file(index, at))));
    questions.extend((0..index.root().files).map(FileId).map(|at| ask(move |index| Ok(vec![text(&index.path(at)?)]))));
    questions.extend((0..index.root().features).map(FeatureId).map(|at| {
        ask(move |index| {
            let feature = index.feature(at)?;
            let mut answer = vec![feature.weight.to_bits(), feature.weight_declared.into()];
            list(Ok(feature.list), &mut answer).map(|()| answer)
        })
    }));
    questions.extend((0..index.root().tests).step_by(14).map(TestId).map(|at| {
        ask(move |index| {
            let record = index.test_record(at)?;
            let mut answer = vec![text(&index.test_name(at)?), index.cost_us(at)?, record.recorded.into()];
            answer.push(record.family.map_or(0, |family| u64::from(family) + 1));
            let run = |run: &covopt::model::RunFact| {
                [
                    run.time_us,
                    run.commit.map_or(0, |commit| u64::from(commit) + 1),
                    run.outcome as u64,
                    run.cost_us.unwrap_or(!0),
                ]
            };
            answer.extend(record.runs.iter().flat_map(run));
            Ok(answer)
        })
    }));
    let diff = diff::parse(SAMPLE_DIFF).unwrap();
    questions.push(Box::new(move |index| pipeline(index, &diff)));
    questions
}

/// Opens `bytes` and asks everything: the same answers or errors. True if some question was refused, or opening was.
fn same_or_refused(bytes: &[u8], questions: &[Question], want: &[Answer], what: &dyn Fn() -> String) -> bool {
    let Ok(index) = Index::open(bytes) else { return true };
    let mut refused = false;
    for (at, (question, want)) in questions.iter().zip(want).enumerate() {
        match question(&index) {
            Ok(found) => assert!(Ok(&found) == want.as_ref(), "question {at} has another answer: {}", what()),
            Err(error) => {
                assert!(error.contains("section `"), "question {at}: {error}: {}", what());
                refused = true;
            }
        }
    }
    refused
}

/// A list that is stored as a bitmap, which none of the sample is long enough for: any of its bytes changed, it is the same
/// list or an error.
#[test]
fn every_changed_byte_of_a_bitmap_is_the_same_list_or_an_error() {
    let mut seen = Observations::default();
    let file = seen.file("a.py");
    for at in 0..40_000u32 {
        let test = seen.test(&format!("{at:05}"));
        if text(&at.to_string()).is_multiple_of(2) {
            seen.cover(test, file, &[LineRange::single(1)].into_iter().collect());
        }
    }
    let good = build(&seen, None, |_| None);
    let index = Index::open(&good[..]).unwrap();
    let view = index.file(FileId(0)).unwrap();
    assert_eq!(view.block(0).unwrap().encoding(), Encoding::Roaring);
    let want = view.block(0).unwrap().to_vec().unwrap();
    let section = index.preamble().extent(Kind::Postings);
    let mut refused = 0;
    for at in section.offset..section.offset + section.length {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        match Index::open(&bytes[..]).unwrap().file(FileId(0)).unwrap().block(0).and_then(PostingList::to_vec) {
            Ok(found) => assert!(found == want, "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert_eq!(refused, section.length, "the list of the file is the same one, and there is no other");
}

#[test]
fn the_sample_has_every_encoding_of_short_lists() {
    let bytes = model();
    let index = Index::open(&bytes[..]).unwrap();
    let view = index.file(index.find_file("src/a.py").unwrap().unwrap()).unwrap();
    let lists: Vec<PostingList<'_>> = (0..view.block_count() as u32).map(|block| view.block(block).unwrap()).collect();
    for encoding in [Encoding::Runs, Encoding::Range] {
        assert!(lists.iter().any(|list| list.encoding() == encoding), "{encoding:?}");
    }
    let touching = view.touching().unwrap().to_vec().unwrap();
    assert!(touching.iter().any(|posting| posting.signal != touching[0].signal), "bytes of their own");
}

#[test]
fn every_changed_byte_is_the_same_answer_or_an_error() {
    let good = model();
    let index = Index::open(&good[..]).unwrap();
    let questions = questions(&index);
    let want: Vec<Answer> = questions.iter().map(|question| question(&index)).collect();
    assert!(want.iter().all(Result::is_ok), "the whole model answers: {want:?}");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let refused: usize = std::thread::scope(|scope| {
        let sweep = |offset: usize| {
            let (good, questions, want) = (&good, &questions[..], &want[..]);
            scope.spawn(move || {
                let mut bytes = good.clone();
                let mut refused = 0;
                for at in (offset..bytes.len()).step_by(threads) {
                    let before = bytes[at];
                    let changes: HashSet<u8> = [0, 0xff, before ^ 1, !before].into();
                    for after in changes.into_iter().filter(|&after| after != before) {
                        bytes[at] = after;
                        let what = || format!("byte {at}, {before:#04x} became {after:#04x}");
                        refused += usize::from(same_or_refused(&bytes, questions, want, &what));
                        let unnoticed = Index::open(&bytes[..]).is_ok_and(|index| index.verify(|_, _| ()).is_ok());
                        assert!(!unnoticed, "verify misses {}", what());
                    }
                    bytes[at] = before;
                }
                refused
            })
        };
        let sweeps: Vec<_> = (0..threads).map(sweep).collect();
        sweeps.into_iter().map(|sweep| sweep.join().unwrap()).sum()
    });
    assert!(refused > good.len(), "most damage is met by some question: {refused} of {} bytes", good.len());
}

/// The command says what the library says: the selection of the whole model, or 66 and the section, and nothing else.
#[test]
fn a_damaged_model_selects_the_same_or_ends_with_66() {
    let folder = Folder::new();
    let good = model();
    folder.write("good", &good);
    folder.write("diff", SAMPLE_DIFF);
    let select = |model| {
        let flags = ["-t", "1", "--no-tree", "--no-last-failed", "--diff", "diff"];
        folder.run(&[&["select", "--model", model][..], &flags].concat(), "")
    };
    let want = select("good");
    assert!(want.code == 0 && want.stdout.lines().count() > 3, "{}", want.stderr);
    let mut refused = 0;
    let mut check = |bytes: &[u8], what: &dyn Fn() -> String| {
        folder.write("bad", bytes);
        let ran = select("bad");
        match ran.code {
            0 => assert_eq!(ran.stdout, want.stdout, "{}", what()),
            66 => {
                let names_the_part = ["section `", "section ", "covopt model", "format version", "its header says"];
                assert!(names_the_part.iter().any(|part| ran.stderr.contains(part)), "{}: {}", what(), ran.stderr);
                assert_eq!(ran.stdout, "", "{}", what());
                refused += 1;
            }
            code => panic!("{}: exit code {code}: {}", what(), ran.stderr),
        }
    };
    for at in (0..good.len()).step_by(151) {
        for after in [0, 0xff, !good[at]] {
            let mut bytes = good.to_vec();
            bytes[at] = after;
            check(&bytes, &|| format!("byte {at} became {after:#04x}"));
        }
        check(&good[..at], &|| format!("{at} bytes"));
    }
    assert!(refused > good.len() / 151, "{refused}");
}

/// A merge reads nearly all of a model, by the same accessors. Where it is slow, a byte in thirty is enough to tell that it
/// trusts no other.
#[test]
fn a_damaged_model_merges_to_the_same_or_not_at_all() {
    let good = model();
    let merge = |bytes: &[u8]| {
        let mut aligned = rkyv::util::AlignedVec::<64>::new();
        aligned.extend_from_slice(bytes);
        let index = Index::open(&aligned[..]).ok()?;
        let merged = Merged::join(&[&index], None, Observations::default(), |_, _, _| ()).ok()?;
        let mut file = std::io::Cursor::new(Vec::new());
        merged.write(|_, _, _| (), &mut file).ok()?;
        Some(file.into_inner())
    };
    assert!(merge(&good).as_deref() == Some(&good[..]));
    let step = if cfg!(debug_assertions) { 29 } else { 2 };
    let mut refused = 0;
    for at in (0..good.len()).step_by(step) {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x41;
        match merge(&bytes) {
            Some(merged) => {
                let index = Index::open(&good[..]).unwrap();
                let here = index.preamble().sections.iter().rfind(|section| section.extent.offset <= at);
                assert!(merged == good[..], "byte {at} of {here:?}");
            }
            None => refused += 1,
        }
    }
    assert!(refused > good.len() / step / 2, "{refused}");
}

#[test]
fn every_truncation_is_refused() {
    let good = model();
    for length in 0..good.len() {
        assert!(Index::open(&good[..length]).is_err(), "{length} bytes");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(matches!(Index::open(&longer[..]), Err(ModelError::Length { .. })));
}

#[test]
fn an_unaligned_buffer_is_refused() {
    let good = model();
    let mut shifted: AlignedVec<64> = AlignedVec::new();
    shifted.push(0);
    shifted.extend_from_slice(&good);
    assert_eq!(Index::open(&shifted[1..]).map(|_| ()), Err(ModelError::Misaligned));
    assert!(Index::open(&b""[..]).is_err());
}

#[test]
fn what_is_no_model_is_told_apart() {
    let mut text: AlignedVec<64> = AlignedVec::new();
    text.extend_from_slice(b"{\"tests\": []}");
    assert_eq!(Index::open(&text[..]).map(|_| ()), Err(ModelError::NotAModel { found: b"{\"tests\"".to_vec() }));
}
