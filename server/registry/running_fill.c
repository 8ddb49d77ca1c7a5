/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/running_fill.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "server/metrics.h"
#include "server/registry/fill.h"

struct running_fill *running_fill_create(struct mirror *mirror, const struct name *name, char *cdn_loop)
{
	struct running_fill *fill = mem_zero(1, sizeof *fill);

	fill->mirror = mirror;
	fill->name = *name;
	fill->spool = spool_create_unopened();
	fill->waits = true;
	fill->started_at = clock_now_s();
	fill_progress_init(&fill->progress);
	trail_init(&fill->trail, cdn_loop);
	return fill;
}

void running_fill_destroy(struct running_fill *fill)
{
	if (!fill)
		return;
	spool_release(fill->spool);
	trail_finish(&fill->trail);
	fill_progress_finish(&fill->progress);
	free(fill);
}

/* A draft that an earlier process left waits for the next fill, and so does its checkpoint. */
static void put_back_draft(struct running_fill *fill, const struct fill_tools *tools)
{
	if (!fill->goes_on)
		return;
	spool_leave_draft(fill->spool);
	checkpoints_put_back(tools->checkpoints, &fill->name);
}

void running_fill_turn_away(struct running_fill *fill, const struct fill_tools *tools, const struct err *why)
{
	metric_add(METRIC_FILLS_FAILED, 1);
	log_event(LOG_LEVEL_WARN, "fill turned away", "name", name_path(&fill->name).text, "format",
		formats[fill->name.format].name, "why", why->text, NULL);
	put_back_draft(fill, tools);
	atomic_store(&fill->progress.refused, true);
	spool_refuse(fill->spool, why);
}

static bool open_spool(struct running_fill *fill, const struct fill_tools *tools, struct err *err)
{
	if (!checkpoints_take_up(
		    tools->checkpoints, &fill->name, fill->spool, &fill->goes_on, &fill->row, err))
		return false;
	return fill->goes_on || blobs_open_new(tools->blobs, fill->spool, err);
}

void running_fill_run(struct running_fill *fill, const struct fill_tools *tools)
{
	struct fill_order order = {.name = &fill->name,
		.spool = fill->spool,
		.trail = &fill->trail,
		.progress = &fill->progress,
		.ticket = &fill->ticket,
		.granted = &fill->turn};
	struct err err;

	if (!open_spool(fill, tools, &err)) {
		running_fill_turn_away(fill, tools, &err);
		return;
	}
	order.row = fill->goes_on ? &fill->row : NULL;
	fill_run(tools, &order);
}

struct fill_status running_fill_status(struct running_fill *fill)
{
	return (struct fill_status){
		.id = fill->id,
		.name = fill->name,
		.figures = fill_progress_read(&fill->progress, clock_monotonic_ms()),
		.waiters = spool_readers(fill->spool),
		.started_at = fill->started_at,
		.refused = atomic_load(&fill->progress.refused),
	};
}

struct fill_status running_fill_ended(struct running_fill *fill)
{
	struct spool_progress end = spool_wait_end(fill->spool);
	struct fill_status status;

	fill_progress_end(&fill->progress, end.state == SPOOL_KEPT);
	status = running_fill_status(fill);
	status.ended_at = clock_now_s();
	if (end.state != SPOOL_KEPT)
		status.err = end.err;
	return status;
}

bool running_fill_goes_before(const struct running_fill *fill, const struct running_fill *later)
{
	const struct share *share = fill->share;
	const struct share *theirs = later->share;
	bool wanted = atomic_load(&fill->progress.wanted);

	if (wanted != atomic_load(&later->progress.wanted))
		return wanted;
	return share->placed != theirs->placed ? share->placed < theirs->placed : share->turn <= theirs->turn;
}
