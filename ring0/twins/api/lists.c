// SPDX-License-Identifier: GPL-2.0-only
/* Linked lists. */
#include <linux/list.h>
#include <linux/slab.h>

#include "api.h"

struct item {
	struct list_head links;
	u64 value;
};

static int fill(struct list_head *list, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		struct item *item = kmalloc(sizeof(*item), GFP_KERNEL);

		if (!item)
			return -ENOMEM;
		item->value = i;
		list_add_tail(&item->links, list);
	}
	return 0;
}

static void empty(struct list_head *list)
{
	struct item *item;
	struct item *next;

	list_for_each_entry_safe(item, next, list, links) {
		list_del(&item->links);
		kfree(item);
	}
}

/* A queue of two: what is popped at the front is pushed at the back next. */
RF_API(list_push_pop)
{
	LIST_HEAD(list);
	struct item *item;
	u64 effect = 0;
	int result = fill(&list, 2);

	if (result) {
		empty(&list);
		return result;
	}
	item = list_first_entry(&list, struct item, links);
	list_del(&item->links);
	RF_MEASURE(run, index,
		list_add_tail(&item->links, &list);
		item = list_first_entry_or_null(&list, struct item, links);
		if (!item)
			return -EINVAL;
		list_del(&item->links);
		item = rf_opaque(item);
		effect += item->value == ((index & 1) ^ 1);
	);
	run->effect = effect;
	kfree(item);
	empty(&list);
	return 0;
}

RF_API(list_walk_16)
{
	LIST_HEAD(list);
	u64 effect = 0;
	int result = fill(&list, 16);

	if (result) {
		empty(&list);
		return result;
	}
	RF_MEASURE(run, index,
		struct list_head *head = rf_opaque(&list);
		struct item *item;
		u64 sum = 0;

		list_for_each_entry(item, head, links)
			sum += item->value;
		effect += sum == 120;
	);
	run->effect = effect;
	empty(&list);
	return 0;
}
