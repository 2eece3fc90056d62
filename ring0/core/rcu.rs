// SPDX-License-Identifier: GPL-2.0-only

//! Read-copy-update.

use crate::shim;

/// How many RCU read sections the caller is in (`rcu_preempt_depth`; 0 on a
/// kernel that does not count them).
#[inline]
pub fn depth() -> i32 {
    // SAFETY: Reads a counter of the current task.
    unsafe { shim::rf_rcu_depth() }
}
