/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/fill_progress.h"

#include <stdatomic.h>

#include "common/invariant.h"
#include "common/lock.h"
#include "common/own.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"fill progress", RANK_FILL_PROGRESS};

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

void fill_progress_init(struct fill_progress *progress)
{
	*progress = (struct fill_progress){.figures = {.total_bytes = -1, .eta_s = -1}};
	lock_init(&progress->mutex, &lock_place);
	atomic_init(&progress->stop, false);
	atomic_init(&progress->cancelled, false);
	atomic_init(&progress->wanted, false);
	atomic_init(&progress->refused, false);
}

void fill_progress_finish(struct fill_progress *progress)
{
	lock_finish(&progress->mutex);
}

/* As it is drawn in the header. */
static void enter(struct fill_progress *progress, enum fill_state state)
{
	static const bool may_follow[FILL_STATE_COUNT][FILL_STATE_COUNT] = {
		[FILL_WAITING] = {[FILL_TRANSFERRING] = true, [FILL_VERIFYING] = true, [FILL_FAILED] = true},
		[FILL_TRANSFERRING] =
			{[FILL_TRANSFERRING] = true, [FILL_VERIFYING] = true, [FILL_FAILED] = true},
		[FILL_VERIFYING] = {[FILL_TRANSFERRING] = true, [FILL_KEPT] = true, [FILL_FAILED] = true},
	};

	lock_expect(&progress->mutex);
	INVARIANT(may_follow[progress->figures.state][state]);
	progress->figures.state = state;
}

void fill_progress_attempt(struct fill_progress *progress, const char *upstream)
{
	LOCKED(&progress->mutex);

	enter(progress, FILL_TRANSFERRING);
	progress->figures.upstream = upstream;
	progress->figures.attempts++;
}

void fill_progress_total(struct fill_progress *progress, int64_t total_bytes)
{
	LOCKED(&progress->mutex);

	progress->figures.total_bytes = total_bytes;
}

void fill_progress_told(struct fill_progress *progress, int64_t total_bytes)
{
	LOCKED(&progress->mutex);

	progress->figures.total_bytes = total_bytes;
	progress->figures.is_told = true;
}

void fill_progress_bytes(struct fill_progress *progress, int64_t bytes, int64_t now_ms)
{
	size_t newest;
	LOCKED(&progress->mutex);

	/* Fewer than before is a new beginning: what was before it says nothing of the rate. */
	if (bytes < progress->figures.bytes)
		progress->mark_count = 0;
	progress->figures.bytes = bytes;
	newest = (progress->mark_count + FILL_PROGRESS_MARKS - 1) % FILL_PROGRESS_MARKS;
	if (progress->mark_count > 0 && now_ms - progress->marks[newest].at_ms < MARK_EVERY_MS)
		return;
	progress->marks[progress->mark_count % FILL_PROGRESS_MARKS].at_ms = now_ms;
	progress->marks[progress->mark_count % FILL_PROGRESS_MARKS].bytes = bytes;
	progress->mark_count++;
}

void fill_progress_verify(struct fill_progress *progress)
{
	LOCKED(&progress->mutex);

	enter(progress, FILL_VERIFYING);
}

void fill_progress_end(struct fill_progress *progress, bool is_kept)
{
	LOCKED(&progress->mutex);

	enter(progress, is_kept ? FILL_KEPT : FILL_FAILED);
}

/* Measured up to now, so that the rate of a stalled transfer falls. */
static int64_t rate_of(const struct fill_progress *progress, int64_t now_ms)
{
	size_t oldest =
		progress->mark_count > FILL_PROGRESS_MARKS ? progress->mark_count % FILL_PROGRESS_MARKS : 0;
	int64_t elapsed_ms = now_ms - progress->marks[oldest].at_ms;
	int64_t bytes = progress->figures.bytes - progress->marks[oldest].bytes;

	lock_expect(&progress->mutex);
	if (progress->mark_count == 0 || elapsed_ms <= 0)
		return 0;
	return (int64_t)((double)bytes * 1000 / (double)elapsed_ms);
}

bool fill_progress_refuse_stopped(const struct fill_progress *progress, struct err *err)
{
	return err_set(err, ERR_BUSY, "the fill was %s",
		atomic_load(&progress->cancelled) ? "cancelled" : "stopped");
}

struct fill_figures fill_progress_read(struct fill_progress *progress, int64_t now_ms)
{
	struct fill_figures figures;
	LOCKED(&progress->mutex);

	figures = progress->figures;
	figures.rate = figures.state == FILL_TRANSFERRING ? rate_of(progress, now_ms) : 0;
	figures.eta_s = -1;
	if (figures.rate > 0 && figures.total_bytes >= figures.bytes)
		figures.eta_s = (figures.total_bytes - figures.bytes + figures.rate - 1) / figures.rate;
	return figures;
}
