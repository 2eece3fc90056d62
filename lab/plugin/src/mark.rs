//! The two instructions that bound a window: long NOPs, which do nothing
//! anywhere but under the plugin.

use std::arch::asm;

/// Displacement of the NOP that begins a window; the one that ends it is the
/// next number. Compilers pad with displacement 0.
const MAGIC: u32 = 0x5246_4e30;

/// Opcode and addressing of `nopl disp32(%rax)`.
const NOPL: [u8; 3] = [0x0f, 0x1f, 0x80];

/// Bytes of a mark.
pub const LENGTH: usize = 7;

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Counting begins.
    Begin,
    /// Counting ends.
    End,
}

/// The mark that an instruction is, if it is one.
pub fn decode(instruction: &[u8]) -> Option<Mark> {
    let displacement = instruction.strip_prefix(&NOPL)?.try_into().ok()?;
    match u32::from_le_bytes(displacement).wrapping_sub(MAGIC) {
        0 => Some(Mark::Begin),
        1 => Some(Mark::End),
        _ => None,
    }
}

/// Begins a window; one that was open is forgotten.
#[inline(never)]
pub fn begin() {
    // SAFETY: The bytes are one NOP; it reads and changes nothing. Without
    // `nomem` the compiler moves no access to memory across it.
    unsafe {
        asm!(".byte 0x0f, 0x1f, 0x80; .long {}", const MAGIC, options(nostack, preserves_flags))
    }
}

/// Ends a window: when this returns, its counts are in the plugin's file.
#[inline(never)]
pub fn end() {
    // SAFETY: As in `begin`.
    unsafe {
        asm!(".byte 0x0f, 0x1f, 0x80; .long {}", const MAGIC + 1, options(nostack, preserves_flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The machine code of a function, as far as it is a mark's.
    fn code(function: fn()) -> Vec<u8> {
        // SAFETY: Functions are readable for longer than a mark, and both
        // begin with theirs or with a few bytes of prologue before it.
        unsafe { std::slice::from_raw_parts(function as *const u8, 16) }.to_vec()
    }

    #[test]
    fn each_function_holds_the_instruction_that_is_decoded_as_its_mark() {
        for (function, mark) in [(begin as fn(), Mark::Begin), (end, Mark::End)] {
            let code = code(function);
            let found: Vec<Mark> = code.windows(LENGTH).filter_map(decode).collect();
            assert_eq!(found, [mark]);
            function();
        }
    }

    #[test]
    fn other_nops_are_no_marks() {
        assert_eq!(decode(&[0x0f, 0x1f, 0x80, 0, 0, 0, 0]), None);
        assert_eq!(decode(&[0x0f, 0x1f, 0x00]), None);
        assert_eq!(decode(&[0x90]), None);
        assert_eq!(decode(&[]), None);
    }
}
