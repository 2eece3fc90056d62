// SPDX-License-Identifier: GPL-2.0-only

//! Linked lists.

use kernel::list::{impl_list_arc_safe, impl_list_item, List, ListArc, ListLinks};
use kernel::prelude::*;

use crate::measure::{opaque, Run};

#[pin_data]
struct Item {
    #[pin]
    links: ListLinks,
    value: u64,
}

impl_list_arc_safe! {
    impl ListArcSafe<0> for Item { untracked; }
}
impl_list_item! {
    impl ListItem<0> for Item { using ListLinks { self.links }; }
}

fn list(count: u64) -> Result<List<Item>> {
    let mut list = List::new();
    for value in 0..count {
        list.push_back(ListArc::pin_init(
            try_pin_init!(Item {
                links <- ListLinks::new(),
                value,
            }),
            GFP_KERNEL,
        )?);
    }
    Ok(list)
}

/// A queue of two: what is popped at the front is pushed at the back next.
#[inline(never)]
pub(crate) fn rf_api_list_push_pop(run: &mut Run) -> Result {
    let mut list = list(2)?;
    let mut item = list.pop_front().ok_or(EINVAL)?;
    let mut effect = 0u64;
    measure!(run, |index| {
        list.push_back(item);
        item = opaque(list.pop_front().ok_or(EINVAL)?);
        count!(effect, item.value == (index & 1) ^ 1);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_list_walk_16(run: &mut Run) -> Result {
    let list = list(16)?;
    let mut effect = 0u64;
    measure!(run, |_| {
        let sum = opaque(&list)
            .iter()
            .fold(0u64, |sum, item| sum.wrapping_add(item.value));
        count!(effect, sum == 120);
    });
    run.effect = effect;
    Ok(())
}
