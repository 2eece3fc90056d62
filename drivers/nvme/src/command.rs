//! Submission queue entries (NVMe Base 2.0 §3.3.3.1), and the commands that
//! the driver makes.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::completion::rarely;

/// Common command format, 64 bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Command {
    /// Opcode.
    pub opcode: u8,
    /// Fused operation and the data pointer's kind (PSDT).
    pub flags: u8,
    /// What its completion will name (CID).
    pub identifier: U16,
    /// Namespace (NSID).
    pub namespace: U32,
    /// Command dwords 2 and 3.
    pub cdw2: [U32; 2],
    /// Metadata pointer.
    pub metadata: U64,
    /// Data pointer: PRP entries 1 and 2, or an SGL descriptor.
    pub data: [U64; 2],
    /// Command dwords 10 to 15.
    pub cdw10: [U32; 6],
}

const _: () = assert!(size_of::<Command>() == 64);

/// Admin opcodes (§5, figure 138).
mod admin {
    pub(super) const DELETE_SUBMISSION_QUEUE: u8 = 0x00;
    pub(super) const CREATE_SUBMISSION_QUEUE: u8 = 0x01;
    pub(super) const GET_LOG_PAGE: u8 = 0x02;
    pub(super) const DELETE_COMPLETION_QUEUE: u8 = 0x04;
    pub(super) const CREATE_COMPLETION_QUEUE: u8 = 0x05;
    pub(super) const IDENTIFY: u8 = 0x06;
    pub(super) const ABORT: u8 = 0x08;
    pub(super) const SET_FEATURES: u8 = 0x09;
    pub(super) const GET_FEATURES: u8 = 0x0a;
    pub(super) const ASYNC_EVENT_REQUEST: u8 = 0x0c;
    pub(super) const DOORBELL_BUFFER_CONFIG: u8 = 0x7c;
    pub(super) const FORMAT_NVM: u8 = 0x80;
}

/// Opcodes of the NVM command set (NVM 1.0 §3, figure 11).
mod nvm {
    pub(super) const FLUSH: u8 = 0x00;
    pub(super) const WRITE: u8 = 0x01;
    pub(super) const READ: u8 = 0x02;
    pub(super) const COMPARE: u8 = 0x05;
    pub(super) const WRITE_ZEROES: u8 = 0x08;
    pub(super) const DATASET_MANAGEMENT: u8 = 0x09;
    pub(super) const VERIFY: u8 = 0x0c;
}

/// What an Identify command asks for (CNS, §5.17.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identify {
    /// A namespace, by its number.
    Namespace(u32),
    /// The controller.
    Controller,
    /// The active namespaces above a number, 1024 at most.
    ActiveNamespaces(u32),
}

/// A feature (FID, §5.27.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Feature {
    /// Volatile write cache (§5.27.1.4).
    VolatileWriteCache = 0x06,
    /// Number of queues (§5.27.1.5).
    NumberOfQueues = 0x07,
    /// Which events a controller tells of (§5.27.1.8).
    AsyncEventConfiguration = 0x0b,
}

/// A log page (LID, §5.16.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LogPage {
    /// Error information (§5.16.1.2).
    Error = 0x01,
    /// SMART and health information (§5.16.1.3), 512 bytes.
    Smart = 0x02,
    /// Changed namespaces (§5.16.1.5), 1024 numbers.
    ChangedNamespaces = 0x04,
}

/// A range of a dataset management command (NVM 1.0 §3.2.3, figure 38).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Range {
    /// Context attributes, 0.
    pub attributes: U32,
    /// Logical blocks.
    pub blocks: U32,
    /// First logical block.
    pub first: U64,
}

/// Which blocks a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Namespace, 1 or more.
    pub namespace: u32,
    /// First logical block.
    pub first: u64,
    /// How many, 1..=65536.
    pub count: u32,
}

/// A data pointer is an SGL descriptor, a metadata pointer none (PSDT 01b).
const SGL: u8 = 1 << 6;
/// Force unit access, in dword 12 of reads and writes.
const FUA: u32 = 1 << 30;
/// Deallocate, in dword 12 of write zeroes.
const DEALLOCATE: u32 = 1 << 25;
/// Deallocate, in dword 11 of dataset management.
const ATTRIBUTE_DEALLOCATE: u32 = 1 << 2;

impl Command {
    #[inline]
    fn new(opcode: u8, namespace: u32) -> Command {
        Command {
            opcode,
            namespace: U32::new(namespace),
            ..Command::default()
        }
    }

    #[inline]
    fn with<const N: usize>(mut self, dwords: [u32; N]) -> Command {
        for (to, from) in self.cdw10.iter_mut().zip(dwords) {
            to.set(from);
        }
        self
    }

    /// The same with a data pointer of PRP entries.
    #[inline]
    #[must_use]
    pub fn with_prp(mut self, entries: [u64; 2]) -> Command {
        self.data = entries.map(U64::new);
        self
    }

    /// The same with a data pointer that is an SGL descriptor (PSDT 01b, §3.3.3.1).
    #[inline]
    #[must_use]
    pub(crate) fn with_sgl(mut self, descriptor: [u64; 2]) -> Command {
        self.flags = SGL;
        self.data = descriptor.map(U64::new);
        self
    }

    /// Identify (§5.17); 4096 bytes come back.
    pub fn identify(what: Identify) -> Command {
        let (structure, namespace) = match what {
            Identify::Namespace(number) => (0x00, number),
            Identify::Controller => (0x01, 0),
            Identify::ActiveNamespaces(above) => (0x02, above),
        };
        Command::new(admin::IDENTIFY, namespace).with([structure])
    }

