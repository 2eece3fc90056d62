//! The ring-0 workbench of the NVMe drivers.
//!
//! A case is on one controller. A subject gets it when its turn comes, and lets
//! go of it for the next: whatever the device is, it is the same for all.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use ringfence_bench::agent::{Measured, Prepared, Workbench};
use ringfence_bench::case::Case;
use ringfence_bench::control::{Control, Label};
use rustix::fs::OFlags;

use super::attributes;
use super::count::Counter;
use super::device::Disk;
use super::environment;
use super::fio;
use super::module;
use super::nvme_log;
use super::nvme_user::{self, USER};
use super::pci::{ByName, Function};
use super::sample::{self, Count};

/// A driver of NVMe controllers, and where the kernel has it.
#[derive(Debug, PartialEq)]
pub struct Subject {
    /// As a plan has it.
    pub name: &'static str,
    /// What its PCI driver is called.
    pub driver: &'static str,
    /// The module that brings it.
    pub module: &'static str,
    /// The module's file if it is not one of the kernel's own.
    pub file: Option<&'static str>,
    /// The modules that are the driver, that one first.
    pub modules: &'static [&'static str],
    /// Parameters that it has for itself, set equal to what the others do.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Ours.
pub const RUST: Subject = Subject {
    name: "rust",
    driver: "rf_nvme",
    module: "rf_nvme",
    file: Some("rf_nvme.ko"),
    modules: &["rf_nvme"],
    parameters: &[],
};

/// The kernel's.
pub const C: Subject = Subject {
    name: "c",
    driver: "nvme",
    module: "nvme",
    file: None,
    modules: &["nvme", "nvme_core"],
    // PRP lists, as ours has them, in place of scatter-gather lists.
    parameters: &[("sgl_threshold", "0")],
};

/// The one that guest tests are of.
pub fn under_test(modules: &Path) -> &'static Subject {
    match RUST.file {
        Some(file) if modules.join(file).exists() => &RUST,
        _ => &C,
    }
}

const SUBJECTS: [&Subject; 3] = [&RUST, &C, &USER];

/// The class of an NVMe controller.
pub const CLASS: &str = "0x010802";

/// What no driver is called: nobody binds a function that is promised to it.
const NOBODY: &str = "ringfence-nobody";

/// A controller has many seconds to become ready (CAP.TO), and namespaces are
/// found by a thread after that.
const UP: Duration = Duration::from_secs(60);

/// Grace periods and work of the kernel's are through by then.
const SETTLED: Duration = Duration::from_millis(200);

/// How many times a counted sample's controller is set up anew.
const TIMES: usize = 2;

/// Drivers do not tell how often they ring.
const DOORBELLS: Option<u64> = None;

/// Parameters of the drivers that cases may set, and what they are where a case
/// does not say.
const PARAMETERS: [(&str, &str); 2] = [("io_queue_depth", "1024"), ("poll_queues", "0")];

/// Queue attributes that cases may set, in the order in which they are written,
/// and what they are where a case does not say: no scheduler, no statistics, no
/// merging, no throttling of writes. What is empty is left as the driver has it.
const QUEUE: [(&str, &str); 8] = [
    ("scheduler", "none"),
    ("nr_requests", ""),
    ("iostats", "0"),
    ("nomerges", "2"),
    ("rq_affinity", "1"),
    ("wbt_lat_usec", "0"),
    ("max_sectors_kb", ""),
    ("write_cache", ""),
];

/// Which of two controllers a case is on: 1 for the one that hears doorbells in
/// memory. Where there is one only, it is that.
const SHADOW: (&str, &str) = ("shadow_doorbells", "0");

/// What a subject gets for a case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    /// Whether on the controller that hears doorbells in memory.
    shadow: bool,
    /// For the module, before it gets the controller.
    parameters: BTreeMap<&'static str, String>,
    /// For the disk's queue, in writing order.
    queue: Vec<(&'static str, String)>,
}

