//! Requests whose data is in pieces anywhere, through the driver's queues.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::block::{DeviceRequest, InFlight, NoData, Operation, Request, Resource, Status};
use kit::dma::{Coherent, Segment};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use ring3::dma::Block;
use ring3::nvme::Clock;

use crate::raw::Raw;
use crate::rig::Rig;

/// A piece of memory: an address and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Part(u64, u32);

impl Segment for Part {
    fn address(&self) -> u64 {
        self.0
    }

    fn length(&self) -> u32 {
        self.1
    }
}

/// Requests that the device has, by identifier, and how others ended.
type State = (BTreeMap<u16, Scattered>, Vec<Status>);

#[derive(Clone, Default)]
struct Flying(Arc<Mutex<State>>);

impl InFlight for Flying {
    type Request = Scattered;

    fn take(&self, identifier: u16) -> Option<Scattered> {
        self.0.lock().expect("no panic").0.remove(&identifier)
    }
}

struct Scattered {
    flying: Flying,
    operation: Operation,
    sector: u64,
    parts: Vec<Part>,
    identifier: u16,
}

impl Request for Scattered {
    type Data<'a> = NoData;

    fn operation(&self) -> Operation {
        self.operation
    }
    fn position(&self) -> u64 {
        self.sector
    }
    fn bytes(&self) -> u32 {
        self.parts.iter().map(|part| part.1).sum()
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
    fn end(self, status: Status) {
        self.flying.0.lock().expect("no panic").1.push(status);
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

impl DeviceRequest for Scattered {
    type Segment = Part;
    type Segments<'a> = std::iter::Copied<std::slice::Iter<'a, Part>>;

    fn segments(&mut self) -> Result<Self::Segments<'_>, Resource> {
        Ok(self.parts.iter().copied())
    }
    fn identifier(&self) -> u16 {
        self.identifier
    }
    fn launch(self) {
        let flying = self.flying.clone();
        let mut flying = flying.0.lock().expect("no panic");
        flying.0.insert(self.identifier, self);
    }
}

/// Does one request; how it ended, and whether its entry had an SGL.
fn one<R: Rig>(
    raw: &mut Raw<R>,
    flying: &Flying,
    count: u64,
    operation: Operation,
    parts: &[Part],
) -> (Status, bool) {
    let namespace = raw.namespace.expect("it has one");
    let pair = raw.second.as_mut().expect("a pair of the driver's");
    let request = Scattered {
        flying: flying.clone(),
        operation,
        sector: 128,
        parts: parts.to_vec(),
        identifier: (count << 12) as u16 | 3,
    };
    let taken = pair.submissions.submit(&namespace, request);
    assert!(taken.is_ok());
    pair.submissions.commit();
    let begin = raw.rig.clock().now();
    while pair.completions.process(flying, Request::end) == 0 {
        if let Some(status) = flying.0.lock().expect("no panic").1.pop() {
            // The driver itself ended it.
            return (status, false);
        }
        let now = raw.rig.clock().now();
        assert!(
            now - begin < Duration::from_secs(10),
            "no answer: {parts:?}"
        );
        raw.rig.clock().wait(Some(now + Duration::from_millis(1)));
    }
    let place = pair.addresses.submissions + 64 * (count % (u64::from(pair.depth) + 1));
    let mut entry = [0; 2];
    assert!(raw.rig.arena().device_read(place, &mut entry));
    let status = flying.0.lock().expect("no panic").1.pop();
    (status.expect("it ended"), entry[1] == 0x40)
}

/// Pieces of a block that have so many bytes in all, each once, in any order:
/// by whole pages, or by dwords.
fn scatter(random: &mut StdRng, block: &Block, bytes: u32, by_pages: bool) -> Vec<Part> {
    let unit = if by_pages { 4096 } else { 4 };
    let (mut cuts, mut parts) = (vec![0, bytes / unit], Vec::new());
    for _ in 0..random.random_range(1..6) {
        cuts.push(random.random_range(0..=bytes / unit));
    }
    cuts.sort_unstable();
    cuts.dedup();
    for pair in cuts.windows(2) {
        let at = block.address() + u64::from(pair[0] * unit);
        parts.push(Part(at, (pair[1] - pair[0]) * unit));
    }
    for index in (1..parts.len()).rev() {
        parts.swap(index, random.random_range(0..=index));
    }
    parts
}

/// Writes data that is scattered in one way, and reads it scattered in another.
/// Answers how many requests had SGLs and how many had not.
pub fn check<R: Rig>(rig: &mut R) -> [u64; 2] {
    const BYTES: u32 = 256 << 10;
    let mut raw = Raw::start(rig);
    let flying = Flying::default();
    let mut random = StdRng::seed_from_u64(11);
    let (mut from, mut to) = (raw.buffer(BYTES as usize, 0), raw.buffer(BYTES as usize, 0));
    let (mut sent, mut kinds) = (0, [0, 0]);
    for round in 0..60 {
        let bytes = random.random_range(1..=BYTES / 4096) * 4096;
        let mut data = vec![0; BYTES as usize];
        random.fill(&mut data[..]);
        from.copy_from_slice(0, &data);
        to.copy_from_slice(0, &vec![0; BYTES as usize]);
        let by_pages = round % 2 == 0;
        let mut wanted = Vec::new();
        let mut found = Vec::new();
        let mut whole = true;
        for (operation, block) in [(Operation::Write, &from), (Operation::Read, &to)] {
            let parts = scatter(&mut random, block, bytes, by_pages);
            let (status, sgl) = one(&mut raw, &flying, sent, operation, &parts);
            if status == Status::Io && !by_pages && !sgl {
                // The first piece is short, and pages do not describe the rest.
                whole = false;
                break;
            }
            assert_eq!(status, Status::Ok, "{parts:?}");
            sent += 1;
            kinds[usize::from(!sgl)] += 1;
            for part in &parts {
                let mut piece = vec![0; part.1 as usize];
                block.copy_to_slice((part.0 - block.address()) as usize, &mut piece);
                match operation {
                    Operation::Write => wanted.extend(piece),
                    _ => found.extend(piece),
                }
            }
        }
        assert!(!whole || wanted == found, "round {round}");
    }
    raw.stop();
    kinds
}
