// SPDX-License-Identifier: GPL-2.0-only

//! Atomic values of 64 bits.

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};

use crate::measure::{opaque, Run};

fn atomic() -> Result<KBox<Atomic<i64>>> {
    Ok(opaque(KBox::new(Atomic::new(0), GFP_KERNEL)?))
}

#[inline(never)]
pub(crate) fn rf_api_atomic_load(run: &mut Run) -> Result {
    let value = atomic()?;
    value.store(7, Relaxed);
    let mut effect = 0u64;
    measure!(run, |_| {
        count!(effect, value.load(Relaxed) == 7);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_atomic_store(run: &mut Run) -> Result {
    let value = atomic()?;
    measure!(run, |index| {
        value.store(index as i64, Relaxed);
    });
    run.effect = (value.load(Relaxed) as u64).wrapping_add(1);
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_atomic_acquire_release(run: &mut Run) -> Result {
    let value = atomic()?;
    measure!(run, |_| {
        value.store(value.load(Acquire).wrapping_add(1), Release);
    });
    run.effect = value.load(Relaxed) as u64;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_atomic_xchg(run: &mut Run) -> Result {
    let value = atomic()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let index = index as i64;
        count!(effect, value.xchg(index.wrapping_add(1), Full) == index);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_atomic_cmpxchg(run: &mut Run) -> Result {
    let value = atomic()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let index = index as i64;
        count!(
            effect,
            value.cmpxchg(index, index.wrapping_add(1), Full).is_ok()
        );
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_atomic_fetch_add(run: &mut Run) -> Result {
    let value = atomic()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        count!(effect, value.fetch_add(1, Full) == index as i64);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_atomic_add(run: &mut Run) -> Result {
    let value = atomic()?;
    measure!(run, |_| {
        value.add(1, Relaxed);
    });
    run.effect = value.load(Relaxed) as u64;
    Ok(())
}
