//! A machine: a QEMU process, its memory in a file, and its sockets.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use tempfile::TempDir;

use crate::socket::Bus;

/// Bytes of RAM, which begins at address 0.
pub const MEMORY: u64 = 64 << 20;

/// How long QEMU may take to start, and to do what it is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// The port by which the ACPI hot plug of QEMU's `pc` lets a slot of bus 0 go
/// (docs/specs/acpi_pci_hotplug.rst).
const EJECT: u16 = 0xae08;

/// The QEMU that `RINGFENCE_QEMU` names, else `qemu-system-x86_64`, if there is
/// one.
///
/// # Errors
///
/// If the variable names what cannot be run: who sets it wants it.
pub fn program() -> Result<Option<PathBuf>> {
    let named = std::env::var_os("RINGFENCE_QEMU");
    let path = PathBuf::from(named.clone().unwrap_or_else(|| "qemu-system-x86_64".into()));
    let runs = Command::new(&path)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    match runs {
        Ok(status) if status.success() => Ok(Some(path)),
        _ if named.is_some() => bail!(
            "RINGFENCE_QEMU: {} cannot be run; install qemu-system-x86, or unset it to skip",
            path.display()
        ),
        _ => Ok(None),
    }
}

/// A QEMU machine without a guest, until this is dropped.
pub struct Machine {
    child: Child,
    bus: Bus,
    control: Control,
    memory: File,
    folder: TempDir,
}

impl Machine {
    /// Starts a `pc` with these further arguments. In them, `FOLDER` stands for
    /// a folder of its own, in which `prepare` may put files first.
    ///
    /// # Errors
    ///
    /// If it does not start, with what QEMU says.
    pub fn start(
        program: &Path,
        arguments: &[String],
        prepare: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<Machine> {
        let folder = TempDir::new().context("a folder for a QEMU machine cannot be made")?;
        let path = folder.path();
        // Halts at once and for good.
        fs::write(path.join("bios"), [0xf4; 65536])?;
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path.join("ram"))?;
        memory.set_len(MEMORY)?;
        prepare(path)?;
        let (qtest, control) = (listen(path, "qtest")?, listen(path, "control")?);
        let own = [
            "-nodefaults -no-user-config -display none -m 64M",
            "-machine pc,accel=tcg,memory-backend=ram -bios FOLDER/bios",
            "-object memory-backend-file,id=ram,size=64M,mem-path=FOLDER/ram,share=on",
            "-qtest unix:FOLDER/qtest -qtest-log /dev/null",
            "-qmp unix:FOLDER/control",
        ];
        let own = own
            .iter()
            .flat_map(|line| line.split(' '))
            .map(str::to_owned);
        let named = path.to_string_lossy();
        let all = own.chain(arguments.iter().cloned());
        let mut child = Command::new(program)
            .args(all.map(|argument| argument.replace("FOLDER", &named)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path.join("log"))?)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let connected = connect(&mut child, &qtest, &control);
        let (bus, control) = connected.map_err(|error| {
            let _ = child.kill();
            let _ = child.wait();
            let log = fs::read_to_string(path.join("log")).unwrap_or_default();
            error.context(format!("QEMU says {:?}", log.trim()))
        })?;
        Ok(Machine {
            child,
            bus,
            control,
            memory,
            folder,
        })
    }

    /// Its buses.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Its RAM, [`MEMORY`] bytes.
    pub fn memory(&self) -> &File {
        &self.memory
    }

    /// The folder of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Takes a device out of its slot of bus 0, as a guest lets it go.
    ///
    /// # Errors
    ///
    /// If QEMU does not say that it is out.
    pub fn unplug(&mut self, identifier: &str, slot: u8) -> Result<()> {
        let arguments = format!(",\"arguments\":{{\"id\":\"{identifier}\"}}");
        self.control.tell("device_del", &arguments)?;
        self.bus.out32(EJECT, 1 << slot);
        self.control.wait_for("DEVICE_DELETED")
    }

    /// Ends the process, and with it every device.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// QEMU's control socket (QMP): a line of JSON for each command and event.
struct Control(BufReader<UnixStream>);

impl Control {
    /// Has a command done.
    fn tell(&mut self, command: &str, arguments: &str) -> Result<()> {
        let line = format!("{{\"execute\":\"{command}\"{arguments}}}\n");
        self.0.get_mut().write_all(line.as_bytes())?;
        self.wait_for("\"return\"")
    }

    /// Reads what QEMU says until a line has that word.
    fn wait_for(&mut self, word: &str) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            read.with_context(|| format!("QEMU does not say {word}"))?;
            if line.contains("\"error\"") || line.is_empty() {
                bail!("QEMU says {:?} instead of {word}", line.trim());
            }
            if line.contains(word) {
                return Ok(());
            }
        }
        bail!("QEMU does not say {word}")
    }
}

/// Both sockets of a QEMU that has just been started, once it is ready.
fn connect(
    child: &mut Child,
    qtest: &UnixListener,
    control: &UnixListener,
) -> Result<(Bus, Control)> {
    let bus = Bus::new(accept(qtest, child)?)?;
    let stream = accept(control, child)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut control = Control(BufReader::new(stream));
    control.wait_for("\"QMP\"")?;
    control.tell("qmp_capabilities", "")?;
    Ok((bus, control))
}

fn listen(folder: &Path, name: &str) -> Result<UnixListener> {
    let path = folder.join(name);
    let listener = UnixListener::bind(&path);
    let listener = listener.with_context(|| format!("{} cannot be made", path.display()))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// QEMU at the other end of a socket.
fn accept(listener: &UnixListener, child: &mut Child) -> Result<UnixStream> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            bail!("QEMU ended: {status}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("QEMU does not connect")
}
