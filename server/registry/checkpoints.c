/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/checkpoints.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"checkpoints", RANK_CHECKPOINTS};

/* A crash of the machine costs at most so much of a transfer. */
enum { STEP_BYTES = 64 << 20, BOOT_ID_BYTES_MAX = 4096 };

struct checkpoint {
	struct checkpoints *checkpoints;
	struct list_link link; /* among those that are open */
	struct spool *spool;
	struct fill_row row; /* the thread's while busy, else whoever's holds the mutex */
	int64_t length;
	int64_t noted; /* the length at the last note; -1: there is none */
	bool busy;
};

/* A draft that nobody fills. */
struct waiting {
	struct list_link link;
	struct name name;
	char draft[sizeof((struct fill_row *)0)->draft];
	int64_t bytes;
	bool taken; /* somebody is about to */
};

struct checkpoints {
	struct lock mutex; /* guards the open checkpoints, the drafts that wait, and stopping */
	pthread_cond_t changed;
	struct list open;
	struct list waiting; /* the oldest first */
	bool stopping;

	struct catalog *catalog;
	struct blobs *blobs;
	char boot_id[sizeof((struct fill_row *)0)->boot_id];
	pthread_t thread;
	bool has_thread;
};

/* ---- noting ---- */

/* Durable first, then the row that says so. */
static bool note(
	struct checkpoints *checkpoints, struct checkpoint *checkpoint, int64_t length, struct err *err)
{
	struct fill_row row = checkpoint->row;

	if (length > 0 && !spool_sync(checkpoint->spool, err))
		return false;
	row.durable_bytes = length;
	row.updated_at = clock_now_s();
	return catalog_note_fill(checkpoints->catalog, &row, err);
}

/* A fill does not fail because it could not be noted. */
static void note_or_tell(struct checkpoints *checkpoints, struct checkpoint *checkpoint, int64_t length)
{
	struct err err;

	if (note(checkpoints, checkpoint, length, &err))
		metric_add(METRIC_CHECKPOINTS, 1);
	else
		log_event(LOG_LEVEL_WARN, "a fill has no checkpoint", "name",
			name_path(&checkpoint->row.name).text, "why", err.text, NULL);
}

static bool is_due(const struct checkpoint *checkpoint)
{
	return checkpoint->noted < 0 || checkpoint->length - checkpoint->noted >= STEP_BYTES;
}

/* Marks the next one busy; NULL when the thread is to end. */
static struct checkpoint *await_due(struct checkpoints *checkpoints, int64_t *length)
{
	LOCKED(&checkpoints->mutex);

	while (!checkpoints->stopping) {
		LIST_EACH (struct checkpoint, checkpoint, link, &checkpoints->open) {
			if (is_due(checkpoint)) {
				checkpoint->busy = true;
				*length = checkpoint->length;
				return checkpoint;
			}
		}
		lock_wait(&checkpoints->mutex, &checkpoints->changed);
	}
	return NULL;
}

static void rest(struct checkpoints *checkpoints, struct checkpoint *checkpoint, int64_t length)
{
	LOCKED(&checkpoints->mutex);

	checkpoint->noted = length;
	checkpoint->busy = false;
	(void)pthread_cond_broadcast(&checkpoints->changed);
}

static void *run(void *argument)
{
	struct checkpoints *checkpoints = argument;
	struct checkpoint *checkpoint;
	int64_t length;

	while ((checkpoint = await_due(checkpoints, &length))) {
		note_or_tell(checkpoints, checkpoint, length);
		rest(checkpoints, checkpoint, length);
	}
	return NULL;
}

/* ---- all of them ---- */

/* Empty where the system has none: then only what is durable counts. */
static void read_boot_id(char *out, size_t size)
{
	AUTO_BUFFER struct buffer text = {0};
	struct err err;

	*out = '\0';
	if (!file_read_all("/proc/sys/kernel/random/boot_id", BOOT_ID_BYTES_MAX, &text, &err))
		return;
	(void)snprintf(
		out, size, "%.*s", (int)strcspn((const char *)text.data, "\n"), (const char *)text.data);
}

/* ---- drafts that wait ---- */

static struct waiting *find_waiting(struct checkpoints *checkpoints, const struct name *name)
{
	lock_expect(&checkpoints->mutex);
	LIST_EACH (struct waiting, waiting, link, &checkpoints->waiting) {
		if (name_equals(&waiting->name, name))
			return waiting;
	}
	return NULL;
}

static void add_waiting(
	struct checkpoints *checkpoints, const struct name *name, const char *draft, int64_t bytes)
{
	struct waiting *waiting = mem_zero(1, sizeof *waiting);
	LOCKED(&checkpoints->mutex);

