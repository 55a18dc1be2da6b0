//! What several workers change, and what they do not.

use super::*;

fn shared(budget_us: u64, workers: usize) -> Options {
    Options { workers, ..within(budget_us) }
}

/// The makespan of picks, each on its worker, from their costs and set-ups alone.
fn makespan_of(instance: &Instance, picks: &[Pick]) -> u128 {
    let workers = picks.iter().map(|pick| pick.worker).max().map_or(0, |last| last + 1);
    let on = |worker| picks.iter().filter(move |pick| pick.worker == worker).map(|pick| pick.candidate);
    (0..workers).map(|worker| cost_of(instance, on(worker))).max().unwrap_or(0)
}

/// The best utility of any two disjoint subsets that both fit.
fn optimum_of_two(instance: &Instance, budget_us: u64) -> u64 {
    let n = u32::try_from(instance.len()).unwrap();
    let subset = |mask: u32| (0..n).filter(move |i| mask & 1 << i != 0);
    let fits: Vec<bool> = (0..1u32 << n).map(|mask| cost_of(instance, subset(mask)) <= u128::from(budget_us)).collect();
    let divides = |mask: u32| (0..=mask).any(|a| a & !mask == 0 && fits[a as usize] && fits[(mask & !a) as usize]);
    let feasible = (0..1u32 << n).filter(|&mask| divides(mask));
    feasible.map(|mask| utility_of(instance, subset(mask)).max(utility_of(instance, subset(mask).rev()))).max().unwrap()
}

#[test]
fn two_workers_run_twice_as_much_and_start_once() {
    let candidates: Vec<_> = (0..8).map(|i| (10_000, vec![130 + i])).collect();
    let eight = instance(&[WEIGHT_ONE], &candidates);
    let options = |workers| Options { startup_us: 5_000, ..shared(25_000, workers) };
    let [one, two] = [1, 2].map(|workers| select(&eight, &options(workers)));
    assert_eq!((picked(&one), picked(&two)), (vec![7, 6], vec![7, 6, 5, 4]));
    assert_eq!(two.picks.iter().map(|pick| pick.worker).collect::<Vec<_>>(), [0, 1, 0, 1]);
    let costs: Vec<u64> = two.picks.iter().map(|pick| pick.cumulative_cost_us).collect();
    assert_eq!(costs, [15_000, 15_000, 25_000, 25_000]);
    assert_eq!(select(&eight, &options(usize::MAX)).picks.len(), 8, "more workers than tests are none");
    assert_eq!(select(&eight, &options(0)).picks, one.picks);
}

#[test]
fn packing_makes_room_for_one_more() {
    // Evenly laid out, three milliseconds are left on each of two workers; packed, four on one.
    let candidates = [
        (4_000, vec![200, 0]),
        (4_000, vec![200, 0]),
        (3_000, vec![190, 0]),
        (3_000, vec![190, 0]),
        (4_000, vec![0, 150]),
    ];
    let five = instance(&[1 << 30, 1 << 26], &candidates);
    let selection = select(&five, &shared(10_000, 2));
    assert_eq!(selection.picks.len(), 5);
    assert!(selection.cost_us() <= 10_000);
}

#[test]
fn a_file_is_kept_on_one_worker_where_that_is_sooner() {
    let candidates: Vec<_> =
        (0..6).map(|i| (1_000, vec![if i < 3 { 180 } else { 0 }, if i < 3 { 0 } else { 180 }])).collect();
    let files =
        instance(&[1 << 30, 1 << 30], &candidates).with_groups(vec![0, 0, 0, 1, 1, 1], vec![8_000, 8_000]).unwrap();
    let selection = select(&files, &shared(30_000, 2));
    assert_eq!((selection.picks.len(), selection.cost_us()), (6, 11_000));
}

proptest! {
    #[test]
    fn no_worker_exceeds_the_budget(instance in instances(60, 0), options in options(), workers in 1..6usize) {
        let options = Options { workers, ..for_instance(options, &instance) };
        let selection = select(&instance, &options);
        let budget_us = u128::from(options.budget_us.unwrap_or(u64::MAX));
        for end in 1..=selection.picks.len() {
            let makespan_us = makespan_of(&instance, &selection.picks[..end]) + u128::from(options.startup_us);
            prop_assert_eq!(u128::from(selection.picks[end - 1].cumulative_cost_us), makespan_us);
        }
        prop_assert!(u128::from(selection.cost_us()) <= budget_us);
        prop_assert!(selection.picks.iter().all(|pick| (pick.worker as usize) < workers));
        let mut once = picked(&selection);
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), selection.picks.len());
        prop_assert_eq!(selection.utility, utility_of(&instance, picked(&selection)));
        prop_assert!(selection.utility <= selection.upper_bound);
    }

    #[test]
    fn several_workers_choose_no_less_than_one(
        instance in instances(60, 0), options in options(), workers in 2..6usize
    ) {
        let options = Options { first: vec![], ..for_instance(options, &instance) };
        let utility = |workers| {
            let selection = select(&instance, &Options { workers, ..options.clone() });
            selection.picks.iter().filter(|pick| pick.reason == Reason::Chosen).map(|pick| pick.gain).sum::<u64>()
        };
        prop_assert!(utility(workers) >= utility(1));
    }

    #[test]
    fn the_bound_is_above_any_choice_of_two_workers(instance in instances(9, 0), budget_us in 0..60_000u64) {
        prop_assert!(select(&instance, &shared(budget_us, 2)).upper_bound >= optimum_of_two(&instance, budget_us));
    }

    #[test]
    fn one_worker_is_the_knapsack(instance in instances(30, 0), budget_us in 0..100_000u64) {
        prop_assert_eq!(bare_greedy(&instance, budget_us, None, 1), reference::cost_benefit_greedy(&instance, budget_us));
    }
}
