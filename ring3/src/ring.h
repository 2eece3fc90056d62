/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What ring 3 offers to a block driver behind a C function table, and what a
 * driver offers to ring 3. table.rs states the same in Rust.
 */
#ifndef RINGFENCE_RING_H
#define RINGFENCE_RING_H

#include <stdint.h>

enum rf_operation {
	RF_READ,
	RF_WRITE,
	RF_FLUSH,
	RF_DISCARD,
	RF_WRITE_ZEROES,
};

enum rf_status {
	RF_OK,
	RF_NOT_SUPPORTED,
	RF_IO = 9,
};

/*
 * A request in flight. A driver reads position, bytes and operation, and gives
 * the request back through one of the two functions, after which it may not
 * touch it. They are pointers, as completion callbacks of user-space block
 * stacks are, so that C and Rust reach them by the same instruction.
 */
struct rf_request {
	uint64_t position; /* first sector of 512 bytes */
	uint32_t bytes;
	uint8_t operation; /* enum rf_operation */
	uint8_t status;
	uint8_t state;
	uint8_t pad;
	/* Ends the request; status is an enum rf_status. */
	void (*end)(struct rf_request *request, uint8_t status);
	/* Sends it to soft completion: the driver's complete() gets it back. */
	void (*soft)(struct rf_request *request);
	struct rf_request *next;
	void *queue;
};

/* A driver, as the load sees it. */
struct rf_driver {
	void (*queue)(void *device, struct rf_request *request);
	void (*complete)(void *device, struct rf_request *request);
};

#endif
