// SPDX-License-Identifier: GPL-2.0-only

//! What differs between the kernels that this builds for. `ring0/Kbuild` says
//! which one it is.

use kernel::bindings::{hrtimer_restart, irqreturn_t};

/// What a timer's callback answers to be left alone.
#[cfg(not(rf_kernel_7_2))]
pub(crate) const NO_RESTART: hrtimer_restart = hrtimer_restart::HRTIMER_NORESTART;
/// What it answers to be called again.
#[cfg(not(rf_kernel_7_2))]
pub(crate) const RESTART: hrtimer_restart = hrtimer_restart::HRTIMER_RESTART;

/// As above: a number in 7.2.
#[cfg(rf_kernel_7_2)]
pub(crate) const NO_RESTART: hrtimer_restart = kernel::bindings::hrtimer_restart_HRTIMER_NORESTART;
/// As above.
#[cfg(rf_kernel_7_2)]
pub(crate) const RESTART: hrtimer_restart = kernel::bindings::hrtimer_restart_HRTIMER_RESTART;

/// What an interrupt handler answers whose device did not interrupt.
#[cfg(not(rf_kernel_7_2))]
pub(crate) const IRQ_NONE: irqreturn_t = irqreturn_t::IRQ_NONE;
/// What it answers if it did.
#[cfg(not(rf_kernel_7_2))]
pub(crate) const IRQ_HANDLED: irqreturn_t = irqreturn_t::IRQ_HANDLED;

/// As above: a number in 7.2.
#[cfg(rf_kernel_7_2)]
pub(crate) const IRQ_NONE: irqreturn_t = kernel::bindings::irqreturn_IRQ_NONE;
/// As above.
#[cfg(rf_kernel_7_2)]
pub(crate) const IRQ_HANDLED: irqreturn_t = kernel::bindings::irqreturn_IRQ_HANDLED;

/// The value of a parameter of the module that calls this, by its name.
#[cfg(not(rf_kernel_7_2))]
// The parameters are the caller's.
#[allow(clippy::crate_in_macro_def)]
#[macro_export]
macro_rules! parameter {
    ($name:ident) => {
        crate::module_parameters::$name.value()
    };
}
/// As above.
#[cfg(rf_kernel_7_2)]
#[allow(clippy::crate_in_macro_def)]
#[macro_export]
macro_rules! parameter {
    ($name:ident) => {
        *crate::module_parameters::$name.value()
    };
}
