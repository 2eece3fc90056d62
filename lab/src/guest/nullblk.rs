//! The ring-0 workbench of the null block drivers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use ringfence_bench::agent::{Measured, Prepared, Workbench};
use ringfence_bench::case::Case;
use ringfence_bench::control::{Control, Label};

use super::attributes;
use super::count::Counter;
use super::device::{mount_configfs, Device, Disk};
use super::environment;
use super::fio;
use super::module;
use super::sample::{self, Count};
use super::settings::Settings;

/// A subject and where the kernel has it.
struct Subject {
    name: &'static str,
    module: &'static str,
    /// Its configfs group.
    group: &'static str,
    /// The module's file if it is not one of the kernel's own.
    file: Option<&'static str>,
    /// Its parameters when it is loaded.
    parameters: &'static str,
    /// Which of the build's facts names its compiler; the kernel's own if none.
    compiler: Option<&'static str>,
    overflow_checks: Checks,
}

/// Whether integer overflow is checked for.
enum Checks {
    /// As the kernel's configuration says for Rust.
    Configured,
    /// Off, whatever that says.
    Off,
    /// It is C.
    None,
}

/// Grace periods and work of the kernel's are through by then.
const SETTLED: Duration = Duration::from_millis(200);

/// How often a driver rang its device: a null block has no registers.
const DOORBELLS: Option<u64> = Some(0);

/// How many times a counted sample's disk is made anew. Where the block layer's
/// search for a free tag begins is drawn for every disk, and one word of its
/// map in four costs more than the others: that all disks begin there is rare.
const DISKS: usize = 4;

/// C null_blk would make a device of its own accord.
const NO_DEVICES: &str = "nr_devices=0";

const SUBJECTS: [Subject; 6] = [
    Subject {
        name: "rust",
        module: "rf_nullblk",
        group: "rf_nullblk",
        file: Some("rf_nullblk.ko"),
        parameters: "",
        compiler: Some("rustc"),
        overflow_checks: Checks::Configured,
    },
    Subject {
        name: "c",
        module: "null_blk",
        group: "nullb",
        file: None,
        parameters: NO_DEVICES,
        compiler: None,
        overflow_checks: Checks::None,
    },
    Subject {
        name: "upstream",
        module: "rnull_mod",
        group: "rnull",
        file: Some("rnull_mod.ko"),
        parameters: "",
        compiler: Some("rustc"),
        overflow_checks: Checks::Configured,
    },
    Subject {
        name: "rust-nochecks",
        module: "rf_nullblk_nochecks",
        group: "rf_nullblk_nochecks",
        file: Some("rf_nullblk_nochecks.ko"),
        parameters: "",
        compiler: Some("rustc"),
        overflow_checks: Checks::Off,
    },
    Subject {
        name: "c-oot",
        module: "null_blk_oot",
        group: "null_blk_oot",
        file: Some("null_blk_oot.ko"),
        parameters: NO_DEVICES,
        compiler: Some("cc"),
        overflow_checks: Checks::None,
    },
    Subject {
        name: "c-clang",
        module: "null_blk_clang",
        group: "null_blk_clang",
        file: Some("null_blk_clang.ko"),
        parameters: NO_DEVICES,
        compiler: Some("clang"),
        overflow_checks: Checks::None,
    },
];

/// Our driver in its control build, which can delay.
const CONTROL: Subject = Subject {
    name: "rust, control build",
    module: "rf_nullblk_control",
    group: "rf_nullblk_control",
    file: Some("rf_nullblk_control.ko"),
    parameters: "",
    compiler: Some("rustc"),
    overflow_checks: Checks::Configured,
};

/// A device that is up, and what it was set up with.
struct Present {
    settings: Settings,
    device: Device,
    disk: Disk,
}

impl Present {
    /// Makes the disk anew, and waits until the kernel has nothing more to do
    /// for the old one.
    fn renew(&mut self) -> Result<()> {
        self.device
            .power_off()
            .context("ring 0: a disk cannot be powered off")?;
        self.disk = power_on(&self.device, &self.settings)?;
        sleep(SETTLED);
        Ok(())
    }
}

fn power_on(device: &Device, settings: &Settings) -> Result<Disk> {
    let disk = device.power_on()?;
    for (name, value) in &settings.queue {
        disk.set_queue(name, value).with_context(|| {
            format!(
                "ring 0: {}: queue attribute {name} cannot be set to {value}",
                disk.node().display()
            )
        })?;
    }
    Ok(disk)
}

