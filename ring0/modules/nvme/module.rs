// SPDX-License-Identifier: GPL-2.0-only

//! The NVMe driver as a kernel module: glue between PCI functions and the
//! driver in `drivers/nvme`.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_attributes, clippy::duplicated_attributes)]

mod disks;
mod function;
mod instance;
mod keeper;
mod queues;

ring0::pci_module! {
    type: function::Nvme,
    name: "rf_nvme",
    authors: ["The Ringfence developers"],
    description: "Ringfence NVMe driver",
    license: "GPL v2",
    params: {
        io_queue_depth: u32 {
            default: 1024,
            description: "Entries of an I/O queue, 2 to 4096",
        },
        poll_queues: u32 {
            default: 0,
            description: "I/O queues that are polled",
        },
    },
}
