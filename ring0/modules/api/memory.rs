// SPDX-License-Identifier: GPL-2.0-only

//! Allocations: each object is written to and read before it is freed.

use core::mem::MaybeUninit;

use kernel::page::Page;
use kernel::prelude::*;

use crate::measure::{opaque, Run};

/// A number, and memory that nobody writes: 8 + `REST` bytes.
struct Object<const REST: usize> {
    number: u64,
    _rest: MaybeUninit<[u8; REST]>,
}

macro_rules! allocation {
    ($name:ident, $Box:ident, $size:literal) => {
        #[inline(never)]
        pub(crate) fn $name(run: &mut Run) -> Result {
            let mut effect = 0u64;
            measure!(run, |index| {
                let object = opaque($Box::init(
                    init!(Object::<{ $size - 8 }> {
                        number: index,
                        _rest <- pin_init::uninit::<_, core::convert::Infallible>(),
                    }),
                    GFP_KERNEL,
                )?);
                count!(effect, object.number == index);
            });
            run.effect = effect;
            Ok(())
        }
    };
}

allocation!(rf_api_kmalloc_8, KBox, 8);
allocation!(rf_api_kmalloc_64, KBox, 64);
allocation!(rf_api_kmalloc_512, KBox, 512);
allocation!(rf_api_kmalloc_4096, KBox, 4096);
allocation!(rf_api_kvmalloc_16k, KVBox, 16384);
allocation!(rf_api_vmalloc_16k, VBox, 16384);

#[inline(never)]
pub(crate) fn rf_api_kzalloc_4096(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |index| {
        let mut object = opaque(KBox::<[u64; 512]>::zeroed(GFP_KERNEL)?);
        let place = index as usize & 511;
        count!(effect, object[place] == 0);
        object[place] = u64::MAX;
        drop(opaque(object));
    });
    run.effect = effect;
    Ok(())
}

/// An array that grows to 64 values, by doubling.
#[inline(never)]
pub(crate) fn rf_api_kvec_push(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |index| {
        let mut array = KVec::new();
        for i in 0..64 {
            array.push(index ^ i, GFP_KERNEL)?;
        }
        let array = opaque(array);
        count!(
            effect,
            array.first() == Some(&index) && array.last() == Some(&(index ^ 63))
        );
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_kmemdup_64(run: &mut Run) -> Result {
    let mut source = [0u8; 64];
    for (number, byte) in source.iter_mut().enumerate() {
        *byte = number as u8;
    }
    let mut effect = 0u64;
    measure!(run, |_| {
        let mut copy = KVec::new();
        copy.extend_from_slice(opaque(&source), GFP_KERNEL)?;
        let copy = opaque(copy);
        count!(effect, copy.last() == Some(&63));
    });
    run.effect = effect;
    Ok(())
}

/// 512 values of 8 bytes, all the same.
#[inline(never)]
pub(crate) fn rf_api_table_4k(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |index| {
        let table = opaque(KVVec::from_elem(index, 512, GFP_KERNEL)?);
        count!(
            effect,
            table.first() == Some(&index) && table.last() == Some(&index)
        );
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_page(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let page = opaque(Page::alloc_page(GFP_KERNEL)?);
        // In the kernel's half of the addresses.
        count!(effect, page.as_ptr() as usize >> 47 == 0x1ffff);
    });
    run.effect = effect;
    Ok(())
}
