//! Declared features: regions that a model names with dots (`pkg.module.Class.method`) instead of recording their lines.
//!
//! A file's module is its path without extension, with dots, under the longest tail that a feature begins with, so that
//! `src/pkg/module.py` finds `pkg.module`. Within the module, the symbols around the changed lines choose the features;
//! the module's own feature takes part with [`MODULE_SHARE`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    let Some(module) = Module::of(index, path)? else { return Ok(false) };
    for (chosen, units) in module.units(file) {
        module.spread(diff_file, units, &chosen, tally);
    }
    Ok(true)
}

/// A declared feature of a module.
struct ModuleFeature {
    id: FeatureId,
    name: String,
    weight: f64,
}

/// The features at and below a module.
struct Module {
    features: Vec<ModuleFeature>,
    /// The positions of those that are the module itself.
    own: Vec<usize>,
    /// The positions of those below the module, by the last part of their names.
    by_last: HashMap<String, Vec<usize>>,
    /// How many bytes of a feature's name the module's name and its dot are.
    prefix_bytes: usize,
}

impl Module {
    fn of<D: AsRef<[u8]>>(index: &Index<D>, path: &str) -> Result<Option<Self>, ModelError> {
        let Some((name, named)) = module_features(index, path)? else { return Ok(None) };
        let prefix_bytes = name.len() + 1;
        let mut module = Self { features: Vec::new(), own: Vec::new(), by_last: HashMap::new(), prefix_bytes };
        for (at, (id, feature)) in named.into_iter().enumerate() {
            match feature.get(prefix_bytes..).map(|below| below.rsplit('.').next().unwrap_or(below)) {
                Some(last) => module.by_last.entry(last.to_owned()).or_default().push(at),
                None => module.own.push(at),
            }
            module.features.push(ModuleFeature { id, name: feature, weight: index.feature(id)?.weight });
        }
        Ok(Some(module))
    }

    /// The features that each hunk changes, with its changed lines, those of equal features together: a diff of many
    /// hunks is spread once for each distinct choice.
    fn units(&self, file: &FileDiff<'_>) -> BTreeMap<Vec<usize>, f64> {
        let all = || (0..self.features.len()).collect::<Vec<_>>();
        if file.hunks.is_empty() {
            return [(all(), 1.0)].into();
        }
        let mut units_of: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
        for hunk in file.hunks.iter().filter(|hunk| !hunk.is_cosmetic) {
            let units = lines::changed_lines(hunk).count().max(1) as f64;
            let mut add = |chosen: Vec<usize>, units: f64| *units_of.entry(chosen).or_default() += units;
            let named = self.named(&scope::changed_symbols(hunk));
            match (named.is_empty(), self.own.is_empty()) {
                (false, false) => {
                    add(named, units * (1.0 - MODULE_SHARE));
                    add(self.own.clone(), units * MODULE_SHARE);
                }
                (false, true) => add(named, units),
                (true, false) => add(self.own.clone(), units),
                (true, true) => add(all(), units),
            }
        }
        units_of
    }

    /// The positions of the features that are one of these symbols, or that one stands in.
    fn named(&self, symbols: &[scope::SymbolName<'_>]) -> Vec<usize> {
        let mut named: BTreeSet<usize> = BTreeSet::new();
        for symbol in symbols {
            let found = [symbol.function, symbol.group].into_iter().flatten().filter_map(|name| self.by_last.get(name));
            let below = |at: usize| &self.features[at].name[self.prefix_bytes..];
            named.extend(found.flatten().copied().filter(|&at| symbol.is_within(below(at))));
        }
        named.into_iter().collect()
    }

    /// Shares `units` among features by their declared weights.
    fn spread(&self, diff_file: usize, units: f64, chosen: &[usize], tally: &mut Tally) {
        let chosen = || chosen.iter().map(|&at| &self.features[at]);
        // Shares of the greatest first: the sum of the weights themselves may be beyond a float.
        let greatest = chosen().map(|feature| feature.weight).fold(0.0, f64::max);
        let part = |feature: &ModuleFeature| if greatest > 0.0 { feature.weight / greatest } else { 1.0 };
        let total: f64 = chosen().map(part).sum();
        for feature in chosen() {
            let units = units * part(feature) / total;
            tally.add(Source::Feature(feature.id), diff_file, units, || feature.name.clone());
        }
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
