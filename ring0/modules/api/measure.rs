// SPDX-License-Identifier: GPL-2.0-only

//! What every operation uses: the run, the loop, and how effects are counted.

use kernel::prelude::*;

/// Size of user memory that a run lends: at least this.
#[allow(dead_code)]
pub(crate) const BUFFER: usize = 65536;

/// One run of an operation.
pub(crate) struct Run {
    /// How often: 1 to 2^32.
    pub(crate) iterations: u64,
    /// The caller's memory, page aligned, [`BUFFER`] bytes.
    #[allow(dead_code)]
    pub(crate) buffer: usize,
    /// The loop alone.
    pub(crate) nanoseconds: u64,
    /// Iterations whose effect was seen.
    pub(crate) effect: u64,
}

/// An operation: a function of its own, so that its code can be found.
pub(crate) type Operation = fn(&mut Run) -> Result;

/// The one loop. Only the body is in it: setup comes before, checks after.
macro_rules! measure {
    ($run:expr, |$index:pat_param| $body:block) => {{
        let iterations = $run.iterations;
        let start = kernel::time::Instant::<kernel::time::Monotonic>::now();
        for $index in 0..iterations {
            $body
        }
        $run.nanoseconds = start.elapsed().as_nanos() as u64;
    }};
}

/// Counts an iteration if its effect was seen. Wraps, since the check for
/// overflow would be in every loop here and in none of C's.
macro_rules! count {
    ($effect:ident, $seen:expr) => {
        $effect = $effect.wrapping_add(u64::from($seen))
    };
}

/// A value that the compiler knows nothing of: `rf_opaque` in C.
#[allow(dead_code)]
#[inline(always)]
pub(crate) fn opaque<T>(value: T) -> T {
    core::hint::black_box(value)
}
