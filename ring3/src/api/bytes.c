/* Bytes: copied, moved, compared, filled, looked for. Lengths are not known
 * to the compiler, so that the library's functions are called. */
#include <string.h>

#include "operation.h"

#define LARGEST 4096

INLINE uint64_t copy(uint64_t iterations, size_t size)
{
	uint8_t from[LARGEST] = { 0 }, to[LARGEST] = { 0 };
	uint64_t effect = 0;

	size = opaque(size);
	barrier(from);
	barrier(to);
	EACH(i) {
		from[size - 1] = (uint8_t)(i + 1);
		memcpy(to, from, size);
		effect += to[size - 1] == (uint8_t)(i + 1);
	}
	return effect;
}

OPERATION(copy_64)
{
	return copy(iterations, 64);
}

OPERATION(copy_4096)
{
	return copy(iterations, 4096);
}

/* By eight bytes, so that the two places overlap. */
INLINE uint64_t move(uint64_t iterations, size_t size)
{
	uint8_t bytes[LARGEST + 8] = { 0 };
	uint64_t effect = 0;

	size = opaque(size);
	barrier(bytes);
	EACH(i) {
		bytes[size - 1] = (uint8_t)(i + 1);
		memmove(bytes + 8, bytes, size);
		effect += bytes[size + 7] == (uint8_t)(i + 1);
	}
	return effect;
}

OPERATION(move_64)
{
	return move(iterations, 64);
}

OPERATION(move_4096)
{
	return move(iterations, 4096);
}

INLINE uint64_t compare(uint64_t iterations, size_t size)
{
	uint8_t left[LARGEST] = { 0 }, right[LARGEST] = { 0 };
	uint64_t effect = 0;

	size = opaque(size);
	barrier(left);
	barrier(right);
	EACH(i) {
		left[size - 1] = i & 1;
		effect += (memcmp(left, right, size) > 0) == (i & 1);
	}
	return effect;
}

OPERATION(compare_64)
{
	return compare(iterations, 64);
}

OPERATION(compare_4096)
{
	return compare(iterations, 4096);
}

INLINE uint64_t fill(uint64_t iterations, size_t size)
{
	uint8_t bytes[LARGEST] = { 0 };
	uint64_t effect = 0;

	size = opaque(size);
	barrier(bytes);
	EACH(i) {
		memset(bytes, (int)(uint8_t)(i + 1), size);
		effect += bytes[size - 1] == (uint8_t)(i + 1);
	}
	return effect;
}

OPERATION(fill_64)
{
	return fill(iterations, 64);
}

OPERATION(fill_4096)
{
	return fill(iterations, 4096);
}

OPERATION(find_byte_4096)
{
	size_t size = opaque(4096);
	uint8_t bytes[LARGEST] = { 0 };
	uint64_t effect = 0;

	barrier(bytes);
	EACH(i) {
		bytes[size - 1] = i & 1;
		effect += (memchr(bytes, 1, size) != NULL) == (i & 1);
	}
	return effect;
}
