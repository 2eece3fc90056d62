/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What ring 3 offers to a block driver behind a C function table, and what a
 * driver offers to ring 3. request.rs and table.rs state the same in Rust.
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
	RF_TIMEOUT,
	RF_NO_SPACE,
	RF_TRANSPORT,
	RF_TARGET,
	RF_MEDIUM,
	RF_PROTECTION,
	RF_RESOURCE,
	RF_IO,
};

/* Who has a request. */
enum rf_state {
	RF_IN_FLIGHT = 1, /* the driver */
	RF_LAUNCHED = 3,  /* the device that it drives */
};

/* A piece of a request's data, as a device has its address. */
struct rf_segment {
	uint64_t address;
	uint32_t length; /* bytes, 1 or more */
};

/*
 * A request in flight. A driver reads position, bytes, operation and polled,
 * and gives the request back through one of the functions, after which it may
 * not touch it. They are pointers, as completion callbacks of user-space block
 * stacks are, so that C and Rust reach them by the same instruction.
 */
struct rf_request {
	uint64_t position; /* first sector of 512 bytes */
	uint32_t bytes;
	uint8_t operation; /* enum rf_operation */
	uint8_t polled;    /* whether its submitter polls */
	uint8_t status;
	uint8_t state;     /* enum rf_state */
	/* Ends the request; status is an enum rf_status, here and below. */
	void (*end)(struct rf_request *request, uint8_t status);
	/* Ends it in soft completion. */
	void (*soft)(struct rf_request *request, uint8_t status);
	/* Ends it so many nanoseconds from now. */
	void (*timer)(struct rf_request *request, uint64_t nanoseconds,
		      uint8_t status);
	/* Ends it at the next poll. */
	void (*poll)(struct rf_request *request, uint8_t status);
	/* The ring's own. */
	struct rf_request *next;
	void *queue;
	void *data;
	uint64_t due;
	/* A write that must reach the medium before it ends. */
	uint8_t fua;
	/*
	 * For drivers of devices: by which name the device ends it (tag in the
	 * low twelve bits, below the queue's depth, and a count above), and where
	 * its data is.
	 */
	uint16_t identifier;
	uint32_t segment_count;
	const struct rf_segment *segments;
};

/* A driver, as the load sees it. */
struct rf_driver {
	/*
	 * 0 if it took the request, 1 if it is to be offered again. The request
	 * comes first, where the functions that give it back want it.
	 */
	int (*queue)(struct rf_request *request, void *device);
	/*
	 * Requests were queued, and no more follow for now. Null, as the next,
	 * for a driver whose requests need no device.
	 */
	void (*commit)(void *device);
	/* Ends what its device has completed; how many completions there were. */
	uint32_t (*poll)(void *device);
};

#endif
