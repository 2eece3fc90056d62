//! Numbers and findings in words, the same in every format.

use crate::case::API;
use crate::statistics::headline::Headline;
use crate::statistics::interval::Interval;
use crate::statistics::median::median;
use crate::statistics::verdict::{Better, Direction, Verdict};
use crate::summary::{
    Comparison, Estimate, Run, Summary, DRIVER_COST, EMPTY, INSTRUCTIONS, IOPS,
    MODULE_INSTRUCTIONS, NANOSECONDS,
};

use super::Section;

/// The subjects of a ring that are compared, in the plan's order.
pub fn compared(summary: &Summary, ring: u8) -> Vec<&str> {
    let subjects = summary.run.subjects.get(&ring);
    subjects
        .into_iter()
        .flatten()
        .map(String::as_str)
        .filter(|subject| *subject != EMPTY)
        .collect()
}

/// A subject's name in running text.
pub fn subject(name: &str) -> &str {
    match name {
        "rust" => "Rust",
        "c" => "C",
        other => other,
    }
}

/// A metric's name in running text.
pub fn metric(name: &str) -> &str {
    match name {
        IOPS => "IOPS",
        DRIVER_COST => "driver cost",
        NANOSECONDS => "time",
        MODULE_INSTRUCTIONS => "instructions of the driver itself",
        other => other,
    }
}

/// A metric's name with its unit, where the unit is not plain, and what a
/// driver's numbers are of: one of its I/Os, or an operation of `api`.
pub fn metric_and_unit(driver: &str, name: &str, unit: &str) -> String {
    let each = each(driver);
    match name {
        IOPS => "IOPS".into(),
        MODULE_INSTRUCTIONS if driver == API => format!("instructions of the loop itself, {each}"),
        INSTRUCTIONS | MODULE_INSTRUCTIONS => format!("{} {each}", metric(name)),
        _ => format!("{}, {unit} {each}", metric(name)),
    }
}

/// What a driver does once: `an I/O`, or `an operation` of an API.
pub fn each(driver: &str) -> &'static str {
    match driver {
        API => "an operation",
        _ => "an I/O",
    }
}

/// On which side of a plot the better changes are.
pub fn better_side(better: Better) -> &'static str {
    match better {
        Better::Lower => "Better is to the left",
        Better::Higher => "Better is to the right",
    }
}

/// A verdict in one word.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::Equivalent => "equivalent",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotComparable => "not-comparable",
    }
}

/// The direction that stands beside a verdict of equivalence.
pub fn direction_beside(comparison: &Comparison) -> Option<&'static str> {
    match (comparison.verdict, comparison.direction) {
        (Verdict::Equivalent, Direction::Faster) => Some("faster"),
        (Verdict::Equivalent, Direction::Slower) => Some("slower"),
        _ => None,
    }
}

/// `+0.41%`, `-12.3%`, `+140%`.
pub fn percent(fraction: f64) -> String {
    format!("{}%", percent_number(fraction))
}

/// `[-1.20, +0.52]`, in percent.
pub fn percent_interval(interval: &Interval) -> String {
    format!(
        "[{}, {}]",
        percent_number(interval.lo),
        percent_number(interval.hi)
    )
}

fn percent_number(fraction: f64) -> String {
    let value = fraction * 100.0;
    let text = match value.abs() {
        size if size >= 99.95 => format!("{value:+.0}"),
        size if size >= 9.995 => format!("{value:+.1}"),
        _ => format!("{value:+.2}"),
    };
    match text.as_str() {
        "-0.00" | "+0.00" => "0.00".into(),
        _ => text,
    }
}

/// Three significant digits and an SI suffix: `51.9k`, `1.23M`, `12.3`.
pub fn si(value: f64) -> String {
    significant(value, 3)
}

/// Four significant digits and an SI suffix.
pub fn si_fine(value: f64) -> String {
    significant(value, 4)
}

fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = |value: f64| value.abs().log10().floor() as i32;
    let unit = 10f64.powi(magnitude(value) - digits + 1);
    let rounded = (value / unit).round() * unit;
    let thousands = magnitude(rounded * (1.0 + 1e-12)).div_euclid(3).clamp(0, 4);
    let scaled = rounded / 1000f64.powi(thousands);
    let decimals = (digits - 1 - magnitude(scaled * (1.0 + 1e-12))).clamp(0, digits) as usize;
    let suffix = ["", "k", "M", "G", "T"][thousands as usize];
    format!("{scaled:.decimals$}{suffix}")
}

/// A margin as a percentage: `1%`, `0.5%`.
pub fn margin(fraction: f64) -> String {
    format!("{}%", (fraction * 1e6).round() / 1e4)
}

/// The headline's change and interval: `+0.41% [-1.20, +0.52]`.
pub fn headline(headline: Option<&Headline>) -> String {
    match headline {
        None => "-".into(),
        Some(headline) => estimate(&headline.into()),
    }
}

