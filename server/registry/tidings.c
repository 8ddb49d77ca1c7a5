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
#include "server/store/catalog/catalog_known.h"

static const struct lock_place lock_place = {"tidings", RANK_TIDINGS};

/* Clocks of nodes differ, and a hint may come late: so far back it is looked. All is listed once a day. */
enum { LOOK_BACK_S = 10 * 60, LIST_EACH_MS = 24 * 3600 * 1000 };

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
	bool failed;       /* the last look did, which was told */
	bool doubtful;     /* something of it could not be noted */
	int64_t seen_s;    /* until then all is known */
	int64_t listed_ms; /* when all was listed; 0: never */
};

/* ---- what was withdrawn ---- */

/* What is not known here is found out by whoever asks for it. */
static bool is_news(const struct tidings *tidings, const struct name *name, bool *out, struct err *err)
{
	struct known known;

	if (!catalog_look(tidings->catalog, name, clock_now_s(), &known, err))
		return false;
	*out = known.version && known.artifact.state != STATE_WITHDRAWN;
	return true;
}

static bool take_withdrawn(void *context, const struct name *name)
{
	struct tidings *tidings = context;
	struct err err = {0};
	bool news;

	if (is_news(tidings, name, &news, &err) && !news)
		return !atomic_load(&tidings->stop);
	if (err.code == ERR_NONE && committer_entomb(tidings->committer, name, &err)) {
		metric_add(METRIC_TIDINGS, 1);
		log_event(LOG_LEVEL_INFO, "withdrawn by another node", "name", name_path(name).text, NULL);
	} else if (err.code != ERR_GONE) {
		log_event(LOG_LEVEL_WARN, "what another node withdrew is not noted yet", "name",
			name_path(name).text, "why", err.text, NULL);
		tidings->doubtful = true;
	}
	return !atomic_load(&tidings->stop);
}

/* ---- looking ---- */

static bool look(struct tidings *tidings, struct err *err)
{
	const struct vault_listener listener = {take_withdrawn, tidings};
	int64_t began_s = clock_now_s();
	int64_t began_ms = clock_monotonic_ms();
	bool all = tidings->listed_ms == 0 || began_ms - tidings->listed_ms >= LIST_EACH_MS;

	tidings->doubtful = false;
	if (all ? !vault_list_withdrawn(tidings->vault, &listener, err)
		: !vault_poll(tidings->vault, tidings->seen_s - LOOK_BACK_S, &listener, err))
		return false;
	if (tidings->doubtful)
		return true;
	tidings->seen_s = began_s;
	if (all)
		tidings->listed_ms = began_ms;
	return true;
}

/* Told once, until it goes again. */
static void note(struct tidings *tidings, bool done, const struct err *err)
{
	if (!done && !tidings->failed)
		log_event(LOG_LEVEL_WARN, "what other nodes withdraw is not known here for now", "why",
			err->text, NULL);
	tidings->failed = !done;
}

/* False: it is to end. */
static bool await(struct tidings *tidings)
{
	int64_t until_ms = clock_monotonic_ms() + tidings->poll_interval_ms;
	LOCKED(&tidings->mutex);

	while (!atomic_load(&tidings->stop) && lock_wait_until(&tidings->mutex, &tidings->waked, until_ms))
		;
	return !atomic_load(&tidings->stop);
}

static void *run(void *argument)
{
	struct tidings *tidings = argument;

	do {
		struct err err;

		note(tidings, look(tidings, &err), &err);
	} while (await(tidings));
	return NULL;
}

/* ---- creating and ending ---- */

static void free_tidings(struct tidings *tidings)
{
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
