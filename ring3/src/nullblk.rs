//! Null block devices in ring 3: ours, its C twin, and the empty function
//! table whose cost is the load's own.

use std::ffi::c_void;

use ::nullblk::{Attribute, CompletionMode, NullBlock, Settings};

use crate::placement::{Placed, DEVICE};
use crate::table::{table_of, DriverTable};

/// Who serves the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `drivers/nullblk`.
    Rust,
    /// Its C twin, `twin.c`.
    C,
    /// A function table whose functions return at once: what is left is the
    /// cost of the load. Its requests are taken back unserved.
    Empty,
}

impl Subject {
    /// The name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Rust => "rust",
            Subject::C => "c",
            Subject::Empty => "empty",
        }
    }

    /// The subject of that name.
    pub fn by_name(name: &str) -> Option<Subject> {
        [Subject::Rust, Subject::C, Subject::Empty]
            .into_iter()
            .find(|subject| subject.name() == name)
    }
}

/// `struct rf_nullblk` of `twin.h`.
#[repr(C)]
struct Twin {
    size_mib: u64,
    block_size: u32,
    irq_mode: u32,
    submit_queues: u32,
    hw_queue_depth: u32,
}

// The statics are only read.
extern "C" {
    #[link_name = "rf_nullblk_twin"]
    static TWIN: DriverTable;
    #[link_name = "rf_empty"]
    static EMPTY: DriverTable;
}

enum Instance {
    Rust(Box<Placed<NullBlock, DEVICE>>),
    C(Box<Placed<Twin, DEVICE>>),
    Empty,
}

/// A null block device, served by one of the subjects.
pub struct Device {
    subject: Subject,
    settings: Settings,
    instance: Instance,
}

impl Device {
    /// A device with these settings.
    pub fn new(subject: Subject, settings: Settings) -> Device {
        let instance = match subject {
            Subject::Rust => Instance::Rust(Placed::new(NullBlock::new(settings))),
            Subject::C => Instance::C(Placed::new(Twin {
                size_mib: settings.size_mib(),
                block_size: settings.block_size(),
                irq_mode: settings.value(Attribute::IrqMode) as u32,
                submit_queues: settings.submit_queues(),
                hw_queue_depth: settings.hw_queue_depth(),
            })),
            Subject::Empty => Instance::Empty,
        };
        Device {
            subject,
            settings,
            instance,
        }
    }

    /// Another device of the same subject and settings, elsewhere in memory.
    pub(crate) fn another(&self) -> Device {
        Device::new(self.subject, self.settings)
    }

    /// The device's settings, as the instance has them.
    pub fn read_back(&self) -> [(&'static str, u64); 5] {
        let values = match &self.instance {
            Instance::C(twin) => [
                twin.value.size_mib,
                u64::from(twin.value.block_size),
                u64::from(twin.value.irq_mode),
                u64::from(twin.value.submit_queues),
                u64::from(twin.value.hw_queue_depth),
            ],
            Instance::Rust(device) => {
                Attribute::ALL.map(|attribute| device.value.settings().value(attribute))
            }
            Instance::Empty => Attribute::ALL.map(|attribute| self.settings.value(attribute)),
        };
        let mut named = Attribute::ALL.map(|attribute| (attribute.name(), 0));
        for (entry, value) in named.iter_mut().zip(values) {
            entry.1 = value;
        }
        named
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

    /// Whether requests go through soft completion.
    pub(crate) fn soft(&self) -> bool {
        self.settings.irq_mode() == CompletionMode::Soft
    }

    /// The function table and the device pointer that goes with it. The
    /// pointer lives as long as `self`, and its functions may be called from
    /// several threads at once: a `NullBlock` is `Sync`, and the twin only
    /// reads.
    pub(crate) fn table(&self) -> (DriverTable, *mut c_void) {
        match &self.instance {
            Instance::Rust(device) => (
                table_of::<NullBlock>(),
                (&raw const device.value).cast_mut().cast(),
            ),
            // SAFETY: The table is a constant of `twin.c`.
            Instance::C(twin) => (unsafe { TWIN }, (&raw const twin.value).cast_mut().cast()),
            // SAFETY: As for the twin's.
            Instance::Empty => (unsafe { EMPTY }, std::ptr::null_mut()),
        }
    }
}