	waiting->name = *name;
	(void)snprintf(waiting->draft, sizeof waiting->draft, "%s", draft);
	waiting->bytes = bytes;
	list_append(&checkpoints->waiting, &waiting->link);
}

static void add_row(void *context, const struct name *name, const char *draft)
{
	struct checkpoints *checkpoints = context;
	int64_t bytes = 0;
	struct err err;

	/* Whoever takes up a draft that is gone finds out, and forgets the row. */
	(void)blobs_draft_size(checkpoints->blobs, draft, &bytes, &err);
	add_waiting(checkpoints, name, draft, bytes);
}

/* Whether one waits that nobody else takes up, and which. */
static bool take(struct checkpoints *checkpoints, const struct name *name, struct waiting *out)
{
	struct waiting *waiting;
	LOCKED(&checkpoints->mutex);

	waiting = find_waiting(checkpoints, name);
	if (!waiting || waiting->taken)
		return false;
	waiting->taken = true;
	*out = *waiting;
	return true;
}

void checkpoints_put_back(struct checkpoints *checkpoints, const struct name *name)
{
	struct waiting *waiting;
	LOCKED(&checkpoints->mutex);

	waiting = find_waiting(checkpoints, name);
	if (waiting)
		waiting->taken = false;
}

void checkpoints_settle(struct checkpoints *checkpoints, const struct name *name)
{
	struct waiting *waiting;
	LOCKED(&checkpoints->mutex);

	waiting = find_waiting(checkpoints, name);
	if (!waiting)
		return;
	list_remove(&waiting->link);
	free(waiting);
}

int64_t checkpoints_waiting_bytes(struct checkpoints *checkpoints)
{
	int64_t bytes = 0;
	LOCKED(&checkpoints->mutex);

	LIST_EACH (const struct waiting, waiting, link, &checkpoints->waiting)
		bytes += waiting->bytes;
	return bytes;
}

/* The oldest that may go, marked as taken; false where there is none. */
static bool take_oldest(struct checkpoints *checkpoints, struct waiting *out)
{
	LOCKED(&checkpoints->mutex);

	LIST_EACH (struct waiting, waiting, link, &checkpoints->waiting) {
		if (waiting->taken)
			continue;
		waiting->taken = true;
		*out = *waiting;
		return true;
	}
	return false;
}

/* The file first: that needs no room, and a row without one does no harm. */
static void remove_waiting(struct checkpoints *checkpoints, const struct waiting *waiting)
{
	struct err err;

	if (!blobs_remove_draft(checkpoints->blobs, waiting->draft, &err) ||
		!catalog_forget_fill(checkpoints->catalog, &waiting->name, &err))
		log_event(LOG_LEVEL_WARN, "a draft that should make room stays noted", "name",
			name_path(&waiting->name).text, "why", err.text, NULL);
	checkpoints_settle(checkpoints, &waiting->name);
}

int64_t checkpoints_evict(struct checkpoints *checkpoints, int64_t wanted_bytes)
{
	int64_t evicted = 0;
	struct waiting waiting;

	while (evicted < wanted_bytes && take_oldest(checkpoints, &waiting)) {
		remove_waiting(checkpoints, &waiting);
		evicted += waiting.bytes;
	}
	return evicted;
}

/* ---- the room ---- */

struct checkpoints *checkpoints_create(struct catalog *catalog, struct blobs *blobs)
{
	struct checkpoints *checkpoints = mem_zero(1, sizeof *checkpoints);
	const struct thread_plan plan = {.name = "checkpoints", .run = run, .context = checkpoints};
	struct err err;

	lock_init(&checkpoints->mutex, &lock_place);
	(void)pthread_cond_init(&checkpoints->changed, NULL);
	list_init(&checkpoints->open);
	list_init(&checkpoints->waiting);
	checkpoints->catalog = catalog;
	checkpoints->blobs = blobs;
	read_boot_id(checkpoints->boot_id, sizeof checkpoints->boot_id);
	if (!catalog_each_fill(catalog, add_row, checkpoints, &err))
		log_event(LOG_LEVEL_WARN, "drafts of earlier fills are not known", "why", err.text, NULL);
	checkpoints->has_thread = thread_start(&checkpoints->thread, &plan, &err);
	return checkpoints;
}

static void stop(struct checkpoints *checkpoints)
{
	LOCKED(&checkpoints->mutex);

	checkpoints->stopping = true;
	(void)pthread_cond_broadcast(&checkpoints->changed);
}

void checkpoints_destroy(struct checkpoints *checkpoints)
{
	struct waiting *waiting;

	if (!checkpoints)
		return;
	stop(checkpoints);
	if (checkpoints->has_thread)
		thread_join(checkpoints->thread);
	INVARIANT(list_is_empty(&checkpoints->open));
	while ((waiting = LIST_TAKE(struct waiting, link, &checkpoints->waiting)))
		free(waiting);
	(void)pthread_cond_destroy(&checkpoints->changed);
	lock_finish(&checkpoints->mutex);
	free(checkpoints);
}

