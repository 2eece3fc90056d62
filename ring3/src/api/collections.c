/* Collections that the C library has. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "operation.h"

struct pair {
	uint64_t key, value;
};

static int by_key(const void *left, const void *right)
{
	uint64_t a = ((const struct pair *)left)->key;
	uint64_t b = ((const struct pair *)right)->key;

	return (a > b) - (a < b);
}

static void keep(void *pair)
{
	(void)pair;
}

/* Among 256 even keys an odd one is inserted, found, erased and not found. */
OPERATION(tree)
{
	struct pair pairs[256];
	void *root = NULL;
	uint64_t effect = 0;

	for (uint64_t i = 0; i < 256; i++) {
		pairs[i] = (struct pair){ 2 * i, i };
		if (!tsearch(&pairs[i], &root, by_key))
			abort();
	}

	EACH(i) {
		struct pair added = { 2 * (i % 256) + 1, i };
		struct pair wanted = { added.key, 0 };
		struct pair **inserted, **found;

		inserted = tsearch(&added, &root, by_key);
		if (!inserted)
			abort();
		found = tfind(&wanted, &root, by_key);
		effect += *inserted == &added && found && (*found)->value == i &&
			  tdelete(&wanted, &root, by_key) &&
			  !tfind(&wanted, &root, by_key);
	}

	tdestroy(root, keep);
	return effect;
}

/* One of 256 text keys is looked up. */
OPERATION(hash_find)
{
	static const size_t keys = 256;
	char text[256][32];
	struct hsearch_data table = { 0 };
	ENTRY *found;
	uint64_t effect = 0;

	if (!hcreate_r(2 * keys, &table))
		return 0;
	for (size_t i = 0; i < keys; i++) {
		ENTRY entry = { .key = text[i], .data = (void *)i };

		snprintf(text[i], sizeof(text[i]), "key-%03zu", i);
		if (!hsearch_r(entry, ENTER, &found, &table))
			abort();
	}

	EACH(i) {
		ENTRY wanted = { .key = text[i % keys] };

		effect += hsearch_r(wanted, FIND, &found, &table) &&
			  (size_t)found->data == i % keys;
	}

	hdestroy_r(&table);
	return effect;
}

struct item {
	TAILQ_ENTRY(item) link;
	uint64_t value;
};
TAILQ_HEAD(items, item);

static struct item *push(struct items *list, uint64_t value)
{
	struct item *entry = malloc(sizeof(*entry));

	if (!entry)
		abort();
	entry->value = value;
	TAILQ_INSERT_TAIL(list, entry, link);
	return entry;
}

/* One entry is appended to sixteen and the first one taken, in memory of its
 * own each. */
OPERATION(list)
{
	struct items list = TAILQ_HEAD_INITIALIZER(list);
	struct item *entry;
	uint64_t effect = 0;

	for (uint64_t i = 0; i < 16; i++)
		push(&list, i);

	EACH(i) {
		push(&list, i + 16);
		entry = TAILQ_FIRST(&list);
		TAILQ_REMOVE(&list, entry, link);
		effect += entry->value == i;
		free(entry);
	}

	while ((entry = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, entry, link);
		free(entry);
	}
	return effect;
}

/* The first of sixteen is taken and becomes the last. */
OPERATION(queue)
{
	struct items queue = TAILQ_HEAD_INITIALIZER(queue);
	struct item entries[16];
	struct item *entry;
	uint64_t effect = 0;

	for (uint64_t i = 0; i < 16; i++) {
		entries[i].value = i;
		TAILQ_INSERT_TAIL(&queue, &entries[i], link);
	}

	EACH(i) {
		entry = TAILQ_FIRST(&queue);
		TAILQ_REMOVE(&queue, entry, link);
		effect += entry->value == i;
		entry->value = i + 16;
		TAILQ_INSERT_TAIL(&queue, entry, link);
	}
	return effect;
}

static int by_value(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* A permutation of 0 to 255 is copied and sorted. */
OPERATION(sort_256)
{
	uint32_t shuffled[256], values[256];
	uint64_t effect = 0;

	for (uint32_t i = 0; i < 256; i++)
		shuffled[i] = (i * 167 + 13) % 256;

	barrier(shuffled);
	EACH(i) {
		memcpy(values, shuffled, sizeof(values));
		qsort(values, 256, sizeof(values[0]), by_value);
		effect += values[i % 256] == i % 256;
	}
	return effect;
}

OPERATION(binary_search_1024)
{
	uint32_t values[1024];
	uint64_t effect = 0;

	for (uint32_t i = 0; i < 1024; i++)
		values[i] = 3 * i;

	barrier(values);
	EACH(i) {
		uint32_t wanted = 3 * (uint32_t)(i % 1024);
		uint32_t *found = bsearch(&wanted, values, 1024, sizeof(values[0]),
					  by_value);

		effect += found && (uint64_t)(found - values) == i % 1024;
	}
	return effect;
}
