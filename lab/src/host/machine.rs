//! The VM: QEMU's command line, and one boot of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::cache::Cache;
use super::devices::Devices;
use super::plugin::PLUGIN;
use super::root;
use crate::COUNTS;

/// Folders of past boots that are kept for reading.
const KEPT_RUNS: usize = 40;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The host's processor.
    Kvm,
    /// QEMU's translator: instruction counts mean something, times little.
    Tcg,
}

impl Accelerator {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        }
    }

    /// The processor shown to the guest. Under TCG it is pinned, since it
    /// selects code paths in kernel and fio, to one that TCG knows wholly
    /// once `misalignsse` is off. It is one that Meltdown spares: page table
    /// isolation flushes TCG's translations at every system call, which made
    /// each operation five times as long and hid the drivers.
    fn cpu(self) -> &'static str {
        match self {
            Accelerator::Kvm => "host",
            Accelerator::Tcg => "Opteron_G3,misalignsse=off",
        }
    }
}

/// A VM whose instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// One processor, whose clock is its instructions: as many timer ticks
    /// fall into an operation on a slow host as on a fast one.
    One,
    /// The same, and a second one that is never started, so that a disk may
    /// have two queues.
    OneOfTwo,
    /// Two, for loads that need two; QEMU counts no time in instructions there
    /// with a plugin ("Bad icount read" in 10.0), so ticks follow the host.
    Two,
}

/// Kernel parameters of a VM that counts: no threads that merge huge pages,
/// gather statistics, look for lockups or sample accesses meanwhile, and user
/// space at the same addresses in every process.
const QUIET: &str = " transparent_hugepage=never sysctl.vm.stat_interval=3600 \
                     nowatchdog damon_stat.enabled=0 norandmaps ringfence.count=1";
/// Leaves all processors but the first as they are.
const ONE: &str = " maxcpus=1";

/// What the guest does after its boot; see `init.sh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Runs the agent on the line to the host.
    Agent,
    /// Runs the guest tests.
    Tests,
    /// Runs the script `command` of the boot's folder.
    Command,
    /// A shell on the line.
    Shell,
    /// Nothing: it boots, and powers off.
    Probe,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Agent => "agent",
            Mode::Tests => "tests",
            Mode::Command => "command",
            Mode::Shell => "shell",
            Mode::Probe => "probe",
        }
    }
}

/// One boot's folder in the root.
pub struct Run {
    /// Its name.
    pub id: String,
    /// On the host.
    pub folder: PathBuf,
    status: PathBuf,
}

impl Run {
    /// Makes a folder with a new name, and removes the oldest ones.
    pub fn new(cache: &Cache, label: &str) -> Result<Run> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let all = cache.lab().join("run");
        let mut old: Vec<PathBuf> = fs::read_dir(&all)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        // Names begin with the time.
        old.sort();
        for path in old.iter().rev().skip(KEPT_RUNS - 1) {
            let _ = fs::remove_dir_all(path);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_millis());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{now}-{count}-{label}");
        let folder = all.join(&id);
        fs::create_dir_all(&folder)
            .with_context(|| format!("vm: {} cannot be made", folder.display()))?;
        let status = cache.lab().join(format!("out/.status-{id}"));
        Ok(Run { id, folder, status })
    }

    /// What the guest wrote to its console.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// The exit status that the guest's init handed back; `None` if the guest
    /// never came that far.
    pub fn status(&self) -> Option<i32> {
        let text = fs::read_to_string(&self.status).ok();
        let _ = fs::remove_file(&self.status);
        text?.trim().parse().ok()
    }

    /// What QEMU itself said last, in brackets; nothing if it said nothing.
    pub fn complaint(&self) -> String {
        let text = fs::read_to_string(self.folder.join("qemu.log")).unwrap_or_default();
        match text.lines().last() {
            Some(line) => format!(" (QEMU: {line})"),
            None => String::new(),
        }
    }

    /// The last lines of the console, for errors.
    pub fn last_lines(&self) -> String {
        let text = fs::read(self.console()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        // A panic is followed by a long trace; what led to it matters more.
        let end = lines
            .iter()
            .position(|line| line.contains("Kernel panic"))
            .map_or(lines.len(), |at| at + 1);
        let last = &lines[end.saturating_sub(6)..end];
        if last.is_empty() {
            return "its console is empty".to_string();
        }
        format!("its console ended with:\n    {}", last.join("\n    "))
    }
}

/// A VM of one lab.
pub struct Machine<'a> {
    /// Whose root it boots.
    pub cache: &'a Cache,
    /// What executes it.
    pub accelerator: Accelerator,
    /// What its instructions are counted with, which only TCG can.
    pub count: Option<Count>,
    /// Its PCI devices.
    pub devices: Devices,
}

