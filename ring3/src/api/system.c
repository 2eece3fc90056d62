/* What a process asks of its surroundings. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "operation.h"

/* Nanoseconds from one time to another, at most 292 years. */
INLINE int64_t between(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * INT64_C(1000000000) + to->tv_nsec - from->tv_nsec;
}

OPERATION(monotonic_clock)
{
	struct timespec last, now;
	uint64_t effect = 0;

	if (clock_gettime(CLOCK_MONOTONIC, &last))
		return 0;
	EACH(i) {
		effect += clock_gettime(CLOCK_MONOTONIC, &now) == 0 && between(&last, &now) >= 0;
		last = now;
	}
	return effect;
}

/* It may be set back, so that it is only checked to be after 2017. */
OPERATION(wall_clock)
{
	uint64_t effect = 0;

	EACH(i) {
		struct timespec now;

		effect += clock_gettime(CLOCK_REALTIME, &now) == 0 &&
			  now.tv_sec > 1500000000;
	}
	return effect;
}

OPERATION(sleep_1us)
{
	const struct timespec time = { .tv_nsec = 1000 };
	uint64_t effect = 0;

	EACH(i) {
		struct timespec begun, over;

		clock_gettime(CLOCK_MONOTONIC, &begun);
		if (nanosleep(&time, NULL))
			continue;
		clock_gettime(CLOCK_MONOTONIC, &over);
		effect += between(&begun, &over) >= 1000;
	}
	return effect;
}

OPERATION(process_id)
{
	uint64_t effect = 0;

	EACH(i)
		effect += getpid() > 0;
	return effect;
}

/* PATH, copied as one must before somebody changes it. */
OPERATION(environment)
{
	const char *name = "PATH", *value = getenv(name);
	char first = value ? value[0] : '\0';
	uint64_t effect = 0;

	barrier(&name);
	EACH(i) {
		char *copy;

		value = getenv(name);
		copy = value ? strdup(value) : NULL;
		if (!copy)
			break;
		barrier(copy);
		effect += copy[0] == first;
		free(copy);
	}
	return effect;
}

OPERATION(current_directory)
{
	uint64_t effect = 0;

	EACH(i) {
		char *path = getcwd(NULL, 0);

		if (!path)
			break;
		effect += path[0] == '/';
		free(path);
	}
	return effect;
}
