/* Locks, and what is done once. */
#include <pthread.h>
#include <stdbool.h>

#include "operation.h"

OPERATION(mutex)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	uint64_t counter = 0;

	EACH(i) {
		pthread_mutex_lock(&lock);
		counter++;
		barrier(&counter);
		pthread_mutex_unlock(&lock);
	}
	return counter;
}

OPERATION(mutex_try)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	uint64_t counter = 0;

	EACH(i) {
		if (pthread_mutex_trylock(&lock) == 0) {
			counter++;
			barrier(&counter);
			pthread_mutex_unlock(&lock);
		}
	}
	return counter;
}

struct contended {
	pthread_mutex_t lock;
	pthread_barrier_t start;
	uint64_t counter, iterations;
};

/* Takes the lock again and again until both threads together have counted all
 * iterations, and returns how many were counted here. */
INLINE uint64_t contend(struct contended *shared)
{
	uint64_t taken = 0;
	bool more;

	pthread_barrier_wait(&shared->start);
	do {
		pthread_mutex_lock(&shared->lock);
		more = shared->counter < shared->iterations;
		if (more)
			shared->counter++;
		pthread_mutex_unlock(&shared->lock);
		taken += more;
	} while (more);
	return taken;
}

static void *contend_elsewhere(void *shared)
{
	return (void *)contend(shared);
}

OPERATION(mutex_contended)
{
	struct contended shared = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.iterations = iterations,
	};
	pthread_t other;
	uint64_t here;
	void *there;

	pthread_barrier_init(&shared.start, NULL, 2);
	if (pthread_create(&other, NULL, contend_elsewhere, &shared))
		return 0;
	here = contend(&shared);
	pthread_join(other, &there);
	pthread_barrier_destroy(&shared.start);
	return here + (uint64_t)there;
}

OPERATION(rwlock_read)
{
	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	uint64_t value = 1, effect = 0;

	EACH(i) {
		pthread_rwlock_rdlock(&lock);
		barrier(&value);
		effect += value;
		pthread_rwlock_unlock(&lock);
	}
	return effect;
}

OPERATION(rwlock_write)
{
	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	uint64_t counter = 0;

	EACH(i) {
		pthread_rwlock_wrlock(&lock);
		counter++;
		barrier(&counter);
		pthread_rwlock_unlock(&lock);
	}
	return counter;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t made_once;

static void make(void)
{
	made_once++;
}

OPERATION(once)
{
	uint64_t effect = 0;

	EACH(i) {
		pthread_once(&once, make);
		effect += made_once;
	}
	return effect;
}
