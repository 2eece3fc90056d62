// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The C twin of drivers/nullblk: the same algorithm, function for function
 * (driver.rs). Linux has null_blk for ring 0; ring 3 has no C null block
 * driver but this one.
 */
#include "nullblk/twin.h"

static void nullblk_queue(void *device, struct rf_request *request)
{
	const struct rf_nullblk *nullblk = device;

	switch (request->operation) {
	case RF_READ:
	case RF_WRITE:
	case RF_FLUSH:
		break;
	default:
		request->end(request, RF_NOT_SUPPORTED);
		return;
	}
	switch (nullblk->irq_mode) {
	case 0:
		request->end(request, RF_OK);
		break;
	default:
		request->soft(request);
		break;
	}
}

static void nullblk_complete(void *device, struct rf_request *request)
{
	(void)device;
	request->end(request, RF_OK);
}

const struct rf_driver rf_nullblk_twin = {
	.queue = nullblk_queue,
	.complete = nullblk_complete,
};

static void empty(void *device, struct rf_request *request)
{
	(void)device;
	(void)request;
}

const struct rf_driver rf_empty = {
	.queue = empty,
	.complete = empty,
};
