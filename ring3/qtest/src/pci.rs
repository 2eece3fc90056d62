//! A PCI function: its configuration space, its first window of registers and
//! its MSI-X vectors (PCI Local Bus 3.0 §6.1, §6.2, §6.8.2).

use anyhow::{bail, Result};

use crate::socket::Bus;

/// Ports of configuration mechanism 1: address, data.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;

/// Vendor and device.
const IDENTITY: u8 = 0x00;
/// Command and status.
const COMMAND: u8 = 0x04;
/// The first base address register.
const BASE: u8 = 0x10;
/// Where the list of capabilities begins.
const CAPABILITIES: u8 = 0x34;

/// Command: memory is decoded; the function may be a bus master.
const MEMORY: u32 = 1 << 1;
const MASTER: u32 = 1 << 2;

/// The capability of MSI-X, and its enable bit in the first word.
const MSIX: u8 = 0x11;
const MSIX_ENABLE: u32 = 1 << 31;

/// Where a slot's windows are put: above any RAM of these machines, with so much
/// room.
const WINDOWS: u32 = 0xe000_0000;
const ROOM: u32 = 1 << 23;

/// A function of bus 0 with its windows at addresses of their own.
#[derive(Clone)]
pub struct Function {
    bus: Bus,
    slot: u8,
    bars: [u32; 6],
    /// Bytes of the first window.
    length: usize,
}

impl Function {
    /// Function 0 of a slot (0 to 31) of bus 0: gives its windows addresses and
    /// lets it decode them. It is no bus master yet.
    ///
    /// # Errors
    ///
    /// If there is none, or if its first window is no memory.
    pub fn new(bus: Bus, slot: u8) -> Result<Function> {
        let mut function = Function {
            bus,
            slot,
            bars: [0; 6],
            length: 0,
        };
        if function.read(IDENTITY) == u32::MAX {
            bail!("slot {slot} has no PCI function");
        }
        let mut next = WINDOWS + u32::from(slot & 0x1f) * ROOM;
        let end = next + ROOM;
        let mut index = 0;
        while index < 6 {
            let register = BASE + 4 * index as u8;
            function.write(register, u32::MAX);
            let mask = function.read(register);
            let size = (!(mask & !0xf)).wrapping_add(1);
            if mask & 1 == 1 || mask == 0 {
                // Ports, or nothing.
                index += 1;
                continue;
            }
            next = next.next_multiple_of(size.max(4096));
            if size > end - next {
                bail!("slot {slot}: window {index} of {size} bytes is too large");
            }
            function.write(register, next);
            function.bars[index] = next;
            if index == 0 {
                function.length = size as usize;
            }
            next += size;
            index += 1;
            if mask >> 1 & 3 == 2 {
                // The high half of 64 bits.
                function.write(register + 4, 0);
                index += 1;
            }
        }
        if function.bars[0] == 0 {
            bail!("slot {slot}: the first window is no memory");
        }
        function.write(COMMAND, MEMORY);
        Ok(function)
    }

    /// Reads 32 bits of configuration space at a multiple of 4.
    pub fn read(&self, register: u8) -> u32 {
        self.select(register);
        self.bus.in32(DATA)
    }

    /// Writes 32 bits of configuration space at a multiple of 4.
    pub fn write(&self, register: u8, value: u32) {
        self.select(register);
        self.bus.out32(DATA, value);
    }

    fn select(&self, register: u8) {
        let address = 1 << 31 | u32::from(self.slot) << 11 | u32::from(register & !3);
        self.bus.out32(ADDRESS, address);
    }

    /// Vendor and device.
    pub fn identity(&self) -> (u16, u16) {
        let identity = self.read(IDENTITY);
        (identity as u16, (identity >> 16) as u16)
    }

    /// Lets it reach memory, or keeps it from it; whether it is so now. A
    /// function that is gone reaches nothing.
    pub fn set_master(&self, on: bool) -> bool {
        self.write(COMMAND, if on { MEMORY | MASTER } else { MEMORY });
        match self.read(COMMAND) {
            u32::MAX => !on,
            command => (command & MASTER != 0) == on,
        }
    }

    /// Bytes of the first window of registers.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Address of the first window.
    pub fn window(&self) -> u64 {
        self.bars[0].into()
    }

    /// The machine's buses.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Has as many vectors as there are words write 1 to them, and answers how
    /// many there are: it may have fewer.
    ///
    /// # Errors
    ///
    /// If it has no MSI-X.
    pub fn set_vectors(&self, words: &[u64]) -> Result<u16> {
        let mut at = self.read(CAPABILITIES) as u8;
        // A list has no more capabilities than fit.
        for _ in 0..48 {
            let head = self.read(at);
            if at == 0 || head as u8 == MSIX {
                break;
            }
            at = (head >> 8) as u8;
        }
        let control = self.read(at);
        if at == 0 || control as u8 != MSIX {
            bail!("slot {}: the function has no MSI-X", self.slot);
        }
        let table = self.read(at + 4);
        let Some(window) = self.bars.get((table & 7) as usize) else {
            bail!("slot {}: the MSI-X table is in no window", self.slot);
        };
        let entries = (control >> 16 & 0x7ff) as usize + 1;
        let table = u64::from(window + (table & !7));
        for (index, word) in words.iter().take(entries).enumerate() {
            let entry = table + 16 * index as u64;
            self.bus.write32(entry, *word as u32);
            self.bus.write32(entry + 4, (*word >> 32) as u32);
            self.bus.write32(entry + 8, 1); // what is written
            self.bus.write32(entry + 12, 0); // not masked
        }
        self.write(at, control | MSIX_ENABLE);
        Ok(words.len().min(entries) as u16)
    }
}
