//! A host: memory that watches every access, and queues by hand.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use nvme_model::{Config, Controller, Fault, Memory, Status, Step};

pub const CAP: u64 = 0x00;
pub const VS: u64 = 0x08;
pub const INTMS: u64 = 0x0c;
pub const INTMC: u64 = 0x10;
pub const CC: u64 = 0x14;
pub const CSTS: u64 = 0x1c;
pub const NSSR: u64 = 0x20;
pub const AQA: u64 = 0x24;
pub const ASQ: u64 = 0x28;
pub const ACQ: u64 = 0x30;

/// EN, 4 KiB pages, 64-byte and 16-byte entries.
pub const CC_ENABLE: u32 = 4 << 20 | 6 << 16 | 1;
pub const CSTS_RDY: u32 = 1;
pub const CSTS_CFS: u32 = 2;

pub const PAGE: u64 = 4096;
const BASE: u64 = 0x7_0000_0000;
const SIZE: usize = 16 << 20;

/// Memory that hands out pages, and refuses and notes what is not mapped.
pub struct HostMemory {
    bytes: RefCell<Vec<u8>>,
    next: Cell<u64>,
    unmapped: RefCell<Vec<Range<u64>>>,
    refused: RefCell<Vec<Fault>>,
    writes: Cell<u64>,
    reads: RefCell<Vec<(u64, usize)>>,
    on_write: Cell<Option<(u64, u64, u32)>>,
}

impl HostMemory {
    fn new() -> Self {
        Self {
            bytes: RefCell::new(vec![0; SIZE]),
            next: Cell::new(BASE),
            unmapped: RefCell::default(),
            refused: RefCell::default(),
            writes: Cell::new(0),
            reads: RefCell::default(),
            on_write: Cell::default(),
        }
    }

    /// That many pages, one after the other.
    pub fn pages(&self, count: u64) -> u64 {
        let address = self.next.get();
        assert!(address + count * PAGE <= BASE + SIZE as u64);
        self.next.set(address + count * PAGE);
        address
    }

    pub fn get(&self, address: u64, length: usize) -> Vec<u8> {
        let at = (address - BASE) as usize;
        self.bytes.borrow()[at..at + length].to_vec()
    }

    pub fn get32(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.get(address, 4).try_into().unwrap())
    }

    pub fn get64(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.get(address, 8).try_into().unwrap())
    }

    pub fn set(&self, address: u64, bytes: &[u8]) {
        let at = (address - BASE) as usize;
        self.bytes.borrow_mut()[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn set64(&self, address: u64, values: &[u64]) {
        for (i, value) in values.iter().enumerate() {
            self.set(address + 8 * i as u64, &value.to_le_bytes());
        }
    }

    pub fn unmap(&self, range: Range<u64>) {
        self.unmapped.borrow_mut().push(range);
    }

    pub fn unmap_all(&self) {
        self.unmap(BASE..BASE + SIZE as u64);
    }

    /// As another thread of the host would: once the device has written at
    /// `when`, `value` is at `address`.
    pub fn set_on_write(&self, when: u64, address: u64, value: u32) {
        self.on_write.set(Some((when, address, value)));
    }

    /// Accesses that were refused so far.
    pub fn refused(&self) -> usize {
        self.refused.borrow().len()
    }

    /// Writes by the device so far.
    pub fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// Whether the device read any byte of a range.
    pub fn was_read(&self, range: Range<u64>) -> bool {
        let reads = self.reads.borrow();
        reads
            .iter()
            .any(|&(at, length)| at < range.end && range.start < at + length as u64)
    }

    fn check(&self, address: u64, length: usize) -> Result<usize, Fault> {
        let end = address.checked_add(length as u64);
        let inside = address >= BASE && end.is_some_and(|end| end <= BASE + SIZE as u64);
        let mapped = |range: &Range<u64>| {
            address >= range.end || address.saturating_add(length as u64) <= range.start
        };
        if !inside || !self.unmapped.borrow().iter().all(mapped) {
            let fault = Fault { address, length };
            self.refused.borrow_mut().push(fault);
            return Err(fault);
        }
        Ok((address - BASE) as usize)
    }
}

fn address_of(at: usize) -> u64 {
    BASE + at as u64
}

impl Memory for HostMemory {
    fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        let at = self.check(address, to.len())?;
        self.reads.borrow_mut().push((address, to.len()));
        to.copy_from_slice(&self.bytes.borrow()[at..at + to.len()]);
        Ok(())
    }

    fn write(&self, address: u64, from: &[u8]) -> Result<(), Fault> {
        let at = self.check(address, from.len())?;
        self.writes.set(self.writes.get() + 1);
        self.bytes.borrow_mut()[at..at + from.len()].copy_from_slice(from);
        if let Some((when, address, value)) = self.on_write.get() {
            if when == address_of(at) {
                self.on_write.set(None);
                self.set(address, &value.to_le_bytes());
            }
        }
        Ok(())
    }
}

/// A submission queue entry.
#[derive(Clone, Copy)]
pub struct Command(pub [u32; 16]);

