// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for somebody else. */
#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "api.h"

/* Had it not been completed, the loop would wait for ever. */
RF_API(completion)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		struct completion done;

		init_completion(&done);
		complete_all(&done);
		wait_for_completion(&done);
		effect += rf_opaque(true);
	);
	run->effect = effect;
	return 0;
}

struct item {
	struct work_struct work;
	struct completion done;
	refcount_t references;
	u64 number;
	u64 ran;
};

static void item_put(struct item *item)
{
	if (refcount_dec_and_test(&item->references))
		kfree(item);
}

static void item_run(struct work_struct *work)
{
	struct item *item = container_of(work, struct item, work);

	WRITE_ONCE(item->ran, item->number + 1);
	complete_all(&item->done);
	item_put(item);
}

/* A new item each time: queued, run, waited for, freed by its last user. */
RF_API(work_item)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		struct item *item = kmalloc(sizeof(*item), GFP_KERNEL);

		if (!item)
			return -ENOMEM;
		INIT_WORK(&item->work, item_run);
		init_completion(&item->done);
		refcount_set(&item->references, 1);
		item->number = index;
		item->ran = 0;
		refcount_inc(&item->references);
		queue_work(system_wq, &item->work);
		wait_for_completion(&item->done);
		effect += READ_ONCE(item->ran) == index + 1;
		item_put(item);
	);
	run->effect = effect;
	return 0;
}

/* Two threads that take turns; odd turns are the other one's. */
struct turns {
	struct work_struct work;
	struct completion done;
	struct mutex lock;
	wait_queue_head_t other;
	wait_queue_head_t self;
	u64 turn;
	bool stop;
};

/* Sleeps on a queue, without the lock meanwhile; wake-ups may be spurious. */
static void sleep_on(wait_queue_head_t *queue, struct mutex *lock)
{
	DEFINE_WAIT(wait);

	prepare_to_wait_exclusive(queue, &wait, TASK_UNINTERRUPTIBLE);
	mutex_unlock(lock);
	schedule();
	mutex_lock(lock);
	finish_wait(queue, &wait);
}

static void take_turns(struct work_struct *work)
{
	struct turns *turns = container_of(work, struct turns, work);

	mutex_lock(&turns->lock);
	for (;;) {
		while (!(turns->turn & 1) && !turns->stop)
			sleep_on(&turns->other, &turns->lock);
		if (turns->stop)
			break;
		turns->turn++;
		wake_up(&turns->self);
	}
	mutex_unlock(&turns->lock);
	complete_all(&turns->done);
}

RF_API(wait_queue)
{
	struct turns *turns = kzalloc(sizeof(*turns), GFP_KERNEL);

	if (!turns)
		return -ENOMEM;
	INIT_WORK(&turns->work, take_turns);
	init_completion(&turns->done);
	mutex_init(&turns->lock);
	init_waitqueue_head(&turns->other);
	init_waitqueue_head(&turns->self);
	queue_work(system_wq, &turns->work);
	RF_MEASURE(run, index,
		mutex_lock(&turns->lock);
		turns->turn++;
		wake_up(&turns->other);
		while (turns->turn & 1)
			sleep_on(&turns->self, &turns->lock);
		mutex_unlock(&turns->lock);
	);
	mutex_lock(&turns->lock);
	run->effect = turns->turn / 2;
	turns->stop = true;
	wake_up(&turns->other);
	mutex_unlock(&turns->lock);
	wait_for_completion(&turns->done);
	flush_work(&turns->work);
	kfree(turns);
	return 0;
}
