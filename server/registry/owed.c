/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/owed.h"

#include <stddef.h>

#include "common/log.h"
#include "common/number.h"

enum { PATIENCE_MS = OWED_PATIENCE_MS, SLACK_BYTES = 1 << 20 };

int64_t owed_settle(struct owed *owed, int64_t unpromised_bytes, int64_t now_ms)
{
	/* What others write outside of their claims is no reason to expect more. */
	if (unpromised_bytes > owed->seen_bytes)
		owed->bytes -= unpromised_bytes - owed->seen_bytes;
	owed->seen_bytes = unpromised_bytes;
	if (owed->bytes > owed->enough && now_ms > owed->until_ms) {
		log_event(LOG_LEVEL_WARN,
			"what was evicted has not become free: does another program have it open?", "lacking",
			number_size(owed->bytes).text, NULL);
		owed->bytes = 0;
	}
	if (owed->bytes <= owed->enough)
		owed->bytes = 0;
	return owed->bytes;
}

void owed_shift(struct owed *owed, int64_t bytes)
{
	if (owed->bytes > 0)
		owed->seen_bytes -= bytes;
}

void owed_note(struct owed *owed, int64_t went_bytes, int64_t before_bytes, int64_t now_ms)
{
	*owed = (struct owed){.bytes = owed_settle(owed, before_bytes, now_ms) + went_bytes,
		.seen_bytes = before_bytes,
		.until_ms = now_ms + PATIENCE_MS};
	/* Lengths and blocks differ, and the database takes some. */
	owed->enough = owed->bytes / 2 > SLACK_BYTES ? owed->bytes / 2 : SLACK_BYTES;
}
