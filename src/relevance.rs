//! How much a test's words have in common with those of a change: BM25 over the vocabulary of the model.
//!
//! The query is the diff's own text with the names of the changed symbols and files. A test's score is the sum over the
//! words of the query of idf x weight x damped count (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
//! and Beyond", 2009), with the counts that the model holds and the statistics of its lists. The lists of the words are read
//! abreast, so that a test is known as a whole when it is passed: its length is looked up once, and nothing of the size of the
//! suite is made. Sums run in a fixed order of the words, so that the same question has the same answer on any machine.

use std::collections::BTreeMap;

use crate::change::Change;
use crate::diff::{Diff, LineKind};
use crate::id::TestId;
use crate::model::{Index, ModelError, PostingList, Reader, dequantize_count, each_test};
use crate::signal::Evidence;
use crate::words::{Field, Word, each_word, file_stem, subject_of};

/// BM25's damping of repeats.
const K1: f64 = 1.2;
/// BM25's correction for long tests.
const B: f64 = 0.75;
/// Weight of a word in a removed line, each time.
const REMOVED: f64 = 1.0;
/// Weight of a word in an added line, each time.
const ADDED: f64 = 0.5;
/// Weight of a word in a context line or a hunk's heading, once a line.
const CONTEXT: f64 = 0.3;
/// Weight of a word in the name of a changed symbol, once a symbol.
const SYMBOL_NAME: f64 = 2.0;
/// Weight of a word in the name of a changed file.
const FILE_NAME: f64 = 1.0;
/// What a change asks of the vocabulary.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Words of the change, ascending, with their weights.
    words: Vec<(Word, f64)>,
    /// Words of the changed symbols' names, as names of tests have them.
    names: Vec<Word>,
    /// What the changed files are about, as files of tests are called after them.
    subjects: Vec<Word>,
}

impl Query {
    /// Gathers the words of a change.
    pub fn of(diff: &Diff<'_>, change: &Change) -> Self {
        let mut words: BTreeMap<Word, f64> = BTreeMap::new();
        for hunk in diff.files.iter().flat_map(|file| &file.hunks) {
            once(&mut words, &text(hunk.heading), CONTEXT);
            for line in hunk.lines() {
                match line.kind {
                    LineKind::Removed => each(&mut words, &text(line.text), REMOVED),
                    LineKind::Added => each(&mut words, &text(line.text), ADDED),
                    LineKind::Context => once(&mut words, &text(line.text), CONTEXT),
                }
            }
        }
        let mut query = Self::default();
        for symbol in &change.symbols {
            once(&mut words, &symbol.name, SYMBOL_NAME);
            each_word(&symbol.name, Field::Name, |word| query.names.push(word));
        }
        for file in &diff.files {
            let path = text(file.old_path.as_deref().unwrap_or(file.path()));
            each(&mut words, file_stem(&path), FILE_NAME);
            query.subjects.extend(subject_of(&path));
        }
        for words in [&mut query.names, &mut query.subjects] {
            words.sort_unstable();
            words.dedup();
        }
        query.words = words.into_iter().collect();
        query
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn each(words: &mut BTreeMap<Word, f64>, text: &str, weight: f64) {
    each_word(text, Field::Text, |word| *words.entry(word).or_insert(0.0) += weight);
}

fn once(words: &mut BTreeMap<Word, f64>, text: &str, weight: f64) {
    let mut seen = Vec::new();
    each_word(text, Field::Text, |word| seen.push(word));
    seen.sort_unstable();
    seen.dedup();
    for word in seen {
        *words.entry(word).or_insert(0.0) += weight;
    }
}

/// What the words say of each test.
#[derive(Clone, Debug, Default)]
pub struct Relevance {
    scores: Sparse<f64>,
    most: f64,
    /// The rarity of the words of the changed symbols' names that its own name holds.
    names: Sparse<f64>,
    /// The rarity of all of them.
    name_rarity: f64,
    mirrors: Sparse<()>,
}

/// The lists that are read for a query: first those of its words, then those of names and of subjects.
struct Asked<'a> {
    lists: Vec<Reader<'a>>,
    /// What each word adds at most.
    gains: Vec<f64>,
    /// How rare each name is that the model has.
    names: Vec<f64>,
    /// How rare all names are together.
    name_rarity: f64,
}

impl Relevance {
    /// Scores every test that has a word of the query; of a long query the 64 that can add the most are asked, as long as
    /// few tests have them. O(postings of these words).
    ///
    /// # Errors
    /// If a bucket or a list on the way is damaged.
    pub fn score<D: AsRef<[u8]>>(index: &Index<D>, query: &Query) -> Result<Self, ModelError> {
        let Asked { mut lists, gains, names, name_rarity } = Asked::of(index, query)?;
        let mut found = Self { name_rarity, ..Self::default() };
        let root = index.root();
        let mean = (root.word_total as f64 / f64::from(root.tests).max(1.0)).max(1.0);
        let counts: [f64; 256] = std::array::from_fn(|byte| dequantize_count(u8::try_from(byte).unwrap_or(u8::MAX)));
        let mut lengths = index.word_counts()?.reader();
        let mut failed = Ok(());
        each_test(&mut lists, |test, entries| {
            let of_words = entries.partition_point(|entry| entry.list() < gains.len());
            let (words, others) = entries.split_at(of_words);
            if !words.is_empty() {
                let length = lengths.get(test.0).unwrap_or_else(|error| {
                    failed = Err(error);
                    None
                });
                let damping = K1 * (1.0 - B + B * f64::from(length.unwrap_or(0)) / mean);
                let score = words.iter().fold(0.0, |score, entry| {
                    let count = counts[usize::from(entry.byte())];
                    score + gains[entry.list()] * count / (count + damping)
                });
                found.most = found.most.max(score);
                found.scores.push(test, score);
            }
            let name = |at: usize| names.get(at - gains.len()).copied();
            let rarity = others.iter().filter_map(|entry| name(entry.list())).sum::<f64>();
            if rarity > 0.0 {
                found.names.push(test, rarity);
            }
            if others.iter().any(|entry| name(entry.list()).is_none()) {
                found.mirrors.push(test, ());
            }
        })?;
        failed.map(|()| found)
    }

