//! Shows how far a run, or the making of a lab, has come: a bar on a
//! terminal, plain lines elsewhere.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ringfence_bench::plan::Plan;
use ringfence_bench::run::Observer;
use ringfence_bench::sample::Sample;
use ringfence_lab::Progress;

use crate::output;

/// The progress of one ring of a run.
pub struct RunProgress {
    bar: Option<ProgressBar>,
    per_boot: u64,
    taken: u64,
    started: Instant,
}

impl RunProgress {
    /// Nothing taken yet.
    pub fn new(plan: &Plan, ring: u8) -> RunProgress {
        let cases = plan.cases.iter().filter(|case| case.ring == ring);
        let labels: u64 = cases.map(|case| plan.labels(case).len() as u64).sum();
        let per_boot = labels * u64::from(plan.rounds());
        let bar = io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} samples, {eta} left");
            let bar = ProgressBar::new(per_boot * u64::from(plan.boots))
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        RunProgress {
            bar,
            per_boot,
            taken: 0,
            started: Instant::now(),
        }
    }

    /// Takes the bar away; what is left says how it went.
    pub fn end(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        output::say(&format!(
            "{} samples in {}",
            self.taken,
            output::duration(self.started.elapsed().as_secs_f64())
        ));
    }
}

impl Observer for RunProgress {
    fn boot(&mut self, ring: u8, boot: u32, boots: u32) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(format!("ring {ring}, boot {}/{boots}", boot + 1));
                // Cases go without some subjects, so that a boot may have
                // taken less than its share.
                bar.set_position(u64::from(boot) * self.per_boot);
            }
            None => output::say(&format!(
                "ring {ring}, boot {}/{boots}: {} samples so far, {}",
                boot + 1,
                self.taken,
                output::duration(self.started.elapsed().as_secs_f64())
            )),
        }
    }

    fn sample(&mut self, _sample: &Sample) {
        self.taken += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

/// The progress of the lab's steps. A step that was there already says
/// nothing.
pub struct LabProgress {
    bar: Option<ProgressBar>,
    /// A step that started and has said nothing yet.
    quiet: RefCell<String>,
}

impl LabProgress {
    /// Nothing done yet.
    pub fn new() -> LabProgress {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("lab: {prefix} {elapsed} {wide_msg}");
            ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        LabProgress {
            bar,
            quiet: RefCell::default(),
        }
    }
}

impl Drop for LabProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for LabProgress {
    fn start(&self, step: &str) {
        self.quiet.replace(step.to_string());
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_prefix(step.to_string());
            bar.set_message("");
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }

    fn line(&self, text: &str) {
        let step = self.quiet.take();
        match &self.bar {
            Some(bar) => bar.set_message(text.trim().to_string()),
            None if !step.is_empty() => output::say(&format!("lab: {step} ...")),
            None => (),
        }
    }

    fn end(&self, step: &str, seconds: f64, fresh: bool) {
        if fresh {
            return;
        }
        let line = format!("lab: {step}: done in {}", output::duration(seconds));
        match &self.bar {
            Some(bar) => bar.suspend(|| output::say(&line)),
            None => output::say(&line),
        }
    }
}
