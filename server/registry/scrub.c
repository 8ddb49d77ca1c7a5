/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/scrub.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/registry/verification.h"

/* As slow as a small store would have it, it would never come to its end where machines are started often. */
enum { DAY_S = 24 * 3600, SLOWEST = 1 << 20, FASTEST = 32 << 20, NICENESS = 19, LOOK_S = 600 };

struct scrub {
	struct blob_losses losses;
	int64_t period_s;
	struct read_rate rate;
	int64_t total_bytes; /* when it began, or went on */
	atomic_bool stop;
	int end_fd; /* an eventfd */
	pthread_t thread;
};

/* ---- how fast ---- */

static void pace(void *context, const struct pass *pass)
{
	struct scrub *scrub = context;
	int64_t left_bytes = scrub->total_bytes - pass->sums.bytes;
	int64_t left_s = pass->started_s + scrub->period_s - clock_now_s();
	int64_t rate = left_s > 0 ? left_bytes / left_s : FASTEST;

	scrub->rate.bytes_per_s = rate < SLOWEST ? SLOWEST : rate > FASTEST ? FASTEST : rate;
	metric_set(METRIC_SCRUB_BLOBS, pass->sums.blobs);
	metric_set(METRIC_SCRUB_BYTES, pass->sums.bytes);
}

/* ---- what is told ---- */

static const char *remedy(const struct pass_blob *blob, enum blob_fault fault)
{
	if (fault == FAULT_UNREADABLE)
		return "see why it cannot be opened";
	return blob->is_published ? "clients get 451 until it is restored: larder verify --repair --from a "
				    "backup or a peer"
				  : "none: it is fetched again when it is asked for";
}

static bool found(void *context, const struct pass_blob *blob, enum blob_fault fault, const char *detail,
	struct err *err)
{
	const struct scrub *scrub = context;
	AUTO_FREE struct name *names = NULL;
	char others[24];
	size_t count;

	if (!catalog_list_blob_names(scrub->losses.catalog, blob->id, &names, &count, err))
		return false;
	metric_add(METRIC_SCRUB_DAMAGED, 1);
	(void)snprintf(others, sizeof others, "%zu", count > 1 ? count - 1 : 0);
	log_event(blob->is_published ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "a blob is not what it was", "name",
		count > 0 ? name_path(&names[0]).text : "-", "others", others, "sha256", blob->digest.hex,
		"fault", blob_fault_name(fault), "why", detail, "remedy", remedy(blob, fault), NULL);
	return true;
}

static void tell_end(const struct pass *pass)
{
	char blobs[24];
	char damaged[24];

	(void)snprintf(blobs, sizeof blobs, "%" PRId64, pass->last.blobs);
	(void)snprintf(damaged, sizeof damaged, "%" PRId64, pass->last.damaged);
	log_event(pass->last.damaged > 0 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "all of the store was read",
		"blobs", blobs, "bytes", number_size(pass->last.bytes).text, "damaged", damaged, "since",
		clock_rfc3339(pass->last_started_s).text, NULL);
}

static void show(const struct pass *pass)
{
	bool runs = pass->started_s != 0;

	metric_set(METRIC_SCRUB_BLOBS, runs ? pass->sums.blobs : pass->last.blobs);
	metric_set(METRIC_SCRUB_BYTES, runs ? pass->sums.bytes : pass->last.bytes);
	metric_set(METRIC_SCRUB_LAST_END, pass->last_ended_s);
	metric_set(METRIC_SCRUB_LAST_DAMAGED, pass->last.damaged);
}

/* ---- the thread ---- */

/* A clock that was put back makes it due. */
static bool is_due(const struct scrub *scrub, const struct pass *pass)
{
	int64_t now_s = clock_now_s();

	return pass->started_s != 0 || pass->last_started_s == 0 || pass->last_started_s > now_s ||
	       now_s - pass->last_started_s >= scrub->period_s;
}

static bool go_on(struct scrub *scrub, struct err *err)
{
	const struct verification_order order = {.kind = PASS_SCRUB,
		.rate = &scrub->rate,
		.stop = &scrub->stop,
		.pace = pace,
		.found = found,
		.context = scrub};
	int64_t blobs;
	struct pass pass;

	if (!catalog_find_pass(scrub->losses.catalog, PASS_SCRUB, &pass, err))
		return false;
	show(&pass);
	if (!is_due(scrub, &pass))
		return true;
	if (!catalog_measure_blobs(scrub->losses.catalog, &blobs, &scrub->total_bytes, err) ||
		!verification_run(&scrub->losses, &order, &pass, err))
		return false;
	show(&pass);
	if (pass.started_s != 0)
		return true;
	tell_end(&pass);
	metric_add(METRIC_SCRUB_PASSES, 1);
	return true;
}

static void *run(void *argument)
{
	struct scrub *scrub = argument;
	struct pollfd end = {.fd = scrub->end_fd, .events = POLLIN};
	struct err err;

	while (!atomic_load(&scrub->stop)) {
		if (!go_on(scrub, &err))
			log_event(LOG_LEVEL_WARN, "the store is read on later", "why", err.text, NULL);
		(void)poll(&end, 1, LOOK_S * 1000);
	}
	return NULL;
}

bool scrub_create(const struct blob_losses *losses, int64_t days, struct scrub **out, struct err *err)
{
	struct scrub *scrub;
	struct thread_plan plan = {.name = "scrub", .niceness = NICENESS, .run = run};

	*out = NULL;
	if (days == 0)
		return true;
	scrub = mem_zero(1, sizeof *scrub);
	scrub->losses = *losses;
	scrub->period_s = days * DAY_S;
	scrub->end_fd = eventfd(0, EFD_CLOEXEC);
	plan.context = scrub;
	if (scrub->end_fd < 0)
		(void)err_errno(err, errno, "make an eventfd");
	if (scrub->end_fd < 0 || !thread_start(&scrub->thread, &plan, err)) {
		own_close(&scrub->end_fd);
		free(scrub);
		return false;
	}
	*out = scrub;
	return true;
}

void scrub_destroy(struct scrub *scrub)
{
	if (!scrub)
		return;
	atomic_store(&scrub->stop, true);
	(void)eventfd_write(scrub->end_fd, 1);
	thread_join(scrub->thread);
	own_close(&scrub->end_fd);
	free(scrub);
}
