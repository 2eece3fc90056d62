// SPDX-License-Identifier: GPL-2.0-only
/* Reference counts. */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/refcount.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "api.h"

struct counted {
	refcount_t count;
	u64 value;
};

static struct counted *counted(void)
{
	struct counted *counted = kmalloc(sizeof(*counted), GFP_KERNEL);

	if (counted) {
		refcount_set(&counted->count, 1);
		counted->value = 7;
	}
	return rf_opaque(counted);
}

/* Without the increment, the decrement would find that it was the last one. */
RF_API(refcount)
{
	struct counted *object = counted();
	u64 effect = 0;

	if (!object)
		return -ENOMEM;
	RF_MEASURE(run, index,
		refcount_inc(&object->count);
		effect += !refcount_dec_and_test(&object->count);
	);
	run->effect = refcount_read(&object->count) == 1 ? effect : 0;
	kfree(object);
	return 0;
}

RF_API(arc)
{
	struct counted *object = counted();
	u64 effect = 0;

	if (!object)
		return -ENOMEM;
	RF_MEASURE(run, index,
		struct counted *clone;

		refcount_inc(&object->count);
		clone = rf_opaque(object);
		effect += clone->value == 7;
		if (refcount_dec_and_test(&clone->count))
			kfree(clone);
	);
	run->effect = refcount_read(&object->count) == 1 ? effect : 0;
	kfree(object);
	return 0;
}

RF_API(task_reference)
{
	struct task_struct *task = current;
	pid_t pid = task->pid;
	u64 effect = 0;

	RF_MEASURE(run, index,
		struct task_struct *clone = rf_opaque(get_task_struct(task));

		effect += clone->pid == pid;
		put_task_struct(clone);
	);
	run->effect = effect;
	return 0;
}

/* The credentials of an open file. */
RF_API(cred_reference)
{
	struct file *file = rf_any_file();
	u64 effect = 0;
	kuid_t euid;

	if (!file)
		return -EBADF;
	euid = file->f_cred->euid;
	RF_MEASURE(run, index,
		const struct cred *cred = rf_opaque(get_cred(file->f_cred));

		effect += uid_eq(cred->euid, euid);
		put_cred(cred);
	);
	run->effect = effect;
	fput(file);
	return 0;
}
