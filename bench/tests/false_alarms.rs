//! Why boots are the replicates: identical subjects whose boots vary.

mod synthetic;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringfence_bench::statistics::binomial;
use ringfence_bench::statistics::headline::{over_boots, BootPair};
use ringfence_bench::statistics::interval::of_mean;
use ringfence_bench::statistics::many::{benjamini_hochberg, holm, of_headline};
use ringfence_bench::statistics::moments::Moments;
use synthetic::boots::Noise;
use synthetic::normal;

const RUNS: usize = 2000;
const BOOTS: usize = 10;
const BLOCKS: usize = 4;

/// Share of runs of two identical subjects in which a 95% interval over
/// blocks, and one over boots, excludes zero.
fn alarms(by_boot: f64, by_block: f64, seed: u64) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut over_blocks, mut of_boots) = (0, 0);
    for _ in 0..RUNS {
        let mut blocks = Vec::new();
        let mut pairs = Vec::new();
        for boot in 0..BOOTS {
            let mut side = || -> Vec<f64> {
                let shift = by_boot * normal(&mut rng);
                (0..BLOCKS)
                    .map(|_| 1e4 * (shift + by_block * normal(&mut rng)).exp())
                    .collect()
            };
            let (first, second) = (side(), side());
            blocks.extend(first.iter().zip(&second).map(|(a, b)| (a / b).ln()));
            pairs.push(BootPair {
                boot: boot as u32,
                first: Moments::of(&first).unwrap().mean,
                second: Moments::of(&second).unwrap().mean,
            });
        }
        let block_level = of_mean(&Moments::of(&blocks).unwrap(), 0.95).unwrap();
        over_blocks += usize::from(!block_level.contains(0.0));
        let boot_level = over_boots(&pairs).unwrap().ci95.unwrap();
        of_boots += usize::from(!boot_level.contains(0.0));
    }
    (
        over_blocks as f64 / RUNS as f64,
        of_boots as f64 / RUNS as f64,
    )
}

#[test]
fn alarms_of_intervals_over_blocks_are_many_where_boots_vary() {
    let (over_blocks, over_boots) = alarms(0.01, 0.01, 11);
    // 2.6 standard deviations of a binomial share are 1.3% at 5% of 2000.
    assert!((0.037..=0.063).contains(&over_boots), "boots: {over_boots}");
    assert!(over_blocks > 0.15, "blocks: {over_blocks}");
}

#[test]
fn alarms_of_both_are_five_percent_where_boots_do_not_vary() {
    let (over_blocks, over_boots) = alarms(0.0, 0.01, 12);
    assert!(
        (0.037..=0.063).contains(&over_blocks),
        "blocks: {over_blocks}"
    );
    assert!((0.037..=0.063).contains(&over_boots), "boots: {over_boots}");
}

#[test]
fn alarms_of_identical_subjects_are_five_percent() {
    let runs = 2000;
    let seeds = [13, 14, 15];
    // So wide that none of fifteen counts leaves it by chance.
    let of_one = binomial::allowed(runs, 0.05, 0.999).unwrap();
    for noise in Noise::BOTH_ALIKE {
        let counts = seeds.map(|seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let excluded = (0..runs).filter(|_| {
                let headline = over_boots(&noise.pairs(BOOTS, 0.0, &mut rng)).unwrap();
                !headline.ci95.unwrap().contains(0.0)
            });
            excluded.count() as u64
        });
        let told = format!("{noise:?}: {counts:?} of {runs} each");
        println!("{told}");
        assert!(counts.iter().all(|count| of_one.contains(count)), "{told}");
        // Ten boots of two speeds have 5.4%, which many runs tell from 5%.
        let all = counts.iter().sum::<u64>() as f64 / (runs * seeds.len() as u64) as f64;
        assert!((0.04..=0.06).contains(&all), "{told}");
    }
}

#[test]
fn alarms_among_sixteen_cases_are_bounded_by_holm_and_their_share_by_benjamini_hochberg() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let runs = 2000;
    let (mut unadjusted, mut any, mut share, mut found) = (0, 0, 0.0, 0);
    for _ in 0..runs {
        // The first four cases differ, by three percent.
        let p: Vec<f64> = (0..16)
            .map(|case| {
                let effect = if case < 4 { 0.03 } else { 0.0 };
                let pairs = Noise::Normal.pairs(BOOTS, effect, &mut rng);
                of_headline(&over_boots(&pairs).unwrap()).unwrap()
            })
            .collect();
        let shown = |p: &[f64]| p.iter().filter(|p| **p < 0.05).count();
        unadjusted += usize::from(shown(&p[4..]) > 0);
        any += u64::from(shown(&holm(&p)[4..]) > 0);
        let adjusted = benjamini_hochberg(&p);
        let wrong = shown(&adjusted[4..]) as f64;
        share += wrong / shown(&adjusted).max(1) as f64;
        found += shown(&adjusted[..4]);
    }
    assert!(unadjusted * 5 > runs * 2, "{unadjusted} of {runs}");
    let allowed = binomial::allowed(runs as u64, 0.05, 0.95).unwrap();
    assert!(any <= *allowed.end(), "{any} of {runs}");
    assert!(share / runs as f64 <= 0.05, "{}", share / runs as f64);
    assert!(found * 100 > runs * 4 * 95, "{found} of {}", runs * 4);
}
