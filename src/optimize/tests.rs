//! What the whole room promises, against plain greedy and brute force.

use proptest::prelude::*;

use super::*;

mod cover;
mod demands;
mod exact;
mod reference;
mod workers;

/// Candidates as (cost, levels by region), level 0 for no row.
fn instance(weights: &[u32], candidates: &[(u64, Vec<u8>)]) -> Instance {
    let mut rows = Vec::new();
    let mut row_starts = vec![0];
    for (_, levels) in candidates {
        rows.extend((0..).zip(levels).filter(|&(_, &q)| q > 0).map(|(region, &q)| Row::new(region, Level(q))));
        row_starts.push(u32::try_from(rows.len()).unwrap());
    }
    let costs = candidates.iter().map(|&(cost, _)| cost).collect();
    Instance::new(weights.to_vec(), costs, row_starts, rows).unwrap()
}

fn within(budget_us: u64) -> Options {
    Options { budget_us: Some(budget_us), ..Options::default() }
}

fn terms(budget_us: u64, workers: usize) -> problem::Terms {
    problem::Terms { budget_us, startup_us: 0, workers }
}

fn picked(selection: &Selection) -> Vec<u32> {
    selection.picks.iter().map(|pick| pick.candidate).collect()
}

/// The utility of these candidates in this order.
fn utility_of(instance: &Instance, candidates: impl IntoIterator<Item = u32>) -> u64 {
    let mut residuals = objective::Residuals::untouched(instance);
    candidates.into_iter().map(|candidate| residuals.pick(instance, candidate)).sum()
}

/// What plain greedy alone picks on one worker, of the best `most` candidates at the start.
fn bare_greedy(instance: &Instance, budget_us: u64, most: Option<usize>, negligible: u64) -> Vec<u32> {
    let mut bare = greedy::Walk::new(instance, budget_us, 1);
    let prospects = prospect::Prospects::new(instance, budget_us);
    let best = most.map(|most| prospect::best(&prospects, &mut bare, most));
    greedy::plain(&mut bare, &prospect::Pool::new(&prospects, best.as_deref()), negligible);
    bare.picks().to_vec()
}

/// What these candidates cost with the set-ups of their groups.
fn cost_of(instance: &Instance, candidates: impl IntoIterator<Item = u32>) -> u128 {
    let mut open = std::collections::BTreeSet::from([instance::NO_GROUP]);
    let cost_us = |candidate| {
        let first = open.insert(instance.group_of(candidate));
        u128::from(if first { instance.cost_alone_us(candidate) } else { instance.costs_us()[candidate as usize] })
    };
    candidates.into_iter().map(cost_us).sum()
}

/// The best utility of any subset that fits, picked in ascending or descending order.
fn optimum(instance: &Instance, budget_us: u64) -> u64 {
    let n = u32::try_from(instance.len()).unwrap();
    let subset = |mask: u32| (0..n).filter(move |i| mask & 1 << i != 0);
    let feasible = (0..1u32 << n).filter(|&mask| cost_of(instance, subset(mask)) <= u128::from(budget_us));
    feasible.map(|mask| utility_of(instance, subset(mask)).max(utility_of(instance, subset(mask).rev()))).max().unwrap()
}

const UNIT: u8 = 192;

#[test]
fn diversity_beats_a_second_look() {
    let half = WEIGHT_ONE / 2;
    let candidates =
        [(2_000, vec![UNIT, 0]), (2_000, vec![UNIT, 0]), (2_000, vec![0, UNIT]), (9_000, vec![UNIT, UNIT])];
    let selection = select(&instance(&[half, half], &candidates), &within(4_000));
    assert_eq!(picked(&selection), [0, 2]);
    assert_eq!(selection.cost_us(), 4_000);
    assert!((as_fraction(selection.utility) - (1.0 - (-1.0f64).exp())).abs() < 1e-8);
}

#[test]
fn what_does_not_fit_is_skipped_not_a_stop() {
    let candidates = [(1_000, vec![UNIT, 0, 0]), (50_000, vec![0, 255, 0]), (1_000, vec![0, 0, 100])];
    let selection = select(&instance(&[1 << 20, 1 << 30, 1 << 20], &candidates), &within(2_500));
    assert_eq!(picked(&selection), [0, 2]);
}

