//! The NVMe driver: a controller on PCIe, its queues and its commands.
//!
//! From the NVM Express Base Specification 2.0, the NVM Command Set
//! Specification 1.0 and the NVMe over PCIe Transport Specification 1.0, to
//! which sections refer. The C driver that it is compared with is
//! `drivers/nvme/host/pci.c` of Linux.
//!
//! A [`Controller`] is stepped through bring-up by its ring, which it hands
//! [`IoQueue`]s and [`Namespace`]s.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]
#![warn(missing_docs)]

mod admin_queue;
mod command;
mod completion;
mod completion_queue;
mod controller;
mod doorbell;
mod identify;
mod io_queue;
mod limits;
pub mod line;
mod prp;
mod registers;
mod smart;
mod submission_queue;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use admin_queue::QueueFull;
pub use command::{Blocks, Command, Feature, Identify, LogPage, Range};
pub use completion::{Completion, Status};
pub use controller::{Controller, Error, Settings, Step};
pub use doorbell::Shadow;
pub use identify::{ControllerIdentity, Namespace, Unusable};
pub use io_queue::{Addresses, Completions, IoQueue, Submissions};
pub use registers::{Capabilities, ControllerStatus};
pub use smart::Smart;
