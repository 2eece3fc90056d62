//! Bounds a window in which valgrind's callgrind counts instructions.
//!
//! A client request is an instruction sequence that does nothing on a
//! processor and that valgrind, translating it, takes as a call. See
//! `valgrind.h` and `callgrind.h`, whose numbers these are.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;

/// `VG_USERREQ_TOOL_BASE('C', 'T')`: callgrind's requests begin here.
const CALLGRIND: u64 = (b'C' as u64) << 24 | (b'T' as u64) << 16;
const DUMP_STATS: u64 = CALLGRIND;
const ZERO_STATS: u64 = CALLGRIND + 1;
const TOGGLE_COLLECT: u64 = CALLGRIND + 2;

/// Counts what this thread does from here on, beginning with nothing.
pub fn begin() {
    request(ZERO_STATS);
    request(TOGGLE_COLLECT);
}

/// Stops counting, and has callgrind write its next file.
pub fn end() {
    request(TOGGLE_COLLECT);
    request(DUMP_STATS);
}

#[inline(always)]
fn request(number: u64) {
    let arguments = [number, 0, 0, 0, 0, 0];
    // SAFETY: On a processor the four rotations of rdi add up to 128 bits and
    // so restore it, and rbx is exchanged with itself. Under valgrind rax is
    // the address of the six words above, which live beyond it, and rdx takes
    // the answer. Flags are not declared to be kept.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") 0u64 => _,
            options(nostack),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = arguments;
}
