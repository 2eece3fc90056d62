//! The NVMe driver on controllers of QEMU's, which each test puts into the
//! machine in the shape that it needs.

pub mod commands;
pub mod errors;
pub mod removal;
pub mod shapes;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rustix::io::Errno;
use serde_json::{json, Value};

use super::super::device::Disk;
use super::super::module;
use super::super::monitor::Monitor;
use super::super::nvme::{self, Subject, CLASS};
use super::super::pci::{ByName, Function};
use super::load;

/// The slots that are empty.
const PORTS: [&str; 2] = ["port0", "port1"];

/// Bytes of a controller's medium.
const SIZE: u64 = 64 << 20;

/// A controller that came or went is seen after a tenth of a second or so.
const PLUGGED: Duration = Duration::from_secs(20);

/// How long a function that is shown may not be had yet.
const SHOWN: Duration = Duration::from_secs(1);

/// The machine, in which functions are given to drivers by these tests only.
pub struct Slots {
    monitor: Monitor,
    _by_name: ByName,
    /// What is in them.
    taken: Vec<Controller>,
}

/// A controller that was put in.
#[derive(Clone)]
pub struct Controller {
    id: String,
    /// As the kernel has it.
    pub function: Function,
    /// The file with its contents, shared with the host.
    medium: PathBuf,
}

impl Slots {
    /// Takes the machine over.
    pub fn new() -> Result<Slots> {
        Ok(Slots {
            monitor: Monitor::open()?,
            _by_name: ByName::only()?,
            taken: Vec::new(),
        })
    }

    /// Puts a controller of that shape into a slot: what differs from QEMU's
    /// defaults, by name.
    pub fn plug(&mut self, shape: Value) -> Result<Controller> {
        self.plug_over(shape, |file| file)
    }

    /// The same with a medium that is made of its file's.
    fn plug_over(
        &mut self,
        shape: Value,
        medium: impl FnOnce(Value) -> Value,
    ) -> Result<Controller> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let port = PORTS[number % PORTS.len()];
        let id = format!("test{number}");
        let path = PathBuf::from(format!("/lab/out/.{id}"));
        File::create(&path)
            .and_then(|file| file.set_len(SIZE))
            .with_context(|| format!("{} cannot be made", path.display()))?;
        let mut node = medium(json!({"driver": "file", "filename": path, "discard": "unmap"}));
        node["node-name"] = json!(id);
        self.monitor.execute("blockdev-add", node)?;
        let mut device =
            json!({"driver": "nvme", "id": id, "serial": id, "bus": port, "drive": id});
        for (name, value) in shape.as_object().into_iter().flatten() {
            device[name] = value.clone();
        }
        // A null stands for what is left out.
        if let Some(options) = device.as_object_mut() {
            options.retain(|_, value| !value.is_null());
        }
        let before = controllers();
        self.monitor.execute("device_add", device)?;
        let function = within(PLUGGED, "the controller does not appear", || {
            controllers().into_iter().find(|one| !before.contains(one))
        })?;
        let controller = Controller {
            id,
            function,
            medium: path,
        };
        self.taken.push(controller.clone());
        Ok(controller)
    }

    /// Takes it out, whoever has it.
    pub fn unplug(&mut self, controller: Controller) -> Result<()> {
        let Controller {
            id,
            function,
            medium,
        } = controller;
        self.taken.retain(|other| other.id != id);
        self.monitor.execute("device_del", json!({"id": id}))?;
        within(PLUGGED, "the controller does not go", || {
            (!controllers().contains(&function)).then_some(())
        })?;
        // QEMU's own end of it goes a little later.
        within(PLUGGED, "the medium stays in use", || {
            let node = json!({"node-name": id});
            self.monitor.execute("blockdev-del", node).ok()
        })?;
        fs::remove_file(&medium).with_context(|| medium.display().to_string())
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // A test that failed has left them.
        for controller in std::mem::take(&mut self.taken) {
            let _ = self.unplug(controller);
        }
    }
}

