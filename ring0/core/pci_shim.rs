// SPDX-License-Identifier: GPL-2.0-only

//! `pci_shim.h` in Rust, as `shim.rs` is `shim.h`.

use kernel::ffi::{c_char, c_int, c_ulong, c_ulonglong, c_void};

use crate::shim::shim;

shim! {
    fn rf_dma_setup(pdev: *mut c_void) -> c_int;
    fn rf_dma_alloc(
        dev: *mut c_void,
        bytes: c_ulong,
        address: *mut c_ulonglong
    ) -> *mut c_void;
    fn rf_dma_free(
        dev: *mut c_void,
        bytes: c_ulong,
        memory: *mut c_void,
        address: c_ulonglong
    ) -> ();
    fn rf_node(dev: *mut c_void) -> c_int;
    fn rf_name(dev: *mut c_void) -> *const c_char;
    fn rf_bar_is_memory(pdev: *mut c_void, bar: c_int) -> u8;
    fn rf_bar_length(pdev: *mut c_void, bar: c_int) -> c_ulonglong;
    fn rf_interrupts_by_line(pdev: *mut c_void) -> u8;
    fn rf_lock_init(lock: *mut c_void, name: *const c_char, key: *mut c_void) -> ();
    fn rf_queue_alloc(name: *const c_char) -> *mut c_void;
    fn rf_work_init(work: *mut c_void, function: *mut c_void) -> ();
    fn rf_work_now(queue: *mut c_void, work: *mut c_void) -> ();
    fn rf_work_after(queue: *mut c_void, work: *mut c_void, nanoseconds: c_ulonglong) -> ();
}

// What is one instruction on x86, or none, and there is no call.
#[cfg(not(target_arch = "x86_64"))]
shim! {
    fn rf_dma_rmb() -> ();
    fn rf_dma_wmb() -> ();
    fn rf_mb() -> ();
    fn rf_readl(address: *const c_void) -> u32;
    fn rf_writel(value: u32, address: *mut c_void) -> ();
}
