/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's C API gives only to C: macros, static inlines, and the
 * module that this object is linked into. Scalars and pointers only, so that
 * shim.rs can state the same signatures by hand and have them checked.
 */
#ifndef RINGFENCE_SHIM_H
#define RINGFENCE_SHIM_H

/*
 * Allocates a disk with its queue on a tag set. While a user has it open, this
 * module is pinned. set: struct blk_mq_tag_set *, limits: struct
 * queue_limits *, queuedata: the queue's private pointer. Returns a struct
 * gendisk * or an error pointer.
 */
void *rf_disk_alloc(void *set, void *limits, void *queuedata);

/* Pins this module; rf_module_put takes that back. */
void rf_module_get(void);
void rf_module_put(void);

#endif
