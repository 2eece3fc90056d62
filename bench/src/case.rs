//! One workload setting, and the name by which people call it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{bail, Result};
use serde::{Deserialize, Serialize};

/// What the load does, in fio's words (`rw=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Sequential reads.
    Read,
    /// Sequential writes.
    Write,
    /// Random reads.
    RandRead,
    /// Random writes.
    RandWrite,
}

impl Pattern {
    /// fio's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Pattern::Read => "read",
            Pattern::Write => "write",
            Pattern::RandRead => "randread",
            Pattern::RandWrite => "randwrite",
        }
    }

    /// Whether it writes.
    pub fn writes(self) -> bool {
        matches!(self, Pattern::Write | Pattern::RandWrite)
    }

    /// Whether positions are random.
    pub fn random(self) -> bool {
        matches!(self, Pattern::RandRead | Pattern::RandWrite)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the load hands operations to the kernel, in fio's words (`ioengine=`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Many at a time, through rings that it shares with the kernel.
    #[default]
    IoUring,
    /// Many at a time, by a system call for each batch.
    Libaio,
    /// One system call an operation, one operation at a time.
    Psync,
}

impl Engine {
    /// fio's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::IoUring => "io_uring",
            Engine::Libaio => "libaio",
            Engine::Psync => "psync",
        }
    }

    fn is_default(&self) -> bool {
        *self == Engine::default()
    }
}

/// A closed-loop load on a block device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockLoad {
    /// Direction and order of the operations.
    pub pattern: Pattern,
    /// Bytes an operation; a multiple of the device's logical block size.
    pub block_size: u64,
    /// Operations that each job keeps in flight, 1 or more.
    pub depth: u32,
    /// Jobs (threads in ring 3, processes of fio in ring 0), 1 or more.
    pub jobs: u32,
    /// How operations are handed over; of no meaning in ring 3.
    #[serde(default, skip_serializing_if = "Engine::is_default")]
    pub engine: Engine,
}

/// One call, or a pair of calls such as lock and unlock, made again and again in
/// a loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name in the table of operations.
    pub operation: String,
    /// What is called, by subject: C's functions, Rust's paths.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, String>,
    /// Whether it is one that two processors meet in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contended: bool,
    /// Whether it takes a PCI device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub device: bool,
}

/// The name under which operations stand where drivers have theirs.
pub const API: &str = "api";

/// The name of the NVMe drivers.
pub const NVME: &str = "nvme";

/// What a case measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a workload is a block load (pattern, block_size, depth, jobs) or an operation \
                 (operation)"
)]
pub enum Workload {
    /// I/Os of a block device.
    Block(BlockLoad),
    /// Calls of an API.
    Operation(Operation),
}

/// One workload on one driver with one setting of it, in one ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// `nullblk`, later `nvme`, `e1000`, `binder`; or `api`, whose cases are
    /// operations.
    pub driver: String,
    /// 0 or 3.
    pub ring: u8,
    /// Unique within driver and ring, as [`Case::name_of`] makes it.
    pub name: String,
    /// What is done.
    pub workload: Workload,
    /// The driver's settings by name (`irqmode`, `submit_queues`, ...), the
    /// same for every subject.
    pub settings: BTreeMap<String, String>,
    /// Measured time of one sample, in milliseconds.
    pub runtime_ms: u64,
    /// Time under load before the measurement starts, in milliseconds.
    pub ramp_ms: u64,
    /// Operations over which a sample counts instructions, in place of a time
    /// in which it counts operations. Where two loops are counted, those of the
    /// shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<u64>,
}

impl Case {
    /// `randread-4k-qd8-j1-irq0`: pattern, block size, depth, jobs and
    /// completion mode. `psync` stands for the depth where that is the
    /// engine, and `libaio` before it; `-poll` follows where a queue is polled,
    /// `-batch32` where so many operations are handed over and taken back at
    /// once, `-shadow` where doorbells are in memory, and `-q2` where there are
    /// two queues.
    pub fn name_of(workload: &BlockLoad, settings: &BTreeMap<String, String>) -> String {
        let depth = match workload.engine {
            Engine::IoUring => format!("qd{}", workload.depth),
            Engine::Libaio => format!("libaio-qd{}", workload.depth),
            Engine::Psync => "psync".into(),
        };
        let mut name = format!(
            "{}-{}-{depth}-j{}",
            workload.pattern,
            size_name(workload.block_size),
            workload.jobs
        );
        if let Some(mode) = settings.get("irqmode") {
            name.push_str("-irq");
            name.push_str(mode);
        }
        if settings.get("poll_queues").is_some_and(|n| n != "0") {
            name.push_str("-poll");
        }
        if let Some(batch) = settings.get("batch") {
            name.push_str("-batch");
            name.push_str(batch);
        }
        if settings.get("shadow_doorbells").is_some_and(|on| on != "0") {
            name.push_str("-shadow");
        }
        if let Some(queues) = settings.get("submit_queues").filter(|n| *n != "1") {
            name.push_str("-q");
            name.push_str(queues);
        }
        name
    }

