// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/kernel/config/rf_nullblk/` (named after the module): a directory makes
//! a device, its files are the device's settings. `docs/nullblk.md` has the
//! table.

use core::mem::size_of;

use kernel::configfs::{AttributeOperations, Group, GroupOperations, Subsystem};
use kernel::configfs_attrs;
use kernel::fmt::Write as _;
use kernel::new_mutex;
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;
use kernel::str::{CString, Formatter};
use kernel::sync::Mutex;
use kit::block::ZoneCondition;
use nullblk::{Attribute, Settings};
#[cfg(rf_control)]
use ring0::block::Disk;

#[cfg(rf_control)]
use crate::device::Driver;
use crate::device::Power;
// `configfs_attrs!` takes the module from the crate's root: in kernel 7.3 as
// `crate::LocalModule`, in 7.2 as `THIS_MODULE`, which has to be in scope.
#[allow(unused_imports)]
use crate::*;

/// The subsystem's own directory, which holds the devices.
#[pin_data]
pub(crate) struct Devices {}

// Kernel 7.2 looks for a subsystem's data in the wrong place
// (`get_group_data`), which is none the worse only while there is none.
const _: () = assert!(size_of::<Devices>() == 0);

/// Initialises the subsystem.
pub(crate) fn subsystem() -> impl PinInit<Subsystem<Devices>, Error> {
    let item_type = configfs_attrs! {
        container: Subsystem<Devices>,
        data: Devices,
        child: Device,
        attributes: [
            features: 0,
        ],
    };
    Subsystem::new(
        kernel::c_str!(env!("RF_NAME")),
        item_type,
        try_pin_init!(Devices {}),
    )
}

/// `features`: the files of a device, as C null_blk lists its own.
#[vtable]
impl AttributeOperations<0> for Devices {
    type Data = Devices;

    fn show(_this: &Devices, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let mut text = Formatter::new(page);
        write!(text, "badblocks,power,zone_offline,zone_readonly")?;
        for attribute in Attribute::ALL {
            write!(text, ",{}", attribute.name())?;
        }
        writeln!(text)?;
        Ok(text.bytes_written())
    }
}

#[vtable]
impl GroupOperations for Devices {
    type Child = Device;

    fn make_group(&self, name: &CStr) -> Result<impl PinInit<Group<Device>, Error>> {
        let settings = Settings::default();
        let power = Power::off(&settings)?;
        Ok(Group::new(
            name.try_into()?,
            device_files(),
            try_pin_init!(Device {
                name: name.try_into()?,
                state <- new_mutex!(State { settings, power }),
            }),
        ))
    }
}

/// A device's directory. Removing it powers the device off.
#[pin_data]
pub(crate) struct Device {
    /// The directory's name, which becomes the disk's, as with C null_blk.
    name: CString,
    #[pin]
    state: Mutex<State>,
}

/// Settings change only while there is no disk, but for `submit_queues`.
struct State {
    settings: Settings,
    power: Power,
}

impl Device {
    fn store(&self, attribute: Attribute, page: &[u8]) -> Result {
        let mut state = self.state.lock();
        let queues = attribute == Attribute::SubmitQueues;
        if state.power.is_on() && !queues {
            return Err(EBUSY);
        }
        let settings = state
            .settings
            .with(attribute, text(page)?, kernel::cpu::nr_cpu_ids())
            .map_err(|_| EINVAL)?;
        if queues {
            state.power.set_submit_queues(&settings)?;
        }
        state.settings = settings;
        Ok(())
    }

