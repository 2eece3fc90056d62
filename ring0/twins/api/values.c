// SPDX-License-Identifier: GPL-2.0-only
/* Error values and parameters. */
#include <linux/err.h>
#include <linux/moduleparam.h>

#include "api.h"

static long depth = 128;
module_param(depth, long, 0444);
MODULE_PARM_DESC(depth, "Read by the operation module_parameter; leave it");

RF_API(module_parameter)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		effect += rf_opaque(depth) == 128;
	);
	run->effect = effect;
	return 0;
}

/* What a function answered: an error, or not. */
RF_API(error_number)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		int answer = rf_opaque(-EINVAL);

		if (answer < 0)
			effect += rf_opaque(answer) == -EINVAL;
	);
	run->effect = effect;
	return 0;
}

RF_API(error_pointer)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		void *answer = rf_opaque(ERR_PTR(-EINVAL));

		if (IS_ERR(answer))
			effect += rf_opaque((int)PTR_ERR(answer)) == -EINVAL;
	);
	run->effect = effect;
	return 0;
}
