/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/janitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/registry/committer.h"
#include "server/registry/scrub.h"
#include "server/store/catalog/catalog_outdated.h"
#include "server/store/catalog/catalog_resemblance.h"
#include "server/store/catalog/catalog_search.h"

enum { LOOKS_AT_ONCE = 1000, LOOKS_PAUSE_MS = 10 };

struct janitor {
	struct catalog *catalog;
	struct committer *committer;
	struct scrub *scrub; /* or NULL */
	pthread_t thread;
	atomic_bool stop;
};

/* Bit by bit: others write meanwhile. */
static void look_at_old(struct janitor *janitor)
{
	bool more = true;
	struct err err;

	while (more && !atomic_load(&janitor->stop)) {
		if (!catalog_look_at_old(janitor->catalog, LOOKS_AT_ONCE, &more, &err)) {
			log_event(LOG_LEVEL_WARN, "some names are not known by their looks yet", "why",
				err.text, NULL);
			return;
		}
		if (more)
			clock_sleep_ms(LOOKS_PAUSE_MS);
	}
}

static void count_old(struct janitor *janitor)
{
	bool more = true;
	struct err err;

	while (more && !atomic_load(&janitor->stop)) {
		if (!catalog_count_on(janitor->catalog, &more, &err)) {
			log_event(LOG_LEVEL_WARN,
				"not all that older safety rules have judged is counted yet", "why", err.text,
				NULL);
			return;
		}
		if (more)
			clock_sleep_ms(LOOKS_PAUSE_MS);
	}
}

static void *run(void *argument)
{
	struct janitor *janitor = argument;
	struct err err;

	if (!catalog_warm(janitor->catalog, &err))
		log_event(LOG_LEVEL_WARN, "lists could not be prepared", "why", err.text, NULL);
	if (!committer_sweep_blobs(janitor->committer, &janitor->stop, &err))
		log_event(LOG_LEVEL_WARN, "the store could not be swept", "why", err.text, NULL);
	look_at_old(janitor);
	count_old(janitor);
	metric_add(METRIC_SWEEPS, 1);
	return NULL;
}

bool janitor_create(
	const struct blob_losses *stores, int64_t scrub_days, struct janitor **out, struct err *err)
{
	struct janitor *janitor = mem_zero(1, sizeof *janitor);
	const struct thread_plan plan = {.name = "janitor", .run = run, .context = janitor};

	janitor->catalog = stores->catalog;
	janitor->committer = stores->committer;
	if (!scrub_create(stores, scrub_days, &janitor->scrub, err) ||
		!thread_start(&janitor->thread, &plan, err)) {
		scrub_destroy(janitor->scrub);
		free(janitor);
		return false;
	}
	*out = janitor;
	return true;
}

void janitor_destroy(struct janitor *janitor)
{
	if (!janitor)
		return;
	atomic_store(&janitor->stop, true);
	thread_join(janitor->thread);
	scrub_destroy(janitor->scrub);
	free(janitor);
}