/// The controllers that the kernel sees.
fn controllers() -> Vec<Function> {
    let mut all = Function::all();
    all.retain(|function| function.attribute("class").as_deref() == Some(CLASS));
    all
}

/// The controller with two namespaces, which is there from the start.
pub fn with_two_namespaces() -> Result<Function> {
    let all = controllers().into_iter().find(|one| one.driver().is_none());
    all.context("no controller is free")
}

/// Waits until there is something.
fn within<T>(limit: Duration, trouble: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if start.elapsed() > limit {
            bail!("{trouble} within {} seconds", limit.as_secs());
        }
        sleep(Duration::from_millis(20));
    }
}

/// A driver, loaded until this is dropped.
pub struct Driver {
    subject: &'static Subject,
}

impl Driver {
    /// Loads it with these parameters.
    pub fn load(modules: &Path, parameters: &str) -> Result<Driver> {
        let subject = nvme::under_test(modules);
        ensure!(
            !module::is_loaded(subject.module),
            "{} is loaded already, a test before left it",
            subject.module
        );
        match subject.file {
            Some(file) => module::insert(&modules.join(file), parameters)?,
            None => {
                let words: Vec<&str> = parameters.split_whitespace().collect();
                module::probe(subject.module, &words)?;
            }
        }
        Ok(Driver { subject })
    }

    /// Gives it a controller.
    fn bind(&self, function: &Function) -> Result<()> {
        function.promise(self.subject.driver)?;
        let start = Instant::now();
        loop {
            // A function is shown a moment before drivers may have it.
            let Err(error) = function.bind(self.subject.driver) else {
                return Ok(());
            };
            let early = error.downcast_ref().and_then(io::Error::raw_os_error);
            if early != Some(Errno::NODEV.raw_os_error()) || start.elapsed() > SHOWN {
                return Err(error);
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Gives it a controller with a namespace; that one's disk.
    pub fn disk(&self, function: &Function) -> Result<Disk> {
        self.bind(function)?;
        nvme::wait_for_disk(function)
    }

    /// Unloads, and says if that fails.
    pub fn unload(self) -> Result<()> {
        let subject = self.subject;
        std::mem::forget(self);
        let loaded = subject
            .modules
            .iter()
            .filter(|name| module::is_loaded(name));
        loaded.copied().try_for_each(|name| {
            // What was open a moment ago may be let go of by a worker.
            let removed = || module::remove(name).ok();
            within(
                Duration::from_secs(5),
                &format!("{name} does not unload"),
                removed,
            )
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for name in self.subject.modules {
            let _ = module::remove(name);
        }
    }
}

/// Two jobs write, each to its part, and read back what they wrote.
fn verified(disk: &Disk, options: &[&str]) -> Result<()> {
    let block = disk.queue("logical_block_size").context("no block size")?;
    let job = load(
        disk,
        &[
            &[
                "--rw=randwrite",
                &format!("--bsrange={block}-128k"),
                &format!("--blockalign={block}"),
                "--iodepth=32",
                "--numjobs=2",
                "--size=6M",
                "--offset_increment=8M",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--do_verify=1",
            ],
            options,
        ]
        .concat(),
    )?;
    ensure!(
        job.write.total_ios > 100.0 && job.read.total_ios > 100.0,
        "too little was done"
    );
    Ok(())
}

/// How often interrupts of a controller's queues came, its first vector being
/// left out.
fn interrupts_of_queues(function: &Function) -> Result<u64> {
    let numbers = function.interrupts();
    let text = fs::read_to_string("/proc/interrupts").context("/proc/interrupts")?;
    let line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let number: u32 = name.trim().parse().ok()?;
        if !numbers.iter().skip(1).any(|one| *one == number) {
            return None;
        }
        let counts = rest
            .split_whitespace()
            .map_while(|word| word.parse::<u64>().ok());
        Some(counts.sum::<u64>())
    };
    Ok(text.lines().filter_map(line).sum())
}
