// SPDX-License-Identifier: GPL-2.0-only
/* Text: written, read, and not printed. */
#include <linux/kstrtox.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/string.h>

#include "api.h"

RF_API(format_integer)
{
	char text[32];
	u64 effect = 0;

	RF_MEASURE(run, index,
		text[0] = 0;
		snprintf(text, sizeof(text), "%llu", rf_opaque(1234567890ULL));
		effect += *rf_opaque(&text[0]) == '1' && text[9] == '0' && text[10] == 0;
	);
	run->effect = effect;
	return 0;
}

RF_API(format_string)
{
	char text[32];
	u64 effect = 0;

	RF_MEASURE(run, index,
		text[0] = 0;
		snprintf(text, sizeof(text), "%s", rf_opaque("null block"));
		effect += *rf_opaque(&text[0]) == 'n' && text[9] == 'k' && text[10] == 0;
	);
	run->effect = effect;
	return 0;
}

RF_API(format_allocated)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		char *text = kasprintf(GFP_KERNEL, "queue-%llu", rf_opaque(1234567890ULL));

		if (!text)
			return -ENOMEM;
		text = rf_opaque(text);
		effect += text[6] == '1' && text[15] == '0' && text[16] == 0;
		kfree(text);
	);
	run->effect = effect;
	return 0;
}

RF_API(parse_integer)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		u64 value = 0;

		if (kstrtou64(rf_opaque("1234567890"), 10, &value))
			break;
		effect += rf_opaque(value) == 1234567890;
	);
	run->effect = effect;
	return 0;
}

RF_API(parse_bool)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		bool value = false;

		if (kstrtobool(rf_opaque("on"), &value))
			break;
		effect += rf_opaque(value);
	);
	run->effect = effect;
	return 0;
}

/* Its effect is to have none; that the loop went round is all there is to see. */
RF_API(pr_debug_off)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		pr_debug("iteration %llu\n", index);
		effect += rf_opaque(index) == index;
	);
	run->effect = effect;
	return 0;
}
