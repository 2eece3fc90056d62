// SPDX-License-Identifier: GPL-2.0-only

//! Drivers of PCI functions.
//!
//! A driver is bound to the functions that are given to it by name
//! (`driver_override`). What the kernel calls back into (interrupt handlers,
//! work) belongs to the bound function's own record, which C's `probe` makes
//! and C's `remove` takes away. So a driver may keep, forget or drop whatever
//! it was given, in any order: that leaks at most.
//!
//! C header: `include/linux/pci.h`.

mod driver;
mod function;
mod interrupt;
mod window;

pub use driver::{Driver, Registration};
pub(crate) use function::Callback;
pub use function::Function;
pub use interrupt::{Context, Handled, Handler, Interrupt};
pub use window::{Doorbell, Window};
