//! The controller's properties (Base 2.0 §3.1.3): offsets and fields.

/// Controller Capabilities, 64 bits (§3.1.3.1).
pub(crate) const CAP: u64 = 0x00;
/// Interrupt Mask Set (§3.1.3.3).
pub(crate) const INTMS: u64 = 0x0c;
/// Interrupt Mask Clear (§3.1.3.4).
pub(crate) const INTMC: u64 = 0x10;
/// Controller Configuration (§3.1.3.5).
pub(crate) const CC: u64 = 0x14;
/// Controller Status (§3.1.3.6).
pub(crate) const CSTS: u64 = 0x1c;
/// NVM Subsystem Reset (§3.1.3.7).
pub(crate) const NSSR: u64 = 0x20;
/// Admin Queue Attributes (§3.1.3.8).
pub(crate) const AQA: u64 = 0x24;
/// Admin Submission Queue Base Address, 64 bits (§3.1.3.9).
pub(crate) const ASQ: u64 = 0x28;
/// Admin Completion Queue Base Address, 64 bits (§3.1.3.10).
pub(crate) const ACQ: u64 = 0x30;
/// The first doorbell (PCIe transport 1.0 §3.1.2).
pub(crate) const DOORBELLS: u64 = 0x1000;

/// What resets the subsystem when written to NSSR: "NVMe".
pub(crate) const NSSR_MAGIC: u32 = 0x4e56_4d65;

/// CSTS.RDY
pub(crate) const CSTS_READY: u32 = 1 << 0;
/// CSTS.CFS
pub(crate) const CSTS_FATAL: u32 = 1 << 1;
/// CSTS.SHST, "shutdown processing occurring".
pub(crate) const CSTS_SHUTDOWN_OCCURRING: u32 = 0b01 << 2;
/// CSTS.SHST, "shutdown processing complete".
pub(crate) const CSTS_SHUTDOWN_COMPLETE: u32 = 0b10 << 2;
/// CSTS.NSSRO, cleared by writing 1.
pub(crate) const CSTS_SUBSYSTEM_RESET: u32 = 1 << 4;

/// Controller Configuration.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ControllerConfiguration(pub u32);

impl ControllerConfiguration {
    /// The bits that are not reserved: EN, CSS to SHN, IOSQES, IOCQES.
    pub const DEFINED: u32 = 0x00ff_fff1;

    pub fn enabled(self) -> bool {
        self.0 & 1 != 0
    }
    /// CSS, the command sets selected.
    pub fn command_set(self) -> u32 {
        self.0 >> 4 & 0b111
    }
    /// MPS: pages of `2^(12 + MPS)` bytes.
    pub fn page_shift(self) -> u32 {
        12 + (self.0 >> 7 & 0xf)
    }
    /// AMS, the arbitration mechanism.
    pub fn arbitration(self) -> u32 {
        self.0 >> 11 & 0b111
    }
    /// SHN: 1 a normal, 2 an abrupt shutdown.
    pub fn shutdown(self) -> u32 {
        self.0 >> 14 & 0b11
    }
    /// IOSQES, as a power of two.
    pub fn sq_entry_shift(self) -> u32 {
        self.0 >> 16 & 0xf
    }
    /// IOCQES, as a power of two.
    pub fn cq_entry_shift(self) -> u32 {
        self.0 >> 20 & 0xf
    }
    /// The fields that must not change while the controller is enabled.
    pub fn fixed_fields(self) -> u32 {
        self.0 & 0x3ff0
    }
}
