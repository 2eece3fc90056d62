//! Where a command's data is in the host's memory.

use crate::command::Command;
use crate::memory::Memory;
use crate::status::Status;
use crate::{prp, sgl};

/// A piece of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Bus address, or nothing for data that is thrown away (SGL bit bucket).
    pub address: Option<u64>,
    /// Bytes.
    pub length: u32,
}

/// Which way data moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToHost,
    FromHost,
}

/// What a data pointer may be.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Bytes of a memory page (CC.MPS).
    pub page: u64,
    /// SGLs are offered.
    pub sgl: bool,
}

/// Puts the pieces of `length` bytes at the command's data pointer into
/// `segments`, whose old content is discarded. All of the pointer is checked
/// before a byte of data moves.
pub(crate) fn locate<M: Memory>(
    memory: &M,
    command: &Command,
    length: u64,
    direction: Direction,
    rules: Rules,
    segments: &mut Vec<Segment>,
) -> Result<(), Status> {
    segments.clear();
    match command.psdt() {
        0 => prp::locate(
            memory,
            [command.prp1.get(), command.prp2.get()],
            length,
            rules.page,
            segments,
        ),
        // 2: as 1, with the metadata pointer as an SGL, which is not read.
        1 | 2 if rules.sgl => {
            let descriptor = sgl::Descriptor::of(command);
            sgl::locate(memory, descriptor, length, direction, segments)
        }
        _ => Err(Status::INVALID_FIELD),
    }
}

/// Gives `data` to the host.
pub(crate) fn give<M: Memory>(
    memory: &M,
    segments: &[Segment],
    mut data: &[u8],
) -> Result<(), Status> {
    for segment in segments {
        let (now, rest) = data.split_at(data.len().min(segment.length as usize));
        if let Some(address) = segment.address {
            memory.write(address, now)?;
        }
        data = rest;
    }
    Ok(())
}

/// Takes data from the host.
pub(crate) fn take<M: Memory>(
    memory: &M,
    segments: &[Segment],
    mut data: &mut [u8],
) -> Result<(), Status> {
    for segment in segments {
        let most = data.len().min(segment.length as usize);
        let (now, rest) = data.split_at_mut(most);
        if let Some(address) = segment.address {
            memory.read(address, now)?;
        }
        data = rest;
    }
    Ok(())
}
