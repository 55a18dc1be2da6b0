//! Diffs of four kinds, and which tests run what they change.
//!
//! The answers are told from the regions' own tests and never through a model. Each kind comes twice: once with a text that has
//! no word of any test, in files and functions whose names have none, so that coverage alone is asked; and once with so many
//! different words of tests, drawn as tests draw theirs.
//!
//! The regions come from the first files, which every larger model has too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::code::{SourceFile, is_spoken_of};
use crate::coverage::Model;
use crate::random::{Random, at, mix, rounded};
use crate::suite::position;
use crate::words::{WORDS, code_word, spoken_word};

/// A kind of diff, for a suite of a million tests.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    regions: u32,
    regions_of_file: u32,
    postings: u32,
    /// Whether the postings grow with the suite.
    grows: bool,
    words: u32,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind { name: "small", regions: 5, regions_of_file: 1, postings: 100, grows: false, words: 40 },
    Kind { name: "medium", regions: 40, regions_of_file: 4, postings: 2_000, grows: false, words: 120 },
    Kind { name: "wide", regions: 40, regions_of_file: 2, postings: 80_000, grows: true, words: 120 },
    Kind { name: "hub", regions: 200, regions_of_file: 1, postings: 2_000_000, grows: true, words: 300 },
];

/// The files that regions are taken from.
pub(crate) const FILES: u32 = 10_000;
/// How far the size of a region may be from the mean of its diff, as a factor.
const SPAN: u32 = 16;
/// Lines around what is changed.
const CONTEXT: u32 = 3;

/// A changed region as the answers tell it.
#[derive(Serialize)]
pub(crate) struct ChangedRegion {
    path: String,
    /// The old lines that the diff replaces.
    lines: Vec<u32>,
    tests: u32,
}

/// The answer to a diff.
#[derive(Serialize)]
pub(crate) struct Expected {
    pub(crate) regions: Vec<ChangedRegion>,
    /// Different words of tests that the text was given.
    words: usize,
    pub(crate) postings: u64,
    pub(crate) candidates: u32,
    /// Of the ids of the candidates, ascending, each with a line end.
    pub(crate) xxh3: String,
}

/// A diff and its answer.
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) diff: String,
    pub(crate) expected: Expected,
}

/// Regions of one file.
struct Group {
    file: u32,
    regions: Vec<u32>,
    tests: u32,
}

/// The diffs of all kinds, without words and with them.
pub(crate) fn changes(model: &Model) -> Vec<Change> {
    let sizes = Sizes::of(model);
    let mut changes = Vec::new();
    let mut ran = vec![0_u8; model.suite.tests as usize];
    for kind in &KINDS {
        for has_words in [false, true] {
            let groups = sizes.choose(model, kind, has_words);
            for (file, region) in groups.iter().flat_map(|group| group.regions.iter().map(|&at| (group.file, at))) {
                let tests = model.file(file).regions[region as usize].tests;
                tests.each(&model.clumps, &(0..model.suite.tests), |test| ran[test as usize] |= 1 << changes.len());
            }
            changes.push(change(model, kind, has_words, &groups));
        }
    }
    identify(model, &ran, &mut changes);
    changes
}

/// The sizes of the regions of the first files.
struct Sizes(Vec<Vec<u32>>);

impl Sizes {
    fn of(model: &Model) -> Self {
        let files = (0..position(model.code.places.len()).min(FILES)).map(|file| model.file(file));
        let size = |file: SourceFile| {
            file.regions.iter().map(|region| region.tests.count(&model.clumps, model.suite.tests)).collect()
        };
        Self(files.map(size).collect())
    }

