// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "pci_shim.h"

int rf_dma_setup(void *device)
{
	struct pci_dev *pdev = device;
	int error = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));

	if (error)
		error = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (error)
		return error;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	dma_set_min_align_mask(&pdev->dev, PAGE_SIZE - 1);
	return 0;
}

void *rf_dma_alloc(void *dev, unsigned long bytes, unsigned long long *address)
{
	dma_addr_t dma = 0;
	void *memory = dma_alloc_coherent(dev, bytes, &dma, GFP_NOIO | __GFP_NOWARN);

	*address = dma;
	return memory;
}

void rf_dma_free(void *dev, unsigned long bytes, void *memory,
		 unsigned long long address)
{
	dma_free_coherent(dev, bytes, memory, address);
}

void rf_dma_rmb(void)
{
	dma_rmb();
}

void rf_dma_wmb(void)
{
	dma_wmb();
}

void rf_mb(void)
{
	mb();
}

unsigned int rf_readl(const void *address)
{
	return readl((const void __iomem *)address);
}

void rf_writel(unsigned int value, void *address)
{
	writel(value, (void __iomem *)address);
}

int rf_node(void *dev)
{
	return dev_to_node(dev);
}

const char *rf_name(void *dev)
{
	return dev_name(dev);
}

unsigned char rf_bar_is_memory(void *device, int bar)
{
	struct pci_dev *pdev = device;
	struct resource *resource = pci_resource_n(pdev, bar);

	return (resource->flags & IORESOURCE_MEM) && resource->parent;
}

unsigned long long rf_bar_length(void *pdev, int bar)
{
	return pci_resource_len((struct pci_dev *)pdev, bar);
}

unsigned char rf_interrupts_by_line(void *device)
{
	struct pci_dev *pdev = device;

	return !pci_dev_msi_enabled(pdev);
}

#ifdef CONFIG_PREEMPT_RT
#error "Under these locks DMA is mapped, which sleeps with CONFIG_PREEMPT_RT"
#endif

void rf_lock_init(void *lock, const char *name, void *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	/* A spinlock_t, which is this as well, to lockdep: others nest in it. */
	__raw_spin_lock_init(lock, name, key, LD_WAIT_CONFIG);
#else
	raw_spin_lock_init((raw_spinlock_t *)lock);
#endif
}

void *rf_queue_alloc(const char *name)
{
	return alloc_workqueue("%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 1, name);
}

void rf_work_init(void *work, void *function)
{
	INIT_DELAYED_WORK((struct delayed_work *)work, (work_func_t)function);
}

void rf_work_now(void *queue, void *work)
{
	mod_delayed_work(queue, work, 0);
}

void rf_work_after(void *queue, void *work, unsigned long long nanoseconds)
{
	queue_delayed_work(queue, work, nsecs_to_jiffies(nanoseconds) + 1);
}
