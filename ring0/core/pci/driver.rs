// SPDX-License-Identifier: GPL-2.0-only

//! A driver of PCI functions, and its registration.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};

use kernel::bindings;
use kernel::error::to_result;
use kernel::ffi::c_int;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

use super::function::Function;

/// A driver of PCI functions: what it has of one of them.
pub trait Driver: Send + Sync + Sized + 'static {
    /// Its name, which `driver_override` of a function names.
    const NAME: &'static CStr;

    /// Takes a function over. It is enabled, and bus mastering is off. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// If the driver does not want the function: what it began with it is
    /// ended.
    fn probe(function: Function) -> Result<Arc<Self>>;

    /// Gives the function up: it has been taken out, or the driver unbound.
    /// When this returns, handlers and work are stopped, bus mastering is
    /// turned off, and this is dropped. May sleep.
    fn remove(&self);

    /// The machine is about to stop: the device is to be left in order. May
    /// sleep.
    fn shutdown(&self);
}

/// Whether this module has registered its driver. It does so once, from its
/// `init`, so that no other registration can be made, and forgotten.
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// A driver that the kernel knows, as long as this is there.
///
/// [`pci_module!`](crate::pci_module) makes one.
#[pin_data(PinnedDrop)]
pub struct Registration<D: Driver> {
    #[pin]
    driver: Opaque<bindings::pci_driver>,
    _driver: PhantomData<D>,
}

// SAFETY: Nothing is done with it but to drop it, which may happen anywhere.
unsafe impl<D: Driver> Send for Registration<D> {}
// SAFETY: As above.
unsafe impl<D: Driver> Sync for Registration<D> {}

impl<D: Driver> Registration<D> {
    /// Registers the driver.
    ///
    /// # Safety
    ///
    /// The first one that a module makes is dropped before `module`, whose code
    /// `D` is, goes away.
    ///
    /// # Errors
    ///
    /// EBUSY: it is not the first, or the name is taken.
    #[doc(hidden)]
    pub unsafe fn new(module: &'static ThisModule) -> impl PinInit<Registration<D>, Error> {
        try_pin_init!(Registration {
            driver <- Opaque::try_ffi_init(move |slot: *mut bindings::pci_driver| {
                if REGISTERED.swap(true, Ordering::Relaxed) {
                    return Err(EBUSY);
                }
                let mut driver = bindings::pci_driver {
                    name: D::NAME.as_char_ptr(),
                    probe: Some(probe::<D>),
                    remove: Some(remove::<D>),
                    shutdown: Some(shutdown::<D>),
                    ..Default::default()
                };
                driver.driver.name = D::NAME.as_char_ptr();
                // SAFETY: The slot may be written. The driver stays where it is
                // until drop unregisters it; the rest is static.
                to_result(unsafe {
                    slot.write(driver);
                    bindings::__pci_register_driver(slot, module.as_ptr(), D::NAME.as_char_ptr())
                })
            }),
            _driver: PhantomData,
        })
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for Registration<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered by `new`. Unbinds it from all functions.
        unsafe { bindings::pci_unregister_driver(self.driver.get()) };
    }
}

/// What there is while a driver is bound to a function: its `driver_data`.
struct Record<D> {
    function: Function,
    driver: Arc<D>,
}

/// The record of a device that [`probe`] succeeded for.
///
/// # Safety
///
/// `pdev` is a device that is there.
unsafe fn record<D>(pdev: *mut bindings::pci_dev) -> *mut *mut Record<D> {
    // SAFETY: A field of a device that is there.
    unsafe { (&raw mut (*pdev).dev.driver_data).cast() }
}

/// # Safety
///
/// C's `probe`.
unsafe extern "C" fn probe<D: Driver>(
    pdev: *mut bindings::pci_dev,
    _id: *const bindings::pci_device_id,
) -> c_int {
    let begin = || -> Result {
        let place = KBox::<Record<D>>::new_uninit(GFP_KERNEL)?;
        // SAFETY: Called by `probe`; released below or by `remove`.
        let function = unsafe { Function::claim(pdev, D::NAME) }?;
        match D::probe(function.clone()) {
            Ok(driver) => {
                let made = KBox::write(place, Record { function, driver });
                // SAFETY: The device is being bound to this driver, whose
                // `driver_data` is.
                unsafe { record::<D>(pdev).write(KBox::into_raw(made)) };
                Ok(())
            }
            Err(error) => {
                // SAFETY: Claimed above.
                unsafe { function.release::<D>(None) };
                Err(error)
            }
        }
    };
    match begin() {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// C's `remove`, for a device that [`probe`] succeeded for.
unsafe extern "C" fn remove<D: Driver>(pdev: *mut bindings::pci_dev) {
    // SAFETY: `probe` wrote it, and nobody else takes it.
    let made = unsafe { KBox::from_raw(record::<D>(pdev).replace(core::ptr::null_mut())) };
    let Record { function, driver } = KBox::into_inner(made);
    driver.remove();
    // SAFETY: Called by `remove`.
    unsafe { function.release(Some(driver)) };
}

/// # Safety
///
/// C's `shutdown`, for a device that is bound or that [`probe`] failed for.
unsafe extern "C" fn shutdown<D: Driver>(pdev: *mut bindings::pci_dev) {
    // SAFETY: The device is locked, so that nobody binds or unbinds it.
    if let Some(record) = unsafe { (*record::<D>(pdev)).as_ref() } {
        record.driver.shutdown();
    }
}

/// A module that is a driver of PCI functions. Its arguments are those of the
/// kernel's `module!`; `type` is the [`Driver`](crate::pci::Driver).
#[macro_export]
macro_rules! pci_module {
    (type: $driver:ty, $($rest:tt)*) => {
        #[::kernel::prelude::pin_data]
        struct PciModule {
            #[pin]
            _registration: $crate::pci::Registration<$driver>,
        }

        impl ::kernel::InPlaceModule for PciModule {
            fn init(
                module: &'static ::kernel::ThisModule,
            ) -> impl ::pin_init::PinInit<Self, ::kernel::error::Error> {
                ::kernel::try_pin_init!(Self {
                    // SAFETY: The kernel calls this before anything else of the
                    // module, and drops the value before it unloads it.
                    _registration <- unsafe { $crate::pci::Registration::new(module) },
                })
            }
        }

        ::kernel::prelude::module! {
            type: PciModule,
            $($rest)*
        }
    };
}
