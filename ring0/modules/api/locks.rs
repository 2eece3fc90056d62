// SPDX-License-Identifier: GPL-2.0-only

//! Locks. Each guards a counter, so that a loop without the lock's body shows.

use kernel::new_mutex;
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::processor::cpu_relax;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::lock::{Backend, Lock};
use kernel::sync::{Arc, Completion, Mutex, SpinLock};
use kernel::workqueue;

use crate::measure::{opaque, Run};

#[inline(never)]
pub(crate) fn rf_api_empty(run: &mut Run) -> Result {
    measure!(run, |_| {});
    Ok(())
}

/// The counter, if its lock keeps others out and lets them in again.
fn effect<B: Backend>(counter: &Lock<u64, B>) -> u64 {
    let guard = counter.lock();
    let excludes = counter.try_lock().is_none();
    drop(guard);
    match counter.try_lock() {
        Some(value) if excludes => *value,
        _ => 0,
    }
}

#[inline(never)]
pub(crate) fn rf_api_spinlock(run: &mut Run) -> Result {
    let counter = opaque(KBox::pin_init(new_spinlock!(0u64), GFP_KERNEL)?);
    measure!(run, |_| {
        let mut value = counter.lock();
        *value = value.wrapping_add(1);
    });
    run.effect = effect(&counter);
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_spinlock_try(run: &mut Run) -> Result {
    let counter = opaque(KBox::pin_init(new_spinlock!(0u64), GFP_KERNEL)?);
    measure!(run, |_| {
        if let Some(mut value) = counter.try_lock() {
            *value = value.wrapping_add(1);
        }
    });
    run.effect = effect(&counter);
    Ok(())
}

#[cfg(not(rf_kernel_7_2))]
#[inline(never)]
pub(crate) fn rf_api_spinlock_irq(run: &mut Run) -> Result {
    let counter = opaque(KBox::pin_init(kernel::new_spinlock_irq!(0u64), GFP_KERNEL)?);
    measure!(run, |_| {
        let mut value = counter.lock();
        *value = value.wrapping_add(1);
    });
    run.effect = effect(&counter);
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_mutex(run: &mut Run) -> Result {
    let counter = opaque(KBox::pin_init(new_mutex!(0u64), GFP_KERNEL)?);
    measure!(run, |_| {
        let mut value = counter.lock();
        *value = value.wrapping_add(1);
    });
    run.effect = effect(&counter);
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_mutex_try(run: &mut Run) -> Result {
    let counter = opaque(KBox::pin_init(new_mutex!(0u64), GFP_KERNEL)?);
    measure!(run, |_| {
        if let Some(mut value) = counter.try_lock() {
            *value = value.wrapping_add(1);
        }
    });
    run.effect = effect(&counter);
    Ok(())
}

/// Somebody else who wants the lock as often as he can, until told to stop.
#[pin_data]
struct Rival<L> {
    #[pin]
    counter: L,
    #[pin]
    done: Completion,
    moves: Atomic<i64>,
    stop: Atomic<i32>,
}

impl<B: Backend + 'static> Rival<Lock<u64, B>>
where
    Lock<u64, B>: Send + Sync,
{
    /// A rival who is at work.
    fn start(counter: impl PinInit<Lock<u64, B>>) -> Result<Arc<Self>> {
        let rival = Arc::pin_init(
            pin_init!(Self {
                counter <- counter,
                done <- Completion::new(),
                moves: Atomic::new(0),
                stop: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        let other = rival.clone();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            while other.stop.load(Relaxed) == 0 {
                let mut value = other.counter.lock();
                *value = value.wrapping_add(1);
                drop(value);
                other.moves.add(1, Relaxed);
            }
            other.done.complete_all();
        })?;
        while rival.moves.load(Relaxed) == 0 {
            cpu_relax();
        }
        Ok(rival)
    }

    /// The run's iterations if all moves are in the counter and the rival moved
    /// after `before`.
    fn effect(&self, before: i64, iterations: u64) -> u64 {
        let moved = self.moves.load(Relaxed) != before;
        self.stop.store(1, Relaxed);
        self.done.wait_for_completion();
        let moves = self.moves.load(Relaxed) as u64;
        if moved && *self.counter.lock() == iterations.wrapping_add(moves) {
            iterations
        } else {
            0
        }
    }
}

#[inline(never)]
pub(crate) fn rf_api_spinlock_contended(run: &mut Run) -> Result {
    let rival = Rival::<SpinLock<u64>>::start(new_spinlock!(0u64))?;
    let before = rival.moves.load(Relaxed);
    measure!(run, |_| {
        let mut value = rival.counter.lock();
        *value = value.wrapping_add(1);
    });
    run.effect = rival.effect(before, run.iterations);
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_mutex_contended(run: &mut Run) -> Result {
    let rival = Rival::<Mutex<u64>>::start(new_mutex!(0u64))?;
    let before = rival.moves.load(Relaxed);
    measure!(run, |_| {
        let mut value = rival.counter.lock();
        *value = value.wrapping_add(1);
    });
    run.effect = rival.effect(before, run.iterations);
    Ok(())
}