pub fn command(opcode: u8, nsid: u32) -> Command {
    let mut words = [0; 16];
    words[0] = opcode.into();
    words[1] = nsid;
    Command(words)
}

impl Command {
    pub fn id(self, id: u16) -> Self {
        let word = self.0[0] & 0xffff | u32::from(id) << 16;
        self.dw(0, word)
    }

    pub fn dw(mut self, index: usize, value: u32) -> Self {
        self.0[index] = value;
        self
    }

    pub fn prp(mut self, prp1: u64, prp2: u64) -> Self {
        for (i, value) in [prp1, prp2].into_iter().enumerate() {
            self.0[6 + 2 * i] = value as u32;
            self.0[7 + 2 * i] = (value >> 32) as u32;
        }
        self
    }

    /// SLBA and NLB.
    pub fn blocks(self, lba: u64, count: u32) -> Self {
        let nlb = self.0[12] & !0xffff | (count - 1);
        self.dw(10, lba as u32)
            .dw(11, (lba >> 32) as u32)
            .dw(12, nlb)
    }
}

/// A completion queue entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    pub result: u32,
    pub sq_head: u16,
    pub sq_id: u16,
    pub id: u16,
    /// Without phase tag.
    pub status: u16,
}

/// More: told by the error log. Set in every error.
pub const MORE: u16 = 1 << 13;

impl Completion {
    #[track_caller]
    pub fn ok(self) -> u32 {
        assert_eq!(self.status, 0, "{self:?}");
        self.result
    }

    #[track_caller]
    pub fn fails(self, status: Status) {
        assert_eq!(self.status, status.0 | MORE, "{self:?}");
    }
}

/// A queue pair as the host knows it.
#[derive(Clone)]
pub struct Pair {
    pub id: u16,
    pub sq: u64,
    pub cq: u64,
    pub sq_size: u32,
    pub cq_size: u32,
    pub tail: u32,
    pub head: u32,
    pub phase: bool,
    pub next_id: u16,
}

pub struct Host {
    pub controller: Controller<Rc<HostMemory>>,
    pub memory: Rc<HostMemory>,
    pub now: Duration,
    pub admin: Pair,
    pub stride: u64,
    others: Vec<Completion>,
}

impl Host {
    /// A host with a controller that is not enabled.
    pub fn cold(config: Config) -> Self {
        let memory = Rc::new(HostMemory::new());
        let stride = 4 << config.doorbell_stride;
        let controller = Controller::new(config, memory.clone()).unwrap();
        let admin = Pair::new(&memory, 0, 32, 32);
        Self {
            controller,
            memory,
            now: Duration::ZERO,
            admin,
            stride,
            others: Vec::new(),
        }
    }

    /// One whose controller is ready.
    pub fn with(config: Config) -> Self {
        let mut host = Self::cold(config);
        host.enable();
        host
    }

    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn set_admin_queue(&mut self) {
        let [sq, cq] = [self.admin.sq_size - 1, self.admin.cq_size - 1];
        self.controller.write32(AQA, cq << 16 | sq);
        self.controller.write64(ASQ, self.admin.sq);
        self.controller.write64(ACQ, self.admin.cq);
    }

    pub fn enable(&mut self) {
        self.set_admin_queue();
        self.controller.write32(CC, CC_ENABLE);
        self.run();
        assert_eq!(self.controller.read32(CSTS), CSTS_RDY);
    }

    /// Steps until there is nothing to do now.
    pub fn run(&mut self) -> Step {
        for _ in 0..100_000 {
            let step = self.controller.step(self.now);
            if step != Step::Worked {
                return step;
            }
        }
        panic!("the controller does not come to rest");
    }

    pub fn wait(&mut self, time: Duration) -> Step {
        self.now += time;
        self.run()
    }

    pub fn write(&mut self, pair: &mut Pair, command: Command) -> u16 {
        let id = pair.next_id;
        pair.next_id += 1;
        self.write_as(pair, command.id(id));
        id
    }

    /// Puts a command at the tail, its identifier as it is.
    pub fn write_as(&mut self, pair: &mut Pair, command: Command) {
        let entry = pair.sq + 64 * u64::from(pair.tail);
        for (i, word) in command.0.iter().enumerate() {
            self.memory.set(entry + 4 * i as u64, &word.to_le_bytes());
        }
        pair.tail = (pair.tail + 1) % pair.sq_size;
    }

    pub fn tail_doorbell(&self, id: u16) -> u64 {
        0x1000 + 2 * u64::from(id) * self.stride
    }

    pub fn head_doorbell(&self, id: u16) -> u64 {
        0x1000 + (2 * u64::from(id) + 1) * self.stride
    }

    pub fn ring(&mut self, pair: &Pair) {
        let doorbell = self.tail_doorbell(pair.id);
        self.controller.write32(doorbell, pair.tail);
    }

