//! How much a test's words have in common with those of a change: BM25 over the vocabulary of the model.
//!
//! The query is the diff's own text with the names of the changed symbols and files. A test's score is the sum over the
//! words of the query of idf x weight x damped count (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
//! and Beyond", 2009), with the counts that the model holds and the statistics of its lists. Sums run in a fixed
//! order of the words, so that the same question has the same answer on any machine.

use std::collections::BTreeMap;

use crate::change::Change;
use crate::diff::{Diff, LineKind};
use crate::id::TestId;
use crate::model::{Index, ModelError, PostingList, dequantize_count};
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
    scores: Paged<f64>,
    most: f64,
    /// By test, the rarity of the words of the changed symbols' names that its own name holds.
    names: Paged<f64>,
    /// The rarity of all of them.
    name_rarity: f64,
    mirrors: Paged<bool>,
}

impl Relevance {
    /// Scores every test that has a word of the query; of a long query the 64 that can add the most are asked.
    /// O(postings of these words).
    ///
    /// # Errors
    /// If a bucket or a list on the way is damaged.
    pub fn score<D: AsRef<[u8]>>(index: &Index<D>, query: &Query) -> Result<Self, ModelError> {
        let mut found = Self::default();
        let root = index.root();
        let tests = f64::from(root.tests);
        let mean = (root.word_total as f64 / tests.max(1.0)).max(1.0);
        let counts: [f64; 256] = std::array::from_fn(|byte| dequantize_count(u8::try_from(byte).unwrap_or(u8::MAX)));
        let mut lengths = index.word_counts()?.reader();
        for (gain, list) in asked(index, query)? {
            let mut failed = Ok(());
            list.for_each(|posting| {
                let count = counts[usize::from(posting.signal)];
                match lengths.get(posting.test.0) {
                    Ok(length) => {
                        let length = f64::from(length.unwrap_or(0));
                        let score = found.scores.at(posting.test);
                        *score += gain * count / (count + K1 * (1.0 - B + B * length / mean));
                        found.most = found.most.max(*score);
                    }
                    Err(error) => failed = Err(error),
                }
            })?;
            failed?;
        }
        for &word in &query.names {
            let list = index.word(word)?;
            let rarity = rarity(tests, list);
            found.name_rarity += rarity;
            if let Some(list) = list {
                list.for_each(|posting| *found.names.at(posting.test) += rarity)?;
            }
        }
        for &word in &query.subjects {
            if let Some(list) = index.word(word)? {
                list.for_each(|posting| *found.mirrors.at(posting.test) = true)?;
            }
        }
        Ok(found)
    }

    /// Whether they say anything of a test.
    pub fn speaks_of(&self, test: TestId) -> bool {
        self.scores.get(test) != 0.0 || self.names.get(test) != 0.0 || self.mirrors.get(test)
    }

    /// What words and names say of a test.
    pub fn evidence(&self, test: TestId) -> Evidence {
        let part = |of: f64, whole: f64| if whole > 0.0 { of / whole } else { 0.0 };
        Evidence {
            words: part(self.scores.get(test), self.most),
            name: part(self.names.get(test), self.name_rarity),
            mirror: f64::from(u8::from(self.mirrors.get(test))),
            ..Evidence::default()
        }
    }

    /// Of the tests that have a word in common with the change the `most` with the most, ascending; of equals the first.
    pub fn nearest(&self, most: usize) -> Vec<TestId> {
        let mut tests: Vec<TestId> = self.scores.touched().collect();
        if most < tests.len() {
            let by_score = |a: &TestId, b: &TestId| self.scores.get(*b).total_cmp(&self.scores.get(*a)).then(a.cmp(b));
            tests.select_nth_unstable_by(most, by_score);
            tests.truncate(most);
            tests.sort_unstable();
        }
        tests
    }
}

/// How many words of a change are asked. The frequent ones are the first to be left out: they cost most, for many tests have
/// them, and say least. Bounds on the scores (MaxScore) leave out next to nothing here, for of some hundred words the best test
/// has a few, so that all others together always could add more.
const WORDS_MOST: usize = 64;

/// The words of a query that the model has, by how much each can add at most, the greatest first: what it adds, and its
/// tests.
fn asked<'a, D: AsRef<[u8]>>(index: &'a Index<D>, query: &Query) -> Result<Vec<(f64, PostingList<'a>)>, ModelError> {
    let tests = f64::from(index.root().tests);
    let mut asked = Vec::with_capacity(query.words.len());
    for &(word, weight) in &query.words {
        if let Some(list) = index.word(word)? {
            asked.push((rarity(tests, Some(list)) * libm::log1p(weight) * (K1 + 1.0), word, list));
        }
    }
    asked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    asked.truncate(WORDS_MOST);
    Ok(asked.into_iter().map(|(gain, _, list)| (gain, list)).collect())
}

/// BM25's idf of a word: of `tests`, these have it.
fn rarity(tests: f64, list: Option<PostingList<'_>>) -> f64 {
    let holders = f64::from(list.map_or(0, |list| list.count()));
    libm::log1p((tests - holders + 0.5) / (holders + 0.5))
}

/// Tests in a page of [`Paged`].
const PAGE: usize = 1024;

/// A value for each test, in pages that are made when they are touched: a small change costs what it touches, not what
/// the suite holds.
#[derive(Clone, Debug, Default)]
struct Paged<T> {
    pages: Vec<Option<Box<[T; PAGE]>>>,
}

impl<T: Copy + Default + PartialEq> Paged<T> {
    fn at(&mut self, test: TestId) -> &mut T {
        let (page, slot) = (test.0 as usize / PAGE, test.0 as usize % PAGE);
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        &mut self.pages[page].get_or_insert_with(|| Box::new([T::default(); PAGE]))[slot]
    }

    fn get(&self, test: TestId) -> T {
        let page = self.pages.get(test.0 as usize / PAGE).and_then(Option::as_ref);
        page.map_or(T::default(), |page| page[test.0 as usize % PAGE])
    }

    fn touched(&self) -> impl Iterator<Item = TestId> {
        let pages = self.pages.iter().enumerate().filter_map(|(at, page)| Some((at, page.as_ref()?)));
        pages.flat_map(|(at, page)| {
            let slots = page.iter().enumerate().filter(|(_, value)| **value != T::default());
            slots.map(move |(slot, _)| TestId(u32::try_from(at * PAGE + slot).unwrap_or(u32::MAX)))
        })
    }
}

#[cfg(test)]
mod tests {
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
            let holders = asked(&index, &query).unwrap().into_iter().map(|(_, list)| list.count() as usize);
            holders.collect::<Vec<_>>()
        };
        assert_eq!(ask(2), [1, 1, WORDS_MOST + 6], "a short query is asked whole, what adds most first");
        assert_eq!(ask(WORDS_MOST + 6), [1; WORDS_MOST]);
    }

    #[test]
    fn pages_hold_what_was_put_into_them() {
        let mut paged = Paged::<u32>::default();
        for test in [5, 1023, 1024, 900_000] {
            *paged.at(TestId(test)) += test;
        }
        assert_eq!(paged.get(TestId(1024)), 1024);
        assert_eq!(paged.get(TestId(6)), 0);
        assert_eq!(paged.get(TestId(9_000_000)), 0);
        assert_eq!(paged.touched().map(|test| test.0).collect::<Vec<_>>(), [5, 1023, 1024, 900_000]);
    }
}
