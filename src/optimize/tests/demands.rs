//! What is asked for first and last.

use super::*;

/// The best utility of any subset that holds `first` and fits, picked after it in ascending or descending order.
fn optimum_with(instance: &Instance, budget_us: u64, first: &[u32]) -> u64 {
    let rest: Vec<u32> = (0..u32::try_from(instance.len()).unwrap()).filter(|i| !first.contains(i)).collect();
    let subset =
        |mask: u32| rest.iter().copied().enumerate().filter(move |(at, _)| mask & 1 << at != 0).map(|(_, i)| i);
    let utility = |mask| {
        let with_first = |others: Vec<u32>| utility_of(instance, first.iter().copied().chain(others));
        with_first(subset(mask).collect()).max(with_first(subset(mask).collect::<Vec<_>>().into_iter().rev().collect()))
    };
    let cost_us = |mask| cost_of(instance, first.iter().copied().chain(subset(mask)));
    let feasible = (0..1u32 << rest.len()).filter(|&mask| cost_us(mask) <= u128::from(budget_us));
    feasible.map(utility).max().unwrap()
}

fn reasons(selection: &Selection) -> Vec<Reason> {
    selection.picks.iter().map(|pick| pick.reason).collect()
}

#[test]
fn what_is_asked_for_comes_first_and_opens_its_file() {
    // Without a signal, without a need, in the order given; then what is best beside it.
    let candidates =
        [(2_000, vec![0, 0]), (1_000, vec![UNIT, 0]), (1_000, vec![0, UNIT]), (500, vec![UNIT, 0]), (900, vec![0, 0])];
    let files =
        instance(&[1 << 30, 1 << 30], &candidates).with_groups(vec![0, 0, 1, 2, 0], vec![5_000, 100, 0]).unwrap();
    let options = Options { first: vec![0, 3, 0], last: vec![4, 0], startup_us: 300, ..within(20_000) };
    let selection = select(&files, &options);
    assert_eq!(picked(&selection), [0, 3, 2, 1, 4]);
    assert_eq!(reasons(&selection), [Reason::First, Reason::First, Reason::Chosen, Reason::Chosen, Reason::Background]);
    let costs: Vec<u64> = selection.picks.iter().map(|pick| pick.cumulative_cost_us).collect();
    assert_eq!(costs, [7_300, 7_800, 8_900, 9_900, 10_800], "the file of 0, 1 and 4 is set up once");
}

#[test]
fn what_is_asked_for_and_does_not_fit_stays_a_candidate() {
    let candidates = [(4_000, vec![UNIT]), (3_000, vec![UNIT]), (1_000, vec![100]), (50_000, vec![255])];
    let four = instance(&[WEIGHT_ONE], &candidates);
    let options = Options { first: vec![3, 0, 1, 2], first_budget_us: Some(5_000), ..within(10_000) };
    let selection = select(&four, &options);
    assert_eq!(picked(&selection), [0, 2, 1], "3 fits nowhere, 1 not in what the first may take");
    assert_eq!(reasons(&selection), [Reason::First, Reason::First, Reason::Chosen]);
    assert_eq!(select(&four, &Options { startup_us: 10_001, ..options }).picks, []);
}

#[test]
fn what_comes_last_follows_the_rounds_of_fill() {
    let candidates = [(1_000, vec![0]), (1_000, vec![200]), (1_000, vec![250]), (1_000, vec![255]), (9_000, vec![0])];
    let five = instance(&[WEIGHT_ONE], &candidates);
    let options = Options { fill: true, last: vec![4, 0, 1], ..within(4_000) };
    let selection = select(&five, &options);
    assert_eq!(picked(&selection), [3, 2, 1, 0]);
    assert_eq!(selection.picks[3].reason, Reason::Background);
    let unknown = select(&five, &Options { last: vec![4, 0], candidates: Some(0), ..within(4_000) });
    assert_eq!((picked(&unknown), unknown.cost_us()), (vec![0], 1_000), "what needs no signal needs no candidate");
}

proptest! {
    #[test]
    fn demands_are_met(instance in instances(40, 0), options in options()) {
        let options = for_instance(options, &instance);
        let selection = select(&instance, &options);
        let count = |reason| selection.picks.iter().filter(|pick| pick.reason == reason).count();
        let (first, chosen) = (count(Reason::First), count(Reason::Chosen));
        // In this order, the first in theirs, and none that would have fitted was skipped.
        prop_assert!(reasons(&selection).is_sorted_by_key(|&reason| reason as u8));
        let budget_us = options.budget_us.unwrap_or(u64::MAX);
        if let Some(left_us) = budget_us.checked_sub(options.startup_us) {
            let limit_us = left_us.min(options.first_budget_us.unwrap_or(u64::MAX));
            let mut taken: Vec<u32> = Vec::new();
            for &candidate in if options.workers == 1 { &options.first[..] } else { &[] } {
                let with_it = taken.iter().copied().chain([candidate]);
                if !taken.contains(&candidate) && cost_of(&instance, with_it) <= u128::from(limit_us) {
                    taken.push(candidate);
                }
            }
            if options.workers == 1 {
                prop_assert_eq!(&picked(&selection)[..first], taken);
            }
            let bare = select(&instance, &Options { fill: false, last: vec![], ..options.clone() });
            let alike = |picks: &[Pick]| picks.iter().map(|pick| (pick.candidate, pick.gain)).collect::<Vec<_>>();
            prop_assert_eq!(alike(&bare.picks), alike(&selection.picks[..first + chosen]));
            for &last in &options.last {
                let room = options.workers == 1 && !picked(&selection).contains(&last);
                let with_it = picked(&selection).into_iter().chain([last]);
                prop_assert!(!room || cost_of(&instance, with_it) > u128::from(left_us), "{} would have fitted", last);
            }
        } else {
            prop_assert_eq!(selection.picks.len(), 0);
        }
    }

    #[test]
    fn the_bound_is_above_any_choice_with_the_first(
        instance in instances(9, 0), first in prop::collection::vec(any::<u32>(), 0..4), budget_us in 0..100_000u64,
        limit_us in prop::option::of(0..60_000u64)
    ) {
        let options = Options { first, first_budget_us: limit_us, ..within(budget_us) };
        let selection = select(&instance, &for_instance(options, &instance));
        let first: Vec<u32> =
            selection.picks.iter().filter(|pick| pick.reason == Reason::First).map(|pick| pick.candidate).collect();
        prop_assert!(selection.upper_bound >= optimum_with(&instance, budget_us, &first));
    }

    #[test]
    fn the_guarantee_holds_beside_the_first(
        instance in additive(9, COST_FLOOR_US), first in prop::collection::vec(any::<u32>(), 0..3), budget_us in 0..60_000u64
    ) {
        let selection = select(&instance, &for_instance(Options { first, ..within(budget_us) }, &instance));
        let first: Vec<u32> =
            selection.picks.iter().filter(|pick| pick.reason == Reason::First).map(|pick| pick.candidate).collect();
        let gained = |utility: u64| as_fraction(utility) - as_fraction(utility_of(&instance, first.iter().copied()));
        prop_assert!(gained(selection.utility) >= 0.5 * gained(optimum_with(&instance, budget_us, &first)) - 1e-5);
    }
}
