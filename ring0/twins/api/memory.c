// SPDX-License-Identifier: GPL-2.0-only
/* Allocations: each object is written to and read before it is freed. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "api.h"

#define ALLOCATION(name, allocate, free) \
RF_API(name) \
{ \
	u64 effect = 0; \
 \
	RF_MEASURE(run, index, \
		u64 *object = allocate; \
 \
		if (!object) \
			return -ENOMEM; \
		*object = index; \
		object = rf_opaque(object); \
		effect += *object == index; \
		free(object); \
	); \
	run->effect = effect; \
	return 0; \
}

ALLOCATION(kmalloc_8, kmalloc(8, GFP_KERNEL), kfree)
ALLOCATION(kmalloc_64, kmalloc(64, GFP_KERNEL), kfree)
ALLOCATION(kmalloc_512, kmalloc(512, GFP_KERNEL), kfree)
ALLOCATION(kmalloc_4096, kmalloc(4096, GFP_KERNEL), kfree)
ALLOCATION(kvmalloc_16k, kvmalloc(16384, GFP_KERNEL), kvfree)
ALLOCATION(vmalloc_16k, vmalloc(16384), vfree)

RF_API(kzalloc_4096)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		u64 *object = kzalloc(4096, GFP_KERNEL);

		if (!object)
			return -ENOMEM;
		object = rf_opaque(object);
		effect += object[index & 511] == 0;
		object[index & 511] = ~0ULL;
		object = rf_opaque(object);
		kfree(object);
	);
	run->effect = effect;
	return 0;
}

/* An array that grows to 64 values, by doubling. */
RF_API(kvec_push)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		u64 *array = NULL;
		size_t length = 0;
		size_t capacity = 0;

		for (u64 i = 0; i < 64; i++) {
			if (length == capacity) {
				size_t wanted = max(capacity * 2, length + 1);
				u64 *grown = krealloc_array(array, wanted, sizeof(*array),
							    GFP_KERNEL);

				if (!grown) {
					kfree(array);
					return -ENOMEM;
				}
				array = grown;
				capacity = wanted;
			}
			array[length++] = index ^ i;
		}
		array = rf_opaque(array);
		effect += array[0] == index && array[length - 1] == (index ^ 63);
		kfree(array);
	);
	run->effect = effect;
	return 0;
}

RF_API(kmemdup_64)
{
	u8 source[64];
	u64 effect = 0;

	for (int i = 0; i < 64; i++)
		source[i] = i;
	RF_MEASURE(run, index,
		u8 *copy = kmemdup(rf_opaque(&source[0]), 64, GFP_KERNEL);

		if (!copy)
			return -ENOMEM;
		copy = rf_opaque(copy);
		effect += copy[63] == 63;
		kfree(copy);
	);
	run->effect = effect;
	return 0;
}

/* 512 values of 8 bytes, all the same. */
RF_API(table_4k)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		u64 *table = kvmalloc_array(512, sizeof(*table), GFP_KERNEL);

		if (!table)
			return -ENOMEM;
		for (int i = 0; i < 512; i++)
			table[i] = index;
		table = rf_opaque(table);
		effect += table[0] == index && table[511] == index;
		kvfree(table);
	);
	run->effect = effect;
	return 0;
}

RF_API(page)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		struct page *page = rf_opaque(alloc_page(GFP_KERNEL));

		if (!page)
			return -ENOMEM;
		/* In the kernel's half of the addresses. */
		effect += (uintptr_t)page >> 47 == 0x1ffff;
		__free_page(page);
	);
	run->effect = effect;
	return 0;
}