/// A relative change and its interval, in the same way.
pub fn estimate(change: &Estimate) -> String {
    match &change.ci95 {
        Some(ci95) => format!("{} {}", percent(change.mean), percent_interval(ci95)),
        None => format!("{} (one boot)", percent(change.mean)),
    }
}

/// `ring 0, nullblk`.
pub fn place(section: &Section<'_>) -> String {
    format!("ring {}, {}", section.ring, section.driver)
}

/// `Ring 0, nullblk: IOPS`.
pub fn section_title(section: &Section<'_>) -> String {
    format!(
        "{}: {}",
        capitalised(&place(section)),
        metric_and_unit(section.driver, section.metric, section.unit)
    )
}

/// The verdicts of a section in a sentence or two; `pick` chooses the
/// comparison of a case, `other` is the second subject.
pub fn verdict_sentence<'a>(
    section: &'a Section<'a>,
    run: &Run,
    other: &str,
    pick: impl Fn(&'a crate::summary::CaseSummary) -> Option<&'a Comparison>,
) -> String {
    let comparisons: Vec<&Comparison> =
        section.cases.iter().filter_map(|case| pick(case)).collect();
    let total = comparisons.len();
    let count = |wanted: Verdict| {
        let same = comparisons.iter().filter(|one| one.verdict == wanted);
        same.count()
    };
    let (better, worse) = match section.unit {
        INSTRUCTIONS => ("cheaper", "dearer"),
        _ => ("faster", "slower"),
    };
    let findings = [
        (
            count(Verdict::Faster),
            format!("{better} than {}", subject(other)),
        ),
        (
            count(Verdict::Slower),
            format!("{worse} than {}", subject(other)),
        ),
        (
            count(Verdict::Equivalent),
            format!(
                "equivalent to {} within {}",
                subject(other),
                margin(run.margin)
            ),
        ),
    ];
    let found: Vec<String> = findings
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what} in {count}"))
        .collect();
    let mut parts = Vec::new();
    if !found.is_empty() {
        parts.push(format!(
            "{} is {}",
            subject(section.pair().0),
            found.join(", ")
        ));
    }
    match count(Verdict::Inconclusive) {
        0 => {}
        1 => parts.push("1 is inconclusive".into()),
        count => parts.push(format!("{count} are inconclusive")),
    }
    match count(Verdict::NotComparable) {
        0 => {}
        count => parts.push(format!("{count} cannot be compared")),
    }
    let cases = if total == 1 { "case" } else { "cases" };
    let mut text = match parts.is_empty() {
        true => return "There are no cases.".into(),
        false => format!("Of {total} {cases}, {}.", parts.join("; ")),
    };
    if let Some(range) = range(&comparisons) {
        text.push(' ');
        text.push_str(&range);
    }
    text
}

/// Median and range of the headlines.
fn range(comparisons: &[&Comparison]) -> Option<String> {
    let changes: Vec<f64> = comparisons
        .iter()
        .filter_map(|comparison| Some(comparison.shown()?.mean))
        .collect();
    let median = median(&changes)?;
    let lowest = changes.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = changes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(match changes.len() {
        1 => format!("The change is {}.", percent(median)),
        _ => format!(
            "The changes run from {} to {}, median {}.",
            percent(lowest),
            percent(highest),
            percent(median)
        ),
    })
}

/// The first letter made large.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// How much of the plan there is: `96 of 96 samples in 4 of 4 boots`.
pub fn completeness(run: &Run) -> String {
    let boots: Vec<String> = run
        .boots
        .sampled
        .iter()
        .rev()
        .map(|(ring, sampled)| {
            let unit = if *ring == 3 { "processes" } else { "boots" };
            format!("ring {ring}: {sampled} of {} {unit}", run.boots.planned)
        })
        .collect();
    let target = run.target.map_or(String::new(), |target| {
        let ended: Vec<String> = run
            .reached
            .keys()
            .map(|ring| format!("ring {ring}"))
            .collect();
        match ended.is_empty() {
            true => format!("; the target of {} was not reached", margin(target)),
            false => format!(
                "; target of {} reached: {}",
                margin(target),
                ended.join(", ")
            ),
        }
    });
    let warm_up = match run.samples.warm_up {
        0 => String::new(),
        count => format!("; beside them {count} of the warm-up, which do not count"),
    };
    format!(
        "{} of {} samples ({}{target}{warm_up})",
        run.samples.taken,
        run.samples.expected,
        boots.join("; ")
    )
}

/// The command line as a shell would take it.
pub fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    let quoted: Vec<String> = words
        .iter()
        .map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        })
        .collect();
    quoted.join(" ")
}

/// What is said of cases, each once, and the cases of which it is said.
pub fn grouped<'a>(said: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, case) in said {
        match groups.iter_mut().find(|(known, _)| known == what) {
            Some((_, cases)) if cases.contains(case) => {}
            Some((_, cases)) => cases.push(case),
            None => groups.push((what, vec![case])),
        }
    }
    let list = |(what, cases): (&'a str, Vec<&str>)| (what, case_list(&cases));
    groups.into_iter().map(list).collect()
}

