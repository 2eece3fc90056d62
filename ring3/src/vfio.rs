//! PCI functions of this machine, used from this process by VFIO: registers
//! mapped, memory shown to the function by the IOMMU, interrupts as eventfds.
//!
//! [`Function::claim`] takes one from its driver; it goes back to that driver
//! when the last user of the [`Function`], of its registers and of its memory
//! is gone.

mod address;
mod bar;
mod binding;
mod disks;
mod function;
mod interrupts;
mod pages;
mod sysfs;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use bar::{Bar, BarDoorbell};
pub use function::Function;
pub use interrupts::Interrupts;
pub use pages::DmaPages;
pub use sysfs::{Entry, Host};
