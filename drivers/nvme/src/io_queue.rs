//! An I/O queue pair: requests on their way to the controller, and back.

use kit::block::{tag, Busy, DeviceRequest, InFlight, Operation, Status};
use kit::device::Device;
use kit::dma::Dma;
use kit::registers::Registers;
use zerocopy::little_endian::{U32, U64};

use crate::command::{Blocks, Command, Range};
use crate::completion_queue::CompletionQueue;
use crate::identify::Namespace;
use crate::lists::{Lists, Otherwise};
use crate::submission_queue::SubmissionQueue;

pub(crate) type Memory<D> = <<D as Device>::Dma as Dma>::Memory;
pub(crate) type DoorbellOf<D> = <<D as Device>::Registers as Registers>::Doorbell;

/// A queue pair that the controller has made. The halves are used by whoever
/// submits and by whoever is interrupted or polls.
///
/// Dropping one gives its memory back, so the controller must have been
/// stopped, or have deleted the queues.
pub struct IoQueue<D: Device> {
    /// Number of the pair, 1 or more.
    pub number: u16,
    /// The vector by which it interrupts; `None` for a pair that is polled.
    pub vector: Option<u16>,
    /// Requests that may be in flight: their tags are below.
    pub depth: u16,
    /// Where its memory is, as the controller has it.
    pub addresses: Addresses,
    /// Where requests go.
    pub submissions: Submissions<D>,
    /// Where they come back.
    pub completions: Completions<D>,
}

/// The memory of a queue pair by its first bytes, for those who look at it as
/// the controller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The submission queue.
    pub submissions: u64,
    /// The completion queue.
    pub completions: u64,
    /// The lists of data: as many pages for each tag, in the order of tags.
    pub lists: u64,
}

/// The half that submits.
pub struct Submissions<D: Device> {
    pub(crate) queue: SubmissionQueue<DoorbellOf<D>, Memory<D>>,
    pub(crate) lists: Lists<Memory<D>>,
    pub(crate) zeroing: Zeroing,
}

/// How blocks become zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeroing {
    /// By write zeroes.
    Command,
    /// By deallocating them.
    Deallocate,
    /// Not without data.
    No,
}

impl<D: Device> Submissions<D> {
    /// Puts a request for a namespace into the queue; the controller learns of
    /// it by [`commit`](Submissions::commit). A request that no command can
    /// say ends at once.
    #[inline]
    pub fn submit<R: DeviceRequest>(
        &mut self,
        namespace: &Namespace,
        mut request: R,
    ) -> Result<(), Busy<R>> {
        let identifier = request.identifier();
        let command = match request.operation() {
            Operation::Read => Command::read(blocks(namespace, &request)),
            Operation::Write => Command::write(blocks(namespace, &request), request.fua()),
            _ => {
                self.without_data(namespace, request);
                return Ok(());
            }
        };
        let bytes = request.bytes();
        let described = request
            .segments()
            .map(|segments| self.lists.describe(tag(identifier), bytes, segments));
        match described {
            Ok(Ok(entries)) => self.launch(command.with_prp(entries), request),
            Ok(Err(otherwise)) => self.without_prp(namespace, otherwise, request),
            Err(lack) => return Err(Busy { request, lack }),
        }
        Ok(())
    }

    /// A request whose data, if any, is the driver's own.
    #[cold]
    fn without_data<R: DeviceRequest>(&mut self, namespace: &Namespace, request: R) {
        let blocks = blocks(namespace, &request);
        match request.operation() {
            Operation::Flush => self.launch(Command::flush(blocks.namespace), request),
            Operation::WriteZeroes => match self.zeroing {
                Zeroing::Command => self.launch(Command::write_zeroes(blocks, true), request),
                Zeroing::Deallocate => self.deallocate(blocks, request),
                Zeroing::No => request.end(Status::NotSupported),
            },
            Operation::Discard => self.deallocate(blocks, request),
            _ => request.end(Status::NotSupported),
        }
    }

    #[inline]
    fn launch<R: DeviceRequest>(&mut self, mut command: Command, request: R) {
        command.identifier.set(request.identifier());
        self.queue.push(&command);
        request.launch();
    }

    /// A read or write whose data has no PRP entries. It makes the command again,
    /// so that its caller, which has to be quick with small ones, need not keep it.
    #[cold]
    fn without_prp<R: DeviceRequest>(
        &mut self,
        namespace: &Namespace,
        otherwise: Otherwise,
        request: R,
    ) {
        let blocks = blocks(namespace, &request);
        let command = match request.operation() {
            Operation::Write => Command::write(blocks, request.fua()),
            _ => Command::read(blocks),
        };
        match otherwise {
            Otherwise::Sgl(descriptor) => self.launch(command.with_sgl(descriptor), request),
            // The ring's limits make no such requests.
            Otherwise::Not(_) => request.end(Status::Io),
        }
    }

    /// One range, which lies where the command's list would be.
    fn deallocate<R: DeviceRequest>(&mut self, blocks: Blocks, request: R) {
        let range = Range {
            attributes: U32::new(0),
            blocks: U32::new(blocks.count),
            first: U64::new(blocks.first),
        };
        match self.lists.store(tag(request.identifier()), &range) {
            Some(address) => {
                let command = Command::deallocate(blocks.namespace, 1);
                self.launch(command.with_prp([address, 0]), request);
            }
            None => request.end(Status::Io),
        }
    }

    /// Tells the controller of all requests up to here, by one doorbell.
    #[inline]
    pub fn commit(&mut self) {
        self.queue.commit();
    }
}

/// The blocks of a request, whose `position` and `bytes` are whole ones by the
/// ring's contract.
#[inline]
fn blocks(namespace: &Namespace, request: &impl DeviceRequest) -> Blocks {
    let sectors_shift = u32::from(namespace.block_shift) - 9;
    Blocks {
        namespace: namespace.number,
        first: request.position() >> sectors_shift,
        count: request.bytes() >> namespace.block_shift,
    }
}

/// The half that completes.
pub struct Completions<D: Device> {
    pub(crate) queue: CompletionQueue<DoorbellOf<D>, Memory<D>>,
    /// Completions of what was not in flight.
    pub(crate) unknown: u64,
}

impl<D: Device> Completions<D> {
    /// Ends the requests that the controller has completed, at most a
    /// queueful, and answers how many entries there were. `end` gives each
    /// back.
    ///
    /// A completion that names no request in flight (stale, repeated,
    /// impossible) is counted and ignored.
    #[inline]
    pub fn process<F: InFlight>(
        &mut self,
        requests: &F,
        mut end: impl FnMut(F::Request, Status),
    ) -> u32 {
        let mut found = 0;
        while found < u32::from(self.queue.entries()) {
            let Some((identifier, status)) = self.queue.next_status() else {
                break;
            };
            found += 1;
            match requests.take(identifier) {
                Some(request) => end(request, status.to_block()),
                None => self.unknown += 1,
            }
        }
        self.queue.commit();
        found
    }

    /// How many completions named no request in flight.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }
}
