/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/imports.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/thread.h"
#include "server/ranks.h"
#include "server/registry/import_work.h"
#include "server/registry/incoming.h"
#include "server/store/catalog/catalog_staging.h"

static const struct lock_place lock_place = {"imports", RANK_IMPORTS};

/* What nobody asks for makes room for others, and goes after a while. */
enum { IDLE_MS = 60 * 1000, GONE_MS = 15 * 60 * 1000, LOOK_MS = 30 * 1000 };

static const int64_t head_bytes_max = (int64_t)4 << 30;

struct imports {
	struct lock mutex; /* guards all below but what is set at first, or is the thread's */
	pthread_cond_t changed;
	struct importer importer;
	char *data_dir; /* the importer's scratch folder */
	pthread_t thread;
	struct incoming *items[IMPORTS_OPEN_MAX];
	uint64_t turns;
	atomic_bool stop;
	int64_t sweep_each_ms;
	int64_t sweep_ms; /* the thread's: when it sweeps */
};

/* ---- the table ---- */

static bool is_used(const struct incoming *incoming)
{
	return incoming->users > 0 || incoming->turn != 0;
}

/* Takes one out of the table. It is to be destroyed outside of the mutex if it is answered. */
static struct incoming *take_out(struct imports *imports, size_t place)
{
	struct incoming *incoming = imports->items[place];

	lock_expect(&imports->mutex);
	imports->items[place] = NULL;
	incoming->dropped = true;
	incoming->turn = 0;
	atomic_store(&incoming->stop, true);
	return incoming->users == 0 ? incoming : NULL;
}

static bool find(struct imports *imports, const char *id, size_t *place, struct err *err)
{
	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		if (!imports->items[i] || strcmp(imports->items[i]->id, id) != 0)
			continue;
		imports->items[i]->touched_ms = clock_monotonic_ms();
		*place = i;
		return true;
	}
	return err_set(err, ERR_NOT_FOUND,
		"no such import is open: it was over, nobody asked for it for long, or the daemon was "
		"started "
		"anew. Begin it again; what has come is here already");
}

static bool find_idle(struct imports *imports, int64_t idle_ms, size_t *place)
{
	int64_t oldest_ms = clock_monotonic_ms() - idle_ms;
	bool found = false;

	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		const struct incoming *incoming = imports->items[i];

		if (!incoming || is_used(incoming) || incoming->touched_ms > oldest_ms)
			continue;
		oldest_ms = incoming->touched_ms;
		*place = i;
		found = true;
	}
	return found;
}

static bool find_free(struct imports *imports, size_t *place)
{
	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		if (imports->items[i])
			continue;
		*place = i;
		return true;
	}
	return false;
}

static bool put_in(
	struct imports *imports, struct incoming *incoming, struct incoming **idle, struct err *err)
{
	LOCKED(&imports->mutex);
	size_t place;

	*idle = NULL;
	if (!find_free(imports, &place)) {
		if (!find_idle(imports, IDLE_MS, &place))
			return err_set(err, ERR_BUSY,
				"%d imports are open already, and no more can be: try again when one of them "
				"has ended",
				IMPORTS_OPEN_MAX);
		*idle = take_out(imports, place);
	}
	incoming->users = 1;
	imports->items[place] = incoming;
	return true;
}

/* Lets go of a use; drop: and of all of it. */
static void leave(struct imports *imports, struct incoming *incoming, bool drop)
{
	struct incoming *gone = NULL;

	{
		LOCKED(&imports->mutex);

		INVARIANT(incoming->users > 0);
		incoming->users--;
		incoming->touched_ms = clock_monotonic_ms();
		for (size_t i = 0; drop && i < IMPORTS_OPEN_MAX; i++) {
			if (imports->items[i] == incoming)
				(void)take_out(imports, i);
		}
		if (incoming->dropped && incoming->users == 0)
			gone = incoming;
	}
	incoming_destroy(gone);
}

