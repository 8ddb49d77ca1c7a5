/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"traffic", RANK_TRAFFIC};

enum { SLOT_MS = 1000 * TRAFFIC_SLOT_S, METRICS_A_KIND = 2 };

static const struct kind {
	const char *name;
	enum metric metrics[METRICS_A_KIND];
	size_t metric_count;
} kinds[TRAFFIC_KIND_COUNT] = {
	[TRAFFIC_HITS] = {"hits", {METRIC_HITS}, 1},
	[TRAFFIC_MISSES] = {"misses", {METRIC_MISSES, METRIC_COLLAPSED}, 2},
	[TRAFFIC_SENT_BYTES] = {"sent_bytes", {METRIC_MODULE_BYTES}, 1},
	[TRAFFIC_UPSTREAM_BYTES] = {"upstream_bytes", {METRIC_UPSTREAM_BYTES}, 1},
};

struct traffic {
	struct lock mutex; /* guards all of it */
	int64_t newest;    /* the number of the slot that goes on, since the clock's own start */
	int64_t seen[TRAFFIC_KIND_COUNT]; /* what the metrics said last */
	struct traffic_day day;
};

const char *traffic_kind_name(enum traffic_kind kind)
{
	return kinds[kind].name;
}

static int64_t read_metrics(const struct kind *kind)
{
	int64_t sum = 0;

	for (size_t i = 0; i < kind->metric_count; i++)
		sum += metric_read(kind->metrics[i]);
	return sum;
}

struct traffic *traffic_create(int64_t now_ms)
{
	struct traffic *traffic = mem_zero(1, sizeof *traffic);

	lock_init(&traffic->mutex, &lock_place);
	traffic->newest = now_ms / SLOT_MS;
	for (int kind = 0; kind < TRAFFIC_KIND_COUNT; kind++)
		traffic->seen[kind] = read_metrics(&kinds[kind]);
	return traffic;
}

void traffic_destroy(struct traffic *traffic)
{
	if (!traffic)
		return;
	lock_finish(&traffic->mutex);
	free(traffic);
}

/* What is older than a day falls out at the front; slots that nobody looked in are empty. */
static void move_on(struct traffic *traffic, int64_t slot)
{
	size_t steps =
		slot - traffic->newest < TRAFFIC_SLOTS ? (size_t)(slot - traffic->newest) : TRAFFIC_SLOTS;
	size_t left = TRAFFIC_SLOTS - steps;

	for (int kind = 0; kind < TRAFFIC_KIND_COUNT; kind++) {
		int64_t *slots = traffic->day.slots[kind];

		memmove(slots, slots + steps, left * sizeof *slots);
		memset(slots + left, 0, steps * sizeof *slots);
	}
	traffic->newest = slot;
}

static void note(struct traffic *traffic, int64_t now_ms)
{
	int64_t slot = now_ms / SLOT_MS;

	lock_expect(&traffic->mutex);
	if (slot > traffic->newest)
		move_on(traffic, slot);
	for (int kind = 0; kind < TRAFFIC_KIND_COUNT; kind++) {
		int64_t now = read_metrics(&kinds[kind]);

		traffic->day.slots[kind][TRAFFIC_SLOTS - 1] += now - traffic->seen[kind];
		traffic->seen[kind] = now;
	}
}

void traffic_note(struct traffic *traffic, int64_t now_ms)
{
	LOCKED(&traffic->mutex);

	note(traffic, now_ms);
}

void traffic_read(struct traffic *traffic, int64_t now_ms, struct traffic_day *out)
{
	LOCKED(&traffic->mutex);

	note(traffic, now_ms);
	*out = traffic->day;
}