    /// What words and names say of a test. O(log tests that they speak of).
    pub fn evidence(&self, test: TestId) -> Evidence {
        let (score, name, mirror) = (self.scores.get(test), self.names.get(test), self.mirrors.get(test));
        self.evidence_of(score, name, mirror)
    }

    fn evidence_of(&self, score: Option<f64>, name: Option<f64>, mirror: Option<()>) -> Evidence {
        let part = |of: Option<f64>, whole: f64| if whole > 0.0 { of.unwrap_or(0.0) / whole } else { 0.0 };
        Evidence {
            words: part(score, self.most),
            name: part(name, self.name_rarity),
            mirror: f64::from(u8::from(mirror.is_some())),
            ..Evidence::default()
        }
    }

    /// What they say of tests that are asked about in ascending order.
    pub(crate) fn ascending(&self) -> Ascending<'_> {
        Ascending { relevance: self, scores: 0, names: 0, mirrors: 0, next: TestId(0) }
    }

    /// Of the tests that have a word in common with the change the `most` with the most, ascending; of equals the first.
    pub fn nearest(&self, most: usize) -> Vec<TestId> {
        let Sparse { tests, values } = &self.scores;
        if most >= tests.len() {
            return tests.clone();
        }
        // A step of a greater score is no lower: whole steps are left out before any two scores are compared.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of steps")]
        let step_of = |score: f64| (score / self.most * STEPS as f64) as usize;
        let mut held = [0usize; STEPS + 1];
        values.iter().for_each(|&score| held[step_of(score)] += 1);
        let mut kept = 0;
        let lowest = (0..=STEPS).rev().find(|&step| {
            kept += held[step];
            kept >= most
        });
        let near = tests.iter().zip(values).filter(|&(_, &score)| Some(step_of(score)) >= lowest);
        let mut near: Vec<(TestId, f64)> = near.map(|(&test, &score)| (test, score)).collect();
        if most < near.len() {
            near.select_nth_unstable_by(most, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            near.truncate(most);
        }
        let mut near: Vec<TestId> = near.into_iter().map(|(test, _)| test).collect();
        near.sort_unstable();
        near
    }
}

/// Steps of scores that [`Relevance::nearest`] tells apart at first.
const STEPS: usize = 1 << 10;

/// [`Relevance`], asked about tests in ascending order: each answer is looked for from the one before.
pub(crate) struct Ascending<'a> {
    relevance: &'a Relevance,
    scores: usize,
    names: usize,
    mirrors: usize,
    /// Of no test below this one, from the last that was asked about on, is anything said.
    next: TestId,
}

