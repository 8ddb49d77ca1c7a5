/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/failed_fills.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/store/catalog/catalog_webhooks.h"

static const struct lock_place lock_place = {"failed_fills", RANK_FAILED_FILLS};

enum { WINDOW_MS = 60 * 1000 };

struct failed_fills {
	struct lock mutex;                               /* guards what follows, but for the catalog */
	struct failed_fill notes[FAILED_FILLS_A_MINUTE]; /* of this minute */
	size_t count;
	size_t written; /* of them, from the first */
	bool is_writing;
	int64_t began_ms;
	int64_t others; /* that nobody is told of, since the last note */
	struct catalog *catalog;
};

struct failed_fills *failed_fills_create(struct catalog *catalog)
{
	struct failed_fills *failed = mem_zero(1, sizeof *failed);

	lock_init(&failed->mutex, &lock_place);
	failed->catalog = catalog;
	return failed;
}

void failed_fills_destroy(struct failed_fills *failed)
{
	if (!failed)
		return;
	lock_finish(&failed->mutex);
	free(failed);
}

/* A new minute begins once all of the last one's are written. */
static void begin_window(struct failed_fills *failed)
{
	int64_t now_ms = clock_monotonic_ms();

	lock_expect(&failed->mutex);
	if (failed->count > 0 && (failed->written < failed->count || now_ms - failed->began_ms < WINDOW_MS))
		return;
	failed->count = failed->written = 0;
	failed->began_ms = now_ms;
}

static bool is_noted(const struct failed_fills *failed, const struct name *name)
{
	for (size_t i = 0; i < failed->count; i++) {
		if (name_equals(&failed->notes[i].name, name))
			return true;
	}
	return false;
}

static bool is_failure(enum err_code code)
{
	return code != ERR_NOT_FOUND && code != ERR_GONE && code != ERR_QUARANTINED;
}

void failed_fills_note(struct failed_fills *failed, const struct name *name, const struct err *why)
{
	struct failed_fill *note;

	if (!failed || !is_failure(why->code))
		return;
	LOCKED(&failed->mutex);
	begin_window(failed);
	if (failed->count == FAILED_FILLS_A_MINUTE || is_noted(failed, name)) {
		failed->others++;
		metric_add(METRIC_WEBHOOKS_UNTOLD, 1);
		return;
	}
	note = &failed->notes[failed->count++];
	*note = (struct failed_fill){
		.name = *name, .at = clock_now_s(), .code = err_name(why->code), .others = failed->others};
	(void)snprintf(note->why, sizeof note->why, "%s", why->text);
	failed->others = 0;
}

/* The caller frees them. */
static struct failed_fill *copy_new(struct failed_fills *failed, size_t *out_first, size_t *out_count)
{
	struct failed_fill *copy;
	LOCKED(&failed->mutex);

	*out_first = failed->written;
	*out_count = failed->is_writing ? 0 : failed->count - failed->written;
	if (*out_count == 0)
		return NULL;
	failed->is_writing = true;
	copy = mem_zero(*out_count, sizeof *copy);
	for (size_t i = 0; i < *out_count; i++)
		copy[i] = failed->notes[failed->written + i];
	return copy;
}

static void note_written(struct failed_fills *failed, size_t written)
{
	LOCKED(&failed->mutex);

	failed->written = written;
	failed->is_writing = false;
}

bool failed_fills_write(struct failed_fills *failed, struct err *err)
{
	size_t first, count;
	AUTO_FREE struct failed_fill *fills = copy_new(failed, &first, &count);
	bool done;

	if (count == 0)
		return true;
	done = catalog_add_failed_fills(failed->catalog, fills, count, err);
	note_written(failed, done ? first + count : first);
	return done;
}
