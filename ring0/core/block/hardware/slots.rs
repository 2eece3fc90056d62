// SPDX-License-Identifier: GPL-2.0-only

//! Which requests of a hardware queue the device has.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use kernel::bindings;
use kernel::prelude::*;
use kit::block::{tag, TAG_BITS};

/// Above an identifier: the device has the request.
const IN_FLIGHT: u32 = 1 << 16;

/// What a tag is used for.
///
/// # Invariants
///
/// While `state` has [`IN_FLIGHT`], `rq` is a request whose end is owed by
/// whoever takes it.
pub(super) struct Slot {
    /// The identifier: that of the request in flight, or the next one's.
    state: AtomicU32,
    rq: AtomicPtr<bindings::request>,
}

impl Slot {
    /// The name by which the device is to end the tag's request.
    #[inline(always)]
    pub(super) fn identifier(&self) -> u16 {
        self.state.load(Ordering::Relaxed) as u16
    }

    /// The device has the tag's request from here on.
    ///
    /// # Safety
    ///
    /// The request was started and has this slot's tag; its end becomes the
    /// business of whoever takes it.
    #[inline(always)]
    pub(super) unsafe fn launch(&self, rq: *mut bindings::request) {
        self.rq.store(rq, Ordering::Relaxed);
        let identifier = u32::from(self.identifier());
        // INVARIANT: By this function's contract. Releases the request to
        // whoever takes it.
        self.state.store(IN_FLIGHT | identifier, Ordering::Release);
    }
}

/// The requests of a hardware queue by their tags.
pub(super) struct Slots(KVec<Slot>);

impl Slots {
    /// For tags below `depth`.
    pub(super) fn new(depth: u32) -> Result<Slots> {
        let mut slots = KVec::with_capacity(depth as usize, GFP_KERNEL)?;
        for tag in 0..depth {
            let slot = Slot {
                state: AtomicU32::new(tag),
                rq: AtomicPtr::new(ptr::null_mut()),
            };
            slots.push(slot, GFP_KERNEL)?;
        }
        Ok(Slots(slots))
    }

    /// A tag's slot; `None` for one that is none.
    #[inline(always)]
    pub(super) fn get(&self, tag: usize) -> Option<&Slot> {
        self.0.get(tag)
    }

    /// How many tags there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the device has the request of this tag.
    pub(super) fn in_flight(&self, tag: usize) -> Option<u16> {
        let state = self.get(tag)?.state.load(Ordering::Relaxed);
        (state & IN_FLIGHT != 0).then_some(state as u16)
    }

    /// Takes the request of this identifier, if the device has it. Its end is
    /// the caller's business then.
    ///
    /// # Safety
    ///
    /// One calls this at a time.
    #[inline(always)]
    pub(super) unsafe fn take(&self, identifier: u16) -> Option<*mut bindings::request> {
        let slot = self.get(usize::from(tag(identifier)))?;
        if slot.state.load(Ordering::Acquire) != IN_FLIGHT | u32::from(identifier) {
            return None;
        }
        let rq = slot.rq.load(Ordering::Relaxed);
        let next = identifier.wrapping_add(1 << TAG_BITS);
        // INVARIANT: Nobody else takes it meanwhile, and nobody else can
        // afterwards. The tag's next user comes after the request's end.
        slot.state.store(u32::from(next), Ordering::Relaxed);
        Some(rq)
    }
}
