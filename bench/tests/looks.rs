//! What becomes of runs that are looked at after each boot and end early.

mod synthetic;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::statistics::binomial;
use ringfence_bench::statistics::interval::{of_mean, Interval};
use ringfence_bench::statistics::moments::Moments;
use ringfence_bench::statistics::sequential::Looks;
use synthetic::boots::Noise;

const RUNS: u64 = 2000;
const FIRST: usize = 4;
const MOST: usize = 20;

/// How runs ended that stop once zero is excluded or half of the interval is
/// small enough.
#[derive(Default)]
struct Ends {
    /// Runs that excluded zero.
    shown: u64,
    /// Runs whose interval at the end did not hold the true difference.
    missed: u64,
    /// Runs that ended before the last boot.
    early: u64,
    boots: usize,
}

fn ends(
    noise: Noise,
    effect: f64,
    half_width: f64,
    seed: u64,
    interval: impl Fn(&Moments) -> Option<Interval>,
) -> Ends {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ends = Ends::default();
    for _ in 0..RUNS {
        let mut logs = Vec::new();
        loop {
            for pair in noise.pairs(1, effect, &mut rng) {
                logs.push((pair.first / pair.second).ln());
            }
            if logs.len() < FIRST {
                continue;
            }
            let interval = interval(&Moments::of(&logs).unwrap());
            let shown = interval.is_some_and(|ends| !ends.contains(0.0));
            let narrow = interval.is_some_and(|ends| ends.hi - ends.lo <= 2.0 * half_width);
            if shown || narrow || logs.len() == MOST {
                let truth = noise.truth(effect);
                ends.shown += u64::from(shown);
                ends.missed += u64::from(interval.is_some_and(|ends| !ends.contains(truth)));
                ends.early += u64::from(logs.len() < MOST);
                ends.boots += logs.len();
                break;
            }
        }
    }
    ends
}

/// Up to this many of the runs may be wrong at 5%.
fn allowed() -> u64 {
    *binomial::allowed(RUNS, 0.05, 0.95).unwrap().end()
}

#[test]
fn alarms_of_runs_that_end_early_stay_below_five_percent() {
    let looks = Looks::after_each(FIRST, MOST).unwrap();
    for noise in Noise::BOTH_ALIKE {
        // Reached by some runs before the last boot.
        let half_width = match noise {
            Noise::Normal => 0.011,
            Noise::Following => 0.009,
            Noise::Tailed => 0.0165,
            Noise::TwoSpeeds => 0.025,
            _ => 0.25,
        };
        for seed in [1, 2, 3] {
            let ends = ends(noise, 0.0, half_width, seed, |moments| {
                looks.interval(moments)
            });
            assert!(ends.shown <= allowed(), "{noise:?}: {}", ends.shown);
            assert!(ends.early > RUNS / 10, "{noise:?}: {}", ends.early);
        }
    }
}

#[test]
fn alarms_of_ordinary_intervals_that_are_looked_at_are_many() {
    let ends = ends(Noise::Normal, 0.0, 0.0, 1, |moments| of_mean(moments, 0.95));
    assert!(ends.shown > 3 * RUNS / 20, "{}", ends.shown);
}

#[test]
fn coverage_of_the_interval_a_run_ends_with_is_what_it_claims() {
    let looks = Looks::after_each(FIRST, MOST).unwrap();
    for (noise, half_width) in [
        (Noise::Normal, 0.011),
        (Noise::TailedOfOne, 0.013),
        (Noise::TwoSpeedsOfOne, 0.018),
    ] {
        for seed in [1, 2] {
            let ends = ends(noise, 0.02, half_width, seed, |moments| {
                looks.interval(moments)
            });
            assert!(ends.missed <= allowed(), "{noise:?}: {}", ends.missed);
            assert!(ends.early > RUNS / 10, "{noise:?}: {}", ends.early);
        }
    }
}

#[test]
fn power_to_show_a_large_difference_takes_half_of_the_boots() {
    let looks = Looks::after_each(FIRST, MOST).unwrap();
    let ends = ends(Noise::Normal, 0.05, 0.0, 1, |moments| {
        looks.interval(moments)
    });
    assert_eq!(ends.shown, RUNS);
    let boots = ends.boots as f64 / RUNS as f64;
    assert!(boots < 0.5 * MOST as f64, "{boots}");
}
