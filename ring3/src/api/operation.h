/*
 * What every operation in C is made of; operation.rs beside it is the same in
 * Rust. A function sets something up, repeats one thing in EACH, and returns
 * in how many iterations a check of its own saw the thing happen.
 */
#ifndef RF_API_OPERATION_H
#define RF_API_OPERATION_H

#include <stddef.h>
#include <stdint.h>

/* A function that becomes a part of each one that calls it. */
#define INLINE static inline __attribute__((always_inline))

/* The function of an operation. */
#define OPERATION(name) \
	uint64_t rf_api_##name##_c(uint64_t iterations); \
	uint64_t rf_api_##name##_c(uint64_t iterations)

/*
 * The loop. The compiler must suppose that all memory changes from one
 * iteration to the next, so that it can neither merge nor hoist them.
 */
#define EACH(i) for (uint64_t i = 0; i < iterations; i++, memory_changes())

INLINE void memory_changes(void)
{
	__asm__ volatile("" : : : "memory");
}

/* The compiler must suppose that what `p` points to is read and changed here. */
INLINE void barrier(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* A value that the compiler does not know. */
INLINE size_t opaque(size_t value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

#endif