    /// Takes all completions without telling the controller.
    pub fn take(&mut self, pair: &mut Pair) -> Vec<Completion> {
        let mut taken = Vec::new();
        loop {
            let entry = pair.cq + 16 * u64::from(pair.head);
            let word = |i: u64| self.memory.get32(entry + 4 * i);
            if (word(3) >> 16 & 1 != 0) != pair.phase {
                return taken;
            }
            taken.push(Completion {
                result: word(0),
                sq_head: word(2) as u16,
                sq_id: (word(2) >> 16) as u16,
                id: word(3) as u16,
                status: (word(3) >> 17) as u16,
            });
            pair.head = (pair.head + 1) % pair.cq_size;
            pair.phase ^= pair.head == 0;
        }
    }

    pub fn reap(&mut self, pair: &mut Pair) -> Vec<Completion> {
        let taken = self.take(pair);
        if !taken.is_empty() {
            let doorbell = self.head_doorbell(pair.id);
            self.controller.write32(doorbell, pair.head);
        }
        taken
    }

    /// One command from the doorbell to its completion.
    #[track_caller]
    pub fn io(&mut self, pair: &mut Pair, command: Command) -> Completion {
        let id = self.write(pair, command);
        self.ring(pair);
        self.run();
        let completions = self.reap(pair);
        assert_eq!(completions.len(), 1, "{completions:?}");
        assert_eq!((completions[0].id, completions[0].sq_id), (id, pair.id));
        completions[0]
    }

    /// One admin command. Completions of others that come with it are kept for
    /// [`Host::reap_admin`].
    #[track_caller]
    pub fn admin(&mut self, command: Command) -> Completion {
        let id = self.admin_later(command);
        let mut completions = self.reap_admin();
        let found = completions.iter().position(|c| c.id == id);
        let completion = completions.remove(found.expect("a completion"));
        self.others = completions;
        completion
    }

    /// Submits an admin command that does not end yet.
    pub fn admin_later(&mut self, command: Command) -> u16 {
        let mut admin = self.admin.clone();
        let id = self.write(&mut admin, command);
        self.ring(&admin);
        self.run();
        self.admin = admin;
        id
    }

    pub fn reap_admin(&mut self) -> Vec<Completion> {
        let mut admin = self.admin.clone();
        let completions = self.reap(&mut admin);
        self.admin = admin;
        let mut all = std::mem::take(&mut self.others);
        all.extend(completions);
        all
    }

    #[track_caller]
    pub fn make_pair(&mut self, id: u16, sq_size: u32, cq_size: u32) -> Pair {
        self.make_pair_at(id, sq_size, cq_size, id)
    }

    /// A pair with that interrupt vector.
    #[track_caller]
    pub fn make_pair_at(&mut self, id: u16, sq_size: u32, cq_size: u32, vector: u16) -> Pair {
        let pair = Pair::new(&self.memory, id, sq_size, cq_size);
        self.admin(create_cq(&pair, vector)).ok();
        self.admin(create_sq(&pair)).ok();
        pair
    }

    /// A 4096-byte data structure.
    #[track_caller]
    pub fn identify(&mut self, cns: u32, nsid: u32) -> Vec<u8> {
        let page = self.memory.pages(1);
        let identify = command(0x06, nsid).prp(page, 0).dw(10, cns);
        self.admin(identify).ok();
        self.memory.get(page, 4096)
    }

    #[track_caller]
    pub fn log_page(&mut self, id: u32, length: usize, retain: bool) -> Vec<u8> {
        let page = self.memory.pages(2);
        let dw10 = id | u32::from(retain) << 15 | (length as u32 / 4 - 1) << 16;
        let log = command(0x02, u32::MAX).prp(page, page + PAGE).dw(10, dw10);
        self.admin(log).ok();
        self.memory.get(page, length)
    }
}

impl Pair {
    pub fn new(memory: &HostMemory, id: u16, sq_size: u32, cq_size: u32) -> Self {
        Self {
            id,
            sq: memory.pages(u64::from(64 * sq_size).div_ceil(PAGE)),
            cq: memory.pages(u64::from(16 * cq_size).div_ceil(PAGE)),
            sq_size,
            cq_size,
            tail: 0,
            head: 0,
            phase: true,
            next_id: 100 * id,
        }
    }
}

pub fn create_cq(pair: &Pair, vector: u16) -> Command {
    command(0x05, 0)
        .prp(pair.cq, 0)
        .dw(10, (pair.cq_size - 1) << 16 | u32::from(pair.id))
        .dw(11, u32::from(vector) << 16 | 0b11)
}

pub fn create_sq(pair: &Pair) -> Command {
    command(0x01, 0)
        .prp(pair.sq, 0)
        .dw(10, (pair.sq_size - 1) << 16 | u32::from(pair.id))
        .dw(11, u32::from(pair.id) << 16 | 1)
}

pub fn read(lba: u64, blocks: u32, page: u64) -> Command {
    command(0x02, 1).prp(page, page + PAGE).blocks(lba, blocks)
}

pub fn write(lba: u64, blocks: u32, page: u64) -> Command {
    command(0x01, 1).prp(page, page + PAGE).blocks(lba, blocks)
}

/// Bytes that differ from place to place.
pub fn pattern(seed: u8, length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i as u8) ^ (i >> 8) as u8 ^ seed)
        .collect()
}
