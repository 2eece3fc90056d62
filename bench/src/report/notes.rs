//! What is to be known beside the verdicts of a section: how many comparisons
//! there were, where other intervals disagree, what the controls say.

use crate::summary::{CaseSummary, Comparison, Controls, Summary};

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
    notes.extend(halving(section));
    let controls = summary.run.controls.iter().find(|controls| {
        (controls.ring, &controls.driver[..], &controls.metric[..])
            == (section.ring, section.driver, section.metric)
    });
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

/// What another run would take to know twice as well.
fn halving(section: &Section<'_>) -> Option<String> {
    let variations = section.cases.iter().filter_map(|case| case.main.variation);
    let mut variations: Vec<_> = variations.collect();
    variations.sort_by(|a, b| a.by_boot.total_cmp(&b.by_boot));
    let middle = variations.get(variations.len() / 2)?;
    let halve = middle.boots_to_halve.map_or(String::new(), |boots| {
        format!("; {boots} boots would halve its interval")
    });
    Some(format!(
        "Log ratios vary by {} from boot to boot and by {} from block to block within one, in \
         the case in the middle{halve}.",
        size(middle.by_boot),
        size(middle.by_block)
    ))
}

/// Subjects against themselves.
fn again(controls: &Controls) -> String {
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
fn injected(controls: &Controls) -> Option<String> {
    let each: Vec<String> = controls
        .injected
        .iter()
        .map(|one| {
            format!(
                "{} seen as {} ({})",
                words::percent(one.change),
                words::percent(one.seen),
                if one.found { "found" } else { "not found" }
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

/// A size without a sign.
fn size(fraction: f64) -> String {
    words::percent(fraction.abs())
        .trim_start_matches('+')
        .to_string()
}
