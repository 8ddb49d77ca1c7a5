/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/space.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"space", RANK_SPACE};

enum {
	STEP_MIN_BYTES = 1 << 20,
	STEP_MAX_BYTES = 64 << 20,
	RELIEF_BYTES = 64 << 20,
	PATIENCE_MS = 60 * 1000,
	POLL_MS = 50
};

struct space {
	struct lock mutex; /* guards the claims, and with them the decision who gets room */
	pthread_cond_t released;
	int64_t limited_bytes; /* the claims that max_bytes bounds */
	int64_t ahead_bytes;   /* of all claims: not on the disk yet */

	struct space_limits limits;
	struct catalog *catalog;
	struct blobs *blobs;
	struct keeper *keeper;
	struct space_annex *annexes;
	size_t annex_count;
};

static int64_t annex_bytes(const struct space *space)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < space->annex_count; i++)
		bytes += space->annexes[i].bytes(space->annexes[i].context);
	return bytes;
}

static int64_t evict_annexes(struct space *space, int64_t wanted_bytes)
{
	int64_t evicted = 0;

	for (size_t i = 0; i < space->annex_count && evicted < wanted_bytes; i++)
		evicted += space->annexes[i].evict(space->annexes[i].context, wanted_bytes - evicted);
	return evicted;
}

/* What is taken and what is left, at one moment. */
struct figures {
	int64_t mirrored;
	int64_t annex;
	int64_t free;
};

/* Under the mutex. Whatever becomes a blob is still claimed until its row is there: for a moment it counts
 * twice, never not at all. */
static bool take_figures(struct space *space, struct figures *out, struct err *err)
{
	struct figures figures = {.annex = annex_bytes(space)};

	if (!catalog_mirrored_bytes(space->catalog, &figures.mirrored, err) ||
		!blobs_free_bytes(space->blobs, &figures.free, err))
		return false;
	*out = figures;
	return true;
}

/* Under the mutex. Shown are the figures that a decision rests on, so that none of them counts twice. */
static void show(const struct space *space, const struct figures *figures)
{
	metric_set(METRIC_MIRRORED_BYTES, figures->mirrored);
	metric_set(METRIC_FREE_BYTES, figures->free);
	metric_set(METRIC_RESERVED_BYTES, space->limited_bytes);
}

struct space *space_create(const struct space_limits *limits, struct catalog *catalog, struct blobs *blobs,
	struct keeper *keeper, const struct space_annex *annexes, size_t annex_count)
{
	struct space *space = mem_zero(1, sizeof *space);
	struct figures figures;
	struct err err;

	lock_init(&space->mutex, &lock_place);
	(void)pthread_cond_init(&space->released, NULL);
	space->limits = *limits;
	space->catalog = catalog;
	space->blobs = blobs;
	space->keeper = keeper;
	space->annexes = mem_zero(annex_count + 1, sizeof *space->annexes);
	for (size_t i = 0; i < annex_count; i++)
		space->annexes[i] = annexes[i];
	space->annex_count = annex_count;
	blobs_fill_reserve(blobs);
	if (take_figures(space, &figures, &err))
		show(space, &figures);
	return space;
}

void space_destroy(struct space *space)
{
	if (!space)
		return;
	(void)pthread_cond_destroy(&space->released);
	lock_finish(&space->mutex);
	free(space->annexes);
	free(space);
}

/* ---- what is lacking ---- */

