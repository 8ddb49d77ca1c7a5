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
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"space", RANK_SPACE};

enum {
	STEP_MIN_BYTES = 1 << 20,
	STEP_MAX_BYTES = 64 << 20,
	RELIEF_BYTES = 64 << 20,
	PATIENCE_MS = 60 * 1000,
	POLL_MS = 50,
	BLOBS_AT_ONCE = 256 /* evicted before others may claim what has become free */
};

struct space {
	struct lock mutex; /* guards the decision who gets room; what goes for it goes without the mutex */
	pthread_cond_t changed;
	bool making;                 /* one thread evicts; the others wait for what it frees */
	int64_t limited_bytes;       /* the claims that max_bytes bounds */
	_Atomic int64_t ahead_bytes; /* of all claims: not on the disk yet. Falls without the mutex */

	struct space_limits limits;
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	struct reclaimable *reclaimables;
	size_t reclaimable_count;
};

static int64_t reclaimable_bytes(const struct space *space)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < space->reclaimable_count; i++)
		bytes += space->reclaimables[i].bytes(space->reclaimables[i].context);
	return bytes;
}

static int64_t evict_reclaimable(struct space *space, int64_t wanted_bytes)
{
	int64_t evicted = 0;

	for (size_t i = 0; i < space->reclaimable_count && evicted < wanted_bytes; i++)
		evicted +=
			space->reclaimables[i].evict(space->reclaimables[i].context, wanted_bytes - evicted);
	return evicted;
}

/* What is taken, promised and left, at one moment. */
struct figures {
	int64_t mirrored;
	int64_t reclaimable;
	int64_t free;
	int64_t limited; /* as the space's fields of these names */
	int64_t ahead;
};

/* Whatever becomes a blob is still claimed until its row is there: for a moment it counts
 * twice, never not at all. */
static bool take_figures(struct space *space, struct figures *out, struct err *err)
{
	struct figures figures = {.reclaimable = reclaimable_bytes(space),
		.limited = space->limited_bytes,
		.ahead = atomic_load(&space->ahead_bytes)};

	lock_expect(&space->mutex);
	if (!catalog_mirrored_bytes(space->catalog, &figures.mirrored, err) ||
		!blobs_free_bytes(space->blobs, &figures.free, err))
		return false;
	*out = figures;
	return true;
}

static bool look_at_figures(struct space *space, struct figures *out, struct err *err)
{
	LOCKED(&space->mutex);

	return take_figures(space, out, err);
}

/* Shown are the figures that a decision rests on, so that none of them counts twice. */
static void show(const struct space *space, const struct figures *figures)
{
	lock_expect(&space->mutex);
	metric_set(METRIC_MIRRORED_BYTES, figures->mirrored);
	metric_set(METRIC_FREE_BYTES, figures->free);
	metric_set(METRIC_RESERVED_BYTES, space->limited_bytes);
}

static bool show_figures(struct space *space, struct figures *out, struct err *err)
{
	LOCKED(&space->mutex);

	if (!take_figures(space, out, err))
		return false;
	show(space, out);
	return true;
}

struct space *space_create(const struct space_limits *limits, struct catalog *catalog, struct blobs *blobs,
	struct committer *committer, const struct reclaimable *reclaimables, size_t reclaimable_count)
{
	struct space *space = mem_zero(1, sizeof *space);
	struct figures figures;
	struct err err;

	lock_init(&space->mutex, &lock_place);
	(void)pthread_cond_init(&space->changed, NULL);
	space->limits = *limits;
	space->catalog = catalog;
	space->blobs = blobs;
	space->committer = committer;
	space->reclaimables = mem_zero(reclaimable_count + 1, sizeof *space->reclaimables);
	for (size_t i = 0; i < reclaimable_count; i++)
		space->reclaimables[i] = reclaimables[i];
	space->reclaimable_count = reclaimable_count;
	blobs_fill_reserve(blobs);
	(void)show_figures(space, &figures, &err);
	return space;
}

void space_destroy(struct space *space)
{
	if (!space)
		return;
	(void)pthread_cond_destroy(&space->changed);
	lock_finish(&space->mutex);
	free(space->reclaimables);
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
	return sum(
		figures->mirrored + figures->reclaimable + figures->limited - space->limits.max_bytes, more);
}

