//! The tests: packages of files of tests, their ids, what they cost, and what they say.
//!
//! A test is its position in the order of ids, so ids ascend with positions: folders and files are named by words that ascend, and
//! the tests of a file are sorted. Shape: a file has 16 tests at the median and 26 in the mean, a package 8 files, and a third of
//! the tests are variants of one. The 7,069 tests of the recorded suites of attrs, click, jinja, marshmallow, sqlparse and
//! werkzeug lie in fewer and larger files (30 and 60), and six in ten are variants; their ids have 59 to 84 bytes in the mean, as
//! here, and their costs a long tail, from a median below 1 ms to seconds. Here costs are log-normal about 5 ms, up to a minute:
//! a suite of a large repository has more than unit tests.

use std::collections::BTreeSet;

use crate::random::{Random, at, mix};
use crate::words::{WORDS, local_word, spoken_word, word};

/// A file of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TestFile {
    /// Its first test.
    first: u32,
    pub(crate) package: u32,
    /// Its place among those of the package.
    place: u32,
}

/// All tests.
pub(crate) struct Suite {
    pub(crate) seed: u64,
    pub(crate) tests: u32,
    /// And one that begins where all others have ended.
    files: Vec<TestFile>,
    /// The first file of each package, and the end.
    packages: Vec<u32>,
}

/// Packages of a group, and groups of an area: what the folders are.
const GROUP: u32 = 12;
const AREA: u32 = 12 * GROUP;
/// Files of tests in a package, at most.
const PACKAGE_MOST: u32 = 60;

impl Suite {
    pub(crate) fn new(seed: u64, tests: u32) -> Self {
        let mut random = Random::new(seed);
        let mut suite = Self { seed, tests, files: Vec::new(), packages: Vec::new() };
        let mut first = 0;
        for package in 0.. {
            suite.packages.push(position(suite.files.len()));
            if first == tests {
                suite.files.push(TestFile { first, package, place: 0 });
                break;
            }
            for place in 0..random.count(8.0, 0.8, 1, PACKAGE_MOST) {
                if first < tests {
                    suite.files.push(TestFile { first, package, place });
                    first += random.count(16.0, 1.0, 1, 400).min(tests - first);
                }
            }
        }
        suite
    }

    /// The files of tests that have one within `from..to`, with the first test of each and the end.
    pub(crate) fn files(&self, from: u32, to: u32) -> impl Iterator<Item = (TestFile, u32, u32)> {
        let begin = self.files.partition_point(|file| file.first <= from).saturating_sub(1);
        let files = self.files[begin..].windows(2).take_while(move |pair| pair[0].first < to);
        files.map(|pair| (pair[0], pair[0].first, pair[1].first))
    }

    /// The package that a test is in.
    pub(crate) fn package_of(&self, test: u32) -> u32 {
        self.files[self.files.partition_point(|file| file.first <= test) - 1].package
    }

    /// The folder of a package.
    pub(crate) fn folder(&self, package: u32) -> String {
        let packages = position(self.packages.len());
        let [area, group, name] = [package / AREA, package / GROUP, package].map(|place| {
            let step = WORDS / packages;
            word(place * step + Random::new(self.seed ^ u64::from(place)).below(step))
        });
        format!("{area}/{group}/{name}")
    }

    /// How many files of tests a package has.
    pub(crate) fn files_of(&self, package: u32) -> u32 {
        self.packages[package as usize + 1] - self.packages[package as usize]
    }

    /// What the tests of a file are about: its name without `test_`.
    pub(crate) fn subject(&self, package: u32, place: u32) -> String {
        let step = WORDS / PACKAGE_MOST;
        word(place * step + Random::new(at(self.seed, package.into()) ^ u64::from(place)).below(step))
    }

