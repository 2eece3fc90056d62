//! Plan, run, samples, statistics and report: everything between the command
//! line and the subjects, for both rings.
//!
//! This crate knows no driver and no kernel. Whoever can run subjects gives
//! it a [`Launcher`](agent::Launcher) (how a boot starts) and a
//! [`Workbench`](agent::Workbench) (what happens inside a boot).
#![forbid(unsafe_code)]

pub mod across;
pub mod agent;
pub mod case;
pub mod control;
pub mod count;
pub mod disassembly;
pub mod fio;
pub mod folder;
pub mod foresight;
pub mod import;
pub mod operation;
pub mod parity;
pub mod plan;
pub mod report;
pub mod run;
pub mod sample;
pub mod statistics;
pub mod summary;
pub mod trend;
