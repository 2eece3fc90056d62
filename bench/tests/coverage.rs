//! How often intervals hold the true difference, over simulated boots.

mod synthetic;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::statistics::autocorrelation::effective_size;
use ringfence_bench::statistics::bootstrap;
use ringfence_bench::statistics::headline::{over_boots, BootPair};
use ringfence_bench::statistics::hodges_lehmann;
use ringfence_bench::statistics::interval::{of_mean, t_factor, Interval};
use ringfence_bench::statistics::moments::Moments;
use synthetic::boots::Noise;
use synthetic::normal;

/// As many as a run has by default.
const BOOTS: usize = 10;
const EFFECT: f64 = 0.02;

/// Share of so many runs whose headline's interval holds the true difference.
fn coverage(noise: Noise, boots: usize, runs: usize, seed: u64) -> f64 {
    let truth = noise.truth(EFFECT).exp_m1();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let held = (0..runs).filter(|_| {
        let headline = over_boots(&noise.pairs(boots, EFFECT, &mut rng)).unwrap();
        headline.ci95.unwrap().contains(truth)
    });
    held.count() as f64 / runs as f64
}

#[test]
fn coverage_of_the_headline_at_ten_boots_is_what_it_claims() {
    for noise in Noise::ALL {
        for seed in [1, 2, 3] {
            let share = coverage(noise, BOOTS, 3000, seed);
            assert!((0.93..=0.97).contains(&share), "{noise:?}: {share}");
        }
    }
}

#[test]
fn coverage_at_four_boots_is_what_it_claims_unless_boots_have_two_speeds() {
    for noise in [
        Noise::Normal,
        Noise::Skewed,
        Noise::Tailed,
        Noise::TailedOfOne,
        Noise::Following,
    ] {
        let share = coverage(noise, 4, 3000, 4);
        assert!((0.93..=0.97).contains(&share), "{noise:?}: {share}");
    }
    // Four boots of one speed happen in a run of eight.
    let share = coverage(Noise::TwoSpeedsOfOne, 4, 3000, 4);
    assert!((0.85..0.90).contains(&share), "{share}");
    let share = coverage(Noise::TwoSpeeds, 4, 3000, 4);
    assert!(share > 0.96, "too wide, not too narrow: {share}");
}

#[test]
fn coverage_is_lost_where_one_boot_in_ten_of_one_subject_is_slow() {
    // Every third run has no slow boot and knows nothing of them.
    let share = coverage(Noise::RarelySlow, BOOTS, 2000, 5);
    assert!((0.60..0.72).contains(&share), "{share}");
    let share = coverage(Noise::RarelySlow, 40, 2000, 5);
    assert!(share > 0.9, "{share}");
}

#[test]
fn coverage_of_the_signed_rank_interval_is_what_it_claims_where_ratios_are_symmetric() {
    for noise in Noise::BOTH_ALIKE {
        for seed in [6, 11] {
            let truth = noise.truth(EFFECT);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let runs = 2000;
            let held = (0..runs).filter(|_| {
                let logs = logs(&noise.pairs(BOOTS, EFFECT, &mut rng));
                let interval = hodges_lehmann::interval(&logs, 0.95).unwrap();
                interval.contains(truth)
            });
            let share = held.count() as f64 / f64::from(runs);
            assert!((0.93..=0.97).contains(&share), "{noise:?}: {share}");
        }
    }
}

#[test]
fn coverage_of_the_bootstrap_is_too_low_at_ten_boots_and_less_so_accelerated() {
    let draws = bootstrap::draws(BOOTS, bootstrap::RESAMPLES, 7);
    let (mut percentile, mut accelerated, mut runs) = (0, 0, 0);
    for noise in Noise::ALL {
        let truth = noise.truth(EFFECT);
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for _ in 0..300 {
            let logs = logs(&noise.pairs(BOOTS, EFFECT, &mut rng));
            let held = bootstrap::percentile(&logs, &draws, 0.95);
            percentile += usize::from(held.unwrap().contains(truth));
            let held = bootstrap::accelerated(&logs, &draws, 0.95);
            accelerated += usize::from(held.unwrap().contains(truth));
            runs += 1;
        }
    }
    let share = |held| held as f64 / runs as f64;
    let (percentile, accelerated) = (share(percentile), share(accelerated));
    assert!(percentile < accelerated, "{percentile} {accelerated}");
    assert!((0.88..0.93).contains(&accelerated), "{accelerated}");
}

#[test]
fn coverage_of_a_series_mean_takes_its_effective_size() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let (mut as_is, mut effective) = (0, 0);
    let runs = 2000;
    for _ in 0..runs {
        let mut value = normal(&mut rng);
        let series: Vec<f64> = (0..200)
            .map(|_| {
                value = 0.8 * value + 0.6 * normal(&mut rng);
                value
            })
            .collect();
        let moments = Moments::of(&series).unwrap();
        as_is += usize::from(of_mean(&moments, 0.95).unwrap().contains(0.0));
        let size = effective_size(&series);
        let half = t_factor(0.95, size - 1.0).unwrap() * moments.sd.unwrap() / size.sqrt();
        effective += usize::from(Interval::around(moments.mean, half).contains(0.0));
    }
    assert!(as_is * 10 < runs * 6, "{as_is} of {runs}");
    // Not quite 95%: the size, about twenty, is itself uncertain.
    assert!(effective * 100 > runs * 88, "{effective} of {runs}");
}

fn logs(pairs: &[BootPair]) -> Vec<f64> {
    let log = |pair: &BootPair| (pair.first / pair.second).ln();
    pairs.iter().map(log).collect()
}

#[test]
#[ignore = "prints the coverage by boots"]
fn coverage_by_boots() {
    for boots in [3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30] {
        let noises = Noise::ALL.into_iter().chain([Noise::RarelySlow]);
        let share = |noise| format!("{noise:?} {:.4}", coverage(noise, boots, 40_000, 9));
        println!("{boots}: {}", Vec::from_iter(noises.map(share)).join(", "));
    }
}
