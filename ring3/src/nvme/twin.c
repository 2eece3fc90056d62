// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The C twin of the data path of drivers/nvme: the same algorithm, piece by
 * piece (io_queue.rs, submission_queue.rs, completion_queue.rs, doorbell.rs,
 * prp.rs). Ring 3 has no C driver but this one.
 */
#include "nvme/twin.h"

#include <stdatomic.h>
#include <stdbool.h>

#define PAGE 4096u
#define SECTOR_SHIFT 9
#define TAG_MASK 0xfffu

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Opcodes (NVM 1.0 figure 11). */
enum {
	OP_FLUSH = 0x00,
	OP_WRITE = 0x01,
	OP_READ = 0x02,
	OP_WRITE_ZEROES = 0x08,
	OP_DATASET_MANAGEMENT = 0x09,
};

#define FUA (1u << 30)
#define DEALLOCATE (1u << 25)
#define ATTRIBUTE_DEALLOCATE 4u

/* Doorbells */

static bool nvme_passes(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static inline void nvme_ring(const struct rf_nvme_doorbell *doorbell,
			     uint16_t value)
{
	if (doorbell->shadow) {
		uint16_t old;

		/* The entries are seen before the doorbell. */
		atomic_thread_fence(memory_order_release);
		old = (uint16_t)*doorbell->shadow;
		*doorbell->shadow = value;
		/* Against the controller, which writes the event and then reads. */
		atomic_thread_fence(memory_order_seq_cst);
		if (!nvme_passes((uint16_t)*doorbell->event, value, old))
			return;
	}
	doorbell->ring(doorbell->context, value);
}

/* Data */

/* The pages that segments cover, after the first. */
struct pages {
	uint64_t next;
	uint64_t left; /* bytes of the current segment from next on */
	bool aligned;  /* whether the current segment ends where a page does */
	const struct rf_segment *segment;
	const struct rf_segment *end;
};

/*
 * Goes on to the next segment if the current one is through: 1 if there is a
 * page, 0 at the end, -1 for data with a gap.
 */
static inline int nvme_more(struct pages *pages)
{
	if (!pages->left) {
		const struct rf_segment *segment = pages->segment;

		if (segment == pages->end)
			return 0;
		pages->segment++;
		if (!pages->aligned || segment->address % PAGE)
			return -1;
		pages->next = segment->address;
		pages->left = segment->length;
		pages->aligned = segment->length % PAGE == 0;
	}
	return 1;
}

/* All pages that are left of the segment, where there are any. */
static inline size_t nvme_run(struct pages *pages)
{
	size_t count = (pages->left + PAGE - 1) / PAGE;

	pages->left = 0;
	return count;
}

static inline volatile uint64_t *nvme_room(const struct rf_nvme *nvme,
					   uint16_t tag, uint64_t *bus)
{
	size_t start = (size_t)tag * nvme->list_pages * (PAGE / 8);

	*bus = nvme->lists_bus + start * 8;
	return nvme->lists + start;
}

/*
 * Writes a list of these pages and of all after them, and answers its address;
 * -1 for data with a gap or beyond the list's room.
 */
static int nvme_list(const struct rf_nvme *nvme, uint16_t tag, uint64_t page,
		     size_t count, struct pages *pages, uint64_t *list)
{
	size_t length = (size_t)nvme->list_pages * (PAGE / 8);
	volatile uint64_t *entries = nvme_room(nvme, tag, list);
	uint64_t bus = *list;
	uint64_t last = 0;
	size_t room = PAGE / 8; /* entries that are left of the list's page */
	size_t at = 0;

	for (;;) {
		size_t now;

		if (!room) {
			/* The last entry gives way to the next page's address. */
			if (at >= length)
				return -1;
			entries[at - 1] = bus + at * 8;
			entries[at++] = last;
			room = PAGE / 8 - 1;
		}
		now = count < room ? count : room;
		for (size_t index = 0; index < now; index++)
			entries[at + index] = page + index * PAGE;
		at += now;
		room -= now;
		last = page + (now - 1) * PAGE;
		if (count > now) {
			page += now * PAGE;
			count -= now;
		} else {
			int more = nvme_more(pages);

			if (more <= 0)
				return more;
			page = pages->next;
			count = nvme_run(pages);
		}
	}
}

/* The second entry of a data pointer: there is a second page. */
static int nvme_further(const struct rf_nvme *nvme, uint16_t tag,
			struct pages *pages, uint64_t *second)
{
	uint64_t page = pages->next;
	size_t count = nvme_run(pages);
	volatile uint64_t *entries;
	int more = nvme_more(pages);

	if (more < 0)
		return -1;
	if (more || count > PAGE / 8)
		return nvme_list(nvme, tag, page, count, pages, second);
	if (count == 1) {
		*second = page;
		return 0;
	}
	entries = nvme_room(nvme, tag, second);
	for (size_t index = 0; index < count; index++)
		entries[index] = page + index * PAGE;
	return 0;
}

/* The data pointer of a request. */
static inline int nvme_describe(struct rf_nvme *nvme,
				const struct rf_request *request,
				uint64_t data[2])
{
	const struct rf_segment *first = request->segments;
	struct pages pages = {
		.segment = first + 1,
		.end = first + request->segment_count,
	};
	uint64_t within;
	int more;

	data[0] = 0;
	data[1] = 0;
	if (!request->segment_count)
		return 0;
	if (first->address & 3)
		return -1;
	data[0] = first->address;
	within = PAGE - first->address % PAGE;
	pages.next = first->address + within;
	pages.left = first->length > within ? first->length - within : 0;
	pages.aligned = first->length >= within &&
			(first->length - within) % PAGE == 0;
	more = nvme_more(&pages);
	if (more <= 0)
		return more;
	return nvme_further(nvme, request->identifier & TAG_MASK, &pages,
			    &data[1]);
}

/* Submission */

static inline uint64_t nvme_first_word(const struct rf_nvme *nvme,
				       const struct rf_request *request,
				       uint8_t opcode)
{
	return (uint64_t)nvme->namespace_id << 32 |
	       (uint32_t)request->identifier << 16 | opcode;
}

/* Puts an entry at the tail, and the request into flight. */
static inline void nvme_launch(struct rf_nvme *nvme, struct rf_request *request,
			       uint8_t opcode, const uint64_t data[2],
			       uint64_t cdw10, uint32_t cdw12)
{
	volatile uint64_t *words = nvme->submissions[nvme->tail].words;
	uint16_t next = nvme->tail + 1;

	words[0] = nvme_first_word(nvme, request, opcode);
	words[1] = 0;
	words[2] = 0;
	words[3] = data[0];
	words[4] = data[1];
	words[5] = cdw10;
	words[6] = cdw12;
	words[7] = 0;
	nvme->tail = next == nvme->entries ? 0 : next;
	request->state = RF_LAUNCHED;
}

static inline uint32_t nvme_blocks(const struct rf_nvme *nvme,
				   const struct rf_request *request)
{
	return request->bytes >> nvme->block_shift;
}

static inline uint64_t nvme_first_block(const struct rf_nvme *nvme,
					const struct rf_request *request)
{
	return request->position >> (nvme->block_shift - SECTOR_SHIFT);
}

/* Dword 12: how many blocks, counted from zero. */
static inline uint32_t nvme_count(const struct rf_nvme *nvme,
				  const struct rf_request *request)
{
	return (nvme_blocks(nvme, request) - 1) & 0xffff;
}

/* One range, which lies where the command's list would be. */
static void nvme_deallocate(struct rf_nvme *nvme, struct rf_request *request)
{
	uint16_t tag = request->identifier & TAG_MASK;
	size_t room = (size_t)nvme->list_pages * (PAGE / 8);
	volatile uint64_t *range = nvme->lists + tag * room;
	const uint64_t data[2] = { nvme->lists_bus + tag * room * 8, 0 };

	range[0] = (uint64_t)nvme_blocks(nvme, request) << 32;
	range[1] = nvme_first_block(nvme, request);
	nvme_launch(nvme, request, OP_DATASET_MANAGEMENT, data,
		    (uint64_t)ATTRIBUTE_DEALLOCATE << 32, 0);
}

static const uint64_t no_data[2];

/* A request whose data, if any, is the driver's own. */
static __attribute__((cold)) void
nvme_queue_without_data(struct rf_nvme *nvme, struct rf_request *request)
{
	switch (request->operation) {
	case RF_FLUSH:
		nvme_launch(nvme, request, OP_FLUSH, no_data, 0, 0);
		break;
	case RF_WRITE_ZEROES:
		nvme_launch(nvme, request, OP_WRITE_ZEROES, no_data,
			    nvme_first_block(nvme, request),
			    nvme_count(nvme, request) | DEALLOCATE);
		break;
	case RF_DISCARD:
		nvme_deallocate(nvme, request);
		break;
	default:
		request->end(request, RF_NOT_SUPPORTED);
		break;
	}
}

static int nvme_queue(struct rf_request *request, void *device)
{
	struct rf_nvme *nvme = device;
	uint32_t cdw12 = nvme_count(nvme, request);
	uint64_t data[2];
	uint8_t opcode;

	switch (request->operation) {
	case RF_READ:
		opcode = OP_READ;
		break;
	case RF_WRITE:
		opcode = OP_WRITE;
		if (request->fua)
			cdw12 |= FUA;
		break;
	default:
		nvme_queue_without_data(nvme, request);
		return 0;
	}
	if (unlikely(nvme_describe(nvme, request, data) < 0)) {
		request->end(request, RF_IO);
		return 0;
	}
	nvme_launch(nvme, request, opcode, data,
		    nvme_first_block(nvme, request), cdw12);
	return 0;
}

static void nvme_commit(void *device)
{
	struct rf_nvme *nvme = device;

	if (nvme->tail != nvme->committed_tail) {
		nvme_ring(&nvme->tail_doorbell, nvme->tail);
		nvme->committed_tail = nvme->tail;
	}
}

/* Completion */

/* The block layer's word for a status (status code type and code). */
static __attribute__((cold)) uint8_t nvme_failure(uint16_t status)
{
	switch (status & 0x7ff) {
	case 0x081: /* capacity exceeded */
		return RF_NO_SPACE;
	case 0x080: /* LBA out of range */
	case 0x021: /* command interrupted */
	case 0x082: /* namespace not ready */
		return RF_TARGET;
	case 0x001: /* invalid opcode */
	case 0x002: /* invalid field */
	case 0x00b: /* invalid namespace */
	case 0x180: /* conflicting attributes */
		return RF_NOT_SUPPORTED;
	case 0x280: /* write fault */
	case 0x281: /* unrecovered read error */
	case 0x285: /* compare failure */
	case 0x286: /* access denied */
	case 0x287: /* deallocated block */
	case 0x182: /* attempted write to read only range */
		return RF_MEDIUM;
	case 0x282: /* guard tag */
	case 0x283: /* application tag */
	case 0x284: /* reference tag */
	case 0x181: /* invalid protection information */
		return RF_PROTECTION;
	case 0x370: /* host pathing error */
		return RF_TRANSPORT;
	default:
		return RF_IO;
	}
}

/* The request of that identifier, if the controller has it. */
static inline struct rf_request *nvme_take(const struct rf_nvme *nvme,
					   uint16_t identifier)
{
	uint16_t tag = identifier & TAG_MASK;
	struct rf_request *request;

	if (unlikely(tag >= nvme->depth))
		return NULL;
	request = nvme->requests[tag];
	if (unlikely(request->state != RF_LAUNCHED ||
		     request->identifier != identifier))
		return NULL;
	request->state = RF_IN_FLIGHT;
	return request;
}

static uint32_t nvme_poll(void *device)
{
	struct rf_nvme *nvme = device;
	uint32_t found = 0;

	while (found < nvme->entries) {
		uint32_t last = nvme->completions[nvme->head].last;
		struct rf_request *request;

		if ((last >> 16 & 1) != nvme->phase)
			break;
		/* The phase tag is written last, so it is read first. */
		atomic_thread_fence(memory_order_acquire);
		if (++nvme->head == nvme->entries) {
			nvme->head = 0;
			nvme->phase ^= 1;
		}
		found++;
		request = nvme_take(nvme, (uint16_t)last);
		if (likely(request)) {
			uint16_t status = last >> 17;

			request->end(request, likely(!(status & 0x7ff)) ?
						      RF_OK :
						      nvme_failure(status));
		} else {
			nvme->unknown++;
		}
	}
	if (nvme->head != nvme->committed_head) {
		nvme_ring(&nvme->head_doorbell, nvme->head);
		nvme->committed_head = nvme->head;
	}
	return found;
}

const struct rf_driver rf_nvme_twin = {
	.queue = nvme_queue,
	.commit = nvme_commit,
	.poll = nvme_poll,
};

/* No driver */

int rf_nvme_build(struct rf_nvme *nvme, const struct rf_request *request,
		  struct rf_nvme_command *command)
{
	bool write = request->operation == RF_WRITE;

	*command = (struct rf_nvme_command){ { 0 } };
	command->words[0] =
		nvme_first_word(nvme, request, write ? OP_WRITE : OP_READ);
	command->words[5] = nvme_first_block(nvme, request);
	command->words[6] = nvme_count(nvme, request);
	return nvme_describe(nvme, request, &command->words[3]);
}

static int nvme_empty_queue(struct rf_request *request, void *device)
{
	struct rf_nvme *nvme = device;
	const uint64_t *from = nvme->prebuilt[nvme->next & nvme->prebuilt_mask].words;
	volatile uint64_t *words = nvme->submissions[nvme->tail].words;
	uint16_t next = nvme->tail + 1;

	(void)request;
	nvme->next++;
	for (int word = 0; word < 8; word++)
		words[word] = from[word];
	nvme->tail = next == nvme->entries ? 0 : next;
	return 0;
}

/* As many entries of the completion queue as of the submission queue. */
static uint32_t nvme_empty_poll(void *device)
{
	struct rf_nvme *nvme = device;
	int found = nvme->tail - nvme->head;

	if (!found)
		return 0;
	nvme->head = nvme->tail;
	nvme_ring(&nvme->head_doorbell, nvme->head);
	return (uint32_t)(found < 0 ? found + nvme->entries : found);
}

const struct rf_driver rf_nvme_empty = {
	.queue = nvme_empty_queue,
	.commit = nvme_commit,
	.poll = nvme_empty_poll,
};
