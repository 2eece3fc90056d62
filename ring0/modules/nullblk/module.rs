// SPDX-License-Identifier: GPL-2.0-only

//! The null block driver as a kernel module: glue between configfs, the
//! driver in `drivers/nullblk` and the block layer in `ring0/core`.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]

mod configfs;
#[cfg(rf_control)]
mod control;
mod device;

use kernel::prelude::*;

module! {
    type: NullBlkModule,
    name: "rf_nullblk",
    authors: ["The Ringfence developers"],
    description: "Ringfence null block driver",
    license: "GPL v2",
}

#[pin_data]
struct NullBlkModule {
    #[pin]
    subsystem: kernel::configfs::Subsystem<configfs::Devices>,
    // Dropped after the subsystem, so when no device is left.
    _shared_tags: SharedTags,
}

struct SharedTags;

impl Drop for SharedTags {
    fn drop(&mut self) {
        device::forget_shared_tags();
    }
}

impl kernel::InPlaceModule for NullBlkModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            subsystem <- configfs::subsystem(),
            _shared_tags: SharedTags,
        })
    }
}
