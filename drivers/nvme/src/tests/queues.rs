//! Queues against a controller that the test plays itself.

extern crate std;

use std::vec;
use std::vec::Vec;

use kit::block::{Operation, Resource, Status as BlockStatus};
use kit::device::Device;
use kit::dma::{Coherent, Dma};
use kit::memory::OutOfMemory;
use kit::registers::Registers;
use zerocopy::little_endian::{U16, U32};

use crate::command::Command;
use crate::completion::Completion;
use crate::completion_queue::CompletionQueue;
use crate::doorbell::{Doorbell, Shadow};
use crate::identify::Namespace;
use crate::io_queue::{Completions, Submissions, Zeroing};
use crate::lists::Lists;
use crate::submission_queue::SubmissionQueue;
use crate::testing::{Memory, Piece, Requests, Rung};

/// Only its types are used.
struct NoDevice;
struct NoRegisters;
struct NoDma;

impl Registers for NoRegisters {
    type Doorbell = Rung;
    fn length(&self) -> usize {
        0
    }
    fn read32(&self, _offset: usize) -> u32 {
        u32::MAX
    }
    fn write32(&self, _offset: usize, _value: u32) {}
    fn doorbell(&self, _offset: usize) -> Option<Rung> {
        None
    }
}

impl Dma for NoDma {
    type Memory = Memory;
    fn allocate(&self, _bytes: usize) -> Result<Memory, OutOfMemory> {
        Err(OutOfMemory)
    }
}

impl Device for NoDevice {
    type Registers = NoRegisters;
    type Dma = NoDma;
    fn registers(&self) -> &NoRegisters {
        &NoRegisters
    }
    fn dma(&self) -> &NoDma {
        &NoDma
    }
    fn vectors(&self) -> u16 {
        0
    }
    fn isolate(&mut self) -> bool {
        true
    }
    fn admit(&mut self) {}
}

const ENTRIES: u16 = 4;

const NAMESPACE: Namespace = Namespace {
    number: 1,
    blocks: 1 << 20,
    block_shift: 12,
    format: 0,
    formats: 1,
};

/// A queue pair of four entries, and what the controller has of it.
struct Pair {
    submissions: Submissions<NoDevice>,
    completions: Completions<NoDevice>,
    commands: Memory,
    entries: Memory,
    tail: Rung,
    head: Rung,
    requests: Requests,
}

fn pair() -> Pair {
    let (commands, entries) = (Memory::new(0x1000, 256), Memory::new(0x2000, 64));
    let (tail, head) = (Rung::default(), Rung::default());
    let lists = Memory::new(0x10_0000, Lists::<Memory>::bytes(ENTRIES.into(), 1));
    Pair {
        submissions: Submissions {
            queue: SubmissionQueue::new(
                commands.clone(),
                ENTRIES,
                Doorbell::new(tail.clone(), None),
            ),
            lists: Lists::new(lists, 1, false),
            zeroing: Zeroing::Command,
        },
        completions: Completions {
            queue: CompletionQueue::new(
                entries.clone(),
                ENTRIES,
                Doorbell::new(head.clone(), None),
            ),
            unknown: 0,
        },
        commands,
        entries,
        tail,
        head,
        requests: Requests::default(),
    }
}

impl Pair {
    fn submit(&mut self, identifier: u16, operation: Operation) {
        let piece = Piece {
            address: 0x8000,
            length: 8192,
        };
        let request = self.requests.request(identifier, operation, &[piece]);
        assert!(self.submissions.submit(&NAMESPACE, request).is_ok());
    }

    /// The controller completes.
    fn complete(&self, place: usize, identifier: u16, status: u16, phase: bool) {
        let completion = Completion {
            identifier: U16::new(identifier),
            status: U16::new(status << 1 | u16::from(phase)),
            ..Completion::default()
        };
        self.entries.put(16 * place, &completion);
    }

    fn process(&mut self) -> u32 {
        use kit::block::Request;
        self.completions
            .process(&self.requests, |request, status| request.end(status))
    }
}

#[test]
fn a_batch_is_published_by_one_doorbell() {
    let mut pair = pair();
    pair.submit(0x1000, Operation::Read);
    pair.submit(0x1001, Operation::Write);
    assert_eq!(pair.tail.take(), vec![], "nothing is published yet");
    pair.submissions.commit();
    pair.submissions.commit();
    assert_eq!(pair.tail.take(), vec![2]);
    pair.submit(0x1002, Operation::Flush);
    pair.submit(0x1003, Operation::Read);
    pair.submissions.commit();
    assert_eq!(pair.tail.take(), vec![0], "the tail wraps");
    let command: Command = pair.commands.read(64).expect("the second entry");
    assert_eq!((command.opcode, command.identifier.get()), (1, 0x1001));
    assert_eq!(command.data.map(|entry| entry.get()), [0x8000, 0x9000]);
    // Sector 64 of 512 bytes is block 8 of 4096; two blocks, less one.
    assert_eq!(command.cdw10.map(U32::get), [8, 0, 1, 0, 0, 0]);
}

