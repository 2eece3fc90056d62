/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's C API gives only to C: macros, static inlines, and the
 * module that this object is linked into. Scalars and pointers only, so that
 * shim.rs can state the same signatures by hand and have them checked.
 */
#ifndef RINGFENCE_SHIM_H
#define RINGFENCE_SHIM_H

#include "pci_shim.h"

struct mutex;

/* The first member of what a disk's private_data points to. */
struct rf_disk_hooks {
	/* block_device_operations.report_zones */
	int (*report_zones)(void *disk, unsigned long long sector,
			    unsigned int count, void *args);
};

/*
 * Allocates a disk with its queue on a tag set. While a user has it open, this
 * module is pinned. set: struct blk_mq_tag_set *, limits: struct
 * queue_limits *, hooks: struct rf_disk_hooks *, kept as private_data and as
 * the queue's queuedata. Returns a struct gendisk * or an error pointer.
 */
void *rf_disk_alloc(void *set, void *limits, void *hooks);

/*
 * Takes the hooks from a disk (struct gendisk *); when this returns, none of
 * them is running. May sleep.
 */
void rf_disk_detach(void *disk);

/* The mutex of this module's global values. */
extern struct mutex rf_globals;

/* Pins this module; rf_module_put takes that back. */
void rf_module_get(void);
void rf_module_put(void);

enum rf_copy { RF_COPY_GET, RF_COPY_PUT, RF_COPY_FILL };

/*
 * Walks over the data of a request. bio: struct bio **, at first the
 * request's; iter: struct bvec_iter *, at first that bio's. Copies up to bytes
 * bytes to buffer (GET), from it (PUT), or sets them to its first byte (FILL);
 * returns how many, less only at the end of the data.
 */
unsigned long rf_copy(void *bio, void *iter, void *buffer, unsigned long bytes,
		      int direction);

/* blk_mq_add_to_batch for blk_mq_end_request_batch: whether it took rq. */
unsigned char rf_add_to_batch(void *rq, void *batch, unsigned char failed);

/* A piece of a request's data, mapped for a device. */
struct rf_segment {
	unsigned long long address;
	unsigned int length;
};

/* The private data of a request that a device ends. All zero at first. */
struct rf_command {
	unsigned long long iova[2]; /* struct dma_iova_state */
	struct rf_segment *list; /* those to unmap one by one, or NULL */
	unsigned long long address; /* of the only segment */
	unsigned int length; /* bytes that are mapped */
	unsigned int count; /* of the list */
	unsigned char mapped; /* how: RF_MAPPED_*, 0 for not at all */
	unsigned char overdue; /* its time limit has ended before */
	unsigned char attempts; /* how often its device was reset meanwhile */
	unsigned char status; /* blk_status_t to end with */
};

/*
 * Maps the data of a request (struct request *, which has some, and an
 * rf_command behind it) for a device (struct device *). Writes at most as many
 * segments as there is room for, and answers how many; 0, and nothing is
 * mapped, if that cannot be done now. In any context.
 */
unsigned int rf_map(void *rq, void *device, struct rf_segment *room,
		    unsigned int most);

/* Unmaps it again, if it is mapped. */
void rf_unmap(void *rq, void *device);

/*
 * Unmaps a request and ends it with a blk_status_t: on a CPU that suits its
 * submitter by the table's complete, or in a batch (struct io_comp_batch * or
 * NULL), or at once.
 */
void rf_end(void *rq, void *device, void *batch, unsigned char status);

/* A page with its owner's mark: of a table below. */
struct rf_page {
	void *bytes; /* PAGE_SIZE of them */
	unsigned char mark;
};

/*
 * A zeroed page, or NULL if memory is short: neither waits for memory that
 * its own writeback would have to free, nor calls the OOM killer. May sleep.
 */
struct rf_page *rf_page_alloc(void);
void rf_page_free(struct rf_page *page);

/* Puts a page into an xarray at an index that is free; 0 or an errno. */
int rf_page_store(void *xarray, unsigned long index, struct rf_page *page);

/* How many RCU read sections the caller is in. */
int rf_rcu_depth(void);

#endif
