//! What a reader must know before believing a number.

use super::Run;
use crate::statistics::interval::t_factor;

/// Boots below which a run is said to show little.
const FEW_BOOTS: u32 = 10;

/// A sentence each, the gravest first. What is true of times alone is left
/// out where instructions were counted.
pub fn of(run: &Run, counted: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if run.imported {
        warnings.push(
            "Parity was not read back: imported. Whether the subjects were equal in anything but \
             fio's options (scheduler, queues, size, kernel) is not known, nor whether boots are \
             boots and orders were random: every verdict supposes it."
                .into(),
        );
    }
    if !run.complete {
        let why = match (&run.interrupted, run.ended_ms) {
            (Some(why), _) => format!("the run was interrupted: {why}"),
            (None, None) => "the run has not ended, or was killed".into(),
            (None, Some(_)) => "some lines are missing".into(),
        };
        warnings.push(format!(
            "Incomplete: {} of {} samples are there; {why}.",
            run.samples.taken, run.samples.expected
        ));
    } else if let Some(why) = &run.interrupted {
        warnings.push(format!(
            "The run was interrupted after its last sample: {why}."
        ));
    }
    for complaint in run.complaints.iter().take(5) {
        warnings.push(format!("Not used: {complaint}."));
    }
    if run.complaints.len() > 5 {
        warnings.push(format!(
            "{} further things could not be used; summary.json names them.",
            run.complaints.len() - 5
        ));
    }
    for (ring, boots) in &run.boots.sampled {
        if !counted {
            warnings.extend(few_boots(*ring, *boots));
        }
    }
    if run.quick {
        warnings.push(
            "This was the quick plan: it shows that everything works, not which subject is faster."
                .into(),
        );
    }
    for (ring, maps) in [&run.host, &run.guest].into_iter().flatten() {
        let tcg = maps
            .iter()
            .any(|(name, value)| name == "accelerator" && value.to_lowercase().contains("tcg"));
        let warning = format!(
            "Ring {ring} ran under QEMU's TCG, which translates instructions: its ratios of time \
             are TCG's own and never hardware's, since caches, locked operations and exits cost \
             something else there."
        );
        if tcg && !counted && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    for (subject, settings) in &run.overrides {
        for (name, value) in settings {
            warnings.push(format!(
                "Unequal on purpose: {name} was set to {value} for {subject} alone."
            ));
        }
    }
    if !run.guest_varies.is_empty() {
        warnings.push(format!(
            "Boots did not all say the same of: {}.",
            run.guest_varies.join(", ")
        ));
    }
    warnings
}

fn few_boots(ring: u8, boots: u32) -> Option<String> {
    let unit = if ring == 3 { "process" } else { "boot" };
    match boots {
        0 => Some(format!("Ring {ring} has no samples.")),
        1 => Some(format!(
            "Ring {ring}: one {unit} says nothing about how the next one would be, so there is no \
             interval and no verdict; take 10."
        )),
        _ if boots < FEW_BOOTS => {
            let few = t_factor(0.95, f64::from(boots - 1))? / f64::from(boots).sqrt();
            let many = t_factor(0.95, f64::from(FEW_BOOTS - 1))? / f64::from(FEW_BOOTS).sqrt();
            Some(format!(
                "Ring {ring}: {boots} {unit}{} say little: for the same noise the intervals are \
                 {:.1} times as wide as with {FEW_BOOTS}. Where one subject's boots have two speeds, \
                 intervals of few boots are too narrow besides: those of four cover 87% where \
                 they claim 95%, those of ten cover 94%.",
                if ring == 3 { "es" } else { "s" },
                few / many
            ))
        }
        _ => None,
    }
}