/* Lengths are strangers' words, and may be as large as numbers get. */
static int64_t sum(int64_t a, int64_t b)
{
	int64_t result;

	return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

/* Bytes that must go before so many more fit; not above zero where they fit. */
static int64_t lack_under_limit(const struct space *space, const struct figures *figures, int64_t more)
{
	if (space->limits.max_bytes == 0)
		return 0;
	return sum(figures->mirrored + figures->annex + space->limited_bytes - space->limits.max_bytes, more);
}

static int64_t lack_of_free(const struct space *space, const struct figures *figures, int64_t more)
{
	return sum(sum(space->limits.keep_free_bytes - figures->free, space->ahead_bytes), more);
}

static int64_t lack_of(const struct space *space, const struct figures *figures, bool unlimited, int64_t more)
{
	int64_t limit = unlimited ? 0 : lack_under_limit(space, figures, more);
	int64_t free = lack_of_free(space, figures, more);

	return limit > free ? limit : free;
}

static bool refuse(const struct space *space, const struct figures *figures, bool unlimited, int64_t more,
	struct err *err)
{
	if (!unlimited && lack_under_limit(space, figures, more) > 0)
		return err_set(err, ERR_NO_SPACE,
			"there is no room for %s more: of %s (storage.max_bytes) %s are in use and cannot go",
			number_size(more).text, number_size(space->limits.max_bytes).text,
			number_size(figures->mirrored + figures->annex + space->limited_bytes).text);
	return err_set(err, ERR_NO_SPACE,
		"there is no room for %s more: %s are free, and %s of them stay so (storage.keep_free_bytes)",
		number_size(more).text, number_size(figures->free).text,
		number_size(space->limits.keep_free_bytes).text);
}

static bool fits_alone(const struct space *space, const struct claim *claim, int64_t bytes)
{
	return claim->unlimited || space->limits.max_bytes == 0 || bytes <= space->limits.max_bytes;
}

/* Whether waiting may help: others have claims that will end, or read what could go. */
static bool may_ease(
	const struct space *space, const struct claim *claim, const struct eviction *eviction, int64_t bytes)
{
	bool others = space->limited_bytes > (claim->unlimited ? 0 : claim->bytes) ||
		      space->ahead_bytes > claim->bytes - claim->written;

	return fits_alone(space, claim, bytes) && (others || eviction->withheld_bytes > 0);
}

/* ---- making room ---- */

/* *derived_bytes: what went of the annex, before any blob. */
static bool evict(struct space *space, int64_t wanted_bytes, struct eviction *eviction,
	int64_t *derived_bytes, struct err *err)
{
	*derived_bytes = evict_annexes(space, wanted_bytes);
	*eviction = (struct eviction){.wanted_bytes = wanted_bytes - *derived_bytes, .max_blobs = SIZE_MAX};
	if (eviction->wanted_bytes > 0 && !keeper_evict(space->keeper, eviction, err))
		return false;
	metric_add(METRIC_EVICTIONS, (int64_t)eviction->count);
	metric_add(METRIC_EVICTED_BYTES, eviction->bytes);
	if (eviction->count > 0)
		log_event(LOG_LEVEL_INFO, "evicted to make room", "wanted", number_size(wanted_bytes).text,
			"went", number_size(eviction->bytes).text, NULL);
	return true;
}

/* What can never fit shall not empty the store first. */
static bool is_worth_evicting(const struct space *space, const struct figures *figures,
	const struct claim *claim, int64_t bytes, int64_t lack)
{
	return lack > 0 && lack <= figures->mirrored + figures->annex && fits_alone(space, claim, bytes);
}

/* Under the mutex. The database needs some of the room that it makes, so that once may not be enough. */
static bool evict_for(struct space *space, const struct claim *claim, int64_t more, struct figures *figures,
	struct eviction *last, struct err *err)
{
	int64_t derived = 0;

	*last = (struct eviction){.count = 1};
	while (last->count > 0 || derived > 0) {
		int64_t lack;

		if (!take_figures(space, figures, err))
			return false;
		lack = lack_of(space, figures, claim->unlimited, more);
		if (!is_worth_evicting(space, figures, claim, sum(claim->bytes, more), lack))
			return true;
		if (!evict(space, lack, last, &derived, err))
			return false;
	}
	return take_figures(space, figures, err);
}

/* Under the mutex. */
static bool make_room(struct space *space, const struct claim *claim, int64_t bytes, struct figures *figures,
	struct err *err)
{
	int64_t more = bytes - claim->bytes;
	struct eviction last;

	if (!evict_for(space, claim, more, figures, &last, err))
		return false;
	if (lack_of(space, figures, claim->unlimited, more) <= 0)
		return true;
	(void)refuse(space, figures, claim->unlimited, more, err);
	if (may_ease(space, claim, &last, bytes))
		err->code = ERR_BUSY;
	return false;
}

/* Under the mutex. */
static bool extend(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	struct figures figures;

	if (bytes <= claim->bytes)
		return true;
	if (!make_room(space, claim, bytes, &figures, err))
		return false;
	space->ahead_bytes += bytes - claim->bytes;
	if (!claim->unlimited)
		space->limited_bytes += bytes - claim->bytes;
	claim->bytes = bytes;
	show(space, &figures);
	return true;
}

bool space_claim(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	LOCKED(&space->mutex);

	return extend(space, claim, bytes, err);
}

void space_adopt(struct space *space, struct claim *claim, int64_t bytes)
{
	LOCKED(&space->mutex);

	claim->bytes += bytes;
	claim->written += bytes;
	if (!claim->unlimited)
		space->limited_bytes += bytes;
	metric_set(METRIC_RESERVED_BYTES, space->limited_bytes);
}

/* Under the mutex: what readers let go of is not announced, so that this looks again by itself. */
static void sleep_a_little(struct space *space)
{
	(void)lock_wait_until(&space->mutex, &space->released, clock_monotonic_ms() + POLL_MS);
}

bool space_await(
	struct space *space, struct claim *claim, int64_t bytes, const _Atomic bool *stop, struct err *err)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	LOCKED(&space->mutex);

	while (!extend(space, claim, bytes, err)) {
		if (err->code != ERR_BUSY || atomic_load(stop))
			return false;
		if (clock_monotonic_ms() > until_ms) {
			err->code = ERR_NO_SPACE;
			return false;
		}
		sleep_a_little(space);
	}
	return true;
}

