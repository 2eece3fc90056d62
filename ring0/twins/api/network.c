// SPDX-License-Identifier: GPL-2.0-only
/* Packets. */
#include <linux/skbuff.h>

#include "api.h"

RF_API(skb_2k)
{
	u64 effect = 0;

	RF_MEASURE(run, index,
		struct sk_buff *skb = alloc_skb(2048, GFP_KERNEL);

		if (!skb)
			return -ENOMEM;
		*(u64 *)skb_put(skb, sizeof(u64)) = index;
		skb = rf_opaque(skb);
		effect += *(u64 *)skb->data == index;
		kfree_skb(skb);
	);
	run->effect = effect;
	return 0;
}
