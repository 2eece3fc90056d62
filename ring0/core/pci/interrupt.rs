// SPDX-License-Identifier: GPL-2.0-only

//! Interrupt handlers of a function.
//!
//! C header: `include/linux/interrupt.h`.

use core::cell::UnsafeCell;

use kernel::bindings::{self, irqreturn_t};
use kernel::error::to_result;
use kernel::ffi::{c_int, c_void};
use kernel::fmt;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::{Arc, Mutex};

use super::function::{Callback, Function};
use crate::versions::{IRQ_HANDLED, IRQ_NONE};

/// What a handler found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The device did not interrupt: somebody else did, on the same line.
    NotMine,
    /// It did, and that is dealt with.
    Done,
}

/// What is called by interrupts of a vector.
pub trait Handler: Send + 'static {
    /// Deals with an interrupt. Called with interrupts disabled, it must not
    /// sleep; called in a thread, it may. It is never run twice at once (the
    /// kernel calls no handler of an interrupt again before it has returned),
    /// nor while [`Interrupt::with`] has the handler: so it needs no lock of
    /// its own.
    fn handle(&mut self) -> Handled;
}

/// Where a handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// At once, with interrupts disabled (`request_irq`).
    Interrupt,
    /// In a thread of its own, while the interrupt is masked
    /// (`request_threaded_irq`, `IRQF_ONESHOT`). All handlers of a line do it
    /// alike, those of other devices too.
    Thread,
}

/// A handler that is called; a handle to it.
pub struct Interrupt<H>(Arc<Action<H>>);

impl<H> Clone for Interrupt<H> {
    fn clone(&self) -> Interrupt<H> {
        Interrupt(self.0.clone())
    }
}

/// # Invariants
///
/// `handler` is used by the interrupt `irq`, and, with that disabled, by who
/// holds `live`.
#[pin_data]
struct Action<H> {
    irq: u32,
    name: CString,
    /// Whether the handler is called.
    #[pin]
    live: Mutex<bool>,
    handler: UnsafeCell<H>,
}

// SAFETY: By the type invariant one thread at a time uses the handler.
unsafe impl<H: Send> Send for Action<H> {}
// SAFETY: As above.
unsafe impl<H: Send> Sync for Action<H> {}

impl<H: Handler> Interrupt<H> {
    /// A handler of an interrupt of that function's.
    pub(super) fn request(
        function: &Function,
        irq: u32,
        name: fmt::Arguments<'_>,
        context: Context,
        handler: H,
    ) -> Result<Interrupt<H>> {
        let name = CString::try_from_fmt(name)?;
        let action = Arc::pin_init(
            pin_init!(Action {
                irq,
                name,
                live <- new_mutex!(true),
                handler: UnsafeCell::new(handler),
            }),
            GFP_KERNEL,
        )?;
        // A line is shared by devices, and a vector by queues where there is one
        // only.
        let called: bindings::irq_handler_t = Some(handle::<H>);
        let (at_once, threaded, flags) = match context {
            Context::Interrupt => (called, None, 0),
            Context::Thread => (None, called, bindings::IRQF_ONESHOT),
        };
        let flags = (flags | bindings::IRQF_SHARED) as usize;
        function.register(action.clone(), || {
            // SAFETY: The interrupt is the function's, which is bound. Handler
            // and name stay where they are until `stop`: the function's record
            // has them.
            to_result(unsafe {
                bindings::request_threaded_irq(
                    irq,
                    at_once,
                    threaded,
                    flags,
                    action.name.as_char_ptr(),
                    action.handler.get().cast(),
                )
            })
        })?;
        Ok(Interrupt(action))
    }

    /// Calls `action` with the handler, while its interrupt is disabled: one
    /// that comes meanwhile is handled afterwards. None: the driver is being
    /// unbound. Not to be called from `action`, nor for another handler there.
    /// May sleep.
    pub fn with<R>(&self, action: impl FnOnce(&mut H) -> R) -> Option<R> {
        let live = self.0.live.lock();
        live.then(|| {
            // SAFETY: The handler is registered, so the interrupt is its
            // device's. Waits for a handler that is running.
            unsafe { bindings::disable_irq(self.0.irq) };
            // SAFETY: By the type invariant: the interrupt is disabled, and
            // `live` is held.
            let result = action(unsafe { &mut *self.0.handler.get() });
            // SAFETY: Disabled above.
            unsafe { bindings::enable_irq(self.0.irq) };
            result
        })
    }
}

impl<H: Handler> Callback for Action<H> {
    fn stop(&self) {
        let mut live = self.live.lock();
        if core::mem::take(&mut *live) {
            // SAFETY: Registered with this pointer. Waits for a handler that is
            // running.
            unsafe { bindings::free_irq(self.irq, self.handler.get().cast()) };
        }
    }
}

/// # Safety
///
/// Called by the kernel for a handler of [`Interrupt::request`].
unsafe extern "C" fn handle<H: Handler>(_irq: c_int, handler: *mut c_void) -> irqreturn_t {
    // SAFETY: The handler is registered, so it is there, and by the invariant
    // of `Action` it is this interrupt's now.
    match unsafe { &mut *handler.cast::<H>() }.handle() {
        Handled::NotMine => IRQ_NONE,
        Handled::Done => IRQ_HANDLED,
    }
}
