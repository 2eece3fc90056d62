//! Completion queue entries (NVMe Base 2.0 §3.3.3.2) and what they say.

use kit::block;
use zerocopy::little_endian::{U16, U32};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Common completion queue entry, 16 bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Completion {
    /// Dword 0: what the command says of its own.
    pub result: U32,
    /// Dword 1.
    pub result_high: U32,
    /// How far the submission queue was read (SQHD).
    pub submission_head: U16,
    /// The submission queue (SQID).
    pub submission_queue: U16,
    /// The command (CID).
    pub identifier: U16,
    /// Phase tag (bit 0) and status field.
    pub status: U16,
}

const _: () = assert!(size_of::<Completion>() == 16);

/// Where the last dword is, which holds the phase tag.
pub(crate) const LAST_DWORD: usize = 12;

impl Completion {
    /// How the command ended.
    pub fn status(&self) -> Status {
        Status::new(self.status.get() >> 1)
    }
}

/// Status field (§3.3.3.2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(u16);

impl Status {
    /// Successful completion.
    pub const SUCCESS: Status = Status(0);
    /// The field, without the phase tag.
    pub fn new(field: u16) -> Status {
        Status(field & 0x7fff)
    }

    /// Whether the command was done.
    #[inline]
    pub fn is_success(self) -> bool {
        self.0 & 0x7ff == 0
    }

    /// Status code type (SCT), 0..=7.
    pub fn code_type(self) -> u8 {
        (self.0 >> 8 & 7) as u8
    }

    /// Status code (SC).
    pub fn code(self) -> u8 {
        self.0 as u8
    }

    /// Whether trying again is useless (DNR).
    pub fn do_not_retry(self) -> bool {
        self.0 >> 14 & 1 == 1
    }

    /// The block layer's word for it (C: `nvme_error_status`).
    #[inline]
    pub fn to_block(self) -> block::Status {
        if self.is_success() {
            return block::Status::Ok;
        }
        rarely();
        self.failure()
    }

    /// Within its caller: a call would have it keep the request elsewhere.
    #[inline(always)]
    fn failure(self) -> block::Status {
        match (self.code_type(), self.code()) {
            // Capacity exceeded.
            (0, 0x81) => block::Status::NoSpace,
            // LBA out of range, command interrupted, namespace not ready.
            (0, 0x80 | 0x21 | 0x82) => block::Status::Target,
            // Invalid opcode, field, namespace; conflicting attributes.
            (0, 0x01 | 0x02 | 0x0b) | (1, 0x80) => block::Status::NotSupported,
            // Write fault, unrecovered read error, compare failure, access
            // denied, deallocated block; attempted write to read only range.
            (2, 0x80 | 0x81 | 0x85..=0x87) | (1, 0x82) => block::Status::Medium,
            // Guard, application and reference tags; invalid protection
            // information.
            (2, 0x82..=0x84) | (1, 0x81) => block::Status::Protection,
            // Host pathing error.
            (3, 0x70) => block::Status::Transport,
            _ => block::Status::Io,
        }
    }
}

/// Says that its caller seldom comes by.
#[cold]
pub(crate) fn rarely() {}

impl core::fmt::Debug for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "type {:#x} code {:#04x}{}",
            self.code_type(),
            self.code(),
            if self.do_not_retry() { ", final" } else { "" }
        )
    }
}
