//! What a controller says of itself and of its namespaces (NVMe Base 2.0
//! §5.17.2, NVM 1.0 §4.1.5). Each field is copied out of memory that the
//! device may write, and checked here.

use core::num::NonZeroU32;

use kit::dma::Coherent;
use kit::memory::PAGE_SIZE;
use zerocopy::little_endian::{U16, U32, U64};

/// Identify controller (figure 275).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerIdentity {
    /// PCI vendor (VID).
    pub vendor: u16,
    /// Serial number, ASCII, filled up with spaces (SN).
    pub serial: [u8; 20],
    /// Model number (MN).
    pub model: [u8; 40],
    /// Firmware revision (FR).
    pub firmware: [u8; 8],
    /// Bytes of the largest transfer (MDTS); `None` for no limit.
    pub max_transfer: Option<NonZeroU32>,
    /// Largest namespace number (NN).
    pub namespaces: u32,
    /// Aborts that may be under way (ACL), 1 or more.
    pub aborts: u16,
    /// Asynchronous event requests that may be under way (AERL), 1 or more.
    pub async_events: u16,
    /// Namespace changes are told (OAES, bit 8).
    pub namespace_events: bool,
    /// Format NVM (OACS, bit 1).
    pub format: bool,
    /// Doorbell buffers (OACS, bit 8).
    pub doorbell_buffers: bool,
    /// Compare (ONCS, bit 0).
    pub compare: bool,
    /// Dataset management (ONCS, bit 2).
    pub dataset_management: bool,
    /// Write zeroes (ONCS, bit 3).
    pub write_zeroes: bool,
    /// Verify (ONCS, bit 7).
    pub verify: bool,
    /// A volatile write cache (VWC, bit 0).
    pub write_cache: bool,
    /// SGLs for I/O commands (SGLS).
    pub sgl: bool,
}

impl ControllerIdentity {
    pub(crate) fn read(memory: &impl Coherent) -> Option<ControllerIdentity> {
        let byte = |offset| memory.read::<u8>(offset);
        let word = |offset| Some(memory.read::<U16>(offset)?.get());
        let admin = word(256)?;
        let nvm = word(520)?;
        Some(ControllerIdentity {
            vendor: word(0)?,
            serial: memory.read(4)?,
            model: memory.read(24)?,
            firmware: memory.read(64)?,
            // In units of the smallest page, which is the kit's.
            max_transfer: match byte(77)? {
                shift @ 1..=19 => NonZeroU32::new((PAGE_SIZE as u32) << shift),
                _ => None,
            },
            namespaces: memory.read::<U32>(516)?.get(),
            aborts: u16::from(byte(258)?) + 1,
            async_events: u16::from(byte(259)?) + 1,
            namespace_events: memory.read::<U32>(92)?.get() >> 8 & 1 == 1,
            format: admin >> 1 & 1 == 1,
            doorbell_buffers: admin >> 8 & 1 == 1,
            compare: nvm & 1 == 1,
            dataset_management: nvm >> 2 & 1 == 1,
            write_zeroes: nvm >> 3 & 1 == 1,
            verify: nvm >> 7 & 1 == 1,
            write_cache: byte(525)? & 1 == 1,
            sgl: memory.read::<U32>(536)?.get() & 3 != 0,
        })
    }
}

/// Identify namespace (NVM 1.0 figure 97).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its number (NSID), 1 or more.
    pub number: u32,
    /// Logical blocks (NSZE).
    pub blocks: u64,
    /// Bytes of a logical block, as a power of two, 9..=12.
    pub block_shift: u8,
    /// The LBA format in use (FLBAS).
    pub format: u8,
    /// LBA formats that it has (NLBAF), 1 or more.
    pub formats: u8,
}

/// Why a namespace cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It has no blocks: it is not active.
    Empty,
    /// Its logical blocks are smaller than 512 bytes or larger than a page.
    BlockSize(u8),
    /// Its blocks have metadata, which this driver does not transfer.
    Metadata,
    /// Its size in bytes overflows.
    TooLarge,
}

impl Namespace {
    pub(crate) fn read(number: u32, memory: &impl Coherent) -> Option<Result<Namespace, Unusable>> {
        let blocks = memory.read::<U64>(0)?.get();
        let formats = memory.read::<u8>(25)?.saturating_add(1);
        // Bits 5 and 6 are those above bit 3.
        let selected = memory.read::<u8>(26)?;
        let format = selected & 0xf | (selected >> 5 & 3) << 4;
        let description = memory.read::<U32>(128 + 4 * usize::from(format))?.get();
        let (metadata, block_shift) = (description as u16, (description >> 16) as u8);
        let usable = if blocks == 0 {
            Err(Unusable::Empty)
        } else if !(9..=12).contains(&block_shift) {
            Err(Unusable::BlockSize(block_shift))
        } else if metadata != 0 {
            Err(Unusable::Metadata)
        } else if blocks > u64::MAX >> block_shift {
            Err(Unusable::TooLarge)
        } else {
            Ok(Namespace {
                number,
                blocks,
                block_shift,
                format,
                formats,
            })
        };
        Some(usable)
    }

    /// Bytes of a logical block, 512..=4096.
    pub fn block_size(&self) -> u32 {
        1 << self.block_shift
    }
}

/// The next of the active namespaces, in rising order, of the list that a
/// device wrote; `None` at its end. Numbers that do not rise are no numbers.
pub(crate) fn next_active(list: &impl Coherent, index: usize, above: u32) -> Option<u32> {
    let number = list.read::<U32>(index.checked_mul(4)?)?.get();
    (number > above).then_some(number)
}
