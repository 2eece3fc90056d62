// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/kernel/config/rf_nullblk/` (named after the module): a directory makes a device, its files
//! are the device's settings. `docs/nullblk.md` has the table.

use kernel::configfs::{AttributeOperations, Group, GroupOperations, Subsystem};
use kernel::configfs_attrs;
use kernel::cpu::nr_cpu_ids;
use kernel::fmt::Write as _;
use kernel::new_mutex;
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;
use kernel::str::{CString, Formatter};
use kernel::sync::Mutex;
use nullblk::{Attribute, NullBlock, Settings};
use ring0::block::{Disk, Flags, TagSet};

// `configfs_attrs!` takes the module from the crate's root: kernel 7.3 by the
// path `crate::LocalModule`, kernel 7.2 by the bare name `THIS_MODULE`.
#[allow(unused_imports)]
use crate::*;

/// The subsystem's own directory, which holds the devices.
#[pin_data]
pub(crate) struct Devices {}

// Kernel 7.2 takes a subsystem's data from where a group would have them, so
// there must be none.
const _: () = assert!(core::mem::size_of::<Devices>() == 0);

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

/// `features`: the settings that this module knows, as C null_blk lists its
/// own.
#[vtable]
impl AttributeOperations<0> for Devices {
    type Data = Devices;

    fn show(_this: &Devices, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let mut text = Formatter::new(page);
        let mut separator = "";
        for attribute in Attribute::ALL {
            write!(text, "{separator}{}", attribute.name())?;
            separator = ",";
        }
        writeln!(text)?;
        Ok(text.bytes_written())
    }
}

#[vtable]
impl GroupOperations for Devices {
    type Child = Device;

    fn make_group(&self, name: &CStr) -> Result<impl PinInit<Group<Device>, Error>> {
        let item_type = configfs_attrs! {
            container: Group<Device>,
            data: Device,
            attributes: [
                power: 0,
                size: 1,
                blocksize: 2,
                irqmode: 3,
                submit_queues: 4,
                hw_queue_depth: 5,
            ],
        };
        Ok(Group::new(
            name.try_into()?,
            item_type,
            try_pin_init!(Device {
                name: name.try_into()?,
                state <- new_mutex!(State {
                    settings: Settings::default(),
                    disk: None,
                }),
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

/// Settings change only while there is no disk.
struct State {
    settings: Settings,
    disk: Option<Disk<NullBlock>>,
}

impl Device {
    fn store(&self, attribute: Attribute, page: &[u8]) -> Result {
        let mut state = self.state.lock();
        if state.disk.is_some() {
            return Err(EBUSY);
        }
        let text = core::str::from_utf8(page).map_err(|_| EINVAL)?;
        state.settings = state
            .settings
            .with(attribute, text, nr_cpu_ids())
            .map_err(|_| EINVAL)?;
        Ok(())
    }
}

/// `power`: 1 makes the disk, 0 takes it away; what is already so stays so.
#[vtable]
impl AttributeOperations<0> for Device {
    type Data = Device;

    fn show(this: &Device, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let on = this.state.lock().disk.is_some();
        show(page, u64::from(on))
    }

    fn store(this: &Device, page: &[u8]) -> Result {
        let on = match page.trim_ascii() {
            b"0" => false,
            b"1" => true,
            _ => return Err(EINVAL),
        };
        let mut state = this.state.lock();
        if !on {
            state.disk = None;
        } else if state.disk.is_none() {
            let device = NullBlock::new(state.settings);
            let tag_set = KBox::pin_init(TagSet::new(device.queues(), Flags::NONE), GFP_KERNEL)?;
            state.disk = Some(Disk::new(
                &this.name,
                device.capacity(),
                device.limits(),
                tag_set,
                device,
            )?);
        }
        Ok(())
    }
}

/// An attribute file whose number is `$id` and which holds `$attribute`.
macro_rules! setting {
    ($id:literal, $attribute:expr) => {
        #[vtable]
        impl AttributeOperations<$id> for Device {
            type Data = Device;

            fn show(this: &Device, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
                let value = this.state.lock().settings.value($attribute);
                show(page, value)
            }

            fn store(this: &Device, page: &[u8]) -> Result {
                this.store($attribute, page)
            }
        }
    };
}

setting!(1, Attribute::Size);
setting!(2, Attribute::BlockSize);
setting!(3, Attribute::IrqMode);
setting!(4, Attribute::SubmitQueues);
setting!(5, Attribute::HwQueueDepth);

fn show(page: &mut [u8; PAGE_SIZE], value: u64) -> Result<usize> {
    let mut text = Formatter::new(page);
    writeln!(text, "{value}")?;
    Ok(text.bytes_written())
}
