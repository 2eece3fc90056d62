// SPDX-License-Identifier: GPL-2.0-only

//! Bitmaps, CPU masks, identifiers.

use kernel::bitmap::BitmapVec;
use kernel::cpu::CpuId;
use kernel::cpumask::CpumaskVar;
use kernel::id_pool::IdPool;
use kernel::prelude::*;

use crate::measure::{opaque, Run};

const BITS: usize = 256;

#[inline(never)]
pub(crate) fn rf_api_bitmap(run: &mut Run) -> Result {
    let mut map = opaque(BitmapVec::new(BITS, GFP_KERNEL)?);
    let mut effect = 0u64;
    measure!(run, |index| {
        let bit = index as usize % BITS;
        map.set_bit(bit);
        let held = opaque(&map).next_bit(0) == Some(bit);
        map.clear_bit(bit);
        count!(effect, held && opaque(&map).next_bit(0).is_none());
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_bitmap_atomic(run: &mut Run) -> Result {
    let map = opaque(BitmapVec::new(BITS, GFP_KERNEL)?);
    let mut effect = 0u64;
    measure!(run, |index| {
        let bit = index as usize % BITS;
        map.set_bit_atomic(bit);
        let held = opaque(&map).next_bit(0) == Some(bit);
        map.clear_bit_atomic(bit);
        count!(effect, held && opaque(&map).next_bit(0).is_none());
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_cpumask(run: &mut Run) -> Result {
    let cpu = CpuId::from_u32(0).ok_or(EINVAL)?;
    let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    let mut effect = 0u64;
    measure!(run, |_| {
        mask.set(cpu);
        let held = mask.test(cpu);
        mask.clear(cpu);
        count!(effect, held && mask.empty());
    });
    run.effect = effect;
    Ok(())
}

/// The lowest of 256 identifiers that is free; 64 are taken.
#[inline(never)]
pub(crate) fn rf_api_id_pool(run: &mut Run) -> Result {
    let mut pool = IdPool::with_capacity(BITS, GFP_KERNEL)?;
    for _ in 0..64 {
        pool.find_unused_id(0).ok_or(ENOSPC)?.acquire();
    }
    let mut pool = opaque(pool);
    let mut effect = 0u64;
    measure!(run, |_| {
        let id = pool.find_unused_id(0).ok_or(ENOSPC)?.acquire();
        let next = pool.find_unused_id(0).map(|id| id.as_usize());
        count!(effect, id == 64 && next == Some(65));
        pool.release_id(id);
    });
    let next = pool.find_unused_id(0).map(|id| id.as_usize());
    run.effect = if next == Some(64) { effect } else { 0 };
    Ok(())
}
