/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/parcels.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/thread.h"
#include "server/ranks.h"
#include "server/registry/inflow.h"
#include "server/store/blobs.h"

static const struct lock_place lock_place = {"parcels", RANK_PARCELS};

struct parcel {
	struct list_link link;
	struct parcel_id id;
	char *who;
	char *name;
	int64_t length;
	_Atomic int64_t received;
	_Atomic bool waits;   /* not all of that may be in the file */
	_Atomic bool broken;  /* a write failed: it is not what was sent, and goes when it is given back */
	struct inflow inflow; /* its holder's */
	bool held;
	int64_t held_from; /* what had been received then */
	int64_t until_ms;  /* while it is not held */
	struct waiter *waiting;
};

struct parcels {
	struct lock mutex; /* guards all below it, and of a parcel all but its inflow */
	pthread_cond_t changed;
	struct list all;
	size_t count;
	bool ends;

	struct space *space;
	struct blobs *blobs;
	int64_t max_bytes;
	pthread_t thread;
};

static void destroy_parcel(struct parcel *parcel)
{
	if (!parcel)
		return;
	inflow_finish(&parcel->inflow);
	free(parcel->who);
	free(parcel->name);
	free(parcel);
}

/* ---- their time ---- */

static struct parcel *take_out(struct parcels *parcels, struct parcel *parcel)
{
	lock_expect(&parcels->mutex);
	list_remove(&parcel->link);
	parcels->count--;
	return parcel;
}

/* One whose time is over, or NULL; *next_ms is when to look again. */
static struct parcel *take_over(struct parcels *parcels, int64_t *next_ms)
{
	int64_t now_ms = clock_monotonic_ms();

	*next_ms = INT64_MAX;
	LIST_EACH (struct parcel, parcel, link, &parcels->all) {
		if (!parcel->held && parcel->until_ms <= now_ms)
			return take_out(parcels, parcel);
		if (!parcel->held && parcel->until_ms < *next_ms)
			*next_ms = parcel->until_ms;
	}
	return NULL;
}

static void *run(void *context)
{
	struct parcels *parcels = context;
	int64_t next_ms;

	lock_acquire(&parcels->mutex);
	while (!parcels->ends) {
		struct parcel *over = take_over(parcels, &next_ms);

		if (over) {
			lock_release(&parcels->mutex);
			destroy_parcel(over);
			lock_acquire(&parcels->mutex);
		} else if (next_ms == INT64_MAX) {
			lock_wait(&parcels->mutex, &parcels->changed);
		} else {
			(void)lock_wait_until(&parcels->mutex, &parcels->changed, next_ms);
		}
	}
	lock_release(&parcels->mutex);
	return NULL;
}

bool parcels_create(
	struct space *space, struct blobs *blobs, int64_t max_bytes, struct parcels **out, struct err *err)
{
	struct parcels *parcels = mem_zero(1, sizeof *parcels);
	const struct thread_plan plan = {
		.name = "parcels", .role = THREAD_ANY, .run = run, .context = parcels};

	lock_init(&parcels->mutex, &lock_place);
	(void)pthread_cond_init(&parcels->changed, NULL);
	list_init(&parcels->all);
	parcels->space = space;
	parcels->blobs = blobs;
	parcels->max_bytes = max_bytes;
	if (!thread_start(&parcels->thread, &plan, err)) {
		free(parcels);
		return false;
	}
	*out = parcels;
	return true;
}

static void announce_end(struct parcels *parcels)
{
	LOCKED(&parcels->mutex);
	parcels->ends = true;
	(void)pthread_cond_signal(&parcels->changed);
}

void parcels_destroy(struct parcels *parcels)
{
	struct parcel *parcel;

	if (!parcels)
		return;
	announce_end(parcels);
	thread_join(parcels->thread);
	while ((parcel = LIST_TAKE(struct parcel, link, &parcels->all)))
		destroy_parcel(parcel);
	(void)pthread_cond_destroy(&parcels->changed);
	lock_finish(&parcels->mutex);
	free(parcels);
}

/* ---- the table ---- */

static struct parcel *find(struct parcels *parcels, const char *id)
{
	lock_expect(&parcels->mutex);
	LIST_EACH (struct parcel, parcel, link, &parcels->all) {
		if (strcmp(parcel->id.text, id) == 0)
			return parcel;
	}
	return NULL;
}