#[test]
fn the_best_single_candidate_is_never_missed() {
    // Cheap crumbs have the better ratio and leave no room for the one test that matters.
    let candidates = [(1_000, vec![150, 0]), (10_000, vec![0, 220]), (500, vec![0, 0])];
    let selection = select(&instance(&[1 << 30, 1 << 30], &candidates), &within(10_000));
    assert_eq!(picked(&selection), [1]);
}

#[test]
fn ties_go_to_the_lower_cost_then_the_lower_position() {
    let same = vec![UNIT];
    let candidates = [(800, same.clone()), (700, same.clone()), (700, same.clone()), (900, same)];
    assert_eq!(picked(&select(&instance(&[WEIGHT_ONE], &candidates), &within(3_100))), [1, 2, 0, 3]);
}

#[test]
fn redundant_candidates_are_not_picked() {
    let selection = select(&instance(&[WEIGHT_ONE], &vec![(1, vec![UNIT]); 100]), &Options::default());
    assert_eq!(selection.picks.len(), 14, "e^-14 is the first below 2^-20");
    assert!(selection.certificate() > 0.999_998);
}

#[test]
fn twins_are_not_evaluated_one_by_one() {
    // Everything that touches a hub may have the same signal, and the same cost where no durations are known.
    let twins = instance(&[WEIGHT_ONE], &vec![(20_000, vec![130]); 20_000]);
    let selection = select(&twins, &within(2_000_000));
    assert_eq!(picked(&selection), (0..100).collect::<Vec<u32>>());
    assert!(selection.evaluations < 8 * 20_000, "{} evaluations", selection.evaluations);
}

#[test]
fn twins_in_families_are_not_evaluated_one_by_one_either() {
    let twins = instance(&[WEIGHT_ONE], &vec![(20_000, vec![130]); 20_000]);
    for size in [2, 100, 20_000] {
        let families = twins.clone().with_families((0..20_000).map(|i| i / size).collect()).unwrap();
        let selection = select(&families, &within(2_000_000));
        assert_eq!(selection.picks.len(), if size == 20_000 { 16 } else { 100 });
        assert!(selection.evaluations < 8 * 20_000, "{} evaluations", selection.evaluations);
    }
}

#[test]
fn one_of_each_family_comes_first() {
    let same = vec![(1_000, vec![160]); 6];
    let families = instance(&[WEIGHT_ONE], &same).with_families(vec![5, 5, 5, NO_FAMILY, 6, 6]).unwrap();
    assert_eq!(picked(&select(&families, &Options::default())), [0, 3, 4, 1, 5, 2]);
}

#[test]
fn a_crowd_of_small_gains_is_not_negligible() {
    let weights = vec![1; 1 << 21];
    let rows = (0..1 << 21).map(|region| Row::new(region, Level::MAX)).collect();
    let crowd = Instance::new(weights, vec![1; 1 << 21], (0..=1 << 21).collect(), rows).unwrap();
    assert_eq!(select(&crowd, &within(10)).picks.len(), 10);
}

#[test]
fn many_weak_picks_are_certified_by_the_tangent() {
    // Marginal gains alone would allow the whole budget a second time, at the last gain per cost.
    let candidates: Vec<_> =
        (0..2_000u64).map(|i| (1_000 + 17 * (i % 90), vec![60 + u8::try_from(i % 50).unwrap()])).collect();
    let selection = select(&instance(&[WEIGHT_ONE], &candidates), &within(800_000));
    assert!(as_fraction(selection.utility) > 0.5);
    assert!((0.999..=1.0).contains(&selection.certificate()), "{}", selection.certificate());
}

