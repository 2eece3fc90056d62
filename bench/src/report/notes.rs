//! What is to be known beside the verdicts of a section: how many comparisons
//! there were, where other intervals disagree, what the controls say.

use crate::statistics::binomial::allowed;
use crate::summary::controls::Injected;
use crate::summary::{CaseSummary, Comparison, Controls, Run, Summary};

use super::{words, Section};

/// Below this an adjusted p value makes a direction.
const LEVEL: f64 = 0.05;

/// The notes of a section, a sentence or two each.
pub fn of(section: &Section<'_>, summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    let (_, second) = section.pair();
    notes.extend(many(section, second, |case| Some(&case.main)));
    for other in section.others() {
        notes.extend(many(section, other, |case| case.against.get(other)));
    }
    notes.extend(dear_wrappers(section));
    notes.extend(disagreement(section));
    notes.extend(modes(section));
    notes.extend(warm_up(section, &summary.run));
    notes.extend(first_block(section));
    notes.extend(halving(section));
    let controls = section.controls(summary);
    notes.extend(controls.map(again));
    notes.extend(controls.and_then(injected));
    notes
}

/// What is left of the directions against `other` among so many comparisons.
fn many<'a>(
    section: &'a Section<'a>,
    other: &str,
    pick: impl Fn(&'a CaseSummary) -> Option<&'a Comparison>,
) -> Option<String> {
    let all = section.cases.iter().filter_map(|case| pick(case));
    let among: Vec<_> = all.filter_map(|comparison| comparison.among_many).collect();
    let comparisons = among.first()?.comparisons;
    if comparisons < 2 {
        return None;
    }
    let count = |below: &dyn Fn(&crate::summary::AmongMany) -> f64| {
        among.iter().filter(|one| below(one) < LEVEL).count()
    };
    let (alone, holm, listed) = (
        count(&|one| one.p),
        count(&|one| one.holm),
        count(&|one| one.listed),
    );
    Some(format!(
        "Directions against {} in {comparisons} comparisons: {alone} at 5% each, {listed} in a \
         list of which 5% may be wrong (Benjamini and Hochberg), {holm} as claims of which none \
         may be (Holm).",
        words::subject(other)
    ))
}

/// Wrappers of ours that cost more than what they wrap.
fn dear_wrappers(section: &Section<'_>) -> Option<String> {
    if !section.has_wrappers() {
        return None;
    }
    let mut compared = 0;
    let mut dear = Vec::new();
    for case in &section.cases {
        let Some(headline) = case.wrapper.as_ref().and_then(Comparison::shown) else {
            continue;
        };
        compared += 1;
        let above = headline.ci95.is_some_and(|ends| ends.lo > 0.0);
        if above {
            dear.push(format!(
                "{} ({})",
                case.key.case,
                words::percent(headline.mean)
            ));
        }
    }
    Some(match dear.len() {
        0 => format!(
            "Of {compared} wrappers of ours none is shown to cost more than the C that it wraps."
        ),
        _ => format!(
            "Of {compared} wrappers of ours these cost more than the C that they wrap: {}.",
            dear.join(", ")
        ),
    })
}

/// Where intervals that suppose less see a direction that the headline does not,
/// or the other way round.
fn disagreement(section: &Section<'_>) -> Option<String> {
    let disagrees = |comparison: &Comparison| {
        comparison.shown().is_some() && comparison.robust.is_some_and(|robust| !robust.agrees)
    };
    let cases: Vec<&str> = section
        .cases
        .iter()
        .filter(|case| disagrees(&case.main) || case.against.values().any(disagrees))
        .map(|case| case.key.case.as_str())
        .collect();
    (!cases.is_empty()).then(|| {
        format!(
            "In {} the t interval and that of Hodges and Lehmann or of the bootstrap disagree on \
             whether there is a difference: look at the single boots.",
            words::case_list(&cases)
        )
    })
}

/// Samples that are of two speeds.
fn modes(section: &Section<'_>) -> Option<String> {
    let mut each: Vec<String> = Vec::new();
    for subject in &section.subjects {
        let several = |case: &&&CaseSummary| {
            let shape = case.subjects.get(*subject).and_then(|one| one.shape);
            shape.is_some_and(|shape| shape.several_modes == Some(true))
        };
        let cases: Vec<&str> = section
            .cases
            .iter()
            .filter(several)
            .map(|case| case.key.case.as_str())
            .collect();
        if !cases.is_empty() {
            let cases = words::case_list(&cases);
            each.push(format!("{} in {cases}", words::subject(subject)));
        }
    }
    (!each.is_empty()).then(|| {
        format!(
            "Samples with several modes, two speeds in place of one: {}.",
            each.join("; ")
        )
    })
}