impl Ascending<'_> {
    /// What words and names say of a test, if anything.
    #[inline]
    pub(crate) fn evidence(&mut self, test: TestId) -> Option<Evidence> {
        if test < self.next { None } else { self.look_up(test) }
    }

    fn look_up(&mut self, test: TestId) -> Option<Evidence> {
        let Relevance { scores, names, mirrors, .. } = self.relevance;
        let score = scores.get_from(&mut self.scores, test);
        let (name, mirror) = (names.get_from(&mut self.names, test), mirrors.get_from(&mut self.mirrors, test));
        let heads = [scores.tests.get(self.scores), names.tests.get(self.names), mirrors.tests.get(self.mirrors)];
        self.next = heads.into_iter().flatten().copied().min().unwrap_or(TestId(u32::MAX));
        let speaks = score.is_some() || name.is_some() || mirror.is_some();
        speaks.then(|| self.relevance.evidence_of(score, name, mirror))
    }
}

/// How many words of a change are asked. The frequent ones are the first to be left out: they cost most, for many tests have
/// them, and say least. Bounds on the scores (MaxScore) leave out next to nothing here, for of some hundred words the best test
/// has a few, so that all others together always could add more.
const WORDS_MOST: usize = 64;

/// How many postings of the words are read, over all of them. A word is left out where its tests would be more: as of
/// [`WORDS_MOST`], the frequent words say least and cost most. On six suites of up to 3,000 tests it changes no selection.
const WORD_POSTINGS_MOST: u32 = 1 << 15;

impl<'a> Asked<'a> {
    fn of<D: AsRef<[u8]>>(index: &'a Index<D>, query: &Query) -> Result<Self, ModelError> {
        let tests = f64::from(index.root().tests);
        let mut asked = Self { lists: Vec::new(), gains: Vec::new(), names: Vec::new(), name_rarity: 0.0 };
        for (gain, list) in words_asked(index, query)? {
            asked.gains.push(gain);
            asked.lists.push(Reader::Weighted(list.pages()?));
        }
        for &word in &query.names {
            let list = index.word(word)?;
            let rarity = rarity(tests, list);
            asked.name_rarity += rarity;
            if let Some(list) = list {
                asked.names.push(rarity);
                asked.lists.push(Reader::Plain(list.pages()?));
            }
        }
        for &word in &query.subjects {
            if let Some(list) = index.word(word)? {
                asked.lists.push(Reader::Plain(list.pages()?));
            }
        }
        Ok(asked)
    }
}

/// The words of a query that the model has and that are asked, by how much each can add at most, the greatest first: what
/// it adds, and its tests.
fn words_asked<'a, D: AsRef<[u8]>>(
    index: &'a Index<D>,
    query: &Query,
) -> Result<Vec<(f64, PostingList<'a>)>, ModelError> {
    let tests = f64::from(index.root().tests);
    let mut asked = Vec::with_capacity(query.words.len());
    for &(word, weight) in &query.words {
        if let Some(list) = index.word(word)? {
            asked.push((rarity(tests, Some(list)) * libm::log1p(weight) * (K1 + 1.0), word, list));
        }
    }
    asked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    asked.truncate(WORDS_MOST);
    let mut left = WORD_POSTINGS_MOST;
    let asked = asked.into_iter().map(|(gain, _, list)| (gain, list));
    Ok(asked.filter(|(_, list)| takes(&mut left, list.count())).collect())
}

/// Whether so many are left; they are taken.
fn takes(left: &mut u32, count: u32) -> bool {
    let rest = left.checked_sub(count);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

/// BM25's idf of a word: of `tests`, these have it.
fn rarity(tests: f64, list: Option<PostingList<'_>>) -> f64 {
    let holders = f64::from(list.map_or(0, |list| list.count()));
    libm::log1p((tests - holders + 0.5) / (holders + 0.5))
}

/// A value for some tests, which ascend.
#[derive(Clone, Debug)]
struct Sparse<T> {
    tests: Vec<TestId>,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { tests: Vec::new(), values: Vec::new() }
    }
}

