//! The null block driver: a disk that ends every request without a device,
//! so that what remains is the cost of the block layer and of a driver; with
//! memory behind it, zones, and every fault that a test may want.
//!
//! The C driver that it is compared with is `drivers/block/null_blk/` of
//! Linux; settings have that driver's names and meaning.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]
#![warn(missing_docs)]

mod bad_blocks;
mod driver;
mod faults;
mod medium;
mod settings;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod zones;

pub use driver::NullBlock;
pub use faults::Injection;
pub use medium::Medium;
pub use settings::{Attribute, CompletionMode, Invalid, Settings};