/* A killed process leaves its file as it was; a machine that crashed may leave zeros where nothing was
 * synchronized. */
static bool trusted_length(
	const struct checkpoints *checkpoints, const struct fill_row *row, int64_t *out, struct err *err)
{
	int64_t size_bytes;

	if (!blobs_draft_size(checkpoints->blobs, row->draft, &size_bytes, err))
		return false;
	*out = row->boot_id[0] && strcmp(row->boot_id, checkpoints->boot_id) == 0 ? size_bytes
										  : row->durable_bytes;
	return true;
}

/* Of no use to anybody: what nobody counts any more must not stay on the disk. */
static bool drop_waiting(struct checkpoints *checkpoints, const struct waiting *waiting, struct err *err)
{
	checkpoints_settle(checkpoints, &waiting->name);
	return blobs_remove_draft(checkpoints->blobs, waiting->draft, err) &&
	       catalog_forget_fill(checkpoints->catalog, &waiting->name, err);
}

bool checkpoints_take_up(struct checkpoints *checkpoints, const struct name *name, struct spool *spool,
	bool *found, struct fill_row *row, struct err *err)
{
	struct waiting waiting;
	int64_t length;

	*found = false;
	if (!take(checkpoints, name, &waiting))
		return true;
	if (!catalog_find_fill(checkpoints->catalog, name, row, found, err)) {
		checkpoints_put_back(checkpoints, name);
		return false;
	}
	if (*found && trusted_length(checkpoints, row, &length, err) && length > 0 &&
		blobs_open_draft(checkpoints->blobs, row->draft, length, spool, err)) {
		row->durable_bytes = length;
		return true;
	}
	*found = false;
	return drop_waiting(checkpoints, &waiting, err);
}

/* ---- one of them ---- */

struct checkpoint *checkpoint_open(struct checkpoints *checkpoints, struct spool *spool,
	const struct name *name, const char *upstream, const struct object *object)
{
	struct checkpoint *checkpoint = mem_zero(1, sizeof *checkpoint);
	struct fill_row *row = &checkpoint->row;

	checkpoint->checkpoints = checkpoints;
	checkpoint->spool = spool_acquire(spool);
	checkpoint->noted = -1;
	row->name = *name;
	row->total_bytes = object->length;
	(void)snprintf(row->draft, sizeof row->draft, "%s", spool_name(spool));
	(void)snprintf(row->upstream, sizeof row->upstream, "%s", upstream);
	(void)snprintf(row->etag, sizeof row->etag, "%s", object->etag);
	(void)snprintf(row->last_modified, sizeof row->last_modified, "%s", object->last_modified);
	(void)snprintf(row->boot_id, sizeof row->boot_id, "%s", checkpoints->boot_id);
	LOCKED(&checkpoints->mutex);
	list_append(&checkpoints->open, &checkpoint->link);
	(void)pthread_cond_broadcast(&checkpoints->changed);
	return checkpoint;
}

void checkpoint_advance(struct checkpoint *checkpoint, int64_t length)
{
	LOCKED(&checkpoint->checkpoints->mutex);

	checkpoint->length = length;
	if (is_due(checkpoint))
		(void)pthread_cond_broadcast(&checkpoint->checkpoints->changed);
}

static void take_from_list(struct checkpoint *checkpoint)
{
	struct checkpoints *checkpoints = checkpoint->checkpoints;
	LOCKED(&checkpoints->mutex);

	while (checkpoint->busy)
		lock_wait(&checkpoints->mutex, &checkpoints->changed);
	INVARIANT(list_holds(&checkpoint->link));
	list_remove(&checkpoint->link);
}

static void leave(struct checkpoint *checkpoint)
{
	note_or_tell(checkpoint->checkpoints, checkpoint, checkpoint->length);
	add_waiting(
		checkpoint->checkpoints, &checkpoint->row.name, checkpoint->row.draft, checkpoint->length);
}

void checkpoint_close(struct checkpoint *checkpoint, bool stays)
{
	struct err err;

	if (!checkpoint)
		return;
	take_from_list(checkpoint);
	if (stays)
		leave(checkpoint);
	/* A row without its draft is found out when somebody wants to go on with it. */
	else if (!catalog_forget_fill(checkpoint->checkpoints->catalog, &checkpoint->row.name, &err))
		log_event(LOG_LEVEL_WARN, "a fill's checkpoint stays", "name",
			name_path(&checkpoint->row.name).text, "why", err.text, NULL);
	spool_release(checkpoint->spool);
	free(checkpoint);
}
