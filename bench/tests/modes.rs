//! How often samples of one mode are flagged, and samples of two are found.

mod synthetic;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringfence_bench::statistics::binomial;
use ringfence_bench::statistics::modes::{dip, several, CRITICAL};
use synthetic::normal;

/// How many of so many samples of `n` values are flagged.
fn flagged(runs: u64, n: usize, seed: u64, value: impl Fn(&mut ChaCha8Rng) -> f64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..runs).fold(0, |flagged, _| {
        let sample: Vec<f64> = (0..n).map(|_| value(&mut rng)).collect();
        flagged + u64::from(several(&sample).unwrap())
    })
}

#[test]
fn alarms_on_uniform_samples_are_five_percent() {
    for (n, runs) in [(10, 4000), (17, 4000), (40, 3000), (150, 1000), (400, 500)] {
        let count = flagged(runs, n, 1, |rng| rng.random());
        let allowed = binomial::allowed(runs, 0.05, 0.99).unwrap();
        assert!(allowed.contains(&count), "{n}: {count} of {runs}");
    }
}

#[test]
fn alarms_on_normal_and_skewed_samples_are_fewer() {
    for (n, runs) in [(10, 2000), (20, 2000), (40, 1000), (100, 500), (400, 200)] {
        let shapes: [fn(&mut ChaCha8Rng) -> f64; 4] = [
            |rng| 50_000.0 + 500.0 * normal(rng),
            |rng| (0.5 * normal(rng)).exp(),
            |rng| -rng.random::<f64>().ln(),
            |rng| 1e4 * (2.0 * normal(rng)).exp(),
        ];
        for (shape, value) in shapes.into_iter().enumerate() {
            let count = flagged(runs, n, 2, value);
            assert!(count as f64 <= 0.05 * runs as f64, "{shape} {n}: {count}");
        }
    }
}

#[test]
fn power_to_find_two_equal_modes_in_forty_values() {
    // Of so many deviations apart, by chance in one or the other.
    let power = |apart: f64, n: usize| {
        let value = |rng: &mut ChaCha8Rng| {
            let mode = if rng.random() { apart } else { 0.0 };
            mode + normal(rng)
        };
        flagged(1000, n, 3, value) as f64 / 1000.0
    };
    assert!(power(6.0, 40) >= 0.9, "{}", power(6.0, 40));
    assert!(power(4.0, 400) >= 0.99, "{}", power(4.0, 400));
    // Near modes, or few values, are missed as often as not.
    assert!(power(4.0, 40) < 0.5, "{}", power(4.0, 40));
    assert!(power(6.0, 10) < 0.5, "{}", power(6.0, 10));
}

#[test]
#[ignore = "prints the table of critical dips"]
fn critical_dips() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for (n, _) in CRITICAL {
        let mut sample = vec![0.0; n];
        let mut dips: Vec<f64> = (0..200_000)
            .map(|_| {
                sample.fill_with(|| rng.random());
                dip(&sample).unwrap()
            })
            .collect();
        dips.sort_unstable_by(f64::total_cmp);
        println!("({n}, {:.4}),", dips[190_000] * (n as f64).sqrt());
    }
}
