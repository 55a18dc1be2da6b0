//! Replays every fuzz body over its seed corpus, on stable.

use std::fs;
use std::path::Path;

use covopt::fuzz;

/// A target: the name of its corpus directory, and its body.
type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("diff", fuzz::diff),
    ("junit", fuzz::junit),
    ("lcov", fuzz::lcov),
    ("json_lines", fuzz::json_lines),
    ("coverage_json", fuzz::coverage_json),
    ("conceptual", fuzz::conceptual),
    ("durations", fuzz::durations),
    ("ctags", fuzz::ctags),
    ("past_runs", fuzz::past_runs),
    #[cfg(feature = "sqlite")]
    ("coverage_db", fuzz::coverage_db),
    ("model", fuzz::model),
    ("merge", fuzz::merge),
    ("postings", fuzz::postings),
    #[cfg(feature = "source")]
    ("source", fuzz::source),
];

#[test]
fn every_seed_holds() {
    for (name, body) in TARGETS.iter().copied() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut seeds: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{} holds no seed", corpus.display());
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            // Half of a file is a file too, as far as a fuzz body goes.
            for data in [&bytes[..], &bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]] {
                body(data);
            }
        }
    }
}