#[test]
fn completions_come_by_phase_and_are_given_back_by_one_doorbell() {
    let mut pair = pair();
    for pass in 0..5u16 {
        let phase = pass % 2 == 0;
        for identifier in 0..4 {
            pair.submit(identifier, Operation::Read);
        }
        assert_eq!(pair.process(), 0);
        for place in 0..3 {
            pair.complete(place, 3 - place as u16, 0, phase);
        }
        assert_eq!(pair.process(), 3);
        assert_eq!(pair.head.take(), vec![3]);
        pair.complete(3, 0, 0x281, phase);
        assert_eq!(pair.process(), 1);
        assert_eq!(pair.head.take(), vec![0]);
        let ended = pair.requests.ended();
        let order: Vec<u16> = ended.iter().map(|(identifier, _)| *identifier).collect();
        assert_eq!(order, [3, 2, 1, 0]);
        assert_eq!(ended[3].1, BlockStatus::Medium, "unrecovered read error");
        assert_eq!(pair.requests.flying(), 0);
    }
}

#[test]
fn completion_with_unknown_identifier_is_counted_and_ignored() {
    let mut pair = pair();
    pair.submit(0x2001, Operation::Read);
    // Another generation, a tag beyond the queue, and the same one twice.
    for (place, identifier) in [0x1001, 0xffff, 0x2001, 0x2001].into_iter().enumerate() {
        pair.complete(place, identifier, 0, true);
    }
    assert_eq!(pair.process(), 4);
    assert_eq!(pair.completions.unknown(), 3);
    assert_eq!(pair.requests.ended(), vec![(0x2001, BlockStatus::Ok)]);
}

#[test]
fn a_controller_that_always_has_completions_ends_after_a_queueful() {
    let mut pair = pair();
    // Whatever the phase, each entry passes for new.
    for place in 0..4 {
        pair.complete(place, 9, 0, true);
    }
    assert_eq!(pair.process(), 4);
    for place in 0..4 {
        pair.complete(place, 9, 0, false);
    }
    assert_eq!(pair.process(), 4);
    assert_eq!(pair.process(), 0);
    assert_eq!(pair.completions.unknown(), 8);
}

#[test]
fn what_no_command_says_ends_and_what_cannot_be_mapped_comes_back() {
    let mut pair = pair();
    pair.submit(1, Operation::ZoneReset);
    assert_eq!(pair.requests.ended(), vec![(1, BlockStatus::NotSupported)]);
    let odd = Piece {
        address: 0x8001,
        length: 4096,
    };
    let request = pair.requests.request(2, Operation::Read, &[odd]);
    assert!(pair.submissions.submit(&NAMESPACE, request).is_ok());
    assert_eq!(pair.requests.ended(), vec![(2, BlockStatus::Io)]);
    let mut request = pair.requests.request(3, Operation::Read, &[]);
    request.lack = Some(Resource::Memory);
    let busy = pair.submissions.submit(&NAMESPACE, request);
    let busy = busy.expect_err("there is no memory");
    assert_eq!(busy.lack, Resource::Memory);
    pair.submissions.commit();
    assert_eq!(pair.tail.take(), vec![], "nothing was queued");
}

#[test]
fn a_discard_has_its_range_in_memory() {
    let mut pair = pair();
    pair.submit(2, Operation::Discard);
    let command: Command = pair.commands.read(0).expect("the first entry");
    assert_eq!(command.opcode, 9);
    assert_eq!(command.data[0].get(), 0x10_0000 + 2 * 4096);
    assert_eq!(command.cdw10.map(U32::get), [0, 4, 0, 0, 0, 0]);
}

#[test]
fn with_doorbell_buffers_the_register_is_written_only_past_the_event_index() {
    let (doorbells, events) = (Memory::new(0x3000, 64), Memory::new(0x4000, 64));
    let register = Rung::default();
    let shadow = Shadow {
        value: doorbells.word(8).expect("word"),
        event: events.word(8).expect("word"),
    };
    let mut doorbell = Doorbell::new(register.clone(), Some(shadow));
    let queue = Memory::new(0x5000, 64);
    doorbell.ring(1, &queue);
    assert_eq!(register.take(), vec![1], "past event index 0");
    assert_eq!(doorbells.read::<u32>(8), Some(1));
    doorbell.ring(2, &queue);
    assert_eq!(register.take(), vec![], "the controller polls");
    events.put(8, &2u32);
    doorbell.ring(3, &queue);
    assert_eq!(register.take(), vec![3]);
    assert_eq!(doorbells.read::<u32>(8), Some(3));
}
