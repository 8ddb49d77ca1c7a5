/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/bookmarks.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"bookmarks", RANK_BOOKMARKS};

/* A crash of the machine costs at most so much of a transfer. */
enum { STEP_BYTES = 64 << 20, BOOT_ID_BYTES_MAX = 4096 };

struct bookmark {
	struct bookmarks *bookmarks;
	struct bookmark *next;
	struct spool *spool;
	struct fill_row row; /* the thread's while busy, else whoever's holds the mutex */
	int64_t length;
	int64_t noted; /* the length at the last note; -1: there is none */
	bool busy;
};

/* A draft that nobody fills. */
struct waiting {
	struct waiting *next;
	struct name name;
	char draft[sizeof((struct fill_row *)0)->draft];
	int64_t bytes;
	bool taken; /* somebody is about to */
};

struct bookmarks {
	struct lock mutex; /* guards the open bookmarks, the drafts that wait, and stopping */
	pthread_cond_t changed;
	struct bookmark *open;
	struct waiting *waiting; /* the oldest first */
	bool stopping;

	struct catalog *catalog;
	struct blobs *blobs;
	char boot_id[sizeof((struct fill_row *)0)->boot_id];
	pthread_t thread;
	bool has_thread;
};

/* ---- noting ---- */

/* Durable first, then the row that says so. */
static bool note(struct bookmarks *bookmarks, struct bookmark *bookmark, int64_t length, struct err *err)
{
	struct fill_row row = bookmark->row;

	if (length > 0 && !spool_sync(bookmark->spool, err))
		return false;
	row.durable_bytes = length;
	row.updated_at = clock_now_s();
	return catalog_note_fill(bookmarks->catalog, &row, err);
}

/* A fill does not fail because it could not be noted. */
static void note_or_tell(struct bookmarks *bookmarks, struct bookmark *bookmark, int64_t length)
{
	struct err err;

	if (note(bookmarks, bookmark, length, &err))
		metric_add(METRIC_FILL_BOOKMARKS, 1);
	else
		log_event(LOG_LEVEL_WARN, "a fill is not bookmarked", "name",
			name_path(&bookmark->row.name).text, "why", err.text, NULL);
}

static bool is_due(const struct bookmark *bookmark)
{
	return bookmark->noted < 0 || bookmark->length - bookmark->noted >= STEP_BYTES;
}

/* Marks the next one busy; NULL when the thread is to end. */
static struct bookmark *await_due(struct bookmarks *bookmarks, int64_t *length)
{
	LOCKED(&bookmarks->mutex);

	while (!bookmarks->stopping) {
		for (struct bookmark *bookmark = bookmarks->open; bookmark; bookmark = bookmark->next) {
			if (is_due(bookmark)) {
				bookmark->busy = true;
				*length = bookmark->length;
				return bookmark;
			}
		}
		lock_wait(&bookmarks->mutex, &bookmarks->changed);
	}
	return NULL;
}

static void rest(struct bookmarks *bookmarks, struct bookmark *bookmark, int64_t length)
{
	LOCKED(&bookmarks->mutex);

	bookmark->noted = length;
	bookmark->busy = false;
	(void)pthread_cond_broadcast(&bookmarks->changed);
}

