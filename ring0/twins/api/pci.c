// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's `edu`: BAR 0 at 4 gives the inversion of what was written there. */
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "api.h"

#define INVERSION 4

static int with_registers(struct rf_api_run *run, struct pci_dev *dev,
			  int (*operation)(struct rf_api_run *run, void __iomem *registers))
{
	void __iomem *registers;
	int result = pci_request_region(dev, 0, "rf_api");

	if (result)
		return result;
	registers = pci_iomap(dev, 0, 0);
	result = registers ? operation(run, registers) : -ENOMEM;
	if (registers)
		pci_iounmap(dev, registers);
	pci_release_region(dev, 0);
	return result;
}

static noinline int measure_read(struct rf_api_run *run, void __iomem *registers)
{
	u64 effect = 0;

	writel(0x12345678, registers + INVERSION);
	RF_MEASURE(run, index,
		effect += readl(registers + INVERSION) == ~0x12345678U;
	);
	run->effect = effect;
	return 0;
}

/* The last write is read back; posted writes have no other witness. */
static noinline int measure_write(struct rf_api_run *run, void __iomem *registers)
{
	RF_MEASURE(run, index,
		writel((u32)index, registers + INVERSION);
	);
	run->effect = ~readl(registers + INVERSION) == (u32)(run->iterations - 1) ?
		run->iterations : 0;
	return 0;
}

static int mmio_read(struct rf_api_run *run, struct pci_dev *dev)
{
	return with_registers(run, dev, measure_read);
}

static int mmio_write(struct rf_api_run *run, struct pci_dev *dev)
{
	return with_registers(run, dev, measure_write);
}

RF_API(mmio_read)
{
	return rf_with_device(run, mmio_read);
}

RF_API(mmio_write)
{
	return rf_with_device(run, mmio_write);
}

static noinline int config_read(struct rf_api_run *run, struct pci_dev *dev)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		u16 device = 0;

		pci_read_config_word(dev, PCI_DEVICE_ID, &device);
		effect += device == 0x11e8;
	);
	run->effect = effect;
	return 0;
}

RF_API(pci_config_read)
{
	return rf_with_device(run, config_read);
}

#define COHERENT(name, size) \
static noinline int name(struct rf_api_run *run, struct pci_dev *dev) \
{ \
	u64 effect = 0; \
 \
	RF_MEASURE(run, index, \
		dma_addr_t address; \
		void *memory = dma_alloc_coherent(&dev->dev, size, &address, GFP_KERNEL); \
 \
		if (!memory) \
			return -ENOMEM; \
		effect += (uintptr_t)rf_opaque(memory) >> 47 == 0x1ffff && \
			  !(rf_opaque(address) & 4095); \
		dma_free_coherent(&dev->dev, size, memory, address); \
	); \
	run->effect = effect; \
	return 0; \
} \
 \
RF_API(name) \
{ \
	return rf_with_device(run, name); \
}

COHERENT(dma_coherent_4k, 4096)
COHERENT(dma_coherent_64k, 65536)

/* Sixteen KiB of vmalloc's pages, allocated, mapped for the device, and back. */
static noinline int sg_map(struct rf_api_run *run, struct pci_dev *dev)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		void *memory = vmalloc(16384);
		struct sg_table *table = kmalloc(sizeof(*table), GFP_KERNEL);
		struct page *pages[4];
		int result = memory && table ? 0 : -ENOMEM;

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
			return result;
	);
	run->effect = effect;
	return 0;
}

RF_API(dma_sg_16k)
{
	return rf_with_device(run, sg_map);
}

static noinline int map_single(struct rf_api_run *run, struct pci_dev *dev)
{
	void *memory = kmalloc(4096, GFP_KERNEL);
	int result = 0;
	u64 effect = 0;

	if (!memory)
		return -ENOMEM;
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
	return result;
}

RF_API(dma_map_single_4k)
{
	return rf_with_device(run, map_single);
}
