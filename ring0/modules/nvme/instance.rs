// SPDX-License-Identifier: GPL-2.0-only

//! Numbers of controllers, by which their interrupts and disks are named.

use kernel::prelude::*;
use ring0::global::Global;

/// Numbers that are taken, as bits.
static TAKEN: Global<u64> = Global::none();

/// A number of 0..=63 that no other controller has, as long as this is there.
pub(crate) struct Instance(u32);

impl Instance {
    /// The lowest number that is free.
    ///
    /// # Errors
    ///
    /// EBUSY: all are taken.
    pub(crate) fn take() -> Result<Instance> {
        TAKEN.with(|taken| {
            let taken = taken.get_or_insert(0);
            let number = taken.trailing_ones();
            *taken |= 1u64.checked_shl(number).ok_or(EBUSY)?;
            Ok(Instance(number))
        })
    }

    pub(crate) fn number(&self) -> u32 {
        self.0
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        TAKEN.with(|taken| {
            if let Some(taken) = taken {
                *taken &= !(1 << self.0);
            }
        });
    }
}