static void *run(void *argument)
{
	struct bookmarks *bookmarks = argument;
	struct bookmark *bookmark;
	int64_t length;

	while ((bookmark = await_due(bookmarks, &length))) {
		note_or_tell(bookmarks, bookmark, length);
		rest(bookmarks, bookmark, length);
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

static struct waiting **find_waiting(struct bookmarks *bookmarks, const struct name *name)
{
	struct waiting **link = &bookmarks->waiting;

	while (*link && !name_equals(&(*link)->name, name))
		link = &(*link)->next;
	return link;
}

static void add_waiting(
	struct bookmarks *bookmarks, const struct name *name, const char *draft, int64_t bytes)
{
	struct waiting *waiting = mem_zero(1, sizeof *waiting);
	struct waiting **link = &bookmarks->waiting;
	LOCKED(&bookmarks->mutex);

	waiting->name = *name;
	(void)snprintf(waiting->draft, sizeof waiting->draft, "%s", draft);
	waiting->bytes = bytes;
	while (*link)
		link = &(*link)->next;
	*link = waiting;
}

static void add_row(void *context, const struct name *name, const char *draft)
{
	struct bookmarks *bookmarks = context;
	int64_t bytes = 0;
	struct err err;

	/* Whoever takes up a draft that is gone finds out, and forgets the row. */
	(void)blobs_draft_size(bookmarks->blobs, draft, &bytes, &err);
	add_waiting(bookmarks, name, draft, bytes);
}

/* Whether one waits that nobody else takes up, and which. */
static bool take(struct bookmarks *bookmarks, const struct name *name, struct waiting *out)
{
	struct waiting *waiting;
	LOCKED(&bookmarks->mutex);

	waiting = *find_waiting(bookmarks, name);
	if (!waiting || waiting->taken)
		return false;
	waiting->taken = true;
	*out = *waiting;
	return true;
}

void bookmarks_put_back(struct bookmarks *bookmarks, const struct name *name)
{
	struct waiting *waiting;
	LOCKED(&bookmarks->mutex);

	waiting = *find_waiting(bookmarks, name);
	if (waiting)
		waiting->taken = false;
}

void bookmarks_settle(struct bookmarks *bookmarks, const struct name *name)
{
	struct waiting **link;
	struct waiting *waiting;
	LOCKED(&bookmarks->mutex);

	link = find_waiting(bookmarks, name);
	waiting = *link;
	if (!waiting)
		return;
	*link = waiting->next;
	free(waiting);
}

int64_t bookmarks_waiting_bytes(struct bookmarks *bookmarks)
{
	int64_t bytes = 0;
	LOCKED(&bookmarks->mutex);

	for (const struct waiting *waiting = bookmarks->waiting; waiting; waiting = waiting->next)
		bytes += waiting->bytes;
	return bytes;
}

/* The oldest that may go, marked as taken; false where there is none. */
static bool take_oldest(struct bookmarks *bookmarks, struct waiting *out)
{
	LOCKED(&bookmarks->mutex);

	for (struct waiting *waiting = bookmarks->waiting; waiting; waiting = waiting->next) {
		if (waiting->taken)
			continue;
		waiting->taken = true;
		*out = *waiting;
		return true;
	}
	return false;
}

/* The file first: that needs no room, and a row without one does no harm. */
static void remove_waiting(struct bookmarks *bookmarks, const struct waiting *waiting)
{
	struct err err;

	if (!blobs_remove_draft(bookmarks->blobs, waiting->draft, &err) ||
		!catalog_forget_fill(bookmarks->catalog, &waiting->name, &err))
		log_event(LOG_LEVEL_WARN, "a draft that should make room stays noted", "name",
			name_path(&waiting->name).text, "why", err.text, NULL);
	bookmarks_settle(bookmarks, &waiting->name);
}

int64_t bookmarks_evict(struct bookmarks *bookmarks, int64_t wanted_bytes)
{
	int64_t evicted = 0;
	struct waiting waiting;

	while (evicted < wanted_bytes && take_oldest(bookmarks, &waiting)) {
		remove_waiting(bookmarks, &waiting);
		evicted += waiting.bytes;
	}
	return evicted;
}

/* ---- the room ---- */

struct bookmarks *bookmarks_create(struct catalog *catalog, struct blobs *blobs)
{
	struct bookmarks *bookmarks = mem_zero(1, sizeof *bookmarks);
	const struct thread_plan plan = {.name = "bookmarks", .run = run, .context = bookmarks};
	struct err err;

	lock_init(&bookmarks->mutex, &lock_place);
	(void)pthread_cond_init(&bookmarks->changed, NULL);
	bookmarks->catalog = catalog;
	bookmarks->blobs = blobs;
	read_boot_id(bookmarks->boot_id, sizeof bookmarks->boot_id);
	if (!catalog_each_fill(catalog, add_row, bookmarks, &err))
		log_event(LOG_LEVEL_WARN, "drafts of earlier fills are not known", "why", err.text, NULL);
	bookmarks->has_thread = thread_start(&bookmarks->thread, &plan, &err);
	return bookmarks;
}

static void stop(struct bookmarks *bookmarks)
{
	LOCKED(&bookmarks->mutex);

	bookmarks->stopping = true;
	(void)pthread_cond_broadcast(&bookmarks->changed);
}

void bookmarks_destroy(struct bookmarks *bookmarks)
{
	if (!bookmarks)
		return;
	stop(bookmarks);
	if (bookmarks->has_thread)
		thread_join(bookmarks->thread);
	while (bookmarks->waiting)
		bookmarks_settle(bookmarks, &bookmarks->waiting->name);
	(void)pthread_cond_destroy(&bookmarks->changed);
	lock_finish(&bookmarks->mutex);
	free(bookmarks);
}

/* A killed process leaves its file as it was; a machine that crashed may leave zeros where nothing was
 * synchronized. */
static bool trusted_length(
	const struct bookmarks *bookmarks, const struct fill_row *row, int64_t *out, struct err *err)
{
	int64_t size_bytes;

	if (!blobs_draft_size(bookmarks->blobs, row->draft, &size_bytes, err))
		return false;
	*out = row->boot_id[0] && strcmp(row->boot_id, bookmarks->boot_id) == 0 ? size_bytes
										: row->durable_bytes;
	return true;
}

/* Of no use to anybody: what nobody counts any more must not stay on the disk. */
static bool drop_waiting(struct bookmarks *bookmarks, const struct waiting *waiting, struct err *err)
{
	bookmarks_settle(bookmarks, &waiting->name);
	return blobs_remove_draft(bookmarks->blobs, waiting->draft, err) &&
	       catalog_forget_fill(bookmarks->catalog, &waiting->name, err);
}

bool bookmarks_take_up(struct bookmarks *bookmarks, const struct name *name, struct spool **out,
	struct fill_row *row, struct err *err)
{
	struct waiting waiting;
	int64_t length;
	bool found;

	*out = NULL;
	if (!take(bookmarks, name, &waiting))
		return true;
	if (!catalog_find_fill(bookmarks->catalog, name, row, &found, err)) {
		bookmarks_put_back(bookmarks, name);
		return false;
	}
	if (found && trusted_length(bookmarks, row, &length, err) && length > 0 &&
		blobs_resume(bookmarks->blobs, row->draft, length, out, err)) {
		row->durable_bytes = length;
		return true;
	}
	*out = NULL;
	return drop_waiting(bookmarks, &waiting, err);
}

/* ---- one of them ---- */

struct bookmark *bookmark_open(struct bookmarks *bookmarks, struct spool *spool, const struct name *name,
	const char *upstream, const struct object *object)
{
	struct bookmark *bookmark = mem_zero(1, sizeof *bookmark);
	struct fill_row *row = &bookmark->row;

	bookmark->bookmarks = bookmarks;
	bookmark->spool = spool_acquire(spool);
	bookmark->noted = -1;
	row->name = *name;
	row->total_bytes = object->length;
	(void)snprintf(row->draft, sizeof row->draft, "%s", spool_name(spool));
	(void)snprintf(row->upstream, sizeof row->upstream, "%s", upstream);
	(void)snprintf(row->etag, sizeof row->etag, "%s", object->etag);
	(void)snprintf(row->last_modified, sizeof row->last_modified, "%s", object->last_modified);
	(void)snprintf(row->boot_id, sizeof row->boot_id, "%s", bookmarks->boot_id);
	LOCKED(&bookmarks->mutex);
	bookmark->next = bookmarks->open;
	bookmarks->open = bookmark;
	(void)pthread_cond_broadcast(&bookmarks->changed);
	return bookmark;
}

void bookmark_advance(struct bookmark *bookmark, int64_t length)
{
	LOCKED(&bookmark->bookmarks->mutex);

	bookmark->length = length;
	if (is_due(bookmark))
		(void)pthread_cond_broadcast(&bookmark->bookmarks->changed);
}

static void take_from_list(struct bookmark *bookmark)
{
	struct bookmarks *bookmarks = bookmark->bookmarks;
	struct bookmark **link = &bookmarks->open;
	LOCKED(&bookmarks->mutex);

	while (bookmark->busy)
		lock_wait(&bookmarks->mutex, &bookmarks->changed);
	while (*link != bookmark)
		link = &(*link)->next;
	*link = bookmark->next;
}

static void leave(struct bookmark *bookmark)
{
	note_or_tell(bookmark->bookmarks, bookmark, bookmark->length);
	add_waiting(bookmark->bookmarks, &bookmark->row.name, bookmark->row.draft, bookmark->length);
}

void bookmark_close(struct bookmark *bookmark, bool stays)
{
	struct err err;

	if (!bookmark)
		return;
	take_from_list(bookmark);
	if (stays)
		leave(bookmark);
	/* A row without its draft is found out when somebody wants to go on with it. */
	else if (!catalog_forget_fill(bookmark->bookmarks->catalog, &bookmark->row.name, &err))
		log_event(LOG_LEVEL_WARN, "a fill's bookmark stays", "name",
			name_path(&bookmark->row.name).text, "why", err.text, NULL);
	spool_release(bookmark->spool);
	free(bookmark);
}
