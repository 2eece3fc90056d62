//! `ringfence nvme` on a controller that the stock driver has.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rustix::fs::OFlags;
use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;

use crate::guest::device::Disk;
use crate::guest::module;
use crate::guest::pci::Function;
use crate::guest::tests::nvme::with_two_namespaces;

/// The stock driver, and that of user space.
const STOCK: &str = "nvme";
const VFIO: &str = "vfio-pci";
/// Bytes of a logical block of namespace 1, and of the namespace.
const BLOCK: u64 = 512;
const SIZE: u64 = 64 << 20;
/// Nothing here takes longer, even under TCG.
const LIMIT: Duration = Duration::from_secs(60);

/// The controller with two namespaces, which the stock driver has.
struct Controller {
    function: Function,
    /// Its `driver_override`.
    promised: Option<String>,
    /// Whether the stock driver was there before.
    loaded: bool,
}

impl Controller {
    fn new() -> Result<Controller> {
        let function = with_two_namespaces()?;
        function.promise("")?;
        let promised = function.attribute("driver_override");
        let loaded = module::is_loaded(STOCK);
        module::probe(STOCK, &[])?;
        let controller = Controller {
            function,
            promised,
            loaded,
        };
        controller.disk()?;
        Ok(controller)
    }

    /// The disk that the stock driver makes of its first namespace. Names follow
    /// the order in which namespaces were found, which is no fixed one.
    fn disk(&self) -> Result<Disk> {
        let driver = self.function.driver();
        ensure!(
            driver.as_deref() == Some(STOCK),
            "it has the driver {driver:?}, where {STOCK} is wanted"
        );
        let overridden = self.function.attribute("driver_override");
        ensure!(
            overridden == self.promised,
            "its driver_override was left as {overridden:?}"
        );
        let start = Instant::now();
        loop {
            let disks = self.function.disks();
            let mut disks = disks.iter().map(|name| Disk::named(name));
            let first = |disk: &Disk| disk.attribute("nsid").as_deref() == Some("1");
            match disks.find(first) {
                Some(disk) if disk.node().exists() => return Ok(disk),
                _ => ensure!(start.elapsed() < LIMIT, "namespace 1 has no disk"),
            }
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.function.unbind();
        if !self.loaded {
            let _ = module::remove(STOCK);
            let _ = module::remove("nvme_core");
        }
    }
}

/// `ringfence nvme`, with these words.
fn command(words: &[&str]) -> Result<Command> {
    let program = std::env::current_exe().context("this program's own path is unknown")?;
    let mut command = Command::new(program);
    command.arg("nvme").args(words);
    Ok(command)
}

impl Controller {
    /// The same about this controller.
    fn command(&self, words: &[&str]) -> Result<Command> {
        command(&[words, &["--pci", self.function.address()]].concat())
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        self.command(words)?.output().context("ringfence nvme")
    }

    /// What it prints, if all is well.
    fn nvme(&self, words: &[&str]) -> Result<Vec<u8>> {
        let output = self.run(words)?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "nvme {words:?}: {}", text.trim());
        Ok(output.stdout)
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        serde_json::from_slice(&self.nvme(words)?).with_context(|| format!("nvme {words:?}"))
    }

    /// What is listed of it.
    fn listed(&self) -> Result<Value> {
        let output = command(&["list", "--json"])?.output()?;
        let all: Value = serde_json::from_slice(&output.stdout).context("nvme list")?;
        let found = all.as_array().and_then(|all| {
            let mut all = all.iter();
            all.find(|one| one["address"] == self.function.address())
                .cloned()
        });
        found.context("it is not listed")
    }
}

pub fn identify() -> Result<()> {
    let controller = Controller::new()?;
    let before = controller.listed()?;
    ensure!(
        before["driver"] == STOCK && before["disks"][0]["bytes"] == SIZE,
        "it is listed as {before}"
    );
    let identity = controller.json(&["identify", "--json"])?;
    ensure!(
        identity["serial"] == "two" && identity["model"] == before["model"],
        "it says that it is {identity}"
    );
    let [first, second] = [0, 1].map(|at| &identity["namespaces"][at]);
    ensure!(
        first["blocks"] == SIZE / BLOCK && second["block_size"] == 4096,
        "its namespaces are {}",
        identity["namespaces"]
    );
    controller.disk()?;
    let health = controller.json(&["smart", "--json"])?;
    ensure!(
        health["temperature_celsius"]
            .as_i64()
            .is_some_and(|celsius| celsius > 0),
        "its health is {health}"
    );
    controller.disk()?;
    Ok(())
}

