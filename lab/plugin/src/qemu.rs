//! QEMU's plugin interface, as far as it is used: versions 4 (QEMU 10.0) and
//! 7 (QEMU 11.1, which takes nothing older). They differ in where callbacks
//! get their argument. QEMU itself defines these functions; they are resolved
//! when it loads the plugin.

use std::ffi::{c_int, c_uint, c_void};

/// The interface that this was built for.
#[cfg(feature = "api7")]
pub const VERSION: c_int = 7;
/// The interface that this was built for.
#[cfg(not(feature = "api7"))]
pub const VERSION: c_int = 4;

/// A plugin's identity.
pub type Id = u64;

/// A translation block, during its translation.
#[repr(C)]
pub struct Block {
    _opaque: [u8; 0],
}

/// An instruction of one.
#[repr(C)]
pub struct Instruction {
    _opaque: [u8; 0],
}

/// Memory with one element for each virtual processor.
#[repr(C)]
pub struct Scoreboard {
    _opaque: [u8; 0],
}

/// A `u64` within each element of a scoreboard.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Counter {
    /// The scoreboard.
    pub scoreboard: *mut Scoreboard,
    /// Where in the element, in bytes.
    pub offset: usize,
}

/// `QEMU_PLUGIN_INLINE_ADD_U64`.
pub const ADD: c_uint = 0;

/// `QEMU_PLUGIN_CB_NO_REGS`.
pub const NO_REGISTERS: c_uint = 0;

/// Called when a block is translated.
#[cfg(feature = "api7")]
pub type Translated = unsafe extern "C" fn(*mut Block, *mut c_void);
/// Called when a block is translated.
#[cfg(not(feature = "api7"))]
pub type Translated = unsafe extern "C" fn(Id, *mut Block);

/// Called when an instruction is executed: processor and argument.
pub type Executed = unsafe extern "C" fn(c_uint, *mut c_void);

extern "C" {
    #[cfg(feature = "api7")]
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: Translated, argument: *mut c_void);
    #[cfg(not(feature = "api7"))]
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: Translated);

    pub fn qemu_plugin_tb_vaddr(block: *const Block) -> u64;
    pub fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    pub fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    pub fn qemu_plugin_insn_data(
        instruction: *const Instruction,
        target: *mut c_void,
        length: usize,
    ) -> usize;

    pub fn qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
        block: *mut Block,
        operation: c_uint,
        counter: Counter,
        operand: u64,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: Executed,
        registers: c_uint,
        argument: *mut c_void,
    );

    pub fn qemu_plugin_scoreboard_new(element: usize) -> *mut Scoreboard;
    pub fn qemu_plugin_u64_sum(counter: Counter) -> u64;
}

/// Has `callback` called for every block that is translated from now on.
///
/// # Safety
///
/// `id` is the one that QEMU gave to `qemu_plugin_install`, which is running.
pub unsafe fn on_translation(id: Id, callback: Translated) {
    // SAFETY: The caller's `id`; the callback has this version's type.
    #[cfg(feature = "api7")]
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, callback, std::ptr::null_mut())
    }
    // SAFETY: The caller's `id`; the callback has this version's type.
    #[cfg(not(feature = "api7"))]
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, callback)
    }
}
