//! The statistics give SciPy's and statsmodels' values. `reference/statistics.py` made them.

mod synthetic;

use std::collections::BTreeMap;

use ringfence_bench::across::Change;
use ringfence_bench::case::Workload;
use ringfence_bench::statistics::autocorrelation::{effective_size, lag_one};
use ringfence_bench::statistics::binomial;
use ringfence_bench::statistics::bootstrap;
use ringfence_bench::statistics::components::Components;
use ringfence_bench::statistics::headline::{over_boots, BootPair};
use ringfence_bench::statistics::hodges_lehmann;
use ringfence_bench::statistics::interval::{of_mean, t_factor, Interval};
use ringfence_bench::statistics::many::{benjamini_hochberg, holm, of_headline, p_value};
use ringfence_bench::statistics::modes::{dip, several, CRITICAL};
use ringfence_bench::statistics::moments::Moments;
use ringfence_bench::statistics::power::{boots_needed, boots_to_plan, power, smallest_effect};
use ringfence_bench::statistics::sequential::Looks;
use ringfence_bench::statistics::verdict::{direction, equivalent, Better, Direction};
use ringfence_bench::statistics::welch::Welch;
use ringfence_bench::summary::{summarise, DRIVER_COST, IOPS};
use serde::Deserialize;
use synthetic::{grid, Shape};

#[derive(Deserialize)]
struct Reference {
    quantiles: Vec<Quantile>,
    intervals: Vec<OneMean>,
    welch: Vec<TwoMeans>,
    headlines: Vec<Boots>,
    hodges_lehmann: Vec<Walsh>,
    p_values: Vec<OneTest>,
    many: Vec<ManyTests>,
    rates: Vec<Rate>,
    counts: Vec<Counts>,
    bootstraps: Vec<Resampled>,
    series: Vec<Series>,
    components: Vec<Variances>,
    boots_for_width: Vec<Width>,
    powers: Vec<Power>,
    looks: Vec<Look>,
    dips: Vec<Dip>,
    critical_dips: Vec<CriticalDip>,
    effects: Vec<Effect>,
    boots_for_power: Vec<BootsForPower>,
    changes: Vec<TwoRuns>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Quantile {
    level: f64,
    dof: f64,
    factor: f64,
}

#[derive(Deserialize)]
struct OneMean {
    values: Vec<f64>,
    level: f64,
    mean: f64,
    sd: f64,
    error: f64,
    interval: Interval,
}

#[derive(Deserialize)]
struct TwoMeans {
    first: Vec<f64>,
    second: Vec<f64>,
    difference: f64,
    error: f64,
    dof: f64,
    p: f64,
    interval: Interval,
}

#[derive(Deserialize)]
struct Boots {
    boots: Vec<Boot>,
    margin: f64,
    mean: f64,
    ci95: Interval,
    ci90: Interval,
    p: f64,
    differs: bool,
    equivalent: bool,
}

#[derive(Deserialize)]
struct Boot {
    first: Vec<f64>,
    second: Vec<f64>,
}

#[derive(Deserialize)]
struct Walsh {
    values: Vec<f64>,
    level: f64,
    estimate: f64,
    interval: Interval,
}

#[derive(Deserialize)]
struct OneTest {
    values: Vec<f64>,
    p: f64,
}

#[derive(Deserialize)]
struct ManyTests {
    p: Vec<f64>,
    holm: Vec<f64>,
    benjamini_hochberg: Vec<f64>,
}

#[derive(Deserialize)]
struct Rate {
    hits: u64,
    n: u64,
    level: f64,
    interval: Interval,
}

#[derive(Deserialize)]
struct Counts {
    n: u64,
    rate: f64,
    lo: u64,
    hi: u64,
}

#[derive(Deserialize)]
struct Resampled {
    values: Vec<f64>,
    draws: Vec<String>,
    level: f64,
    percentile: Interval,
    accelerated: Interval,
}

#[derive(Deserialize)]
struct Series {
    values: Vec<f64>,
    lag_one: f64,
    effective_size: f64,
}

#[derive(Deserialize)]
struct Variances {
    boots: Vec<Vec<f64>>,
    by_boot: f64,
    by_block: f64,
}

#[derive(Deserialize)]
struct Width {
    by_boot: f64,
    by_block: f64,
    blocks: usize,
    half_width: f64,
    boots: usize,
    sd: f64,
    reached: f64,
    boots_to_halve: usize,
}

#[derive(Deserialize)]
struct Power {
    effect: f64,
    sd: f64,
    boots: usize,
    power: f64,
}

#[derive(Deserialize)]
struct Look {
    looks: Vec<usize>,
    values: Vec<f64>,
    share: f64,
    interval: Option<Interval>,
}

#[derive(Deserialize)]
struct Dip {
    values: Vec<f64>,
    dip: f64,
    p: f64,
}

#[derive(Deserialize)]
struct CriticalDip {
    n: usize,
    dip: f64,
}

#[derive(Deserialize)]
struct Effect {
    sd: f64,
    boots: usize,
    power: f64,
    effect: f64,
}

#[derive(Deserialize)]
struct BootsForPower {
    effect: f64,
    sd: f64,
    boots: usize,
    planned: usize,
}

#[derive(Deserialize)]
struct TwoRuns {
    before: Vec<f64>,
    after: Vec<f64>,
    #[serde(flatten)]
    change: Relative,
    p: f64,
}

#[derive(Deserialize)]
struct Relative {
    mean: f64,
    ci95: Interval,
    ci90: Interval,
}

#[derive(Deserialize)]
struct Run {
    jobs: u32,
    /// By subject, boot and block.
    samples: BTreeMap<String, Vec<Vec<f64>>>,
    difference: f64,
    difference_ci95: Interval,
    relative: f64,
    relative_ci95: Interval,
    iops: Relative,
    cost: Relative,
    first_block: Relative,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/statistics.json")).unwrap()
}

/// Equal to a part in 1e9 of the larger of the value and `scale`.
#[track_caller]
fn close(ours: f64, theirs: f64, scale: f64) {
    let allowed = 1e-9 * theirs.abs().max(scale);
    assert!((ours - theirs).abs() <= allowed, "{ours} is not {theirs}");
}

#[track_caller]
fn close_ends(ours: Interval, theirs: Interval, scale: f64) {
    close(ours.lo, theirs.lo, scale);
    close(ours.hi, theirs.hi, scale);
}

#[track_caller]
fn close_all(ours: &[f64], theirs: &[f64], scale: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        close(*ours, *theirs, scale);
    }
}

