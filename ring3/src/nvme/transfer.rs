//! Many bytes, by several requests at once.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure, Result};
use kit::block::Status;
use kit::device::Device;
use nvme::Namespace;

use super::{Clock, Disk, Finished, Io, Operation, Queue, Rejected};
use crate::dma::{Arena, Block};

/// Requests of one transfer in flight, and bytes of each at most.
const DEPTH: usize = 8;
const PIECE: usize = 128 << 10;

/// What takes requests.
pub(super) trait Submit {
    fn submit(
        &mut self,
        io: Io,
        data: Option<Block>,
        now: Duration,
    ) -> Result<(), (Rejected, Option<Block>)>;

    fn work(&mut self, now: Duration) -> Option<Duration>;

    fn finished(&mut self) -> Option<Finished>;
}

impl<D: Device<Dma = Arena>> Submit for Disk<D> {
    fn submit(
        &mut self,
        io: Io,
        data: Option<Block>,
        now: Duration,
    ) -> Result<(), (Rejected, Option<Block>)> {
        self.submit(io, data, now)
    }

    fn work(&mut self, now: Duration) -> Option<Duration> {
        self.work(now)
    }

    fn finished(&mut self) -> Option<Finished> {
        self.finished()
    }
}

impl<D: Device<Dma = Arena>> Submit for Queue<D> {
    fn submit(
        &mut self,
        io: Io,
        data: Option<Block>,
        now: Duration,
    ) -> Result<(), (Rejected, Option<Block>)> {
        self.submit(io, data, now)
    }

    fn work(&mut self, now: Duration) -> Option<Duration> {
        self.work(now)
    }

    fn finished(&mut self) -> Option<Finished> {
        self.finished()
    }
}

/// What is transferred.
pub(super) enum Data<'a> {
    In(&'a mut [u8]),
    Out(&'a [u8]),
}

impl Data<'_> {
    fn length(&self) -> usize {
        match self {
            Data::In(to) => to.len(),
            Data::Out(from) => from.len(),
        }
    }

    fn operation(&self) -> Operation {
        match self {
            Data::In(_) => Operation::Read,
            Data::Out(_) => Operation::Write,
        }
    }

    /// Before the device has it.
    fn fill(&self, at: usize, buffer: &mut Block) {
        if let Data::Out(from) = self {
            buffer.copy_from_slice(0, &from[at..]);
        }
    }

    /// After that.
    fn take(&mut self, at: usize, buffer: &Block) {
        if let Data::In(to) = self {
            buffer.copy_to_slice(0, &mut to[at..]);
        }
    }
}

/// Transfers whole blocks from `block` on, in pieces of at most `most` bytes,
/// and waits until all have come to their end. Nothing else is in flight.
///
/// # Errors
///
/// If they do not lie within the namespace, or one of them failed.
pub(super) fn transfer(
    queue: &mut impl Submit,
    clock: &mut impl Clock,
    arena: &Arena,
    namespace: &Namespace,
    most: u32,
    block: u64,
    mut data: Data<'_>,
) -> Result<()> {
    check_range(namespace, block, data.length() as u64)?;
    let first = block << (namespace.block_shift - 9);
    // A multiple of 4096, and so of a block.
    let piece = PIECE.min(most as usize);
    let (mut given, mut flying, mut failed) = (0, 0, None);
    while flying > 0 || (given < data.length() && failed.is_none()) {
        while given < data.length() && flying < DEPTH && failed.is_none() {
            let bytes = piece.min(data.length() - given);
            let mut buffer = match arena.take(bytes) {
                Ok(buffer) => buffer,
                // It comes back with what is in flight.
                Err(_) if flying > 0 => break,
                Err(_) => bail!("there is no memory left that the controller reaches"),
            };
            data.fill(given, &mut buffer);
            let io = Io {
                ticket: given as u64,
                namespace: namespace.number,
                operation: data.operation(),
                sector: first + (given / 512) as u64,
                bytes: bytes as u32,
                fua: false,
            };
            match queue.submit(io, Some(buffer), clock.now()) {
                Ok(()) => {
                    flying += 1;
                    given += bytes;
                }
                Err((why, _)) => failed = Some(anyhow!("it is not taken: {why:?}")),
            }
        }
        let until = queue.work(clock.now());
        let before = flying;
        while let Some(finished) = queue.finished() {
            flying -= 1;
            let at = finished.ticket as usize;
            match (finished.status, finished.data) {
                (Status::Ok, Some(buffer)) => data.take(at, &buffer),
                (status, _) => {
                    let block = block + (at >> namespace.block_shift) as u64;
                    failed = Some(anyhow!("{status:?} from block {block} on"));
                }
            }
        }
        if flying > 0 && flying == before {
            clock.wait(until);
        }
    }
    match failed {
        None => Ok(()),
        Some(error) => {
            let what = format!("namespace {}: {:?}", namespace.number, data.operation());
            Err(error.context(what))
        }
    }
}

/// Whether whole blocks from `block` on lie within a namespace.
///
/// # Errors
///
/// If they do not, with what would.
pub fn check_range(namespace: &Namespace, block: u64, bytes: u64) -> Result<()> {
    let (size, count) = (u64::from(namespace.block_size()), namespace.blocks);
    ensure!(
        bytes > 0 && bytes % size == 0,
        "namespace {} has blocks of {size} bytes; {bytes} bytes are no whole number of them",
        namespace.number
    );
    let wanted = bytes / size;
    ensure!(
        block.checked_add(wanted).is_some_and(|end| end <= count),
        "namespace {} has blocks 0 to {}; {wanted} from block {block} on are not among them",
        namespace.number,
        count - 1
    );
    Ok(())
}
