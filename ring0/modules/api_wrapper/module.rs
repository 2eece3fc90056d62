// SPDX-License-Identifier: GPL-2.0-only

//! /dev/rf_api_wrapper: the wrappers of `ring0/core`, in loops, where the
//! kernel's crate has none, or another.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]

#[macro_use]
#[path = "../api/measure.rs"]
mod measure;
#[path = "../api/device.rs"]
mod device;
#[path = "../api/edu.rs"]
mod edu;
#[path = "../api/versions.rs"]
mod versions;

mod locks;
mod memory;
mod pci;
mod trees;

use kernel::prelude::*;

module! {
    type: device::Module,
    name: "rf_api_wrapper",
    authors: ["The Ringfence developers"],
    description: "The wrappers of ring0/core, in loops",
    license: "GPL v2",
}

/// The name of the device file and of the PCI driver.
const NAME: &CStr = c"rf_api_wrapper";

/// The functions of `operations.txt`, in its order.
mod operations {
    use crate::measure::Operation;
    use crate::{locks::*, memory::*, pci::*, trees::*};

    include!("operations_generated.rs");
}
