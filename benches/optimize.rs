//! How long the choice takes once the candidates are known.
//!
//! Measured: `select` from a finished instance to the selection, certificate included, by lazy evaluation, and by plain
//! greedy for the ratio. Shapes, all from a fixed seed:
//! - `small`: 100 signals on 8 regions, the everyday diff of a few lines;
//! - `medium`: 2,000 signals on 40 regions, a feature branch;
//! - `wide`: 80,000 candidates with one to three signals on 40 regions, a change in the middle of a monorepo;
//! - `hub`: 2,000,000 signals of about 880,000 candidates on 200 regions, a change that everything depends on.
//!
//! List lengths fall like a power law, signals like 1.5 / n with the length of their list plus a little of their own,
//! costs are spread over four decades from a millisecond, as in real suites. The choice stands between a person and the
//! first test that runs: small and medium must vanish beside the start of a process, hub must not be felt.
//!
//! `select` has a budget of ten seconds; `lazy` and `plain` have the one at which plain greedy ends in this life, and are
//! each other's ratio. `families` is `select` with candidates in families of up to 64 neighbours, `files` with set-ups. Every shape first checks that both agree in every pick, and prints evaluations, picks and
//! certificate. Run with `cargo bench --bench optimize`; `cargo test --bench optimize` checks the answers alone.

#![expect(clippy::print_stderr, reason = "a bench reports")]

use std::collections::BTreeMap;
use std::hint::black_box;

use covopt::optimize::{Instance, Level, Options, Row, Selection, as_fraction, fixed_weights, select, select_plain};
use criterion::{Criterion, criterion_group, criterion_main};

struct Shape {
    name: &'static str,
    regions: u32,
    signals: u32,
    tests: u32,
    /// The budget at which plain greedy is affordable, and lazy and plain are compared.
    plain_budget_us: u64,
}

/// The budget of the figures that matter: `-t 10`.
const BUDGET_US: u64 = 10_000_000;

const SHAPES: [Shape; 4] = [
    Shape { name: "small", regions: 8, signals: 100, tests: 60, plain_budget_us: BUDGET_US },
    Shape { name: "medium", regions: 40, signals: 2_000, tests: 1_200, plain_budget_us: BUDGET_US },
    Shape { name: "wide", regions: 40, signals: 160_000, tests: 100_000, plain_budget_us: 500_000 },
    Shape { name: "hub", regions: 200, signals: 2_000_000, tests: 1_030_000, plain_budget_us: 20_000 },
];

/// Marsaglia's xorshift64: the same numbers everywhere, without a dependency.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn instance(shape: &Shape) -> Instance {
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let harmonic: f64 = (1..=shape.regions).map(|rank| 1.0 / f64::from(rank)).sum();
    let mut by_test: BTreeMap<u64, BTreeMap<u32, Level>> = BTreeMap::new();
    for region in 0..shape.regions {
        let length = f64::from(shape.signals) / harmonic / f64::from(region + 1);
        let common = Level::from_signal((1.5 / length).max(0.001));
        for _ in (0..shape.signals).take_while(|&drawn| f64::from(drawn) < length) {
            let own = i16::try_from(random.below(48)).expect("below 48");
            by_test.entry(random.below(shape.tests.into())).or_default().insert(region, common.scaled(own));
        }
    }
    let mut row_starts = vec![0];
    let mut rows = Vec::new();
    for signals in by_test.values() {
        rows.extend(signals.iter().map(|(&region, &level)| Row::new(region, level)));
        row_starts.push(u32::try_from(rows.len()).expect("millions of rows"));
    }
    let costs = by_test.keys().map(|_| (1_000 << random.below(14)) + random.below(1_000)).collect();
    let weights: Vec<f64> = (0..shape.regions).map(|_| 1.0 + random.below(8) as f64).collect();
    Instance::new(fixed_weights(&weights), costs, row_starts, rows).expect("rows are built in order")
}

/// The instance with families of up to 64 neighbours, half of them of one.
fn in_families(instance: &Instance) -> Instance {
    let mut random = XorShift(0x2545_f491_4f6c_dd1d);
    let mut family_of = Vec::with_capacity(instance.len());
    while family_of.len() < instance.len() {
        let size = if random.below(2) == 0 { 1 } else { 2 << random.below(6) };
        let family = u32::try_from(family_of.len()).expect("candidates are counted in u32");
        family_of.extend((0..size).map(|_| family).take(instance.len() - family_of.len()));
    }
    instance.clone().with_families(family_of).expect("one family per candidate")
}

/// The instance in files of 32 neighbours, each with a set-up of up to 64 ms.
fn in_files(instance: &Instance) -> Instance {
    let mut random = XorShift(0x1234_5678_9abc_def1);
    let file_of: Vec<u32> = (0..).take(instance.len()).map(|candidate: u32| candidate / 32).collect();
    let setup_us = (0..=instance.len() / 32).map(|_| random.below(64_000)).collect();
    instance.clone().with_groups(file_of, setup_us).expect("one file per candidate, one set-up per file")
}

fn within(budget_us: u64) -> Options {
    Options { budget_us: Some(budget_us), ..Options::default() }
}

fn report(name: &str, instance: &Instance, selection: &Selection, budget_us: u64) {
    eprintln!(
        "{name}: {} candidates, {} signals, {} ms: {} picks, {} evaluations, utility {:.4} of reachable {:.4}, certificate {:.4}",
        instance.len(),
        instance.rows().len(),
        budget_us / 1_000,
        selection.picks.len(),
        selection.evaluations,
        as_fraction(selection.utility),
        as_fraction(selection.reachable),
        selection.certificate(),
    );
}

fn bench(criterion: &mut Criterion) {
    for shape in &SHAPES {
        let instance = instance(shape);
        let (compared, full) = (within(shape.plain_budget_us), within(BUDGET_US));
        let (lazy, plain) = (select(&instance, &compared), select_plain(&instance, &compared));
        assert_eq!(lazy.picks, plain.picks, "{}: lazy and plain greedy differ", shape.name);
        let selection = select(&instance, &full);
        assert!(!selection.picks.is_empty() && selection.utility <= selection.upper_bound, "{}", shape.name);
        report("plain", &instance, &plain, shape.plain_budget_us);
        report("lazy", &instance, &lazy, shape.plain_budget_us);
        report("lazy", &instance, &selection, BUDGET_US);
        let families = in_families(&instance);
        report("families", &families, &select(&families, &full), BUDGET_US);
        let files = in_files(&instance);
        report("files", &files, &select(&files, &full), BUDGET_US);

        let mut group = criterion.benchmark_group(shape.name);
        group.sample_size(10);
        group.bench_function("select", |bencher| bencher.iter(|| select(black_box(&instance), &full)));
        group.bench_function("families", |bencher| bencher.iter(|| select(black_box(&families), &full)));
        group.bench_function("files", |bencher| bencher.iter(|| select(black_box(&files), &full)));
        group.bench_function("lazy", |bencher| bencher.iter(|| select(black_box(&instance), &compared)));
        group.bench_function("plain", |bencher| bencher.iter(|| select_plain(black_box(&instance), &compared)));
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
