/* Locks, and what is done once. */
#include <pthread.h>
#include <stdatomic.h>
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
	uint64_t counter;
	atomic_bool stop;
};

/* Takes the lock again and again, and returns how often. */
static void *contend(void *argument)
{
	struct contended *shared = argument;
	uintptr_t taken = 0;

	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		pthread_mutex_lock(&shared->lock);
		shared->counter++;
		pthread_mutex_unlock(&shared->lock);
		taken++;
	}
	return (void *)taken;
}

OPERATION(mutex_contended)
{
	struct contended shared = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t other;
	void *taken;
	bool begun;

	if (pthread_create(&other, NULL, contend, &shared))
		return 0;
	do {
		pthread_mutex_lock(&shared.lock);
		begun = shared.counter > 0;
		pthread_mutex_unlock(&shared.lock);
	} while (!begun);

	EACH(i) {
		pthread_mutex_lock(&shared.lock);
		shared.counter++;
		pthread_mutex_unlock(&shared.lock);
	}

	atomic_store_explicit(&shared.stop, true, memory_order_relaxed);
	pthread_join(other, &taken);
	return shared.counter - (uintptr_t)taken;
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
