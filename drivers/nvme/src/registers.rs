//! Controller registers (NVMe Base 2.0 §3.1.3, NVMe over PCIe §3.1).

use core::time::Duration;

use kit::memory::PAGE_SIZE;
use kit::registers::Registers;

/// Controller capabilities (CAP), 64 bits.
const CAP: usize = 0x00;
/// Version (VS).
const VS: usize = 0x08;
/// Controller configuration (CC).
const CC: usize = 0x14;
/// Controller status (CSTS).
const CSTS: usize = 0x1c;
/// Admin queue attributes (AQA).
const AQA: usize = 0x24;
/// Admin submission queue base address (ASQ), 64 bits.
const ASQ: usize = 0x28;
/// Admin completion queue base address (ACQ), 64 bits.
const ACQ: usize = 0x30;
/// The first doorbell (§3.1.3.11 of NVMe over PCIe 1.0).
pub(crate) const DOORBELLS: usize = 0x1000;

/// Bytes of a submission queue entry, as a power of two (CC.IOSQES).
pub(crate) const SQES: u32 = 6;
/// Bytes of a completion queue entry, as a power of two (CC.IOCQES).
pub(crate) const CQES: u32 = 4;

/// What a controller can do (CAP, §3.1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Entries of the largest queue (MQES, which counts from zero), 2 and
    /// more by the specification.
    pub fn max_queue_entries(self) -> u32 {
        (self.0 & 0xffff) as u32 + 1
    }

    /// Longest wait for CSTS.RDY to follow CC.EN (TO, in units of 500 ms).
    pub fn timeout(self) -> Duration {
        Duration::from_millis(500 * (self.0 >> 24 & 0xff))
    }

    /// Bytes from one doorbell to the next (DSTRD).
    pub fn doorbell_stride(self) -> usize {
        4 << (self.0 >> 32 & 0xf)
    }

    /// Whether it has the NVM command set (CSS, bit 37).
    pub fn nvm_command_set(self) -> bool {
        self.0 >> 37 & 1 == 1
    }

    /// Whether the smallest memory page (MPSMIN, 2^(12 + n)) is that of the
    /// kit, which is the one that the driver chooses.
    pub fn takes_page_size(self) -> bool {
        const { assert!(PAGE_SIZE == 4096) };
        self.0 >> 48 & 0xf == 0
    }

    /// The register's value.
    pub fn raw(self) -> u64 {
        self.0
    }
}

/// What a controller says of itself (CSTS, §3.1.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerStatus(u32);

impl ControllerStatus {
    /// It does not answer: all bits are set, which no controller that is
    /// there may show.
    pub fn gone(self) -> bool {
        self.0 == u32::MAX
    }

    /// It takes commands (RDY).
    pub fn ready(self) -> bool {
        self.0 & 1 == 1
    }

    /// It failed for good and wants a reset (CFS).
    pub fn fatal(self) -> bool {
        self.0 >> 1 & 1 == 1
    }

    /// Its shutdown is through (SHST).
    pub fn shut_down(self) -> bool {
        self.0 >> 2 & 3 == 2
    }
}

/// How a controller is told to shut down (CC.SHN, §3.1.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shutdown {
    None = 0,
    Normal = 1,
}

/// The controller's own registers, by name.
pub(crate) struct ControllerRegisters<'a, R>(pub(crate) &'a R);

impl<R: Registers> ControllerRegisters<'_, R> {
    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities(self.0.read64(CAP))
    }

    /// Major, minor and tertiary version in its bytes, the major one highest.
    pub(crate) fn version(&self) -> u32 {
        self.0.read32(VS)
    }

    pub(crate) fn status(&self) -> ControllerStatus {
        ControllerStatus(self.0.read32(CSTS))
    }

    /// CC with 4 KiB pages, the NVM command set, round robin and the entry
    /// sizes of this driver.
    pub(crate) fn configure(&self, enable: bool, shutdown: Shutdown) {
        let value = CQES << 20 | SQES << 16 | (shutdown as u32) << 14 | u32::from(enable);
        self.0.write32(CC, value);
    }

    /// Clears CC.EN and leaves the rest, which some controllers look at until
    /// they are disabled.
    pub(crate) fn disable(&self) {
        let value = self.0.read32(CC);
        self.0.write32(CC, value & !1);
    }

    /// Addresses and sizes of the admin queues; each has 2..=4096 entries.
    pub(crate) fn set_admin_queues(&self, entries: u16, submission: u64, completion: u64) {
        let size = u32::from(entries) - 1;
        self.0.write32(AQA, size << 16 | size);
        self.0.write64(ASQ, submission);
        self.0.write64(ACQ, completion);
    }

    /// The doorbell of a queue: that of its tail, or of its head.
    pub(crate) fn doorbell(&self, queue: u16, head: bool) -> Option<R::Doorbell> {
        self.0
            .doorbell(DOORBELLS + self.doorbell_offset(queue, head))
    }

    /// Where that is among all doorbells; in doorbell buffers too (§5.8).
    pub(crate) fn doorbell_offset(&self, queue: u16, head: bool) -> usize {
        let number = 2 * usize::from(queue) + usize::from(head);
        number * self.capabilities().doorbell_stride()
    }
}
