/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Included before each file of the kernel's C null_blk when that is built out
 * of tree: its configfs group is named after the module, so that it can be
 * loaded beside the kernel's own, without a change to its source.
 */
#include <linux/configfs.h>
#include <linux/string.h>

static inline int register_under_own_name(struct configfs_subsystem *subsystem)
{
	strscpy(subsystem->su_group.cg_item.ci_namebuf, KBUILD_MODNAME,
		CONFIGFS_ITEM_NAME_LEN);
	return configfs_register_subsystem(subsystem);
}
#define configfs_register_subsystem register_under_own_name