static int64_t lack_of_free(const struct space *space, const struct figures *figures, int64_t more)
{
	return sum(sum(space->limits.keep_free_bytes - figures->free, figures->ahead), more);
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
			number_size(figures->mirrored + figures->reclaimable + figures->limited).text);
	return err_set(err, ERR_NO_SPACE,
		"there is no room for %s more: %s are free, and %s are to stay so (storage.keep_free_bytes): "
		"make room on the data folder's disk, or lower it",
		number_size(more).text, number_size(figures->free).text,
		number_size(space->limits.keep_free_bytes).text);
}

static bool fits_alone(const struct space *space, const struct claim *claim, int64_t bytes)
{
	return claim->unlimited || space->limits.max_bytes == 0 || bytes <= space->limits.max_bytes;
}

/* Whether waiting may help: others have claims that will end, or read what could go. */
static bool may_ease(const struct space *space, const struct figures *figures, const struct claim *claim,
	int64_t bytes, int64_t withheld_bytes)
{
	bool others = figures->limited > (claim->unlimited ? 0 : claim->bytes) ||
		      figures->ahead > claim->bytes - claim->written;

	return fits_alone(space, claim, bytes) && (others || withheld_bytes > 0);
}

/* ---- making room ---- */

/* What readers let go of is not announced, so that this looks again by itself. */
static void sleep_a_little(struct space *space)
{
	lock_expect(&space->mutex);
	(void)lock_wait_until(&space->mutex, &space->changed, clock_monotonic_ms() + POLL_MS);
}

/* False while another thread evicts: what it frees may do. */
static bool begin_making(struct space *space)
{
	LOCKED(&space->mutex);

	if (space->making) {
		sleep_a_little(space);
		return false;
	}
	space->making = true;
	return true;
}

static void end_making(struct space *space)
{
	LOCKED(&space->mutex);

	space->making = false;
	(void)pthread_cond_broadcast(&space->changed);
}

static bool evict_some(struct space *space, int64_t wanted_bytes, struct eviction *eviction,
	int64_t *derived_bytes, struct err *err)
{
	int64_t before_bytes = eviction->bytes;
	size_t before = eviction->count;

	*derived_bytes = evict_reclaimable(space, wanted_bytes);
	eviction->wanted_bytes = eviction->bytes + wanted_bytes - *derived_bytes;
	eviction->max_blobs = before + BLOBS_AT_ONCE;
	if (eviction->wanted_bytes > eviction->bytes && !committer_evict(space->committer, eviction, err))
		return false;
	metric_add(METRIC_EVICTIONS, (int64_t)(eviction->count - before));
	metric_add(METRIC_EVICTED_BYTES, eviction->bytes - before_bytes);
	if (eviction->count > before)
		log_event(LOG_LEVEL_INFO, "evicted to make room", "wanted", number_size(wanted_bytes).text,
			"went", number_size(eviction->bytes - before_bytes).text, NULL);
	return true;
}

enum making {
	MADE_SOME,
	MADE_NONE, /* nothing is left that may go */
	MADE_ELSEWHERE,
	MADE_BADLY /* *err */
};

/* Evicts a part of what is wanted, and lets others see what it has freed. Goes on where the eviction is. */
static enum making make_some(
	struct space *space, int64_t wanted_bytes, struct eviction *eviction, struct err *err)
{
	size_t before = eviction->count;
	int64_t derived_bytes;
	bool evicted;

	if (!begin_making(space))
		return MADE_ELSEWHERE;
	evicted = evict_some(space, wanted_bytes, eviction, &derived_bytes, err);
	end_making(space);
	if (!evicted)
		return MADE_BADLY;
	return eviction->count > before || derived_bytes > 0 ? MADE_SOME : MADE_NONE;
}

/* What can never fit shall not empty the store first. */
static bool is_worth_evicting(const struct space *space, const struct figures *figures,
	const struct claim *claim, int64_t bytes, int64_t lack)
{
	return lack > 0 && lack <= figures->mirrored + figures->reclaimable &&
	       fits_alone(space, claim, bytes);
}

/* *lack stays above zero where the room is not there. */
static bool grant(struct space *space, struct claim *claim, int64_t bytes, struct figures *figures,
	int64_t *lack, struct err *err)
{
	int64_t more = bytes - claim->bytes;
	LOCKED(&space->mutex);

	if (!take_figures(space, figures, err))
		return false;
	*lack = lack_of(space, figures, claim->unlimited, more);
	if (*lack > 0)
		return true;
	atomic_fetch_add(&space->ahead_bytes, more);
	if (!claim->unlimited)
		space->limited_bytes += more;
	claim->bytes = bytes;
	show(space, figures);
	return true;
}