/* Counts what the token has, this one included. */
static bool check_share(struct parcels *parcels, const char *who, int64_t length, struct err *err)
{
	int64_t bytes = length;
	size_t count = 1;

	lock_expect(&parcels->mutex);
	LIST_EACH (struct parcel, parcel, link, &parcels->all) {
		bool own = strcmp(parcel->who, who) == 0;

		count += own;
		bytes += own ? parcel->length : 0;
	}
	if (parcels->count >= PARCELS_MAX)
		return err_set(err, ERR_BUSY,
			"all tokens together have sent %d files that belong to no version yet; those that "
			"are "
			"not used go within an hour, and sooner where nothing comes: try again",
			PARCELS_MAX);
	if (count > PARCELS_A_TOKEN || bytes > parcels->max_bytes)
		return err_set(err, ERR_BUSY,
			"the token %s has sent %zu files with %s that belong to no version yet; those that "
			"are "
			"not used go within an hour",
			who, count - 1, number_size(bytes - length).text);
	return true;
}

static bool enter(struct parcels *parcels, struct parcel *parcel, struct err *err)
{
	LOCKED(&parcels->mutex);

	if (!check_share(parcels, parcel->who, parcel->length, err))
		return false;
	parcel->until_ms = clock_monotonic_ms() + 1000 * (int64_t)PARCELS_LIFETIME_S;
	list_append(&parcels->all, &parcel->link);
	parcels->count++;
	(void)pthread_cond_signal(&parcels->changed);
	return true;
}

static size_t count_of(const struct parcels *parcels, const char *who)
{
	size_t count = 0;

	LIST_EACH (struct parcel, parcel, link, &parcels->all)
		count += strcmp(parcel->who, who) == 0;
	return count;
}

/* The oldest that nobody has sent anything of for a while, or NULL: of this token's, or, where there are too
 * many in all, of those of the token that has most. */
static struct parcel *take_idle(struct parcels *parcels, const char *who)
{
	int64_t until_ms = clock_monotonic_ms() + 1000 * (int64_t)(PARCELS_LIFETIME_S - PARCELS_IDLE_S);
	bool is_full = parcels->count >= PARCELS_MAX;
	struct parcel *best = NULL;
	size_t most = 0;

	lock_expect(&parcels->mutex);
	LIST_EACH (struct parcel, parcel, link, &parcels->all) {
		size_t count;

		if (parcel->held || parcel->until_ms >= until_ms ||
			(!is_full && strcmp(parcel->who, who) != 0))
			continue;
		count = is_full ? count_of(parcels, parcel->who) : 1;
		if (count <= most)
			continue;
		most = count;
		best = parcel;
	}
	return best ? take_out(parcels, best) : NULL;
}

/* False: there is no room in the token's share, and *idle, if there is one, is to go first. */
static bool find_share(
	struct parcels *parcels, const char *who, int64_t length, struct parcel **idle, struct err *err)
{
	LOCKED(&parcels->mutex);
	bool fits = check_share(parcels, who, length, err);

	*idle = fits ? NULL : take_idle(parcels, who);
	return fits;
}

static bool make_share(struct parcels *parcels, const char *who, int64_t length, struct err *err)
{
	struct parcel *idle;

	while (!find_share(parcels, who, length, &idle, err)) {
		if (!idle)
			return false;
		destroy_parcel(idle);
	}
	return true;
}

static struct parcel_id new_id(void)
{
	struct parcel_id id;
	uint8_t secret[32];

	random_bytes(secret, sizeof secret);
	(void)snprintf(id.text, sizeof id.text, "%s", digest_from_bytes(secret).hex);
	return id;
}

bool parcels_begin(struct parcels *parcels, const char *who, const char *name, int64_t length,
	struct parcel_id *out, struct err *err)
{
	struct parcel *parcel;

	if (length > parcels->max_bytes)
		return err_set(err, ERR_TOO_LARGE, "the file is larger than %s (publish.max_upload_bytes)",
			number_size(parcels->max_bytes).text);
	if (!make_share(parcels, who, length, err))
		return false;
	parcel = mem_zero(1, sizeof *parcel);
	parcel->id = new_id();
	parcel->who = mem_dup(who);
	parcel->name = mem_dup(name);
	parcel->length = length;
	*out = parcel->id;
	/* Its room is claimed as its bytes come: what never comes takes none from others. */
	if (inflow_open(&parcel->inflow, parcels->space, -1, true, err) &&
		blobs_begin(parcels->blobs, &parcel->inflow.spool, err) && enter(parcels, parcel, err))
		return true;
	destroy_parcel(parcel);
	return false;
}

