//! New observations joined to those of an older model.

use std::collections::BTreeSet;

use crate::observation::{FileKey, LineSet, Observations, TestKey};

/// What became of the tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that both know.
    pub kept: usize,
    /// Tests that only the new one knows.
    pub added: usize,
    /// Tests that both know, whose coverage or signals are the new ones.
    pub replaced: usize,
    /// Tests that only the old one knows, and that are gone.
    pub removed: usize,
}

/// Compares the tests of an older model with new observations that take its place.
pub fn compare<'a>(old: impl IntoIterator<Item = &'a str>, new: &Observations) -> Tally {
    let old: BTreeSet<&str> = old.into_iter().collect();
    let mut tally = Tally { removed: old.len(), ..Tally::default() };
    for (name, facts) in new.test_names().iter().zip(new.tests()) {
        if !old.contains(name.as_str()) {
            tally.added += 1;
            continue;
        }
        tally.removed -= 1;
        if facts.recorded || !facts.signals.is_empty() {
            tally.replaced += 1;
        } else {
            tally.kept += 1;
        }
    }
    tally
}

/// Joins `new` to `old`: what the old one holds stays, but a test that the new one recorded has the new coverage alone,
/// a test that the new one declares signals for, or states a text of, has those alone, a file that the new one names symbols for has those
/// alone, and runs and sessions are joined.
///
/// # Panics
/// With 2^32 files.
pub fn update(old: &mut Observations, new: &Observations) -> Tally {
    let mut tally = Tally::default();
    let known = old.test_names().len();
    let tests: Vec<TestKey> = new.test_names().iter().map(|name| old.test(name)).collect();
    let files: Vec<FileKey> = new.file_paths().iter().map(|path| old.file(path)).collect();
    let fresh: BTreeSet<TestKey> =
        tests.iter().zip(new.tests()).filter(|(_, facts)| facts.recorded).map(|(&test, _)| test).collect();
    for file in 0..u32::try_from(old.files().len()).expect("fewer than 2^32 files") {
        old.file_mut(FileKey(file)).covered.retain(|test, _| !fresh.contains(test));
    }
    for (&test, facts) in tests.iter().zip(new.tests()) {
        if test.0 as usize >= known {
            tally.added += 1;
        } else if facts.recorded || !facts.signals.is_empty() {
            tally.replaced += 1;
        }
        let own = old.test_mut(test);
        own.recorded |= facts.recorded;
        own.file = facts.file.map(|file| files[file.0 as usize]).or(own.file);
        own.family = facts.family.clone().or_else(|| own.family.take());
        if !facts.signals.is_empty() {
            own.signals.clear();
        }
        if !facts.words.is_empty() {
            own.words.clone_from(&facts.words);
        }
        for run in &facts.runs {
            old.run(test, run.clone());
        }
        for (feature, &signal) in &facts.signals {
            old.signal(test, feature, signal);
        }
    }
    for (&file, facts) in files.iter().zip(new.files()) {
        let covered: Vec<(TestKey, &LineSet)> =
            facts.covered.iter().map(|(test, lines)| (tests[test.0 as usize], lines)).collect();
        for (test, lines) in covered {
            old.cover(test, file, lines);
        }
        let own = old.file_mut(file);
        own.imported.union(&facts.imported);
        if !facts.symbols.is_empty() {
            own.symbols.clone_from(&facts.symbols);
        }
    }
    for feature in new.features() {
        old.feature(feature);
    }
    old.replace_constants(new.constants());
    for (feature, &weight) in new.weights() {
        old.weight(feature, weight);
    }
    new.sessions().iter().for_each(|&session| old.session(session));
    tally.kept = known - tally.replaced;
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::LineRange;

    fn covering(tests: &[(&str, u32)]) -> Observations {
        let mut seen = Observations::default();
        let file = seen.file("a.py");
        for &(name, line) in tests {
            let test = seen.test(name);
            seen.cover(test, file, &[LineRange::single(line)].into_iter().collect());
        }
        seen
    }

    #[test]
    fn new_coverage_replaces_and_the_rest_stays() {
        let mut old = covering(&[("t1", 1), ("t2", 2)]);
        let new = covering(&[("t2", 5), ("t3", 6)]);
        assert_eq!(update(&mut old, &new), Tally { kept: 1, added: 1, replaced: 1, removed: 0 });
        let mut lines: Vec<(String, u32)> = old.files()[0]
            .covered
            .iter()
            .map(|(&test, lines)| (old.test_name(test).to_owned(), lines.ranges()[0].first))
            .collect();
        lines.sort();
        assert_eq!(lines, [("t1".to_owned(), 1), ("t2".to_owned(), 5), ("t3".to_owned(), 6)]);
    }

    #[test]
    fn what_takes_the_place_of_a_model_is_counted() {
        let new = covering(&[("t2", 5), ("t3", 6)]);
        assert_eq!(compare(["t1", "t2"], &new), Tally { kept: 0, added: 1, replaced: 1, removed: 1 });
    }
}
