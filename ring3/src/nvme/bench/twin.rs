//! The C twin's queue pair, which admin commands make in place of the driver's.

use std::ffi::c_void;
use std::ptr;

use anyhow::{anyhow, bail, Result};
use kit::dma::Coherent;
use kit::registers::Registers;
use nvme::Command;

use super::doorbell::CalledDoorbell;
use super::machine::Machine;
use crate::dma::{Block, BlockWord};
use crate::request::RawRequest;
use crate::subject::Subject;
use crate::table::DriverTable;

/// `struct rf_nvme_command`.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Entry(pub(super) [u64; 8]);

/// `struct rf_nvme_doorbell`.
#[repr(C)]
struct Doorbell {
    ring: unsafe extern "C" fn(*mut c_void, u32),
    context: *mut c_void,
    shadow: *mut u32,
    event: *mut u32,
}

/// `struct rf_nvme` of `twin.h`.
#[repr(C)]
pub(super) struct Twin {
    submissions: *mut u8,
    tail_doorbell: Doorbell,
    lists: *mut u64,
    lists_bus: u64,
    list_pages: u32,
    namespace_id: u32,
    pub(super) entries: u16,
    tail: u16,
    committed_tail: u16,
    block_shift: u8,
    phase: u8,
    head: u16,
    committed_head: u16,
    pub(super) depth: u32,
    completions: *mut u8,
    head_doorbell: Doorbell,
    requests: *const *mut c_void,
    pub(super) unknown: u64,
    prebuilt: *const Entry,
    prebuilt_mask: u32,
    next: u32,
}

impl Twin {
    /// Whether its doorbells are in memory.
    pub(super) fn is_shadowed(&self) -> bool {
        !self.tail_doorbell.shadow.is_null()
    }

    pub(super) fn block_size(&self) -> u32 {
        1 << self.block_shift
    }
}

// The statics are only read.
extern "C" {
    #[link_name = "rf_nvme_twin"]
    static TWIN: DriverTable;
    #[link_name = "rf_nvme_empty"]
    static EMPTY: DriverTable;
    #[link_name = "rf_nvme_build"]
    fn build(twin: *mut Twin, request: *const c_void, entry: *mut Entry) -> i32;
}

#[cfg(ringfence_clang)]
extern "C" {
    #[link_name = "rf_nvme_twin_clang"]
    static TWIN_CLANG: DriverTable;
}

/// The table of a subject in C.
pub(super) fn table(subject: Subject) -> DriverTable {
    // SAFETY: The tables are constants of `twin.c`.
    unsafe {
        match subject {
            #[cfg(ringfence_clang)]
            Subject::CClang => TWIN_CLANG,
            Subject::Empty => EMPTY,
            _ => TWIN,
        }
    }
}

/// Entries of `rf_nvme_empty`: so many that their positions are as good as
/// random.
pub(super) const PREBUILT: usize = 1024;

/// What a [`Twin`] points into.
pub(super) struct Parts {
    submissions: Block,
    completions: Block,
    lists: Block,
    doorbells: [CalledDoorbell; 2],
    shadows: Option<[[BlockWord; 2]; 2]>,
    prebuilt: Vec<Entry>,
}

#[cfg(test)]
impl Parts {
    /// Where the controller finds them.
    pub(super) fn addresses(&self) -> nvme::Addresses {
        nvme::Addresses {
            submissions: self.submissions.address(),
            completions: self.completions.address(),
            lists: self.lists.address(),
        }
    }
}

/// Deletes queue pair `number` of the driver's, whose memory is `before`, and
/// makes one for a twin, with `requests` by their tags, which outlive it.
pub(super) fn make<T>(
    machine: &mut Machine,
    number: u16,
    before: T,
    requests: *const [*mut RawRequest],
) -> Result<(Twin, Parts)> {
    machine.admin(Command::delete_submission_queue(number))?;
    machine.admin(Command::delete_completion_queue(number))?;
    drop(before);
    let depth = u16::try_from(requests.len())?;
    let entries = depth + 1;
    let list_pages = machine
        .controller
        .max_transfer()
        .div_ceil(4096)
        .div_ceil(511);
    let memory = |bytes: u32| {
        let taken = machine.arena.take(bytes as usize);
        taken.map_err(|_| anyhow!("there is no memory for the twin's queues"))
    };
    let submissions = memory(u32::from(entries) * 64)?;
    let completions = memory(u32::from(entries) * 16)?;
    let lists = memory(u32::from(entries) * list_pages * 4096)?;
    let create = Command::create_completion_queue(number, entries, completions.address(), None);
    machine.admin(create)?;
    let create = Command::create_submission_queue(number, entries, submissions.address());
    machine.admin(create)?;

    let controller = &machine.controller;
    let register = |head| {
        use kit::device::Device;
        let offset = controller.doorbell_offset(number, head);
        controller.device().registers().doorbell(offset)
    };
    let (Some(tail), Some(head)) = (register(false), register(true)) else {
        bail!("the controller has no doorbells for queue pair {number}");
    };
    let shadow = |head| {
        let shadow = controller.shadow(number, head)?;
        Some([shadow.value, shadow.event])
    };
    let parts = Parts {
        submissions,
        completions,
        lists,
        doorbells: [tail, head],
        shadows: shadow(false).zip(shadow(true)).map(<[_; 2]>::from),
        prebuilt: Vec::new(),
    };
    let doorbell = |head: usize| Doorbell {
        ring: parts.doorbells[head].ring,
        context: parts.doorbells[head].context.as_ptr().cast(),
        shadow: word(&parts, head, 0),
        event: word(&parts, head, 1),
    };
    let twin = Twin {
        submissions: parts.submissions.as_ptr(),
        tail_doorbell: doorbell(0),
        lists: parts.lists.as_ptr().cast(),
        lists_bus: parts.lists.address(),
        list_pages,
        namespace_id: machine.namespace.number,
        entries,
        tail: 0,
        committed_tail: 0,
        block_shift: machine.namespace.block_shift,
        phase: 1,
        head: 0,
        committed_head: 0,
        depth: depth.into(),
        completions: parts.completions.as_ptr(),
        head_doorbell: doorbell(1),
        requests: requests.cast(),
        unknown: 0,
        prebuilt: ptr::null(),
        prebuilt_mask: 0,
        next: 0,
    };
    Ok((twin, parts))
}

fn word(parts: &Parts, head: usize, which: usize) -> *mut u32 {
    let words = parts.shadows.as_ref();
    words.map_or(ptr::null_mut(), |words| words[head][which].as_ptr())
}

/// Makes the entries of `rf_nvme_empty`: one of each of `requests`, which are
/// filled in as they come.
///
/// # Safety
///
/// `twin` and `parts` belong together; the requests are live and their segments
/// too.
pub(super) unsafe fn prebuild(
    twin: &mut Twin,
    parts: &mut Parts,
    requests: impl Iterator<Item = *mut RawRequest>,
) -> Result<()> {
    for request in requests.take(PREBUILT) {
        let mut entry = Entry::default();
        // SAFETY: By this function's contract.
        if unsafe { build(twin, request.cast(), &mut entry) } < 0 {
            bail!("no PRP entries describe a request's data");
        }
        parts.prebuilt.push(entry);
    }
    if parts.prebuilt.len() != PREBUILT {
        bail!("there are too few requests for prebuilt entries");
    }
    twin.prebuilt = parts.prebuilt.as_ptr();
    twin.prebuilt_mask = PREBUILT as u32 - 1;
    Ok(())
}