/// Names of cases, the first few of many.
pub fn case_list(cases: &[&str]) -> String {
    match cases.len() {
        count if count > 6 => format!("{} and {} more cases", cases[..4].join(", "), count - 4),
        _ => cases.join(", "),
    }
}

/// How to read the numbers, a sentence each.
pub fn method(run: &Run) -> Vec<String> {
    let taken = match run.imported {
        true => format!(
            "The samples were taken by fio and imported: boots and blocks ({} a boot at most) \
             are what the import was told, and nothing is known of their order.",
            run.blocks
        ),
        false => format!(
            "Every boot (in ring 3: every process) holds {} block{} of each case that count{}; a \
             block is one sample of every subject, back to back, in balanced random order (seed \
             {}). {}",
            run.blocks,
            if run.blocks == 1 { "" } else { "s" },
            if run.blocks == 1 { "s" } else { "" },
            run.seed,
            warm_up(run)
        ),
    };
    let mut method = vec![
        taken,
        "The headline takes boots as replicates: within each boot the logarithm of the ratio of \
         the subjects' means, over boots its mean and t interval. Blocks in which a subject was \
         not sampled do not count."
            .into(),
        format!(
            "Equivalent: the headline's 90% interval lies within 1/(1+m) and 1+m for a margin m \
             of {} (two one-sided tests at 5% each). Faster or slower: its 95% interval excludes \
             zero. Both can hold; then equivalent is the verdict, and the direction is kept \
             beside it. Else the case is inconclusive, which does not mean equal.",
            margin(run.margin)
        ),
        match run.target {
            None => "The number of boots was fixed before the first one.".into(),
            Some(target) => format!(
                "The run was to end when every 95% interval is {} to either side; it was looked \
                 at after each boot, and its intervals are wider for it (the 5% are spent over \
                 the looks: Lan and DeMets 1983, Bonferroni). Equivalence is read from them too.",
                margin(target)
            ),
        },
        "Not comparable: an attribute that decides performance was read back differently from \
         the subjects, so no number of samples makes a verdict."
            .into(),
        "The classical view takes every sample as a replicate (difference of means, Welch's t, \
         95%; relative: over the second subject's mean). It is too sure of itself where boots \
         differ, and decides nothing here."
            .into(),
        "Intervals and verdicts are of single cases: of 20 cases without any difference, one is \
         expected to show a direction by chance. What the number of cases leaves of the \
         directions stands beside the verdicts (Holm, for claims that stand for themselves; \
         Benjamini and Hochberg, for a list)."
            .into(),
    ];
    if !run.imported {
        method.push(
            "Controls, unless the plan has none: every subject is measured a second time under \
         another label, in the same blocks, and what that shows is false; and in one case a \
         known delay is injected, which must show."
                .into(),
        );
    }
    method
}

/// What the plan had run and not counted.
fn warm_up(run: &Run) -> String {
    let ramps: Vec<String> = run
        .ramp_ms
        .iter()
        .map(|(ring, ramp)| format!("{ramp} ms in ring {ring}"))
        .collect();
    let blocks = match run.warm_up.blocks {
        0 => "no block is warm-up".to_string(),
        1 => "one block of each case at the start of each boot is warm-up".into(),
        blocks => format!("{blocks} blocks of each case at the start of each boot are warm-up"),
    };
    match ramps.is_empty() {
        true => format!("By the plan, {blocks}."),
        false => format!(
            "By the plan, {blocks}, and each sample starts after a time under load ({}).",
            ramps.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_take_a_suffix() {
        for (value, text) in [
            (51_934.0, "51.9k"),
            (1_234_567.0, "1.23M"),
            (999.6, "1.00k"),
            (999_600.0, "1.00M"),
            (12.34, "12.3"),
            (0.1234, "0.123"),
            (7.0, "7.00"),
            (-2_500.0, "-2.50k"),
            (0.0, "0"),
            (1000.0, "1.00k"),
        ] {
            assert_eq!(si(value), text, "{value}");
        }
        assert_eq!(si_fine(51_934.0), "51.93k");
    }

    #[test]
    fn percentages_keep_their_width() {
        for (fraction, text) in [
            (0.0041, "+0.41%"),
            (-0.12345, "-12.3%"),
            (1.4, "+140%"),
            (-0.000001, "0.00%"),
            (0.09999, "+10.0%"),
        ] {
            assert_eq!(percent(fraction), text);
        }
        assert_eq!((margin(0.01), margin(0.005)), ("1%".into(), "0.5%".into()));
    }

    #[test]
    fn a_command_survives_the_shell() {
        let words = ["ringfence", "bench", "--case", "rand*", "it's"].map(String::from);
        assert_eq!(command(&words), r"ringfence bench --case 'rand*' 'it'\''s'");
    }
}
