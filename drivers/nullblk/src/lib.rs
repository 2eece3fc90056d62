//! The null block driver: a disk that ends every request without moving
//! data, so that what remains is the cost of the block layer and of a driver.
//!
//! The C driver that it is compared with is `drivers/block/null_blk/` of
//! Linux; settings have that driver's names and meaning.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]
#![warn(missing_docs)]

mod driver;
mod settings;

pub use driver::NullBlock;
pub use settings::{Attribute, CompletionMode, Invalid, Settings};
