// SPDX-License-Identifier: GPL-2.0-only
/* Atomic values of 64 bits. */
#include <linux/atomic.h>
#include <linux/slab.h>

#include "api.h"

static atomic64_t *atomic(void)
{
	return rf_opaque((atomic64_t *)kzalloc(sizeof(atomic64_t), GFP_KERNEL));
}

RF_API(atomic_load)
{
	atomic64_t *value = atomic();
	u64 effect = 0;

	if (!value)
		return -ENOMEM;
	atomic64_set(value, 7);
	RF_MEASURE(run, index,
		effect += atomic64_read(value) == 7;
	);
	run->effect = effect;
	kfree(value);
	return 0;
}

RF_API(atomic_store)
{
	atomic64_t *value = atomic();

	if (!value)
		return -ENOMEM;
	RF_MEASURE(run, index,
		atomic64_set(value, index);
	);
	run->effect = atomic64_read(value) + 1;
	kfree(value);
	return 0;
}

RF_API(atomic_acquire_release)
{
	atomic64_t *value = atomic();

	if (!value)
		return -ENOMEM;
	RF_MEASURE(run, index,
		atomic64_set_release(value, atomic64_read_acquire(value) + 1);
	);
	run->effect = atomic64_read(value);
	kfree(value);
	return 0;
}

RF_API(atomic_xchg)
{
	atomic64_t *value = atomic();
	u64 effect = 0;

	if (!value)
		return -ENOMEM;
	RF_MEASURE(run, index,
		effect += atomic64_xchg(value, index + 1) == index;
	);
	run->effect = effect;
	kfree(value);
	return 0;
}

RF_API(atomic_cmpxchg)
{
	atomic64_t *value = atomic();
	u64 effect = 0;

	if (!value)
		return -ENOMEM;
	RF_MEASURE(run, index,
		s64 old = index;

		effect += atomic64_try_cmpxchg(value, &old, index + 1);
	);
	run->effect = effect;
	kfree(value);
	return 0;
}

RF_API(atomic_fetch_add)
{
	atomic64_t *value = atomic();
	u64 effect = 0;

	if (!value)
		return -ENOMEM;
	RF_MEASURE(run, index,
		effect += atomic64_fetch_add(1, value) == index;
	);
	run->effect = effect;
	kfree(value);
	return 0;
}

RF_API(atomic_add)
{
	atomic64_t *value = atomic();

	if (!value)
		return -ENOMEM;
	RF_MEASURE(run, index,
		atomic64_add(1, value);
	);
	run->effect = atomic64_read(value);
	kfree(value);
	return 0;
}
