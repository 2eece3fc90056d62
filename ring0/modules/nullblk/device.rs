// SPDX-License-Identifier: GPL-2.0-only

//! A device with its disk, or without.

use kernel::prelude::*;
use kernel::sync::Arc;
use kit::block::{Queues, ZoneCondition};
use nullblk::{Attribute, Medium, Settings};
use ring0::block::{Disk, Flags, TagSet};
use ring0::global::Global;
use ring0::memory::Memory;

#[cfg(not(rf_control))]
pub(crate) type Driver = nullblk::NullBlock<Memory>;
#[cfg(rf_control)]
pub(crate) type Driver = crate::control::Delayed;

/// What a device has: while it is off its medium only, which keeps data and
/// bad blocks until the device's directory goes.
// It lies in its device's allocation, where either state has its room.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Power {
    /// No disk.
    Off(Medium<Memory>),
    /// A disk, which has the medium.
    On(Disk<Driver>),
    /// Neither, within a change from one to the other.
    Changing,
}

impl Power {
    /// A new device.
    pub(crate) fn off(settings: &Settings) -> Result<Power> {
        Ok(Power::Off(Medium::new(settings).map_err(|_| ENOMEM)?))
    }

    pub(crate) fn is_on(&self) -> bool {
        matches!(self, Power::On(_))
    }

    /// Makes the disk, if there is none. Settings are then those that the
    /// disk has, as far as they depend on each other.
    pub(crate) fn turn_on(&mut self, name: &CStr, settings: &mut Settings) -> Result {
        let Power::Off(medium) = self else {
            return Ok(());
        };
        let checked = medium.checked(*settings).map_err(|_| EINVAL)?;
        let Power::Off(mut medium) = core::mem::replace(self, Power::Changing) else {
            return Ok(());
        };
        let prepared = medium.prepare(&checked).map_err(|_| ENOMEM);
        let made = match prepared.and_then(|()| tag_set(&checked)) {
            Ok(tag_set) => {
                let driver = Driver::new(checked, &medium);
                let (capacity, limits) = (driver.capacity(), driver.limits());
                Disk::new(name, capacity, limits, tag_set, driver, medium)
            }
            Err(error) => Err((error, medium)),
        };
        match made {
            Ok(disk) => {
                *self = Power::On(disk);
                *settings = checked;
                Ok(())
            }
            Err((error, mut medium)) => {
                medium.power_off();
                *self = Power::Off(medium);
                Err(error)
            }
        }
    }

    /// Takes the disk away, if there is one.
    pub(crate) fn turn_off(&mut self) {
        *self = match core::mem::replace(self, Power::Changing) {
            Power::On(disk) => {
                let mut medium = disk.remove();
                medium.power_off();
                Power::Off(medium)
            }
            other => other,
        };
    }

    pub(crate) fn show_bad_blocks(&mut self, out: &mut dyn kernel::fmt::Write) -> Result {
        match self {
            Power::Off(medium) => medium.show_bad_blocks(out)?,
            Power::On(disk) => disk.with_medium(|_, medium| medium.show_bad_blocks(out))?,
            Power::Changing => {}
        }
        Ok(())
    }

    /// `EBUSY` for a disk that was powered without anything that needs a
    /// queue that may sleep: `docs/nullblk.md`.
    pub(crate) fn set_bad_blocks(&mut self, text: &str) -> Result {
        match self {
            Power::Off(medium) => medium.set_bad_blocks(text).map_err(|_| EINVAL),
            Power::On(disk) => disk.with_medium(|driver, medium| {
                if !driver.settings().blocking() {
                    return Err(EBUSY);
                }
                driver.set_bad_blocks(medium, text).map_err(|_| EINVAL)
            }),
            Power::Changing => Err(EINVAL),
        }
    }

    /// Gives the disk, if there is one, as many queues as `settings` say.
    /// `EINVAL` if others share its tags, as in C.
    pub(crate) fn set_submit_queues(&self, settings: &Settings) -> Result {
        let Power::On(disk) = self else {
            return Ok(());
        };
        if settings.on(Attribute::SharedTags) {
            return Err(EINVAL);
        }
        disk.set_submit_queues(settings.submit_queues())
    }

    pub(crate) fn set_zone_condition(&mut self, text: &str, condition: ZoneCondition) -> Result {
        match self {
            Power::On(disk) => disk
                .with_medium(|driver, medium| driver.set_zone_condition(medium, text, condition))
                .map_err(|_| EINVAL),
            _ => Err(EINVAL),
        }
    }
}

/// The tags of the devices that share them (`shared_tags`): made for the
/// first such device, and there until the module goes.
static SHARED_TAGS: Global<Made> = Global::none();

struct Made {
    tag_set: Arc<TagSet<Driver>>,
    queues: Queues,
    flags: Flags,
}

/// Lets the shared tags go, when there are no devices any more.
pub(crate) fn forget_shared_tags() {
    drop(SHARED_TAGS.with(Option::take));
}

/// The tags of a device; `EINVAL` if it is to share those of devices that
/// have other queues than its own.
fn tag_set(settings: &Settings) -> Result<Arc<TagSet<Driver>>> {
    let queues = settings.queues();
    let mut flags = Flags::NONE;
    for (wanted, flag) in [
        (settings.on(Attribute::NoSched), Flags::NO_SCHED_BY_DEFAULT),
        (
            settings.on(Attribute::SharedTagBitmap),
            Flags::TAG_HCTX_SHARED,
        ),
        (settings.blocking(), Flags::BLOCKING),
    ] {
        if wanted {
            flags = flags | flag;
        }
    }
    let make = || Arc::pin_init(TagSet::new(queues, flags), GFP_KERNEL);
    if !settings.on(Attribute::SharedTags) {
        return make();
    }
    SHARED_TAGS.with(|shared| {
        if let Some(made) = shared {
            if (made.queues, made.flags) != (queues, flags) {
                return Err(EINVAL);
            }
            return Ok(made.tag_set.clone());
        }
        let tag_set = make()?;
        *shared = Some(Made {
            tag_set: tag_set.clone(),
            queues,
            flags,
        });
        Ok(tag_set)
    })
}
