//! QEMU's devices without a guest: a program starts a machine whose processor
//! does nothing, reads and writes its registers over the qtest socket, and has
//! its memory as a file, which a device reaches by DMA.
//!
//! Interrupts are MSI-X messages to memory: a vector is a word that becomes 1.
//!
//! It knows no driver and no other crate of this project.
#![forbid(unsafe_code)]

mod machine;
mod pci;
mod socket;

pub use machine::{program, Machine, MEMORY};
pub use pci::Function;
pub use socket::Bus;
