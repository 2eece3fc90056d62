// SPDX-License-Identifier: GPL-2.0-only

//! A PCI function that is bound to a driver.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering};

use kernel::bindings;
use kernel::error::to_result;
use kernel::fmt;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};
use kit::device::Device;

use super::interrupt::{Context, Handler, Interrupt};
use super::window::Window;
use crate::pci_shim;
use crate::worker::{Work, Worker};

/// A reference to a `struct pci_dev`.
pub(super) struct PciDevice(NonNull<bindings::pci_dev>);

// SAFETY: References are counted by atomics, and the functions that are called
// with one may be called from any thread.
unsafe impl Send for PciDevice {}
// SAFETY: As above.
unsafe impl Sync for PciDevice {}

impl PciDevice {
    /// Another reference.
    ///
    /// # Safety
    ///
    /// `pdev` is a device that is there.
    unsafe fn get(pdev: *mut bindings::pci_dev) -> Result<PciDevice> {
        // SAFETY: By the function's contract.
        let pdev = unsafe { bindings::pci_dev_get(pdev) };
        NonNull::new(pdev).map(PciDevice).ok_or(ENODEV)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::pci_dev {
        self.0.as_ptr()
    }
}

impl Clone for PciDevice {
    fn clone(&self) -> PciDevice {
        // SAFETY: The device is there as long as this reference is.
        PciDevice(unsafe { NonNull::new_unchecked(bindings::pci_dev_get(self.as_ptr())) })
    }
}

impl Drop for PciDevice {
    fn drop(&mut self) {
        // SAFETY: One reference is this one's.
        unsafe { bindings::pci_dev_put(self.as_ptr()) };
    }
}

/// What the kernel calls back into, on a driver's behalf.
pub(crate) trait Callback: Send + Sync {
    /// From its return on, nothing is called any more. May sleep.
    fn stop(&self);

    /// Lets go of what was called. After [`stop`](Callback::stop).
    fn release(&self) {}
}

/// A PCI function; a handle, which may be kept for as long as one likes. Once
/// the driver is unbound, its functions fail, and its registers are what they
/// are.
#[derive(Clone)]
pub struct Function(Arc<Shared>);

#[pin_data]
struct Shared {
    device: PciDevice,
    window: Window,
    vectors: AtomicU16,
    #[pin]
    state: Mutex<State>,
}

struct State {
    /// Whether the function is bound, so that memory may be given and taken.
    bound: bool,
    /// What is called back; none once `release` has begun.
    callbacks: Option<KVec<Arc<dyn Callback>>>,
}

impl Function {
    /// Takes a function over for a driver of that name: enabled, its registers
    /// mapped, bus mastering off.
    ///
    /// # Safety
    ///
    /// C's `probe` was called with `pdev` and has not returned. Unless this
    /// fails, [`release`](Function::release) is called before `remove` or
    /// that `probe`, with an error, returns.
    pub(super) unsafe fn claim(
        pdev: *mut bindings::pci_dev,
        name: &'static CStr,
    ) -> Result<Function> {
        // SAFETY: By the function's contract.
        let device = unsafe { PciDevice::get(pdev) }?;
        // SAFETY: As above; nobody else enables it.
        to_result(unsafe { bindings::pci_enable_device_mem(pdev) })?;
        let claimed = Function::set_up(device, name);
        if claimed.is_err() {
            // SAFETY: Enabled above.
            unsafe { bindings::pci_disable_device(pdev) };
        }
        claimed
    }

    fn set_up(device: PciDevice, name: &'static CStr) -> Result<Function> {
        // SAFETY: A device that is being bound, and has no mappings yet.
        to_result(unsafe { pci_shim::rf_dma_setup(device.as_ptr().cast()) })?;
        let window = Window::map(device.clone(), name)?;
        let shared = Arc::pin_init(
            pin_init!(Shared {
                device,
                window,
                vectors: AtomicU16::new(0),
                state <- new_mutex!(State {
                    bound: true,
                    callbacks: Some(KVec::new()),
                }),
            }),
            GFP_KERNEL,
        )?;
        Ok(Function(shared))
    }

    /// Ends everything that was begun with this function, and lets `driver`
    /// go.
    ///
    /// # Safety
    ///
    /// As [`claim`](Function::claim) says; once.
    pub(super) unsafe fn release<D>(self, driver: Option<Arc<D>>) {
        let pdev = self.0.device.as_ptr();
        let callbacks = self.0.state.lock().callbacks.take();
        // Handlers may kick work, work may use handlers: each is told that the
        // other is gone.
        for callback in callbacks.iter().flatten() {
            callback.stop();
        }
        // SAFETY: The device is bound. From here on it reads and writes no
        // memory, so that what it had may be freed.
        unsafe { bindings::pci_clear_master(pdev) };
        for callback in callbacks.iter().flatten() {
            callback.release();
        }
        drop(callbacks);
        drop(driver);
        self.0.state.lock().bound = false;
        if self.0.vectors.load(Ordering::Relaxed) != 0 {
            // SAFETY: Allocated by `take_vectors`, which fails from here on;
            // their handlers were freed.
            unsafe { bindings::pci_free_irq_vectors(pdev) };
        }
        // SAFETY: Enabled by `claim`.
        unsafe { bindings::pci_disable_device(pdev) };
    }

    /// Its `struct device`, which is there as long as this handle is.
    #[inline]
    pub(crate) fn device(&self) -> *mut bindings::device {
        // SAFETY: A field of a device that is there.
        unsafe { &raw mut (*self.0.device.as_ptr()).dev }
    }

