//! `ringfence plan`: what a run will take and what it will be able to see,
//! before anything runs.

use std::fmt::Write;
use std::fs;
use std::process::ExitCode;

use anyhow::{bail, Context, Result};
use ringfence_bench::folder::Recording;
use ringfence_bench::foresight::{self, Foresight};
use ringfence_bench::plan::Plan;
use ringfence_bench::statistics::power::{boots_to_plan, smallest_effect};
use ringfence_bench::summary::controls::POWER;
use ringfence_bench::summary::summarise;

use crate::args::PlanArguments;
use crate::failure::Usage;
use crate::{bench, output, planning};

/// Deviations of boots that are gone through where no run says what it is.
const DEVIATIONS: [f64; 5] = [0.002, 0.005, 0.01, 0.02, 0.05];

/// Says what a plan takes and sees, and writes it where that is wanted.
pub fn plan(arguments: &PlanArguments) -> Result<ExitCode> {
    let percent = arguments.effect;
    if !(percent > 0.0 && percent < 100.0) {
        return Err(Usage::error(format!(
            "--effect {percent}: must be above 0 and below 100 percent"
        )));
    }
    let effect = percent / 100.0;
    let plan = planning::plan(&arguments.bench)?;
    let mut text = bench::announcement(&plan);
    match &arguments.like {
        None => assumed(&mut text, &plan, effect),
        Some(path) => {
            let summary = summarise(&Recording::read(path)?);
            let cases = foresight::of(&plan, &summary, effect);
            if cases.is_empty() {
                bail!(
                    "{}: has no case of this plan with two boots or more; name a run of the same \
                     cases",
                    path.display()
                );
            }
            seen(&mut text, &plan, &cases, effect);
        }
    }
    if let Some(path) = &arguments.write {
        let mut json = serde_json::to_vec_pretty(&plan)?;
        json.push(b'\n');
        fs::write(path, json).with_context(|| format!("{}: cannot be written", path.display()))?;
        let _ = writeln!(
            text,
            "{}: run it with `ringfence bench --plan {}`",
            path.display(),
            path.display()
        );
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// By what an earlier run has shown.
fn seen(text: &mut String, plan: &Plan, cases: &[Foresight], effect: f64) {
    let width = cases.iter().map(|case| case.key.case.len()).max();
    let width = width
        .unwrap_or(0)
        .clamp(20, output::width().saturating_sub(48));
    let boots = format!("boots for {}%", effect * 100.0);
    let _ = writeln!(
        text,
        "\n{:width$} {:>16} {:>9} {:>7} {boots:>12}",
        "case", "metric", "deviation", "visible"
    );
    for case in cases {
        let name: String = case.key.case.chars().take(width).collect();
        let boots = case.boots.map_or("-".into(), |boots| boots.to_string());
        let _ = writeln!(
            text,
            "{name:width$} {:>16} {:>8.2}% {:>6.2}% {boots:>12}",
            case.metric.replace("instructions", "instr."),
            case.deviation * 100.0,
            case.visible * 100.0,
        );
    }
    let _ = writeln!(
        text,
        "\ndeviation: of log ratios from boot to boot, as that run had it; visible: the smallest\n\
         change that nine of ten such runs with {} find",
        output::count(plan.boots.into(), "boot")
    );
}

/// For deviations from small to large.
fn assumed(text: &mut String, plan: &Plan, effect: f64) {
    let boots = format!("boots for {}%", effect * 100.0);
    let _ = writeln!(text, "\n{:>9} {:>8} {boots:>14}", "deviation", "visible");
    for deviation in DEVIATIONS {
        let visible = smallest_effect(deviation, plan.boots as usize, POWER);
        let boots = boots_to_plan(effect, deviation);
        let _ = writeln!(
            text,
            "{:>8.1}% {:>8} {:>14}",
            deviation * 100.0,
            visible.map_or("-".into(), |visible| format!("{:.2}%", visible * 100.0)),
            boots.map_or("-".into(), |boots| boots.to_string()),
        );
    }
    text.push_str(
        "\ndeviation: of log ratios from boot to boot, which only a run can tell: name one with\n\
         --like RUN; visible: the smallest change that nine of ten such runs find\n",
    );
}
