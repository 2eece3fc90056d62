// SPDX-License-Identifier: GPL-2.0-only

//! A tree of 64 even keys, 0 to 126; an operation inserts an odd one, finds it,
//! erases it, and does not find it any more.

use kernel::prelude::*;
use kit::memory::{Memory as _, Pages as _};
use ring0::memory::{Memory, Pages};

use crate::measure::Run;

fn pages() -> Result<Pages> {
    let mut pages = Memory::pages();
    for i in 0..64 {
        *pages.get_or_insert(i * 2).map_err(|_| ENOMEM)?.mark = i as u8;
    }
    Ok(pages)
}

/// Pages by index, each with a mark: what `drivers/nullblk` keeps its data in.
#[inline(never)]
pub(crate) fn rf_api_page_tree(run: &mut Run) -> Result {
    let mut pages = pages()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let key = (index & 63) * 2 + 1;
        *pages.get_or_insert(key).map_err(|_| ENOMEM)?.mark = index as u8;
        let held = pages.get(key).is_some_and(|page| *page.mark == index as u8);
        pages.remove(key);
        count!(effect, held && pages.get(key).is_none());
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_page_tree_find(run: &mut Run) -> Result {
    let mut pages = pages()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let page = pages.get((index & 63) * 2);
        count!(
            effect,
            page.is_some_and(|page| u64::from(*page.mark) == index & 63)
        );
    });
    run.effect = effect;
    Ok(())
}
