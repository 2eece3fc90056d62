// SPDX-License-Identifier: GPL-2.0-only
/* Open files. */
#include <linux/file.h>
#include <linux/fs.h>

#include "api.h"

int rf_any_descriptor(void)
{
	for (int descriptor = 0; descriptor < 1024; descriptor++) {
		struct file *file = fget(descriptor);

		if (file) {
			fput(file);
			return descriptor;
		}
	}
	return -1;
}

struct file *rf_any_file(void)
{
	int descriptor = rf_any_descriptor();

	return descriptor < 0 ? NULL : fget(descriptor);
}

RF_API(fget)
{
	int descriptor = rf_any_descriptor();
	struct file *first = rf_any_file();
	u64 effect = 0;

	if (!first)
		return -EBADF;
	RF_MEASURE(run, index,
		struct file *file = fget(rf_opaque(descriptor));

		if (!file)
			break;
		effect += rf_opaque(file) == first;
		fput(file);
	);
	run->effect = effect;
	fput(first);
	return 0;
}

/* The number of a file to be: taken, and given back. */
RF_API(fd_reserve)
{
	int number = get_unused_fd_flags(O_CLOEXEC);
	u64 effect = 0;

	if (number < 0)
		return number;
	put_unused_fd(number);
	RF_MEASURE(run, index,
		int descriptor = get_unused_fd_flags(O_CLOEXEC);

		if (descriptor < 0)
			return descriptor;
		effect += rf_opaque(descriptor) == number;
		put_unused_fd(descriptor);
	);
	run->effect = effect;
	return 0;
}
