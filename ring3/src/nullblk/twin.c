// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The C twin of drivers/nullblk as far as it concerns a plain device: the same
 * algorithm, function for function (driver.rs). Linux has null_blk for ring 0;
 * ring 3 has no C null block driver but this one.
 */
#include "nullblk/twin.h"

static void nullblk_finish(const struct rf_nullblk *nullblk,
			   struct rf_request *request, uint8_t status)
{
	if (request->polled) {
		request->poll(request, status);
		return;
	}
	if (nullblk->mode == RF_MODE_SOFT)
		request->soft(request, status);
	else if (nullblk->mode < RF_MODE_SOFT)
		request->end(request, status);
	else
		request->timer(request, nullblk->completion_nsec, status);
}

static int nullblk_queue(struct rf_request *request, void *device)
{
	const struct rf_nullblk *nullblk = device;

	/* As in driver.rs, it may change while others look at it. */
	if (atomic_load_explicit(&nullblk->needs_medium, memory_order_relaxed)) {
		request->end(request, RF_IO);
		return 0;
	}
	switch (request->operation) {
	case RF_READ:
	case RF_WRITE:
	case RF_FLUSH:
		nullblk_finish(nullblk, request, RF_OK);
		break;
	default:
		request->end(request, RF_NOT_SUPPORTED);
		break;
	}
	return 0;
}

const struct rf_driver rf_nullblk_twin = {
	.queue = nullblk_queue,
};

static int empty(struct rf_request *request, void *device)
{
	(void)device;
	(void)request;
	return 0;
}

const struct rf_driver rf_empty = {
	.queue = empty,
};
