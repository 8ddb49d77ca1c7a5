/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lead.h"

/* What lies longer ago than this counts ever less; so little time tells nothing. */
enum { MEMORY_US = 1000000, TELLING_US = 1000 };

void lead_note(struct lead *lead, int64_t bytes, int64_t spent_us)
{
	lead->bytes += bytes;
	lead->spent_us += spent_us;
	if (lead->spent_us > MEMORY_US) {
		lead->bytes = lead->bytes * MEMORY_US / lead->spent_us / 2;
		lead->spent_us = MEMORY_US / 2;
	}
}

int64_t lead_bytes(const struct lead *lead)
{
	int64_t a_second;

	if (lead->spent_us < TELLING_US)
		return LEAD_FIRST_BYTES;
	a_second = lead->bytes * 1000000 / lead->spent_us;
	if (a_second < LEAD_MIN_BYTES)
		return LEAD_MIN_BYTES;
	return a_second < LEAD_MAX_BYTES ? a_second : LEAD_MAX_BYTES;
}
