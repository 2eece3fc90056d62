/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RINGFENCE_NULLBLK_TWIN_H
#define RINGFENCE_NULLBLK_TWIN_H

#include <stdatomic.h>

#include "ring.h"

/*
 * What a plain device has of its settings, already checked. A device that
 * needs more (nullblk::NullBlock's medium) has no twin.
 */
struct rf_nullblk {
	uint64_t completion_nsec;
	uint8_t irq_mode; /* 0 none, 1 soft, 2 timer */
	_Atomic uint8_t needs_medium; /* 0 */
};

extern const struct rf_driver rf_nullblk_twin;

/* The empty function table: its function returns at once. */
extern const struct rf_driver rf_empty;

#endif
