/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shortage.h"

#include "common/number.h"

/* Lengths are strangers' words, and may be as large as numbers get. */
static int64_t sum(int64_t a, int64_t b)
{
	int64_t result;

	return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

static int64_t lack_under_limit(
	const struct space_limits *limits, const struct figures *figures, int64_t more)
{
	if (limits->max_bytes == 0)
		return 0;
	return sum(figures->mirrored + figures->reclaimable + figures->limited - limits->max_bytes, more);
}

int64_t shortage_of_free(const struct space_limits *limits, const struct figures *figures, int64_t more)
{
	return sum(sum(limits->keep_free_bytes - figures->free, figures->ahead), more);
}

struct shortage shortage_of(
	const struct space_limits *limits, const struct figures *figures, bool unlimited, int64_t more)
{
	int64_t limit = unlimited ? 0 : lack_under_limit(limits, figures, more);
	int64_t free = shortage_of_free(limits, figures, more);
	int64_t unowed = free - figures->owed;

	return (struct shortage){.bytes = limit > free ? limit : free,
		.needed = limit > unowed ? limit : unowed,
		.for_disk = unowed > 0};
}

bool shortage_refuse(const struct space_limits *limits, const struct figures *figures, bool unlimited,
	int64_t more, int64_t linked_bytes, struct err *err)
{
	if (!unlimited && lack_under_limit(limits, figures, more) > 0)
		return err_set(err, ERR_NO_SPACE,
			"there is no room for %s more: of %s (%s) %s are in use and cannot go",
			number_size(more).text, number_size(limits->max_bytes).text,
			limits->max_key ? limits->max_key : "storage.max_bytes",
			number_size(figures->mirrored + figures->reclaimable + figures->limited).text);
	if (linked_bytes > 0)
		return err_set(err, ERR_NO_SPACE,
			"there is no room for %s more: %s are free, %s are to stay so "
			"(storage.keep_free_bytes), and %s of what could go would free nothing for its other "
			"names (hard links: a backup's, or those of an export that runs): remove these, or "
			"make "
			"room on the data folder's disk",
			number_size(more).text, number_size(figures->free).text,
			number_size(limits->keep_free_bytes).text, number_size(linked_bytes).text);
	return err_set(err, ERR_NO_SPACE,
		"there is no room for %s more: %s are free, and %s are to stay so (storage.keep_free_bytes): "
		"make room on the data folder's disk, or lower it",
		number_size(more).text, number_size(figures->free).text,
		number_size(limits->keep_free_bytes).text);
}