impl Settings {
    /// The case's settings with `overrides` on top and defaults below.
    fn of(case: &Case, overrides: &BTreeMap<String, String>) -> Result<Settings> {
        let mut asked = case.settings.clone();
        asked.extend(overrides.clone());
        let mut take = |known: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            let value = |&(name, default): &(&'static str, &str)| {
                let value = asked.remove(name).unwrap_or_else(|| default.to_string());
                (name, value)
            };
            let all = known.iter().map(value);
            all.filter(|(_, value)| !value.is_empty()).collect()
        };
        let parameters = take(&PARAMETERS).into_iter().collect();
        let queue = take(&QUEUE);
        let shadow = take(&[SHADOW]).iter().any(|(_, value)| value != "0");
        // This one is fio's.
        take(&[(fio::BATCH, "")]);
        if let Some(name) = asked.keys().next() {
            let all = PARAMETERS.iter().chain(&QUEUE).chain([&SHADOW]);
            let names = all.map(|(name, _)| *name).chain([fio::BATCH]);
            bail!(
                "ring 0: nvme has no setting {name}; there are {}",
                names.collect::<Vec<_>>().join(", ")
            );
        }
        Ok(Settings {
            shadow,
            parameters,
            queue,
        })
    }
}

/// A controller that a driver has.
struct Bound {
    label: String,
    function: Function,
    settings: Settings,
    disk: Disk,
    /// What the controller said of its set-up, if it told.
    told: BTreeMap<String, String>,
}

/// Gives a controller to drivers and loads them with fio.
pub struct NvmeBench {
    modules: PathBuf,
    /// One, or two: without and with doorbells in memory.
    functions: Vec<Function>,
    /// The functions that were taken, and the drivers that had them.
    taken: Vec<(Function, Option<String>)>,
    bound: Option<Bound>,
    /// How each label was set up last.
    prepared: BTreeMap<String, Settings>,
    /// Modules that were not there before.
    ours: Vec<&'static str>,
    /// What modules without files for them were loaded with.
    parameters: BTreeMap<&'static str, String>,
    /// Files of parameters that were there before, and what they held.
    before: BTreeMap<PathBuf, String>,
    /// Once something was counted.
    counter: Option<Counter>,
}

impl NvmeBench {
    /// A workbench with modules from that folder, on the function at `pci`, or
    /// on two with a comma between them, the second of which hears doorbells in
    /// memory. What their namespaces hold is lost.
    pub fn new(modules: PathBuf, pci: Option<&str>) -> Result<NvmeBench> {
        if !rustix::process::geteuid().is_root() {
            bail!("ring 0: loading modules needs root; run it again under sudo");
        }
        let Some(addresses) = pci else {
            bail!(
                "ring 0: nvme needs a controller of its own, whose contents are lost; name its \
                 PCI function by --pci"
            );
        };
        let functions: Vec<Function> = pci_functions(addresses)?;
        Ok(NvmeBench {
            modules,
            functions,
            taken: Vec::new(),
            bound: None,
            prepared: BTreeMap::new(),
            ours: Vec::new(),
            parameters: BTreeMap::new(),
            before: BTreeMap::new(),
            counter: None,
        })
    }

    /// Takes the controllers from whatever driver has them.
    fn take(&mut self) -> Result<()> {
        for function in &self.functions[self.taken.len()..] {
            let driver = function.driver();
            function.unbind()?;
            self.taken.push((function.clone(), driver));
            function.promise(NOBODY)?;
        }
        Ok(())
    }

    fn let_go(&mut self) -> Result<()> {
        match self.bound.take() {
            Some(bound) => {
                bound.function.unbind()?;
                bound.function.promise(NOBODY)
            }
            None => Ok(()),
        }
    }

    /// The controller of a case.
    fn function(&self, settings: &Settings) -> Function {
        let last = self.functions.len() - 1;
        self.functions[last.min(usize::from(settings.shadow))].clone()
    }

    /// Makes sure that a label's driver has the controller, set up like that.
    fn bind(&mut self, label: &str, settings: &Settings) -> Result<&Bound> {
        let same = |bound: &&Bound| bound.label == label && bound.settings == *settings;
        if !self.bound.as_ref().is_some_and(|bound| same(&bound)) {
            self.bind_anew(label, settings)?;
        }
        self.bound.as_ref().context("bound above")
    }

