//! How often a difference is shown, over simulated boots, and whether planned
//! boots keep what they promise.

mod synthetic;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::statistics::binomial;
use ringfence_bench::statistics::components::Components;
use ringfence_bench::statistics::headline::over_boots;
use ringfence_bench::statistics::interval::of_mean;
use ringfence_bench::statistics::moments::Moments;
use ringfence_bench::statistics::power::{boots_to_plan, power, smallest_effect};
use synthetic::boots::Noise;
use synthetic::normal;

/// Of so many runs over so many boots, those that show a difference.
fn shown(noise: Noise, boots: usize, effect: f64, runs: u64, seed: u64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shown = (0..runs).filter(|_| {
        let headline = over_boots(&noise.pairs(boots, effect, &mut rng)).unwrap();
        !headline.ci95.unwrap().contains(0.0)
    });
    shown.count() as u64
}

/// Deviation of the log ratios of boots.
fn deviation(noise: Noise) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let pairs = noise.pairs(20_000, 0.0, &mut rng);
    let logs: Vec<f64> = pairs
        .iter()
        .map(|pair| (pair.first / pair.second).ln())
        .collect();
    Moments::of(&logs).unwrap().sd.unwrap()
}

#[test]
fn power_to_show_two_percent_is_there_with_the_boots_asked_for() {
    let runs = 2000;
    let chance = binomial::allowed(runs, 0.9, 0.99).unwrap();
    let seeds = [2, 3, 4];
    for noise in Noise::ALL {
        // It takes thousands of boots, which only optimised code draws quickly.
        if noise == Noise::Skewed && cfg!(debug_assertions) {
            continue;
        }
        let sd = deviation(noise);
        // Where both subjects are alike, one sign is as good as the other.
        let signs = match Noise::BOTH_ALIKE.contains(&noise) {
            true => &[0.02][..],
            false => &[0.02, -0.02],
        };
        for &change in signs {
            let boots = boots_to_plan(change, sd).unwrap();
            let effect = noise.effect_of(change);
            let counts = seeds.map(|seed| shown(noise, boots, effect, runs, seed));
            let told = format!("{noise:?}, {change}, {boots} boots: {counts:?} of {runs} each");
            println!("{told}");
            let all: u64 = counts.iter().sum();
            assert!(all * 10 >= 9 * runs * seeds.len() as u64, "{told}");
            assert!(counts.iter().all(|count| count >= chance.start()), "{told}");
        }
    }
}

#[test]
fn power_is_what_it_is_said_to_be() {
    let sd = deviation(Noise::Normal);
    let runs = 2000;
    for (boots, effect) in [(4, 0.03), (10, 0.01), (20, 0.01)] {
        let count = shown(Noise::Normal, boots, effect, runs, 4);
        let power = power(effect, sd, boots).unwrap();
        let allowed = binomial::allowed(runs, power, 0.99).unwrap();
        assert!(allowed.contains(&count), "{count} of {runs}, not {power}");
    }
}

#[test]
fn power_to_show_the_smallest_effect_is_ninety_percent() {
    let runs = 2000;
    let allowed = binomial::allowed(runs, 0.9, 0.99).unwrap();
    for boots in [4, 10] {
        let effect = smallest_effect(deviation(Noise::Normal), boots, 0.9).unwrap();
        let count = shown(Noise::Normal, boots, effect, runs, 5);
        assert!(allowed.contains(&count), "{boots}: {count} of {runs}");
    }
}

#[test]
fn planned_boots_reach_their_half_width_on_average() {
    let truth = Components {
        by_boot: 1e-4,
        by_block: 4e-4,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut boots_of = |boots: usize| -> Vec<Vec<f64>> {
        let mut boot = || {
            let shift = truth.by_boot.sqrt() * normal(&mut rng);
            let block = |_| shift + truth.by_block.sqrt() * normal(&mut rng);
            (0..4).map(block).collect()
        };
        (0..boots).map(|_| boot()).collect()
    };
    // The components are found again, without a lean to one side.
    let found = Components::of(&boots_of(20_000)).unwrap();
    assert!((found.by_boot / truth.by_boot - 1.0).abs() < 0.05);
    assert!((found.by_block / truth.by_block - 1.0).abs() < 0.05);

    let boots = found.boots_needed(4, 0.005).unwrap();
    let runs = 300;
    let widths = (0..runs).map(|_| {
        let means: Vec<f64> = boots_of(boots)
            .iter()
            .map(|blocks| Moments::of(blocks).unwrap().mean)
            .collect();
        let ends = of_mean(&Moments::of(&means).unwrap(), 0.95).unwrap();
        (ends.hi - ends.lo) / 2.0
    });
    let mean = widths.sum::<f64>() / f64::from(runs);
    assert!((mean / 0.005 - 1.0).abs() < 0.03, "{boots} boots: {mean}");
}
