//! QEMU's monitor, which a VM for tests has at its third serial port: by it the
//! guest changes the machine that it runs on.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use rustix::termios::{self, OptionalActions, SpecialCodeIndex};
use serde_json::{json, Value};

/// The guest's end of the line.
const LINE: &str = "/dev/ttyS2";

/// QEMU answers at once, if it is not busy with something else.
const LIMIT: Duration = Duration::from_secs(30);

/// What is no JSON makes QEMU forget what it has read so far: before this end
/// listened, the line sent QEMU's own greeting back to it, or a part of it.
const RESET: u8 = 0xff;

/// Until the first answer.
const GREETING: Duration = Duration::from_secs(2);
const GREETINGS: usize = 10;

/// A connection to it.
pub struct Monitor {
    line: File,
    read: Vec<u8>,
    number: u64,
}

impl Monitor {
    /// Connects.
    pub fn open() -> Result<Monitor> {
        let line = OpenOptions::new()
            .read(true)
            .write(true)
            .open(LINE)
            .with_context(|| format!("{LINE} cannot be opened"))?;
        let mut settings = termios::tcgetattr(&line).context(LINE)?;
        settings.make_raw();
        // A read ends after a tenth of a second with what there is.
        settings.special_codes[SpecialCodeIndex::VMIN] = 0;
        settings.special_codes[SpecialCodeIndex::VTIME] = 1;
        termios::tcsetattr(&line, OptionalActions::Flush, &settings).context(LINE)?;
        let mut monitor = Monitor {
            line,
            read: Vec::new(),
            number: 0,
        };
        for _ in 0..GREETINGS {
            monitor.line.write_all(&[RESET]).context(LINE)?;
            // The second time it is an error, which is an answer as well.
            if let Some(_answer) = monitor.ask("qmp_capabilities", json!({}), GREETING)? {
                return Ok(monitor);
            }
        }
        bail!("QEMU's monitor does not answer at {LINE}")
    }

    /// Has a command executed; what it returns.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let Some(answer) = self.ask(command, arguments, LIMIT)? else {
            bail!(
                "QEMU has not answered {command} in {} seconds",
                LIMIT.as_secs()
            );
        };
        match answer.get("error") {
            Some(error) => bail!("QEMU: {command}: {}", error["desc"]),
            None => Ok(answer["return"].clone()),
        }
    }

    fn ask(&mut self, command: &str, arguments: Value, limit: Duration) -> Result<Option<Value>> {
        self.number += 1;
        let mut text = json!({"execute": command, "id": self.number});
        if arguments
            .as_object()
            .is_some_and(|object| !object.is_empty())
        {
            text["arguments"] = arguments;
        }
        writeln!(self.line, "{text}").context(LINE)?;
        let start = Instant::now();
        while start.elapsed() < limit {
            for line in self.lines()? {
                let Ok(value) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if value["id"] == json!(self.number) {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    /// Whole lines that have come.
    fn lines(&mut self) -> Result<Vec<String>> {
        let mut buffer = [0; 4096];
        let length = self.line.read(&mut buffer).context(LINE)?;
        self.read.extend_from_slice(&buffer[..length]);
        let mut lines = Vec::new();
        while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.read.drain(..=end).collect();
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        Ok(lines)
    }
}
