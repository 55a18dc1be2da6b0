//! What picks are worth, region by region: for telling why, after the choice is made.

use super::instance::Instance;
use super::objective::Residuals;

/// An account of picks in any order. Amounts are in units of 1 / [`super::UTILITY_ONE`], exact as the optimizer's own.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    instance: &'a Instance,
    residuals: Residuals,
}

impl<'a> Account<'a> {
    /// Nothing picked.
    pub fn new(instance: &'a Instance) -> Self {
        Self { instance, residuals: Residuals::untouched(instance) }
    }

    /// What a candidate would add now.
    pub fn gain(&self, candidate: u32) -> u64 {
        self.residuals.gain(self.instance, candidate)
    }

    /// Picks a candidate; what it adds on each region that it has a signal on, by ascending region. The sum is its gain.
    pub fn pick(&mut self, candidate: u32) -> Vec<(u32, u64)> {
        let weights = self.instance.weights();
        let regions: Vec<u32> = self.instance.rows_of(candidate).iter().map(|row| row.region()).collect();
        let before: Vec<u64> = regions.iter().map(|&region| self.residuals.left()[region as usize]).collect();
        self.residuals.pick(self.instance, candidate);
        let added = |(region, before): (u32, u64)| {
            let at = region as usize;
            (region, u64::from(weights[at]) * (before - self.residuals.left()[at]))
        };
        regions.into_iter().zip(before).map(added).collect()
    }

    /// The risk that is left on each region: its weight times the chance that its defect survives all picks.
    pub fn risks(&self) -> Vec<u64> {
        let regions = self.instance.weights().iter().zip(self.residuals.left());
        regions.map(|(&weight, &left)| u64::from(weight) * left).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, Options, Row, UTILITY_ONE, WEIGHT_ONE, select};
    use super::*;

    /// The account of a selection's picks is the selection's own, gain by gain; what is left is what it did not add.
    #[test]
    fn the_account_of_a_selection_is_its_own() {
        let rows = [(0, 200), (1, 150), (1, 210), (0, 180), (1, 180)];
        let rows = rows.iter().map(|&(region, level)| Row::new(region, Level(level))).collect();
        let weights = vec![WEIGHT_ONE / 4 * 3, WEIGHT_ONE / 4];
        let instance = Instance::new(weights, vec![5000, 3000, 4000], vec![0, 2, 3, 5], rows).unwrap();
        let instance = instance.with_families(vec![7, 7, 9]).unwrap();
        let selection = select(&instance, &Options::default());
        assert_eq!(selection.picks.len(), 3);
        let mut account = Account::new(&instance);
        for pick in &selection.picks {
            assert_eq!(account.gain(pick.candidate), pick.gain);
            assert_eq!(account.pick(pick.candidate).iter().map(|&(_, gain)| gain).sum::<u64>(), pick.gain);
        }
        assert_eq!(account.risks().iter().sum::<u64>(), UTILITY_ONE - selection.utility);
    }
}
