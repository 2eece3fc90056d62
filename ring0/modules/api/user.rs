// SPDX-License-Identifier: GPL-2.0-only

//! The caller's memory.

use kernel::prelude::*;
use kernel::uaccess::{UserSlice, UserSliceReader, UserSliceWriter};

use crate::measure::{opaque, Run, BUFFER};

const PATTERN: u64 = 0x1234567890abcdef;

fn reader(run: &Run, offset: usize, length: usize) -> UserSliceReader {
    UserSlice::new(UserPtr::from_addr(run.buffer.wrapping_add(offset)), length).reader()
}

fn writer(run: &Run, offset: usize, length: usize) -> UserSliceWriter {
    UserSlice::new(UserPtr::from_addr(run.buffer.wrapping_add(offset)), length).writer()
}

#[inline(never)]
pub(crate) fn rf_api_copy_from_user_8(run: &mut Run) -> Result {
    writer(run, 0, 8).write(&PATTERN)?;
    let mut effect = 0u64;
    measure!(run, |_| {
        let read: u64 = reader(run, 0, 8).read()?;
        count!(effect, opaque(read) == PATTERN);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_copy_from_user_4096(run: &mut Run) -> Result {
    let mut page = KVec::from_elem(0x5au8, 4096, GFP_KERNEL)?;
    writer(run, 0, 4096).write_slice(&page)?;
    let mut effect = 0u64;
    measure!(run, |_| {
        page[0] = 0;
        page[4095] = 0;
        reader(run, 0, 4096).read_slice(&mut page)?;
        page = opaque(page);
        count!(effect, page[0] == 0x5a && page[4095] == 0x5a);
    });
    run.effect = effect;
    Ok(())
}

/// Iterations write to places that take turns, each its own number.
#[inline(never)]
pub(crate) fn rf_api_copy_to_user_8(run: &mut Run) -> Result {
    const PLACES: u64 = BUFFER as u64 / 8;
    let place = |index: u64| (index % PLACES) as usize * 8;
    let mut effect = 0u64;
    measure!(run, |index| {
        count!(effect, writer(run, place(index), 8).write(&index).is_ok());
    });
    run.effect = effect;
    for index in run.iterations.saturating_sub(PLACES)..run.iterations {
        if reader(run, place(index), 8).read::<u64>()? != index {
            run.effect = 0;
        }
    }
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_copy_to_user_4096(run: &mut Run) -> Result {
    const PLACES: u64 = BUFFER as u64 / 4096;
    let place = |index: u64| (index % PLACES) as usize * 4096;
    let mut page = KBox::new([0u64; 512], GFP_KERNEL)?;
    let mut effect = 0u64;
    measure!(run, |index| {
        page[0] = index;
        page[511] = index;
        count!(
            effect,
            writer(run, place(index), 4096).write(&*page).is_ok()
        );
    });
    run.effect = effect;
    for index in run.iterations.saturating_sub(PLACES)..run.iterations {
        let mut reader = reader(run, place(index), 4096);
        let first: u64 = reader.read()?;
        reader.skip(4096 - 16)?;
        let last: u64 = reader.read()?;
        if first != index || last != index {
            run.effect = 0;
        }
    }
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_strncpy_from_user(run: &mut Run) -> Result {
    const TEXT: &CStr = c"a string of the user's";
    writer(run, 0, 64).write_slice(TEXT.to_bytes_with_nul())?;
    let mut copy = [0u8; 64];
    let mut effect = 0u64;
    measure!(run, |_| {
        let reader = reader(run, 0, 64);
        let length = reader.strcpy_into_buf(&mut copy)?.to_bytes().len();
        count!(effect, opaque(length) == TEXT.to_bytes().len());
    });
    run.effect = if copy.starts_with(TEXT.to_bytes_with_nul()) {
        effect
    } else {
        0
    };
    Ok(())
}
