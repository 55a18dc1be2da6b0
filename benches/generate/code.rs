//! The code that tests run: files in folders, functions, regions and the lines of each.
//!
//! A file is a function of the seed and its number, so the files of a smaller model are the first files of a larger one, and one
//! diff has the same answer in both. It has a home, where most of its tests are, and two places where it is a guest.
//!
//! Shape: the number of tests of a function falls like a power law, with an exponent of its own below the median, from there to
//! the 99th percentile, and beyond; with what its regions have of it the sizes of regions have a median of about 14, a 99th
//! percentile of about 850 and a mean of about 95, the largest three tenths of the suite. In the recorded suites of attrs, click, jinja,
//! marshmallow, sqlparse and werkzeug the median is 2 to 13, the 99th percentile 256 to 1,300, the mean 34 to 160; a
//! region has 2.4 to 4.9 lines in 1.5 to 2.3 runs, and a file 10 to 36 regions at the median.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::random::{Random, at, mix, rounded, unit};
use crate::spread::{Clumps, Crowd, Spread, WHOLE};
use crate::suite::{Suite, position};
use crate::words::{LOCAL, WORDS, code_word, local_word};

/// Regions of a file at most: those that a test runs are the bits of a number.
pub(crate) const REGIONS_MOST: u32 = 64;

/// A function that more of the suite runs than one in so many tests is a hub: its tests are all over the suite.
const HUB: u32 = 1_000;

/// One in so many at least runs a function: the share of functions, and the tests.
const SIZES: [(f64, f64); 4] = [(1.0, 1.0), (0.5, 18.0), (0.01, 900.0), (0.0, f64::INFINITY)];
/// The exponent beyond the last of them.
const TAIL: f64 = 0.9;

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The test in whose package it is.
    home: u32,
    /// Its place among the files of the package.
    ordinal: u32,
}

/// A file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) package: u32,
    pub(crate) functions: Vec<Function>,
    pub(crate) regions: Vec<Region>,
    /// Ascending.
    pub(crate) runs: Vec<LineRun>,
    /// How many lines it has.
    pub(crate) lines: u32,
}

/// A function: its name and its lines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// Lines that the same tests run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) tests: Spread,
    pub(crate) is_hub: bool,
}

/// Lines of a region that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineRun {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) region: u32,
}

impl SourceFile {
    /// How many tests each set of its lines has that the same tests run: a model has one list for it.
    pub(crate) fn blocks(&self, clumps: &Clumps, suite: u32) -> Vec<u32> {
        let tests = self.regions.iter().map(|region| region.tests.tests(clumps, suite));
        tests.collect::<BTreeSet<_>>().iter().map(|tests| position(tests.len())).collect()
    }
}

/// Whether tests speak of what is in a file: every second one. The names of the others are words that no test has.
pub(crate) fn is_spoken_of(file: u32) -> bool {
    file % 2 == 1
}

/// The file of a number, at its place.
pub(crate) fn source_file(suite: &Suite, file: u32, place: Place) -> SourceFile {
    let mut random = Random::new(at(suite.seed, 4) ^ mix(file.into()));
    let package = suite.package_of(place.home);
    let mut made = SourceFile {
        path: path(suite, file, package, place.ordinal),
        package,
        functions: Vec::new(),
        regions: Vec::new(),
        runs: Vec::new(),
        // The licence and the imports.
        lines: 3 + random.below(25),
    };
    let guest = [0; 2].map(|_| random.below(suite.tests));
    let places = [place.home, guest[0], guest[1]];
    let regions = random.count(17.0, 0.6, 1, REGIONS_MOST);
    while position(made.regions.len()) < regions {
        let most = (regions - position(made.regions.len())).min([1, 1, 2, 2, 3, 3, 4, 5][random.below(8) as usize]);
        let name = match is_spoken_of(file) {
            true => [0; 2].map(|_| local_word(package, random.below(LOCAL))).join("_"),
            false => [0; 2].map(|_| code_word(random.below(WORDS))).join("_"),
        };
        add_function(&mut made, suite, (name, most), places, &mut random);
    }
    made
}