static void wait_for_thread(struct imports *imports, struct incoming *incoming, enum incoming_state state)
{
	incoming->state = state;
	incoming->progress = (struct import_progress){0};
	incoming->failure = (struct err){0};
	incoming->turn = ++imports->turns;
	(void)pthread_cond_signal(&imports->changed);
}

/* ---- the head ---- */

static bool check_head_bytes(int64_t length, struct err *err)
{
	return length <= head_bytes_max || err_set(err, ERR_TOO_LARGE, "the head of a bundle has at most %s",
						   number_size(head_bytes_max).text);
}

static bool open_head(struct imports *imports, struct incoming *incoming, int64_t length, struct err *err)
{
	const struct importer *importer = &imports->importer;

	return check_head_bytes(length, err) &&
	       inflow_open(&incoming->head, importer->space, length, true, err) &&
	       blobs_begin(importer->blobs, &incoming->head.spool, err);
}

bool imports_begin(struct imports *imports, const char *who, const char *from, int64_t length,
	struct signing_key *key, struct incoming **out, struct err *err)
{
	struct incoming *incoming = incoming_create(who, from, key);
	struct incoming *idle;

	if (!put_in(imports, incoming, &idle, err)) {
		incoming_destroy(incoming);
		return false;
	}
	incoming_destroy(idle);
	if (!open_head(imports, incoming, length, err)) {
		leave(imports, incoming, true);
		return false;
	}
	*out = incoming;
	return true;
}

bool incoming_has_room(const struct incoming *incoming, size_t length)
{
	return incoming->failed || inflow_has_room(&incoming->head, length);
}

static bool fits(struct incoming *incoming, size_t length)
{
	return check_head_bytes(incoming->head.length + (int64_t)length, &incoming->failure);
}

void incoming_make_room(struct incoming *incoming, size_t length)
{
	incoming->failed =
		!fits(incoming, length) || !inflow_make_room(&incoming->head, length, &incoming->failure);
}

bool incoming_write(struct incoming *incoming, const void *bytes, size_t length)
{
	incoming->failed = incoming->failed || !fits(incoming, length) ||
			   !inflow_put(&incoming->head, bytes, length, &incoming->failure);
	return !incoming->failed;
}

bool imports_read(struct imports *imports, struct incoming *incoming, char *id, struct err *err)
{
	if (incoming->failed || !inflow_flush(&incoming->head, &incoming->failure)) {
		*err = incoming->failure;
		leave(imports, incoming, true);
		return false;
	}
	memcpy(id, incoming->id, sizeof incoming->id);
	{
		LOCKED(&imports->mutex);

		wait_for_thread(imports, incoming, INCOMING_READING);
	}
	leave(imports, incoming, false);
	return true;
}

void imports_abort(struct imports *imports, struct incoming *incoming)
{
	leave(imports, incoming, true);
}

/* ---- artifacts ---- */

static bool check_open(const struct incoming *incoming, struct err *err)
{
	if (!incoming->report.is_read || incoming->state == INCOMING_ARRIVING)
		return err_set(err, ERR_CONFLICT,
			"the bundle's head %s: \"state\" and \"failure\" of the import tell more",
			incoming->state == INCOMING_ENDED ? "cannot be used" : "is still being read");
	return incoming->state != INCOMING_RECORDING ||
	       err_set(err, ERR_CONFLICT, "the import is being recorded: wait until it has ended");
}

static bool pin(struct imports *imports, const char *id, struct incoming **out, struct digest *bundle,
	struct err *err)
{
	LOCKED(&imports->mutex);
	size_t place = 0;

	if (!find(imports, id, &place, err) || !check_open(imports->items[place], err))
		return false;
	imports->items[place]->users++;
	*out = imports->items[place];
	*bundle = imports->items[place]->report.contents;
	return true;
}

bool imports_take(struct imports *imports, const char *id, const struct digest *digest, enum format format,
	struct incoming **out, struct lacked *lacked, struct digest *bundle, struct err *err)
{
	struct incoming *incoming;
	bool found;