/* How far ahead a claim of unknown size reaches: as far again, and sixteen of them not for all there is. */
static int64_t step_of(const struct space *space, int64_t bytes)
{
	int64_t share = space->limits.max_bytes / 16;
	int64_t most = share > 0 && share < STEP_MAX_BYTES ? share : STEP_MAX_BYTES;
	int64_t step = bytes > STEP_MIN_BYTES ? bytes : STEP_MIN_BYTES;

	return step < most ? step : most;
}

bool space_note_length(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	LOCKED(&space->mutex);
	int64_t step = bytes + step_of(space, bytes);

	/* The last ones may still fit where no whole step does. */
	if (bytes > claim->bytes && !extend(space, claim, step, err) && !extend(space, claim, bytes, err)) {
		err->code = ERR_NO_SPACE;
		return false;
	}
	space->ahead_bytes -= bytes - claim->written;
	claim->written = bytes;
	return true;
}

void space_release(struct space *space, struct claim *claim)
{
	struct figures figures;
	struct err err;
	LOCKED(&space->mutex);

	space->ahead_bytes -= claim->bytes - claim->written;
	if (!claim->unlimited)
		space->limited_bytes -= claim->bytes;
	claim->bytes = 0;
	claim->written = 0;
	metric_set(METRIC_RESERVED_BYTES, space->limited_bytes);
	if (take_figures(space, &figures, &err)) {
		if (space->limited_bytes == 0)
			show(space, &figures);
		if (lack_of_free(space, &figures, 0) <= 0)
			blobs_fill_reserve(space->blobs);
	}
	(void)pthread_cond_broadcast(&space->released);
}

bool space_relieve(struct space *space)
{
	struct eviction eviction = {0};
	int64_t derived = 0;
	struct err err;
	LOCKED(&space->mutex);

	return (evict(space, RELIEF_BYTES, &eviction, &derived, &err) && eviction.bytes > 0) || derived > 0;
}

/* ---- the limits without a claim ---- */

bool space_enforce(struct space *space, struct eviction *out, struct err *err)
{
	struct figures figures;
	int64_t derived;
	int64_t lack;
	LOCKED(&space->mutex);

	*out = (struct eviction){0};
	if (!take_figures(space, &figures, err))
		return false;
	lack = lack_of(space, &figures, false, 0);
	if (lack > 0 && (!evict(space, lack, out, &derived, err) || !take_figures(space, &figures, err)))
		return false;
	show(space, &figures);
	return true;
}

static bool take_all(void *context, const struct digest *digest, int64_t size_bytes)
{
	(void)context;
	(void)digest;
	(void)size_bytes;
	return true;
}

bool space_preview(struct space *space, struct eviction *out, struct err *err)
{
	struct figures figures;
	LOCKED(&space->mutex);

	if (!take_figures(space, &figures, err))
		return false;
	*out = (struct eviction){.wanted_bytes = lack_of(space, &figures, false, 0) - figures.annex,
		.max_blobs = SIZE_MAX,
		.dry_run = true};
	return catalog_evict(space->catalog, out, take_all, NULL, err);
}

/* Under the mutex. */
static bool could_evict(struct space *space, int64_t wanted_bytes, bool *out, struct err *err)
{
	struct eviction eviction = {.wanted_bytes = wanted_bytes, .max_blobs = SIZE_MAX, .dry_run = true};

	if (wanted_bytes > 0 && !catalog_evict(space->catalog, &eviction, take_all, NULL, err))
		return false;
	*out = eviction.bytes >= wanted_bytes;
	return true;
}

bool space_look(struct space *space, struct space_view *out, struct err *err)
{
	struct figures figures;
	bool eased;
	LOCKED(&space->mutex);

	if (!take_figures(space, &figures, err) ||
		!could_evict(
			space, lack_of_free(space, &figures, STEP_MIN_BYTES) - figures.annex, &eased, err))
		return false;
	metric_set(METRIC_FREE_BYTES, figures.free);
	metric_set(METRIC_STORAGE_FULL, !eased);
	*out = (struct space_view){figures.free, !eased};
	return true;
}
