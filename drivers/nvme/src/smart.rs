//! The SMART and health log page (NVMe Base 2.0 §5.16.1.3, figure 207).

use zerocopy::little_endian::{U128, U16, U32};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a controller says of its health, 512 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Smart {
    /// Bits of what is critical; see [`warnings`](Smart::warnings).
    pub critical_warning: u8,
    /// Composite temperature in kelvins.
    pub temperature: U16,
    /// Spare that is left, percent.
    pub available_spare: u8,
    /// Percent of spare below which a warning is given.
    pub spare_threshold: u8,
    /// Percent of the life that is used up, 255 for 255 and more.
    pub percentage_used: u8,
    /// The same bits for endurance groups.
    pub endurance_group_warning: u8,
    reserved: [u8; 25],
    /// Data units (1000 of 512 bytes, rounded up) that the host read.
    pub data_units_read: U128,
    /// Data units that the host wrote.
    pub data_units_written: U128,
    /// Read commands.
    pub host_reads: U128,
    /// Write commands.
    pub host_writes: U128,
    /// Minutes in which commands were under way.
    pub busy_minutes: U128,
    /// Times that it was powered on.
    pub power_cycles: U128,
    /// Hours that it was powered on.
    pub power_on_hours: U128,
    /// Shutdowns without notice.
    pub unsafe_shutdowns: U128,
    /// Errors of medium and data integrity.
    pub media_errors: U128,
    /// Entries of the error log over its life.
    pub error_log_entries: U128,
    /// Minutes above the warning temperature.
    pub warning_temperature_minutes: U32,
    /// Minutes above the critical temperature.
    pub critical_temperature_minutes: U32,
    /// Temperature sensors in kelvins, 0 for one that is not there.
    pub sensors: [U16; 8],
    rest: [u8; 296],
}

const _: () = assert!(size_of::<Smart>() == 512);

/// What the bits of a critical warning say, from bit 0 on.
const WARNINGS: [&str; 6] = [
    "spare below its threshold",
    "temperature beyond a threshold",
    "reliability degraded",
    "read only",
    "backup of volatile memory failed",
    "persistent memory region unreliable",
];

impl Smart {
    /// What is critical, in words.
    pub fn warnings(&self) -> impl Iterator<Item = &'static str> + '_ {
        let set = |bit: &usize| self.critical_warning >> bit & 1 == 1;
        (0..WARNINGS.len()).filter(set).map(|bit| WARNINGS[bit])
    }

    /// A temperature in degrees Celsius; `None` for a sensor that is not there.
    pub fn celsius(kelvins: U16) -> Option<i32> {
        match kelvins.get() {
            0 => None,
            kelvins => Some(i32::from(kelvins) - 273),
        }
    }
}