static bool refuse_unknown(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		"no such file is here that waits for its version: it was used, or its hour is over. Send it "
		"again");
}

bool parcels_look(struct parcels *parcels, const char *id, struct parcel_state *out, struct err *err)
{
	LOCKED(&parcels->mutex);
	const struct parcel *parcel = find(parcels, id);

	if (!parcel || atomic_load(&parcel->broken))
		return refuse_unknown(err);
	*out = (struct parcel_state){
		atomic_load(&parcel->received), parcel->length, !atomic_load(&parcel->waits)};
	return true;
}

bool parcels_hold(
	struct parcels *parcels, const char *id, const char *who, struct parcel **out, struct err *err)
{
	LOCKED(&parcels->mutex);
	struct parcel *parcel = find(parcels, id);

	if (!parcel || atomic_load(&parcel->broken) || (who && strcmp(parcel->who, who) != 0))
		return refuse_unknown(err);
	*out = parcel->held ? NULL : parcel;
	if (!parcel->held)
		parcel->held_from = atomic_load(&parcel->received);
	parcel->held = true;
	return true;
}

static struct waiter *give_back(struct parcels *parcels, struct parcel *parcel, bool used)
{
	LOCKED(&parcels->mutex);
	struct waiter *woken = parcel->waiting;

	parcel->waiting = NULL;
	parcel->held = false;
	if (atomic_load(&parcel->received) > parcel->held_from)
		parcel->until_ms = clock_monotonic_ms() + 1000 * (int64_t)PARCELS_LIFETIME_S;
	if (used)
		(void)take_out(parcels, parcel);
	else
		(void)pthread_cond_signal(&parcels->changed);
	return woken;
}

void parcels_release(struct parcels *parcels, struct parcel *parcel, bool used)
{
	struct waiter *woken;

	if (!parcel)
		return;
	used |= atomic_load(&parcel->broken);
	woken = give_back(parcels, parcel, used);
	if (used)
		destroy_parcel(parcel);
	waiter_wake_all(woken);
}

bool parcels_await(struct parcels *parcels, const char *id, struct waiter *waiter)
{
	LOCKED(&parcels->mutex);
	struct parcel *parcel = find(parcels, id);

	if (!parcel || !parcel->held)
		return false;
	waiter_join(&parcel->waiting, waiter);
	return true;
}

bool parcels_leave(struct parcels *parcels, const char *id, struct waiter *waiter)
{
	LOCKED(&parcels->mutex);
	struct parcel *parcel = find(parcels, id);

	return parcel && waiter_leave(&parcel->waiting, waiter);
}

/* ---- one that is held ---- */

bool parcel_is(const struct parcel *parcel, const char *id)
{
	return strcmp(parcel->id.text, id) == 0;
}

const char *parcel_name(const struct parcel *parcel)
{
	return parcel->name;
}

int64_t parcel_received(const struct parcel *parcel)
{
	return atomic_load(&((struct parcel *)parcel)->received);
}

int64_t parcel_length(const struct parcel *parcel)
{
	return parcel->length;
}

bool parcel_has_room(const struct parcel *parcel, size_t length)
{
	return inflow_has_room(&parcel->inflow, length);
}

bool parcel_make_room(struct parcel *parcel, size_t length, struct err *err)
{
	return inflow_make_room(&parcel->inflow, length, err);
}

bool parcel_put(struct parcel *parcel, const void *bytes, size_t length, struct err *err)
{
	atomic_store(&parcel->waits, true);
	if (!inflow_put(&parcel->inflow, bytes, length, err)) {
		atomic_store(&parcel->broken, true);
		return false;
	}
	atomic_store(&parcel->received, parcel->inflow.length);
	return true;
}

bool parcel_flush(struct parcel *parcel, struct err *err)
{
	if (!inflow_flush(&parcel->inflow, err))
		return false;
	atomic_store(&parcel->waits, false);
	return true;
}

int parcel_fd(const struct parcel *parcel)
{
	return spool_fd(parcel->inflow.spool);
}
