/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/tidings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/committer.h"
#include "server/registry/hearsay.h"
#include "server/registry/notices.h"
#include "server/store/catalog/catalog_known.h"

static const struct lock_place lock_place = {"tidings", RANK_TIDINGS};

/* Clocks of nodes differ, and a hint may come late: so far back it is looked. All is listed once a day. */
enum { LOOK_BACK_S = 10 * 60, LIST_EACH_MS = 24 * 3600 * 1000 };

/* Notes are told of before they are there (bucket_notes.c), and so are read again for as long. */
enum { NOTES_LOOK_BACK_S = 30 };

struct tidings {
	struct lock mutex; /* guards "waked" */
	pthread_cond_t waked;
	_Atomic bool stop;

	struct vault *vault;
	struct catalog *catalog;
	struct committer *committer;
	int64_t poll_interval_ms;
	pthread_t thread;
	/* The thread's own: */
	struct hearsay *hearsay;
	bool failed;       /* the last look did, which was told */
	struct err untold; /* why something was not taken; ERR_NONE: all was */
	int64_t seen_s;    /* hints until then are known */
	int64_t poll_due_ms;
	int64_t list_due_ms;       /* past while all is being listed: */
	enum vault_change listing; /* … of which kind, */
	struct vault_place place;  /* … and how far that is */
};

static bool is_due(int64_t at_ms)
{
	return clock_monotonic_ms() >= at_ms;
}

/* ---- what has changed ---- */

/* Noted also of what is not known here: it may come to be listed. */
static bool take_withdrawn(struct tidings *tidings, const struct name *name, struct err *err)
{
	struct known known;

	if (!catalog_look(tidings->catalog, name, clock_now_s(), &known, err))
		return false;
	if (known.version && known.artifact.state == STATE_WITHDRAWN)
		return true;
	if (!committer_entomb(tidings->committer, name, err))
		return err->code == ERR_GONE;
	if (known.version) {
		metric_add(METRIC_TIDINGS, 1);
		log_event(LOG_LEVEL_NOTICE, "withdrawn by another node", "name", name_path(name).text, NULL);
	}
	return true;
}

static bool take(struct tidings *tidings, enum vault_change change, const struct name *name, struct err *err)
{
	const struct notices notices = {tidings->vault, tidings->catalog, tidings->committer};

	if (change == CHANGE_WITHDRAWN)
		return take_withdrawn(tidings, name, err);
	return change_is_note(change) ? notices_take(&notices, change, name, err)
				      : hearsay_take(tidings->hearsay, change, name, err);
}

/* After the first that cannot be taken now, only what is withdrawn is, which nothing need be read for, and
 * tokens, which may be revoked: these are to be known wherever they stand. */
static bool take_change(void *context, enum vault_change change, const struct name *name)
{
	struct tidings *tidings = context;
	struct err err = {0};

	if (atomic_load(&tidings->stop) || is_due(tidings->poll_due_ms))
		return false;
	if (change != CHANGE_WITHDRAWN && change != CHANGE_TOKEN && tidings->untold.code != ERR_NONE)
		return true;
	if (take(tidings, change, name, &err))
		return true;
	tidings->untold = err;
	return change != CHANGE_WITHDRAWN;
}

/* ---- looking ---- */

/* Takes what has been told to its end. */
static bool settle(struct tidings *tidings, struct err *err)
{
	if (!hearsay_flush(tidings->hearsay, err))
		return false;
	if (tidings->untold.code == ERR_NONE)
		return true;
	*err = tidings->untold;
	return false;
}

static bool poll_hints(struct tidings *tidings, struct err *err)
{
	const struct vault_listener listener = {take_change, tidings};
	int64_t began_s = clock_now_s();

	tidings->untold = (struct err){0};
	tidings->poll_due_ms = INT64_MAX;
	if (!vault_poll(tidings->vault, tidings->seen_s - LOOK_BACK_S, tidings->seen_s - NOTES_LOOK_BACK_S,
		    &listener, err) ||
		!settle(tidings, err))
		return false;
	tidings->seen_s = began_s;
	return true;
}