    /// Calls `action` while the function is bound, and keeps it bound
    /// meanwhile; none if it is not. Not to be called from `action`. May sleep.
    pub(crate) fn while_bound<R>(&self, action: impl FnOnce() -> R) -> Option<R> {
        let state = self.0.state.lock();
        state.bound.then(action)
    }

    /// Has the driver's end stop a callback that `begin` begins with.
    ///
    /// # Errors
    ///
    /// ENODEV: the driver is being unbound; else `begin`'s, or ENOMEM.
    pub(crate) fn register(
        &self,
        callback: Arc<dyn Callback>,
        begin: impl FnOnce() -> Result,
    ) -> Result {
        let mut state = self.0.state.lock();
        let callbacks = state.callbacks.as_mut().ok_or(ENODEV)?;
        callbacks.reserve(1, GFP_KERNEL)?;
        begin()?;
        callbacks.push(callback, GFP_KERNEL)?;
        Ok(())
    }

    /// Its address, `0000:00:04.0`.
    pub fn name(&self) -> &CStr {
        // SAFETY: The name of a device that is there; it has no end while it is.
        unsafe { CStr::from_char_ptr(pci_shim::rf_name(self.device().cast())) }
    }

    /// Its NUMA node, -1 for none.
    pub fn node(&self) -> i32 {
        // SAFETY: A device that is there.
        unsafe { pci_shim::rf_node(self.device().cast()) }
    }

    /// Whether it is not there any more: it was taken out, or does not answer.
    pub fn is_gone(&self) -> bool {
        // SAFETY: A device that is there, as far as memory goes.
        !unsafe { bindings::pci_device_is_present(self.0.device.as_ptr()) }
    }

    /// Takes interrupt vectors, once: 1 that stays where it is, for what is not
    /// spread, and up to `spread` more, each for some of the CPUs. Answers how
    /// many there are; if 1, it is for everything. May sleep.
    ///
    /// # Errors
    ///
    /// EBUSY: it has vectors; ENODEV: the driver is being unbound; ENOSPC and
    /// others: there is none.
    pub fn take_vectors(&self, spread: u16) -> Result<u16> {
        let state = self.0.state.lock();
        if state.callbacks.is_none() {
            return Err(ENODEV);
        }
        if self.0.vectors.load(Ordering::Relaxed) != 0 {
            return Err(EBUSY);
        }
        let mut affinity = bindings::irq_affinity {
            pre_vectors: 1,
            ..Default::default()
        };
        // SAFETY: A bound device without vectors; `affinity` is used during the
        // call only.
        let count = unsafe {
            bindings::pci_alloc_irq_vectors_affinity(
                self.0.device.as_ptr(),
                1,
                1 + u32::from(spread),
                bindings::PCI_IRQ_ALL_TYPES | bindings::PCI_IRQ_AFFINITY,
                &mut affinity,
            )
        };
        to_result(count)?;
        let count = u16::try_from(count).map_err(|_| EINVAL)?;
        self.0.vectors.store(count, Ordering::Relaxed);
        Ok(count)
    }

    /// Whether its one vector is a line (INTx), which may be shared with other
    /// devices and interrupts until its cause is gone.
    pub fn interrupts_by_line(&self) -> bool {
        // SAFETY: A device that is there.
        unsafe { pci_shim::rf_interrupts_by_line(self.0.device.as_ptr().cast()) != 0 }
    }

    /// Has a handler called by interrupts of a vector. `name` is what
    /// `/proc/interrupts` says. May sleep.
    ///
    /// # Errors
    ///
    /// EINVAL: there is no such vector; EBUSY: it is a line whose other
    /// handlers are called in another [`Context`]; ENODEV: the driver is being
    /// unbound; ENOMEM.
    pub fn interrupt<H: Handler>(
        &self,
        vector: u16,
        name: fmt::Arguments<'_>,
        context: Context,
        handler: H,
    ) -> Result<Interrupt<H>> {
        if vector >= self.0.vectors.load(Ordering::Relaxed) {
            return Err(EINVAL);
        }
        // SAFETY: A device with such a vector; or, unbound meanwhile, an error.
        let irq = unsafe { bindings::pci_irq_vector(self.0.device.as_ptr(), vector.into()) };
        to_result(irq)?;
        Interrupt::request(self, irq as u32, name, context, handler)
    }

    /// Has work done for the driver, by a thread. May sleep.
    ///
    /// # Errors
    ///
    /// ENODEV: the driver is being unbound; ENOMEM.
    pub fn worker<W: Work>(&self, name: fmt::Arguments<'_>, work: Arc<W>) -> Result<Worker<W>> {
        Worker::start(self, name, work)
    }
}

impl AsRef<kernel::device::Device> for Function {
    /// For `dev_info!` and its like.
    fn as_ref(&self) -> &kernel::device::Device {
        // SAFETY: A device that is there as long as `self` is.
        unsafe { kernel::device::Device::from_raw(self.device()) }
    }
}

impl Device for Function {
    type Registers = Window;
    type Dma = Function;

    #[inline]
    fn registers(&self) -> &Window {
        &self.0.window
    }

    #[inline]
    fn dma(&self) -> &Function {
        self
    }

    fn vectors(&self) -> u16 {
        self.0.vectors.load(Ordering::Relaxed)
    }

    fn isolate(&mut self) -> bool {
        // Unbound, somebody else may have turned it on.
        self.while_bound(|| {
            // SAFETY: A bound device.
            unsafe { bindings::pci_clear_master(self.0.device.as_ptr()) };
        })
        .is_some()
    }

    fn admit(&mut self) {
        let state = self.0.state.lock();
        // Not once `release` has begun to turn it off.
        if state.callbacks.is_some() {
            // SAFETY: A bound device.
            unsafe { bindings::pci_set_master(self.0.device.as_ptr()) };
        }
    }
}
