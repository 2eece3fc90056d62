/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What /dev/rf_api_c, /dev/rf_api_rust and /dev/rf_api_wrapper are asked:
 * to run one operation of operations.txt, many times.
 */
#ifndef RINGFENCE_API_RUN_H
#define RINGFENCE_API_RUN_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct rf_api_run {
	__u32 operation;	/* its line in operations.txt, from 0 */
	__u32 flags;		/* 0 */
	__u64 iterations;	/* 1 to 2^32 */
	__u64 buffer;		/* the caller's memory: page aligned */
	__u64 buffer_length;	/* at least 64 KiB */
	__u64 nanoseconds;	/* out: the loop alone */
	__u64 effect;		/* out: iterations whose effect was seen */
};

/*
 * Errors: EINVAL: no such operation, iterations, flags or buffer; ENOSYS: this
 * side or this kernel lacks the operation; ENODEV: it needs the PCI device
 * `edu`, and the module's driver is bound to none; else what the operation
 * said.
 */
#define RF_API_RUN _IOWR('R', 1, struct rf_api_run)

#endif
