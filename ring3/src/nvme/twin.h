/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RINGFENCE_NVME_TWIN_H
#define RINGFENCE_NVME_TWIN_H

#include <stddef.h>

#include "ring.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the twin writes words as they are in memory, which NVMe has little-endian"
#endif

/* A submission queue entry by its words (NVMe Base 2.0 3.3.3.1). */
struct rf_nvme_command {
	uint64_t words[8];
};

/* A completion queue entry (3.3.3.2). */
struct rf_nvme_completion {
	uint32_t result[2];
	uint32_t queue; /* head and number of the submission queue */
	uint32_t last;  /* identifier, phase tag, status */
};

/* A queue's doorbell; the words in memory are null where it has none there. */
struct rf_nvme_doorbell {
	void (*ring)(void *context, uint32_t value);
	void *context;
	volatile uint32_t *shadow;
	volatile uint32_t *event;
};

/* A queue pair and the namespace that its requests are for. */
struct rf_nvme {
	/* The half that submits. */
	volatile struct rf_nvme_command *submissions;
	struct rf_nvme_doorbell tail_doorbell;
	volatile uint64_t *lists; /* list_pages pages for each tag */
	uint64_t lists_bus;
	uint32_t list_pages;
	uint32_t namespace_id;
	uint16_t entries; /* of either queue, 2 or more */
	uint16_t tail;
	uint16_t committed_tail;
	uint8_t block_shift; /* 9 to 12 */
	/* The half that completes. */
	uint8_t phase; /* 0 or 1 */
	uint16_t head;
	uint16_t committed_head;
	uint32_t depth; /* of requests */
	volatile struct rf_nvme_completion *completions;
	struct rf_nvme_doorbell head_doorbell;
	struct rf_request **requests; /* by tag */
	uint64_t unknown; /* completions of nothing that was in flight */
	/* What rf_nvme_empty writes: entries that were made before, in turn. */
	const struct rf_nvme_command *prebuilt;
	uint32_t prebuilt_mask; /* their number, a power of two, less one */
	uint32_t next;
};

/* The twin: the driver's data path. */
extern const struct rf_driver rf_nvme_twin;

/*
 * No driver: queue writes a prebuilt entry, commit and poll ring doorbells. The
 * requests are taken back unserved.
 */
extern const struct rf_driver rf_nvme_empty;

/*
 * Makes the entry of a read or write; 0, or -1 for data that PRP entries cannot
 * describe. Lists are written where the request's tag has them.
 */
int rf_nvme_build(struct rf_nvme *nvme, const struct rf_request *request,
		  struct rf_nvme_command *command);

#endif