#[test]
fn fill_spends_the_budget_in_rounds_and_says_so() {
    let candidates: Vec<_> = (0..40).map(|i| (1_000, if i < 30 { vec![255, 0] } else { vec![0, 250] })).collect();
    let two = instance(&[1 << 30, 1 << 29], &candidates);
    let bare = select(&two, &within(30_000));
    let filled = select(&two, &Options { fill: true, ..within(30_000) });
    assert_eq!(filled.cost_us(), 30_000);
    let chosen = bare.picks.len();
    assert_eq!(filled.picks[..chosen], bare.picks[..]);
    assert!(filled.picks[..chosen].iter().all(|pick| pick.reason == Reason::Chosen));
    assert!(filled.picks[chosen..].iter().all(|pick| pick.reason == Reason::Background));
    let second = filled.picks.iter().filter(|pick| pick.candidate >= 30).count();
    assert_eq!(second, 10, "each round holds both regions");
    let all = select(&two, &Options { fill: true, ..Options::default() });
    assert_eq!(all.picks.len(), 40);
}

#[test]
fn no_budget_and_no_candidates_select_nothing() {
    let empty = select(&instance(&[WEIGHT_ONE], &[]), &Options::default());
    assert_eq!((empty.picks.len(), empty.upper_bound, empty.residuals), (0, 0, vec![CHANCE_ONE]));
    let candidates = [(5, vec![UNIT]), (0, vec![1]), (0, vec![0])];
    let free = instance(&[WEIGHT_ONE], &candidates);
    assert_eq!(picked(&select(&free, &within(0))), [1], "what costs nothing fits in nothing");
    assert_eq!(picked(&select(&free, &Options { candidates: Some(0), ..Options::default() })), [0u32; 0]);
    assert_eq!(picked(&select(&instance(&[], &[(1, vec![])]), &Options::default())), [0u32; 0]);
}

#[test]
fn extreme_costs_and_weights_do_not_overflow() {
    let candidates =
        [(u64::MAX, vec![255, 255]), (u64::MAX, vec![255, 254]), (u64::MAX - 1, vec![9, 9]), (1, vec![1, 1])];
    let extreme = instance(&[1 << 30, 1 << 30], &candidates);
    for budget_us in [0, 1, u64::MAX - 1, u64::MAX] {
        for fill in [false, true] {
            let selection = select(&extreme, &Options { fill, ..within(budget_us) });
            assert!(selection.cost_us() <= budget_us);
            assert!(selection.upper_bound >= optimum(&extreme, budget_us));
        }
    }
    assert_eq!(picked(&select(&extreme, &Options::default())), [0]);
}

#[test]
fn a_file_is_set_up_once_and_then_its_tests_are_cheap() {
    let candidates = [(1_000, vec![180, 0]), (1_000, vec![170, 0]), (1_000, vec![0, 176]), (9_000, vec![0, 177])];
    let two = instance(&[1 << 30, 1 << 30], &candidates);
    let grouped = two.clone().with_groups(vec![0, 0, 1, 2], vec![4_000, 30_000, 0]).unwrap();
    let selection = select(&grouped, &Options { startup_us: 500, ..within(20_000) });
    assert_eq!(picked(&selection), [0, 1, 3], "once open, its second test is cheaper than another file");
    let costs: Vec<u64> = selection.picks.iter().map(|pick| pick.cumulative_cost_us).collect();
    assert_eq!(costs, [5_500, 6_500, 15_500]);
    assert_eq!(select(&grouped, &Options { startup_us: 20_001, ..within(20_000) }).upper_bound, 0);
    assert_eq!(select(&grouped, &Options { startup_us: 20_000, ..within(20_000) }).cost_us(), 0);
}

/// A file of six tests behind a set-up of four seconds, and a better single one; each alone on its region.
fn file_of_six_and_one_better() -> Instance {
    let on = |region: usize, level| (0..7).map(|other| if other == region { level } else { 0 }).collect::<Vec<u8>>();
    let mut candidates: Vec<_> = (0..6).map(|region| (1_000_000, on(region, UNIT))).collect();
    candidates.push((5_000_000, on(6, UNIT + 8)));
    instance(&[1 << 27; 7], &candidates).with_groups(vec![0, 0, 0, 0, 0, 0, 1], vec![4_000_000, 0]).unwrap()
}

