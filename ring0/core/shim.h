/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's C API gives only to C: macros, static inlines, and the
 * module that this object is linked into. Scalars and pointers only, so that
 * shim.rs can state the same signatures by hand and have them checked.
 */
#ifndef RINGFENCE_SHIM_H
#define RINGFENCE_SHIM_H

/*
 * Allocates a disk with its queue on a tag set. Pins this module until
 * rf_disk_put, and beyond while a user has the disk open. set: struct blk_mq_tag_set *, limits: struct
 * queue_limits *, queuedata: the queue's private pointer. Returns a struct
 * gendisk * or an error pointer.
 */
void *rf_disk_alloc(void *set, void *limits, void *queuedata);

/*
 * Drops the reference of rf_disk_alloc, and the pin of the module. disk: a
 * struct gendisk * that is not registered (any more). The caller's code must
 * be held by another reference to the module until it returns.
 */
void rf_disk_put(void *disk);

#endif
