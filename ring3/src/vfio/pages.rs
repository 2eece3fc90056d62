//! Memory that a function reaches through the IOMMU.

use std::ptr::{null_mut, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{ensure, Context, Result};
use kit::memory::PAGE_SIZE;
use rustix::mm::{mmap_anonymous, munmap, MapFlags, ProtFlags};

use super::Function;
use crate::dma::{Arena, Mapping};

/// Where a function has its memory: above 4 GiB, where no machine keeps
/// addresses for interrupts.
const BUS: u64 = 0x1_0000_0000;
/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// Pages of this process, and whether their function reaches them; a handle.
#[derive(Clone)]
pub struct DmaPages(Arc<Shown>);

/// # Invariants
///
/// `length` bytes at `base`, a multiple of the page size, are a mapping of its
/// own as long as this is there.
struct Shown {
    base: NonNull<u8>,
    length: usize,
    huge: bool,
    /// Whether the IOMMU has them.
    shown: Mutex<bool>,
    function: Arc<Function>,
}

// SAFETY: A mapping is the process's, not a thread's.
unsafe impl Send for Shown {}
// SAFETY: Nothing in here accesses the memory; what is in an arena does so
// atomically.
unsafe impl Sync for Shown {}

impl DmaPages {
    /// Takes so many bytes, at least, of huge pages if the host has as many,
    /// else of ordinary ones. The function does not reach them yet.
    ///
    /// # Errors
    ///
    /// If there is not so much memory.
    pub fn new(function: &Arc<Function>, bytes: usize) -> Result<DmaPages> {
        ensure!(bytes > 0, "memory for a device is one byte or more");
        let rounded = |unit: usize| bytes.checked_next_multiple_of(unit);
        let huge = rounded(HUGE).and_then(|length| {
            let flags = MapFlags::HUGETLB | MapFlags::HUGE_2MB;
            Some((map(length, flags)?, length, true))
        });
        let found = huge.or_else(|| {
            let length = rounded(PAGE_SIZE)?;
            Some((map(length, MapFlags::empty())?, length, false))
        });
        let (base, length, huge) =
            found.with_context(|| format!("there are no {bytes} bytes of memory"))?;
        Ok(DmaPages(Arc::new(Shown {
            base,
            length,
            huge,
            shown: Mutex::new(false),
            function: function.clone(),
        })))
    }

    /// An arena of them. To be called once.
    ///
    /// # Errors
    ///
    /// If it was called before, or the IOMMU does not take them, as with a
    /// limit of locked memory.
    pub fn arena(self: &DmaPages) -> Result<Arena> {
        // An arena zeroes and gives out pages as if it were alone with them.
        ensure!(
            Arc::strong_count(&self.0) == 1,
            "these pages are an arena already"
        );
        self.show()?;
        Ok(Arena::over(self.clone(), BUS))
    }

    /// Whether they are huge pages.
    pub fn huge(&self) -> bool {
        self.0.huge
    }

    /// Has the IOMMU show them to the function.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn show(&self) -> Result<()> {
        let pages = &*self.0;
        let mut shown = pages.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown {
            return Ok(());
        }
        let base = pages.base.as_ptr();
        // SAFETY: The memory stays mapped until it was taken from the IOMMU, or
        // the IOMMU's descriptor was closed, which `function` holds; and it is
        // accessed by atomics only, being an arena's.
        unsafe {
            pages
                .function
                .container
                .vfio_dma_map(BUS, pages.length, base)
        }
        .with_context(|| {
            format!(
                "{}: the IOMMU takes no {} bytes; is `ulimit -l` as large?",
                pages.function.address(),
                pages.length
            )
        })?;
        *shown = true;
        Ok(())
    }

    /// Has the IOMMU hide them from the function; whether it does.
    pub fn hide(&self) -> bool {
        self.0.hide()
    }
}

impl Shown {
    fn hide(&self) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown {
            let hidden = self.function.container.vfio_dma_unmap(BUS, self.length);
            *shown = hidden.is_err();
        }
        !*shown
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.hide() {
            // SAFETY: Mapped with that length in `map`; neither the device nor
            // an arena has it any more.
            let _ = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
        }
        // Otherwise it is left where it is.
    }
}

// SAFETY: By the invariant of `Shown`; new mappings are zero. `arena` makes one
// arena of them, and nothing else gives out where they are.
unsafe impl Mapping for DmaPages {
    fn base(&self) -> NonNull<u8> {
        self.0.base
    }

    fn pages(&self) -> usize {
        self.0.length / PAGE_SIZE
    }
}

/// Maps new memory, that a child process would share rather than copy: the
/// device's would be the child's copy otherwise.
fn map(length: usize, flags: MapFlags) -> Option<NonNull<u8>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = flags | MapFlags::SHARED;
    // SAFETY: A new mapping at an address that the kernel chooses.
    let base = unsafe { mmap_anonymous(null_mut(), length, protection, flags) };
    NonNull::new(base.ok()?.cast())
}