#[test]
fn quantiles_are_scipys() {
    for quantile in reference().quantiles {
        let factor = t_factor(quantile.level, quantile.dof).unwrap();
        close(factor, quantile.factor, 0.0);
    }
}

#[test]
fn intervals_of_a_mean_are_scipys() {
    for case in reference().intervals {
        let moments = Moments::of(&case.values).unwrap();
        close(moments.mean, case.mean, 0.0);
        close(moments.sd.unwrap(), case.sd, 0.0);
        close(moments.variance_of_mean().unwrap().sqrt(), case.error, 0.0);
        close_ends(of_mean(&moments, case.level).unwrap(), case.interval, 0.0);
    }
}

#[test]
fn differences_of_means_are_scipys_welch() {
    for case in reference().welch {
        let welch = Welch::between(
            &Moments::of(&case.first).unwrap(),
            &Moments::of(&case.second).unwrap(),
        );
        close(welch.difference, case.difference, 0.0);
        close(welch.error.unwrap(), case.error, 0.0);
        close(welch.dof.unwrap(), case.dof, 0.0);
        close(welch.p_value().unwrap(), case.p, 0.0);
        close_ends(welch.interval(0.95).unwrap(), case.interval, 0.0);
    }
}

#[test]
fn headlines_and_their_findings_are_scipys() {
    let cases = reference().headlines;
    for case in &cases {
        let mean = |values: &[f64]| Moments::of(values).unwrap().mean;
        let pairs: Vec<BootPair> = case
            .boots
            .iter()
            .enumerate()
            .map(|(boot, values)| BootPair {
                boot: boot as u32,
                first: mean(&values.first),
                second: mean(&values.second),
            })
            .collect();
        let headline = over_boots(&pairs).unwrap();
        // Relative changes: to 1e-9 of the ratio, which is about 1.
        close(headline.mean, case.mean, 1.0);
        close_ends(headline.ci95.unwrap(), case.ci95, 1.0);
        close_ends(headline.ci90.unwrap(), case.ci90, 1.0);
        close(of_headline(&headline).unwrap(), case.p, 0.0);
        let found = direction(&headline.ci95.unwrap(), Better::Higher);
        assert_eq!(found != Direction::None, case.differs);
        // The one-sided tests' p values and the interval must agree.
        let within = equivalent(&headline.ci90.unwrap(), case.margin);
        assert_eq!(within, case.equivalent);
    }
    let both = |case: &&Boots| case.differs && case.equivalent;
    assert!(cases.iter().any(|case| both(&case)));
    assert!(cases.iter().any(|case| case.differs && !case.equivalent));
    assert!(cases.iter().any(|case| !case.differs && case.equivalent));
    assert!(cases.iter().any(|case| !case.differs && !case.equivalent));
}