/// A spoken-of file is called as a file of tests of its package is, in a folder of its own where there are more of them.
fn path(suite: &Suite, file: u32, package: u32, ordinal: u32) -> String {
    let folder = suite.folder(package);
    let code = |number: u32| code_word(number.wrapping_mul(7_919) % WORDS);
    if !is_spoken_of(file) {
        return format!("{folder}/{}/{}.py", code(ordinal / 8), code(WORDS / 2 + ordinal));
    }
    let files = suite.files_of(package);
    format!("{folder}/{}/{}.py", code(ordinal / files), suite.subject(package, ordinal % files))
}

/// Adds a function of some regions behind the last line.
fn add_function(
    file: &mut SourceFile,
    suite: &Suite,
    (name, regions): (String, u32),
    places: [u32; 3],
    random: &mut Random,
) {
    let tests = tests_of_function(random.number(), suite.tests);
    let is_hub = tests > suite.tests.div_ceil(HUB);
    let crowd = match is_hub {
        true => Crowd::anywhere(tests, suite.tests, random.number()),
        false => Crowd::near(places, tests, suite.tests, random.number()),
    };
    let begin = position(file.regions.len());
    // What one test alone runs is one region.
    let regions = regions.min(tests);
    for region in 0..regions {
        // All that enter a function run its first lines.
        let share = if region == 0 { WHOLE } else { [15, 14, 13, 12, 10, 8, 5, 2][random.below(8) as usize] };
        file.regions.push(Region { tests: Spread { crowd, share, seed: random.number() }, is_hub });
    }
    let first = file.lines + 2 + random.below(2);
    // Its head, which runs where the file is imported, and what it says of itself.
    file.lines = first + [0, 0, 1, 1, 3][random.below(5) as usize];
    let mut run = |region: u32, random: &mut Random| {
        let first = file.lines + 1 + [0, 0, 0, 0, 0, 0, 1, 1, 2, 3][random.below(10) as usize];
        let last = first + [0, 0, 0, 1, 1, 2, 3, 5][random.below(8) as usize];
        file.runs.push(LineRun { first, last, region });
        file.lines = last;
    };
    run(begin, random);
    for region in 1..regions {
        run(begin + region, random);
        if random.percent(85) {
            run(begin + random.below(region), random);
        }
    }
    file.functions.push(Function { name, first, last: file.lines });
}

/// How many tests run a function.
fn tests_of_function(number: u64, suite: u32) -> u32 {
    let share = unit(number);
    let [.., (knee, at_knee), _] = SIZES;
    let tests = if share <= knee {
        at_knee * libm::pow(knee / share, 1.0 / TAIL)
    } else {
        let above = SIZES.windows(2).find(|pair| share > pair[1].0).map_or(&SIZES[1..3], |pair| pair);
        let [(most, least_tests), (least, most_tests)] = [above[0], above[1]];
        let part = libm::log(most / share) / libm::log(most / least);
        least_tests * libm::pow(most_tests / least_tests, part)
    };
    rounded(tests).clamp(1, Crowd::most(suite))
}

/// Where the files of a model are, and where their tests lie.
pub(crate) struct Code {
    pub(crate) places: Vec<Place>,
    pub(crate) regions: u64,
    /// Stretches of tests that may run a file beside its hubs, by where they begin.
    stretches: Vec<(Range<u32>, u32)>,
    /// The longest of them.
    longest: u32,
    /// The hubs, with their files and their positions in them.
    hubs: Vec<(u32, u32, Spread)>,
}

impl Code {
    /// As many files as have about so many postings.
    pub(crate) fn new(suite: &Suite, postings: u64) -> Self {
        let mut code = Self { places: Vec::new(), regions: 0, stretches: Vec::new(), longest: 0, hubs: Vec::new() };
        let mut ordinals = vec![0; suite.package_of(suite.tests - 1) as usize + 1];
        let mut expected = 0.0;
        for file in 0.. {
            if expected >= postings as f64 {
                break;
            }
            let home = Random::new(at(suite.seed, 5) ^ mix(file.into())).below(suite.tests);
            let ordinal: &mut u32 = &mut ordinals[suite.package_of(home) as usize];
            let place = Place { home, ordinal: *ordinal };
            *ordinal += 1;
            let made = source_file(suite, file, place);
            expected += made.regions.iter().map(|region| region.tests.expected()).sum::<f64>();
            code.add(file, place, &made);
        }
        code.stretches.sort_unstable_by_key(|(range, file)| (range.start, *file));
        code
    }