/// Sets up null block devices and loads them with fio.
pub struct NullblkBench {
    modules: PathBuf,
    /// By label. Those that are not sampled stay up and idle, so that a
    /// block need not power one down and another up.
    present: BTreeMap<String, Present>,
    /// Modules that were not there before.
    ours: Vec<&'static str>,
    /// Subjects that this kernel cannot have, and why.
    absent: BTreeMap<String, String>,
    /// Once something was counted.
    counter: Option<Counter>,
    /// Nanoseconds that an operation of a case takes in the control build, by
    /// case: a delay is a share of them.
    times: BTreeMap<String, f64>,
}

impl NullblkBench {
    /// A workbench with modules from that folder.
    pub fn new(modules: PathBuf) -> Result<NullblkBench> {
        if !rustix::process::geteuid().is_root() {
            bail!("ring 0: loading modules needs root; run it again under sudo");
        }
        Ok(NullblkBench {
            modules,
            present: BTreeMap::new(),
            ours: Vec::new(),
            absent: BTreeMap::new(),
            counter: None,
            times: BTreeMap::new(),
        })
    }

    fn set_up(
        &self,
        label: &str,
        subject: &Subject,
        settings: &Settings,
    ) -> Result<Result<Present, String>> {
        let name = format!("rfbench-{}", label.replace(':', "-"));
        let device = Device::create(subject.group, &name)?;
        // What C null_blk can do and the others cannot: off. Its polling
        // queue would even be there by default.
        for name in ["poll_queues", "memory_backed", "blocking"] {
            if device.get(name).is_some() {
                device
                    .set(name, "0")
                    .with_context(|| format!("ring 0: {}: {name} cannot be 0", subject.name))?;
            }
        }
        for (name, value) in &settings.driver {
            if device.get(name).is_none() {
                match fixed_upstream(name) {
                    Some(fixed) if fixed == value => continue,
                    Some(fixed) => {
                        return Ok(Err(format!(
                            "{} has {name} fixed at {fixed}, the case asks for {value}",
                            subject.name
                        )))
                    }
                    None => bail!("ring 0: {} has no setting {name}", subject.name),
                }
            }
            if let Err(error) = device.set(name, value) {
                if error.kind() == std::io::ErrorKind::InvalidInput {
                    return Ok(Err(format!(
                        "{} does not take {name} {value}",
                        subject.name
                    )));
                }
                return Err(error).with_context(|| {
                    format!("ring 0: {}: {name} cannot be set to {value}", subject.name)
                });
            }
        }
        Ok(Ok(Present {
            settings: settings.clone(),
            disk: power_on(&device, settings)?,
            device,
        }))
    }

    /// Sets the delay of a label that has one: a share of the time that an
    /// operation takes without.
    fn delay(&mut self, label: &str, case: &Case, present: &Present) -> Result<()> {
        let Some(percent) = delay_of(label).filter(|percent| *percent > 0) else {
            return Ok(());
        };
        let time = match self.times.get(&case.name) {
            Some(time) => *time,
            None => {
                let iops = fio::measure(case, &present.disk.node())?.value;
                let time = 1e9 * f64::from(case.jobs()) / iops;
                self.times.insert(case.name.clone(), time);
                time
            }
        };
        let delay = (time * f64::from(percent) / 100.0).round() as u64;
        present
            .device
            .set("delay_nsec", &delay.to_string())
            .with_context(|| format!("ring 0: {label}: its delay cannot be set"))
    }

    fn read_back(&self, subject: &Subject, present: &Present) -> BTreeMap<String, String> {
        let mut values = attributes::read_back(&present.device, &present.disk);
        let facts = environment::build_facts(&self.modules);
        let known = |fact: &str| {
            facts
                .get(fact)
                .map_or("unknown", String::as_str)
                .to_string()
        };
        let compiler = match subject.compiler {
            Some(fact) => known(fact),
            None => {
                let version = fs::read_to_string("/proc/version").unwrap_or_default();
                environment::kernel_compiler(&version).to_string()
            }
        };
        let overflow_checks = match subject.overflow_checks {
            Checks::Configured => known("overflow_checks"),
            Checks::Off => "off".to_string(),
            Checks::None => "-".to_string(),
        };
        values.insert("compiler".into(), compiler);
        values.insert("overflow_checks".into(), overflow_checks);
        values
    }
}