impl Machine<'_> {
    /// QEMU's arguments for one boot; `extra` goes to the kernel.
    pub fn arguments(&self, mode: Mode, run: &str, extra: &str) -> Vec<String> {
        let accelerator = match self.accelerator {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg if self.counts_time() => "tcg,thread=single",
            Accelerator::Tcg => "tcg,thread=multi",
        };
        let processors = match self.count {
            Some(Count::One) => "1",
            _ => "2",
        };
        // panic=-1 with -no-reboot turns a panic into QEMU's end. KASLR stays
        // on: layouts are part of what differs between boots.
        // What kernel threads do now and then, and where fio's libraries lie,
        // is no cost of an operation.
        let quiet = match self.count {
            Some(Count::OneOfTwo) => [ONE, QUIET].concat(),
            Some(Count::One | Count::Two) => QUIET.into(),
            None => String::new(),
        };
        let append = format!(
            "console=ttyS0 loglevel=5 panic=-1{quiet} ringfence.mode={} ringfence.run={run}{}{extra}",
            mode.name(),
            self.devices.parameters()
        );
        let console = format!("file:/lab/run/{run}/console.log");
        let share = |path: &str, tag: &str, flags: &str| {
            format!("local,path={path},mount_tag={tag},security_model=none,multidevs=remap{flags}")
        };
        let mut all = [
            "-machine",
            self.devices.board(self.accelerator),
            "-accel",
            accelerator,
            "-cpu",
            self.accelerator.cpu(),
            "-smp",
            processors,
            "-m",
            "2G",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-kernel",
            "/lab/boot/vmlinuz",
            "-initrd",
            "/lab/boot/initramfs",
            "-append",
            &append,
            "-virtfs",
            &share("/", "root", ",readonly=on"),
            "-virtfs",
            &share("/lab/out", "out", ""),
            "-serial",
            &console,
            "-chardev",
            "stdio,id=line,signal=off",
            "-serial",
            "chardev:line",
        ]
        .map(str::to_string)
        .to_vec();
        if self.counts_time() {
            all.extend(["-icount", "shift=0,sleep=on"].map(str::to_string));
        }
        all.extend(self.devices.arguments());
        if self.count.is_some() {
            all.push("-plugin".into());
            all.push(format!("file={PLUGIN},out={COUNTS}"));
        }
        all
    }

    /// Whether instructions are the VM's clock.
    fn counts_time(&self) -> bool {
        matches!(self.count, Some(Count::One | Count::OneOfTwo))
    }

    /// QEMU and what starts it.
    ///
    /// Where requests of a controller are counted, QEMU has one processor of
    /// the host's, and its main loop, which is the controller, goes before the
    /// guest's processors there. So a request whose doorbell rings is completed
    /// before the guest's next instruction, and how often the guest is
    /// interrupted, goes idle or asks in vain is no chance of the host's.
    fn program(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.count.is_some() && self.devices == Devices::Nvme {
            let first = first_processor().to_string();
            let before = [
                "taskset",
                "-c",
                &first,
                "chrt",
                "--reset-on-fork",
                "--fifo",
                "1",
            ];
            all.extend(before.map(str::to_string));
        }
        all.push("qemu-system-x86_64".into());
        all
    }

    /// QEMU for one boot, not started.
    pub fn command(&self, mode: Mode, run: &Run, extra: &str) -> Command {
        let program = self.program();
        let mut command = root::command(self.cache, &program[0]);
        command.args(&program[1..]);
        command.args(self.arguments(mode, &run.id, extra));
        command
    }

    /// Starts a boot with the line to the guest in pipes. What QEMU itself
    /// complains of goes to `qemu.log` beside the console.
    pub fn start(&self, mode: Mode, run: &Run) -> Result<Child> {
        let log = fs::File::create(run.folder.join("qemu.log"))
            .with_context(|| format!("vm: {} cannot be written", run.folder.display()))?;
        self.devices.make(self.cache)?;
        self.command(mode, run, "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("vm: QEMU cannot be started")
    }

    /// What results say of this machine and its host.
    pub fn describe(&self) -> Result<BTreeMap<String, String>> {
        let version = root::output(self.cache, "qemu-system-x86_64", &["--version"])?;
        let mut command = self.program();
        command.extend(self.arguments(Mode::Agent, "ID", ""));
        let shown: Vec<String> = command.into_iter().map(quoted).collect();
        let mut all = host();
        all.insert("accelerator".into(), self.accelerator.name().into());
        all.insert("qemu".into(), version.lines().next().unwrap_or("").into());
        all.insert("command".into(), shown.join(" "));
        all.insert("cpu".into(), self.accelerator.cpu().into());
        Ok(all)
    }
}

