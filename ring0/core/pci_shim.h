/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's C API of devices gives only to C. As in shim.h: scalars and
 * pointers only.
 */
#ifndef RINGFENCE_PCI_SHIM_H
#define RINGFENCE_PCI_SHIM_H

/*
 * How a device (struct pci_dev *) reaches memory: 64-bit addresses, else
 * 32-bit ones; transfers of any length; what is bounced keeps its place in a
 * page. 0 or an errno.
 */
int rf_dma_setup(void *pdev);

/*
 * Zeroed coherent memory for a device (struct device *), or NULL. Does not
 * wait for I/O. May sleep. address: where the device has it.
 */
void *rf_dma_alloc(void *dev, unsigned long bytes, unsigned long long *address);
void rf_dma_free(void *dev, unsigned long bytes, void *memory,
		 unsigned long long address);

/* Barriers against a device. */
void rf_dma_rmb(void);
void rf_dma_wmb(void);
void rf_mb(void);

/* readl and writel. */
unsigned int rf_readl(const void *address);
void rf_writel(unsigned int value, void *address);

/* The NUMA node of a device (struct device *), or NUMA_NO_NODE. */
int rf_node(void *dev);

/* A device's name (struct device *). */
const char *rf_name(void *dev);

/* Whether the BAR of a device (struct pci_dev *) is memory that is still its. */
unsigned char rf_bar_is_memory(void *pdev, int bar);
unsigned long long rf_bar_length(void *pdev, int bar);

/* Whether a device (struct pci_dev *) interrupts by a line, not by messages. */
unsigned char rf_interrupts_by_line(void *pdev);

/* Sets up a raw_spinlock_t. key: struct lock_class_key *, static. */
void rf_lock_init(void *lock, const char *name, void *key);

/* A workqueue for one work item that memory may be waiting for, or NULL. */
void *rf_queue_alloc(const char *name);

/* Sets up a struct delayed_work. function: a work_func_t. */
void rf_work_init(void *work, void *function);

/* Has it run now, or in so many nanoseconds if it is not to run anyway. */
void rf_work_now(void *queue, void *work);
void rf_work_after(void *queue, void *work, unsigned long long nanoseconds);

#endif