static bool refuse_claim(const struct space *space, const struct figures *figures, const struct claim *claim,
	int64_t bytes, const struct eviction *eviction, struct err *err)
{
	(void)refuse(space, figures, claim->unlimited, bytes - claim->bytes, err);
	if (may_ease(space, figures, claim, bytes, eviction->withheld_bytes))
		err->code = ERR_BUSY;
	return false;
}

/* The database needs some of the room that it makes, so that once may not be enough. */
static bool extend(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	struct eviction eviction = {0};
	enum making making = MADE_SOME;
	struct figures figures;
	int64_t lack;

	while (bytes > claim->bytes) {
		if (!grant(space, claim, bytes, &figures, &lack, err))
			return false;
		if (lack <= 0)
			break;
		if (making == MADE_NONE || !is_worth_evicting(space, &figures, claim, bytes, lack))
			return refuse_claim(space, &figures, claim, bytes, &eviction, err);
		making = make_some(space, lack, &eviction, err);
		if (making == MADE_BADLY)
			return false;
	}
	return true;
}

bool space_claim(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	may_block("room");
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

static void rest(struct space *space)
{
	LOCKED(&space->mutex);

	sleep_a_little(space);
}

bool space_await(
	struct space *space, struct claim *claim, int64_t bytes, const _Atomic bool *stop, struct err *err)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (!extend(space, claim, bytes, err)) {
		if (err->code != ERR_BUSY || atomic_load(stop))
			return false;
		if (clock_monotonic_ms() > until_ms) {
			err->code = ERR_NO_SPACE;
			return false;
		}
		rest(space);
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

bool space_covers(const struct claim *claim, int64_t bytes)
{
	return bytes <= claim->bytes;
}

bool space_reserve(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	int64_t step = bytes + step_of(space, bytes);

	if (space_covers(claim, bytes))
		return true;
	may_block("room");
	/* The last ones may still fit where no whole step does. */
	if (extend(space, claim, step, err) || extend(space, claim, bytes, err))
		return true;
	err->code = ERR_NO_SPACE;
	return false;
}

bool space_note_covered(struct space *space, struct claim *claim, int64_t bytes)
{
	if (!space_covers(claim, bytes))
		return false;
	atomic_fetch_sub(&space->ahead_bytes, bytes - claim->written);
	claim->written = bytes;
	return true;
}

bool space_note_length(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	return space_reserve(space, claim, bytes, err) && space_note_covered(space, claim, bytes);
}

void space_release(struct space *space, struct claim *claim)
{
	struct figures figures;
	struct err err;
	LOCKED(&space->mutex);

	atomic_fetch_sub(&space->ahead_bytes, claim->bytes - claim->written);
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
	(void)pthread_cond_broadcast(&space->changed);
}

bool space_relieve(struct space *space)
{
	struct eviction eviction = {0};
	enum making making;
	struct err err;

	may_block("room");
	do
		making = make_some(space, RELIEF_BYTES, &eviction, &err);
	while (making == MADE_ELSEWHERE);
	return making == MADE_SOME;
}

/* ---- the limits without a claim ---- */

bool space_enforce(struct space *space, struct eviction *out, struct err *err)
{
	enum making making = MADE_SOME;
	struct figures figures;
	int64_t lack;

	*out = (struct eviction){0};
	while (making != MADE_NONE) {
		if (!show_figures(space, &figures, err))
			return false;
		lack = lack_of(space, &figures, false, 0);
		if (lack <= 0)
			return true;
		making = make_some(space, lack, out, err);
		if (making == MADE_BADLY)
			return false;
	}
	return show_figures(space, &figures, err);
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

	if (!look_at_figures(space, &figures, err))
		return false;
	*out = (struct eviction){.wanted_bytes = lack_of(space, &figures, false, 0) - figures.reclaimable,
		.max_blobs = SIZE_MAX,
		.dry_run = true};
	return catalog_evict(space->catalog, out, take_all, NULL, err);
}

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

	if (!look_at_figures(space, &figures, err) ||
		!could_evict(space, lack_of_free(space, &figures, STEP_MIN_BYTES) - figures.reclaimable,
			&eased, err))
		return false;
	metric_set(METRIC_FREE_BYTES, figures.free);
	metric_set(METRIC_STORAGE_FULL, !eased);
	*out = (struct space_view){figures.free, !eased};
	return true;
}
