//! The plugin: what QEMU calls.

use std::ffi::{c_char, c_int, c_uint, c_void, CStr};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::mark::{self, Mark};
use crate::qemu::{self, Block, Counter, Id, Instruction, Scoreboard};
use crate::table::{Table, COUNTERS};

/// What QEMU looks at before it calls `qemu_plugin_install`.
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static qemu_plugin_version: c_int = qemu::VERSION;

struct Plugin {
    /// Where the counts of a window go.
    file: PathBuf,
    scoreboard: *mut Scoreboard,
    table: Mutex<Table>,
}

// SAFETY: The pointer is only ever handed back to QEMU, whose scoreboard
// functions may be called from any thread; the rest is `Send` and `Sync`.
unsafe impl Send for Plugin {}
// SAFETY: As above.
unsafe impl Sync for Plugin {}

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

impl Plugin {
    fn counter(&self, index: usize) -> Counter {
        Counter {
            scoreboard: self.scoreboard,
            offset: index * size_of::<u64>(),
        }
    }

    /// A counter's value, of all processors together.
    fn count(&self, index: usize) -> u64 {
        // SAFETY: The scoreboard lives as long as QEMU, and `index` is one of
        // the table's, so below COUNTERS: the element's length.
        unsafe { qemu::qemu_plugin_u64_sum(self.counter(index)) }
    }
}

/// Called by QEMU when it loads the plugin: `out=FILE` names where counts go.
///
/// # Safety
///
/// Called by QEMU, with `count` arguments that are C strings.
#[no_mangle]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _about: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    let file = (0..count as usize).find_map(|index| {
        // SAFETY: By this function's contract.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) };
        argument.to_str().ok()?.strip_prefix("out=")
    });
    let Some(file) = file else {
        eprintln!("the counting plugin needs out=FILE");
        return 1;
    };
    let plugin = Plugin {
        file: PathBuf::from(file),
        // SAFETY: Any size may be asked for; QEMU ends if it has no memory.
        scoreboard: unsafe { qemu::qemu_plugin_scoreboard_new(COUNTERS * size_of::<u64>()) },
        table: Mutex::new(Table::new()),
    };
    if PLUGIN.set(plugin).is_err() {
        eprintln!("the counting plugin is there already; name it once");
        return 1;
    }
    // SAFETY: This is qemu_plugin_install, and `id` is its own.
    unsafe { qemu::on_translation(id, translated) };
    0
}

#[cfg(feature = "api7")]
unsafe extern "C" fn translated(block: *mut Block, _argument: *mut c_void) {
    // SAFETY: QEMU's block, during its translation.
    unsafe { instrument(block) }
}

#[cfg(not(feature = "api7"))]
unsafe extern "C" fn translated(_id: Id, block: *mut Block) {
    // SAFETY: QEMU's block, during its translation.
    unsafe { instrument(block) }
}

/// Has a block counted, and its marks noticed.
///
/// # Safety
///
/// `block` is one that QEMU translates now, on this thread.
unsafe fn instrument(block: *mut Block) {
    let Some(plugin) = PLUGIN.get() else {
        return;
    };
    // SAFETY: The caller's block.
    let (address, count) = unsafe {
        (
            qemu::qemu_plugin_tb_vaddr(block),
            qemu::qemu_plugin_tb_n_insns(block),
        )
    };
    let index = {
        let mut table = plugin.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.index(address)
    };
    // SAFETY: The caller's block; the counter lies within the scoreboard's
    // element, since the table gives no index of COUNTERS or more.
    unsafe {
        qemu::qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
            block,
            qemu::ADD,
            plugin.counter(index),
            count as u64,
        );
    }
    // The kernel gives no marks.
    if address >> 63 == 1 {
        return;
    }
    for at in 0..count {
        // SAFETY: The caller's block, and `at` is below its length.
        let instruction = unsafe { qemu::qemu_plugin_tb_get_insn(block, at) };
        // SAFETY: The instruction of a block in translation.
        let callback = match unsafe { mark_of(instruction) } {
            Some(Mark::Begin) => begin,
            Some(Mark::End) => end,
            None => continue,
        };
        // SAFETY: As above; the callback needs no argument.
        unsafe {
            qemu::qemu_plugin_register_vcpu_insn_exec_cb(
                instruction,
                callback,
                qemu::NO_REGISTERS,
                std::ptr::null_mut(),
            );
        }
    }
}

/// The mark that an instruction is, if it is one.
///
/// # Safety
///
/// `instruction` belongs to a block that QEMU translates now, on this thread.
unsafe fn mark_of(instruction: *const Instruction) -> Option<Mark> {
    let mut bytes = [0; mark::LENGTH];
    // SAFETY: The caller's instruction; `bytes` has the length that is named.
    unsafe {
        if qemu::qemu_plugin_insn_size(instruction) != bytes.len() {
            return None;
        }
        qemu::qemu_plugin_insn_data(instruction, bytes.as_mut_ptr().cast(), bytes.len());
    }
    mark::decode(&bytes)
}

unsafe extern "C" fn begin(_processor: c_uint, _argument: *mut c_void) {
    if let Some(plugin) = PLUGIN.get() {
        let mut table = plugin.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.begin(|index| plugin.count(index));
    }
}

unsafe extern "C" fn end(_processor: c_uint, _argument: *mut c_void) {
    if let Some(plugin) = PLUGIN.get() {
        let table = plugin.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = fs::write(&plugin.file, table.end(|index| plugin.count(index))) {
            // The guest finds no counts, and says so.
            eprintln!("{} cannot be written: {error}", plugin.file.display());
        }
    }
}
