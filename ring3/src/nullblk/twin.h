/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RINGFENCE_NULLBLK_TWIN_H
#define RINGFENCE_NULLBLK_TWIN_H

#include "ring.h"

/* Settings as nullblk::Settings has them, already checked. */
struct rf_nullblk {
	uint64_t size_mib;
	uint32_t block_size;
	uint32_t irq_mode; /* 0 none, 1 soft */
	uint32_t submit_queues;
	uint32_t hw_queue_depth;
};

extern const struct rf_driver rf_nullblk_twin;

/* The empty function table: its functions return at once. */
extern const struct rf_driver rf_empty;

#endif
