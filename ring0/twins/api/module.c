// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/rf_api_c: the kernel's C API, in loops. The twin of ring0/modules/api.
 */
#include <linux/compat.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "api.h"

#define RF_OPERATION(name) int rf_api_##name(struct rf_api_run *run);
#define RF_ABSENT(name)
#include "operations_generated.h"
#undef RF_OPERATION
#undef RF_ABSENT

#define RF_OPERATION(name) rf_api_##name,
#define RF_ABSENT(name) NULL,
static int (*const rf_operations[])(struct rf_api_run *run) = {
#include "operations_generated.h"
};

static DEFINE_MUTEX(rf_device_lock);
static struct pci_dev *rf_device;

struct pci_dev *rf_device_get(void)
{
	struct pci_dev *dev;

	mutex_lock(&rf_device_lock);
	dev = pci_dev_get(rf_device);
	mutex_unlock(&rf_device_lock);
	if (!dev)
		return NULL;
	device_lock(&dev->dev);
	if (device_is_bound(&dev->dev))
		return dev;
	rf_device_put(dev);
	return NULL;
}

void rf_device_put(struct pci_dev *dev)
{
	device_unlock(&dev->dev);
	pci_dev_put(dev);
}

static int rf_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	int result;

	if (dev->vendor != 0x1234 || dev->device != 0x11e8)
		return -ENODEV;
	result = pci_enable_device_mem(dev);
	if (result)
		return result;
	pci_set_master(dev);
	mutex_lock(&rf_device_lock);
	if (rf_device)
		result = -EBUSY;
	else
		rf_device = dev;
	mutex_unlock(&rf_device_lock);
	if (result)
		pci_disable_device(dev);
	return result;
}

static void rf_remove(struct pci_dev *dev)
{
	mutex_lock(&rf_device_lock);
	rf_device = NULL;
	mutex_unlock(&rf_device_lock);
	pci_disable_device(dev);
}

/* Binds where driver_override says so, and by itself nowhere. */
static const struct pci_device_id rf_devices[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(0x1234, 0x11e8,
				     PCI_ID_F_VFIO_DRIVER_OVERRIDE) },
	{}
};

static struct pci_driver rf_driver = {
	.name = "rf_api_c",
	.id_table = rf_devices,
	.probe = rf_probe,
	.remove = rf_remove,
};

static long rf_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct rf_api_run __user *user = (void __user *)argument;
	struct rf_api_run run;
	int result;

	if (command != RF_API_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, user, sizeof(run)))
		return -EFAULT;
	if (run.operation >= ARRAY_SIZE(rf_operations) || run.flags ||
	    !run.iterations || run.iterations > 1ULL << 32 ||
	    run.buffer % PAGE_SIZE || run.buffer_length < RF_BUFFER)
		return -EINVAL;
	if (!rf_operations[run.operation])
		return -ENOSYS;
	run.nanoseconds = 0;
	run.effect = 0;
	result = rf_operations[run.operation](&run);
	if (result)
		return result;
	if (copy_to_user(user, &run, sizeof(run)))
		return -EFAULT;
	return 0;
}

static const struct file_operations rf_file_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = rf_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice rf_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "rf_api_c",
	.fops = &rf_file_operations,
};

static int __init rf_init(void)
{
	int result = pci_register_driver(&rf_driver);

	if (result)
		return result;
	result = misc_register(&rf_misc);
	if (result)
		pci_unregister_driver(&rf_driver);
	return result;
}

static void __exit rf_exit(void)
{
	misc_deregister(&rf_misc);
	pci_unregister_driver(&rf_driver);
}

module_init(rf_init);
module_exit(rf_exit);
MODULE_AUTHOR("The Ringfence developers");
MODULE_DESCRIPTION("The kernel's C API, in loops");
MODULE_LICENSE("GPL");