    fn bind_anew(&mut self, label: &str, settings: &Settings) -> Result<()> {
        let subject = find(label)?;
        self.let_go()?;
        self.set_parameters(subject, settings)?;
        let log = nvme_log::Place::now();
        let function = self.function(settings);
        function.promise(subject.driver)?;
        function.bind(subject.driver)?;
        let disk = wait_for_disk(&function)?;
        for (name, value) in &settings.queue {
            // A kernel may be without it.
            if disk.queue(name).is_none() {
                continue;
            }
            disk.set_queue(name, value).with_context(|| {
                format!(
                    "ring 0: {}: queue attribute {name} cannot be set to {value}",
                    disk.node().display()
                )
            })?;
        }
        self.bound = Some(Bound {
            label: label.to_string(),
            function,
            settings: settings.clone(),
            disk,
            told: log.since()?,
        });
        Ok(())
    }

    /// Sets a module's parameters: by their files where it has some, else by
    /// loading it anew.
    fn set_parameters(&mut self, subject: &Subject, settings: &Settings) -> Result<()> {
        let own = subject
            .parameters
            .iter()
            .map(|(name, value)| (*name, *value));
        let asked = settings.parameters.iter();
        let all: Vec<(&str, &str)> = asked
            .map(|(name, value)| (*name, value.as_str()))
            .chain(own)
            .collect();
        let folder = Path::new("/sys/module")
            .join(subject.module)
            .join("parameters");
        if all.iter().all(|(name, _)| folder.join(name).exists()) {
            for (name, value) in all {
                let file = folder.join(name);
                let old = fs::read_to_string(&file).unwrap_or_default();
                fs::write(&file, value).with_context(|| {
                    format!("ring 0: {}: {name} cannot be {value}", subject.name)
                })?;
                self.before.entry(file).or_insert(old);
            }
            return Ok(());
        }
        let words: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let line = words.join(" ");
        if self.parameters.get(subject.module) == Some(&line) {
            return Ok(());
        }
        let Some(file) = subject.file else {
            bail!(
                "ring 0: {} is built in and its parameters are fixed; build it as a module",
                subject.module
            );
        };
        if module::is_loaded(subject.module) {
            module::remove(subject.module).with_context(|| {
                format!("ring 0: {} does not unload; see lsmod", subject.module)
            })?;
        }
        self.parameters.remove(subject.module);
        module::insert(&self.modules.join(file), &line)?;
        self.parameters.insert(subject.module, line);
        // Its functions have moved.
        self.counter = None;
        Ok(())
    }

    /// User space takes the controller itself, from nobody, for each load.
    fn prepare_user(&mut self, label: &str, case: &Case, settings: Settings) -> Result<Prepared> {
        self.let_go()?;
        let log = nvme_log::Place::now();
        let mut values = match nvme_user::read_back(case, &self.function(&settings))? {
            Ok(values) => values,
            Err(why) => return Ok(Prepared::LeftOut(why)),
        };
        values.extend(log.since()?);
        self.prepared.insert(label.to_string(), settings);
        Ok(Prepared::Ready(values))
    }

    fn measure_user(&mut self, case: &Case, settings: &Settings) -> Result<Measured> {
        self.let_go()?;
        let function = self.function(settings);
        match case.operations {
            None => nvme_user::timed(case, &function),
            Some(short) => nvme_user::counted(case, short, &function, &mut self.counter, TIMES),
        }
    }

    fn read_back(&self, subject: &Subject) -> Result<BTreeMap<String, String>> {
        let bound = self
            .bound
            .as_ref()
            .context("read back before it is set up")?;
        let mut values = attributes::of_disk(&bound.disk);
        values.extend(bound.told.clone());
        values.extend(interrupts(&bound.function));
        let facts = environment::build_facts(&self.modules);
        let known = |fact: &str| {
            facts
                .get(fact)
                .map_or("unknown", String::as_str)
                .to_string()
        };
        let (compiler, overflow_checks) = match subject.file {
            Some(_) => (known("rustc"), known("overflow_checks")),
            None => {
                let version = fs::read_to_string("/proc/version").unwrap_or_default();
                (
                    environment::kernel_compiler(&version).to_string(),
                    "-".into(),
                )
            }
        };
        values.insert("compiler".into(), compiler);
        values.insert("overflow_checks".into(), overflow_checks);
        Ok(values)
    }
}

