/* Atomic operations on 64 bits, sequentially consistent: what C gives without
 * an order. */
#include <stdatomic.h>

#include "operation.h"

OPERATION(atomic_load)
{
	_Atomic uint64_t cell = 1;
	uint64_t effect = 0;

	barrier(&cell);
	EACH(i)
		effect += atomic_load(&cell);
	return effect;
}

OPERATION(atomic_store)
{
	_Atomic uint64_t cell = UINT64_MAX;
	uint64_t effect = 0;

	EACH(i) {
		atomic_store(&cell, i);
		barrier(&cell);
		effect += atomic_load_explicit(&cell, memory_order_relaxed) == i;
	}
	return effect;
}

OPERATION(atomic_swap)
{
	_Atomic uint64_t cell = 0;
	uint64_t effect = 0;

	EACH(i)
		effect += atomic_exchange(&cell, i + 1) == i;
	return effect;
}

OPERATION(atomic_compare_exchange)
{
	_Atomic uint64_t cell = 0;
	uint64_t effect = 0;

	EACH(i) {
		uint64_t expected = i;

		effect += atomic_compare_exchange_strong(&cell, &expected, i + 1);
	}
	return effect;
}

OPERATION(atomic_fetch_add)
{
	_Atomic uint64_t cell = 0;
	uint64_t effect = 0;

	EACH(i)
		effect += atomic_fetch_add(&cell, 1) == i;
	return effect;
}

OPERATION(atomic_fetch_or)
{
	_Atomic uint64_t cell = 0;
	uint64_t effect = 0;

	/* The bits of the last i differ from those of this one. */
	EACH(i) {
		atomic_store_explicit(&cell, i, memory_order_relaxed);
		effect += atomic_fetch_or(&cell, 1) == i;
	}
	return effect;
}