/// What is known of the host.
fn host() -> BTreeMap<String, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let release = read("/proc/sys/kernel/osrelease");
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    BTreeMap::from([
        ("host_kernel".to_string(), release.trim().to_string()),
        ("host_cpu".to_string(), model.trim().to_string()),
        ("host_cpus".to_string(), cpus.to_string()),
    ])
}

/// The first processor of the host that this process may use.
fn first_processor() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = list.and_then(|list| list.trim().split(['-', ',']).next()?.parse().ok());
    first.unwrap_or(0)
}

fn quoted(argument: String) -> String {
    if argument.contains(' ') {
        format!("'{argument}'")
    } else {
        argument
    }
}

/// Removes what a killed boot may have left in the guest's output folder.
pub fn forget_status(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(".status-") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcg_pins_the_processor_and_leaves_kaslr_on() {
        let cache = Cache::find(Some(Path::new("/tmp/none"))).unwrap();
        let machine = Machine {
            cache: &cache,
            accelerator: Accelerator::Tcg,
            count: None,
            devices: Devices::None,
        };
        let line = machine.arguments(Mode::Agent, "7", "").join(" ");
        assert!(line.contains("-cpu Opteron_G3") && line.contains("-accel tcg,thread=multi"));
        assert!(line.contains("ringfence.mode=agent ringfence.run=7"));
        assert!(!line.contains("nokaslr") && !line.contains("plugin") && !line.contains("edu"));
    }

    #[test]
    fn a_vm_that_counts_has_the_plugin_and_one_processor_a_clock_of_instructions() {
        let cache = Cache::find(Some(Path::new("/tmp/none"))).unwrap();
        let line = |count| {
            let machine = Machine {
                cache: &cache,
                accelerator: Accelerator::Tcg,
                count: Some(count),
                devices: Devices::Operations,
            };
            machine.arguments(Mode::Agent, "7", "").join(" ")
        };
        for (count, processors, clock) in [
            (Count::One, "-smp 1 ", true),
            (Count::OneOfTwo, "-smp 2 ", true),
            (Count::Two, "-smp 2 ", false),
        ] {
            let line = line(count);
            assert!(line.contains(processors), "{line}");
            assert_eq!(line.contains(" maxcpus=1 "), count == Count::OneOfTwo);
            assert_eq!(line.contains("-icount shift=0"), clock);
            assert_eq!(line.matches("-device edu").count(), 3);
            assert!(line.contains(&format!("-plugin file={PLUGIN},out={COUNTS}")));
            assert!(!line.contains("nokaslr") && line.contains(" norandmaps "));
        }
    }

    #[test]
    fn where_a_controllers_requests_are_counted_it_goes_before_the_guest() {
        let cache = Cache::find(Some(Path::new("/tmp/none"))).unwrap();
        let machine = |count, devices| Machine {
            cache: &cache,
            accelerator: Accelerator::Tcg,
            count,
            devices,
        };
        let counting = machine(Some(Count::One), Devices::Nvme);
        assert!(counting
            .program()
            .join(" ")
            .contains("chrt --reset-on-fork --fifo 1 qemu"));
        let line = counting.arguments(Mode::Agent, "7", "").join(" ");
        assert!(
            line.contains(" -device nvme,")
                && line.contains(" ringfence.pci=0000:00:10.0,0000:00:11.0")
        );
        for other in [
            machine(None, Devices::Nvme),
            machine(Some(Count::One), Devices::Operations),
        ] {
            assert_eq!(other.program(), ["qemu-system-x86_64"]);
        }
        let tests = machine(None, Devices::Tests)
            .arguments(Mode::Tests, "7", "")
            .join(" ");
        assert!(tests.contains("-device edu") && tests.contains("-device pcie-root-port,id=port1"));
        assert!(tests.contains("-mon chardev=monitor") && !tests.contains("ringfence.pci"));
    }

    #[test]
    fn the_console_of_a_dead_boot_is_quoted_in_part() {
        let folder = std::env::temp_dir().join(format!("ringfence-run-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let run = Run {
            id: "x".into(),
            status: folder.join("status"),
            folder: folder.clone(),
        };
        assert_eq!(run.last_lines(), "its console is empty");
        let text: String = (0..20).map(|n| format!("line {n}\r\n\r\n")).collect();
        fs::write(run.console(), text).unwrap();
        assert!(run.last_lines().ends_with("line 18\n    line 19"));
        assert!(!run.last_lines().contains("line 13"));
        fs::write(run.console(), "why\n[ 1.0] Kernel panic - x\ntrace\n").unwrap();
        assert!(run
            .last_lines()
            .ends_with("why\n    [ 1.0] Kernel panic - x"));
        fs::remove_dir_all(folder).unwrap();
    }
}