    /// The ids of a file's tests, ascending.
    pub(crate) fn ids(&self, file: TestFile, tests: u32) -> BTreeSet<String> {
        let TestFile { package, place, first } = file;
        let mut random = Random::new(at(self.seed, 1) ^ mix(first.into()));
        let kind = if place < self.files_of(package) / 4 { "integration" } else { "unit" };
        let path = format!("{}/tests/{kind}/test_{}.py", self.folder(package), self.subject(package, place));
        let has_classes = random.percent(40);
        let mut ids = BTreeSet::new();
        while ids.len() < tests as usize {
            let mut name = format!("{path}::");
            if has_classes {
                let mut class = local_word(package, random.below(tests.div_ceil(8)));
                class[..1].make_ascii_uppercase();
                name.push_str(&format!("Test{class}::"));
            }
            name.push_str("test");
            for _ in 0..2 + random.below(2) {
                name.push('_');
                name.push_str(&spoken_word(package, random.number()));
            }
            if random.percent(10) {
                let parameter = local_word(package, random.below(8));
                let variants = 2 + random.below(7);
                ids.extend((0..variants).map(|variant| format!("{name}[{parameter}-{variant}]")));
            } else {
                ids.insert(name);
            }
        }
        ids.into_iter().take(tests as usize).collect()
    }

    /// What a test costs, in microseconds.
    pub(crate) fn cost_us(&self, test: u32) -> u32 {
        Random::new(at(self.seed, 2) ^ mix(test.into())).count(5_000.0, 1.9, 20, 60_000_000)
    }

    /// What a test says: 20 to 60 words of its package, in calls; the variants of one say the same.
    pub(crate) fn text(&self, package: u32, id: &str) -> String {
        let name = id.split('[').next().unwrap_or(id);
        let seed = name.bytes().fold(at(self.seed, 3), |seed, byte| mix(seed ^ u64::from(byte)));
        let mut random = Random::new(seed);
        let mut text = String::new();
        let mut left = 20 + random.below(41);
        while left > 0 {
            let words = (1 + random.below(5)).min(left);
            left -= words;
            for at in 0..words {
                text.push_str(match at {
                    0 => "",
                    1 => "(",
                    _ => ", ",
                });
                text.push_str(&spoken_word(package, random.number()));
            }
            text.push_str(match (words, left) {
                (_, 0) => ")",
                (1, _) => " = ",
                _ => "); ",
            });
        }
        text
    }
}

/// A position or a number of things.
pub(crate) fn position(at: usize) -> u32 {
    u32::try_from(at).expect("fewer than 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_with_the_tests() {
        let suite = Suite::new(1, 30_000);
        let mut ids = Vec::new();
        for (file, first, end) in suite.files(0, suite.tests) {
            assert_eq!(first, position(ids.len()));
            assert_eq!(suite.package_of(first), file.package);
            ids.extend(suite.ids(file, end - first));
        }
        assert_eq!(ids.len(), 30_000);
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let mean = ids.iter().map(String::len).sum::<usize>() / ids.len();
        assert!((60..=90).contains(&mean), "{mean}");
        let variants = ids.iter().filter(|id| id.ends_with(']')).count();
        assert!((7_000..12_000).contains(&variants), "{variants}");
    }

    #[test]
    fn a_part_of_the_tests_has_its_files() {
        let suite = Suite::new(1, 3_000);
        let all: Vec<_> = suite.files(0, 3_000).collect();
        let part: Vec<_> = suite.files(1_000, 1_010).collect();
        let want = all.into_iter().filter(|&(_, first, end)| first < 1_010 && end > 1_000);
        assert_eq!(part, want.collect::<Vec<_>>());
    }

    #[test]
    fn costs_have_their_median() {
        let suite = Suite::new(1, 30_000);
        let mut costs: Vec<u32> = (0..30_000).map(|test| suite.cost_us(test)).collect();
        costs.sort_unstable();
        assert!((4_500..5_500).contains(&costs[15_000]) && costs[29_990] > 1_000_000, "{}", costs[15_000]);
    }
}
