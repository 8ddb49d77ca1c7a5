/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/patience.h"

#include "common/clock.h"

enum {
	BUSY_MS = 120 * 1000,
	BUSY_PAUSE_MS = 1000,
	UNREACHED_TRIES =
		5, /* one that is started anew takes seconds, and has forgotten what was under way */
	UNREACHED_PAUSE_MS = 250
};

static bool wait_for_busy(struct patience *patience, int64_t retry_after_s)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t left_ms;

	if (patience->until_ms == 0)
		patience->until_ms = now_ms + BUSY_MS;
	left_ms = patience->until_ms - now_ms;
	if (retry_after_s > left_ms / 1000 || left_ms < BUSY_PAUSE_MS)
		return false;
	clock_sleep_ms(retry_after_s > 0 ? retry_after_s * 1000 : BUSY_PAUSE_MS);
	return true;
}

bool patience_wait(struct patience *patience, const struct remote *remote, const struct err *err)
{
	if (err->code == ERR_BUSY)
		return wait_for_busy(patience, remote_retry_after_s(remote));
	if (err->code != ERR_UPSTREAM_UNREACHABLE || patience->tries == UNREACHED_TRIES)
		return false;
	clock_sleep_ms((int64_t)UNREACHED_PAUSE_MS << patience->tries++);
	return true;
}

bool patience_get(struct remote *remote, const char *target, json_t **out, struct err *err)
{
	struct patience patience = {0};

	while (!remote_get(remote, target, out, err)) {
		if (!patience_wait(&patience, remote, err))
			return false;
	}
	return true;
}
