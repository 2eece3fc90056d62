// SPDX-License-Identifier: GPL-2.0-only

//! The kernel under the kit: safe wrappers over the kernel's C API.
//!
//! This crate and its `shim.c` hold all the unsafe code of Ringfence in
//! ring 0. It binds the C API through `kernel::bindings`, which keeps still
//! between kernels, and leans on the kernel's own Rust abstractions only
//! where they are stable.
#![no_std]
#![allow(unused_attributes, clippy::duplicated_attributes)]
#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod block;
pub mod bound;
pub mod clock;
pub mod dma;
pub mod global;
pub mod lock;
pub mod memory;
pub mod pci;
mod pci_shim;
pub mod rcu;
mod shim;
mod versions;
pub mod worker;