#[test]
fn a_closed_file_is_judged_by_all_that_it_opens() {
    // Greedy took the single test first, for the file's first test alone is not worth opening it.
    let instance = file_of_six_and_one_better();
    assert_eq!(bare_greedy(&instance, 10_000_000, None, 1), [6, 0]);
    assert_eq!(picked(&select(&instance, &within(10_000_000))), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_set_up_counts_in_the_bound() {
    // Left out of it, four seconds of the file's set-up would buy most of the single test.
    let selection = select(&file_of_six_and_one_better(), &within(10_000_000));
    assert!(selection.certificate() > 0.999, "{}", selection.certificate());
}

#[test]
fn keeping_n_candidates_keeps_the_best_by_gain_per_cost() {
    let candidates =
        [(1_000, vec![100]), (1_000, vec![180]), (9_000, vec![181]), (1_000, vec![170]), (90_000, vec![255])];
    let five = instance(&[WEIGHT_ONE], &candidates);
    let selection = select(&five, &Options { candidates: Some(2), ..within(20_000) });
    assert_eq!(picked(&selection), [1, 3]);
    assert_eq!(
        selection.upper_bound,
        select(&five, &Options { candidates: Some(1), ..within(20_000) }).upper_bound.min(selection.upper_bound)
    );
}

/// Those of [`additive`], half of them in groups with set-ups.
fn instances(most: usize, least_cost_us: u64) -> impl Strategy<Value = Instance> {
    let setups = prop::collection::vec(prop_oneof![1 => Just(0), 1 => 0..3_000u64, 2 => 0..50_000u64], 8);
    let groups = prop::collection::vec(prop_oneof![3 => 0..3u32, 1 => 3..8u32], most);
    (additive(most, least_cost_us), setups, groups, any::<bool>()).prop_map(
        |(instance, setups, mut groups, grouped)| {
            groups.truncate(instance.len());
            if grouped { instance.with_groups(groups, setups).unwrap() } else { instance }
        },
    )
}

/// Instances with few distinct levels and costs, so that ties are common, and all levels, so that odd ones occur.
fn additive(most: usize, least_cost_us: u64) -> impl Strategy<Value = Instance> {
    let level = prop_oneof![3 => Just(0u8), 2 => prop::sample::select(vec![UNIT, 176, 208]), 2 => any::<u8>()];
    let cost = prop_oneof![3 => 0..5u64, 3 => (0..20u64).prop_map(|ms| ms * 1_000), 2 => 0..40_000u64]
        .prop_map(move |cost_us| cost_us.max(least_cost_us));
    (1..6usize).prop_flat_map(move |regions| {
        let weights = prop::collection::vec(0.0..1.0f64, regions).prop_map(|weights| fixed_weights(&weights));
        let candidate = (cost.clone(), prop::collection::vec(level.clone(), regions));
        (weights, prop::collection::vec((candidate, families()), 0..most), any::<bool>()).prop_map(
            |(weights, candidates, in_families)| {
                let (candidates, family_of): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
                let plain = instance(&weights, &candidates);
                if in_families { plain.with_families(family_of).unwrap() } else { plain }
            },
        )
    })
}

/// Few families, so that they are large.
fn families() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(NO_FAMILY), 3 => 0..3u32, 1 => 0..30u32]
}

/// Options for any instance: what they name is taken modulo its size by [`for_instance`].
fn options() -> impl Strategy<Value = Options> {
    let budget_us = prop_oneof![Just(None), (0..100_000u64).prop_map(Some)];
    let candidates = prop_oneof![3 => Just(None), 1 => (0..40usize).prop_map(Some)];
    let startup_us = prop_oneof![Just(0), 0..50_000u64];
    let named = || prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(any::<u32>(), 0..8)];
    let first_budget_us = prop_oneof![Just(None), (0..60_000u64).prop_map(Some)];
    let spent = (budget_us, startup_us, prop_oneof![Just(1), 1..5usize]);
    (spent, candidates, named(), first_budget_us, any::<bool>(), named()).prop_map(
        |((budget_us, startup_us, workers), candidates, first, first_budget_us, fill, last)| Options {
            budget_us,
            startup_us,
            workers,
            candidates,
            first,
            first_budget_us,
            fill,
            last,
        },
    )
}

