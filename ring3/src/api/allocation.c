/* The allocator. */
#include <stdlib.h>

#include "operation.h"

INLINE uint64_t allocate(uint64_t iterations, size_t size)
{
	uint64_t effect = 0;

	EACH(i) {
		uint8_t *block = malloc(size);

		if (!block)
			break;
		block[0] = (uint8_t)i;
		barrier(block);
		effect += block[0] == (uint8_t)i;
		free(block);
	}
	return effect;
}

OPERATION(allocate_8)
{
	return allocate(iterations, 8);
}

OPERATION(allocate_64)
{
	return allocate(iterations, 64);
}

OPERATION(allocate_512)
{
	return allocate(iterations, 512);
}

OPERATION(allocate_4096)
{
	return allocate(iterations, 4096);
}

OPERATION(allocate_1m)
{
	return allocate(iterations, 1 << 20);
}

OPERATION(allocate_zeroed)
{
	size_t size = opaque(4096);
	uint64_t effect = 0;

	EACH(i) {
		uint8_t *block = calloc(size, 1);

		if (!block)
			break;
		barrier(block);
		effect += block[0] == 0 && block[size - 1] == 0;
		/* The next block may be this one, and has to be zeroed. */
		block[0] = 1;
		block[size - 1] = 1;
		barrier(block);
		free(block);
	}
	return effect;
}

/* An array that grows, as Vec<u64> does: 4 elements, then twice as many. */
struct array {
	uint64_t *elements;
	size_t length, capacity;
};

static __attribute__((noinline)) int grow(struct array *array)
{
	size_t capacity = array->capacity ? 2 * array->capacity : 4;
	uint64_t *elements;

	if (capacity > PTRDIFF_MAX / sizeof(*elements))
		return -1;
	elements = realloc(array->elements, capacity * sizeof(*elements));
	if (!elements)
		return -1;
	array->elements = elements;
	array->capacity = capacity;
	return 0;
}

static inline int push(struct array *array, uint64_t element)
{
	if (array->length == array->capacity && grow(array))
		return -1;
	array->elements[array->length++] = element;
	return 0;
}

OPERATION(push_16)
{
	uint64_t effect = 0;

	EACH(i) {
		struct array array = { 0 };

		for (uint64_t j = 0; j < 16; j++) {
			if (push(&array, i + j))
				abort();
		}
		barrier(array.elements);
		effect += array.length == 16 && array.elements[15] == i + 15;
		free(array.elements);
	}
	return effect;
}
