//! Submission and completion queue entries (Base 2.0 §3.3.3).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A submission queue entry (§3.3.3.1).
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Command {
    pub opcode: u8,
    /// Fused operation (1:0), PRP or SGL for data transfer (7:6).
    pub flags: u8,
    pub id: U16,
    pub nsid: U32,
    pub dw2: U32,
    pub dw3: U32,
    pub metadata: U64,
    pub prp1: U64,
    pub prp2: U64,
    pub dw10: U32,
    pub dw11: U32,
    pub dw12: U32,
    pub dw13: U32,
    pub dw14: U32,
    pub dw15: U32,
}

const _: () = assert!(size_of::<Command>() == Command::SIZE);

impl Command {
    pub const SIZE: usize = 64;

    /// FUSE (CDW0 9:8).
    pub fn fused(&self) -> u8 {
        self.flags & 0b11
    }

    /// PSDT (CDW0 15:14).
    pub fn psdt(&self) -> u8 {
        self.flags >> 6
    }
}

/// A completion queue entry (§3.3.3.2).
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Completion {
    pub result: U32,
    pub reserved: U32,
    pub sq_head: U16,
    pub sq_id: U16,
    pub command_id: U16,
    /// Phase tag (0), status (15:1).
    pub status: U16,
}

const _: () = assert!(size_of::<Completion>() == Completion::SIZE);

impl Completion {
    pub const SIZE: usize = 16;
}
