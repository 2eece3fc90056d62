// SPDX-License-Identifier: GPL-2.0-only
/* The current task, its memory, and RCU. */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "api.h"

RF_API(current_pid)
{
	pid_t pid = rf_opaque(current->pid);
	u64 effect = 0;

	RF_MEASURE(run, index,
		effect += rf_opaque(current->pid) == pid;
	);
	run->effect = effect;
	return 0;
}

RF_API(current_euid)
{
	kuid_t euid = rf_opaque(current_euid());
	u64 effect = 0;

	RF_MEASURE(run, index,
		effect += uid_eq(rf_opaque(current_euid()), euid);
	);
	run->effect = effect;
	return 0;
}

/* The memory of the caller: kept, and given back. */
RF_API(mm_reference)
{
	struct mm_struct *first = current->mm;
	u64 effect = 0;

	if (!first)
		return -EINVAL;
	RF_MEASURE(run, index,
		struct mm_struct *mm = current->mm;

		if (!mm)
			break;
		mmget(mm);
		effect += rf_opaque(mm) == first;
		mmput(mm);
	);
	run->effect = effect;
	return 0;
}

/* The mapping that the buffer lies in, under the lock of all mappings. */
RF_API(vma_lookup)
{
	struct mm_struct *mm = current->mm;
	u64 effect = 0;

	if (!mm)
		return -EINVAL;
	RF_MEASURE(run, index,
		struct vm_area_struct *vma;

		mmap_read_lock(mm);
		vma = vma_lookup(mm, run->buffer);
		effect += vma && vma->vm_start <= run->buffer && run->buffer < vma->vm_end;
		mmap_read_unlock(mm);
	);
	run->effect = effect;
	return 0;
}

noinline int rf_rcu_depth(void)
{
	return rcu_preempt_depth();
}

RF_API(rcu_read)
{
	int outside = rf_rcu_depth();
	u64 effect = 0;

	RF_MEASURE(run, index,
		rcu_read_lock();
		effect += rf_rcu_depth() == outside + 1;
		rcu_read_unlock();
	);
	run->effect = rf_rcu_depth() == outside ? effect : 0;
	return 0;
}
