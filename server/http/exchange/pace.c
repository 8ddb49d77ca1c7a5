/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/pace.h"

#include "common/clock.h"
#include "server/metrics.h"

/* How long a pace is looked at. */
enum { PACE_US = 20 * 1000 * 1000 };

/* Only what passes between our readiness for more and its coming is the client's time. */
bool pace_keeps(struct pace *pace, size_t length, int64_t least)
{
	if (pace->ready_us)
		pace->waited_us += clock_monotonic_us() - pace->ready_us;
	pace->bytes += (int64_t)length;
	if (pace->waited_us < PACE_US)
		return true;
	if (pace->bytes < least * (pace->waited_us / 1000000)) {
		metric_add(METRIC_SLOW_UPLOADS, 1);
		return false;
	}
	*pace = (struct pace){0};
	return true;
}
