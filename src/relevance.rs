//! How much a test's words have in common with those of a change: BM25 over the vocabulary of the model.
//!
//! The query is the diff's own text with the names of the changed symbols and files. A test's score is the sum over the
//! words of the query of idf x weight x damped count (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
//! and Beyond", 2009), with the counts that the model holds and the statistics of its lists. The lists of the words are read
//! once, and a test is scored when it is asked about: nothing of the size of the suite is made. Sums run in a fixed
//! order of the words, so that the same question has the same answer on any machine.

mod held;

use std::collections::BTreeMap;

use self::held::{Words, passed};
use crate::change::Change;
use crate::diff::{Diff, FileDiff, LineKind};
use crate::id::TestId;
use crate::model::{Index, LengthReader, ModelError, PostingList, Reader, each_test};
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
        let hunks = diff.files.iter().flat_map(|file| &file.hunks);
        for hunk in hunks.filter(|hunk| !hunk.is_cosmetic) {
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
        let is_cosmetic =
            |file: &&FileDiff<'_>| !file.hunks.is_empty() && file.hunks.iter().all(|hunk| hunk.is_cosmetic);
        for file in diff.files.iter().filter(|file| !is_cosmetic(file)) {
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
    words: Words,
    /// The rarity of the words of the changed symbols' names that its own name holds.
    names: Sparse<f64>,
    /// The rarity of all of them.
    name_rarity: f64,
    mirrors: Sparse<()>,
}

/// The lists that are read for a query beside those of its words: first those of names, then those of subjects.
struct Asked<'a> {
    lists: Vec<Reader<'a>>,
    /// How rare each name is that the model has.
    names: Vec<f64>,
    /// How rare all names are together.
    name_rarity: f64,
}

impl Relevance {
    /// Finds the tests that have a word of the query, and how much the one with the most has in common; of a long query the
    /// 64 that can add the most are asked, as long as few tests have them. O(postings of these words).
    ///
    /// # Errors
    /// If a bucket or a list on the way is damaged.
    pub fn score<D: AsRef<[u8]>>(index: &Index<D>, query: &Query) -> Result<Self, ModelError> {
        let words = Words::read(index, &words_asked(index, query)?)?;
        let Asked { mut lists, names, name_rarity } = Asked::of(index, query)?;
        let mut found = Self { words, name_rarity, ..Self::default() };
        each_test(&mut lists, |test, entries| {
            let of_names = entries.partition_point(|entry| entry.list() < names.len());
            let (of_names, of_subjects) = entries.split_at(of_names);
            let rarity = of_names.iter().map(|entry| names[entry.list()]).sum::<f64>();
            if rarity > 0.0 {
                found.names.push(test, rarity);
            }
            if !of_subjects.is_empty() {
                found.mirrors.push(test, ());
            }
        })?;
        Ok(found)
    }

    /// What words and names say of a test. O(log tests that they speak of).
    ///
    /// # Errors
    /// If the chunk with its number of words is damaged.
    pub fn evidence<D: AsRef<[u8]>>(&self, index: &Index<D>, test: TestId) -> Result<Evidence, ModelError> {
        Ok(self.ascending(index)?.evidence(test)?.unwrap_or_default())
    }

    fn evidence_of(&self, score: Option<f64>, name: Option<f64>, mirror: Option<()>) -> Evidence {
        let part = |of: Option<f64>, whole: f64| if whole > 0.0 { of.unwrap_or(0.0) / whole } else { 0.0 };
        Evidence {
            words: part(score, self.words.most()),
            name: part(name, self.name_rarity),
            mirror: f64::from(u8::from(mirror.is_some())),
            ..Evidence::default()
        }
    }

    /// What they say of tests that are asked about in ascending order.
    pub(crate) fn ascending<'a, D: AsRef<[u8]>>(&'a self, index: &'a Index<D>) -> Result<Ascending<'a>, ModelError> {
        let lengths = index.word_lengths()?;
        Ok(Ascending { relevance: self, lengths, words: 0, names: 0, mirrors: 0, next: TestId(0) })
    }

