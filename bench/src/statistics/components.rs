//! Where the variation of log ratios comes from, boots or blocks within them,
//! and how many boots an interval takes.
//!
//! The headline takes the ratio of a boot's means, this the mean of its
//! blocks' ratios; for ratios that vary by some percent they are the same.

use super::interval::t_factor;
use super::search::first;

/// The level of the intervals that are planned for.
const LEVEL: f64 = 0.95;

/// More boots than this are not planned for.
const MOST_BOOTS: u64 = 10_000;

/// Variances of log ratios by where they arise, in squared log ratios.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// Of boots: what all blocks of a boot have in common. 0 if blocks differ
    /// as much within boots as across them.
    pub by_boot: f64,
    /// Of blocks within a boot.
    pub by_block: f64,
}

impl Components {
    /// Of the blocks' log ratios, a slice for each boot.
    ///
    /// The method of moments for one random factor, boots of unequal length
    /// allowed (S. R. Searle, G. Casella and C. E. McCulloch, Variance
    /// Components, 1992, section 3.6). Boots without blocks do not count.
    /// `None` for fewer than two boots, and if no boot has two blocks.
    pub fn of(boots: &[Vec<f64>]) -> Option<Components> {
        let boots: Vec<&Vec<f64>> = boots.iter().filter(|blocks| !blocks.is_empty()).collect();
        let sizes = boots.iter().map(|blocks| blocks.len() as f64);
        let all: f64 = sizes.clone().sum();
        let between = boots.len() as f64 - 1.0;
        let within = all - boots.len() as f64;
        if between < 1.0 || within < 1.0 {
            return None;
        }
        let mean = boots.iter().copied().flatten().sum::<f64>() / all;
        let (mut of_boots, mut of_blocks) = (0.0, 0.0);
        for blocks in &boots {
            let own = blocks.iter().sum::<f64>() / blocks.len() as f64;
            of_boots += blocks.len() as f64 * (own - mean).powi(2);
            of_blocks += blocks
                .iter()
                .map(|ratio| (ratio - own).powi(2))
                .sum::<f64>();
        }
        let by_block = of_blocks / within;
        // Blocks a boot, as far as they are unequal.
        let blocks = (all - sizes.map(|size| size * size).sum::<f64>() / all) / between;
        Some(Components {
            by_boot: ((of_boots / between - by_block) / blocks).max(0.0),
            by_block,
        })
    }

    /// Standard deviation of the log ratios of boots with `blocks` blocks each,
    /// of which there must be one.
    pub fn sd_of_boots(&self, blocks: usize) -> f64 {
        (self.by_boot + self.by_block / blocks as f64).sqrt()
    }

    /// Half the width, in log ratios, that a 95% interval over so many boots
    /// and blocks in each is expected to have. `None` for fewer than two boots
    /// and for no blocks.
    pub fn half_width(&self, boots: usize, blocks: usize) -> Option<f64> {
        if blocks == 0 {
            return None;
        }
        let factor = t_factor(LEVEL, boots as f64 - 1.0)?;
        Some(factor * self.sd_of_boots(blocks) / (boots as f64).sqrt())
    }

    /// The fewest boots of `blocks` blocks each, two or more, whose 95%
    /// interval is expected to reach no further than `half_width` log ratios to
    /// each side. `None` if ten thousand do not suffice, and for no blocks.
    pub fn boots_needed(&self, blocks: usize, half_width: f64) -> Option<usize> {
        let reached = |boots| {
            self.half_width(boots as usize, blocks)
                .is_some_and(|half| half <= half_width)
        };
        first(2, MOST_BOOTS, reached).map(|boots| boots as usize)
    }

    /// The fewest boots whose 95% interval is expected to be half as wide as
    /// that of `boots` boots, with the same number of blocks in each.
    pub fn boots_to_halve(&self, boots: usize, blocks: usize) -> Option<usize> {
        self.boots_needed(blocks, self.half_width(boots, blocks)? / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_apart_has_no_components() {
        assert_eq!(Components::of(&[]), None);
        assert_eq!(Components::of(&[vec![1.0, 2.0]]), None);
        assert_eq!(Components::of(&[vec![1.0, 2.0], vec![]]), None);
        assert_eq!(Components::of(&[vec![1.0], vec![2.0]]), None);
    }

    #[test]
    fn boots_that_differ_less_than_their_blocks_have_no_variance() {
        let components = Components::of(&[vec![0.0, 2.0], vec![0.0, 2.0]]).unwrap();
        assert_eq!((components.by_boot, components.by_block), (0.0, 2.0));
    }

    #[test]
    fn half_an_interval_takes_about_four_times_the_boots() {
        let components = Components {
            by_boot: 1e-4,
            by_block: 4e-4,
        };
        let half = components.half_width(10, 4).unwrap();
        assert!((half - 2.262157162798205 * (2e-5f64).sqrt()).abs() < 1e-12);
        assert_eq!(components.boots_needed(4, half), Some(10));
        // Less than forty: the factor of the t interval falls as well.
        assert_eq!(components.boots_to_halve(10, 4), Some(33));
        assert_eq!(components.boots_needed(4, half * 0.9999), Some(11));
    }

    #[test]
    fn more_blocks_do_not_help_where_boots_vary() {
        let components = Components {
            by_boot: 1e-4,
            by_block: 0.0,
        };
        assert_eq!(components.sd_of_boots(1), components.sd_of_boots(100));
    }

    #[test]
    fn what_no_number_of_boots_reaches_has_none() {
        let components = Components {
            by_boot: 1.0,
            by_block: 1.0,
        };
        assert_eq!(components.boots_needed(4, 0.0), None);
        assert_eq!(components.boots_needed(0, 9.0), None);
        assert_eq!(components.half_width(1, 4), None);
        let still = Components {
            by_boot: 0.0,
            by_block: 0.0,
        };
        assert_eq!(still.boots_needed(4, 0.0), Some(2));
    }
}