    /// Regions with about as many postings as a diff of the kind has: evenly spaced by size, from the smallest on, without
    /// as many of the largest, or else of the smallest, as bring the sum about right.
    fn choose(&self, model: &Model, kind: &Kind, has_words: bool) -> Vec<Group> {
        let postings = match kind.grows {
            true => f64::from(kind.postings) * f64::from(model.suite.tests) / 1e6,
            false => f64::from(kind.postings),
        };
        let mean = rounded(postings / f64::from(kind.regions)).max(1);
        let within = mean / SPAN..mean.saturating_mul(SPAN);
        let mut groups: Vec<Group> = (0..position(self.0.len()))
            .filter(|&file| is_spoken_of(file) == has_words)
            .filter_map(|file| self.group(model, file, kind, &within))
            .collect();
        groups.sort_by_key(|group| (group.tests, group.file));
        let count = (kind.regions / kind.regions_of_file) as usize;
        let (all, most) = (groups.len(), rounded(postings));
        let sum = |part: Range<usize>| spaced(part, count).map(|at| groups[at].tests).sum::<u32>();
        // Sums grow with the end and with the start.
        let end =
            (count.min(all)..all).collect::<Vec<_>>().partition_point(|&end| sum(0..end) <= most) + count.min(all);
        let start = match end == all {
            true => {
                (0..=all.saturating_sub(count)).collect::<Vec<_>>().partition_point(|&start| sum(start..all) < most)
            }
            false => 0,
        };
        let start = start.min(all.saturating_sub(count));
        let chosen: BTreeSet<usize> = spaced(start..end, count).collect();
        let groups = groups.into_iter().enumerate();
        groups.filter_map(|(at, group)| chosen.contains(&at).then_some(group)).collect()
    }

    /// Regions of a file that are as large as asked for, each of another function, if it has so many.
    fn group(&self, model: &Model, file: u32, kind: &Kind, within: &Range<u32>) -> Option<Group> {
        let sizes = &self.0[file as usize];
        let made = model.file(file);
        let mut regions = Vec::new();
        let mut taken = None;
        for (at, region) in (0..).zip(&made.regions) {
            if within.contains(&sizes[at as usize]) && taken != Some(region.tests.crowd) {
                taken = Some(region.tests.crowd);
                regions.push(at);
            }
        }
        regions.truncate(kind.regions_of_file as usize);
        let tests = regions.iter().map(|&at| sizes[at as usize]).sum();
        (position(regions.len()) == kind.regions_of_file).then_some(Group { file, regions, tests })
    }
}

/// `count` positions of a range, evenly spaced; all of a range that has no more.
fn spaced(range: Range<usize>, count: usize) -> impl Iterator<Item = usize> {
    let (start, length) = (range.start, range.len());
    let count = count.min(length);
    (0..count).map(move |at| start + at * length / count)
}

/// Writes a diff that changes the first lines of each region.
fn change(model: &Model, kind: &Kind, has_words: bool, groups: &[Group]) -> Change {
    let mut by_path: BTreeMap<String, (u32, SourceFile, BTreeSet<u32>)> = BTreeMap::new();
    let mut regions = Vec::new();
    for group in groups {
        let file = model.file(group.file);
        let mut lines = BTreeSet::new();
        for &region in &group.regions {
            let run = file.runs.iter().find(|run| run.region == region).expect("every region has lines");
            let changed: Vec<u32> = (run.first..=run.last).take(2).collect();
            lines.extend(&changed);
            let tests = file.regions[region as usize].tests.count(&model.clumps, model.suite.tests);
            regions.push(ChangedRegion { path: file.path.clone(), lines: changed, tests });
        }
        by_path.insert(file.path.clone(), (group.file, file, lines));
    }
    let mut texts = Texts::new(model, by_path.values(), if has_words { kind.words } else { 0 });
    let mut diff = String::new();
    for (number, file, lines) in by_path.values() {
        write_file(&mut diff, *number, file, lines, &mut texts);
    }
    regions.sort_by(|a: &ChangedRegion, b| (&a.path, &a.lines).cmp(&(&b.path, &b.lines)));
    let postings = regions.iter().map(|region| u64::from(region.tests)).sum();
    let expected = Expected { regions, words: texts.words, postings, candidates: 0, xxh3: String::new() };
    Change { name: kind.name.to_owned() + if has_words { ".words" } else { "" }, diff, expected }
}

/// What changed lines say.
struct Texts {
    words: usize,
    /// By file and changed line.
    of_lines: BTreeMap<(u32, u32), Vec<String>>,
}

