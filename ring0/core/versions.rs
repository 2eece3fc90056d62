// SPDX-License-Identifier: GPL-2.0-only

//! What differs between the kernels that this builds for.

/// The type of the node that `init_request` is told.
#[cfg(not(rf_kernel_7_2))]
pub(crate) type RequestNode = kernel::ffi::c_int;

/// As above, of 7.2.
#[cfg(rf_kernel_7_2)]
pub(crate) type RequestNode = kernel::ffi::c_uint;
