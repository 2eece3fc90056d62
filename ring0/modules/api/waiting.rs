// SPDX-License-Identifier: GPL-2.0-only

//! Waiting for somebody else.

use kernel::new_work;
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{Arc, Completion, CondVar, Mutex};
use kernel::workqueue::{self, impl_has_work, Work, WorkItem};
use kernel::{new_condvar, new_mutex};
use pin_init::stack_pin_init;

use crate::measure::{opaque, Run};

/// Had it not been completed, the loop would wait for ever.
#[inline(never)]
pub(crate) fn rf_api_completion(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        stack_pin_init!(let done = Completion::new());
        done.complete_all();
        done.wait_for_completion();
        count!(effect, opaque(true));
    });
    run.effect = effect;
    Ok(())
}

#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    #[pin]
    done: Completion,
    number: u64,
    ran: Atomic<u64>,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Item>;

    fn run(this: Arc<Item>) {
        this.ran.store(this.number.wrapping_add(1), Relaxed);
        this.done.complete_all();
    }
}

/// A new item each time: queued, run, waited for, freed by its last user.
#[inline(never)]
pub(crate) fn rf_api_work_item(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |index| {
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- new_work!("rf_api_work_item"),
                done <- Completion::new(),
                number: index,
                ran: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        let _ = workqueue::system().enqueue(item.clone());
        item.done.wait_for_completion();
        count!(effect, item.ran.load(Relaxed) == index.wrapping_add(1));
    });
    run.effect = effect;
    Ok(())
}

/// Two threads that take turns; odd turns are the other one's.
#[pin_data]
struct Turns {
    #[pin]
    state: Mutex<State>,
    #[pin]
    other: CondVar,
    #[pin]
    this: CondVar,
    #[pin]
    done: Completion,
}

struct State {
    turn: u64,
    stop: bool,
}

impl Turns {
    fn take(&self) {
        let mut state = self.state.lock();
        loop {
            while state.turn & 1 == 0 && !state.stop {
                self.other.wait(&mut state);
            }
            if state.stop {
                break;
            }
            state.turn = state.turn.wrapping_add(1);
            self.this.notify_one();
        }
        drop(state);
        self.done.complete_all();
    }
}

#[inline(never)]
pub(crate) fn rf_api_wait_queue(run: &mut Run) -> Result {
    let turns = Arc::pin_init(
        pin_init!(Turns {
            state <- new_mutex!(State { turn: 0, stop: false }),
            other <- new_condvar!(),
            this <- new_condvar!(),
            done <- Completion::new(),
        }),
        GFP_KERNEL,
    )?;
    let other = turns.clone();
    workqueue::system().try_spawn(GFP_KERNEL, move || other.take())?;
    measure!(run, |_| {
        let mut state = turns.state.lock();
        state.turn = state.turn.wrapping_add(1);
        turns.other.notify_one();
        while state.turn & 1 == 1 {
            turns.this.wait(&mut state);
        }
    });
    let mut state = turns.state.lock();
    run.effect = state.turn / 2;
    state.stop = true;
    turns.other.notify_one();
    drop(state);
    turns.done.wait_for_completion();
    Ok(())
}