#[test]
fn walsh_averages_and_their_interval_invert_scipys_wilcoxon_test() {
    for case in reference().hodges_lehmann {
        let estimate = hodges_lehmann::estimate(&case.values).unwrap();
        close(estimate, case.estimate, 0.0);
        let interval = hodges_lehmann::interval(&case.values, case.level).unwrap();
        close_ends(interval, case.interval, 0.0);
    }
}

#[test]
fn p_values_are_scipys() {
    for case in reference().p_values {
        let p = p_value(&Moments::of(&case.values).unwrap()).unwrap();
        close(p, case.p, 0.0);
    }
}

#[test]
fn adjusted_p_values_are_statsmodels() {
    for case in reference().many {
        close_all(&holm(&case.p), &case.holm, 0.0);
        close_all(&benjamini_hochberg(&case.p), &case.benjamini_hochberg, 0.0);
    }
}

#[test]
fn rates_behind_counts_are_scipys() {
    for case in reference().rates {
        let rate = binomial::rate(case.hits, case.n, case.level).unwrap();
        close_ends(rate, case.interval, 0.0);
    }
}

#[test]
fn counts_that_a_rate_allows_are_scipys() {
    for case in reference().counts {
        let allowed = binomial::allowed(case.n, case.rate, 0.95).unwrap();
        assert_eq!(allowed, case.lo..=case.hi, "{}", case.n);
    }
}

#[test]
fn bootstrap_intervals_are_scipys_over_the_same_draws() {
    for case in reference().bootstraps {
        let digit = |digit: u8| usize::from(digit - b'0');
        let draws: Vec<Vec<usize>> = case
            .draws
            .iter()
            .map(|draw| draw.bytes().map(digit).collect())
            .collect();
        let percentile = bootstrap::percentile(&case.values, &draws, case.level).unwrap();
        close_ends(percentile, case.percentile, 0.0);
        let accelerated = bootstrap::accelerated(&case.values, &draws, case.level).unwrap();
        close_ends(accelerated, case.accelerated, 0.0);
    }
}

#[test]
fn autocorrelations_and_effective_sizes_follow_statsmodels_autocovariances() {
    for case in reference().series {
        close(lag_one(&case.values).unwrap(), case.lag_one, 0.0);
        close(effective_size(&case.values), case.effective_size, 0.0);
    }
}

#[test]
fn components_follow_statsmodels_mean_squares() {
    for case in reference().components {
        let components = Components::of(&case.boots).unwrap();
        close(components.by_boot, case.by_boot, case.by_block);
        close(components.by_block, case.by_block, 0.0);
    }
}

#[test]
fn boots_needed_for_a_width_are_those_of_scipys_quantiles() {
    for case in reference().boots_for_width {
        let components = Components {
            by_boot: case.by_boot,
            by_block: case.by_block,
        };
        let boots = components.boots_needed(case.blocks, case.half_width);
        assert_eq!(boots, Some(case.boots));
        close(components.sd_of_boots(case.blocks), case.sd, 0.0);
        let reached = components.half_width(case.boots, case.blocks).unwrap();
        close(reached, case.reached, 0.0);
        let halved = components.boots_to_halve(case.boots, case.blocks);
        assert_eq!(halved, Some(case.boots_to_halve));
    }
}

#[test]
fn effects_that_boots_show_and_boots_that_show_them_are_scipys() {
    for case in reference().effects {
        let effect = smallest_effect(case.sd, case.boots, case.power).unwrap();
        close(effect, case.effect, 0.0);
    }
    for case in reference().boots_for_power {
        let boots = boots_needed(case.effect, case.sd, 0.9);
        assert_eq!(boots, Some(case.boots));
        assert_eq!(boots_to_plan(case.effect, case.sd), Some(case.planned));
    }
}

#[test]
fn powers_are_statsmodels() {
    for case in reference().powers {
        let ours = power(case.effect, case.sd, case.boots).unwrap();
        close(ours, case.power, 0.0);
        // There and back, where the power leaves room to tell.
        if case.effect > 0.0 && ours < 0.999 {
            let effect = smallest_effect(case.sd, case.boots, ours).unwrap();
            close(effect, case.effect, 0.0);
            let boots = boots_needed(case.effect, case.sd, ours - 1e-6);
            assert_eq!(boots, Some(case.boots));
        }
    }
}

