//! Two vocabularies without a word in common, made of syllables.
//!
//! What tests speak of and what only code speaks of end differently, so that a change can be made whose text says nothing of
//! any test. No word ends as one that is cut to its stem, has a digit, or is one of the commonest of code.
//!
//! How often a test uses a word falls as Zipf's law has it (Zipf, "Human Behavior and the Principle of Least Effort",
//! 1949): of a vocabulary that all share, some words are in half of the tests, and most in a few. Words of a package are
//! used there alone.

use crate::random::{at, below, unit};

/// Words that all packages share.
const SHARED: u32 = 20_000;
/// Words of one package.
pub(crate) const LOCAL: u32 = 50;

const CONSONANTS: &[u8; 15] = b"bdfghjklmnprtvz";
const VOWELS: &[u8; 5] = b"aeiou";
const SYLLABLES: u32 = 75;
/// Words of three syllables.
pub(crate) const WORDS: u32 = SYLLABLES * SYLLABLES * SYLLABLES;

/// The word of tests at a position below [`WORDS`]; words ascend as their positions do.
pub(crate) fn word(position: u32) -> String {
    let position = position % WORDS;
    let syllables = [position / (SYLLABLES * SYLLABLES), position / SYLLABLES, position].map(|at| at % SYLLABLES);
    let letters =
        syllables.iter().flat_map(|at| [CONSONANTS[(at / 5) as usize], VOWELS[(at % 5) as usize]].map(char::from));
    letters.collect()
}

/// The word of code alone at a position; words ascend as their positions do.
pub(crate) fn code_word(position: u32) -> String {
    word(position) + "n"
}

/// The shared word of a rank, the commonest first.
pub(crate) fn shared_word(rank: u32) -> String {
    spread(rank)
}

/// A word of a package.
pub(crate) fn local_word(package: u32, position: u32) -> String {
    spread(SHARED + (package * LOCAL + position % LOCAL) % (WORDS - SHARED))
}

/// A word in a test of a package, or in a change near it: of two one is shared.
pub(crate) fn spoken_word(package: u32, number: u64) -> String {
    let choice = at(number, 1);
    if choice & 1 == 0 { shared_word(zipf(at(number, 2))) } else { local_word(package, below(at(number, 3), LOCAL)) }
}

/// A rank by Zipf's law: rank r has the share ln((r + 2) / (r + 1)) of ln([`SHARED`] + 1).
fn zipf(number: u64) -> u32 {
    let rank = libm::exp(unit(number) * libm::log(f64::from(SHARED + 1))) - 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to SHARED")]
    let rank = rank as u32;
    rank.min(SHARED - 1)
}

/// Neighbouring positions to words that look nothing alike; two positions never give one word, for the step and the number of
/// words have no divisor in common.
fn spread(position: u32) -> String {
    const STEP: u64 = 261_407;
    word(u32::try_from(u64::from(position) * STEP % u64::from(WORDS)).expect("below the number of words"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use covopt::words::{Field, Word, each_word};

    fn hashes(text: &str) -> Vec<Word> {
        let mut words = Vec::new();
        each_word(text, Field::Text, |word| words.push(word));
        words
    }

    #[test]
    fn a_word_is_one_word_and_its_own() {
        let mut seen = BTreeSet::new();
        let shared = (0..SHARED).map(shared_word);
        let local = (0..400).map(|at| local_word(at / LOCAL, at % LOCAL));
        for word in shared.chain(local) {
            assert_eq!(hashes(&word).len(), 1, "{word}");
            assert!(seen.insert(word));
        }
        let code = (0..WORDS).step_by(7).map(code_word);
        assert!(code.into_iter().all(|word| !seen.contains(&word) && hashes(&word).len() == 1));
    }

    #[test]
    fn words_ascend_with_their_positions() {
        assert!((1..WORDS).step_by(5).all(|at| word(at - 1) < word(at) && code_word(at - 1) < code_word(at)));
    }
}
