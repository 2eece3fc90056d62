// SPDX-License-Identifier: GPL-2.0-only
#include <linux/blk-mq.h>
#include <linux/module.h>

#include "shim.h"

static const struct block_device_operations rf_disk_operations = {
	.owner = THIS_MODULE,
};

void *rf_disk_alloc(void *set, void *limits, void *queuedata)
{
	struct gendisk *disk = blk_mq_alloc_disk(set, limits, queuedata);

	if (!IS_ERR(disk))
		disk->fops = &rf_disk_operations;
	return disk;
}

void rf_module_get(void)
{
	__module_get(THIS_MODULE);
}

void rf_module_put(void)
{
	module_put(THIS_MODULE);
}

/* Values that shim.rs states, since bindgen does not see these macros. */
#define SAME(name, value) \
	static_assert((__force u32)(name) == (value), #name " has moved")

SAME(REQ_OP_MASK, 0xff);
SAME(BLK_STS_OK, 0);
SAME(BLK_STS_NOTSUPP, 1);
SAME(BLK_STS_TIMEOUT, 2);
SAME(BLK_STS_NOSPC, 3);
SAME(BLK_STS_TRANSPORT, 4);
SAME(BLK_STS_TARGET, 5);
SAME(BLK_STS_MEDIUM, 7);
SAME(BLK_STS_PROTECTION, 8);
SAME(BLK_STS_RESOURCE, 9);
SAME(BLK_STS_IOERR, 10);
