/* SPDX-License-Identifier: GPL-2.0-only */
/* What every operation of rf_api_c uses. */
#ifndef RINGFENCE_API_H
#define RINGFENCE_API_H

#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/timekeeping.h>
#include <linux/types.h>

#include "run.h"

/* Size of user memory that a run lends: at least this. */
#define RF_BUFFER 65536

/* An operation: a function of its own, so that its code can be found. */
#define RF_API(name) \
	noinline int rf_api_##name(struct rf_api_run *run); \
	noinline int rf_api_##name(struct rf_api_run *run)

/* The one loop. Only the body is in it: setup comes before, checks after. */
#define RF_MEASURE(run, index, ...) \
	do { \
		u64 iterations_ = (run)->iterations; \
		ktime_t start_ = ktime_get(); \
		for (u64 index = 0; index < iterations_; index++) { \
			__VA_ARGS__ \
		} \
		(run)->nanoseconds = ktime_to_ns(ktime_sub(ktime_get(), start_)); \
	} while (0)

/* A value that the compiler knows nothing of: Rust's black_box. */
#define rf_opaque(value) \
	({ \
		typeof(value) opaque_ = (value); \
		asm volatile("" : : "r"(&opaque_) : "memory"); \
		opaque_; \
	})

/* The user's memory. */
static inline void __user *rf_buffer(const struct rf_api_run *run)
{
	return (void __user *)(uintptr_t)run->buffer;
}

/* The lowest open file descriptor of the caller, or -1. */
int rf_any_descriptor(void);

/* The file behind it, with a reference, or NULL. */
struct file *rf_any_file(void);

/* How many RCU read sections the caller is in. */
int rf_rcu_depth(void);

/*
 * The device that the driver is bound to, which stays bound until it is given
 * back, or NULL.
 */
struct pci_dev *rf_device_get(void);
void rf_device_put(struct pci_dev *dev);

#endif
