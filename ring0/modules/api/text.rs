// SPDX-License-Identifier: GPL-2.0-only

//! Text: written, read, and not printed.

use core::fmt::Write;

use kernel::prelude::*;
use kernel::str::parse_int::ParseInt;
use kernel::str::{kstrtobool, BStr, CString, NullTerminatedFormatter};

use crate::measure::{opaque, Run};

/// Whether a text of ten letters begins and ends like that.
fn is(text: &[u8], first: u8, last: u8) -> bool {
    text[0] == first && text[9] == last && text[10] == 0
}

#[inline(never)]
pub(crate) fn rf_api_format_integer(run: &mut Run) -> Result {
    let mut text = [0u8; 32];
    let mut effect = 0u64;
    measure!(run, |_| {
        text[0] = 0;
        let mut formatter = NullTerminatedFormatter::new(&mut text).ok_or(EINVAL)?;
        write!(formatter, "{}", opaque(1234567890u64))?;
        count!(effect, is(opaque(&text), b'1', b'0'));
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_format_string(run: &mut Run) -> Result {
    let mut text = [0u8; 32];
    let mut effect = 0u64;
    measure!(run, |_| {
        text[0] = 0;
        let mut formatter = NullTerminatedFormatter::new(&mut text).ok_or(EINVAL)?;
        write!(formatter, "{}", opaque("null block"))?;
        count!(effect, is(opaque(&text), b'n', b'k'));
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_format_allocated(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let text = CString::try_from_fmt(fmt!("queue-{}", opaque(1234567890u64)))?;
        let text = opaque(text);
        let bytes = text.to_bytes_with_nul();
        count!(effect, bytes.len() == 17 && is(&bytes[6..], b'1', b'0'));
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_parse_integer(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let value = u64::from_str(opaque(BStr::from_bytes(b"1234567890")))?;
        count!(effect, opaque(value) == 1234567890);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_parse_bool(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let value = kstrtobool(opaque(c"on"))?;
        count!(effect, opaque(value));
    });
    run.effect = effect;
    Ok(())
}

/// Its effect is to have none; that the loop went round is all there is to see.
#[inline(never)]
pub(crate) fn rf_api_pr_debug_off(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |index| {
        pr_debug!("iteration {}\n", index);
        count!(effect, opaque(index) == index);
    });
    run.effect = effect;
    Ok(())
}
