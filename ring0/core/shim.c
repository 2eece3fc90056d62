// SPDX-License-Identifier: GPL-2.0-only
#include <linux/blk-mq.h>
#include <linux/blk-mq-dma.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "shim.h"

/*
 * A disk that somebody has open outlives what its hooks belong to; so the
 * hooks run, and are taken away, under this.
 */
static DECLARE_RWSEM(rf_hooks);

static int rf_report_zones(struct gendisk *disk, sector_t sector,
			   unsigned int count, struct blk_report_zones_args *args)
{
	const struct rf_disk_hooks *hooks;
	int result = -ENODEV;

	down_read(&rf_hooks);
	hooks = disk->private_data;
	if (hooks)
		result = hooks->report_zones(disk, sector, count, args);
	up_read(&rf_hooks);
	return result;
}

static const struct block_device_operations rf_disk_operations = {
	.owner = THIS_MODULE,
	.report_zones = rf_report_zones,
};

void *rf_disk_alloc(void *set, void *limits, void *hooks)
{
	struct gendisk *disk = blk_mq_alloc_disk(set, limits, hooks);

	if (!IS_ERR(disk)) {
		disk->fops = &rf_disk_operations;
		disk->private_data = hooks;
	}
	return disk;
}

void rf_disk_detach(void *disk)
{
	down_write(&rf_hooks);
	((struct gendisk *)disk)->private_data = NULL;
	up_write(&rf_hooks);
}

DEFINE_MUTEX(rf_globals);

void rf_module_get(void)
{
	__module_get(THIS_MODULE);
}

void rf_module_put(void)
{
	module_put(THIS_MODULE);
}

unsigned long rf_copy(void *bio_slot, void *iter_slot, void *buffer,
		      unsigned long bytes, int direction)
{
	struct bio **bio = bio_slot;
	struct bvec_iter *iter = iter_slot;
	unsigned long done = 0;

	while (*bio && done < bytes) {
		struct bio_vec segment;
		unsigned long count;
		void *memory;

		if (!iter->bi_size) {
			*bio = (*bio)->bi_next;
			if (*bio)
				*iter = (*bio)->bi_iter;
			continue;
		}
		/* Within one page. */
		segment = bio_iter_iovec(*bio, *iter);
		count = min_t(unsigned long, segment.bv_len, bytes - done);
		memory = bvec_kmap_local(&segment);
		switch (direction) {
		case RF_COPY_GET:
			flush_dcache_page(segment.bv_page);
			memcpy(buffer + done, memory, count);
			break;
		case RF_COPY_PUT:
			memcpy(memory, buffer + done, count);
			flush_dcache_page(segment.bv_page);
			break;
		case RF_COPY_FILL:
			memset(memory, *(u8 *)buffer, count);
			flush_dcache_page(segment.bv_page);
			break;
		}
		kunmap_local(memory);
		bio_advance_iter_single(*bio, iter, count);
		done += count;
	}
	return done;
}

unsigned char rf_add_to_batch(void *rq, void *batch, unsigned char failed)
{
	return blk_mq_add_to_batch(rq, batch, failed, blk_mq_end_request_batch);
}

enum { RF_MAPPED_ONE = 1, RF_MAPPED_IOVA, RF_MAPPED_LIST };

static_assert(sizeof(struct dma_iova_state) <=
	      sizeof(((struct rf_command *)NULL)->iova));

static bool rf_map_one(struct request *rq, struct device *device,
		       struct rf_command *command, struct rf_segment *room)
{
	struct bio_vec segment = req_bvec(rq);

	room->address = dma_map_bvec(device, &segment, rq_dma_dir(rq), 0);
	if (dma_mapping_error(device, room->address))
		return false;
	room->length = segment.bv_len;
	command->address = room->address;
	command->length = segment.bv_len;
	command->mapped = RF_MAPPED_ONE;
	return true;
}

static void rf_unmap_list(struct request *rq, struct device *device,
			  const struct rf_segment *list, unsigned int count)
{
	while (count--)
		dma_unmap_phys(device, list[count].address, list[count].length,
			       rq_dma_dir(rq), 0);
}

