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
//! ```
//! use std::cell::RefCell;
//! use std::time::Duration;
//!
//! use nvme_model::{Config, Controller, Fault, Memory, Step};
//!
//! /// 64 KiB of memory at address 0.
//! struct Small(RefCell<Vec<u8>>);
//!
//! impl Memory for Small {
//!     fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
//!         let (at, length) = (address as usize, to.len());
//!         let memory = self.0.borrow();
//!         let bytes = memory.get(at..at.wrapping_add(length));
//!         to.copy_from_slice(bytes.ok_or(Fault { address, length })?);
//!         Ok(())
//!     }
//!     fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
//!         let (at, length) = (address as usize, from.len());
//!         let mut memory = self.0.borrow_mut();
//!         let bytes = memory.get_mut(at..at.wrapping_add(length));
//!         bytes.ok_or(Fault { address, length })?.copy_from_slice(from);
//!         Ok(())
//!     }
//! }
//!
//! let memory = Small(RefCell::new(vec![0; 65536]));
//! let mut controller = Controller::new(Config::default(), memory)?;
//! controller.write32(0x24, 0x000f_000f); // AQA: 16 entries each
//! controller.write64(0x28, 0x1000); // ASQ
//! controller.write64(0x30, 0x2000); // ACQ
//! controller.write32(0x14, 0x0046_0001); // CC.EN
//! while controller.step(Duration::ZERO) == Step::Worked {}
//! assert_eq!(controller.read32(0x1c), 1); // CSTS.RDY
//!
//! // Identify Controller to 0x3000.
//! controller.memory().write(0x1000, &[0x06])?;
//! controller.memory().write(0x1018, &0x3000_u64.to_le_bytes())?;
//! controller.memory().write(0x1028, &[1])?;
//! controller.write32(0x1000, 1); // submission queue 0 tail doorbell
//! while controller.step(Duration::ZERO) == Step::Worked {}
//! assert_eq!(controller.interrupts().collect::<Vec<_>>(), [0]);
//! let mut serial = [0; 6];
//! controller.memory().read(0x3004, &mut serial)?;
//! assert_eq!(serial, *b"RF0001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
