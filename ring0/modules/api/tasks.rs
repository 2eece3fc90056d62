// SPDX-License-Identifier: GPL-2.0-only

//! The current task, its memory, and RCU.

use kernel::mm::MmWithUser;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::rcu;
use kernel::task::Kuid;

use crate::measure::{opaque, Run};

#[inline(never)]
pub(crate) fn rf_api_current_pid(run: &mut Run) -> Result {
    let pid = opaque(current!().pid());
    let mut effect = 0u64;
    measure!(run, |_| {
        count!(effect, opaque(current!().pid()) == pid);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_current_euid(run: &mut Run) -> Result {
    let euid = opaque(Kuid::current_euid());
    let mut effect = 0u64;
    measure!(run, |_| {
        count!(effect, opaque(Kuid::current_euid()) == euid);
    });
    run.effect = effect;
    Ok(())
}

/// The memory of the caller: kept, and given back.
#[inline(never)]
pub(crate) fn rf_api_mm_reference(run: &mut Run) -> Result {
    let first = current!().mm().ok_or(EINVAL)?.as_raw();
    let mut effect = 0u64;
    measure!(run, |_| {
        let mm: ARef<MmWithUser> = opaque(ARef::from(current!().mm().ok_or(EINVAL)?));
        count!(effect, mm.as_raw() == first);
    });
    run.effect = effect;
    Ok(())
}

/// The mapping that the buffer lies in, under the lock of all mappings.
#[inline(never)]
pub(crate) fn rf_api_vma_lookup(run: &mut Run) -> Result {
    let current = current!();
    let mm = current.mm().ok_or(EINVAL)?;
    let address = run.buffer;
    let mut effect = 0u64;
    measure!(run, |_| {
        let mappings = mm.mmap_read_lock();
        let vma = mappings.vma_lookup(address);
        count!(
            effect,
            vma.is_some_and(|vma| vma.start() <= address && address < vma.end())
        );
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_rcu_read(run: &mut Run) -> Result {
    let outside = ring0::rcu::depth();
    let mut effect = 0u64;
    measure!(run, |_| {
        let guard = rcu::read_lock();
        count!(effect, ring0::rcu::depth() == outside.wrapping_add(1));
        drop(guard);
    });
    run.effect = if ring0::rcu::depth() == outside {
        effect
    } else {
        0
    };
    Ok(())
}
