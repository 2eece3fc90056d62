// SPDX-License-Identifier: GPL-2.0-only
/* Locks. Each guards a counter, so that a loop without the lock's body shows. */
#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "api.h"

RF_API(empty)
{
	RF_MEASURE(run, index, );
	return 0;
}

struct spin_counter {
	spinlock_t lock;
	u64 value;
};

/* The counter, if its lock keeps others out and lets them in again. */
static u64 spin_effect(struct spin_counter *counter)
{
	bool excludes;

	spin_lock(&counter->lock);
	excludes = !spin_trylock(&counter->lock);
	spin_unlock(&counter->lock);
	if (!excludes || !spin_trylock(&counter->lock))
		return 0;
	spin_unlock(&counter->lock);
	return counter->value;
}

static struct spin_counter *spin_counter(void)
{
	struct spin_counter *counter = kzalloc(sizeof(*counter), GFP_KERNEL);

	if (counter)
		spin_lock_init(&counter->lock);
	return rf_opaque(counter);
}

RF_API(spinlock)
{
	struct spin_counter *counter = spin_counter();

	if (!counter)
		return -ENOMEM;
	RF_MEASURE(run, index,
		spin_lock(&counter->lock);
		counter->value++;
		spin_unlock(&counter->lock);
	);
	run->effect = spin_effect(counter);
	kfree(counter);
	return 0;
}

RF_API(spinlock_try)
{
	struct spin_counter *counter = spin_counter();

	if (!counter)
		return -ENOMEM;
	RF_MEASURE(run, index,
		if (spin_trylock(&counter->lock)) {
			counter->value++;
			spin_unlock(&counter->lock);
		}
	);
	run->effect = spin_effect(counter);
	kfree(counter);
	return 0;
}

RF_API(spinlock_irq)
{
	struct spin_counter *counter = spin_counter();
	unsigned long flags;

	if (!counter)
		return -ENOMEM;
	RF_MEASURE(run, index,
		spin_lock_irqsave(&counter->lock, flags);
		counter->value++;
		spin_unlock_irqrestore(&counter->lock, flags);
	);
	run->effect = spin_effect(counter);
	kfree(counter);
	return 0;
}

struct mutex_counter {
	struct mutex lock;
	u64 value;
};

static u64 mutex_effect(struct mutex_counter *counter)
{
	bool excludes;

	mutex_lock(&counter->lock);
	excludes = !mutex_trylock(&counter->lock);
	mutex_unlock(&counter->lock);
	if (!excludes || !mutex_trylock(&counter->lock))
		return 0;
	mutex_unlock(&counter->lock);
	return counter->value;
}

static struct mutex_counter *mutex_counter(void)
{
	struct mutex_counter *counter = kzalloc(sizeof(*counter), GFP_KERNEL);

	if (counter)
		mutex_init(&counter->lock);
	return rf_opaque(counter);
}

RF_API(mutex)
{
	struct mutex_counter *counter = mutex_counter();

	if (!counter)
		return -ENOMEM;
	RF_MEASURE(run, index,
		mutex_lock(&counter->lock);
		counter->value++;
		mutex_unlock(&counter->lock);
	);
	run->effect = mutex_effect(counter);
	kfree(counter);
	return 0;
}

RF_API(mutex_try)
{
	struct mutex_counter *counter = mutex_counter();

	if (!counter)
		return -ENOMEM;
	RF_MEASURE(run, index,
		if (mutex_trylock(&counter->lock)) {
			counter->value++;
			mutex_unlock(&counter->lock);
		}
	);
	run->effect = mutex_effect(counter);
	kfree(counter);
	return 0;
}

static struct mutex_counter global_counter = {
	.lock = __MUTEX_INITIALIZER(global_counter.lock),
};

/* A mutex that there is once in a module. */
RF_API(global_mutex)
{
	mutex_lock(&global_counter.lock);
	global_counter.value = 0;
	mutex_unlock(&global_counter.lock);
	RF_MEASURE(run, index,
		mutex_lock(&global_counter.lock);
		global_counter.value++;
		mutex_unlock(&global_counter.lock);
	);
	run->effect = mutex_effect(&global_counter);
	return 0;
}

/* Somebody else who wants the lock as often as he can, until told to stop. */
struct rival {
	struct work_struct work;
	struct completion done;
	struct spin_counter spin;
	struct mutex_counter mutex;
	atomic64_t moves;
	atomic_t stop;
};

static void rival_spins(struct work_struct *work)
{
	struct rival *rival = container_of(work, struct rival, work);

	while (!atomic_read(&rival->stop)) {
		spin_lock(&rival->spin.lock);
		rival->spin.value++;
		spin_unlock(&rival->spin.lock);
		atomic64_inc(&rival->moves);
	}
	complete_all(&rival->done);
}

static void rival_sleeps(struct work_struct *work)
{
	struct rival *rival = container_of(work, struct rival, work);

	while (!atomic_read(&rival->stop)) {
		mutex_lock(&rival->mutex.lock);
		rival->mutex.value++;
		mutex_unlock(&rival->mutex.lock);
		atomic64_inc(&rival->moves);
	}
	complete_all(&rival->done);
}

/* A rival who is at work. */
static struct rival *rival_start(work_func_t work)
{
	struct rival *rival = kzalloc(sizeof(*rival), GFP_KERNEL);

	if (!rival)
		return NULL;
	spin_lock_init(&rival->spin.lock);
	mutex_init(&rival->mutex.lock);
	init_completion(&rival->done);
	INIT_WORK(&rival->work, work);
	queue_work(system_unbound_wq, &rival->work);
	while (!atomic64_read(&rival->moves))
		cpu_relax();
	return rival;
}

/* The run's iterations if all moves are in the counter and the rival moved too. */
static u64 rival_effect(struct rival *rival, const u64 *counter, u64 before, u64 iterations)
{
	bool moved = atomic64_read(&rival->moves) != before;

	atomic_set(&rival->stop, 1);
	wait_for_completion(&rival->done);
	/* The work item's last use of its memory is before this. */
	flush_work(&rival->work);
	return moved && *counter == iterations + atomic64_read(&rival->moves) ? iterations : 0;
}

RF_API(spinlock_contended)
{
	struct rival *rival = rival_start(rival_spins);
	u64 before;

	if (!rival)
		return -ENOMEM;
	before = atomic64_read(&rival->moves);
	RF_MEASURE(run, index,
		spin_lock(&rival->spin.lock);
		rival->spin.value++;
		spin_unlock(&rival->spin.lock);
	);
	run->effect = rival_effect(rival, &rival->spin.value, before, run->iterations);
	kfree(rival);
	return 0;
}

RF_API(mutex_contended)
{
	struct rival *rival = rival_start(rival_sleeps);
	u64 before;

	if (!rival)
		return -ENOMEM;
	before = atomic64_read(&rival->moves);
	RF_MEASURE(run, index,
		mutex_lock(&rival->mutex.lock);
		rival->mutex.value++;
		mutex_unlock(&rival->mutex.lock);
	);
	run->effect = rival_effect(rival, &rival->mutex.value, before, run->iterations);
	kfree(rival);
	return 0;
}
