// SPDX-License-Identifier: GPL-2.0-only

//! Locks.

use kernel::prelude::*;
use ring0::global::Global;

use crate::measure::Run;

#[inline(never)]
pub(crate) fn rf_api_empty(run: &mut Run) -> Result {
    measure!(run, |_| {});
    Ok(())
}

static COUNTER: Global<u64> = Global::none();

/// A value that there is once in a module. Only the lock gives access to it.
#[inline(never)]
pub(crate) fn rf_api_global_mutex(run: &mut Run) -> Result {
    COUNTER.with(|value| *value = Some(0));
    measure!(run, |_| {
        COUNTER.with(|value| {
            if let Some(value) = value {
                *value = value.wrapping_add(1);
            }
        });
    });
    run.effect = COUNTER.with(|value| value.take()).unwrap_or(0);
    Ok(())
}