    /// Of the tests that have a word in common with the change the `most` with the most, ascending; of equals the first.
    ///
    /// # Errors
    /// If a chunk with their numbers of words is damaged.
    pub fn nearest<D: AsRef<[u8]>>(&self, index: &Index<D>, most: usize) -> Result<Vec<TestId>, ModelError> {
        let tests = self.words.tests();
        match most >= tests.len() {
            true => Ok(tests),
            false => Ok(highest(&tests, &self.words.scores(&mut index.word_lengths()?)?, self.words.most(), most)),
        }
    }
}

/// Of tests, ascending, the `most` with the highest scores, of which `greatest` is the greatest; ascending.
fn highest(tests: &[TestId], scores: &[f64], greatest: f64, most: usize) -> Vec<TestId> {
    // A step of a greater score is no lower: whole steps are left out before any two scores are compared.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of steps")]
    let step_of = |score: f64| (score / greatest * STEPS as f64) as usize;
    let mut held = [0usize; STEPS + 1];
    scores.iter().for_each(|&score| held[step_of(score)] += 1);
    let mut kept = 0;
    let lowest = (0..=STEPS).rev().find(|&step| {
        kept += held[step];
        kept >= most
    });
    let near = tests.iter().zip(scores).filter(|&(_, &score)| Some(step_of(score)) >= lowest);
    let mut near: Vec<(TestId, f64)> = near.map(|(&test, &score)| (test, score)).collect();
    if most < near.len() {
        near.select_nth_unstable_by(most, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(most);
    }
    let mut near: Vec<TestId> = near.into_iter().map(|(test, _)| test).collect();
    near.sort_unstable();
    near
}

/// Steps of scores that [`Relevance::nearest`] tells apart at first.
const STEPS: usize = 1 << 10;

/// [`Relevance`], asked about tests in ascending order: each answer is looked for from the one before.
pub(crate) struct Ascending<'a> {
    relevance: &'a Relevance,
    lengths: LengthReader<'a>,
    words: usize,
    names: usize,
    mirrors: usize,
    /// Of no test below this one, from the last that was asked about on, is anything said.
    next: TestId,
}

