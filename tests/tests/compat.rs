//! Models that were written once and are never made again: what is in them is read as it was, whatever writes models now.
//!
//! `tests/data/README.md` says where they come from. Nothing here writes them.

use std::fs;
use std::path::{Path, PathBuf};

use covopt::mmap;
use serde_json::Value;

use crate::cli::Folder;

/// The models of each version that is read.
fn models() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let versions = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = versions.flat_map(|version| fs::read_dir(version).unwrap()).map(|entry| entry.unwrap().path());
    let mut models: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "covopt")).collect();
    models.sort();
    assert!(models.len() >= 3, "{models:?}");
    models
}

fn run(model: &Path, command: &str, flags: &[&str]) -> String {
    let folder = Folder::new();
    fs::copy(model, folder.path().join("model")).unwrap();
    fs::copy(model.with_extension("diff"), folder.path().join("diff")).unwrap();
    let ran = folder.run(&[&[command, "--model", "model"], flags].concat(), "");
    assert_eq!(ran.code, 0, "{}: {}", model.display(), ran.stderr);
    ran.stdout
}

/// Every field that the model had is there and the same; a later build may tell more.
fn assert_holds(found: &Value, want: &Value, place: &str) {
    match want {
        Value::Object(fields) => {
            fields.iter().for_each(|(field, want)| assert_holds(&found[field], want, &format!("{place}.{field}")));
        }
        _ => assert_eq!(found, want, "{place}"),
    }
}

#[test]
fn every_byte_is_still_what_the_format_says() {
    for model in models() {
        let index = mmap::open(&model).unwrap();
        index.verify(|_, _| ()).unwrap_or_else(|error| panic!("{}: {error}", model.display()));
    }
}

#[test]
fn what_is_in_them_is_read_as_it_was() {
    for model in models() {
        let want: Value = serde_json::from_slice(&fs::read(model.with_extension("json")).unwrap()).unwrap();
        let found: Value = serde_json::from_str(&run(&model, "inspect", &["--format", "json"])).unwrap();
        assert_holds(&found, &want, &model.display().to_string());
    }
}

#[test]
fn a_diff_selects_from_them_what_it_did() {
    for model in models() {
        let want = fs::read_to_string(model.with_extension("selected")).unwrap();
        assert!(!want.is_empty());
        let flags = ["-t", "30%", "-n", "40", "--diff", "diff", "--no-tree", "--no-last-failed"];
        assert_eq!(run(&model, "select", &flags), want, "{}", model.display());
    }
}
