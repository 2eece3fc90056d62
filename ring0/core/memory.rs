// SPDX-License-Identifier: GPL-2.0-only

//! [`kit::memory`] over the kernel's allocators.
//!
//! C header: `include/linux/xarray.h`.

use core::ptr::NonNull;

use kernel::alloc::flags::{__GFP_NOWARN, GFP_NOWAIT};
use kernel::bindings;
use kernel::prelude::*;
use kernel::types::Opaque;
use kit::memory::{OutOfMemory, Page, PAGE_SIZE};

use crate::shim;

/// The kernel's memory.
pub struct Memory;

impl kit::memory::Memory for Memory {
    type Pages = Pages;
    type Table<T: Copy + Send + 'static> = KVVec<T>;

    fn pages() -> Pages {
        Pages {
            tree: None,
            count: 0,
        }
    }

    fn table<T: Copy + Send + 'static>(length: usize, value: T) -> Result<KVVec<T>, OutOfMemory> {
        KVVec::from_elem(value, length, GFP_KERNEL).map_err(|_| OutOfMemory)
    }
}

/// Pages by index (on a 64-bit machine, any), in an `xarray` that is there once the first page is.
///
/// # Invariants
///
/// Every entry of the tree is a `struct rf_page` of `rf_page_alloc` that
/// nobody else has; there are `count` of them.
pub struct Pages {
    tree: Option<Pin<KBox<Tree>>>,
    count: u64,
}

/// `struct xarray`.
#[pin_data]
struct Tree {
    #[pin]
    inner: Opaque<bindings::xarray>,
}

impl Tree {
    fn new() -> impl PinInit<Tree> {
        pin_init!(Tree {
            // SAFETY: The slot is valid for writes and stays where it is.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::xa_init_flags(slot, 0) }),
        })
    }
}

// SAFETY: An xarray is not bound to a thread, nor are its pages.
unsafe impl Send for Tree {}

impl Pages {
    /// The tree, if there is one.
    #[inline]
    fn tree(&self) -> Option<*mut bindings::xarray> {
        self.tree.as_ref().map(|tree| tree.inner.get())
    }

    #[inline]
    fn lookup(&self, index: u64) -> Option<NonNull<shim::Page>> {
        // SAFETY: The tree is initialised; it holds pages only.
        NonNull::new(unsafe { bindings::xa_load(self.tree()?, index as usize) }.cast())
    }
}

/// The two parts of a page.
///
/// # Safety
///
/// `page` is an entry of a tree, which is borrowed for `'a`.
#[inline]
unsafe fn parts<'a>(page: NonNull<shim::Page>) -> Page<'a> {
    // SAFETY: By this function's contract and the invariant of `Pages`; the
    // bytes are a page of their own.
    unsafe {
        let page = &mut *page.as_ptr();
        Page {
            bytes: &mut *page.bytes.cast::<[u8; PAGE_SIZE]>(),
            mark: &mut page.mark,
        }
    }
}

impl kit::memory::Pages for Pages {
    #[inline]
    fn get(&mut self, index: u64) -> Option<Page<'_>> {
        let page = self.lookup(index)?;
        // SAFETY: An entry, for as long as `self` is borrowed.
        Some(unsafe { parts(page) })
    }

    #[inline]
    fn get_or_insert(&mut self, index: u64) -> Result<Page<'_>, OutOfMemory> {
        let page = match self.lookup(index) {
            Some(page) => page,
            None => {
                let tree = match self.tree() {
                    Some(tree) => tree,
                    None => {
                        let tree = KBox::pin_init(Tree::new(), GFP_NOWAIT | __GFP_NOWARN)
                            .map_err(|_| OutOfMemory)?;
                        self.tree.insert(tree).inner.get()
                    }
                };
                // SAFETY: May sleep, as `kit` says of this method.
                let page = NonNull::new(unsafe { shim::rf_page_alloc() }).ok_or(OutOfMemory)?;
                // SAFETY: The tree is initialised, `index` is free.
                let stored =
                    unsafe { shim::rf_page_store(tree.cast(), index as usize, page.as_ptr()) };
                if stored != 0 {
                    // SAFETY: Allocated above and in no tree.
                    unsafe { shim::rf_page_free(page.as_ptr()) };
                    return Err(OutOfMemory);
                }
                // INVARIANT: One more, and nobody else has it.
                self.count += 1;
                page
            }
        };
        // SAFETY: An entry, for as long as `self` is borrowed.
        Ok(unsafe { parts(page) })
    }

    #[inline]
    fn remove(&mut self, index: u64) {
        let Some(tree) = self.tree() else { return };
        // SAFETY: The tree is initialised; it holds pages only.
        let page: *mut shim::Page = unsafe { bindings::xa_erase(tree, index as usize) }.cast();
        if !page.is_null() {
            // INVARIANT: One less.
            self.count -= 1;
            // SAFETY: No longer in the tree, and nobody else has it.
            unsafe { shim::rf_page_free(page) };
        }
    }

    fn next(&mut self, from: u64) -> Option<u64> {
        let mut index = from as usize;
        // SAFETY: The tree is initialised, `index` valid for the call.
        let page =
            unsafe { bindings::xa_find(self.tree()?, &mut index, usize::MAX, shim::XA_PRESENT) };
        (!page.is_null()).then_some(index as u64)
    }

    fn count(&self) -> u64 {
        self.count
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        use kit::memory::Pages as _;

        let mut from = 0;
        while let Some(index) = self.next(from) {
            self.remove(index);
            from = index;
        }
        if let Some(tree) = self.tree() {
            // SAFETY: The tree is initialised and empty.
            unsafe { bindings::xa_destroy(tree) };
        }
    }
}