impl Ascending<'_> {
    /// What words and names say of a test, if anything.
    #[inline]
    pub(crate) fn evidence(&mut self, test: TestId) -> Result<Option<Evidence>, ModelError> {
        if test < self.next { Ok(None) } else { self.look_up(test) }
    }

    fn look_up(&mut self, test: TestId) -> Result<Option<Evidence>, ModelError> {
        let Relevance { words, names, mirrors, .. } = self.relevance;
        let score = words.score_from(&mut self.words, test, &mut self.lengths)?;
        let (name, mirror) = (names.get_from(&mut self.names, test), mirrors.get_from(&mut self.mirrors, test));
        let heads = [words.test_at(self.words), names.test_at(self.names), mirrors.test_at(self.mirrors)];
        self.next = heads.into_iter().flatten().min().unwrap_or(TestId(u32::MAX));
        let speaks = score.is_some() || name.is_some() || mirror.is_some();
        Ok(speaks.then(|| self.relevance.evidence_of(score, name, mirror)))
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
        let mut asked = Self { lists: Vec::new(), names: Vec::new(), name_rarity: 0.0 };
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

    /// The value of a test, looked for from `from` on, which no lower test is behind; `from` moves there.
    #[inline]
    fn get_from(&self, from: &mut usize, test: TestId) -> Option<T> {
        *from += passed(&self.tests[*from..], |&passed| passed < test);
        self.tests.get(*from).filter(|&&found| found == test).map(|_| self.values[*from])
    }

    fn test_at(&self, at: usize) -> Option<TestId> {
        self.tests.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::build::build;
    use crate::model::dequantize_count;
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

    /// The score of every test by the formula, from what the model says of each.
    fn plain_scores(index: &Index<&[u8]>, query: &Query) -> Vec<(TestId, f64)> {
        let root = index.root();
        let mean = (root.word_total as f64 / f64::from(root.tests)).max(1.0);
        let mut scores: BTreeMap<TestId, f64> = BTreeMap::new();
        for (gain, list) in words_asked(index, query).unwrap() {
            for posting in list.to_vec().unwrap() {
                let length = f64::from(index.word_count(posting.test).unwrap());
                let count = dequantize_count(posting.signal);
                let damping = K1 * (1.0 - B + B * length / mean);
                *scores.entry(posting.test).or_insert(0.0) += gain * count / (count + damping);
            }
        }
        scores.into_iter().collect()
    }

    proptest! {
        /// Short texts and long ones, of words that few tests have and that most have.
        #[test]
        fn what_is_scored_when_asked_is_what_all_would_score(
            texts in prop::collection::vec(prop::collection::vec(0u32..30, 0..40), 1..60),
            query in prop::collection::btree_set(0u32..34, 0..12),
            asked in prop::collection::btree_set(0usize..60, 0..30),
        ) {
            let mut seen = Observations::default();
            let word = |at: &u32| format!("word{}x ", char::from(b'a' + (at * at / 30) as u8));
            for (at, text) in texts.iter().enumerate() {
                let test = seen.test(&format!("t::{at:02}"));
                seen.text(test, &text.iter().map(word).collect::<String>());
            }
            let bytes = build(&seen, None, |_| None);
            let index = Index::open(&bytes[..]).unwrap();
            let mut words = BTreeMap::new();
            query.iter().for_each(|at| each(&mut words, &word(at), 1.0));
            let query = Query { words: words.into_iter().collect(), ..Query::default() };
            let scores = plain_scores(&index, &query);
            let most = scores.iter().fold(0.0f64, |most, &(_, score)| most.max(score));
            let want: BTreeMap<TestId, f64> = scores.into_iter().map(|(test, score)| (test, score / most)).collect();
            let relevance = Relevance::score(&index, &query).unwrap();
            let mut ascending = relevance.ascending(&index).unwrap();
            for test in asked.into_iter().filter(|&at| at < texts.len()).map(|at| TestId(at as u32)) {
                let found = ascending.evidence(test).unwrap().map(|evidence| evidence.words);
                prop_assert_eq!(found, want.get(&test).copied());
                prop_assert_eq!(relevance.evidence(&index, test).unwrap().words, found.unwrap_or(0.0));
            }
            let near: Vec<f64> = relevance.nearest(&index, 5).unwrap().iter().map(|test| want[test]).collect();
            prop_assert_eq!(near.len(), want.len().min(5));
            let farther = want.values().filter(|&&score| near.iter().all(|&near| score > near)).count();
            prop_assert_eq!(farther, 0, "the nearest are not the ones with the most");
        }

        #[test]
        fn the_nearest_have_the_greatest_scores(scores in prop::collection::vec(0u8..40, 1..300), most in 0usize..40) {
            let held = || scores.iter().copied().zip((0..).map(TestId)).filter(|of| of.0 > 0);
            let tests: Vec<TestId> = held().map(|(_, test)| test).collect();
            let values: Vec<f64> = held().map(|(score, _)| score.into()).collect();
            let mut want: Vec<(u8, TestId)> = held().collect();
            want.sort_by_key(|&(score, test)| (std::cmp::Reverse(score), test));
            let mut want: Vec<TestId> = want.into_iter().take(most).map(|(_, test)| test).collect();
            want.sort_unstable();
            let greatest = values.iter().copied().fold(0.0, f64::max);
            prop_assume!(most < tests.len());
            prop_assert_eq!(highest(&tests, &values, greatest, most), want);
        }
    }
}
