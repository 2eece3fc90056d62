// SPDX-License-Identifier: GPL-2.0-only

//! The misc device: an ioctl that runs an operation (`ring0/api/run.h`).

use kernel::driver::Registration;
use kernel::fs::File;
use kernel::ioctl::_IOWR;
use kernel::miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration};
use kernel::prelude::*;
use kernel::uaccess::UserSlice;

use crate::edu;
use crate::measure::{Run, BUFFER};
use crate::operations::OPERATIONS;
use crate::versions::enosys;

/// `struct rf_api_run`, as words of 32 and 64 bits.
type Words = [u64; 6];

const RF_API_RUN: u32 = _IOWR::<Words>('R' as u32, 1);

const ITERATIONS_MAX: u64 = 1 << 32;

/// A module: the misc device, and the driver of the PCI device `edu`.
#[pin_data]
pub(crate) struct Module {
    #[pin]
    _device: MiscDeviceRegistration<Device>,
    #[pin]
    _driver: Registration<kernel::pci::Adapter<edu::Edu>>,
}

impl kernel::InPlaceModule for Module {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: crate::NAME }),
            _driver <- Registration::new(crate::NAME, module),
        })
    }
}

struct Device;

#[vtable]
impl MiscDevice for Device {
    type Ptr = KBox<Device>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Device>> {
        Ok(KBox::new(Device, GFP_KERNEL)?)
    }

    fn ioctl(_device: &Device, _file: &File, command: u32, argument: usize) -> Result<isize> {
        if command != RF_API_RUN {
            return Err(ENOTTY);
        }
        let user = UserSlice::new(UserPtr::from_addr(argument), size_of::<Words>());
        let (mut reader, mut writer) = user.reader_writer();
        let mut words: Words = reader.read()?;
        let [first, iterations, buffer, buffer_length, _, _] = words;
        // Little-endian, as x86-64 is: the operation is the lower half.
        let (operation, flags) = (first as u32, (first >> 32) as u32);
        let operation = OPERATIONS.get(operation as usize).ok_or(EINVAL)?;
        if flags != 0
            || iterations == 0
            || iterations > ITERATIONS_MAX
            || buffer % 4096 != 0
            || buffer_length < BUFFER as u64
        {
            return Err(EINVAL);
        }
        let operation = (*operation).ok_or_else(enosys)?;
        let mut run = Run {
            iterations,
            buffer: buffer as usize,
            nanoseconds: 0,
            effect: 0,
        };
        operation(&mut run)?;
        words[4] = run.nanoseconds;
        words[5] = run.effect;
        writer.write(&words)?;
        Ok(0)
    }
}
