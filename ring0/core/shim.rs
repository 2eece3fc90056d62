// SPDX-License-Identifier: GPL-2.0-only

//! `shim.h` in Rust: signatures and values, stated by hand.
//!
//! With `--cfg shim_check` the build also has `shim_generated.rs`, which
//! bindgen made from `shim.h`, and every signature is compared with it. The
//! values are compared by `shim.c`.

use kernel::bindings::{blk_opf_t, blk_status_t};
use kernel::ffi::c_void;

macro_rules! shim {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        extern "C" {
            $(pub(crate) fn $name($($argument: $type),*) -> $result;)*
        }

        #[cfg(shim_check)]
        const _: () = {
            $(let _: unsafe extern "C" fn($($type),*) -> $result = generated::$name;)*
        };
    };
}

#[cfg(shim_check)]
#[allow(missing_docs, dead_code, unreachable_pub)]
mod generated {
    include!("shim_generated.rs");
}

shim! {
    fn rf_disk_alloc(set: *mut c_void, limits: *mut c_void, queuedata: *mut c_void) -> *mut c_void;
    fn rf_module_get() -> ();
    fn rf_module_put() -> ();
}

pub(crate) const REQ_OP_MASK: blk_opf_t = 0xff;

pub(crate) const BLK_STS_NOTSUPP: blk_status_t = 1;
pub(crate) const BLK_STS_TIMEOUT: blk_status_t = 2;
pub(crate) const BLK_STS_NOSPC: blk_status_t = 3;
pub(crate) const BLK_STS_TRANSPORT: blk_status_t = 4;
pub(crate) const BLK_STS_TARGET: blk_status_t = 5;
pub(crate) const BLK_STS_MEDIUM: blk_status_t = 7;
pub(crate) const BLK_STS_PROTECTION: blk_status_t = 8;
pub(crate) const BLK_STS_RESOURCE: blk_status_t = 9;
pub(crate) const BLK_STS_IOERR: blk_status_t = 10;