impl Texts {
    /// Different words of tests, in turn for each changed line.
    fn new<'a>(model: &Model, files: impl Iterator<Item = &'a (u32, SourceFile, BTreeSet<u32>)>, words: u32) -> Self {
        let lines: Vec<(u32, u32, u32)> =
            files.flat_map(|(number, file, lines)| lines.iter().map(|&line| (*number, line, file.package))).collect();
        let mut random = Random::new(at(model.suite.seed, 6));
        let (mut of_lines, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for &(file, line, package) in lines.iter().cycle().take(if lines.is_empty() { 0 } else { words as usize }) {
            let word = loop {
                let word = spoken_word(package, random.number());
                if seen.insert(word.clone()) {
                    break word;
                }
            };
            of_lines.entry((file, line)).or_insert_with(Vec::new).push(word);
        }
        Self { words: seen.len(), of_lines }
    }

    /// A line as it was, or is now.
    fn line(&self, file: u32, line: u32, is_new: bool) -> String {
        let seed = at(u64::from(file), line.into());
        let code = |at_word: u64| code_word(crate::random::below(at(seed, at_word), WORDS));
        let words = self.of_lines.get(&(file, line)).map_or(&[][..], Vec::as_slice);
        let (old, new) = words.split_at(words.len().div_ceil(2));
        let mut arguments = if is_new { new } else { old }.to_vec();
        if arguments.is_empty() {
            arguments.push(code(if is_new { 3 } else { 2 }));
        }
        match mix(seed) % 3 {
            0 => format!("    {} = {}({})", code(1), code(0), arguments.join(", ")),
            1 => format!("    return {}({})", code(0), arguments.join(", ")),
            _ => format!("        {}.{}({})", code(1), code(0), arguments.join(", ")),
        }
    }
}

/// Writes what is changed of a file as git does: hunks that would share context are one.
fn write_file(diff: &mut String, number: u32, file: &SourceFile, lines: &BTreeSet<u32>, texts: &mut Texts) {
    let path = &file.path;
    let _ = writeln!(diff, "diff --git a/{path} b/{path}");
    let [old, new] = [0, 1].map(|side| at(number.into(), side) >> 36);
    let _ = writeln!(diff, "index {old:07x}..{new:07x} 100644\n--- a/{path}\n+++ b/{path}");
    let changed: Vec<u32> = lines.iter().copied().collect();
    for hunk in changed.chunk_by(|before, next| next - before <= 2 * CONTEXT) {
        let first = hunk[0].saturating_sub(CONTEXT).max(1);
        let last = (hunk[hunk.len() - 1] + CONTEXT).min(file.lines);
        let count = last - first + 1;
        let function = file.functions.iter().rev().find(|function| function.first < first);
        let heading = function.map_or(String::new(), |function| format!(" def {}(self):", function.name));
        let _ = writeln!(diff, "@@ -{first},{count} +{first},{count} @@{heading}");
        let mut line = first;
        while line <= last {
            let block = (line..=last).take_while(|line| lines.contains(line)).count();
            let end = line + position(block);
            for (mark, is_new) in [('-', false), ('+', true)] {
                (line..end).for_each(|line| {
                    let _ = writeln!(diff, "{mark}{}", texts.line(number, line, is_new));
                });
            }
            if block == 0 {
                let _ = writeln!(diff, " {}", texts.line(number, line, false));
            }
            line = end.max(line + 1);
        }
    }
}

/// Counts and sums the tests whose bits are set, by their ids.
fn identify(model: &Model, ran: &[u8], changes: &mut [Change]) {
    let mut sums: Vec<Xxh3> = changes.iter().map(|_| Xxh3::new()).collect();
    let mut test = 0;
    for (file, first, end) in model.suite.files(0, model.suite.tests) {
        for id in model.suite.ids(file, end - first) {
            for (at, (change, sum)) in changes.iter_mut().zip(&mut sums).enumerate() {
                if ran[test] >> at & 1 == 1 {
                    change.expected.candidates += 1;
                    sum.update(id.as_bytes());
                    sum.update(b"\n");
                }
            }
            test += 1;
        }
    }
    for (change, sum) in changes.iter_mut().zip(&sums) {
        change.expected.xxh3 = format!("{:016x}", sum.digest());
    }
}

#[cfg(test)]
mod tests {
    use covopt::build::build;
    use covopt::candidate::impacted;
    use covopt::change::{Change as Read, Mapping};
    use covopt::diff::{self, LineKind};
    use covopt::ingest::{Context, Ingest};
    use covopt::model::Index;
    use covopt::words::{Field, Word, each_word, file_stem, subject_of, test_words};
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    const TESTS: u32 = 3_000;

    fn model() -> Model {
        Model::new(1, TESTS, 400_000)
    }