fn for_instance(mut options: Options, instance: &Instance) -> Options {
    let candidates = u32::try_from(instance.len()).unwrap();
    for named in [&mut options.first, &mut options.last] {
        named.truncate(instance.len() * 8);
        named.iter_mut().for_each(|candidate| *candidate %= candidates.max(1));
    }
    options
}

proptest! {
    #[test]
    fn lazy_is_plain(instance in instances(60, 0), options in options()) {
        let options = for_instance(options, &instance);
        let (lazy, plain) = (select(&instance, &options), select_plain(&instance, &options));
        prop_assert!(lazy.evaluations <= plain.evaluations);
        prop_assert_eq!(&lazy, &Selection { evaluations: lazy.evaluations, ..plain });
    }

    #[test]
    fn tiers_change_no_pick(instance in instances(200, 0), options in options()) {
        let options = for_instance(options, &instance);
        let tiered = select_by(&instance, &options, |walk, pool, least| greedy::lazy_in_tiers(walk, pool, least, 2));
        prop_assert_eq!(tiered.picks, select_plain(&instance, &options).picks);
    }

    #[test]
    fn a_selection_keeps_its_promises(instance in instances(60, 0), options in options()) {
        let options = Options { workers: 1, first: vec![], ..for_instance(options, &instance) };
        let selection = select(&instance, &options);
        let budget_us = options.budget_us.unwrap_or(u64::MAX);
        let startup_us = if selection.picks.is_empty() { 0 } else { options.startup_us };
        let costs_us = cost_of(&instance, picked(&selection)) + u128::from(startup_us);
        prop_assert_eq!(costs_us, u128::from(selection.cost_us()));
        prop_assert!(selection.cost_us() <= budget_us);
        prop_assert!(selection.picks.is_sorted_by_key(|pick| pick.cumulative_cost_us));
        prop_assume!(options.startup_us <= budget_us);
        let budget_us = budget_us - options.startup_us;
        let mut once = picked(&selection);
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), selection.picks.len());
        prop_assert_eq!(selection.utility, selection.picks.iter().map(|pick| pick.gain).sum::<u64>());
        prop_assert_eq!(selection.utility, utility_of(&instance, picked(&selection)));
        prop_assert!(selection.utility <= selection.upper_bound);
        prop_assert!(selection.utility <= UTILITY_ONE);
        let negligible = (selection.reachable >> NEGLIGIBLE_SHIFT).max(1);
        let bare = bare_greedy(&instance, budget_us, options.candidates, negligible);
        prop_assert!(selection.utility >= utility_of(&instance, bare));
        if options.candidates.is_none() {
            let all = 0..u32::try_from(instance.len()).unwrap();
            let fitting = all.filter(|&candidate| instance.cost_alone_us(candidate) <= budget_us);
            let best_single = fitting.map(|candidate| utility_of(&instance, [candidate])).max().unwrap_or(0);
            prop_assert!(selection.utility >= best_single);
        }
    }

    #[test]
    fn gains_never_grow_along_a_selection(instance in instances(30, 0), order in any::<prop::sample::Index>()) {
        let mut residuals = objective::Residuals::untouched(&instance);
        let n = u32::try_from(instance.len()).unwrap();
        let mut before: Vec<u64> = (0..n).map(|i| residuals.gain(&instance, i)).collect();
        for step in 0..n {
            let candidate = u32::try_from((order.index(instance.len()) + 7 * step as usize) % instance.len()).unwrap();
            prop_assert_eq!(residuals.gain(&instance, candidate), residuals.pick(&instance, candidate));
            let after: Vec<u64> = (0..n).map(|i| residuals.gain(&instance, i)).collect();
            prop_assert!(after.iter().zip(&before).all(|(after, before)| after <= before));
            before = after;
        }
    }

    #[test]
    fn the_bound_is_above_any_choice(instance in instances(11, 0), budget_us in 0..100_000u64) {
        let selection = select(&instance, &within(budget_us));
        prop_assert!(selection.upper_bound >= optimum(&instance, budget_us));
    }

    #[test]
    fn adding_rows_never_lowers_the_bound_of_nothing_picked(
        instance in instances(30, 0), budget_us in 0..100_000u64, which: prop::sample::Index, level in 1..=u8::MAX
    ) {
        let bound = |instance: &Instance| {
            let relaxed = bound::Relaxed::new(instance, terms(budget_us, 1), &[]);
            relaxed.upper_bound(&[], 0, &relaxed.reach(), &prospect::Prospects::new(instance, budget_us))
        };
        let richer = with_a_row_more(&instance, which, level);
        prop_assert!(bound(&richer) >= bound(&instance));
    }

    #[test]
    fn no_prefix_has_a_better_completion(instance in instances(30, 0), budget_us in 0..100_000u64) {
        let bare = bare_greedy(&instance, budget_us, None, 1);
        let all: Vec<u32> = (0..u32::try_from(instance.len()).unwrap()).collect();
        let found = select(&instance, &within(budget_us)).utility;
        for prefix in 0..=bare.len() {
            let picks = &bare[..prefix];
            for &one in all.iter().filter(|one| !picks.contains(one)) {
                let completed = || picks.iter().copied().chain([one]);
                if cost_of(&instance, completed()) > u128::from(budget_us) {
                    continue;
                }
                let utility = utility_of(&instance, completed());
                // The selection leaves out what is negligible.
                prop_assert!(found + (UTILITY_ONE >> 15) >= utility, "{prefix} {one}");
            }
        }
    }

    #[test]
    fn the_guarantee_holds(instance in additive(11, COST_FLOOR_US), budget_us in 0..100_000u64) {
        let (best, found) = (optimum(&instance, budget_us), select(&instance, &within(budget_us)).utility);
        prop_assert!(as_fraction(found) >= 0.5 * as_fraction(best) - 1e-5);
    }

    #[test]
    fn position_decides_nothing_but_ties(weights in prop::collection::vec(0.0..1.0f64, 3),
                                         levels in prop::collection::vec(prop::collection::vec(any::<u8>(), 3), 1..30),
                                         budget_us in 0..60_000u64) {
        // Distinct costs: no two candidates tie, so names alone move with the positions.
        let candidates: Vec<_> = (1_000..).step_by(137).zip(levels).collect();
        let reversed: Vec<_> = candidates.iter().rev().cloned().collect();
        let weights = fixed_weights(&weights);
        let forth = select(&instance(&weights, &candidates), &within(budget_us));
        let back = select(&instance(&weights, &reversed), &within(budget_us));
        let last = u32::try_from(candidates.len() - 1).unwrap();
        prop_assert_eq!(picked(&forth), picked(&back).into_iter().map(|i| last - i).collect::<Vec<_>>());
        prop_assert_eq!(forth.utility, back.utility);
    }
}

