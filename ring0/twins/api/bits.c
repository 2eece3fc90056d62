// SPDX-License-Identifier: GPL-2.0-only
/* Bitmaps, CPU masks, identifiers. */
#include <linux/bitmap.h>
#include <linux/cpumask.h>

#include "api.h"

#define BITS 256

RF_API(bitmap)
{
	unsigned long *map = bitmap_zalloc(BITS, GFP_KERNEL);
	u64 effect = 0;

	if (!map)
		return -ENOMEM;
	map = rf_opaque(map);
	RF_MEASURE(run, index,
		unsigned long bit = index % BITS;
		bool held;

		__set_bit(bit, map);
		held = find_next_bit(rf_opaque(map), BITS, 0) == bit;
		__clear_bit(bit, map);
		effect += held && find_next_bit(rf_opaque(map), BITS, 0) >= BITS;
	);
	run->effect = effect;
	bitmap_free(map);
	return 0;
}

RF_API(bitmap_atomic)
{
	unsigned long *map = bitmap_zalloc(BITS, GFP_KERNEL);
	u64 effect = 0;

	if (!map)
		return -ENOMEM;
	map = rf_opaque(map);
	RF_MEASURE(run, index,
		unsigned long bit = index % BITS;
		bool held;

		set_bit(bit, map);
		held = find_next_bit(rf_opaque(map), BITS, 0) == bit;
		clear_bit(bit, map);
		effect += held && find_next_bit(rf_opaque(map), BITS, 0) >= BITS;
	);
	run->effect = effect;
	bitmap_free(map);
	return 0;
}

RF_API(cpumask)
{
	cpumask_var_t mask;
	u64 effect = 0;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	RF_MEASURE(run, index,
		bool held;

		cpumask_set_cpu(0, mask);
		held = cpumask_test_cpu(0, mask);
		cpumask_clear_cpu(0, mask);
		effect += held && cpumask_empty(mask);
	);
	run->effect = effect;
	free_cpumask_var(mask);
	return 0;
}

/* The lowest of 256 identifiers that is free; 64 are taken. */
RF_API(id_pool)
{
	unsigned long *map = bitmap_zalloc(BITS, GFP_KERNEL);
	u64 effect = 0;

	if (!map)
		return -ENOMEM;
	bitmap_set(map, 0, 64);
	map = rf_opaque(map);
	RF_MEASURE(run, index,
		unsigned long id = find_next_zero_bit(map, BITS, 0);

		if (id >= BITS)
			break;
		__set_bit(id, map);
		effect += id == 64 && find_next_zero_bit(rf_opaque(map), BITS, 0) == 65;
		__clear_bit(id, map);
	);
	run->effect = find_next_zero_bit(map, BITS, 0) == 64 ? effect : 0;
	bitmap_free(map);
	return 0;
}
