// SPDX-License-Identifier: GPL-2.0-only

//! Trees of 64 even keys, 0 to 126; an operation inserts an odd one, finds it,
//! erases it, and does not find it any more.

use kernel::maple_tree::MapleTree;
use kernel::prelude::*;
use kernel::rbtree::RBTree;
use kernel::xarray::{AllocKind, XArray};

use crate::measure::{opaque, Run};

/// The key of an iteration.
fn odd_key(index: u64) -> u64 {
    (index & 63) * 2 + 1
}

fn rbtree() -> Result<RBTree<u64, u64>> {
    let mut tree = RBTree::new();
    for i in 0..64 {
        tree.try_create_and_insert(i * 2, i, GFP_KERNEL)?;
    }
    Ok(tree)
}

#[inline(never)]
pub(crate) fn rf_api_rbtree(run: &mut Run) -> Result {
    let mut tree = rbtree()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let key = odd_key(index);
        tree.try_create_and_insert(key, index, GFP_KERNEL)?;
        let held = tree.get(&key) == Some(&index);
        tree.remove(&key);
        count!(effect, held && tree.get(&key).is_none());
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_rbtree_find(run: &mut Run) -> Result {
    let tree = rbtree()?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let found = opaque(&tree).get(&((index & 63) * 2));
        count!(effect, found == Some(&(index & 63)));
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_xarray(run: &mut Run) -> Result {
    let array = KBox::pin_init(XArray::<KBox<u64>>::new(AllocKind::Alloc), GFP_KERNEL)?;
    for i in 0..64 {
        array
            .lock()
            .store(i * 2, KBox::new(0, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    let mut value = KBox::new(0, GFP_KERNEL)?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let key = odd_key(index) as usize;
        *value = index;
        let mut array = array.lock();
        array.store(key, value, GFP_KERNEL)?;
        let held = array.get(key) == Some(&index);
        value = array.remove(key).ok_or(ENOENT)?;
        count!(effect, held && array.get(key).is_none());
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_maple_tree(run: &mut Run) -> Result {
    let tree = KBox::pin_init(MapleTree::<KBox<u64>>::new(), GFP_KERNEL)?;
    for i in 0..64 {
        tree.insert(i * 2, KBox::new(0, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    let mut value = KBox::new(0, GFP_KERNEL)?;
    let mut effect = 0u64;
    measure!(run, |index| {
        let key = odd_key(index) as usize;
        *value = index;
        tree.insert(key, value, GFP_KERNEL)?;
        let held = tree.lock().load(key).is_some_and(|found| *found == index);
        value = tree.erase(key).ok_or(ENOENT)?;
        count!(effect, held && tree.lock().load(key).is_none());
    });
    run.effect = effect;
    Ok(())
}