impl Workbench for NvmeBench {
    fn environment(&mut self) -> Result<BTreeMap<String, String>> {
        if fio::version().is_none() {
            bail!("ring 0: fio cannot be started; install the package fio");
        }
        let mut all = environment::read(&self.modules);
        let devices = self.functions.iter().map(|function| {
            let id = |name| function.attribute(name).unwrap_or_default();
            format!("{} {} {}", function.address(), id("vendor"), id("device"))
        });
        all.insert("nvme".into(), devices.collect::<Vec<_>>().join(", "));
        Ok(all)
    }

    fn load(&mut self, label: &str) -> Result<()> {
        let subject = find(label)?;
        self.take()?;
        if self.ours.contains(&subject.module) {
            return Ok(());
        }
        if module::is_loaded(subject.module) {
            ensure!(
                subject.file.is_none(),
                "ring 0: some {0} is loaded already; `rmmod {0}` first, so that it is known what \
                 is measured",
                subject.module
            );
            return Ok(());
        }
        let absent = |name: &&&'static str| !module::is_loaded(name);
        let ours: Vec<&'static str> = subject.modules.iter().filter(absent).copied().collect();
        match subject.file {
            Some(file) => module::insert(&self.modules.join(file), "")?,
            None => {
                // It knows all controllers, and may have the named ones only.
                let _by_name = ByName::only()?;
                module::probe(subject.module, &[])?;
                if subject == &USER {
                    module::probe(nvme_user::IOMMU_MODULE, &[])?;
                }
            }
        }
        self.ours.extend(ours);
        Ok(())
    }

    fn prepare(
        &mut self,
        label: &str,
        case: &Case,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Prepared> {
        let subject = find(label)?;
        let settings = Settings::of(case, overrides)?;
        if subject == &USER {
            return self.prepare_user(label, case, settings);
        }
        self.bind(label, &settings)?;
        self.prepared.insert(label.to_string(), settings);
        let mut values = self.read_back(subject)?;
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
            let subject = find(label)?;
            let Some(settings) = self.prepared.get(*label).cloned() else {
                bail!("ring 0: {label} is measured before it is set up");
            };
            taken(match case.operations {
                _ if subject == &USER => self.measure_user(case, &settings)?,
                None => {
                    let bound = self.bind(label, &settings)?;
                    sample::timed(case, &bound.disk.node(), DOORBELLS)?
                }
                Some(short) => {
                    self.bind(label, &settings)?;
                    let count = Count {
                        case,
                        short,
                        modules: subject.modules,
                        times: TIMES,
                        doorbells: DOORBELLS,
                    };
                    // It moves out meanwhile: setting a controller up needs the
                    // rest of the workbench.
                    let mut counter = self.counter.take();
                    let measured = count.sample(&mut counter, || {
                        self.bind_anew(label, &settings)?;
                        sleep(SETTLED);
                        let bound = self.bound.as_ref().context("bound above")?;
                        Ok(bound.disk.node())
                    });
                    self.counter = counter;
                    measured?
                }
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let mut first = self.let_go();
        for module in std::mem::take(&mut self.ours) {
            let removed = module::remove(module)
                .with_context(|| format!("ring 0: {module} does not unload; see lsmod"));
            first = first.and(removed);
        }
        for (file, value) in std::mem::take(&mut self.before) {
            if file.exists() {
                let restored = fs::write(&file, value.trim())
                    .with_context(|| format!("ring 0: {} cannot be restored", file.display()));
                first = first.and(restored);
            }
        }
        for (function, driver) in std::mem::take(&mut self.taken) {
            first = first.and(function.promise(""));
            if let Some(driver) = driver {
                first = first.and(function.bind(&driver));
            }
        }
        first
    }
}

impl Drop for NvmeBench {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// The subject of a label. None can delay.
fn find(label: &str) -> Result<&'static Subject> {
    let of = |parts: Label<'_>| match parts.control {
        Some(Control::Slow(_)) => None,
        _ => SUBJECTS
            .into_iter()
            .find(|known| known.name == parts.subject),
    };
    match Label::parse(label).and_then(of) {
        Some(subject) => Ok(subject),
        None => {
            let known = SUBJECTS.map(|subject| subject.name);
            bail!(
                "ring 0: nvme has no subject {label}; there are {}",
                known.join(", ")
            )
        }
    }
}

/// The controllers at these addresses, a comma between them, none of which may
/// have a disk that somebody uses.
fn pci_functions(addresses: &str) -> Result<Vec<Function>> {
    let one = |address: &str| -> Result<Function> {
        let function = Function::at(address)?;
        if function.attribute("class").as_deref() != Some(CLASS) {
            bail!("ring 0: {address} is no NVMe controller; `lspci -D` lists them");
        }
        for name in function.disks() {
            refuse_used(&name)?;
        }
        Ok(function)
    };
    addresses.split(',').map(one).collect()
}

/// Refuses a disk that somebody uses: mounted, swapped to, part of another one.
fn refuse_used(name: &str) -> Result<()> {
    let node = Path::new("/dev").join(name);
    let exclusively = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::EXCL.bits() as i32)
        .open(&node);
    match exclusively {
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => bail!(
            "ring 0: {} is in use; its contents would be lost, so name another controller by --pci",
            node.display()
        ),
        _ => Ok(()),
    }
}

/// Waits for the one disk of a controller that a driver has just got.
pub fn wait_for_disk(function: &Function) -> Result<Disk> {
    let start = Instant::now();
    loop {
        if let Some(name) = function.disks().first() {
            let disk = Disk::named(name);
            if disk.is_whole() {
                return Ok(disk);
            }
        }
        if start.elapsed() > UP {
            bail!(
                "ring 0: {} has no disk after {} seconds; the kernel log (dmesg) says why",
                function.address(),
                UP.as_secs()
            );
        }
        sleep(Duration::from_millis(5));
    }
}

/// How many interrupts a controller has, and on which processors those of its
/// queues may arrive; the first is that of the admin queue.
pub fn interrupts(function: &Function) -> BTreeMap<String, String> {
    let all = function.interrupts();
    let queues = if all.len() > 1 { &all[1..] } else { &all[..] };
    let affinity = queues.iter().map(|number| {
        let file = format!("/proc/irq/{number}/smp_affinity_list");
        let list = fs::read_to_string(file).unwrap_or_default();
        list.trim().to_string()
    });
    let affinity: Vec<String> = affinity.collect();
    BTreeMap::from([
        ("interrupts".to_string(), all.len().to_string()),
        ("interrupt_affinity".to_string(), affinity.join(" | ")),
    ])
}

#[cfg(test)]
mod tests {
    use ringfence_bench::case::{BlockLoad, Engine, Pattern, Workload};

