// SPDX-License-Identifier: GPL-2.0-only

//! `shim.h` in Rust: signatures and values, stated by hand.
//!
//! With `--cfg shim_check` the build also has `shim_generated.rs`, which
//! bindgen made from `shim.h`, and every signature is compared with it. The
//! values are compared by `shim.c`.

use kernel::bindings::{blk_features_t, blk_opf_t, blk_status_t, mutex, xa_mark_t};
use kernel::ffi::{c_int, c_uint, c_ulong, c_ulonglong, c_void};
use kernel::types::Opaque;

macro_rules! shim {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        extern "C" {
            $(pub(crate) fn $name($($argument: $type),*) -> $result;)*
        }

        #[cfg(shim_check)]
        const _: () = {
            $(let _: unsafe extern "C" fn($($type),*) -> $result = $crate::shim::generated::$name;)*
        };
    };
}
pub(crate) use shim;

#[cfg(shim_check)]
#[allow(missing_docs, dead_code, unreachable_pub)]
#[allow(non_camel_case_types, non_upper_case_globals)]
pub(crate) mod generated {
    include!("shim_generated.rs");
}

#[cfg(shim_check)]
pub(crate) use generated::{
    rf_command as Command, rf_disk_hooks as DiskHooks, rf_page as Page, rf_segment as Segment,
};

/// `struct rf_disk_hooks`.
#[cfg(not(shim_check))]
#[repr(C)]
pub(crate) struct DiskHooks {
    pub(crate) report_zones: Option<
        unsafe extern "C" fn(
            disk: *mut c_void,
            sector: c_ulonglong,
            count: c_uint,
            args: *mut c_void,
        ) -> c_int,
    >,
}

/// `struct rf_page`.
#[cfg(not(shim_check))]
#[repr(C)]
pub(crate) struct Page {
    pub(crate) bytes: *mut c_void,
    pub(crate) mark: u8,
}

/// `struct rf_segment`.
#[cfg(not(shim_check))]
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Segment {
    pub(crate) address: c_ulonglong,
    pub(crate) length: c_uint,
}

/// `struct rf_command`.
#[cfg(not(shim_check))]
#[repr(C)]
pub(crate) struct Command {
    pub(crate) iova: [c_ulonglong; 2],
    pub(crate) list: *mut Segment,
    pub(crate) address: c_ulonglong,
    pub(crate) length: c_uint,
    pub(crate) count: c_uint,
    pub(crate) mapped: u8,
    pub(crate) overdue: u8,
    pub(crate) attempts: u8,
    pub(crate) status: u8,
}

/// The type of [`DiskHooks::report_zones`].
pub(crate) type ReportZones =
    unsafe extern "C" fn(*mut c_void, c_ulonglong, c_uint, *mut c_void) -> c_int;

shim! {
    fn rf_disk_alloc(set: *mut c_void, limits: *mut c_void, hooks: *mut c_void) -> *mut c_void;
    fn rf_disk_detach(disk: *mut c_void) -> ();
    fn rf_module_get() -> ();
    fn rf_module_put() -> ();
    fn rf_copy(
        bio: *mut c_void,
        iter: *mut c_void,
        buffer: *mut c_void,
        bytes: c_ulong,
        direction: c_int
    ) -> c_ulong;
    fn rf_add_to_batch(rq: *mut c_void, batch: *mut c_void, failed: u8) -> u8;
    fn rf_map(rq: *mut c_void, device: *mut c_void, room: *mut Segment, most: c_uint) -> c_uint;
    fn rf_unmap(rq: *mut c_void, device: *mut c_void) -> ();
    fn rf_end(rq: *mut c_void, device: *mut c_void, batch: *mut c_void, status: u8) -> ();
    fn rf_page_alloc() -> *mut Page;
    fn rf_page_free(page: *mut Page) -> ();
    fn rf_rcu_depth() -> c_int;
    fn rf_page_store(xarray: *mut c_void, index: c_ulong, page: *mut Page) -> c_int;
}

extern "C" {
    /// The mutex of this module's global values.
    pub(crate) static rf_globals: Opaque<mutex>;
}

pub(crate) const COPY_GET: c_int = 0;
pub(crate) const COPY_PUT: c_int = 1;
pub(crate) const COPY_FILL: c_int = 2;

pub(crate) const REQ_OP_MASK: blk_opf_t = 0xff;
pub(crate) const REQ_FUA: blk_opf_t = 1 << 17;

pub(crate) const BLK_STS_OK: blk_status_t = 0;
pub(crate) const BLK_STS_NOTSUPP: blk_status_t = 1;
pub(crate) const BLK_STS_TIMEOUT: blk_status_t = 2;
pub(crate) const BLK_STS_NOSPC: blk_status_t = 3;
pub(crate) const BLK_STS_TRANSPORT: blk_status_t = 4;
pub(crate) const BLK_STS_TARGET: blk_status_t = 5;
pub(crate) const BLK_STS_MEDIUM: blk_status_t = 7;
pub(crate) const BLK_STS_PROTECTION: blk_status_t = 8;
pub(crate) const BLK_STS_RESOURCE: blk_status_t = 9;
pub(crate) const BLK_STS_IOERR: blk_status_t = 10;
pub(crate) const BLK_STS_DEV_RESOURCE: blk_status_t = 13;
pub(crate) const BLK_STS_ZONE_OPEN_RESOURCE: blk_status_t = 14;
pub(crate) const BLK_STS_ZONE_ACTIVE_RESOURCE: blk_status_t = 15;

pub(crate) const BLK_FEAT_WRITE_CACHE: blk_features_t = 1 << 0;
pub(crate) const BLK_FEAT_FUA: blk_features_t = 1 << 1;
pub(crate) const BLK_FEAT_ROTATIONAL: blk_features_t = 1 << 2;
pub(crate) const BLK_FEAT_ZONED: blk_features_t = 1 << 10;

pub(crate) const XA_PRESENT: xa_mark_t = 8;
