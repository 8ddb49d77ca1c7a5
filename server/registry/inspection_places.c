/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/inspection_places.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/invariant.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"inspection places", RANK_INSPECTION_PLACES};

struct in_line {
	struct list_link link;
	pthread_cond_t called;
	bool has_place;
};

struct inspection_places {
	struct lock mutex; /* guards all below */
	struct list line;
	int taken;
	int64_t patience_ms; /* never changes */
};

struct inspection_places *inspection_places_create(int64_t patience_ms)
{
	struct inspection_places *places = mem_zero(1, sizeof *places);

	lock_init(&places->mutex, &lock_place);
	list_init(&places->line);
	places->patience_ms = patience_ms;
	return places;
}

void inspection_places_destroy(struct inspection_places *places)
{
	if (!places)
		return;
	INVARIANT(places->taken == 0);
	lock_finish(&places->mutex);
	free(places);
}

/* In turn, until the place has been given to him. */
static void wait_in_line(struct inspection_places *places, struct in_line *self, int64_t until_ms)
{
	lock_expect(&places->mutex);
	(void)pthread_cond_init(&self->called, NULL);
	list_append(&places->line, &self->link);
	metric_add(METRIC_INSPECTIONS_WAITING, 1);
	while (!self->has_place && clock_monotonic_ms() < until_ms)
		(void)lock_wait_until(&places->mutex, &self->called, until_ms);
	if (!self->has_place)
		list_remove(&self->link);
	metric_add(METRIC_INSPECTIONS_WAITING, -1);
	(void)pthread_cond_destroy(&self->called);
}

bool inspection_places_enter(struct inspection_places *places, struct err *err)
{
	LOCKED(&places->mutex);
	struct in_line self = {0};

	if (places->taken < INSPECTION_PLACES) {
		places->taken++;
		return true;
	}
	wait_in_line(places, &self, clock_monotonic_ms() + places->patience_ms);
	return self.has_place || err_set(err, ERR_BUSY,
					 "%d small files are being examined already, and none of them came "
					 "to its end; try again later",
					 INSPECTION_PLACES);
}

void inspection_places_leave(struct inspection_places *places)
{
	LOCKED(&places->mutex);

	INVARIANT(places->taken > 0);
	/* The place is handed on: nobody who comes later is faster. */
	LIST_EACH (struct in_line, first, link, &places->line) {
		list_remove(&first->link);
		first->has_place = true;
		(void)pthread_cond_signal(&first->called);
		return;
	}
	places->taken--;
}
