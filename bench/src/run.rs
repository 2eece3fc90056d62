//! Runs a plan: boot after boot, every sample on disk as it is taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::agent::Launcher;
use crate::folder::{Recording, RunFolder};
use crate::plan::Plan;
use crate::sample::{Event, Sample};
use crate::summary::summarise;

/// Told of a run's progress; the command line draws it.
pub trait Observer {
    /// A boot of `ring` starts; `boots` is how many there are in this ring.
    fn boot(&mut self, ring: u8, boot: u32, boots: u32);
    /// A sample reached the disk.
    fn sample(&mut self, sample: &Sample);
}

/// Runs every boot of one ring of `plan`. Stops early, without an error, when
/// `stop` becomes true and the boot has nothing more to say; a boot that dies ends the run with
/// its error. In every case what was sampled is in the folder, and the
/// manifest says why the run ended.
pub fn run_ring(
    plan: &Plan,
    ring: u8,
    launcher: &mut dyn Launcher,
    folder: &mut RunFolder,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<()> {
    let result = run_boots(plan, ring, launcher, folder, observer, stop);
    match &result {
        Err(_) if stop.load(Ordering::SeqCst) => {
            folder.update(|manifest| manifest.interrupted = Some("by the user".into()))?;
            Ok(())
        }
        Err(error) => {
            let text = format!("{error:#}");
            folder.update(|manifest| manifest.interrupted = Some(text))?;
            result
        }
        Ok(()) => Ok(()),
    }
}

fn run_boots(
    plan: &Plan,
    ring: u8,
    launcher: &mut dyn Launcher,
    folder: &mut RunFolder,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<()> {
    let host = launcher.describe()?;
    folder.update(|manifest| {
        manifest.host.insert(ring, host);
    })?;
    for number in 0..plan.boots {
        if stop.load(Ordering::SeqCst) {
            folder.update(|manifest| manifest.interrupted = Some("by the user".into()))?;
            return Ok(());
        }
        observer.boot(ring, number, plan.boots);
        let mut link = launcher.boot(number)?;
        link.send(&plan.boot(ring, number))?;
        loop {
            // After a stop the link gives what has already been sent, and then
            // an error.
            match link.next()? {
                Event::Hello { environment } => folder.update(|manifest| {
                    match manifest.guest.get(&ring) {
                        None => {
                            manifest.guest.insert(ring, environment);
                        }
                        Some(first) => {
                            for (name, value) in &environment {
                                if first.get(name) != Some(value)
                                    && !manifest.guest_varies.contains(name)
                                {
                                    manifest.guest_varies.push(name.clone());
                                }
                            }
                        }
                    };
                })?,
                Event::Attributes(new) => folder.update(|manifest| {
                    let same = manifest.attributes.iter_mut().find(|old| {
                        old.key == new.key && old.subject == new.subject && old.values == new.values
                    });
                    match same {
                        Some(old) => old.boots.push(number),
                        None => manifest.attributes.push(new),
                    }
                })?,
                Event::LeftOut(new) => folder.update(|manifest| {
                    if !manifest.left_out.contains(&new) {
                        manifest.left_out.push(new);
                    }
                })?,
                Event::Sample(sample) => {
                    folder.append(&sample)?;
                    observer.sample(&sample);
                }
                Event::Profile(profile) => folder.append_profile(&profile)?,
                Event::Done => break,
                Event::Error { text } => anyhow::bail!("{text}"),
            }
        }
        if plan.target.is_some() {
            let recording = Recording::read(folder.path())?;
            if summarise(&recording).reached(plan, ring) {
                return folder.update(|manifest| {
                    manifest.reached.insert(ring, number + 1);
                });
            }
        }
    }
    Ok(())
}

/// Unix time in milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64)
}