static noinline unsigned int rf_map_many(struct request *rq,
					 struct device *device,
					 struct rf_command *command,
					 struct rf_segment *room,
					 unsigned int most)
{
	struct dma_iova_state *state = (void *)command->iova;
	struct blk_dma_iter iter;
	unsigned int count = 0;

	if (!blk_rq_dma_map_iter_start(rq, device, state, &iter))
		return 0;
	command->length = blk_rq_payload_bytes(rq);
	command->list = NULL;
	if (dma_use_iova(state)) {
		room->address = iter.addr;
		room->length = iter.len;
		command->mapped = RF_MAPPED_IOVA;
		return 1;
	}
	do {
		if (count == most) {
			iter.status = BLK_STS_IOERR;
			rf_unmap_list(rq, device, room, count);
			dma_unmap_phys(device, iter.addr, iter.len,
				       rq_dma_dir(rq), 0);
			return 0;
		}
		room[count].address = iter.addr;
		room[count++].length = iter.len;
	} while (blk_rq_dma_map_iter_next(rq, device, &iter));
	if (iter.status != BLK_STS_OK)
		goto unmap;
	if (dma_need_unmap(device)) {
		command->list = kmemdup(room, count * sizeof(*room),
					GFP_ATOMIC | __GFP_NOWARN);
		if (!command->list)
			goto unmap;
	}
	command->count = count;
	command->mapped = RF_MAPPED_LIST;
	return count;
unmap:
	rf_unmap_list(rq, device, room, count);
	return 0;
}

unsigned int rf_map(void *request, void *device, struct rf_segment *room,
		    unsigned int most)
{
	struct request *rq = request;
	struct rf_command *command = blk_mq_rq_to_pdu(rq);

	if (likely(blk_rq_nr_phys_segments(rq) == 1 && most &&
		   req_bvec(rq).bv_len == blk_rq_payload_bytes(rq)))
		return rf_map_one(rq, device, command, room);
	return rf_map_many(rq, device, command, room, most);
}

static noinline void rf_unmap_many(struct request *rq, struct device *device,
				   struct rf_command *command)
{
	struct dma_iova_state *state = (void *)command->iova;

	if (command->mapped == RF_MAPPED_IOVA) {
		dma_iova_destroy(device, state, command->length, rq_dma_dir(rq),
				 0);
	} else if (command->list) {
		rf_unmap_list(rq, device, command->list, command->count);
		kfree(command->list);
		command->list = NULL;
	}
}

void rf_unmap(void *request, void *device)
{
	struct request *rq = request;
	struct rf_command *command = blk_mq_rq_to_pdu(rq);

	if (likely(command->mapped == RF_MAPPED_ONE))
		dma_unmap_phys(device, command->address, command->length,
			       rq_dma_dir(rq), 0);
	else if (command->mapped)
		rf_unmap_many(rq, device, command);
	command->mapped = 0;
}

void rf_end(void *request, void *device, void *batch, unsigned char status)
{
	struct request *rq = request;
	struct rf_command *command = blk_mq_rq_to_pdu(rq);

	rf_unmap(rq, device);
	command->overdue = 0;
	command->attempts = 0;
	command->status = status;
	if (blk_mq_complete_request_remote(rq))
		return;
	if (!blk_mq_add_to_batch(rq, batch, status != BLK_STS_OK,
				 blk_mq_end_request_batch))
		blk_mq_end_request(rq, status);
}

/* Fails where GFP_NOIO alone would wait, or kill processes, for memory. */
#define RF_GFP (GFP_NOIO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

struct rf_page *rf_page_alloc(void)
{
	struct rf_page *page = kzalloc(sizeof(*page), RF_GFP);

	if (!page)
		return NULL;
	page->bytes = (void *)get_zeroed_page(RF_GFP);
	if (!page->bytes) {
		kfree(page);
		return NULL;
	}
	return page;
}

void rf_page_free(struct rf_page *page)
{
	free_page((unsigned long)page->bytes);
	kfree(page);
}

int rf_page_store(void *xarray, unsigned long index, struct rf_page *page)
{
	return xa_err(xa_store(xarray, index, page, RF_GFP));
}

int rf_rcu_depth(void)
{
	return rcu_preempt_depth();
}

/* Values that shim.rs states, since bindgen does not see these macros. */
#define SAME(name, value) \
	static_assert((__force u32)(name) == (value), #name " has moved")

SAME(REQ_OP_MASK, 0xff);
SAME(REQ_FUA, 1 << 17);
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
SAME(BLK_STS_DEV_RESOURCE, 13);
SAME(BLK_STS_ZONE_OPEN_RESOURCE, 14);
SAME(BLK_STS_ZONE_ACTIVE_RESOURCE, 15);
SAME(BLK_FEAT_WRITE_CACHE, 1 << 0);
SAME(BLK_FEAT_FUA, 1 << 1);
SAME(BLK_FEAT_ROTATIONAL, 1 << 2);
SAME(BLK_FEAT_ZONED, 1 << 10);
SAME(XA_PRESENT, 8);
SAME(PAGE_SIZE, 4096);
