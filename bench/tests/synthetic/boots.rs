//! Boots of two subjects whose true difference is known, by the shape of their
//! noise.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::statistics::headline::BootPair;

use super::normal;

/// Blocks a boot, as by default.
pub const BLOCKS: usize = 4;

/// How much slower a slow boot is.
const SLOWER: f64 = 0.05;

/// How samples of a subject vary about its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// Boots by 1% and blocks by 1%, both normal.
    Normal,
    /// Boots by 1%; blocks log-normally with a deviation of 0.5, a few of them
    /// three times as large as the rest.
    Skewed,
    /// Boots by 1%; blocks slower by an exponential share of 3% on average, as
    /// what else a machine does makes them.
    Tailed,
    /// Boots by 1%, and those of the first subject alone slower by an
    /// exponential share of 1% on average, so that ratios are skewed too.
    TailedOfOne,
    /// Each boot of each subject is slow or not, half of them; little else.
    TwoSpeeds,
    /// The first subject alone has two speeds.
    TwoSpeedsOfOne,
    /// The first subject alone has two speeds, and one boot in ten is slow.
    RarelySlow,
    /// Blocks by 1%, each following the one before it with a correlation of
    /// 0.8; nothing of the boot as a whole.
    Following,
}

impl Noise {
    /// Those under which the headline has to cover what it claims.
    pub const ALL: [Noise; 7] = [
        Noise::Normal,
        Noise::Skewed,
        Noise::Tailed,
        Noise::TailedOfOne,
        Noise::TwoSpeeds,
        Noise::TwoSpeedsOfOne,
        Noise::Following,
    ];

    /// Those of them that are the same for both subjects: without an effect
    /// there is no difference, and ratios lie evenly to both sides of it.
    pub const BOTH_ALIKE: [Noise; 5] = [
        Noise::Normal,
        Noise::Skewed,
        Noise::Tailed,
        Noise::TwoSpeeds,
        Noise::Following,
    ];

    /// The true mean of the boots' log ratios, with `effect` between subjects.
    pub fn truth(self, effect: f64) -> f64 {
        effect.ln_1p()
            + match self {
                Noise::TwoSpeedsOfOne => 0.5 * (-SLOWER).ln_1p(),
                Noise::RarelySlow => 0.1 * (-SLOWER).ln_1p(),
                Noise::TailedOfOne => -0.01,
                _ => 0.0,
            }
    }

    /// The effect between subjects that makes the true change, noise and all,
    /// this one.
    pub fn effect_of(self, change: f64) -> f64 {
        (change.ln_1p() - self.truth(0.0)).exp_m1()
    }

    /// Both subjects' boots, with `effect` between their means.
    pub fn pairs(self, boots: usize, effect: f64, rng: &mut ChaCha8Rng) -> Vec<BootPair> {
        (0..boots)
            .map(|boot| BootPair {
                boot: boot as u32,
                first: (1.0 + effect) * self.boot(true, rng),
                second: self.boot(false, rng),
            })
            .collect()
    }

    /// The mean of a boot's blocks.
    fn boot(self, first: bool, rng: &mut ChaCha8Rng) -> f64 {
        let (by_boot, by_block, slow, follow) = match (self, first) {
            (Noise::Normal | Noise::TailedOfOne, _) => (0.01, 0.01, 0.0, 0.0),
            (Noise::Tailed, _) => (0.01, 0.0, 0.0, 0.0),
            (Noise::Skewed, _) => (0.01, 0.5, 0.0, 0.0),
            (Noise::TwoSpeeds, _) | (Noise::TwoSpeedsOfOne, true) => (0.002, 0.003, 0.5, 0.0),
            (Noise::RarelySlow, true) => (0.002, 0.003, 0.1, 0.0),
            (Noise::TwoSpeedsOfOne | Noise::RarelySlow, false) => (0.002, 0.003, 0.0, 0.0),
            (Noise::Following, _) => (0.0, 0.01, 0.0, 0.8),
        };
        let level = if slow > 0.0 && rng.random_bool(slow) {
            50_000.0 * (1.0 - SLOWER)
        } else {
            50_000.0
        };
        let mut shift = by_boot * normal(rng);
        if first && self == Noise::TailedOfOne {
            shift -= exponential(0.01, rng);
        }
        let mut block = normal(rng);
        let mut sum = 0.0;
        for _ in 0..BLOCKS {
            let tail = match self {
                Noise::Tailed => exponential(0.03, rng),
                _ => 0.0,
            };
            sum += (shift + by_block * block - tail).exp();
            block = follow * block + (1.0_f64 - follow * follow).sqrt() * normal(rng);
        }
        level * sum / BLOCKS as f64
    }
}

/// An exponentially distributed number.
fn exponential(mean: f64, rng: &mut ChaCha8Rng) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}
