// SPDX-License-Identifier: GPL-2.0-only

//! The driver of QEMU's PCI device `edu` (1234:11e8): it keeps it for the
//! operations that need a device.

use kernel::device::{Bound, Core};
use kernel::pci;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use ring0::bound;
use ring0::global::Global;

use crate::versions::{edu_table, IdInfo};

static DEVICE: Global<ARef<pci::Device>> = Global::none();

/// The device that the driver is bound to, if it is.
///
/// # Errors
///
/// ENODEV: it is bound to none.
#[allow(dead_code)]
pub(crate) fn device() -> Result<ARef<pci::Device>> {
    DEVICE.with(|device| device.clone()).ok_or(ENODEV)
}

/// Calls an operation with that device, and keeps it bound meanwhile.
///
/// # Errors
///
/// ENODEV: the driver is bound to none; else the operation's.
#[allow(dead_code)]
#[inline(always)]
pub(crate) fn with_device(operation: impl FnOnce(&pci::Device<Bound>) -> Result) -> Result {
    bound::with(&*device()?, operation).ok_or(ENODEV)?
}

/// The driver, and what there is of it while it is bound.
pub(crate) struct Edu;

edu_table!(TABLE, <Edu as pci::Driver>::IdInfo);

impl pci::Driver for Edu {
    type IdInfo = ();
    type Data<'bound> = Edu;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &TABLE;

    fn probe<'bound>(
        device: &'bound pci::Device<Core<'_>>,
        _info: IdInfo<'bound, Self::IdInfo>,
    ) -> impl PinInit<Edu, Error> + 'bound {
        if (device.vendor_id().as_raw(), device.device_id()) != (0x1234, 0x11e8) {
            return Err(ENODEV);
        }
        device.enable_device_mem()?;
        device.set_master();
        DEVICE.with(|place| {
            if place.is_some() {
                return Err(EBUSY);
            }
            *place = Some(ARef::from(&**device));
            Ok(Edu)
        })
    }
}

impl Drop for Edu {
    fn drop(&mut self) {
        DEVICE.with(Option::take);
    }
}
