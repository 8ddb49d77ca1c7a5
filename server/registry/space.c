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
#include "server/registry/owed.h"
#include "server/registry/shortage.h"

static const struct lock_place lock_place = {"space", RANK_SPACE};

enum {
	STEP_MIN_BYTES = 1 << 20,
	STEP_MAX_BYTES = 64 << 20,
	RELIEF_BYTES = 64 << 20,
	PATIENCE_MS = 60 * 1000,
	GRACE_MS = OWED_PATIENCE_MS + 1000, /* for what is owed: then it is so no more */
	POLL_MS = 50,
	BLOBS_AT_ONCE = 256 /* evicted before others may claim what has become free */
};

/* How far a search for what frees bytes of the disk has come, past blobs that free none: a store may hold a
 * million of those. The next ones begin behind them, for ten times as long as it took. */
struct passed {
	int64_t until_ms;
	struct eviction eviction;
};

/* Whether evicting would make the room that an upload needs: the answer of a search, good for ten times as
 * long as that took. */
struct outlook {
	int64_t until_ms;
	bool eased;
};

struct space {
	struct lock
		mutex; /* guards the decision who gets room; what is evicted for it goes without the mutex */
	pthread_cond_t changed;
	bool making; /* one thread evicts; the others wait for what it frees */
	struct owed owed;
	int64_t promised_bytes; /* since the turn that evicts has begun; fewer: negative */
	struct passed passed;
	struct outlook outlook;
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
	figures.owed = owed_settle(&space->owed, figures.free - figures.ahead, clock_monotonic_ms());
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

	return fits_alone(space, claim, bytes) && (others || withheld_bytes > 0 || figures->owed > 0);
}

/* ---- making room ---- */

/* What readers let go of is not announced, so that this looks again by itself. */
static void sleep_a_little(struct space *space)
{
	lock_expect(&space->mutex);
	(void)lock_wait_until(&space->mutex, &space->changed, clock_monotonic_ms() + POLL_MS);
}

enum making {
	MADE_SOME,
	MADE_NONE, /* nothing is left that may go */
	MADE_ELSEWHERE,
	MADE_BADLY /* *err */
};

/* One thread's turn to evict. */
struct turn {
	int64_t began_ms;
	int64_t unpromised_bytes;
	int64_t went_bytes;
};

/* False where it is not ours, for the reason in *made: while another thread evicts, what it frees may do. */
static bool begin_turn(struct space *space, struct turn *turn, struct eviction *eviction, enum making *made)
{
	struct err err;
	LOCKED(&space->mutex);

	*turn = (struct turn){.began_ms = clock_monotonic_ms()};
	if (space->making) {
		sleep_a_little(space);
		*made = MADE_ELSEWHERE;
		return false;
	}
	if (eviction->for_disk && eviction->looked == 0 && turn->began_ms < space->passed.until_ms) {
		eviction->behind = space->passed.eviction.behind;
		eviction->linked_bytes = space->passed.eviction.linked_bytes;
		eviction->withheld_bytes = space->passed.eviction.withheld_bytes;
	}
	space->promised_bytes = 0;
	(void)blobs_free_bytes(space->blobs, &turn->unpromised_bytes, &err);
	turn->unpromised_bytes -= atomic_load(&space->ahead_bytes);
	space->making = true;
	return true;
}

static void note_passed(struct space *space, const struct turn *turn, const struct eviction *eviction)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t until_ms = now_ms + 10 * (now_ms - turn->began_ms);

	lock_expect(&space->mutex);
	if (space->passed.until_ms < until_ms)
		space->passed.until_ms = until_ms;
	space->passed.eviction = *eviction;
}

static void end_turn(struct space *space, const struct turn *turn, const struct eviction *eviction)
{
	LOCKED(&space->mutex);

	if (eviction->for_disk && turn->went_bytes > 0)
		owed_note(&space->owed, turn->went_bytes, turn->unpromised_bytes - space->promised_bytes,
			turn->began_ms);
	if (eviction->for_disk && eviction->linked_bytes > 0)
		note_passed(space, turn, eviction);
	space->making = false;
	(void)pthread_cond_broadcast(&space->changed);
}

static bool evict_some(struct space *space, int64_t wanted_bytes, struct eviction *eviction,
	struct turn *turn, struct err *err)
{
	int64_t derived_bytes = evict_reclaimable(space, wanted_bytes);
	int64_t before_bytes = eviction->bytes;
	size_t before = eviction->count;

