//! The cheapest that reaches a target, against brute force and plain greedy.

use super::*;
use cover::Cover;

fn covered(instance: &Instance, options: &Options, share: f64) -> Cover {
    super::super::cover(instance, options, fixed_share(share))
}

/// What any subset costs at least that holds `first` and reaches `needed`, in ascending or descending order of picking.
fn cheapest_of_all(instance: &Instance, first: &[u32], needed: u64) -> Option<u128> {
    let rest: Vec<u32> = (0..u32::try_from(instance.len()).unwrap()).filter(|i| !first.contains(i)).collect();
    let subset = |mask: u32| {
        let rest = rest.iter().copied().enumerate().filter(move |(at, _)| mask & 1 << at != 0).map(|(_, i)| i);
        first.iter().copied().chain(rest).collect::<Vec<u32>>()
    };
    let reaches = |subset: &Vec<u32>| {
        let utility = utility_of(instance, subset.iter().copied());
        utility.max(utility_of(instance, subset.iter().rev().copied())) >= needed
    };
    let reaching = (0..1u32 << rest.len()).map(subset).filter(reaches);
    reaching.map(|subset| cost_of(instance, subset)).min()
}

#[test]
fn what_covers_all_is_better_than_what_is_best_at_first() {
    // Greedy takes the cheap half of everything, and then needs both of the others; what is missing is all that counts.
    let on = |levels: [u8; 3]| levels.to_vec();
    let candidates = [(1_000, on([150, 0, 0])), (10_000, on([255, 0, 0])), (12_000, on([0, 255, 255]))];
    let three = instance(&[1 << 29; 3], &candidates);
    let cover = covered(&three, &Options { startup_us: 500, ..Options::default() }, 0.99);
    assert_eq!((cover.verdict, picked(&cover.selection)), (Verdict::Reached, vec![2, 1]));
    assert_eq!(cover.selection.cost_us(), 22_500, "the first pick is not needed in the end");
    assert!(cover.cost_at_least_us.is_some_and(|least_us| (20_000..=22_500).contains(&least_us)), "{cover:?}");
    assert!(cover.selection.confidence() >= 0.99);
}

#[test]
fn a_budget_binds_and_the_answer_says_so() {
    let candidates = [(4_000, vec![UNIT, 0]), (4_000, vec![0, UNIT]), (1_000, vec![170, 0])];
    let three = instance(&[1 << 30, 1 << 30], &candidates);
    let all = covered(&three, &Options::default(), 0.99);
    assert_eq!((all.verdict, picked(&all.selection).len(), all.selection.cost_us()), (Verdict::Reached, 3, 9_000));
    let within_it = covered(&three, &within(9_000), 0.99);
    assert_eq!((within_it.verdict, within_it.selection.picks), (Verdict::Reached, all.selection.picks));
    let beyond = covered(&three, &within(8_000), 0.99);
    assert_eq!(beyond.verdict, Verdict::Impossible);
    assert_eq!(beyond.selection, select(&three, &within(8_000)), "the best at the budget");
    assert!(beyond.selection.confidence() < 0.99 && beyond.selection.utility < beyond.needed);
    assert_eq!(covered(&three, &Options { startup_us: 9, ..within(8) }, 0.5).verdict, Verdict::Impossible);
}

#[test]
fn nothing_to_reach_is_reached_by_nothing() {
    let blind = instance(&[WEIGHT_ONE], &[(5, vec![0]), (6, vec![0])]);
    let cover = covered(&blind, &Options { startup_us: 100, ..Options::default() }, 0.5);
    assert_eq!((cover.verdict, cover.selection.picks.len(), cover.cost_at_least_us), (Verdict::Reached, 0, Some(0)));
    assert!((cover.selection.confidence() - 1.0).abs() < 1e-12);
}

#[test]
fn workers_reach_it_sooner() {
    let on = |region: usize| (0..4).map(|other| if other == region { 255 } else { 0 }).collect::<Vec<u8>>();
    let four = instance(&[1 << 29; 4], &(0..4).map(|i| (5_000, on(i))).collect::<Vec<_>>());
    let cover = covered(&four, &Options { workers: 2, ..Options::default() }, 0.9);
    assert_eq!((cover.selection.picks.len(), cover.selection.cost_us()), (4, 10_000));
    assert!(cover.cost_at_least_us.is_some_and(|least_us| (8_900..=10_000).contains(&least_us)));
}

#[test]
fn shares_are_fixed() {
    let shares = [-1.0, 0.0, 0.5, 1.0, 7.0, f64::NAN].map(fixed_share);
    assert_eq!(shares, [0, 0, SHARE_ONE / 2, SHARE_ONE, SHARE_ONE, 0]);
}

proptest! {
    #[test]
    fn nothing_that_reaches_it_is_cheaper_than_said(
        instance in instances(9, 0), first in prop::collection::vec(any::<u32>(), 0..3), share in 0.01..1.0f64
    ) {
        let options = for_instance(Options { first, ..Options::default() }, &instance);
        let cover = covered(&instance, &options, share);
        let first: Vec<u32> = cover.selection.picks.iter().filter(|pick| pick.reason == Reason::First).map(|pick| pick.candidate).collect();
        prop_assert_eq!(cover.verdict == Verdict::Reached, cover.selection.utility >= cover.needed);
        if let Some(cheapest_us) = cheapest_of_all(&instance, &first, cover.needed) {
            prop_assert!(cover.cost_at_least_us.is_some_and(|least_us| u128::from(least_us) <= cheapest_us));
        }
        if cover.verdict == Verdict::Reached {
            let least_us = cover.cost_at_least_us.unwrap();
            prop_assert!(least_us <= cover.selection.cost_us());
        }
    }

    #[test]
    fn it_is_never_dearer_than_greedy_until_it_is_reached(instance in instances(40, 0), share in 0.01..0.999f64) {
        let cover = covered(&instance, &Options::default(), share);
        let greedy = reference::cost_benefit_greedy(&instance, u64::MAX);
        let reaching = (0..=greedy.len()).find(|&end| {
            utility_of(&instance, greedy[..end].iter().copied()) >= cover.needed
        });
        let prefix = &greedy[..reaching.unwrap_or(greedy.len())];
        prop_assert!(u128::from(cover.selection.cost_us()) <= cost_of(&instance, prefix.iter().copied()));
    }

    #[test]
    fn no_pick_is_needless(instance in instances(30, 0), share in 0.01..0.999f64) {
        let cover = covered(&instance, &Options::default(), share);
        for pick in &cover.selection.picks {
            let others = picked(&cover.selection).into_iter().filter(|&other| other != pick.candidate);
            let needless = utility_of(&instance, others.clone()) >= cover.needed;
            // What costs nothing more is no reason to prefer another selection.
            prop_assert!(!needless || cost_of(&instance, others) == u128::from(cover.selection.cost_us()));
        }
    }

    #[test]
    fn a_budget_is_kept_and_the_verdict_is_true(
        instance in instances(9, 0), budget_us in 0..60_000u64, workers in 1..3usize, share in 0.01..1.0f64
    ) {
        let cover = covered(&instance, &Options { workers, ..within(budget_us) }, share);
        prop_assert!(cover.selection.cost_us() <= budget_us);
        prop_assert_eq!(cover.verdict == Verdict::Reached, cover.selection.utility >= cover.needed);
        let cheapest_us = cheapest_of_all(&instance, &[], cover.needed);
        let possible = cheapest_us.is_some_and(|cheapest_us| cheapest_us <= u128::from(budget_us));
        prop_assert!(cover.verdict != Verdict::Impossible || !possible);
    }
}
