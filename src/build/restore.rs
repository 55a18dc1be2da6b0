//! A model read back into the observations it was built from, to add to them.

use crate::id::{FeatureId, FileId, TestId, path_in_test_id};
use crate::model::{Index, ModelError, dequantize_count};
use crate::observation::{FileKey, LineRange, LineSet, Observations, Run, Symbol, SymbolKind, TestKey};
use crate::optimize::Level;

/// Everything that a model holds. Building from it again gives the same bytes, but for the stamps of the files.
///
/// # Errors
/// If any part of the model is damaged.
pub fn restore<D: AsRef<[u8]>>(index: &Index<D>) -> Result<Observations, ModelError> {
    let mut seen = Observations::default();
    let tests: Vec<TestKey> =
        (0..index.root().tests).map(|test| restore_test(index, TestId(test), &mut seen)).collect::<Result<_, _>>()?;
    for file in (0..index.root().files).map(FileId) {
        restore_file(index, file, &tests, &mut seen)?;
    }
    for feature in (0..index.root().features).map(FeatureId) {
        let name = index.feature_names()?.get(feature.0)?;
        let entry = index.feature(feature)?;
        seen.feature(&name);
        if entry.weight_declared {
            seen.weight(&name, entry.weight);
        }
        entry.list.for_each(|posting| {
            seen.signal(tests[posting.test.0 as usize], &name, Level(posting.signal).signal());
        })?;
    }
    restore_words(index, &tests, &mut seen)?;
    index.sessions()?.into_iter().for_each(|session| seen.session(session));
    let root = index.root();
    root.calibration.stated(root.constants_stated).for_each(|(name, value)| seen.constant(name, value));
    Ok(seen)
}

/// The words of the tests that stated a text; those of names alone come again with the names.
fn restore_words<D: AsRef<[u8]>>(
    index: &Index<D>,
    tests: &[TestKey],
    seen: &mut Observations,
) -> Result<(), ModelError> {
    let mut has_text = Vec::with_capacity(tests.len());
    for test in (0..index.root().tests).map(TestId) {
        has_text.push(index.test_record(test)?.has_text);
    }
    index.each_word(|word, list| {
        list.for_each(|posting| {
            let test = posting.test.0 as usize;
            if has_text[test] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^16")]
                let count = libm::round(dequantize_count(posting.signal)) as u32;
                seen.words(tests[test], [(word, count)]);
            }
        })
    })
}

fn restore_test<D: AsRef<[u8]>>(
    index: &Index<D>,
    test: TestId,
    seen: &mut Observations,
) -> Result<TestKey, ModelError> {
    let key = seen.test(&index.test_name(test)?);
    let record = index.test_record(test)?;
    let family = record.family.map(|family| index.family_name(family)).transpose()?;
    let facts = seen.test_mut(key);
    facts.recorded = record.recorded;
    facts.family = family;
    for run in record.runs {
        let commit = run.commit.map(|commit| index.commit(commit)).transpose()?.unwrap_or_default();
        seen.run(key, Run { time_us: run.time_us, commit, outcome: run.outcome, cost_us: run.cost_us });
    }
    Ok(key)
}

fn restore_file<D: AsRef<[u8]>>(
    index: &Index<D>,
    file: FileId,
    tests: &[TestKey],
    seen: &mut Observations,
) -> Result<FileKey, ModelError> {
    let key = seen.file(&index.path(file)?);
    let view = index.file(file)?;
    for run in (0..view.run_count()).filter_map(|position| view.run(position)) {
        let lines: LineSet = [LineRange { first: run.first, last: run.last }].into_iter().collect();
        view.block(run.block)?.for_each(|posting| seen.cover(tests[posting.test.0 as usize], key, &lines))?;
    }
    for posting in view.defines()?.to_vec()? {
        let test = tests[posting.test.0 as usize];
        // What the id says anyway was perhaps never declared, and must not stand against what another input declares.
        if path_in_test_id(seen.test_name(test)) != Some(seen.file_path(key)) {
            seen.test_mut(test).file = Some(key);
        }
    }
    let facts = seen.file_mut(key);
    facts.imported = view.imported().collect();
    facts.symbols = view
        .symbols()
        .iter()
        .map(|symbol| Symbol {
            lines: LineRange { first: symbol.first.to_native(), last: symbol.last.to_native() },
            name: symbol.name.as_str().to_owned(),
            kind: match symbol.kind {
                0 => SymbolKind::Function,
                1 => SymbolKind::Class,
                _ => SymbolKind::Other,
            },
        })
        .collect();
    Ok(key)
}
