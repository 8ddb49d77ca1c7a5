/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/watch.h"

#include <stdatomic.h>

#include "common/lock.h"
#include "common/own.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"watch", RANK_WATCH};

enum { MARK_EVERY_MS = 500 };

static const char *const state_names[FILL_STATE_COUNT] = {
	[FILL_WAITING] = "waiting",
	[FILL_TRANSFERRING] = "transferring",
	[FILL_VERIFYING] = "verifying",
	[FILL_KEPT] = "kept",
	[FILL_FAILED] = "failed",
};

const char *fill_state_name(enum fill_state state)
{
	return state_names[state];
}

void fill_watch_init(struct fill_watch *watch)
{
	*watch = (struct fill_watch){.figures = {.total_bytes = -1, .eta_s = -1}};
	lock_init(&watch->mutex, &lock_place);
	atomic_init(&watch->stop, false);
	atomic_init(&watch->cancelled, false);
	atomic_init(&watch->wanted, false);
	atomic_init(&watch->refused, false);
}

void fill_watch_finish(struct fill_watch *watch)
{
	lock_finish(&watch->mutex);
}

void fill_watch_attempt(struct fill_watch *watch, const char *upstream)
{
	LOCKED(&watch->mutex);

	watch->figures.state = FILL_TRANSFERRING;
	watch->figures.upstream = upstream;
	watch->figures.attempts++;
}

void fill_watch_total(struct fill_watch *watch, int64_t total_bytes)
{
	LOCKED(&watch->mutex);

	watch->figures.total_bytes = total_bytes;
}

void fill_watch_bytes(struct fill_watch *watch, int64_t bytes, int64_t now_ms)
{
	size_t newest;
	LOCKED(&watch->mutex);

	/* Fewer than before is a new beginning: what was before it says nothing of the rate. */
	if (bytes < watch->figures.bytes)
		watch->mark_count = 0;
	watch->figures.bytes = bytes;
	newest = (watch->mark_count + WATCH_MARKS - 1) % WATCH_MARKS;
	if (watch->mark_count > 0 && now_ms - watch->marks[newest].at_ms < MARK_EVERY_MS)
		return;
	watch->marks[watch->mark_count % WATCH_MARKS].at_ms = now_ms;
	watch->marks[watch->mark_count % WATCH_MARKS].bytes = bytes;
	watch->mark_count++;
}

void fill_watch_state(struct fill_watch *watch, enum fill_state state)
{
	LOCKED(&watch->mutex);

	watch->figures.state = state;
}

/* Under the mutex. Measured up to now, so that the rate of a stalled transfer falls. */
static int64_t rate_of(const struct fill_watch *watch, int64_t now_ms)
{
	size_t oldest = watch->mark_count > WATCH_MARKS ? watch->mark_count % WATCH_MARKS : 0;
	int64_t elapsed_ms = now_ms - watch->marks[oldest].at_ms;
	int64_t bytes = watch->figures.bytes - watch->marks[oldest].bytes;

	if (watch->mark_count == 0 || elapsed_ms <= 0)
		return 0;
	return (int64_t)((double)bytes * 1000 / (double)elapsed_ms);
}

struct fill_figures fill_watch_read(struct fill_watch *watch, int64_t now_ms)
{
	struct fill_figures figures;
	LOCKED(&watch->mutex);

	figures = watch->figures;
	figures.rate = figures.state == FILL_TRANSFERRING ? rate_of(watch, now_ms) : 0;
	figures.eta_s = -1;
	if (figures.rate > 0 && figures.total_bytes >= figures.bytes)
		figures.eta_s = (figures.total_bytes - figures.bytes + figures.rate - 1) / figures.rate;
	return figures;
}