    fn add(&mut self, file: u32, place: Place, made: &SourceFile) {
        self.places.push(place);
        self.regions += made.regions.len() as u64;
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for (at, region) in (0..).zip(&made.regions) {
            match region.is_hub {
                true => self.hubs.push((file, at, region.tests)),
                false => ranges.extend(region.tests.crowd.ranges()),
            }
        }
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            last.end = if joins { last.end.max(next.end) } else { last.end };
            joins
        });
        self.longest = ranges.iter().map(|range| range.end - range.start).fold(self.longest, u32::max);
        self.stretches.extend(ranges.into_iter().map(|range| (range, file)));
    }

    /// The files that tests of a range may run beside hubs, ascending.
    pub(crate) fn files_near(&self, tests: &Range<u32>) -> Vec<u32> {
        let begin = self.stretches.partition_point(|(range, _)| range.start + self.longest < tests.start);
        let near = self.stretches[begin..].iter().take_while(|(range, _)| range.start < tests.end);
        let mut files: Vec<u32> = near.filter(|(range, _)| range.end > tests.start).map(|&(_, file)| file).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The hubs by file, with their positions in it.
    pub(crate) fn hubs(&self) -> &[(u32, u32, Spread)] {
        &self.hubs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(tests: u32, postings: u64) -> (Suite, Code, Vec<SourceFile>) {
        let suite = Suite::new(1, tests);
        let code = Code::new(&suite, postings);
        let files = (0..).zip(&code.places).map(|(file, &place)| source_file(&suite, file, place)).collect();
        (suite, code, files)
    }

    #[test]
    fn sizes_of_regions_are_as_stated() {
        let (suite, code, files) = files(1_000_000, 6_000_000);
        let clumps = Clumps::new();
        let mut sizes: Vec<u32> = files.iter().flat_map(|file| file.blocks(&clumps, suite.tests)).collect();
        sizes.sort_unstable();
        assert!(sizes.len() as u64 > code.regions * 8 / 10, "{} of {}", sizes.len(), code.regions);
        let (median, high) = (sizes[sizes.len() / 2], sizes[sizes.len() * 99 / 100]);
        let mean = sizes.iter().map(|&size| u64::from(size)).sum::<u64>() as f64 / sizes.len() as f64;
        assert!((12..=16).contains(&median) && (750..=950).contains(&high), "{median} {high} {mean}");
        assert!((80.0..110.0).contains(&mean) && sizes[0] == 1, "{median} {high} {mean}");
        assert!(sizes[sizes.len() - 1] <= 300_000);
    }

    #[test]
    fn files_are_laid_out_as_real_ones() {
        let (_, _, files) = files(100_000, 1_000_000);
        let (mut runs, mut lines, mut regions) = (0, 0, 0);
        for file in &files {
            assert!(file.runs.windows(2).all(|pair| pair[0].last < pair[1].first) && file.runs[0].first > 1);
            assert!(file.functions.windows(2).all(|pair| pair[0].last < pair[1].first));
            assert!(file.runs.iter().all(|run| run.first <= run.last && run.last <= file.lines));
            let seen: BTreeSet<u32> = file.runs.iter().map(|run| run.region).collect();
            assert_eq!(seen.len(), file.regions.len(), "every region has lines");
            regions += seen.len();
            runs += file.runs.len();
            lines += file.runs.iter().map(|run| run.last - run.first + 1).sum::<u32>() as usize;
        }
        let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths.len(), files.len(), "no two files have one path");
        let [runs, lines] = [runs, lines].map(|sum| sum as f64 / regions as f64);
        assert!((1.3..2.2).contains(&runs) && (2.4..4.9).contains(&lines), "{runs} {lines}");
        let mean = regions as f64 / files.len() as f64;
        assert!((17.0..23.0).contains(&mean), "{mean}");
    }

    #[test]
    fn a_smaller_model_is_a_part_of_a_larger_one() {
        let (_, _, small) = files(20_000, 200_000);
        let (_, _, large) = files(20_000, 900_000);
        assert!(small.len() < large.len() / 2);
        assert!(large.starts_with(&small));
    }
}
