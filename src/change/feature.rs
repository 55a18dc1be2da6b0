//! Declared features: regions that a model names with dots (`pkg.module.Class.method`) instead of recording their lines.
//!
//! A file's module is its path without extension, with dots, under the longest tail that a feature begins with, so that
//! `src/pkg/module.py` finds `pkg.module`. Within the module, the symbols around the changed lines choose the features;
//! the module's own feature takes part with [`MODULE_SHARE`].

use super::{Source, Tally, lines, scope};
use crate::diff::FileDiff;
use crate::id::FeatureId;
use crate::model::{Index, ModelError};

/// The share of a changed symbol's weight that goes to the feature of its whole module.
const MODULE_SHARE: f64 = 0.25;
/// Features of one module that are looked at.
const FEATURES_MOST: usize = 4096;
/// Components that a module's name may have: of a deeper path, the last ones.
const MODULE_DEPTH_MOST: usize = 64;

/// Maps a file to features. False if no feature knows it.
pub(super) fn read<D: AsRef<[u8]>>(
    index: &Index<D>,
    diff_file: usize,
    file: &FileDiff<'_>,
    path: &str,
    tally: &mut Tally,
) -> Result<bool, ModelError> {
    if index.root().features == 0 {
        return Ok(false);
    }
    let Some((module, features)) = module_features(index, path)? else { return Ok(false) };
    let features: Vec<Weighed> = features
        .into_iter()
        .map(|(id, name)| Ok(Weighed { id, weight: index.feature(id)?.weight, name }))
        .collect::<Result<_, ModelError>>()?;
    let all: Vec<&Weighed> = features.iter().collect();
    let (own, below): (Vec<&Weighed>, Vec<&Weighed>) = all.iter().copied().partition(|feature| feature.name == module);
    // What no hunk's symbols tell apart goes to the module as a whole: one sum for all such hunks.
    let mut module_units = if file.hunks.is_empty() { 1.0 } else { 0.0 };
    for hunk in &file.hunks {
        let units = lines::changed_lines(hunk).count().max(1) as f64;
        let symbols = scope::changed_symbols(hunk);
        let is_changed = |feature: &&Weighed| {
            let name = feature.name.get(module.len() + 1..).unwrap_or_default();
            symbols.iter().any(|symbol| symbol.is_within(name))
        };
        let named: Vec<&Weighed> = match symbols.is_empty() {
            true => Vec::new(),
            false => below.iter().copied().filter(is_changed).collect(),
        };
        match (named.is_empty(), own.is_empty()) {
            (true, _) => module_units += units,
            (false, true) => spread(diff_file, units, &named, tally),
            (false, false) => {
                spread(diff_file, units * (1.0 - MODULE_SHARE), &named, tally);
                spread(diff_file, units * MODULE_SHARE, &own, tally);
            }
        }
    }
    if module_units > 0.0 {
        let whole = if own.is_empty() || file.hunks.is_empty() { &all } else { &own };
        spread(diff_file, module_units, whole, tally);
    }
    Ok(true)
}

/// A feature of the module, looked up once for all hunks.
struct Weighed {
    id: FeatureId,
    name: String,
    weight: f64,
}

/// Shares `units` among features by their declared weights.
fn spread(diff_file: usize, units: f64, features: &[&Weighed], tally: &mut Tally) {
    let total: f64 = features.iter().map(|feature| feature.weight).sum();
    for feature in features {
        let share = if total > 0.0 { feature.weight / total } else { 1.0 / features.len() as f64 };
        tally.add(Source::Feature(feature.id), diff_file, 0, units * share, || feature.name.clone());
    }
}

/// Features with their names.
type Named = Vec<(FeatureId, String)>;

/// The module's name and the features at and below it.
fn module_features<D: AsRef<[u8]>>(index: &Index<D>, path: &str) -> Result<Option<(String, Named)>, ModelError> {
    let by_path = index.features_within(path, FEATURES_MOST)?;
    if by_path.iter().any(|(_, name)| name == path) {
        return Ok(Some((path.to_owned(), by_path)));
    }
    let (folder, name) = path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stem = (!matches!(stem, "__init__" | "mod" | "index")).then_some(stem);
    let components: Vec<&str> = folder.into_iter().flat_map(|folder| folder.split('/')).chain(stem).collect();
    for from in components.len().saturating_sub(MODULE_DEPTH_MOST)..components.len() {
        let module = components[from..].join(".");
        let features = index.features_within(&module, FEATURES_MOST)?;
        if !features.is_empty() {
            return Ok(Some((module, features)));
        }
    }
    Ok(None)
}
