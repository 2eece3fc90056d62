// SPDX-License-Identifier: GPL-2.0-only
/* The caller's memory. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "api.h"

#define PATTERN 0x1234567890abcdefULL

RF_API(copy_from_user_8)
{
	void __user *buffer = rf_buffer(run);
	u64 value = PATTERN;
	u64 effect = 0;

	if (copy_to_user(buffer, &value, sizeof(value)))
		return -EFAULT;
	RF_MEASURE(run, index,
		u64 read;

		if (copy_from_user(&read, buffer, sizeof(read)))
			return -EFAULT;
		effect += rf_opaque(read) == PATTERN;
	);
	run->effect = effect;
	return 0;
}

RF_API(copy_from_user_4096)
{
	void __user *buffer = rf_buffer(run);
	u8 *page = kmalloc(4096, GFP_KERNEL);
	int result = 0;
	u64 effect = 0;

	if (!page)
		return -ENOMEM;
	memset(page, 0x5a, 4096);
	if (copy_to_user(buffer, page, 4096))
		result = -EFAULT;
	RF_MEASURE(run, index,
		page[0] = 0;
		page[4095] = 0;
		if (copy_from_user(page, buffer, 4096)) {
			result = -EFAULT;
			break;
		}
		page = rf_opaque(page);
		effect += page[0] == 0x5a && page[4095] == 0x5a;
	);
	run->effect = effect;
	kfree(page);
	return result;
}

/* Iterations write to places that take turns, each its own number. */
RF_API(copy_to_user_8)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		u64 place = index % (RF_BUFFER / 8);

		effect += !copy_to_user(rf_buffer(run) + place * 8, &index, sizeof(index));
	);
	run->effect = effect;
	for (u64 i = 0; i < min_t(u64, run->iterations, RF_BUFFER / 8); i++) {
		u64 index = run->iterations - 1 - i;
		u64 value;

		if (copy_from_user(&value, rf_buffer(run) + index % (RF_BUFFER / 8) * 8,
				   sizeof(value)))
			return -EFAULT;
		if (value != index)
			run->effect = 0;
	}
	return 0;
}

RF_API(copy_to_user_4096)
{
	u64 *page = kzalloc(4096, GFP_KERNEL);
	u64 effect = 0;
	int result = 0;

	if (!page)
		return -ENOMEM;
	RF_MEASURE(run, index,
		u64 place = index % (RF_BUFFER / 4096);

		page[0] = index;
		page[511] = index;
		effect += !copy_to_user(rf_buffer(run) + place * 4096, page, 4096);
	);
	run->effect = effect;
	for (u64 i = 0; i < min_t(u64, run->iterations, RF_BUFFER / 4096); i++) {
		u64 index = run->iterations - 1 - i;

		if (copy_from_user(page, rf_buffer(run) + index % (RF_BUFFER / 4096) * 4096,
				   4096)) {
			result = -EFAULT;
			break;
		}
		if (page[0] != index || page[511] != index)
			run->effect = 0;
	}
	kfree(page);
	return result;
}

RF_API(strncpy_from_user)
{
	static const char text[] = "a string of the user's";
	char copy[64];
	u64 effect = 0;

	if (copy_to_user(rf_buffer(run), text, sizeof(text)))
		return -EFAULT;
	RF_MEASURE(run, index,
		long length = strncpy_from_user(copy, rf_buffer(run), sizeof(copy));

		if (length < 0)
			return length;
		effect += rf_opaque(length) == sizeof(text) - 1;
	);
	run->effect = strcmp(copy, text) ? 0 : effect;
	return 0;
}
