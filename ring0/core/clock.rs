// SPDX-License-Identifier: GPL-2.0-only

//! The monotonic clock.

use core::time::Duration;

use kernel::bindings;

/// Time since the machine was started, without time asleep (`ktime_get`).
#[inline]
pub fn now() -> Duration {
    // SAFETY: Reads a clock, in any context.
    let nanoseconds = unsafe { bindings::ktime_get() };
    Duration::from_nanos(nanoseconds.max(0) as u64)
}

/// Sleeps that long, 1 µs to 1 s of it, or up to a quarter longer.
pub fn sleep(time: Duration) {
    let least = time.as_micros().clamp(1, 1_000_000) as usize;
    let most = least + least / 4 + 1;
    // SAFETY: Sleeps, which the caller may.
    unsafe { bindings::usleep_range_state(least, most, bindings::TASK_UNINTERRUPTIBLE) };
}
