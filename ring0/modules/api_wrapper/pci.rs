// SPDX-License-Identifier: GPL-2.0-only

//! PCI devices.

use kernel::prelude::*;
use ring0::bound;

use crate::edu::device;
use crate::measure::{opaque, Run};

/// The device's lock, and whether a driver is bound to it.
#[inline(never)]
pub(crate) fn rf_api_device_bound(run: &mut Run) -> Result {
    let device = device()?;
    let mut effect = 0u64;
    measure!(run, |_| {
        let bound = bound::with(&device, |device| opaque(device).device_id() == 0x11e8);
        count!(effect, bound == Some(true));
    });
    run.effect = effect;
    Ok(())
}
