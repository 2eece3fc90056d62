//! The model's doorbells as a driver in C has them: a function and its context.

use std::ffi::c_void;
use std::ptr::NonNull;

use kit::device::Device;
use kit::registers::{Doorbell, Registers};

use crate::dma::Arena;
use crate::nvme::model::{ModelDevice, ModelDoorbell, ModelRegisters};

/// The model as a device whose doorbells are called, by either subject.
pub(super) struct Called {
    device: ModelDevice,
    registers: CalledRegisters,
}

impl Called {
    pub(super) fn new(device: ModelDevice) -> Called {
        Called {
            registers: CalledRegisters(device.registers().clone()),
            device,
        }
    }
}

impl Device for Called {
    type Registers = CalledRegisters;
    type Dma = Arena;

    fn registers(&self) -> &CalledRegisters {
        &self.registers
    }

    fn dma(&self) -> &Arena {
        self.device.dma()
    }

    fn vectors(&self) -> u16 {
        self.device.vectors()
    }

    fn isolate(&mut self) -> bool {
        self.device.isolate()
    }

    fn admit(&mut self) {
        self.device.admit();
    }
}

/// Its registers.
pub(super) struct CalledRegisters(ModelRegisters);

impl Registers for CalledRegisters {
    type Doorbell = CalledDoorbell;

    fn length(&self) -> usize {
        self.0.length()
    }

    fn read32(&self, offset: usize) -> u32 {
        self.0.read32(offset)
    }

    fn write32(&self, offset: usize, value: u32) {
        self.0.write32(offset, value);
    }

    fn doorbell(&self, offset: usize) -> Option<CalledDoorbell> {
        self.0.doorbell(offset).map(CalledDoorbell::new)
    }
}

/// The first two members of `struct rf_nvme_doorbell`.
///
/// # Invariants
///
/// `context` points to a doorbell of the model, which is this one's alone.
pub(super) struct CalledDoorbell {
    pub(super) ring: unsafe extern "C" fn(*mut c_void, u32),
    pub(super) context: NonNull<ModelDoorbell>,
}

impl CalledDoorbell {
    fn new(doorbell: ModelDoorbell) -> CalledDoorbell {
        let context = Box::into_raw(Box::new(doorbell));
        CalledDoorbell {
            // Opaque, so that it is not inlined into a driver.
            ring: std::hint::black_box(ring),
            // SAFETY: A box is not at address zero.
            context: unsafe { NonNull::new_unchecked(context) },
        }
    }
}

/// # Safety
///
/// `context` points to a doorbell of the model that nobody else uses now.
unsafe extern "C" fn ring(context: *mut c_void, value: u32) {
    // SAFETY: By this function's contract.
    unsafe { &mut *context.cast::<ModelDoorbell>() }.ring(value);
}

impl Doorbell for CalledDoorbell {
    #[inline]
    fn ring(&mut self, value: u32) {
        // SAFETY: By the type invariant.
        unsafe { (self.ring)(self.context.as_ptr().cast(), value) };
    }
}

impl Drop for CalledDoorbell {
    fn drop(&mut self) {
        // SAFETY: From `Box::into_raw`, by the type invariant.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}

// SAFETY: It owns what it points to, which may be sent.
unsafe impl Send for CalledDoorbell {}
