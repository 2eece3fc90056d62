//! What comes back from a boot: samples, and what is needed to judge them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::case::CaseKey;

/// One number from one run of one case on one subject: a line of
/// `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which case.
    #[serde(flatten)]
    pub key: CaseKey,
    /// Which implementation: `rust`, `c`, `upstream`, `wrapper`, `empty`.
    pub subject: String,
    /// Boot, from 0.
    pub boot: u32,
    /// Block within the boot, from 0, those of the warm-up first.
    pub block: u32,
    /// Whether the plan takes it as warm-up, so that it does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warm_up: bool,
    /// Place of the subject within its block, from 0.
    pub place: u32,
    /// What was measured (`iops`: completed operations a second, all jobs;
    /// `ns`: nanoseconds that an operation takes; `instructions`: those that it
    /// executes).
    pub metric: String,
    /// The number, in the metric's unit.
    pub value: f64,
    /// Unix time in milliseconds at the sample's end, by the clock of the
    /// machine that took it.
    pub at_ms: u64,
    /// Whatever else is known of it, by name: what the load tool said
    /// (`usr_cpu`, ...), and events an operation, each where it could be read
    /// (`context_switches`, ...: see [`crate::summary::attribution::EVENTS`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, f64>,
}

/// Where the instructions of one sample went: a line of `profiles.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Which case.
    #[serde(flatten)]
    pub key: CaseKey,
    /// Which implementation.
    pub subject: String,
    /// Boot, from 0.
    pub boot: u32,
    /// Block within the boot, from 0.
    pub block: u32,
    /// Most instructions first; together they are the sample.
    pub functions: Vec<FunctionCount>,
}

/// Instructions of one function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionCount {
    /// `user`, `kernel` or `module`.
    pub space: String,
    /// The function's name.
    pub symbol: String,
    /// How many of its instructions an operation executes.
    pub instructions: f64,
}

/// What was read back from one subject when it was set up for one case:
/// queue attributes, driver settings, compiler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// Which case.
    #[serde(flatten)]
    pub key: CaseKey,
    /// Which subject.
    pub subject: String,
    /// Boots in which exactly these values were read.
    pub boots: Vec<u32>,
    /// Value by attribute name; see `parity.rs` for the names that matter.
    pub values: BTreeMap<String, String>,
}

/// A subject that a case cannot include, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which case.
    #[serde(flatten)]
    pub key: CaseKey,
    /// Which subject.
    pub subject: String,
    /// A sentence for the report.
    pub why: String,
}

/// A message from the agent of a boot, one JSON line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// First message: what the machine under test says of itself.
    Hello {
        /// By name: `kernel`, `cpu`, `accelerator`, `fio`, `compiler.c`, ...
        environment: BTreeMap<String, String>,
    },
    /// A subject was set up for a case and read back.
    Attributes(Attributes),
    /// A subject was left out of a case.
    LeftOut(LeftOut),
    /// A sample was taken.
    Sample(Sample),
    /// Where the instructions of that sample went.
    Profile(Profile),
    /// The boot is over, all steps done.
    Done,
    /// The agent gives up: one line that says what and what to do.
    Error {
        /// The line.
        text: String,
    },
}
