// SPDX-License-Identifier: GPL-2.0-only

//! Allocations.

use kernel::prelude::*;
use kit::memory::Memory as _;
use ring0::memory::Memory;

use crate::measure::{opaque, Run};

/// 512 values of 8 bytes, all the same.
#[inline(never)]
pub(crate) fn rf_api_table_4k(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |index| {
        let table = opaque(Memory::table(512, index).map_err(|_| ENOMEM)?);
        count!(
            effect,
            table.first() == Some(&index) && table.last() == Some(&index)
        );
    });
    run.effect = effect;
    Ok(())
}