impl<T: Copy> Sparse<T> {
    /// Adds a test above all others.
    fn push(&mut self, test: TestId, value: T) {
        self.tests.push(test);
        self.values.push(value);
    }

    fn get(&self, test: TestId) -> Option<T> {
        self.tests.binary_search(&test).ok().map(|at| self.values[at])
    }

    /// The value of a test, looked for from `from` on, which no lower test is behind; `from` moves there. In strides that double:
    /// the next is mostly near.
    #[inline]
    fn get_from(&self, from: &mut usize, test: TestId) -> Option<T> {
        let mut stride = 1;
        while self.tests.get(*from + stride - 1).is_some_and(|&passed| passed < test) {
            *from += stride;
            stride *= 2;
        }
        let end = self.tests.len().min(*from + stride - 1);
        *from += self.tests[(*from).min(end)..end].partition_point(|&passed| passed < test);
        self.tests.get(*from).filter(|&&found| found == test).map(|_| self.values[*from])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::build::build;
    use crate::observation::Observations;

    #[test]
    fn of_a_long_query_the_words_of_many_tests_are_left_out() {
        let mut seen = Observations::default();
        let word =
            |at: usize| format!("word{}{}", char::from(b'a' + (at / 26) as u8), char::from(b'a' + (at % 26) as u8));
        for at in 0..WORDS_MOST + 6 {
            let test = seen.test(&format!("t::{at}"));
            seen.text(test, &format!("{} everywhere", word(at)));
        }
        let bytes = build(&seen, None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let ask = |rare: usize| {
            let mut words = BTreeMap::new();
            (0..rare).for_each(|at| each(&mut words, &word(at), 1.0));
            each(&mut words, "everywhere", 5.0);
            let query = Query { words: words.into_iter().collect(), ..Query::default() };
            let holders = words_asked(&index, &query).unwrap().into_iter().map(|(_, list)| list.count() as usize);
            holders.collect::<Vec<_>>()
        };
        assert_eq!(ask(2), [1, 1, WORDS_MOST + 6], "a short query is asked whole, what adds most first");
        assert_eq!(ask(WORDS_MOST + 6), [1; WORDS_MOST]);
    }

    #[test]
    fn a_word_of_too_many_tests_is_left_out_and_rarer_ones_are_not() {
        let (most, mut left) = (10u32, 10u32);
        let taken: Vec<u32> = [4, 7, 6, 1].into_iter().filter(|&count| takes(&mut left, count)).collect();
        assert_eq!((taken.iter().sum::<u32>(), taken), (most, vec![4, 6]));
    }

    proptest! {
        #[test]
        fn what_is_looked_for_in_order_is_what_is_looked_up(
            held in prop::collection::btree_set(0u32..400, 0..80), asked in prop::collection::btree_set(0u32..420, 0..80)
        ) {
            let mut sparse = Sparse::default();
            held.iter().for_each(|&test| sparse.push(TestId(test), test));
            let mut from = 0;
            for test in asked.into_iter().map(TestId) {
                prop_assert_eq!(sparse.get_from(&mut from, test), sparse.get(test));
                prop_assert_eq!(sparse.get(test).is_some(), held.contains(&test.0));
            }
        }

        #[test]
        fn the_nearest_have_the_greatest_scores(scores in prop::collection::vec(0u8..40, 1..300), most in 0usize..40) {
            let mut relevance = Relevance::default();
            for (test, &score) in (0..).map(TestId).zip(&scores) {
                if score > 0 {
                    relevance.most = relevance.most.max(score.into());
                    relevance.scores.push(test, score.into());
                }
            }
            let mut want: Vec<(u8, TestId)> = scores.into_iter().zip((0..).map(TestId)).filter(|of| of.0 > 0).collect();
            want.sort_by_key(|&(score, test)| (std::cmp::Reverse(score), test));
            let mut want: Vec<TestId> = want.into_iter().take(most).map(|(_, test)| test).collect();
            want.sort_unstable();
            prop_assert_eq!(relevance.nearest(most), want);
        }
    }
}