/// Bytes that differ from block to block and from seed to seed.
fn pattern(seed: u64, length: u64) -> Vec<u8> {
    let word = |at: u64| (at / 8 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (at % 8 * 8);
    (0..length).map(|at| word(at) as u8).collect()
}

pub fn data() -> Result<()> {
    let controller = Controller::new()?;
    let (file, block, count) = ("/tmp/user-space", 1000, 5000);
    let there = ["--block", "1000", "--count", "5000"];
    let words = |first: &'static str| [&[first][..], &there, &[file]].concat();
    // User space writes, the kernel reads.
    let bytes = pattern(1, count * BLOCK);
    fs::write(file, &bytes).context(file)?;
    let refused = controller.run(&words("write"))?;
    ensure!(refused.status.code() == Some(2), "it wrote without --yes");
    controller.nvme(&[&words("write")[..], &["--yes"]].concat())?;
    let mut back = vec![0; bytes.len()];
    let node = controller.disk()?.node();
    let disk = File::open(&node).context("the disk")?;
    disk.read_exact_at(&mut back, block * BLOCK)?;
    ensure!(
        back == bytes,
        "the kernel reads other bytes than were written"
    );
    drop(disk);
    // The kernel writes, user space reads.
    let bytes = pattern(2, count * BLOCK);
    let disk = OpenOptions::new()
        .write(true)
        .open(&node)
        .context("the disk")?;
    disk.write_all_at(&bytes, block * BLOCK)?;
    disk.sync_all()?;
    drop(disk);
    controller.nvme(&words("read"))?;
    ensure!(
        fs::read(file)? == bytes,
        "user space reads other bytes than were written"
    );
    // Another namespace, with blocks of another size, from and to pipes.
    let bytes = pattern(3, 3 * 4096);
    let mut child = controller
        .command(&[
            "write",
            "--namespace",
            "3",
            "--block",
            "7",
            "--count",
            "3",
            "--yes",
        ])?
        .stdin(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("piped")?.write_all(&bytes)?;
    ensure!(child.wait()?.success(), "a write from a pipe failed");
    let read = controller.nvme(&["read", "--namespace", "3", "--block", "7", "--count", "3"])?;
    ensure!(read == bytes, "a pipe got other bytes than were written");
    controller.disk()?;
    Ok(())
}

pub fn in_use() -> Result<()> {
    let controller = Controller::new()?;
    let node = controller.disk()?.node();
    let _holder = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::EXCL.bits() as i32)
        .open(&node)?;
    for words in [&["identify"][..], &["read", "--block", "0", "--count", "1"]] {
        let output = controller.run(words)?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && text.contains("in use"),
            "{words:?} is not refused: {text}"
        );
    }
    // Nothing was touched: it is the same disk.
    ensure!(controller.disk()?.node() == node, "it has another disk");
    Ok(())
}

/// Waits for something of a child that should run meanwhile.
fn until(what: &str, child: &mut Child, mut there: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !there() {
        if let Some(status) = child.try_wait()? {
            bail!("it ended with {status} before {what}");
        }
        ensure!(start.elapsed() < LIMIT, "no {what} after {LIMIT:?}");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

pub fn interrupted() -> Result<()> {
    let controller = Controller::new()?;
    for signal in [Signal::INT, Signal::TERM] {
        let count = (SIZE / BLOCK).to_string();
        let mut child = controller
            .command(&["read", "--block", "0", "--count", &count])?
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Nobody reads the rest, so that it cannot end by itself.
        let mut first = [0; 4096];
        let mut stdout = child.stdout.take().context("piped")?;
        stdout.read_exact(&mut first).context("it reads nothing")?;
        let taken = || controller.function.driver().as_deref() == Some(VFIO);
        until("user space has the controller", &mut child, taken)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child has an id")?, signal)?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            ensure!(start.elapsed() < LIMIT, "{signal:?} does not end it");
            sleep(Duration::from_millis(20));
        };
        ensure!(status.code() == Some(130), "it ended with {status}");
        let node = controller.disk()?.node();
        let mut block = [1; BLOCK as usize];
        File::open(Path::new(&node))?.read_exact(&mut block)?;
    }
    Ok(())
}
