/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RINGFENCE_NULLBLK_TWIN_H
#define RINGFENCE_NULLBLK_TWIN_H

#include <stdatomic.h>

#include "ring.h"

/* As in settings.rs. */
enum rf_mode {
	RF_MODE_NONE = 0,
	RF_MODE_SOFT = 2,
	RF_MODE_TIMER = 4,
};

/*
 * What a plain device has of its settings, already checked. A device that
 * needs more (nullblk::NullBlock's medium) has no twin.
 */
struct rf_nullblk {
	uint64_t completion_nsec;
	uint8_t mode; /* enum rf_mode */
	_Atomic uint8_t needs_medium; /* 0 */
};

extern const struct rf_driver rf_nullblk_twin;

/* The empty function table: its function returns at once. */
extern const struct rf_driver rf_empty;

#endif