impl Workbench for NullblkBench {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        if fio::version().is_none() {
            bail!("ring 0: fio cannot be started; install the package fio");
        }
        Ok(environment::read(&self.modules))
    }

    fn load(&mut self, label: &str) -> Result<()> {
        let subject = find(label)?;
        mount_configfs()?;
        if self.ours.contains(&subject.module) {
            return Ok(());
        }
        if module::is_loaded(subject.module) {
            if subject.file.is_some() {
                bail!(
                    "ring 0: some {0} is loaded already; `rmmod {0}` first, so that it is known \
                     what is measured",
                    subject.module
                );
            }
            return Ok(());
        }
        match subject.file {
            None => module::probe(subject.module, &[subject.parameters])?,
            Some(file) => {
                let path = self.modules.join(file);
                // Ours and C must be there; without another one the run only
                // says less.
                if subject.name != "rust" && !path.is_file() {
                    let why = format!("{} is not there", path.display());
                    self.absent.insert(subject.name.to_string(), why);
                    return Ok(());
                }
                module::insert(&path, subject.parameters)?;
            }
        }
        self.ours.push(subject.module);
        Ok(())
    }

    fn prepare(
        &mut self,
        label: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        let subject = find(label)?;
        if let Some(why) = self.absent.get(subject.name) {
            return Ok(Prepared::LeftOut(why.clone()));
        }
        let settings = Settings::of(case, overrides)?;
        let same = |present: &Present| present.settings == settings;
        if !self.present.get(label).is_some_and(same) {
            self.present.remove(label);
            let present = match self.set_up(label, subject, &settings)? {
                Ok(present) => present,
                Err(why) => return Ok(Prepared::LeftOut(why)),
            };
            self.delay(label, case, &present)?;
            self.present.insert(label.to_string(), present);
        }
        let present = &self.present[label];
        let mut values = self.read_back(subject, present);
        if let Some(percent) = delay_of(label) {
            values.insert("injected_delay".into(), format!("{percent}%"));
        }
        // The load is part of what must be equal; only the device differs.
        let load = fio::arguments(case, Path::new("DEVICE"), fio::cpus())?;
        values.insert("load".into(), format!("fio {}", load.join(" ")));
        Ok(Prepared::Ready(values))
    }

    fn measure(
        &mut self,
        labels: &[&str],
        case: &Case,
        taken: &mut dyn FnMut(Measured) -> Result<()>,
    ) -> Result<()> {
        for label in labels {
            let Some(present) = self.present.get_mut(*label) else {
                bail!("ring 0: {label} is measured before it is set up");
            };
            taken(match case.operations {
                None => sample::timed(case, &present.disk.node(), DOORBELLS)?,
                Some(short) => {
                    let count = Count {
                        case,
                        short,
                        modules: &[find(label)?.module],
                        times: DISKS,
                        doorbells: DOORBELLS,
                    };
                    count.sample(&mut self.counter, || {
                        present.renew()?;
                        Ok(present.disk.node())
                    })?
                }
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let mut first = Ok(());
        for (_, present) in std::mem::take(&mut self.present) {
            first = first.and(present.device.remove());
        }
        for module in std::mem::take(&mut self.ours) {
            let removed = module::remove(module)
                .with_context(|| format!("ring 0: {module} does not unload; see lsmod"));
            first = first.and(removed);
        }
        first
    }
}

impl Drop for NullblkBench {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// Percent of an operation's time that a label is to be delayed by.
fn delay_of(label: &str) -> Option<u8> {
    match Label::parse(label)?.control? {
        Control::Slow(percent) => Some(percent),
        Control::Again => None,
    }
}

/// The subject of a label. Only ours can delay.
fn find(label: &str) -> Result<&'static Subject> {
    let of = |parts: Label<'_>| match parts.control {
        Some(Control::Slow(_)) => (parts.subject == "rust").then_some(&CONTROL),
        _ => SUBJECTS.iter().find(|known| known.name == parts.subject),
    };
    match Label::parse(label).and_then(of) {
        Some(subject) => Ok(subject),
        None => {
            let known: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
            bail!(
                "ring 0: nullblk has no subject {label}; there are {}",
                known.join(", ")
            )
        }
    }
}

/// What a driver without the setting has instead: rnull builds its tag set
/// with one queue of 256.
fn fixed_upstream(name: &str) -> Option<&'static str> {
    match name {
        "submit_queues" => Some("1"),
        "hw_queue_depth" => Some("256"),
        "poll_queues" => Some("0"),
        _ => None,
    }
}
