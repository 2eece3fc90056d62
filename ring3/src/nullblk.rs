//! Null block devices in ring 3: ours, its C twin by either compiler, and the
//! empty function table whose cost is the load's own.

use std::ffi::c_void;
use std::sync::atomic::AtomicU8;
use std::sync::Mutex;

use ::nullblk::{Attribute, CompletionMode, Medium, NullBlock, Settings};

use crate::delay::Delayed;
use crate::memory::Memory;
use crate::placement::{Placed, DEVICE};
use crate::subject::{Subject, Unable};
use crate::table::{table_of, DriverTable, Shared};

/// `struct rf_nullblk` of `twin.h`.
#[repr(C)]
struct Twin {
    completion_nsec: u64,
    /// A [`CompletionMode`].
    mode: u8,
    needs_medium: AtomicU8,
}

// The statics are only read.
extern "C" {
    #[link_name = "rf_nullblk_twin"]
    static TWIN: DriverTable;
    #[cfg(ringfence_clang)]
    #[link_name = "rf_nullblk_twin_clang"]
    static TWIN_CLANG: DriverTable;
    #[link_name = "rf_empty"]
    static EMPTY: DriverTable;
}

/// The setting `irqmode` that a twin's mode is of.
fn irqmode(mode: u8) -> u64 {
    let modes = [
        CompletionMode::None,
        CompletionMode::Soft,
        CompletionMode::Timer,
    ];
    modes
        .iter()
        .take_while(|&&known| known as u8 != mode)
        .count() as u64
}

type Driver = NullBlock<Memory>;

enum Instance {
    Rust(Box<Placed<Shared<Driver>, DEVICE>>),
    C(Box<Placed<Twin, DEVICE>>),
    Empty,
}

/// A null block device, served by one of the subjects.
pub struct Device {
    subject: Subject,
    settings: Settings,
    instance: Instance,
    /// Nanoseconds an operation, and what waits for them.
    delay: Option<(f64, Box<Delayed>)>,
}

impl Device {
    /// A device with these settings.
    pub fn new(subject: Subject, settings: Settings) -> Result<Device, Unable> {
        let settings = settings
            .checked()
            .map_err(|_| Unable("its zones do not fit its size"))?;
        for attribute in [Attribute::Mbps, Attribute::Zoned] {
            if settings.on(attribute) {
                return Err(Unable("ring 3 has neither mbps nor zones"));
            }
        }
        subject.check()?;
        let instance = match subject {
            Subject::Rust | Subject::RustNochecks => {
                let mut medium = Medium::new(&settings).map_err(|_| NO_MEMORY)?;
                medium.prepare(&settings).map_err(|_| NO_MEMORY)?;
                Instance::Rust(Placed::new(Shared {
                    driver: NullBlock::new(settings, &medium),
                    medium: Mutex::new(medium),
                }))
            }
            Subject::C | Subject::CClang => {
                if settings.blocking() {
                    return Err(Unable(
                        "the C twin has plain devices only: no memory backing, no faults",
                    ));
                }
                Instance::C(Placed::new(Twin {
                    completion_nsec: settings.value(Attribute::CompletionNsec),
                    mode: settings.irq_mode() as u8,
                    needs_medium: AtomicU8::new(0),
                }))
            }
            Subject::Empty => Instance::Empty,
        };
        Ok(Device {
            subject,
            settings,
            instance,
            delay: None,
        })
    }

    /// The device with a delay in its call table: so many nanoseconds an
    /// operation on average, 0 or more. With 0 it has the cost of what waits.
    #[must_use]
    pub fn delayed(mut self, nanoseconds: f64) -> Device {
        let delayed = Delayed::new(self.undelayed_table(), nanoseconds);
        self.delay = Some((nanoseconds, delayed));
        self
    }

    /// Another device of the same subject and settings, elsewhere in memory.
    pub(crate) fn another(&self) -> Result<Device, Unable> {
        let device = Device::new(self.subject, self.settings)?;
        Ok(match &self.delay {
            None => device,
            Some((nanoseconds, _)) => device.delayed(*nanoseconds),
        })
    }

    /// The device's settings by name: those that its instance has, as it has
    /// them; those of the load's queues as the load uses them.
    pub fn read_back(&self) -> Vec<(&'static str, u64)> {
        let settings = match &self.instance {
            Instance::Rust(device) => device.value.driver.settings(),
            Instance::C(_) | Instance::Empty => &self.settings,
        };
        let shown = [
            Attribute::Size,
            Attribute::BlockSize,
            Attribute::IrqMode,
            Attribute::CompletionNsec,
            Attribute::SubmitQueues,
            Attribute::PollQueues,
            Attribute::HwQueueDepth,
            Attribute::MemoryBacked,
            Attribute::MemoryLimit,
            Attribute::Discard,
            Attribute::CacheSize,
            Attribute::Fua,
        ];
        shown
            .into_iter()
            .map(|attribute| {
                let value = match (&self.instance, attribute) {
                    (Instance::C(twin), Attribute::IrqMode) => irqmode(twin.value.mode),
                    (Instance::C(twin), Attribute::CompletionNsec) => twin.value.completion_nsec,
                    _ => settings.value(attribute),
                };
                (attribute.name(), value)
            })
            .collect()
    }

    /// Capacity in bytes.
    pub fn capacity(&self) -> u64 {
        self.settings.size_mib() << 20
    }

    /// The device's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether requests that come back unserved are expected.
    pub(crate) fn serves(&self) -> bool {
        !matches!(self.instance, Instance::Empty)
    }

    /// The function table and the device pointer that goes with it. The
    /// pointer lives as long as `self`, and its functions may be called from
    /// several threads at once: a `Shared` is `Sync`, and the twin only
    /// reads.
    pub(crate) fn table(&self) -> (DriverTable, *mut c_void) {
        match &self.delay {
            None => self.undelayed_table(),
            Some((_, delayed)) => delayed.table(),
        }
    }

    /// The same without a delay: instances lie in boxes, so that the pointer
    /// stays valid where `self` is moved.
    fn undelayed_table(&self) -> (DriverTable, *mut c_void) {
        match &self.instance {
            Instance::Rust(device) => (
                table_of::<Driver>(),
                (&raw const device.value).cast_mut().cast(),
            ),
            Instance::C(twin) => (self.twin_table(), (&raw const twin.value).cast_mut().cast()),
            // SAFETY: The table is a constant of `twin.c`.
            Instance::Empty => (unsafe { EMPTY }, std::ptr::null_mut()),
        }
    }

    fn twin_table(&self) -> DriverTable {
        match self.subject {
            #[cfg(ringfence_clang)]
            // SAFETY: The table is a constant of `twin.c`.
            Subject::CClang => unsafe { TWIN_CLANG },
            // SAFETY: As above.
            _ => unsafe { TWIN },
        }
    }
}

const NO_MEMORY: Unable = Unable("there is no memory for it");
