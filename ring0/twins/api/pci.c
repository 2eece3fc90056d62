// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's `edu`: BAR 0 at 4 gives the inversion of what was written there. */
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "api.h"

#define INVERSION 4

static void unmap(struct pci_dev *dev, void __iomem *registers)
{
	pci_iounmap(dev, registers);
	pci_release_region(dev, 0);
}

static void __iomem *map(struct pci_dev *dev)
{
	void __iomem *registers;

	if (pci_request_region(dev, 0, "rf_api"))
		return NULL;
	registers = pci_iomap(dev, 0, 0);
	if (!registers)
		pci_release_region(dev, 0);
	return registers;
}

RF_API(mmio_read)
{
	struct pci_dev *dev = rf_device_get();
	void __iomem *registers;
	u64 effect = 0;

	if (!dev)
		return -ENODEV;
	registers = map(dev);
	if (!registers) {
		rf_device_put(dev);
		return -EBUSY;
	}
	writel(0x12345678, registers + INVERSION);
	RF_MEASURE(run, index,
		effect += readl(registers + INVERSION) == ~0x12345678U;
	);
	run->effect = effect;
	unmap(dev, registers);
	rf_device_put(dev);
	return 0;
}

/* The last write is read back; posted writes have no other witness. */
RF_API(mmio_write)
{
	struct pci_dev *dev = rf_device_get();
	void __iomem *registers;

	if (!dev)
		return -ENODEV;
	registers = map(dev);
	if (!registers) {
		rf_device_put(dev);
		return -EBUSY;
	}
	RF_MEASURE(run, index,
		writel((u32)index, registers + INVERSION);
	);
	if (~readl(registers + INVERSION) == (u32)(run->iterations - 1))
		run->effect = run->iterations;
	unmap(dev, registers);
	rf_device_put(dev);
	return 0;
}

RF_API(pci_config_read)
{
	struct pci_dev *dev = rf_device_get();
	u64 effect = 0;

	if (!dev)
		return -ENODEV;
	RF_MEASURE(run, index,
		u16 device = 0;

		pci_read_config_word(dev, PCI_DEVICE_ID, &device);
		effect += device == 0x11e8;
	);
	run->effect = effect;
	rf_device_put(dev);
	return 0;
}

/* The device's lock, and whether a driver is bound to it. */
RF_API(device_bound)
{
	struct pci_dev *dev = rf_device_get();
	u64 effect = 0;

	if (!dev)
		return -ENODEV;
	pci_dev_get(dev);
	rf_device_put(dev);
	RF_MEASURE(run, index,
		device_lock(&dev->dev);
		if (device_is_bound(&dev->dev))
			effect += rf_opaque(dev)->device == 0x11e8;
		device_unlock(&dev->dev);
	);
	run->effect = effect;
	pci_dev_put(dev);
	return 0;
}

#define COHERENT(name, size) \
RF_API(name) \
{ \
	struct pci_dev *dev = rf_device_get(); \
	int result = 0; \
	u64 effect = 0; \
 \
	if (!dev) \
		return -ENODEV; \
	RF_MEASURE(run, index, \
		dma_addr_t address; \
		void *memory = dma_alloc_coherent(&dev->dev, size, &address, GFP_KERNEL); \
 \
		if (!memory) { \
			result = -ENOMEM; \
			break; \
		} \
		effect += (uintptr_t)rf_opaque(memory) >> 47 == 0x1ffff && \
			  !(rf_opaque(address) & 4095); \
		dma_free_coherent(&dev->dev, size, memory, address); \
	); \
	run->effect = effect; \
	rf_device_put(dev); \
	return result; \
}

COHERENT(dma_coherent_4k, 4096)
COHERENT(dma_coherent_64k, 65536)

/* Small coherent pieces: descriptor lists. */
RF_API(dma_pool_256)
{
	struct pci_dev *dev = rf_device_get();
	struct dma_pool *pool;
	int result = 0;
	u64 effect = 0;

	if (!dev)
		return -ENODEV;
	pool = dma_pool_create("rf_api", &dev->dev, 256, 256, 0);
	if (!pool) {
		rf_device_put(dev);
		return -ENOMEM;
	}
	RF_MEASURE(run, index,
		dma_addr_t address;
		u64 *memory = dma_pool_alloc(pool, GFP_KERNEL, &address);

		if (!memory) {
			result = -ENOMEM;
			break;
		}
		*memory = index;
		memory = rf_opaque(memory);
		effect += *memory == index && !(rf_opaque(address) & 255);
		dma_pool_free(pool, memory, address);
	);
	run->effect = effect;
	dma_pool_destroy(pool);
	rf_device_put(dev);
	return result;
}

/* Sixteen KiB of vmalloc's pages, allocated, mapped for the device, and back. */
RF_API(dma_sg_16k)
{
	struct pci_dev *dev = rf_device_get();
	int result = 0;
	u64 effect = 0;

	if (!dev)
		return -ENODEV;
	RF_MEASURE(run, index,
		void *memory = vmalloc(16384);
		struct sg_table *table = kmalloc(sizeof(*table), GFP_KERNEL);
		struct page *pages[4];

		result = memory && table ? 0 : -ENOMEM;
		if (!result) {
			for (int i = 0; i < 4; i++)
				pages[i] = vmalloc_to_page(memory + i * PAGE_SIZE);
			result = sg_alloc_table_from_pages_segment(table, pages, 4, 0, 16384,
					dma_max_mapping_size(&dev->dev), GFP_KERNEL);
		}
		if (!result) {
			result = dma_map_sgtable(&dev->dev, table, DMA_TO_DEVICE, 0);
			if (!result) {
				effect += sg_dma_len(rf_opaque(table->sgl)) >= PAGE_SIZE;
				dma_unmap_sgtable(&dev->dev, table, DMA_TO_DEVICE, 0);
			}
			sg_free_table(table);
		}
		kfree(table);
		vfree(memory);
		if (result)
			break;
	);
	run->effect = effect;
	rf_device_put(dev);
	return result;
}

RF_API(dma_map_single_4k)
{
	struct pci_dev *dev = rf_device_get();
	void *memory;
	int result = 0;
	u64 effect = 0;

	if (!dev)
		return -ENODEV;
	memory = kmalloc(4096, GFP_KERNEL);
	if (!memory) {
		rf_device_put(dev);
		return -ENOMEM;
	}
	RF_MEASURE(run, index,
		dma_addr_t address = dma_map_single(&dev->dev, memory, 4096, DMA_TO_DEVICE);

		result = dma_mapping_error(&dev->dev, address);
		if (result)
			break;
		effect += !(rf_opaque(address) & 4095);
		dma_unmap_single(&dev->dev, address, 4096, DMA_TO_DEVICE);
	);
	run->effect = effect;
	kfree(memory);
	rf_device_put(dev);
	return result;
}
