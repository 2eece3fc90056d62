// SPDX-License-Identifier: GPL-2.0-only

//! Timers and time.

use kernel::impl_has_hr_timer;
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::sync::{Arc, ArcBorrow, Completion};
use kernel::time::hrtimer::{
    HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerHandle, HrTimerPointer,
    HrTimerRestart, RelativeMode,
};
use kernel::time::{msecs_to_jiffies, Delta, Instant, Monotonic};

use crate::measure::{opaque, Run};

#[pin_data]
struct AlarmClock {
    #[pin]
    timer: HrTimer<AlarmClock>,
    #[pin]
    done: Completion,
    fired: Atomic<u64>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for AlarmClock {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl HrTimerCallback for AlarmClock {
    type Pointer<'a> = Arc<AlarmClock>;

    fn run(
        this: ArcBorrow<'_, AlarmClock>,
        _context: HrTimerCallbackContext<'_, AlarmClock>,
    ) -> HrTimerRestart {
        this.fired
            .store(this.fired.load(Relaxed).wrapping_add(1), Relaxed);
        this.done.complete_all();
        HrTimerRestart::NoRestart
    }
}

fn alarm_clock() -> Result<Arc<AlarmClock>> {
    Arc::pin_init(
        pin_init!(AlarmClock {
            timer <- HrTimer::new(),
            done <- Completion::new(),
            fired: Atomic::new(0),
        }),
        GFP_KERNEL,
    )
}

#[inline(never)]
pub(crate) fn rf_api_hrtimer_cancel(run: &mut Run) -> Result {
    let clock = alarm_clock()?;
    let mut effect = 0u64;
    measure!(run, |_| {
        let mut handle = clock.clone().start(Delta::from_secs(1));
        count!(effect, handle.cancel());
    });
    run.effect = if clock.fired.load(Relaxed) == 0 {
        effect
    } else {
        0
    };
    Ok(())
}

/// A new timer each time, waited for.
#[inline(never)]
pub(crate) fn rf_api_hrtimer_fire(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let clock = alarm_clock()?;
        let handle = clock.clone().start(Delta::from_nanos(1000));
        clock.done.wait_for_completion();
        drop(handle);
        count!(effect, clock.fired.load(Relaxed) == 1);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_ktime_get(run: &mut Run) -> Result {
    let start = Instant::<Monotonic>::now();
    let mut last = start;
    let mut effect = 0u64;
    measure!(run, |_| {
        let now = Instant::<Monotonic>::now();
        count!(effect, (now - last).as_nanos() >= 0);
        last = now;
    });
    run.effect = if (last - start).as_nanos() > 0 {
        effect
    } else {
        0
    };
    Ok(())
}

/// Nanoseconds to microseconds, rounded up.
#[inline(never)]
pub(crate) fn rf_api_time_delta(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        let delta = Delta::from_nanos(opaque(1234567));
        count!(effect, delta.as_micros_ceil() == 1235);
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_msecs_to_jiffies(run: &mut Run) -> Result {
    let second = msecs_to_jiffies(1000);
    let mut effect = 0u64;
    measure!(run, |_| {
        count!(effect, msecs_to_jiffies(opaque(1000)) == second);
    });
    run.effect = if second == 0 { 0 } else { effect };
    Ok(())
}