    use super::*;

    fn settings(asked: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<Settings> {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let each = pairs.iter();
            each.map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        };
        let case = Case {
            driver: "nvme".into(),
            ring: 0,
            name: "x".into(),
            workload: Workload::Block(BlockLoad {
                pattern: Pattern::RandRead,
                block_size: 4096,
                depth: 1,
                jobs: 1,
                engine: Engine::IoUring,
            }),
            settings: map(asked),
            runtime_ms: 1,
            ramp_ms: 0,
            operations: None,
        };
        Settings::of(&case, &map(overrides))
    }

    #[test]
    fn settings_go_to_the_module_or_to_the_queue() {
        let all = settings(&[("poll_queues", "1")], &[("scheduler", "mq-deadline")]).unwrap();
        assert_eq!(all.parameters["poll_queues"], "1");
        assert_eq!(all.parameters["io_queue_depth"], "1024");
        assert_eq!(all.queue[0], ("scheduler", "mq-deadline".to_string()));
        let names: Vec<&str> = all.queue.iter().map(|(name, _)| *name).collect();
        assert!(names.contains(&"wbt_lat_usec") && !names.contains(&"write_cache"));
        let error = settings(&[("irqmode", "1")], &[]).unwrap_err().to_string();
        assert!(error.contains("no setting irqmode") && error.contains("poll_queues"));
    }

    #[test]
    fn a_label_without_a_driver_is_refused_with_those_that_there_are() {
        assert_eq!(find("c:again").unwrap().modules, ["nvme", "nvme_core"]);
        let error = find("rust:slow2").unwrap_err().to_string();
        assert!(error.contains("rust, c"), "{error}");
    }
}