/// What was left out as warm-up, and what it would have changed.
fn warm_up(section: &Section<'_>, run: &Run) -> Option<String> {
    let mut moved: Vec<(f64, &str)> = Vec::new();
    let mut others: Vec<&str> = Vec::new();
    for case in &section.cases {
        let (Some(headline), Some(with)) = (case.main.shown(), case.main.with_warm_up) else {
            continue;
        };
        let change = (1.0 + with.headline.mean) / (1.0 + headline.mean) - 1.0;
        moved.push((change, &case.key.case));
        if with.verdict != case.main.verdict {
            others.push(&case.key.case);
        }
    }
    moved.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    let (most, case) = moved.last()?;
    let verdicts = match others.is_empty() {
        true => "no verdict would be another one".to_string(),
        false => format!(
            "the verdict would be another one in {}",
            words::case_list(&others)
        ),
    };
    let blocks = match run.warm_up.blocks {
        1 => "The first block of each boot is".into(),
        blocks => format!("The first {blocks} blocks of each boot are"),
    };
    Some(format!(
        "{blocks} warm-up by the plan: {} samples of this run are kept and do not count. With \
         them, headlines would move by {} at most ({case}), and {verdicts}.",
        run.samples.warm_up,
        size(*most)
    ))
}

/// Whether the first block that counts is still unlike the later ones.
fn first_block(section: &Section<'_>) -> Option<String> {
    let firsts: Vec<_> = section
        .cases
        .iter()
        .filter(|case| case.main.shown().is_some())
        .filter_map(|case| Some((case.main.first_block?, case.main.first_block?.ci95?)))
        .collect();
    let differ = firsts
        .iter()
        .filter(|(_, ends)| !ends.contains(0.0))
        .count();
    let mut sizes: Vec<f64> = firsts.iter().map(|(first, _)| first.mean.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let middle = sizes.get(sizes.len() / 2)?;
    let likely = allowed(firsts.len() as u64, LEVEL, 1.0 - LEVEL)?;
    Some(format!(
        "In the first block of a boot that counts, the ratio differs from the later ones' in \
         {differ} of {} cases (5% make {} to {} likely), by {} in the case in the middle.",
        firsts.len(),
        likely.start(),
        likely.end(),
        size(*middle)
    ))
}

/// What another run would take to know twice as well.
fn halving(section: &Section<'_>) -> Option<String> {
    let variations = section.cases.iter().filter_map(|case| case.main.variation);
    let mut variations: Vec<_> = variations.collect();
    variations.sort_by(|a, b| a.by_boot.total_cmp(&b.by_boot));
    let middle = variations.get(variations.len() / 2)?;
    let halve = middle.boots_to_halve.map_or(String::new(), |boots| {
        format!("; {boots} boots would halve the interval")
    });
    let deviation = |deviation: f64| match size(deviation).as_str() {
        "0.00%" => "below 0.01%".into(),
        size => size.to_string(),
    };
    Some(format!(
        "Deviation of log ratios in the case in the middle: {} from boot to boot, {} from block \
         to block within one{halve}.",
        deviation(middle.by_boot),
        deviation(middle.by_block)
    ))
}

/// Subjects against themselves.
pub fn again(controls: &Controls) -> String {
    let visible = controls.visible.map_or(String::new(), |visible| {
        format!(
            " A difference of {} or more would be found in nine of ten such runs.",
            size(visible)
        )
    });
    format!(
        "Against themselves, subjects show a direction in {} of {} comparisons ({}: 5% make {} \
         to {} likely), and differ by less than {} in 95% of them.{visible}",
        controls.alarms,
        controls.comparisons,
        if controls.sound() {
            "sound"
        } else {
            "NOT SOUND"
        },
        controls.allowed.0,
        controls.allowed.1,
        size(controls.floor),
    )
}

/// Delays that were injected.
pub fn injected(controls: &Controls) -> Option<String> {
    let each: Vec<String> = controls
        .injected
        .iter()
        .map(|one| {
            format!(
                "{} seen as {} ({})",
                words::percent(one.change),
                words::percent(one.seen),
                found(one)
            )
        })
        .collect();
    let first = controls.injected.first()?;
    Some(format!(
        "A delay was injected in {}: {}.",
        first.case.case,
        each.join(", ")
    ))
}

/// An injected delay as a share of an operation's time: `5% delay`.
pub fn delay(injected: &Injected) -> String {
    // The change is that of a rate.
    let added = 1.0 / (1.0 + injected.change) - 1.0;
    format!("{} delay", words::margin(added))
}

/// Whether a delay was found, in a word or two.
pub fn found(injected: &Injected) -> &'static str {
    match injected.found {
        true => "found",
        false => "not found",
    }
}

/// A size without a sign.
pub fn size(fraction: f64) -> String {
    words::percent(fraction.abs())
        .trim_start_matches('+')
        .to_string()
}
