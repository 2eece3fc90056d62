//! The qtest protocol: a line of text for each access, and a line back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{bail, Context, Result};

/// How long QEMU may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The machine's buses; a handle to them.
#[derive(Clone)]
pub struct Bus(Arc<Mutex<Lines>>);

struct Lines {
    reader: BufReader<UnixStream>,
    line: String,
    /// QEMU did not answer, so it is gone.
    gone: bool,
}

impl Lines {
    fn ask(&mut self, command: &str) -> Result<u64> {
        self.line.clear();
        let stream = self.reader.get_mut();
        stream.write_all(command.as_bytes())?;
        stream.write_all(b"\n")?;
        self.reader.read_line(&mut self.line)?;
        let mut words = self.line.split_whitespace();
        if words.next() != Some("OK") {
            bail!("QEMU answers {:?} to {command:?}", self.line.trim());
        }
        let Some(value) = words.next() else {
            return Ok(0);
        };
        let digits = value.strip_prefix("0x").unwrap_or(value);
        u64::from_str_radix(digits, 16).with_context(|| format!("QEMU answers {value:?}"))
    }
}

impl Bus {
    pub(crate) fn new(stream: UnixStream) -> Result<Bus> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Bus(Arc::new(Mutex::new(Lines {
            reader: BufReader::new(stream),
            line: String::new(),
            gone: false,
        }))))
    }

    /// The answer to a command; all ones once the machine is gone, as a bus
    /// says where nobody answers.
    fn ask(&self, command: &str) -> u64 {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.gone {
            return u64::MAX;
        }
        lines.ask(command).unwrap_or_else(|_| {
            lines.gone = true;
            u64::MAX
        })
    }

    /// Whether the machine does not answer any more.
    pub fn is_gone(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).gone
    }

    /// Reads 32 bits of physical memory, a device's or RAM.
    pub fn read32(&self, address: u64) -> u32 {
        self.ask(&format!("readl {address:#x}")) as u32
    }

    /// Writes 32 bits of physical memory.
    pub fn write32(&self, address: u64, value: u32) {
        self.ask(&format!("writel {address:#x} {value:#x}"));
    }

    /// Reads 32 bits of an I/O port.
    pub fn in32(&self, port: u16) -> u32 {
        self.ask(&format!("inl {port:#x}")) as u32
    }

    /// Writes 32 bits to an I/O port.
    pub fn out32(&self, port: u16, value: u32) {
        self.ask(&format!("outl {port:#x} {value:#x}"));
    }
}
