//! The objective in floats, straight from its definition, and what is printed against it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// How far fixed point may be from exact: some units of 2^-32 for each of a few picks.
const ROUNDING: f64 = 1e-6;

/// U(S) = sum_j w_j (1 - exp(-sum_f sum_k 2^-(k-1) A_(k))).
fn exact_utility(instance: &Instance, selection: &[u32]) -> f64 {
    let mut signals: BTreeMap<(u32, u64), Vec<f64>> = BTreeMap::new();
    for &candidate in selection {
        let family = match instance.family_of(candidate) {
            NO_FAMILY => (u64::from(candidate) + 1) << 32,
            family => u64::from(family),
        };
        for row in instance.rows_of(candidate) {
            signals.entry((row.region(), family)).or_default().push(row.level().signal());
        }
    }
    let mut sums = vec![0.0; instance.weights().len()];
    for ((region, _), mut signals) in signals {
        signals.sort_by(|a, b| b.total_cmp(a));
        sums[region as usize] += signals.iter().rev().fold(0.0, |others, signal| signal + others / 2.0);
    }
    let weights = instance.weights().iter().map(|&weight| f64::from(weight) / f64::from(WEIGHT_ONE));
    weights.zip(sums).map(|(weight, sum)| weight * -libm::expm1(-sum)).sum()
}

fn subset(instance: &Instance, mask: u32) -> Vec<u32> {
    (0..u32::try_from(instance.len()).unwrap()).filter(|i| mask & 1 << i != 0).collect()
}

/// The best utility of any subset that fits.
fn exact_optimum(instance: &Instance, budget_us: u64) -> f64 {
    let subsets = (0..1u32 << instance.len()).map(|mask| subset(instance, mask));
    let cost = |subset: &[u32]| cost_of(instance, subset.iter().copied());
    subsets
        .filter(|subset| cost(subset) <= u128::from(budget_us))
        .map(|subset| exact_utility(instance, &subset))
        .fold(0.0, f64::max)
}

/// Cost-benefit greedy from its definition, for one worker: sets, one budget, nothing kept from pick to pick.
pub(super) fn cost_benefit_greedy(instance: &Instance, budget_us: u64) -> Vec<u32> {
    let mut picks: Vec<u32> = Vec::new();
    loop {
        let cost_us = cost_of(instance, picks.iter().copied());
        let utility = utility_of(instance, picks.iter().copied());
        let with = |one: u32| picks.iter().copied().chain([one]);
        let others = (0..u32::try_from(instance.len()).unwrap()).filter(|one| !picks.contains(one));
        let offers = others.filter_map(|one| {
            let adds_us = cost_of(instance, with(one)) - cost_us;
            let gain = utility_of(instance, with(one)) - utility;
            (gain > 0 && cost_us + adds_us <= u128::from(budget_us)).then_some((gain, adds_us, one))
        });
        let floored = |cost_us: u128| cost_us.max(u128::from(COST_FLOOR_US));
        let best = offers.max_by(|a, b| {
            let ratios = (u128::from(a.0) * floored(b.1)).cmp(&(u128::from(b.0) * floored(a.1)));
            ratios.then(a.0.cmp(&b.0)).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2))
        });
        let Some((.., one)) = best else {
            return picks;
        };
        picks.push(one);
    }
}

proptest! {
    #[test]
    fn the_objective_is_monotone_and_submodular(
        instance in instances(11, 0), small: u32, more: u32, one in any::<prop::sample::Index>()
    ) {
        prop_assume!(!instance.is_empty());
        let bit = 1 << one.index(instance.len());
        let utility = |mask: u32| exact_utility(&instance, &subset(&instance, mask));
        let (small, large) = (small & !bit, (small | more) & !bit);
        prop_assert!(utility(large) >= utility(small) - 1e-12);
        let gain = |mask: u32| utility(mask | bit) - utility(mask);
        prop_assert!(gain(small) >= gain(large) - 1e-12);
    }

    #[test]
    fn what_is_printed_is_the_objective(
        instance in instances(40, 0), budget_us in 0..200_000u64, fill: bool
    ) {
        let selection = select(&instance, &Options { fill, ..within(budget_us) });
        let exact = exact_utility(&instance, &picked(&selection));
        let printed = as_fraction(selection.utility);
        // Levels are committed as survivals of 32 bits, each good for half a unit, and a pick rounds down by one.
        prop_assert!(printed <= exact + selection.picks.len() as f64 * 1.5 / 4_294_967_296.0, "{printed} {exact}");
        prop_assert!(printed >= exact - ROUNDING, "{printed} {exact}");
        let all: Vec<u32> = (0..u32::try_from(instance.len()).unwrap()).collect();
        prop_assert!((as_fraction(selection.reachable) - exact_utility(&instance, &all)).abs() < ROUNDING);
    }

    #[test]
    fn any_order_of_picking_has_the_same_utility(
        (instance, order) in instances(30, 0).prop_flat_map(|instance| {
            let all: Vec<u32> = (0..u32::try_from(instance.len()).unwrap()).collect();
            (Just(instance), Just(all).prop_shuffle())
        })
    ) {
        let exact = exact_utility(&instance, &order);
        prop_assert!((as_fraction(utility_of(&instance, order)) - exact).abs() < ROUNDING);
    }

    #[test]
    fn the_bound_is_above_the_optimum(instance in instances(11, 0), budget_us in 0..100_000u64) {
        let selection = select(&instance, &within(budget_us));
        prop_assert!(as_fraction(selection.upper_bound) >= exact_optimum(&instance, budget_us) - 1e-9);
    }

    #[test]
    fn half_of_the_optimum_is_reached(instance in additive(11, COST_FLOOR_US), budget_us in 0..100_000u64) {
        let found = as_fraction(select(&instance, &within(budget_us)).utility);
        // What is left out as negligible is below 2^-20 a candidate.
        prop_assert!(found >= exact_optimum(&instance, budget_us) / 2.0 - 11.0 * 2f64.powi(-20));
    }

    #[test]
    fn families_only_take_away(instance in instances(30, 0)) {
        let plain = instance.clone().with_families(vec![NO_FAMILY; instance.len()]).unwrap();
        let all: Vec<u32> = (0..u32::try_from(instance.len()).unwrap()).collect();
        prop_assert!(exact_utility(&instance, &all) <= exact_utility(&plain, &all) + 1e-12);
        prop_assert!(utility_of(&instance, all.clone()) <= utility_of(&plain, all));
    }
}
