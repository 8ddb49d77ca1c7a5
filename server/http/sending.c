/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/sending.h"

const char *sending_ending(enum sending sending)
{
	static const char *const endings[] = {
		[SENDING_GONE] = "client gone",
		[SENDING_BROKEN] = "broken",
		[SENDING_CUT] = "broken",
		[SENDING_LATE] = "timeout",
		[SENDING_STOPPED] = "shutdown",
	};

	return endings[sending];
}