#[test]
fn what_looks_spend_and_their_intervals_are_scipys() {
    for case in reference().looks {
        let looks = Looks::at(&case.looks).unwrap();
        let share = looks.share(case.values.len()).unwrap();
        close(share, case.share, 1e-6);
        let interval = looks.interval(&Moments::of(&case.values).unwrap());
        assert_eq!(interval.is_some(), case.interval.is_some());
        if let (Some(ours), Some(theirs)) = (interval, case.interval) {
            close_ends(ours, theirs, 0.0);
            // Two boots at a small share reach to where a ratio is no number.
            if theirs.hi > 5.0 {
                continue;
            }
            let pairs: Vec<BootPair> = case.values.iter().zip(0..).map(of_log).collect();
            let headline = over_boots(&pairs).unwrap().looked_at(&looks);
            let theirs = theirs.map(f64::exp_m1);
            close_ends(headline.ci95.unwrap(), theirs, 1.0);
            close_ends(headline.ci90.unwrap(), theirs, 1.0);
        }
    }
}

/// A boot with this log ratio.
fn of_log((log, boot): (&f64, u32)) -> BootPair {
    BootPair {
        boot,
        first: log.exp(),
        second: 1.0,
    }
}

#[test]
fn dips_are_those_of_rs_package() {
    let (mut one, mut more) = (0, 0);
    for case in reference().dips {
        close(dip(&case.values).unwrap(), case.dip, 0.0);
        // Both tables of critical values are drawn, so not too near to theirs.
        match several(&case.values) {
            Some(several) if case.p < 0.045 => {
                assert!(several, "{}", case.p);
                more += 1;
            }
            Some(several) if case.p > 0.055 => {
                assert!(!several, "{}", case.p);
                one += 1;
            }
            Some(_) => {}
            None => assert!(case.values.len() < 10),
        }
    }
    assert!(one > 10 && more > 5, "{one} {more}");
}

#[test]
fn changes_from_run_to_run_are_scipys_welch_of_log_ratios() {
    for case in reference().changes {
        let change = Change::of_logs(&case.before, &case.after).unwrap();
        let theirs = case.change;
        close(change.mean, theirs.mean, 1.0);
        close_ends(change.ci95.unwrap(), theirs.ci95, 1.0);
        close_ends(change.ci90.unwrap(), theirs.ci90, 1.0);
        close(change.p.unwrap(), case.p, 0.0);
        assert_eq!(change.boots, (case.before.len(), case.after.len()));
    }
}

#[test]
fn summaries_of_samples_are_scipys_from_the_first_sample_to_the_interval() {
    for case in reference().runs {
        let of = |subject: &str| &case.samples[subject];
        let mut grid = grid("nullblk", 3, &[1]);
        grid.truncate(1);
        if let Workload::Block(load) = &mut grid[0].workload {
            load.jobs = case.jobs;
        }
        let mut recording = Shape {
            ring: 3,
            subjects: vec!["rust", "c", "empty"],
            cases: grid,
            boots: of("rust").len() as u32,
            blocks: of("rust")[0].len() as u32,
            ..Shape::default()
        }
        .recording();
        for sample in &mut recording.samples {
            sample.value = of(&sample.subject)[sample.boot as usize][sample.block as usize];
        }
        let summary = summarise(&recording);
        let entry = |metric: &str| {
            let mut entries = summary.cases.iter();
            &entries.find(|entry| entry.metric == metric).unwrap().main
        };
        let iops = entry(IOPS);
        let difference = iops.difference.unwrap();
        close(difference.mean, case.difference, 0.0);
        close_ends(difference.ci95.unwrap(), case.difference_ci95, 0.0);
        let relative = iops.relative.unwrap();
        close(relative.mean, case.relative, 1.0);
        close_ends(relative.ci95.unwrap(), case.relative_ci95, 1.0);
        let first = iops.first_block.unwrap();
        close(first.mean, case.first_block.mean, 1.0);
        close_ends(first.ci95.unwrap(), case.first_block.ci95, 1.0);
        for (ours, theirs) in [(iops, &case.iops), (entry(DRIVER_COST), &case.cost)] {
            let headline = ours.headline.as_ref().unwrap();
            close(headline.mean, theirs.mean, 1.0);
            close_ends(headline.ci95.unwrap(), theirs.ci95, 1.0);
            close_ends(headline.ci90.unwrap(), theirs.ci90, 1.0);
        }
    }
}

#[test]
fn critical_dips_are_those_of_rs_package() {
    let theirs = reference().critical_dips;
    assert_eq!(theirs.len(), CRITICAL.len());
    for ((n, scaled), theirs) in CRITICAL.into_iter().zip(theirs) {
        assert_eq!(n, theirs.n);
        // Both are drawn: theirs of a million samples.
        let ratio = scaled / (n as f64).sqrt() / theirs.dip;
        assert!((ratio - 1.0).abs() < 0.003, "{n}: {ratio}");
    }
}