    /// The load on a block device; an error for an operation.
    pub fn block(&self) -> Result<&BlockLoad> {
        match &self.workload {
            Workload::Block(load) => Ok(load),
            Workload::Operation(_) => bail!(
                "case {}: is an operation, which no block device has; its driver is api",
                self.name
            ),
        }
    }

    /// The operation; an error for a load on a block device.
    pub fn operation(&self) -> Result<&Operation> {
        match &self.workload {
            Workload::Operation(operation) => Ok(operation),
            Workload::Block(_) => bail!(
                "case {}: names no operation, which the driver api needs",
                self.name
            ),
        }
    }

    /// Jobs that work at once: 1 but for loads that have more.
    pub fn jobs(&self) -> u32 {
        match &self.workload {
            Workload::Block(load) => load.jobs,
            Workload::Operation(_) => 1,
        }
    }

    /// What identifies a case over both rings and all drivers.
    pub fn key(&self) -> CaseKey {
        CaseKey {
            driver: self.driver.clone(),
            ring: self.ring,
            case: self.name.clone(),
        }
    }
}

/// Driver, ring and name of a case: what a sample points at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseKey {
    /// The driver's name.
    pub driver: String,
    /// 0 or 3.
    pub ring: u8,
    /// The case's name.
    pub case: String,
}

/// `512`, `4k`, `1m`: a size in bytes as fio writes it.
pub fn size_name(bytes: u64) -> String {
    if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) {
        format!("{}m", bytes >> 20)
    } else if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) {
        format!("{}k", bytes >> 10)
    } else {
        bytes.to_string()
    }
}

/// The reverse of [`size_name`]; `None` for what is no size.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 10),
        b'm' => (&text[..text.len() - 1], 20),
        _ => (&text[..], 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_named_by_pattern_size_depth_jobs_and_mode() {
        let workload = BlockLoad {
            pattern: Pattern::RandRead,
            block_size: 4096,
            depth: 8,
            jobs: 1,
            engine: Engine::IoUring,
        };
        let mut settings = BTreeMap::new();
        assert_eq!(Case::name_of(&workload, &settings), "randread-4k-qd8-j1");
        settings.insert("irqmode".into(), "1".into());
        assert_eq!(
            Case::name_of(&workload, &settings),
            "randread-4k-qd8-j1-irq1"
        );
        settings.insert("submit_queues".into(), "1".into());
        settings.insert("poll_queues".into(), "0".into());
        let psync = BlockLoad {
            engine: Engine::Psync,
            depth: 1,
            ..workload.clone()
        };
        assert_eq!(
            Case::name_of(&psync, &settings),
            "randread-4k-psync-j1-irq1"
        );
        settings.insert("submit_queues".into(), "2".into());
        settings.insert("poll_queues".into(), "1".into());
        assert_eq!(
            Case::name_of(&workload, &settings),
            "randread-4k-qd8-j1-irq1-poll-q2"
        );
    }

    #[test]
    fn a_workload_is_told_by_its_fields_and_another_is_refused_by_name() {
        let block = r#"{"pattern":"read","block_size":4096,"depth":1,"jobs":2}"#;
        let block: Workload = serde_json::from_str(block).expect("as it was ever written");
        assert!(matches!(&block, Workload::Block(load) if load.jobs == 2));
        let text = r#"{"operation":"mutex","calls":{"c":"mutex_lock"}}"#;
        let operation: Workload = serde_json::from_str(text).expect("an operation");
        assert!(matches!(&operation, Workload::Operation(one) if one.operation == "mutex"));
        assert_eq!(serde_json::to_string(&operation).expect("JSON"), text);
        let error = serde_json::from_str::<Workload>(r#"{"depth":1}"#).expect_err("neither");
        assert!(error.to_string().contains("or an operation"), "{error}");
    }

    #[test]
    fn sizes_survive_the_round_trip() {
        for bytes in [512, 4096, 1 << 20, 3 << 20, 1536] {
            assert_eq!(parse_size(&size_name(bytes)), Some(bytes));
        }
        assert_eq!(parse_size("4x"), None);
        assert_eq!(parse_size(""), None);
        assert_eq!(parse_size("99999999999999999999m"), None);
    }
}
