//! The statistics give SciPy's and statsmodels' values. `reference/statistics.py` made them.

use ringfence_bench::statistics::binomial;
use ringfence_bench::statistics::headline::{over_boots, BootPair};
use ringfence_bench::statistics::hodges_lehmann;
use ringfence_bench::statistics::interval::{of_mean, t_factor, Interval};
use ringfence_bench::statistics::many::{benjamini_hochberg, holm, p_value};
use ringfence_bench::statistics::moments::Moments;
use ringfence_bench::statistics::verdict::{direction, equivalent, Better, Direction};
use ringfence_bench::statistics::welch::Welch;
use serde::Deserialize;

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
    interval: Interval,
}

#[derive(Deserialize)]
struct TwoMeans {
    first: Vec<f64>,
    second: Vec<f64>,
    difference: f64,
    error: f64,
    dof: f64,
    interval: Interval,
}

#[derive(Deserialize)]
struct Boots {
    boots: Vec<Boot>,
    margin: f64,
    mean: f64,
    ci95: Interval,
    ci90: Interval,
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
