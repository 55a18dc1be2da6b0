use std::path::PathBuf;

use super::*;
use crate::observation::TestFacts;

/// Everything that was gathered, by name, in an order of its own.
fn dump(observations: &Observations) -> Vec<String> {
    let file = |key: FileKey| observations.file_path(key).to_owned();
    let test = |key: &TestKey| observations.test_name(*key).to_owned();
    let mut lines: Vec<String> = Vec::new();
    for (id, facts) in observations.test_names().iter().zip(observations.tests()) {
        let TestFacts { file: of, family, runs, signals, recorded, text } = facts;
        lines.push(format!("{id} {:?} {family:?} {runs:?} {signals:?} {recorded} {text:?}", of.map(file)));
    }
    for (path, facts) in observations.file_paths().iter().zip(observations.files()) {
        lines.push(format!("{path} imports {:?} has {:?}", facts.imported, facts.symbols));
        lines.extend(facts.covered.iter().map(|(key, lines)| format!("{path} {} {lines:?}", test(key))));
    }
    lines.push(format!("{:?} {:?}", observations.features(), observations.weights()));
    lines.sort();
    lines
}

fn gathered(inputs: &[(&str, &[u8])], context: &Context) -> (Observations, Vec<Note>) {
    let mut ingest = Ingest::new();
    for (name, bytes) in inputs {
        ingest.bytes(name, bytes, context).unwrap();
    }
    ingest.finish()
}

fn refused(bytes: &[u8]) -> String {
    refused_after(&[], bytes)
}

fn refused_after(before: &[&[u8]], bytes: &[u8]) -> String {
    let mut ingest = Ingest::new();
    let context = Context::new("/repo");
    for bytes in before {
        ingest.bytes("earlier", bytes, &context).unwrap();
    }
    let message = ingest.bytes("the input", bytes, &context).unwrap_err().to_string();
    assert!(message.contains("`the input`"), "{message}");
    assert!(!message.ends_with('.') && message.contains(';'), "{message}");
    message
}

fn lines(ranges: &[(u32, u32)]) -> LineSet {
    ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
}

fn covered(observations: &Observations, test: &str, path: &str) -> Option<LineSet> {
    let test = observations.known_test(test)?;
    let file = observations.file_paths().iter().position(|known| known == path)?;
    observations.files()[file].covered.get(&test).cloned()
}

fn ids(observations: &Observations) -> Vec<&str> {
    let mut ids: Vec<&str> = observations.test_names().iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids
}

/// The recorded projects beside the crate, where there are any.
fn projects() -> Vec<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    let Some(entries) = above.take(2).find_map(|above| std::fs::read_dir(above.join("shared/eval")).ok()) else {
        return Vec::new();
    };
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.join("junit.xml").exists()).collect()
}

#[test]
fn every_id_of_real_reports_is_rebuilt() {
    for project in projects() {
        let read = |name: &str| std::fs::read(project.join(name)).unwrap();
        let (durations, junit) = (read("durations.json"), read("junit.xml"));
        let without_files = {
            let text = String::from_utf8(junit.clone()).unwrap();
            let mut parts = text.split(" file=\"");
            let first = parts.next().unwrap().to_owned();
            parts.fold(first, |text, part| text + part.split_once('"').unwrap().1)
        };
        let context = Context::new("/repo");
        let want: BTreeSet<String> = gathered(&[("d", &durations)], &context).0.test_names().iter().cloned().collect();
        for (form, inputs) in [
            ("xunit1 alone", vec![("j", junit.as_slice())]),
            ("xunit1", vec![("j", junit.as_slice()), ("d", durations.as_slice())]),
            ("xunit2", vec![("j", without_files.as_bytes()), ("d", durations.as_slice())]),
            ("xunit2 alone", vec![("j", without_files.as_bytes())]),
        ] {
            let (observations, _) = gathered(&inputs, &context);
            let found: BTreeSet<String> = observations.test_names().iter().cloned().collect();
            let wrong: Vec<_> = want.symmetric_difference(&found).collect();
            println!("{}: {form}: {} ids, {} wrong", project.display(), want.len(), wrong.len());
            assert!(wrong.is_empty(), "{}: {form}: {wrong:?}", project.display());
        }
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn real_projects_are_read_in_any_order() {
    for project in projects() {
        let context = Context::new("/repo");
        let names = ["coverage.sqlite", "junit.xml", "durations.json", "tags.jsonl", "texts.jsonl"];
        let inputs: Vec<(&str, Vec<u8>)> =
            names.iter().map(|&name| (name, std::fs::read(project.join(name)).unwrap())).collect();
        let mut inputs: Vec<(&str, &[u8])> = inputs.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let (first, notes) = gathered(&inputs, &context);
        notes.iter().for_each(|note| println!("{}: {note}", project.display()));
        inputs.reverse();
        let (last, last_notes) = gathered(&inputs, &context);
        assert!(dump(&first) == dump(&last), "{}", project.display());
        assert_eq!(notes, last_notes);
    }
}
