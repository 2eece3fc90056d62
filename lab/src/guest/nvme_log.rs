//! What the VM's controllers tell of their set-up: QEMU's trace events, in a
//! file that the guest sees. No driver says whether it told the controller of
//! doorbells in memory, or how it made its queues; this is the other end's word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

use crate::NVME_LOG;

/// Where the log ended at some time.
pub struct Place(Option<usize>);

impl Place {
    /// Where it ends now; nowhere outside of a VM that has one.
    pub fn now() -> Place {
        Place(fs::metadata(NVME_LOG).ok().map(|file| file.len() as usize))
    }

    /// What was told since then, as attributes; nothing if there is no log.
    pub fn since(&self) -> Result<BTreeMap<String, String>> {
        Ok(match self.text()? {
            Some(text) => attributes(&text),
            None => BTreeMap::new(),
        })
    }

    /// The text that was told since then; `None` if there is no log.
    pub fn text(&self) -> Result<Option<String>> {
        let Some(from) = self.0 else {
            return Ok(None);
        };
        let text =
            fs::read(NVME_LOG).with_context(|| format!("ring 0: {NVME_LOG} cannot be read"))?;
        let text = String::from_utf8_lossy(text.get(from..).unwrap_or_default());
        Ok(Some(text.into_owned()))
    }
}

/// Entries of the queues for I/O, how many there are, how many of those never
/// interrupt, and whether doorbells are in memory.
fn attributes(log: &str) -> BTreeMap<String, String> {
    let events = |name: &'static str| log.lines().filter(move |line| line.contains(name));
    let entries: BTreeSet<u64> = events("pci_nvme_create_sq")
        .filter_map(|line| Some(number(line, "qsize")? + 1))
        .collect();
    let entries: Vec<String> = entries.iter().map(u64::to_string).collect();
    let polled = events("pci_nvme_create_cq").filter(|line| number(line, "ien") == Some(0));
    let shadow = events("pci_nvme_dbbuf_config").next().is_some();
    BTreeMap::from(
        [
            ("queue_entries", entries.join(", ")),
            (
                "queue_pairs",
                events("pci_nvme_create_sq").count().to_string(),
            ),
            ("poll_queues", polled.count().to_string()),
            ("shadow_doorbells", u8::from(shadow).to_string()),
        ]
        .map(|(name, value)| (name.to_string(), value)),
    )
}

/// The number after a name and an equals sign.
fn number(line: &str, name: &str) -> Option<u64> {
    let (_, rest) = line.split_once(&format!(" {name}="))?;
    rest.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_and_doorbells_are_read_from_the_controllers_words() {
        let log = "\
pci_nvme_create_cq create completion queue, addr=0x2e84000, cqid=1, vector=1, qsize=1023, qflags=3, ien=1
pci_nvme_create_sq create submission queue, addr=0x30b0000, sqid=1, cqid=1, qsize=1023, qflags=1
pci_nvme_create_cq create completion queue, addr=0x33e8000, cqid=2, vector=0, qsize=1023, qflags=1, ien=0
pci_nvme_create_sq create submission queue, addr=0x3360000, sqid=2, cqid=2, qsize=1023, qflags=1
";
        let read = |log: &str| {
            let all = attributes(log);
            [
                "queue_entries",
                "queue_pairs",
                "poll_queues",
                "shadow_doorbells",
            ]
            .map(|name| all[name].clone())
        };
        assert_eq!(read(log), ["1024", "2", "1", "0"]);
        let dbbuf = "pci_nvme_dbbuf_config dbs_addr=0x2feb000 eis_addr=0x2fea000\n";
        assert_eq!(read(&format!("{log}{dbbuf}"))[3], "1");
        assert_eq!(read(""), ["", "0", "0", "0"]);
    }
}
