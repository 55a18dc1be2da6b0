//! Inputs of a build: any bytes are observations or an error, and the order of inputs changes nothing.

use crate::ingest::{Context, Ingest, Kind, detect};

/// Any bytes: the kind is found out, then read.
pub fn ingest(data: &[u8]) {
    if let Ok(kind) = detect("fuzz", data) {
        read(kind, data);
    }
}

/// JUnit XML, joined with ids that another input knows.
pub fn junit(data: &[u8]) {
    read(Kind::Junit, data);
}

/// LCOV trace files.
pub fn lcov(data: &[u8]) {
    read(Kind::Lcov, data);
}

/// JSON lines.
pub fn json_lines(data: &[u8]) {
    read(Kind::JsonLines, data);
}

/// coverage.py JSON.
pub fn coverage_json(data: &[u8]) {
    read(Kind::CoverageJson, data);
}

/// The conceptual model.
pub fn conceptual(data: &[u8]) {
    read(Kind::Conceptual, data);
}

/// Durations.
pub fn durations(data: &[u8]) {
    read(Kind::Durations, data);
}

/// Tags of universal-ctags.
pub fn ctags(data: &[u8]) {
    read(Kind::Ctags, data);
}

/// coverage.py databases.
#[cfg(feature = "sqlite")]
pub fn coverage_db(data: &[u8]) {
    read(Kind::CoverageDb, data);
}

/// Reads `data` twice, before and after an input with known ids: the results agree.
fn read(kind: Kind, data: &[u8]) {
    const KNOWN: &[u8] = br#"{"tests/test_a.py::TestB::test_c[x]": 1.5}"#;
    let context = Context::new("/repo").with_test_root("svc");
    let mut first = Ingest::new();
    if first.bytes_of_kind(kind, "fuzz", data, &context).is_err() {
        return;
    }
    first.bytes_of_kind(Kind::Durations, "known", KNOWN, &context).expect("the known input is well-formed");
    let mut last = Ingest::new();
    last.bytes_of_kind(Kind::Durations, "known", KNOWN, &context).expect("the known input is well-formed");
    last.bytes_of_kind(kind, "fuzz", data, &context).expect("the same input was read before");
    let (first, first_notes) = first.finish();
    let (last, last_notes) = last.finish();
    assert_eq!(first_notes, last_notes, "notes depend on the order of inputs");
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    assert_eq!(
        sorted(first.test_names().iter().cloned().collect()),
        sorted(last.test_names().iter().cloned().collect()),
        "ids depend on the order of inputs"
    );
    assert_eq!(first.sessions(), last.sessions(), "sessions depend on the order of inputs");
    for (name, facts) in first.test_names().iter().zip(first.tests()) {
        let other = last.known_test(name).expect("both hold the same ids");
        assert_eq!(facts.runs, last.tests()[other.0 as usize].runs, "runs depend on the order of inputs");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    type Body = fn(&[u8]);

    #[test]
    fn the_corpus_of_each_input_is_read() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let bodies: [(&str, Body); 7] = [
            ("junit", super::junit),
            ("lcov", super::lcov),
            ("json_lines", super::json_lines),
            ("coverage_json", super::coverage_json),
            ("conceptual", super::conceptual),
            ("durations", super::durations),
            ("ctags", super::ctags),
        ];
        for (name, body) in bodies {
            let entries = std::fs::read_dir(corpus.join(name)).expect(name);
            for entry in entries {
                let data = std::fs::read(entry.unwrap().path()).unwrap();
                super::ingest(&data);
                // What a fuzzer would try first: every cut, and single bytes changed.
                for end in 0..=data.len() {
                    body(&data[..end]);
                }
                for at in 0..data.len() {
                    for flip in [0x01, 0x10, 0x80] {
                        let mut data = data.clone();
                        data[at] ^= flip;
                        body(&data);
                    }
                }
            }
        }
    }
}
