//! An NVMe controller in process: registers, queues, commands and a medium in
//! memory, written from the NVM Express Base Specification 2.0, the NVM Command
//! Set Specification 1.0 and the PCIe Transport Specification 1.0 (section
//! numbers are in the comments), for tests and benchmarks of drivers.
//!
//! A [`Controller`] is passive: it has no thread and no clock. Its owner reads
//! and writes its registers, calls [`Controller::step`], which fetches and
//! executes commands, and takes [`Controller::interrupts`]. It reaches the
//! host's memory through [`Memory`] only, so that the owner sees every access.
//!
//! What a host does wrong never makes it panic: it is answered as the
//! specification says or, where that leaves it undefined, ignored and counted
//! ([`Counters`]). What the *device* does wrong is put into a [`Script`].
//!
//! Not there: metadata and protection information, namespace management,
//! firmware download, sanitize, reservations, other command sets, controller
//! memory buffer, weighted round robin.
#![forbid(unsafe_code)]

mod admin;
mod command;
mod completion;
mod config;
mod controller;
mod data;
mod doorbells;
mod events;
mod faults;
mod features;
mod host_side;
mod identify;
mod interrupts;
mod life;
mod log_page;
mod memory;
mod namespace;
mod nvm;
mod properties;
mod prp;
mod queue_commands;
mod queues;
mod registers;
mod sgl;
mod status;
mod work;

pub use config::{optional, Config, InterruptMode, Invalid, NamespaceConfig};
pub use controller::{Controller, Counters};
pub use faults::{Action, Corruption, Event, Misfit, Rule, Script};
pub use interrupts::Raised;
pub use memory::{Fault, Memory};
pub use namespace::Namespace;
pub use status::Status;
pub use work::Step;