	turn->went_bytes = derived_bytes;
	eviction->wanted_bytes = eviction->bytes + wanted_bytes - derived_bytes;
	eviction->max_blobs = before + BLOBS_AT_ONCE;
	if (eviction->wanted_bytes > eviction->bytes && !committer_evict(space->committer, eviction, err))
		return false;
	turn->went_bytes += eviction->bytes - before_bytes;
	metric_add(METRIC_EVICTIONS, (int64_t)(eviction->count - before));
	metric_add(METRIC_EVICTED_BYTES, eviction->bytes - before_bytes);
	if (eviction->count > before)
		log_event(LOG_LEVEL_INFO, "evicted to make room", "wanted", number_size(wanted_bytes).text,
			"went", number_size(eviction->bytes - before_bytes).text, NULL);
	return true;
}

/* What was passed over for the disk's sake may go for the limit's. */
static void aim(struct eviction *eviction, bool for_disk)
{
	if (eviction->for_disk && !for_disk)
		*eviction = (struct eviction){.bytes = eviction->bytes, .count = eviction->count};
	eviction->for_disk = for_disk;
}

/* Evicts a part of what is wanted, and lets others see what it has freed. Goes on where the eviction is. */
static enum making make_some(
	struct space *space, const struct shortage *lack, struct eviction *eviction, struct err *err)
{
	enum making made = MADE_BADLY;
	struct turn turn;

	aim(eviction, lack->for_disk);
	if (!begin_turn(space, &turn, eviction, &made))
		return made;
	if (evict_some(space, lack->needed, eviction, &turn, err))
		made = turn.went_bytes > 0 ? MADE_SOME : MADE_NONE;
	end_turn(space, &turn, eviction);
	return made;
}

/* What can never fit shall not empty the store first. */
static bool is_worth_evicting(const struct space *space, const struct figures *figures,
	const struct claim *claim, int64_t bytes, const struct shortage *lack)
{
	return lack->needed <= figures->mirrored + figures->reclaimable && fits_alone(space, claim, bytes);
}

static void promise(struct space *space, int64_t bytes)
{
	lock_expect(&space->mutex);
	atomic_fetch_add(&space->ahead_bytes, bytes);
	space->promised_bytes += bytes;
	owed_shift(&space->owed, bytes);
}

/* lack->bytes stays above zero where the room is not there. */
static bool grant(struct space *space, struct claim *claim, int64_t bytes, struct figures *figures,
	struct shortage *lack, struct err *err)
{
	int64_t more = bytes - claim->bytes;
	LOCKED(&space->mutex);

	if (!take_figures(space, figures, err))
		return false;
	*lack = shortage_of(&space->limits, figures, claim->unlimited, more);
	if (lack->bytes > 0)
		return true;
	promise(space, more);
	if (!claim->unlimited)
		space->limited_bytes += more;
	claim->bytes = bytes;
	show(space, figures);
	return true;
}

static bool refuse_claim(const struct space *space, const struct figures *figures, const struct claim *claim,
	int64_t bytes, const struct eviction *eviction, struct err *err)
{
	(void)shortage_refuse(
		&space->limits, figures, claim->unlimited, bytes - claim->bytes, eviction->linked_bytes, err);
	if (may_ease(space, figures, claim, bytes, eviction->withheld_bytes))
		err->code = ERR_BUSY;
	return false;
}

/* What is owed is waited for. */
static enum making await_owed(struct space *space, int64_t until_ms)
{
	LOCKED(&space->mutex);

	if (clock_monotonic_ms() > until_ms)
		return MADE_NONE;
	sleep_a_little(space);
	return MADE_ELSEWHERE;
}

