//! What becomes of the tests of an older model.

use std::collections::BTreeSet;

use crate::observation::Observations;

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
        if facts.recorded || facts.has_signals {
            tally.replaced += 1;
        } else {
            tally.kept += 1;
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Sources, build};
    use crate::model::Index;
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
        let old = build(&covering(&[("t1", 1), ("t2", 2)]), None, |_| None);
        let old = Index::open(&old[..]).unwrap();
        let mut sources = Sources::new(covering(&[("t2", 5), ("t3", 6)]));
        assert_eq!(sources.update(&old).unwrap(), Tally { kept: 1, added: 1, replaced: 1, removed: 0 });
        let bytes = sources.into_bytes(None, |_| None).unwrap();
        let want = build(&covering(&[("t1", 1), ("t2", 5), ("t3", 6)]), None, |_| None);
        assert!(bytes[..] == want[..]);
    }

    #[test]
    fn what_takes_the_place_of_a_model_is_counted() {
        let new = covering(&[("t2", 5), ("t3", 6)]);
        assert_eq!(compare(["t1", "t2"], &new), Tally { kept: 0, added: 1, replaced: 1, removed: 1 });
    }
}
