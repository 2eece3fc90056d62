//! What every operation in Rust is made of; `operation.h` beside it is the
//! same in C. A function sets something up, repeats one thing in [`each`], and
//! returns in how many iterations a check of its own saw the thing happen.

use std::arch::asm;

/// The functions of operations, `rf_api_NAME_rust` for a linker.
macro_rules! operation {
    ($($(#[$attribute:meta])* fn $name:ident($iterations:ident) $body:block)*) => {$(
        $(#[$attribute])*
        #[inline(never)]
        #[export_name = concat!("rf_api_", stringify!($name), "_rust")]
        pub(super) fn $name($iterations: u64) -> u64 $body
    )*};
}

/// The loop. The compiler must suppose that all memory changes from one
/// iteration to the next, so that it can neither merge nor hoist them.
macro_rules! each {
    ($i:pat in $iterations:ident $body:block) => {
        for $i in 0..$iterations {
            $body
            $crate::api::operation::memory_changes();
        }
    };
}

pub(super) use {each, operation};

#[inline(always)]
pub(super) fn memory_changes() {
    // SAFETY: There is no instruction; the compiler only must not know that.
    unsafe { asm!("", options(nostack, preserves_flags)) }
}

/// The compiler must suppose that `value` is read and changed here.
#[inline(always)]
pub(super) fn barrier<T: ?Sized>(value: &T) {
    // SAFETY: There is no instruction but a comment with the address.
    unsafe {
        asm!(
            "/* {0} */",
            in(reg) (value as *const T).cast::<()>(),
            options(nostack, preserves_flags),
        );
    }
}
