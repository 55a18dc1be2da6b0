//! The best choice against brute force.

use super::*;

/// The candidates that fit alone and add something, in the order of deciding.
fn decided(instance: &Instance, budget_us: u64) -> Vec<u32> {
    let mut walk = greedy::Walk::new(instance, budget_us, 1);
    let prospects = prospect::Prospects::new(instance, budget_us);
    let mut pool = prospect::Pool::new(&prospects, None).entries(&mut walk);
    pool.sort_by(|a, b| b.cmp(a));
    pool.chunk_by_mut(|a, b| (a.gain, a.price_us) == (b.gain, b.price_us)).for_each(|equal| {
        equal.sort_by_key(|entry| {
            let (i, cost_us) = (entry.candidate, instance.costs_us()[entry.candidate as usize]);
            (instance.rows_of(i), instance.family_of(i), instance.group_of(i), cost_us)
        });
    });
    pool.into_iter().map(|entry| entry.candidate).collect()
}

/// Of all subsets that fit those of the greatest utility, of these the cheapest, of these the first, ascending.
fn best_of_all(instance: &Instance, budget_us: u64) -> Vec<u32> {
    use std::cmp::Reverse;
    let order = decided(instance, budget_us);
    let subsets = (0..1u32 << order.len()).map(|mask| {
        order.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0).map(|(_, &i)| i).collect::<Vec<u32>>()
    });
    let feasible = subsets.filter(|subset| cost_of(instance, subset.iter().copied()) <= u128::from(budget_us));
    let preference = |subset: &Vec<u32>| {
        let mut ascending = subset.clone();
        ascending.sort_unstable();
        (
            utility_of(instance, subset.iter().copied()),
            Reverse(cost_of(instance, ascending.clone())),
            Reverse(ascending),
        )
    };
    let (.., Reverse(best)) = feasible.map(|subset| preference(&subset)).max().unwrap();
    best
}

fn ascending(selection: &Selection) -> Vec<u32> {
    let mut picks = picked(selection);
    picks.sort_unstable();
    picks
}

#[test]
fn it_finds_what_greedy_and_its_completions_miss() {
    // Two halves that fill the budget, beside a better third that leaves no room for either.
    let on = |region: usize, level| (0..3).map(|other| if other == region { level } else { 0 }).collect::<Vec<u8>>();
    let candidates = [(6_000, on(0, 208)), (5_000, on(1, UNIT)), (5_000, on(2, UNIT))];
    let three = instance(&[1 << 29; 3], &candidates);
    assert_eq!(picked(&select(&three, &within(10_000))), [0]);
    assert_eq!(picked(&select_exact(&three, &within(10_000)).unwrap()), [1, 2]);
}

#[test]
fn among_equals_the_cheaper_then_the_first() {
    let candidates = [(900, vec![UNIT]), (800, vec![UNIT]), (800, vec![UNIT]), (800, vec![UNIT])];
    let four = instance(&[WEIGHT_ONE], &candidates);
    assert_eq!(ascending(&select_exact(&four, &within(1_700)).unwrap()), [1, 2]);
}

#[test]
fn what_is_too_large_is_refused() {
    let many = instance(&[WEIGHT_ONE], &vec![(1_000, vec![UNIT]); EXACT_CANDIDATES + 1]);
    let refused = select_exact(&many, &within(10_000)).unwrap_err();
    assert_eq!(refused, ExactError::TooManyCandidates { found: EXACT_CANDIDATES + 1 });
    assert!(refused.to_string().contains("at most 256 tests, this change has 257"), "{refused}");
    let fewer = select_exact(&many, &Options { candidates: Some(EXACT_CANDIDATES), ..within(10_000) }).unwrap();
    assert_eq!(picked(&fewer), (0..10).collect::<Vec<u32>>(), "twins are decided together");
    let options = Options { workers: 2, ..within(10_000) };
    assert_eq!(select_exact(&many, &options), Err(ExactError::SeveralWorkers { found: 2 }));
    assert_eq!(select_exact(&many, &Options { startup_us: 20_000, ..within(10_000) }).unwrap().picks, []);
}

#[test]
fn a_search_without_end_is_given_up() {
    // All of about the same worth for their cost, none a twin of another, and the budget cuts most of them.
    let candidates: Vec<_> = (0..120u64).map(|i| (10_000 + 7 * i, vec![150 + u8::try_from(i % 3).unwrap()])).collect();
    let alike = instance(&[WEIGHT_ONE], &candidates);
    assert_eq!(select_exact(&alike, &within(301_000)), Err(ExactError::TooManyNodes { candidates: 120 }));
}

#[test]
fn what_is_asked_for_first_is_beside_the_search() {
    let candidates = [(6_000, vec![0, 0]), (5_000, vec![UNIT, 0]), (4_000, vec![150, 0]), (3_000, vec![0, 150])];
    let four = instance(&[1 << 30, 1 << 29], &candidates);
    let selection = select_exact(&four, &Options { first: vec![0], last: vec![1, 3], ..within(10_500) }).unwrap();
    assert_eq!(picked(&selection), [0, 2]);
    assert_eq!(selection.picks[0].reason, Reason::First);
}

proptest! {
    #[test]
    fn it_is_the_best_of_all(instance in instances(10, 0), budget_us in 0..100_000u64) {
        let found = select_exact(&instance, &within(budget_us)).unwrap();
        prop_assert_eq!(ascending(&found), best_of_all(&instance, budget_us));
        prop_assert!(found.upper_bound >= optimum(&instance, budget_us));
        prop_assert!(found.upper_bound - found.utility < UTILITY_ONE >> 16, "it is its own bound");
    }

    #[test]
    fn the_best_of_a_few_is_no_bound_on_all(instance in instances(10, 0), budget_us in 0..100_000u64, few in 1usize..6) {
        let found = select_exact(&instance, &Options { candidates: Some(few), ..within(budget_us) }).unwrap();
        prop_assert!(found.upper_bound >= optimum(&instance, budget_us));
    }

    #[test]
    fn it_is_never_below_greedy(instance in instances(24, 0), budget_us in 0..60_000u64) {
        if let Ok(exact) = select_exact(&instance, &within(budget_us)) {
            // The order of picking shows in the last bits.
            prop_assert!(exact.utility + (UTILITY_ONE >> 24) >= select(&instance, &within(budget_us)).utility);
        }
    }
}
