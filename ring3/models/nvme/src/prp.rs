//! Physical Region Pages (Base 2.0 §4.1.1).

use crate::data::Segment;
use crate::memory::Memory;
use crate::status::Status;

/// Entries of a list that are read at a time.
const BATCH: usize = 32;

/// Puts the pieces of `length` bytes at `prp` into `segments`. Of lists, only
/// the entries that the transfer needs are read.
pub(crate) fn locate<M: Memory>(
    memory: &M,
    prp: [u64; 2],
    length: u64,
    page: u64,
    segments: &mut Vec<Segment>,
) -> Result<(), Status> {
    let mut push = |address, length: u64| {
        segments.push(Segment {
            address: Some(address),
            length: length as u32,
        });
    };
    if length == 0 {
        return Ok(());
    }
    // The first entry alone may have an offset; it is a multiple of 4. (A page
    // is a power of two, and a mask is much faster than a division.)
    let offset = |address: u64| address & (page - 1);
    let [first, second] = prp;
    if first % 4 != 0 {
        return Err(Status::INVALID_PRP_OFFSET);
    }
    let room = page - offset(first);
    push(first, length.min(room));
    let mut left = length.saturating_sub(room);
    if left == 0 {
        return Ok(()); // PRP2 is reserved
    }
    if left <= page {
        check(second, page)?;
        push(second, left);
        return Ok(());
    }

    // PRP2 points into a list. It is a multiple of 8; lists go on to the end of
    // their page.
    if second % 8 != 0 {
        return Err(Status::INVALID_PRP_OFFSET);
    }
    let mut list = second;
    loop {
        let pages = left.div_ceil(page);
        let entries = (page - offset(list)) / 8;
        // The last entry of a list page that does not suffice points to the
        // next list page.
        let (data, chained) = if pages > entries {
            (entries - 1, true)
        } else {
            (pages, false)
        };
        let mut done = 0;
        while done < data {
            let mut bytes = [0; 8 * BATCH];
            let count = (data - done).min(BATCH as u64);
            let bytes = &mut bytes[..8 * count as usize];
            memory.read(list + 8 * done, bytes)?;
            for entry in bytes.chunks_exact(8) {
                let entry = u64::from_le_bytes(entry.try_into().unwrap_or_default());
                check(entry, page)?;
                push(entry, left.min(page));
                left = left.saturating_sub(page);
            }
            done += count;
        }
        if !chained {
            return Ok(());
        }
        let mut next = [0; 8];
        memory.read(list + 8 * data, &mut next)?;
        let next = u64::from_le_bytes(next);
        check(next, page)?;
        list = next;
    }
}

/// Every entry but the first has offset 0.
fn check(entry: u64, page: u64) -> Result<(), Status> {
    if entry & (page - 1) != 0 {
        return Err(Status::INVALID_PRP_OFFSET);
    }
    Ok(())
}
