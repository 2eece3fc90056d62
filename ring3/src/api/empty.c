/* A loop that does nothing: what a check of effect must refuse. */
#include "operation.h"

OPERATION(empty)
{
	uint64_t effect = 0;

	EACH(i) {
	}
	return effect;
}