	if (!pin(imports, id, &incoming, bundle, err))
		return false;
	if (lacking_find(incoming->lacking, digest, format, lacked, &found, err) && found) {
		*out = incoming;
		return true;
	}
	if (!found)
		(void)err_set(err, ERR_NOT_FOUND,
			"this import lacks no blob sha256:%s as %s: the bundle does not name it, or it was "
			"here before",
			digest->hex, formats[format].name);
	leave(imports, incoming, false);
	return false;
}

void imports_note_staged(struct imports *imports, struct incoming *incoming, const struct lacked *lacked)
{
	LOCKED(&imports->mutex);

	incoming_drop_fault(incoming, lacked);
	incoming->report.copied_blobs = ++incoming->copied_blobs;
	incoming->report.copied_bytes = incoming->copied_bytes += lacked->size_bytes;
}

void imports_note_faulty(struct imports *imports, struct incoming *incoming, const struct lacked *lacked,
	const struct err *why)
{
	LOCKED(&imports->mutex);

	incoming_add_fault(incoming, lacked, why);
}

void imports_release(struct imports *imports, struct incoming *incoming)
{
	leave(imports, incoming, false);
}

bool imports_list_lacking(struct imports *imports, const char *id, int64_t *place, size_t limit,
	void (*visit)(void *context, const struct lacked *lacked), void *context, struct err *err)
{
	struct incoming *incoming;
	struct lacked lacked;
	struct digest bundle;
	bool more = true, done = true;

	if (!pin(imports, id, &incoming, &bundle, err))
		return false;
	for (size_t i = 0; done && more && i < limit; i++) {
		done = lacking_next(incoming->lacking, place, &lacked, &more, err);
		if (done && more)
			visit(context, &lacked);
	}
	if (!more)
		*place = -1;
	leave(imports, incoming, false);
	return done;
}

/* ---- all of it ---- */

bool imports_show(struct imports *imports, const char *id, struct incoming_view *out, struct err *err)
{
	LOCKED(&imports->mutex);
	size_t place = 0;

	if (!find(imports, id, &place, err))
		return false;
	*out = incoming_view(imports->items[place]);
	return true;
}

size_t imports_list(struct imports *imports, struct incoming_view out[IMPORTS_OPEN_MAX])
{
	LOCKED(&imports->mutex);
	size_t count = 0;

	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		if (imports->items[i])
			out[count++] = incoming_view(imports->items[i]);
	}
	return count;
}

bool imports_record(struct imports *imports, const char *id, bool partial, struct err *err)
{
	LOCKED(&imports->mutex);
	size_t place = 0;

	if (!find(imports, id, &place, err) || !check_open(imports->items[place], err))
		return false;
	imports->items[place]->partial = partial;
	wait_for_thread(imports, imports->items[place], INCOMING_RECORDING);
	return true;
}

bool imports_drop(struct imports *imports, const char *id, struct err *err)
{
	struct incoming *gone;

	{
		LOCKED(&imports->mutex);
		size_t place = 0;

		if (!find(imports, id, &place, err))
			return false;
		gone = take_out(imports, place);
	}
	incoming_destroy(gone);
	return true;
}

/* ---- the thread ---- */

static void do_work(struct imports *imports, struct incoming *incoming, bool records)
{
	struct import_work work = {.mutex = &imports->mutex,
		.importer = &imports->importer,
		.incoming = incoming,
		.records = records};

	import_work_do(&work);
	leave(imports, incoming, false);
}

/* Whose turn it is. */
static struct incoming *find_next(struct imports *imports)
{
	struct incoming *next = NULL;

	lock_expect(&imports->mutex);
	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		struct incoming *incoming = imports->items[i];

		if (incoming && incoming->turn != 0 && (!next || incoming->turn < next->turn))
			next = incoming;
	}
	return next;
}

static int64_t look_at_ms(const struct imports *imports)
{
	int64_t look_ms = clock_monotonic_ms() + LOOK_MS;

	return look_ms < imports->sweep_ms ? look_ms : imports->sweep_ms;
}

