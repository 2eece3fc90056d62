//! The NVM command set (NVM command set 1.0 §3.2; Flush: Base 2.0 §7.1).

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::Command;
use crate::config::optional;
use crate::controller::Controller;
use crate::data::Direction;
use crate::memory::Memory;
use crate::status::Status;

/// Opcodes of NVM commands.
pub(crate) mod opcode {
    pub const FLUSH: u8 = 0x00;
    pub const WRITE: u8 = 0x01;
    pub const READ: u8 = 0x02;
    pub const WRITE_UNCORRECTABLE: u8 = 0x04;
    pub const COMPARE: u8 = 0x05;
    pub const WRITE_ZEROES: u8 = 0x08;
    pub const DATASET_MANAGEMENT: u8 = 0x09;
    pub const VERIFY: u8 = 0x0c;
}

/// Force Unit Access, doubleword 12.
const FUA: u32 = 1 << 30;
/// Deallocate (DEAC), doubleword 12 of Write Zeroes.
const DEALLOCATE: u32 = 1 << 25;

/// A range of Dataset Management (§3.2.3).
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct DatasetRange {
    attributes: U32,
    /// Blocks.
    length: U32,
    lba: U64,
}

const _: () = assert!(size_of::<DatasetRange>() == 16);

/// SLBA and NLB of a command.
fn blocks(command: &Command) -> (u64, u64) {
    let lba = u64::from(command.dw10.get()) | u64::from(command.dw11.get()) << 32;
    (lba, u64::from(command.dw12.get() & 0xffff) + 1)
}

impl<M: Memory> Controller<M> {
    /// Executes an I/O command.
    pub(crate) fn io(&mut self, command: &Command) -> Result<(), Status> {
        let offered = self.config.optional_commands;
        match command.opcode {
            opcode::READ => self.read(command),
            opcode::WRITE => self.write(command),
            opcode::FLUSH => self.flush(command),
            opcode::WRITE_UNCORRECTABLE if offered & optional::WRITE_UNCORRECTABLE != 0 => {
                self.write_uncorrectable(command)
            }
            opcode::COMPARE if offered & optional::COMPARE != 0 => self.compare(command),
            opcode::WRITE_ZEROES if offered & optional::WRITE_ZEROES != 0 => {
                self.write_zeroes(command)
            }
            opcode::DATASET_MANAGEMENT if offered & optional::DATASET_MANAGEMENT != 0 => {
                self.dataset_management(command)
            }
            opcode::VERIFY if offered & optional::VERIFY != 0 => self.verify(command),
            _ => Err(Status::INVALID_OPCODE),
        }
    }

    /// Where the command's blocks are in its namespace: first byte, bytes.
    fn range(&mut self, command: &Command) -> Result<(u64, u64), Status> {
        let (lba, count) = blocks(command);
        self.active_namespace(command.nsid.get())?.range(lba, count)
    }

    /// Whether what is written now is on the medium when the command ends.
    fn is_durable(&self, command: &Command) -> bool {
        !self.features.write_cache || command.dw12.get() & FUA != 0
    }

    /// Read (§3.2.4). With FUA, what is read is on the medium first.
    fn read(&mut self, command: &Command) -> Result<(), Status> {
        let (start, length) = self.range(command)?;
        self.locate(command, length, Direction::ToHost)?;
        let namespace = self.namespaces[command.nsid.get() as usize - 1].as_mut();
        let namespace = namespace.ok_or(Status::INVALID_FIELD)?;
        if command.dw12.get() & FUA != 0 {
            namespace.flush();
        }
        namespace.read(&self.memory, start, &self.segments)?;
        self.logs.reads += 1;
        self.logs.read_bytes += length;
        Ok(())
    }

    /// Write (§3.2.6).
    fn write(&mut self, command: &Command) -> Result<(), Status> {
        let (start, length) = self.range(command)?;
        self.locate(command, length, Direction::FromHost)?;
        let durable = self.is_durable(command);
        let namespace = self.namespaces[command.nsid.get() as usize - 1].as_mut();
        let namespace = namespace.ok_or(Status::INVALID_FIELD)?;
        namespace.write(&self.memory, start, &self.segments, durable)?;
        self.logs.writes += 1;
        self.logs.written_bytes += length;
        Ok(())
    }

    /// Flush (Base 2.0 §7.1). The broadcast identifier flushes all namespaces.
    fn flush(&mut self, command: &Command) -> Result<(), Status> {
        if command.nsid.get() == u32::MAX {
            self.flush_all();
        } else {
            self.active_namespace(command.nsid.get())?.flush();
        }
        Ok(())
    }

    /// Write Uncorrectable (§3.2.7).
    fn write_uncorrectable(&mut self, command: &Command) -> Result<(), Status> {
        let (start, length) = self.range(command)?;
        self.active_namespace(command.nsid.get())?
            .spoil(start, length);
        Ok(())
    }

    /// Compare (§3.2.1).
    fn compare(&mut self, command: &Command) -> Result<(), Status> {
        let (start, length) = self.range(command)?;
        self.locate(command, length, Direction::FromHost)?;
        let namespace = self.namespaces[command.nsid.get() as usize - 1].as_ref();
        let namespace = namespace.ok_or(Status::INVALID_FIELD)?;
        namespace.compare(&self.memory, start, &self.segments)
    }

    /// Write Zeroes (§3.2.8).
    fn write_zeroes(&mut self, command: &Command) -> Result<(), Status> {
        let (start, length) = self.range(command)?;
        let deallocate = command.dw12.get() & DEALLOCATE != 0;
        let durable = self.is_durable(command);
        self.active_namespace(command.nsid.get())?
            .zero(start, length, deallocate, durable);
        Ok(())
    }

    /// Verify (§3.2.5).
    fn verify(&mut self, command: &Command) -> Result<(), Status> {
        let (start, length) = self.range(command)?;
        self.active_namespace(command.nsid.get())?
            .verify(start, length)
    }

    /// Dataset Management (§3.2.3). Hints are ignored; all ranges are checked
    /// before one is deallocated.
    fn dataset_management(&mut self, command: &Command) -> Result<(), Status> {
        self.active_namespace(command.nsid.get())?;
        let count = (command.dw10.get() & 0xff) as usize + 1;
        let deallocate = command.dw11.get() & 1 << 2 != 0; // AD
        let length = 16 * count;
        self.locate(command, length as u64, Direction::FromHost)?;
        let mut bytes = [0; 16 * 256];
        crate::data::take(&self.memory, &self.segments, &mut bytes[..length])?;
        let bytes = &bytes[..length];
        let ranges = <[DatasetRange]>::ref_from_bytes(bytes).map_err(|_| Status::INVALID_FIELD)?;
        let durable = !self.features.write_cache;
        let namespace = self.active_namespace(command.nsid.get())?;
        for range in ranges {
            namespace.range(range.lba.get(), range.length.get().into())?;
        }
        if !deallocate {
            return Ok(());
        }
        for range in ranges {
            let (start, length) = namespace.range(range.lba.get(), range.length.get().into())?;
            namespace.zero(start, length, true, durable);
        }
        Ok(())
    }
}
