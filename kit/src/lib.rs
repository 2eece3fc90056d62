//! What a Ringfence driver may see of the world.
//!
//! A driver is written against this crate and `core`, nothing else, and so
//! compiles unchanged for a program (ring 3) and for a kernel module
//! (ring 0). What differs between the rings is a trait here; each ring
//! implements it, and the driver is generic over it.
//!
//! Both are safe Rust throughout; what cannot be is in `ring3/` and
//! `ring0/core/`.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]
#![warn(missing_docs)]

pub mod block;
pub mod device;
pub mod dma;
pub mod memory;
pub mod registers;