    #[test]
    fn covopt_finds_the_tests_that_were_put_there() {
        let model = model();
        let mut coverage = Vec::new();
        model.write_coverage(false, &mut coverage).unwrap();
        let mut symbols = Vec::new();
        model.write_symbols(&mut symbols).unwrap();
        let mut ingest = Ingest::new();
        for bytes in [&coverage, &symbols] {
            ingest.bytes("generated", bytes, &Context::new("/tree")).unwrap();
        }
        let bytes = build(&ingest.finish().0, None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        for Change { name, diff, expected } in changes(&model) {
            let read = Read::read(&index, &diff::parse(diff.as_bytes()).unwrap(), Mapping::default()).unwrap();
            assert!(read.unmapped.is_empty(), "{name}");
            let tests = impacted(&index, &read).unwrap();
            let ids: String = tests.iter().map(|&test| index.test_name(test).unwrap() + "\n").collect();
            assert_eq!(position(tests.len()), expected.candidates, "{name}");
            assert_eq!(format!("{:016x}", xxh3_64(ids.as_bytes())), expected.xxh3, "{name}");
        }
    }

    #[test]
    fn a_diff_replaces_the_lines_of_its_regions_and_no_others() {
        for Change { name, diff, expected } in changes(&model()) {
            let parsed = diff::parse(diff.as_bytes()).unwrap();
            let mut found: BTreeSet<(String, u32)> = BTreeSet::new();
            let mut balance = 0;
            for file in &parsed.files {
                let path = String::from_utf8(file.path().to_vec()).unwrap();
                for line in file.hunks.iter().flat_map(|hunk| hunk.lines()) {
                    match line.kind {
                        LineKind::Removed => balance += usize::from(found.insert((path.clone(), line.old_line))),
                        LineKind::Added => balance -= 1,
                        LineKind::Context => {}
                    }
                }
            }
            let regions = expected.regions.iter();
            let want = regions.flat_map(|region| region.lines.iter().map(|&line| (region.path.clone(), line)));
            assert_eq!(found, want.collect(), "{name}");
            assert_eq!(balance, 0, "{name}: a line is replaced by a line");
        }
    }

    /// The words of a text, of any field.
    fn words(text: &str) -> BTreeSet<Word> {
        let mut words = BTreeSet::new();
        for field in [Field::Text, Field::Name] {
            each_word(text, field, |word| {
                words.insert(word);
            });
        }
        words
    }

    #[test]
    fn a_diff_has_as_many_words_of_tests_as_it_says() {
        let model = model();
        let mut of_tests = BTreeSet::new();
        for (file, first, end) in model.suite.files(0, TESTS) {
            for id in model.suite.ids(file, end - first) {
                let text = model.suite.text(file.package, &id);
                of_tests.extend(test_words(&id, None, Some(&text)).into_keys());
            }
        }
        for Change { name, diff, expected } in changes(&model) {
            let mut found =
                words(&diff.lines().filter(|line| !line.starts_with("diff ")).collect::<Vec<_>>().join("\n"));
            for region in &expected.regions {
                found.extend(words(file_stem(&region.path)));
                found.extend(subject_of(&region.path));
            }
            // The paths of files are words of headers alone.
            let headers =
                words(&expected.regions.iter().map(|region| region.path.as_str()).collect::<Vec<_>>().join(" "));
            let shared = found.intersection(&of_tests).filter(|word| !headers.contains(word)).count();
            match name.strip_suffix(".words") {
                None => assert_eq!((shared, expected.words), (0, 0), "{name}"),
                Some(kind) => {
                    let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
                    assert_eq!(expected.words, kind.words as usize, "{name}");
                    // Not every word that is drawn is in a test of so small a suite.
                    assert!(shared > expected.words / 2, "{name}: {shared}");
                }
            }
        }
    }

    #[test]
    fn diffs_are_as_large_as_was_asked_for() {
        let model = Model::new(1, 20_000, 2_000_000);
        for (change, kind) in changes(&model).iter().zip(KINDS.iter().flat_map(|kind| [kind, kind])) {
            let want = if kind.grows { u64::from(kind.postings) / 50 } else { kind.postings.into() };
            let Expected { regions, postings, .. } = &change.expected;
            assert_eq!(position(regions.len()), kind.regions, "{}", change.name);
            assert!((want * 19 / 20..=want * 21 / 20).contains(postings), "{}: {postings} of {want}", change.name);
        }
    }

    #[test]
    fn a_larger_model_has_the_same_diffs() {
        let [small, large] = [8_500_000, 9_500_000].map(|postings| changes(&Model::new(1, 3_000, postings)));
        for (small, large) in small.iter().zip(&large) {
            assert_eq!(small.name, large.name);
            assert!(small.diff == large.diff && small.expected.xxh3 == large.expected.xxh3, "{}", small.name);
        }
    }
}
