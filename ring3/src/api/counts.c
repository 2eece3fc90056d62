/* Reference counts. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "operation.h"

struct shared {
	atomic_size_t count;
	atomic_size_t weak;
	uint64_t value;
};

static inline struct shared *get(struct shared *shared)
{
	/* Arc aborts on overflow as well. */
	if (atomic_fetch_add_explicit(&shared->count, 1, memory_order_relaxed) >
	    PTRDIFF_MAX)
		abort();
	return shared;
}

static __attribute__((noinline)) void release(struct shared *shared)
{
	free(shared);
}

static inline void put(struct shared *shared)
{
	if (atomic_fetch_sub_explicit(&shared->count, 1, memory_order_release) == 1) {
		atomic_thread_fence(memory_order_acquire);
		release(shared);
	}
}

/* Takes a reference if there still is one. */
static inline bool get_unless_zero(struct shared *shared)
{
	size_t count = atomic_load_explicit(&shared->count, memory_order_relaxed);

	do {
		if (count == 0)
			return false;
		if (count > PTRDIFF_MAX)
			abort();
	} while (!atomic_compare_exchange_weak_explicit(&shared->count, &count,
							count + 1,
							memory_order_acquire,
							memory_order_relaxed));
	return true;
}

OPERATION(arc)
{
	struct shared *shared = malloc(sizeof(*shared));
	uint64_t effect = 0;

	if (!shared)
		return 0;
	atomic_init(&shared->count, 1);

	EACH(i) {
		struct shared *copy = get(shared);

		barrier(copy);
		effect += atomic_load_explicit(&copy->count, memory_order_relaxed) == 2;
		put(copy);
	}

	if (atomic_load(&shared->count) != 1)
		effect = 0;
	put(shared);
	return effect;
}

OPERATION(arc_upgrade)
{
	struct shared *shared = malloc(sizeof(*shared));
	uint64_t effect = 0;

	if (!shared)
		return 0;
	atomic_init(&shared->count, 1);

	EACH(i) {
		if (get_unless_zero(shared)) {
			barrier(shared);
			effect += atomic_load_explicit(&shared->count,
						       memory_order_relaxed) == 2;
			put(shared);
		}
	}

	if (atomic_load(&shared->count) != 1)
		effect = 0;
	put(shared);
	return effect;
}

struct local {
	size_t count;
	uint64_t value;
};

static __attribute__((noinline)) void release_local(struct local *local)
{
	free(local);
}

OPERATION(rc)
{
	struct local *local = malloc(sizeof(*local));
	uint64_t effect = 0;

	if (!local)
		return 0;
	local->count = 1;

	EACH(i) {
		if (++local->count == 0)
			abort();
		barrier(local);
		effect += local->count == 2;
		if (--local->count == 0)
			release_local(local);
	}

	if (local->count != 1)
		effect = 0;
	if (--local->count == 0)
		release_local(local);
	return effect;
}