    /// `EINVAL` if it is off.
    #[cfg(rf_control)]
    pub(crate) fn with_disk(&self, f: impl FnOnce(&Disk<Driver>)) -> Result {
        match &self.state.lock().power {
            Power::On(disk) => {
                f(disk);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }
}

/// `power`: 1 makes the disk, 0 takes it away; what is already so stays so.
#[vtable]
impl AttributeOperations<0> for Device {
    type Data = Device;

    fn show(this: &Device, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let on = this.state.lock().power.is_on();
        show(page, |text| write!(text, "{}", u8::from(on)))
    }

    fn store(this: &Device, page: &[u8]) -> Result {
        let on = match page.trim_ascii() {
            b"0" => false,
            b"1" => true,
            _ => return Err(EINVAL),
        };
        let mut state = this.state.lock();
        let state = &mut *state;
        if on {
            state.power.turn_on(&this.name, &mut state.settings)
        } else {
            state.power.turn_off();
            Ok(())
        }
    }
}

/// `badblocks`: ranges of sectors that fail.
#[vtable]
impl AttributeOperations<1> for Device {
    type Data = Device;

    fn show(this: &Device, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let mut text = Formatter::new(page);
        // What does not fit is left out, as in C.
        let _ = this.state.lock().power.show_bad_blocks(&mut text);
        Ok(text.bytes_written())
    }

    fn store(this: &Device, page: &[u8]) -> Result {
        let mut state = this.state.lock();
        state.power.set_bad_blocks(text(page)?)
    }
}

/// A file to which a sector is written: its zone is then in that condition,
/// or, written again, empty.
macro_rules! zone_file {
    ($id:literal, $condition:ident) => {
        #[vtable]
        impl AttributeOperations<$id> for Device {
            type Data = Device;

            fn show(_this: &Device, _page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
                Err(EPERM)
            }

            fn store(this: &Device, page: &[u8]) -> Result {
                let mut state = this.state.lock();
                let condition = ZoneCondition::$condition;
                state.power.set_zone_condition(text(page)?, condition)
            }
        }
    };
}

zone_file!(2, ReadOnly);
zone_file!(3, Offline);

/// The files of a device: those above, one for each setting, and `others`.
macro_rules! device_files {
    ({$($other:ident: $other_id:literal,)*} $($name:ident: $id:literal = $attribute:ident,)*) => {
        fn device_files() -> &'static kernel::configfs::ItemType<Group<Device>, Device> {
            configfs_attrs! {
                container: Group<Device>,
                data: Device,
                attributes: [
                    power: 0,
                    badblocks: 1,
                    zone_readonly: 2,
                    zone_offline: 3,
                    $($name: $id,)*
                    $($other: $other_id,)*
                ],
            }
        }

        $(
            #[vtable]
            impl AttributeOperations<$id> for Device {
                type Data = Device;

                fn show(this: &Device, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
                    let settings = this.state.lock().settings;
                    show(page, |text| settings.show(Attribute::$attribute, text))
                }

                fn store(this: &Device, page: &[u8]) -> Result {
                    this.store(Attribute::$attribute, page)
                }
            }
        )*

        /// Every setting has its file.
        const _: () = assert!(Attribute::ALL.len() == [$($id),*].len());
    };
}

/// What only a control build has.
#[cfg(rf_control)]
macro_rules! with_others {
    ($files:ident! { $($settings:tt)* }) => { $files! { {delay_nsec: 39,} $($settings)* } };
}
#[cfg(not(rf_control))]
macro_rules! with_others {
    ($files:ident! { $($settings:tt)* }) => { $files! { {} $($settings)* } };
}

with_others! { device_files! {
    size: 4 = Size,
    blocksize: 5 = BlockSize,
    irqmode: 6 = IrqMode,
    submit_queues: 7 = SubmitQueues,
    hw_queue_depth: 8 = HwQueueDepth,
    completion_nsec: 9 = CompletionNsec,
    poll_queues: 10 = PollQueues,
    memory_backed: 11 = MemoryBacked,
    discard: 12 = Discard,
    cache_size: 13 = CacheSize,
    fua: 14 = Fua,
    mbps: 15 = Mbps,
    memory_limit: 16 = MemoryLimit,
    max_sectors: 17 = MaxSectors,
    rotational: 18 = Rotational,
    virt_boundary: 19 = VirtBoundary,
    no_sched: 20 = NoSched,
    blocking: 21 = Blocking,
    shared_tags: 22 = SharedTags,
    shared_tag_bitmap: 23 = SharedTagBitmap,
    home_node: 24 = HomeNode,
    use_per_node_hctx: 25 = UsePerNodeHctx,
    queue_mode: 26 = QueueMode,
    badblocks_once: 27 = BadblocksOnce,
    badblocks_partial_io: 28 = BadblocksPartialIo,
    zoned: 29 = Zoned,
    zone_size: 30 = ZoneSize,
    zone_capacity: 31 = ZoneCapacity,
    zone_nr_conv: 32 = ZoneNrConv,
    zone_max_open: 33 = ZoneMaxOpen,
    zone_max_active: 34 = ZoneMaxActive,
    zone_append_max_sectors: 35 = ZoneAppendMaxSectors,
    zone_full: 36 = ZoneFull,
    timeout: 37 = Timeout,
    requeue: 38 = Requeue,
} }

pub(crate) fn text(page: &[u8]) -> Result<&str> {
    core::str::from_utf8(page).map_err(|_| EINVAL)
}

fn show(
    page: &mut [u8; PAGE_SIZE],
    write: impl FnOnce(&mut dyn kernel::fmt::Write) -> kernel::fmt::Result,
) -> Result<usize> {
    let mut text = Formatter::new(page);
    write(&mut text)?;
    writeln!(text)?;
    Ok(text.bytes_written())
}