static void end_kind(struct tidings *tidings)
{
	tidings->place = (struct vault_place){0};
	tidings->listing++;
	if (tidings->listing < CHANGE_COUNT)
		return;
	tidings->listing = 0;
	tidings->list_due_ms = clock_monotonic_ms() + LIST_EACH_MS;
	log_event(LOG_LEVEL_INFO, "what all nodes have was listed", NULL);
}

/* Some more of all, from where it was left. */
static bool list_some(struct tidings *tidings, struct err *err)
{
	const struct vault_listener listener = {take_change, tidings};
	struct vault_place before = tidings->place;
	bool more;

	tidings->untold = (struct err){0};
	if (!vault_list(tidings->vault, tidings->listing, &tidings->place, &listener, &more, err))
		return false;
	if (!settle(tidings, err)) {
		tidings->place = before;
		return false;
	}
	if (!more)
		end_kind(tidings);
	return true;
}

/* For as long as nothing else is due. */
static bool list_while_there_is_time(struct tidings *tidings, struct err *err)
{
	bool done = true;

	tidings->poll_due_ms = clock_monotonic_ms() + tidings->poll_interval_ms;
	while (done && is_due(tidings->list_due_ms) && !is_due(tidings->poll_due_ms) &&
		!atomic_load(&tidings->stop))
		done = list_some(tidings, err);
	return done;
}

/* All is listed also where a hint cannot be taken: before the hints, since the store counts as away for a
 * while where one of them had no answer. It begins with what is withdrawn. */
static bool look(struct tidings *tidings, struct err *err)
{
	bool listed = list_while_there_is_time(tidings, err);
	bool polled = poll_hints(tidings, err);

	tidings->poll_due_ms = clock_monotonic_ms() + tidings->poll_interval_ms;
	return listed && polled;
}

/* Told once, until it goes again. */
static void note(struct tidings *tidings, bool done, const struct err *err)
{
	if (!done && !tidings->failed)
		log_event(LOG_LEVEL_WARN, "what other nodes change is not known here for now", "why",
			err->text, NULL);
	tidings->failed = !done;
}

/* False: it is to end. */
static bool await(struct tidings *tidings)
{
	LOCKED(&tidings->mutex);

	while (!atomic_load(&tidings->stop) &&
		lock_wait_until(&tidings->mutex, &tidings->waked, tidings->poll_due_ms))
		;
	return !atomic_load(&tidings->stop);
}

static void *run(void *argument)
{
	struct tidings *tidings = argument;

	tidings->seen_s = clock_now_s();
	do {
		struct err err;

		note(tidings, look(tidings, &err), &err);
	} while (await(tidings));
	return NULL;
}

/* ---- creating and ending ---- */

static void free_tidings(struct tidings *tidings)
{
	hearsay_destroy(tidings->hearsay);
	(void)pthread_cond_destroy(&tidings->waked);
	lock_finish(&tidings->mutex);
	free(tidings);
}

bool tidings_create(struct vault *vault, struct catalog *catalog, struct committer *committer,
	int64_t poll_interval_s, struct tidings **out, struct err *err)
{
	struct tidings *tidings;
	struct thread_plan plan = {.name = "tidings", .run = run};

	*out = NULL;
	if (!vault_is_shared(vault))
		return true;
	tidings = mem_zero(1, sizeof *tidings);
	lock_init(&tidings->mutex, &lock_place);
	(void)pthread_cond_init(&tidings->waked, NULL);
	tidings->vault = vault;
	tidings->catalog = catalog;
	tidings->committer = committer;
	tidings->hearsay = hearsay_create(vault, catalog, committer);
	tidings->poll_interval_ms = 1000 * poll_interval_s;
	plan.context = tidings;
	if (!thread_start(&tidings->thread, &plan, err)) {
		free_tidings(tidings);
		return false;
	}
	*out = tidings;
	return true;
}

static void stop(struct tidings *tidings)
{
	LOCKED(&tidings->mutex);

	atomic_store(&tidings->stop, true);
	(void)pthread_cond_signal(&tidings->waked);
}

void tidings_destroy(struct tidings *tidings)
{
	if (!tidings)
		return;
	stop(tidings);
	thread_join(tidings->thread);
	free_tidings(tidings);
}
