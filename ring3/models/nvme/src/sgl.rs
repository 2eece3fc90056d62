//! Scatter Gather Lists (Base 2.0 §4.1.2).

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::Command;
use crate::data::{Direction, Segment};
use crate::memory::Memory;
use crate::status::Status;

/// Most descriptors of a command, so that a list that leads back to itself
/// ends.
const MOST: u32 = 1 << 16;
/// Descriptors that are read at a time.
const BATCH: usize = 16;

/// An SGL descriptor.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Descriptor {
    address: U64,
    length: U32,
    reserved: [u8; 3],
    /// Subtype (3:0), type (7:4).
    kind: u8,
}

const _: () = assert!(size_of::<Descriptor>() == 16);

const DATA_BLOCK: u8 = 0x00;
const BIT_BUCKET: u8 = 0x10;
const SEGMENT: u8 = 0x20;
const LAST_SEGMENT: u8 = 0x30;

impl Descriptor {
    /// The one in a command, where PRP1 and PRP2 would be.
    pub fn of(command: &Command) -> Self {
        let low = command.prp2.get();
        Self {
            address: command.prp1,
            length: U32::new(low as u32),
            reserved: [0; 3],
            kind: (low >> 56) as u8,
        }
    }
}

/// Puts the pieces of `length` bytes at `first` into `segments`. The list must
/// describe exactly that many (Identify Controller, SGLS bit 18 is 0).
pub(crate) fn locate<M: Memory>(
    memory: &M,
    first: Descriptor,
    length: u64,
    direction: Direction,
    segments: &mut Vec<Segment>,
) -> Result<(), Status> {
    let mut walk = Walk {
        left: length,
        direction,
        segments,
    };
    let mut next = walk.descriptor(first)?;
    let mut seen = 0;
    while let Some((pointer, last)) = next {
        let count = segment_length(pointer)?;
        seen += count;
        if seen > MOST {
            return Err(Status::INVALID_SGL_COUNT);
        }
        next = walk.segment(memory, pointer.address.get(), count, last)?;
    }
    if walk.left != 0 {
        return Err(Status::DATA_SGL_LENGTH_INVALID);
    }
    Ok(())
}

/// Descriptors of the segment that `pointer` points to.
fn segment_length(pointer: Descriptor) -> Result<u32, Status> {
    let length = pointer.length.get();
    if length == 0 || length % 16 != 0 {
        return Err(Status::INVALID_SGL_SEGMENT);
    }
    Ok(length / 16)
}

struct Walk<'a> {
    left: u64,
    direction: Direction,
    segments: &'a mut Vec<Segment>,
}

impl Walk<'_> {
    /// Takes one descriptor; of one that points to a segment, gives it back and
    /// whether that segment is the last.
    fn descriptor(&mut self, descriptor: Descriptor) -> Result<Option<(Descriptor, bool)>, Status> {
        let length = u64::from(descriptor.length.get());
        let address = match descriptor.kind {
            DATA_BLOCK => Some(descriptor.address.get()),
            // Towards the controller, bit buckets are ignored.
            BIT_BUCKET if self.direction == Direction::FromHost => return Ok(None),
            BIT_BUCKET => None,
            SEGMENT => return Ok(Some((descriptor, false))),
            LAST_SEGMENT => return Ok(Some((descriptor, true))),
            _ => return Err(Status::SGL_TYPE_INVALID),
        };
        if length > self.left {
            return Err(Status::DATA_SGL_LENGTH_INVALID);
        }
        if length > 0 {
            self.left -= length;
            self.segments.push(Segment {
                address,
                length: length as u32,
            });
        }
        Ok(None)
    }

    /// Takes a segment of `count` descriptors. The last one of a segment, and
    /// no other, points to the next; a last segment has no such pointer.
    fn segment<M: Memory>(
        &mut self,
        memory: &M,
        address: u64,
        count: u32,
        last: bool,
    ) -> Result<Option<(Descriptor, bool)>, Status> {
        let mut done = 0;
        while done < count {
            let mut bytes = [0; 16 * BATCH];
            let now = (count - done).min(BATCH as u32);
            let bytes = &mut bytes[..16 * now as usize];
            let at = address.wrapping_add(16 * u64::from(done));
            memory.read(at, bytes)?;
            for bytes in bytes.chunks_exact(16) {
                done += 1;
                let descriptor =
                    Descriptor::read_from_bytes(bytes).map_err(|_| Status::INVALID_SGL_SEGMENT)?;
                let next = self.descriptor(descriptor)?;
                match next {
                    None if done == count && !last => return Err(Status::INVALID_SGL_SEGMENT),
                    None => {}
                    Some(_) if done < count || last => return Err(Status::INVALID_SGL_SEGMENT),
                    Some(_) => return Ok(next),
                }
            }
        }
        Ok(None)
    }
}
