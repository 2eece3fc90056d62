//! Memory, registers and requests for tests.

extern crate std;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::vec;
use std::vec::Vec;

use kit::block::{DeviceRequest, InFlight, NoData, Operation, Request, Resource, Status};
use kit::dma::{Coherent, Segment, Word};
use kit::memory::PAGE_SIZE;
use kit::registers;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Memory at some address, which a test may look at as a device does.
#[derive(Clone)]
pub struct Memory {
    pub address: u64,
    pub bytes: Arc<Mutex<Vec<u8>>>,
}

impl Memory {
    pub fn new(address: u64, length: usize) -> Memory {
        assert_eq!(address % PAGE_SIZE as u64, 0);
        Memory {
            address,
            bytes: Arc::new(Mutex::new(vec![0; length])),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("no test panics with it")
    }

    /// Writes as a device.
    pub fn put<T: IntoBytes + Immutable>(&self, offset: usize, value: &T) {
        let bytes = value.as_bytes();
        self.lock()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

impl Coherent for Memory {
    type Word = MemoryWord;

    fn address(&self) -> u64 {
        self.address
    }

    fn length(&self) -> usize {
        self.lock().len()
    }

    fn read<T: FromBytes>(&self, offset: usize) -> Option<T> {
        let bytes = self.lock();
        let range = bytes.get(offset..offset.checked_add(size_of::<T>())?)?;
        T::read_from_bytes(range).ok()
    }

    fn write<T: IntoBytes + Immutable>(&mut self, offset: usize, value: &T) -> Option<()> {
        let mut bytes = self.lock();
        let range = bytes.get_mut(offset..offset.checked_add(size_of::<T>())?)?;
        range.copy_from_slice(value.as_bytes());
        Some(())
    }

    fn word(&self, offset: usize) -> Option<MemoryWord> {
        self.read::<u32>(offset)?;
        Some(MemoryWord(self.clone(), offset))
    }

    fn read_barrier(&self) {}
    fn write_barrier(&self) {}
    fn full_barrier(&self) {}
}

pub struct MemoryWord(Memory, usize);

impl Word for MemoryWord {
    fn load(&self) -> u32 {
        self.0.read(self.1).expect("checked when it was made")
    }

    fn store(&self, value: u32) {
        self.0.put(self.1, &value);
    }
}

/// A doorbell that remembers what it was rung with.
#[derive(Clone, Default)]
pub struct Rung(pub Arc<Mutex<Vec<u32>>>);

impl Rung {
    pub fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().expect("no test panics with it"))
    }
}

impl registers::Doorbell for Rung {
    fn ring(&mut self, value: u32) {
        self.0.lock().expect("no test panics with it").push(value);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub address: u64,
    pub length: u32,
}

impl Segment for Piece {
    fn address(&self) -> u64 {
        self.address
    }

    fn length(&self) -> u32 {
        self.length
    }
}

/// Requests of a queue: those in flight, and how others ended.
#[derive(Clone, Default)]
pub struct Requests(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    flying: BTreeMap<u16, TestRequest>,
    ended: Vec<(u16, Status)>,
}

impl Requests {
    pub fn request(&self, identifier: u16, operation: Operation, pieces: &[Piece]) -> TestRequest {
        TestRequest {
            requests: self.clone(),
            identifier,
            operation,
            position: 64,
            pieces: pieces.to_vec(),
            lack: None,
            ended: false,
        }
    }

    pub fn ended(&self) -> Vec<(u16, Status)> {
        let mut inner = self.0.lock().expect("no test panics with it");
        std::mem::take(&mut inner.ended)
    }

    pub fn flying(&self) -> usize {
        self.0.lock().expect("no test panics with it").flying.len()
    }
}

impl InFlight for Requests {
    type Request = TestRequest;

    fn take(&self, identifier: u16) -> Option<TestRequest> {
        let mut inner = self.0.lock().expect("no test panics with it");
        inner.flying.remove(&identifier)
    }
}

pub struct TestRequest {
    requests: Requests,
    identifier: u16,
    operation: Operation,
    pub position: u64,
    pieces: Vec<Piece>,
    pub lack: Option<Resource>,
    ended: bool,
}

impl Drop for TestRequest {
    fn drop(&mut self) {
        if !self.ended && !std::thread::panicking() {
            let mut inner = self.requests.0.lock().expect("no test panics with it");
            inner.ended.push((self.identifier, Status::Io));
        }
    }
}

impl Request for TestRequest {
    type Data<'a> = NoData;

    fn operation(&self) -> Operation {
        self.operation
    }
    fn position(&self) -> u64 {
        self.position
    }
    fn bytes(&self) -> u32 {
        self.pieces.iter().map(|piece| piece.length).sum()
    }
    fn fua(&self) -> bool {
        false
    }
    fn polled(&self) -> bool {
        false
    }
    fn data(&mut self) -> NoData {
        NoData
    }
    fn set_position(&mut self, _sector: u64) {}
    fn end(mut self, status: Status) {
        self.ended = true;
        let mut inner = self.requests.0.lock().expect("no test panics with it");
        inner.ended.push((self.identifier, status));
    }
    fn complete(self, status: Status) {
        self.end(status)
    }
    fn complete_after(self, _nanoseconds: u64, status: Status) {
        self.end(status)
    }
    fn complete_on_poll(self, status: Status) {
        self.end(status)
    }
    fn lose(self) {
        self.end(Status::Timeout)
    }
    fn requeue(self) {
        self.end(Status::Resource)
    }
}

impl DeviceRequest for TestRequest {
    type Segment = Piece;
    type Segments<'a> = std::iter::Copied<std::slice::Iter<'a, Piece>>;

    fn segments(&mut self) -> Result<Self::Segments<'_>, Resource> {
        match self.lack {
            Some(lack) => Err(lack),
            None => Ok(self.pieces.iter().copied()),
        }
    }
    fn identifier(&self) -> u16 {
        self.identifier
    }
    fn launch(self) {
        let requests = self.requests.clone();
        let mut inner = requests.0.lock().expect("no test panics with it");
        let before = inner.flying.insert(self.identifier, self);
        assert!(before.is_none(), "an identifier is used once at a time");
    }
}