/// The instance with one more signal, unless there is one already.
fn with_a_row_more(given: &Instance, which: prop::sample::Index, level: u8) -> Instance {
    let regions = given.weights().len();
    let mut candidates: Vec<(u64, Vec<u8>)> = (0..)
        .zip(given.costs_us())
        .map(|(candidate, &cost_us)| {
            let mut levels = vec![0; regions];
            given.rows_of(candidate).iter().for_each(|row| levels[row.region() as usize] = row.level().0);
            (cost_us, levels)
        })
        .collect();
    if !candidates.is_empty() {
        let cell = which.index(candidates.len() * regions);
        let found = &mut candidates[cell / regions].1[cell % regions];
        *found = if *found == 0 { level } else { *found };
    }
    let group_of =
        |candidate| if given.group_of(candidate) == instance::NO_GROUP { 8 } else { given.group_of(candidate) };
    let groups = (0..).take(given.len()).map(group_of).collect();
    let setup_us =
        |group| given.members_of(group).first().map_or(0, |&i| given.cost_alone_us(i) - given.costs_us()[i as usize]);
    let setups = (0..9)
        .map(|group| if group < u32::try_from(given.group_count()).unwrap() { setup_us(group) } else { 0 })
        .collect();
    let family_of = (0..).take(given.len()).map(|candidate| given.family_of(candidate)).collect();
    instance(given.weights(), &candidates).with_families(family_of).unwrap().with_groups(groups, setups).unwrap()
}
