// SPDX-License-Identifier: GPL-2.0-only

//! Multi-queue block devices: a sibling of `kernel::block::mq` that carries
//! a [`kit::block::Driver`].
//!
//! C headers: `include/linux/blk-mq.h`, `include/linux/blkdev.h`.

mod command;
mod data;
mod disk;
mod gendisk;
mod hardware;
mod operations;
mod poll_queue;
mod request;
mod shared;
mod tag_set;

pub use disk::Disk;
pub use hardware::{Hardware, HardwareQueues, Shape};
pub use tag_set::{Flags, TagSet};

use request::Request;
