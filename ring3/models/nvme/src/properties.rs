//! The controller's properties as the host reads and writes them (Base 2.0
//! §3.1.3).

use crate::controller::Controller;
use crate::faults::{Action, Kind};
use crate::life::{Life, Shutdown};
use crate::memory::Memory;
use crate::registers as reg;
use crate::registers::ControllerConfiguration;

impl<M: Memory> Controller<M> {
    /// Base 2.0.0.
    pub(crate) const VERSION: u32 = 0x0002_0000;

    pub(crate) fn cap(&self) -> u64 {
        let config = &self.config;
        u64::from(config.max_queue_entries - 1) // MQES
            | 1 << 16 // CQR: queues are contiguous
            | u64::from(config.timeout) << 24 // TO
            | u64::from(config.doorbell_stride) << 32 // DSTRD
            | u64::from(config.subsystem_reset) << 36 // NSSRS
            | 1 << 37 // CSS: the NVM command set
            | u64::from(config.max_page_shift) << 52 // MPSMAX
    }

    fn csts(&self) -> u32 {
        let ready = match self.life {
            Life::Ready | Life::Resetting(_) => reg::CSTS_READY,
            Life::Disabled | Life::Starting(_) => 0,
        };
        let shutdown = match self.shutdown {
            Shutdown::Not => 0,
            Shutdown::Occurring { .. } => reg::CSTS_SHUTDOWN_OCCURRING,
            Shutdown::Complete => reg::CSTS_SHUTDOWN_COMPLETE,
        };
        ready
            | shutdown
            | if self.broken.fatal {
                reg::CSTS_FATAL
            } else {
                0
            }
            | if self.subsystem_was_reset {
                reg::CSTS_SUBSYSTEM_RESET
            } else {
                0
            }
    }

    /// The aligned 64-bit register at an offset, of which a 32-bit one is a
    /// half. Nothing if there is none.
    fn register(&self, offset: u64) -> Option<u64> {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Some(match offset {
            reg::CAP => self.cap(),
            0x08 => pair(Self::VERSION, self.interrupts.mask),
            0x10 => pair(self.interrupts.mask, self.cc.0),
            0x18 => pair(0, self.csts()),
            0x20 => pair(0, self.admin_attributes),
            reg::ASQ => self.admin_sq,
            reg::ACQ => self.admin_cq,
            // Reserved, and registers of things that are not there (CMB, boot
            // partitions, PMR): zero.
            0x38..0x1000 => 0,
            _ => return None,
        })
    }

    /// Bytes of the register space (BAR 0): doorbells end there.
    pub fn register_space(&self) -> u64 {
        let doorbells = 2 * (u64::from(self.config.io_queues) + 1);
        reg::DOORBELLS + doorbells * self.doorbell_stride()
    }

    pub(crate) fn undefined(&mut self) {
        self.counters.undefined_accesses += 1;
    }

    /// Counts a register read; what it gives without looking, by removal or by
    /// script.
    fn before_read(&mut self) -> Option<u64> {
        self.counters.register_reads += 1;
        let mut value = None;
        if self.faults.count(Kind::RegisterRead) {
            while let Some(action) = self.faults.take(Kind::RegisterRead) {
                match action {
                    Action::ReadAs(wrong) => value = Some(wrong),
                    action => self.happen(action),
                }
            }
        }
        if self.broken.removed {
            value = Some(u64::MAX);
        }
        value
    }

    /// Counts a register write; whether it arrives.
    fn before_write(&mut self) -> bool {
        self.counters.register_writes += 1;
        let mut arrives = true;
        if self.faults.count(Kind::RegisterWrite) {
            while let Some(action) = self.faults.take(Kind::RegisterWrite) {
                match action {
                    Action::Drop => arrives = false,
                    action => self.happen(action),
                }
            }
        }
        arrives && !self.broken.removed
    }

    /// Reads a register of 32 bits, or half of one of 64. What is not a
    /// register reads 0 and is counted.
    pub fn read32(&mut self, offset: u64) -> u32 {
        if let Some(value) = self.before_read() {
            return value as u32;
        }
        if let (Some(value), 0) = (self.register(offset & !7), offset % 4) {
            return (value >> (8 * (offset & 4))) as u32;
        }
        self.undefined(); // doorbells cannot be read (PCIe transport §3.1.2.1)
        0
    }

    /// Reads a register of 64 bits: CAP, ASQ, ACQ. Others are not to be read so
    /// (Base 2.0 §3.1.3); they read 0 and are counted.
    pub fn read64(&mut self, offset: u64) -> u64 {
        if let Some(value) = self.before_read() {
            return value;
        }
        match offset {
            reg::CAP => self.cap(),
            reg::ASQ => self.admin_sq,
            reg::ACQ => self.admin_cq,
            _ => {
                self.undefined();
                0
            }
        }
    }

    /// Writes a register of 32 bits, half of ASQ or ACQ, or a doorbell. What
    /// cannot be written is counted and ignored.
    pub fn write32(&mut self, offset: u64, value: u32) {
        if !self.before_write() {
            return;
        }
        if offset >= reg::DOORBELLS {
            self.ring(offset - reg::DOORBELLS, value);
            return;
        }
        let low = |old: u64| old & !0xffff_ffff | u64::from(value);
        let high = |old: u64| old & 0xffff_ffff | u64::from(value) << 32;
        match offset {
            reg::INTMS if self.interrupts.is_pin() => self.interrupts.mask |= value,
            reg::INTMC if self.interrupts.is_pin() => self.interrupts.mask &= !value,
            reg::CC => self.configure(ControllerConfiguration(
                value & ControllerConfiguration::DEFINED,
            )),
            reg::CSTS => {
                if value & reg::CSTS_SUBSYSTEM_RESET != 0 {
                    self.subsystem_was_reset = false;
                }
            }
            reg::NSSR if self.config.subsystem_reset => {
                if value == reg::NSSR_MAGIC {
                    self.power_on();
                    self.subsystem_was_reset = true;
                }
            }
            reg::AQA if self.is_off() => self.admin_attributes = value & 0x0fff_0fff,
            reg::ASQ if self.is_off() => self.admin_sq = low(self.admin_sq) & !0xfff,
            0x2c if self.is_off() => self.admin_sq = high(self.admin_sq),
            reg::ACQ if self.is_off() => self.admin_cq = low(self.admin_cq) & !0xfff,
            0x34 if self.is_off() => self.admin_cq = high(self.admin_cq),
            _ => self.undefined(),
        }
    }

    /// Writes a register of 64 bits: ASQ, ACQ. Others are not to be written so;
    /// they are counted and ignored.
    pub fn write64(&mut self, offset: u64, value: u64) {
        if !self.before_write() {
            return;
        }
        match offset {
            reg::ASQ if self.is_off() => self.admin_sq = value & !0xfff,
            reg::ACQ if self.is_off() => self.admin_cq = value & !0xfff,
            _ => self.undefined(),
        }
    }

    /// Whether the admin queue's registers may change.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.life, Life::Disabled)
    }
}
