// SPDX-License-Identifier: GPL-2.0-only
/* Timers and time. */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "api.h"

struct alarm_clock {
	struct hrtimer timer;
	struct completion done;
	refcount_t references;
	u64 fired;
};

static enum hrtimer_restart ring(struct hrtimer *timer)
{
	struct alarm_clock *clock = container_of(timer, struct alarm_clock, timer);

	WRITE_ONCE(clock->fired, READ_ONCE(clock->fired) + 1);
	complete_all(&clock->done);
	return HRTIMER_NORESTART;
}

static struct alarm_clock *alarm_clock(void)
{
	struct alarm_clock *clock = kmalloc(sizeof(*clock), GFP_KERNEL);

	if (!clock)
		return NULL;
	hrtimer_setup(&clock->timer, ring, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	init_completion(&clock->done);
	refcount_set(&clock->references, 1);
	clock->fired = 0;
	return clock;
}

RF_API(hrtimer_cancel)
{
	struct alarm_clock *clock = alarm_clock();
	u64 effect = 0;

	if (!clock)
		return -ENOMEM;
	RF_MEASURE(run, index,
		hrtimer_start(&clock->timer, NSEC_PER_SEC, HRTIMER_MODE_REL);
		effect += hrtimer_cancel(&clock->timer) == 1;
	);
	run->effect = clock->fired ? 0 : effect;
	kfree(clock);
	return 0;
}

/* A new timer each time, waited for. */
RF_API(hrtimer_fire)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		struct alarm_clock *clock = alarm_clock();

		if (!clock)
			return -ENOMEM;
		hrtimer_start(&clock->timer, 1000, HRTIMER_MODE_REL);
		wait_for_completion(&clock->done);
		hrtimer_cancel(&clock->timer);
		effect += READ_ONCE(clock->fired) == 1;
		kfree(clock);
	);
	run->effect = effect;
	return 0;
}

RF_API(ktime_get)
{
	ktime_t start = ktime_get();
	ktime_t last = start;
	u64 effect = 0;

	RF_MEASURE(run, index,
		ktime_t now = ktime_get();

		effect += ktime_to_ns(ktime_sub(now, last)) >= 0;
		last = now;
	);
	run->effect = ktime_after(last, start) ? effect : 0;
	return 0;
}

/* Nanoseconds to microseconds, rounded up. */
RF_API(time_delta)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		s64 delta = rf_opaque(1234567LL);

		effect += ktime_to_us(ktime_add_ns(ns_to_ktime(delta), NSEC_PER_USEC - 1)) == 1235;
	);
	run->effect = effect;
	return 0;
}

RF_API(msecs_to_jiffies)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		unsigned int msecs = rf_opaque(1000U);

		effect += msecs_to_jiffies(msecs) == HZ;
	);
	run->effect = effect;
	return 0;
}