static struct incoming *wait_for_work(struct imports *imports, bool *records)
{
	LOCKED(&imports->mutex);
	struct incoming *next = imports->stop ? NULL : find_next(imports);

	if (!next && !imports->stop)
		(void)lock_wait_until(&imports->mutex, &imports->changed, look_at_ms(imports));
	next = imports->stop ? NULL : find_next(imports);
	if (!next)
		return NULL;
	next->turn = 0;
	next->users++;
	*records = next->state == INCOMING_RECORDING;
	return next;
}

static void drop_idle(struct imports *imports)
{
	struct incoming *gone = NULL;

	{
		LOCKED(&imports->mutex);
		size_t place;

		if (find_idle(imports, GONE_MS, &place))
			gone = take_out(imports, place);
	}
	incoming_destroy(gone);
}

/* The bundles that are known by now of those that are open. */
static size_t list_bundles(struct imports *imports, struct digest bundles[IMPORTS_OPEN_MAX])
{
	LOCKED(&imports->mutex);
	size_t count = 0;

	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		if (imports->items[i] && imports->items[i]->report.is_read)
			bundles[count++] = imports->items[i]->report.contents;
	}
	return count;
}

static bool sweep(struct imports *imports, struct err *err)
{
	struct digest bundles[IMPORTS_OPEN_MAX];
	size_t count = list_bundles(imports, bundles);

	for (size_t i = 0; i < count; i++) {
		if (!catalog_renew_staged(imports->importer.catalog, &bundles[i], clock_now_s(), err))
			return false;
	}
	return committer_unstage(imports->importer.committer, &imports->stop, err);
}

/* What was staged for those that nobody goes on with. */
static void sweep_at_times(struct imports *imports)
{
	int64_t now_ms = clock_monotonic_ms();
	struct err err;

	if (now_ms < imports->sweep_ms)
		return;
	imports->sweep_ms = now_ms + imports->sweep_each_ms;
	if (!sweep(imports, &err))
		log_event(LOG_LEVEL_WARN, "what abandoned imports have brought stays for now", "why",
			err.text, NULL);
}

static void *run(void *context)
{
	struct imports *imports = context;

	while (!atomic_load(&imports->stop)) {
		bool records = false;
		struct incoming *next = wait_for_work(imports, &records);

		if (next)
			do_work(imports, next, records);
		drop_idle(imports);
		sweep_at_times(imports);
	}
	return NULL;
}

/* ---- opening ---- */

static void destroy_all(struct imports *imports)
{
	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++)
		incoming_destroy(imports->items[i]);
	(void)pthread_cond_destroy(&imports->changed);
	lock_finish(&imports->mutex);
	free(imports->data_dir);
	free(imports);
}

bool imports_create(const struct importer *importer, const char *data_dir, int64_t sweep_each_ms,
	struct imports **out, struct err *err)
{
	struct imports *imports = mem_zero(1, sizeof *imports);
	const struct thread_plan plan = {.name = "imports", .run = run, .context = imports};

	lock_init(&imports->mutex, &lock_place);
	(void)pthread_cond_init(&imports->changed, NULL);
	imports->importer = *importer;
	imports->data_dir = mem_dup(data_dir);
	imports->importer.scratch.folder = imports->data_dir;
	imports->sweep_each_ms = sweep_each_ms;
	imports->sweep_ms = clock_monotonic_ms() + sweep_each_ms;
	if (!thread_start(&imports->thread, &plan, err)) {
		destroy_all(imports);
		return false;
	}
	*out = imports;
	return true;
}

static void stop(struct imports *imports)
{
	LOCKED(&imports->mutex);

	atomic_store(&imports->stop, true);
	for (size_t i = 0; i < IMPORTS_OPEN_MAX; i++) {
		if (imports->items[i])
			atomic_store(&imports->items[i]->stop, true);
	}
	(void)pthread_cond_signal(&imports->changed);
}

void imports_destroy(struct imports *imports)
{
	if (!imports)
		return;
	stop(imports);
	thread_join(imports->thread);
	destroy_all(imports);
}
