// SPDX-License-Identifier: GPL-2.0-only

//! /dev/rf_api_rust: the kernel's Rust API, in loops. The twin of
//! ring0/twins/api, file by file.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]

#[macro_use]
mod measure;
mod device;
mod edu;
mod versions;

mod atomics;
mod bits;
mod files;
mod lists;
mod locks;
mod memory;
mod pci;
mod references;
mod tasks;
mod text;
mod timers;
mod trees;
mod user;
mod values;
mod waiting;

use kernel::prelude::*;

module! {
    type: device::Module,
    name: "rf_api_rust",
    authors: ["The Ringfence developers"],
    description: "The kernel's Rust API, in loops",
    license: "GPL v2",
    params: {
        depth: i64 {
            default: 128,
            description: "Read by the operation module_parameter; leave it",
        },
    },
}

/// The name of the device file and of the PCI driver.
const NAME: &CStr = c"rf_api_rust";

/// The functions of `operations.txt`, in its order.
mod operations {
    use crate::measure::Operation;
    #[allow(unused_imports)]
    use crate::{
        atomics::*, bits::*, files::*, lists::*, locks::*, memory::*, pci::*, references::*,
        tasks::*, text::*, timers::*, trees::*, user::*, values::*, versions::*, waiting::*,
    };

    include!("operations_generated.rs");
}