/* The database needs some of the room that it makes, so that once may not be enough. */
static bool extend(struct space *space, struct claim *claim, int64_t bytes, struct err *err)
{
	int64_t grace_until_ms = clock_monotonic_ms() + GRACE_MS;
	struct eviction eviction = {0};
	enum making making = MADE_SOME;
	struct figures figures;
	struct shortage lack;

	while (bytes > claim->bytes) {
		if (!grant(space, claim, bytes, &figures, &lack, err))
			return false;
		if (lack.bytes <= 0)
			break;
		if (making == MADE_NONE || !is_worth_evicting(space, &figures, claim, bytes, &lack))
			return refuse_claim(space, &figures, claim, bytes, &eviction, err);
		making = lack.needed > 0 ? make_some(space, &lack, &eviction, err)
					 : await_owed(space, grace_until_ms);
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

	promise(space, claim->written - claim->bytes);
	if (!claim->unlimited)
		space->limited_bytes -= claim->bytes;
	claim->bytes = 0;
	claim->written = 0;
	metric_set(METRIC_RESERVED_BYTES, space->limited_bytes);
	if (take_figures(space, &figures, &err)) {
		if (space->limited_bytes == 0)
			show(space, &figures);
		if (shortage_of_free(&space->limits, &figures, 0) <= 0)
			blobs_fill_reserve(space->blobs);
	}
	(void)pthread_cond_broadcast(&space->changed);
}

/* Waits for it as long as a claim does at once. */
static bool owes(struct space *space, int64_t until_ms)
{
	struct figures figures;
	struct err err;

	while (look_at_figures(space, &figures, &err) && figures.owed > 0) {
		if (await_owed(space, until_ms) == MADE_NONE)
			return true;
	}
	return false;
}

bool space_relieve(struct space *space)
{
	const struct shortage lack = {.needed = RELIEF_BYTES, .for_disk = true};
	int64_t until_ms = clock_monotonic_ms() + GRACE_MS;
	struct eviction eviction = {0};
	enum making making = MADE_ELSEWHERE;
	struct err err;

	may_block("room");
	while (making == MADE_ELSEWHERE && !owes(space, until_ms))
		making = make_some(space, &lack, &eviction, &err);
	return making == MADE_SOME && !owes(space, until_ms);
}

/* ---- the limits without a claim ---- */

bool space_enforce(struct space *space, struct eviction *out, struct err *err)
{
	enum making making = MADE_SOME;
	struct figures figures;
	struct shortage lack;

	*out = (struct eviction){0};
	while (making != MADE_NONE) {
		if (!show_figures(space, &figures, err))
			return false;
		lack = shortage_of(&space->limits, &figures, false, 0);
		if (lack.needed <= 0)
			return true;
		making = make_some(space, &lack, out, err);
		if (making == MADE_BADLY)
			return false;
	}
	return show_figures(space, &figures, err);
}

struct preview {
	struct blobs *blobs;
	bool for_disk;
};

static bool would_take(void *context, const struct digest *digest, int64_t size_bytes)
{
	const struct preview *preview = context;

	(void)size_bytes;
	return !preview->for_disk || blobs_is_sole(preview->blobs, digest);
}

bool space_preview(struct space *space, struct eviction *out, struct err *err)
{
	struct preview preview = {space->blobs, false};
	struct figures figures;
	struct shortage lack;

	if (!look_at_figures(space, &figures, err))
		return false;
	lack = shortage_of(&space->limits, &figures, false, 0);
	preview.for_disk = lack.for_disk;
	*out = (struct eviction){
		.wanted_bytes = lack.needed - figures.reclaimable, .max_blobs = SIZE_MAX, .dry_run = true};
	return catalog_evict(space->catalog, out, would_take, &preview, err);
}

static bool knows_outlook(struct space *space, int64_t now_ms, bool *out)
{
	LOCKED(&space->mutex);

	*out = space->outlook.eased;
	return now_ms < space->outlook.until_ms;
}

static void keep_outlook(struct space *space, int64_t began_ms, bool eased)
{
	int64_t now_ms = clock_monotonic_ms();
	LOCKED(&space->mutex);

	space->outlook = (struct outlook){now_ms + 10 * (now_ms - began_ms), eased};
}

static bool could_evict(struct space *space, int64_t wanted_bytes, bool *out, struct err *err)
{
	struct eviction eviction = {.wanted_bytes = wanted_bytes, .max_blobs = SIZE_MAX, .dry_run = true};
	struct preview preview = {space->blobs, true};
	int64_t began_ms = clock_monotonic_ms();

	*out = wanted_bytes <= 0;
	if (*out || knows_outlook(space, began_ms, out))
		return true;
	if (!catalog_evict(space->catalog, &eviction, would_take, &preview, err))
		return false;
	*out = eviction.bytes >= wanted_bytes;
	keep_outlook(space, began_ms, *out);
	return true;
}

bool space_look(struct space *space, struct space_view *out, struct err *err)
{
	struct figures figures;
	bool eased;

	if (!look_at_figures(space, &figures, err) ||
		!could_evict(space,
			shortage_of_free(&space->limits, &figures, STEP_MIN_BYTES) - figures.owed -
				figures.reclaimable,
			&eased, err))
		return false;
	metric_set(METRIC_FREE_BYTES, figures.free);
	metric_set(METRIC_STORAGE_FULL, !eased);
	*out = (struct space_view){figures.free, !eased};
	return true;
}