    /// Create I/O completion queue (§5.4) in contiguous memory; with a vector
    /// it interrupts.
    pub fn create_completion_queue(
        queue: u16,
        entries: u16,
        address: u64,
        vector: Option<u16>,
    ) -> Command {
        let (vector, enabled) = (u32::from(vector.unwrap_or(0)), u32::from(vector.is_some()));
        Command::new(admin::CREATE_COMPLETION_QUEUE, 0)
            .with_prp([address, 0])
            .with([
                queue_and_size(queue, entries),
                vector << 16 | enabled << 1 | 1,
            ])
    }

    /// Create I/O submission queue (§5.5) in contiguous memory, which completes
    /// into the completion queue of the same number.
    pub fn create_submission_queue(queue: u16, entries: u16, address: u64) -> Command {
        Command::new(admin::CREATE_SUBMISSION_QUEUE, 0)
            .with_prp([address, 0])
            .with([queue_and_size(queue, entries), u32::from(queue) << 16 | 1])
    }

    /// Delete I/O completion queue (§5.6), into which no submission queue
    /// completes any more.
    pub fn delete_completion_queue(queue: u16) -> Command {
        Command::new(admin::DELETE_COMPLETION_QUEUE, 0).with([u32::from(queue)])
    }

    /// Delete I/O submission queue (§5.7); what is in flight there comes to no
    /// other end.
    pub fn delete_submission_queue(queue: u16) -> Command {
        Command::new(admin::DELETE_SUBMISSION_QUEUE, 0).with([u32::from(queue)])
    }

    /// Set features (§5.27), a feature without data.
    pub fn set_feature(feature: Feature, value: u32) -> Command {
        Command::new(admin::SET_FEATURES, 0).with([feature as u32, value])
    }

    /// Get features (§5.15), the current value.
    pub fn get_feature(feature: Feature) -> Command {
        Command::new(admin::GET_FEATURES, 0).with([feature as u32])
    }

    /// Get log page (§5.16), its first `bytes` bytes: a multiple of 4, 4 and
    /// more. The page is the whole controller's.
    pub fn log_page(page: LogPage, bytes: u32) -> Command {
        let dwords = (bytes / 4).max(1) - 1;
        let low = (dwords & 0xffff) << 16 | page as u32;
        Command::new(admin::GET_LOG_PAGE, u32::MAX).with([low, dwords >> 16])
    }

    /// Abort (§5.1) a command of an I/O or admin queue.
    pub fn abort(queue: u16, identifier: u16) -> Command {
        let which = u32::from(identifier) << 16 | u32::from(queue);
        Command::new(admin::ABORT, 0).with([which])
    }

    /// Asynchronous event request (§5.2).
    pub(crate) fn async_event_request() -> Command {
        Command::new(admin::ASYNC_EVENT_REQUEST, 0)
    }

    /// Doorbell buffer config (§5.8): two pages, for doorbells and for event
    /// indices.
    pub(crate) fn doorbell_buffer_config(doorbells: u64, events: u64) -> Command {
        Command::new(admin::DOORBELL_BUFFER_CONFIG, 0).with_prp([doorbells, events])
    }

    /// Format NVM (§5.14): a namespace to LBA format `format` (0..=15),
    /// without secure erase.
    pub fn format(namespace: u32, format: u8) -> Command {
        Command::new(admin::FORMAT_NVM, namespace).with([u32::from(format & 0xf)])
    }

    /// Flush (NVMe Base 2.0 §7.1).
    #[inline]
    pub fn flush(namespace: u32) -> Command {
        Command::new(nvm::FLUSH, namespace)
    }

    /// Read (NVM 1.0 §3.2.4).
    #[inline]
    pub fn read(blocks: Blocks) -> Command {
        Command::of_blocks(nvm::READ, blocks, 0)
    }

    /// Write (NVM 1.0 §3.2.6); with `fua` past any volatile cache.
    #[inline]
    pub fn write(blocks: Blocks, fua: bool) -> Command {
        let mut control = 0;
        if fua {
            rarely();
            control = FUA;
        }
        Command::of_blocks(nvm::WRITE, blocks, control)
    }

    /// Compare (NVM 1.0 §3.2.1).
    pub fn compare(blocks: Blocks) -> Command {
        Command::of_blocks(nvm::COMPARE, blocks, 0)
    }

    /// Verify (NVM 1.0 §3.2.5).
    pub fn verify(blocks: Blocks) -> Command {
        Command::of_blocks(nvm::VERIFY, blocks, 0)
    }

    /// Write zeroes (NVM 1.0 §3.2.8); with `deallocate` the blocks may be
    /// given up.
    pub fn write_zeroes(blocks: Blocks, deallocate: bool) -> Command {
        Command::of_blocks(
            nvm::WRITE_ZEROES,
            blocks,
            if deallocate { DEALLOCATE } else { 0 },
        )
    }

    /// Dataset management (NVM 1.0 §3.2.3): deallocates `ranges` (1..=256) [`Range`]s
    /// that are the command's data.
    pub fn deallocate(namespace: u32, ranges: u32) -> Command {
        let count = ranges.clamp(1, 256) - 1;
        Command::new(nvm::DATASET_MANAGEMENT, namespace).with([count, ATTRIBUTE_DEALLOCATE])
    }

    #[inline]
    fn of_blocks(opcode: u8, blocks: Blocks, control: u32) -> Command {
        let count = blocks.count.wrapping_sub(1) & 0xffff;
        let (low, high) = (blocks.first as u32, (blocks.first >> 32) as u32);
        Command::new(opcode, blocks.namespace).with([low, high, control | count])
    }
}

/// Dword 10 of the commands that create queues.
fn queue_and_size(queue: u16, entries: u16) -> u32 {
    u32::from(entries.wrapping_sub(1)) << 16 | u32::from(queue)
}
