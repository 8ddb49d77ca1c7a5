/* SPDX-License-Identifier: Apache-2.0
 *
 * prefetch: has a running daemon fetch what will be wanted, and waits until all of it is there. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/fill_pages.h"
#include "server/command/fillbars.h"
#include "server/command/interruption.h"
#include "server/command/listing.h"
#include "server/command/lockcheck.h"
#include "server/command/lockfile.h"
#include "server/command/module_target.h"
#include "server/command/remote.h"
#include "server/command/wishes.h"

/* A batch must fit into the body that the server takes. */
enum { BATCH = 50, RUNNING_MAX = 64, TRIES_MAX = 3, POLL_FIRST_MS = 50, POLL_MAX_MS = 500 };

struct prefetch {
	struct remote *remote;
	struct wishes wishes;
	struct lockfile lockfile; /* its artifacts are the first of the wishes */
	size_t open;              /* wishes before this one are not WISH_OPEN */
	size_t running;
	bool full; /* the server's queue, a moment ago */
	bool json;
	bool locked; /* there is a lock file */
	struct fillbars bars;
};

static void finish(struct prefetch *prefetch)
{
	wishes_finish(&prefetch->wishes);
	lockfile_finish(&prefetch->lockfile);
	remote_destroy(prefetch->remote);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Lines that stay go above the bars. */
static void end_wish(struct prefetch *prefetch, struct wish *wish, enum wish_state state, const json_t *why)
{
	wish_end(wish, state, why);
	fillbars_clear(&prefetch->bars);
	wish_tell(wish, prefetch->json);
}

static void open_again(struct prefetch *prefetch, struct wish *wish)
{
	size_t at = (size_t)(wish - prefetch->wishes.items);

	wish->state = WISH_OPEN;
	prefetch->open = at < prefetch->open ? at : prefetch->open;
}

/* Nobody knows any more what became of its fill: it is asked for again, but not for ever. */
static void reopen(struct prefetch *prefetch, struct wish *wish)
{
	json_auto_t *why = NULL;

	open_again(prefetch, wish);
	if (wish->tries < TRIES_MAX)
		return;
	why = json_pack("{s:s, s:s}", "code", "internal", "detail", "the server lost track of it");
	end_wish(prefetch, wish, WISH_FAILED, why);
}

/* ---- starting ---- */

struct batch {
	struct wish *wishes[BATCH];
	size_t count;
	json_t *paths;
};

static void finish_batch(struct batch *batch)
{
	json_decref(batch->paths);
}

static void gather(struct prefetch *prefetch, struct batch *batch)
{
	while (prefetch->open < prefetch->wishes.count &&
		prefetch->wishes.items[prefetch->open].state != WISH_OPEN)
		prefetch->open++;
	for (size_t i = prefetch->open; i < prefetch->wishes.count && batch->count < BATCH; i++) {
		if (prefetch->wishes.items[i].state != WISH_OPEN)
			continue;
		batch->wishes[batch->count++] = &prefetch->wishes.items[i];
		json_array_append_new(batch->paths, json_string(prefetch->wishes.items[i].path));
	}
}

/* The answer names each path as often as it was sent. */
static struct wish *take_from_batch(struct batch *batch, const json_t *path)
{
	for (size_t i = 0; path && i < batch->count; i++) {
		if (batch->wishes[i] && strcmp(batch->wishes[i]->path, json_string_value(path)) == 0)
			return TAKE(batch->wishes[i]);
	}
	return NULL;
}

static const json_t *path_of(const json_t *entry)
{
	const json_t *path = json_is_object(entry) ? json_object_get(entry, "path") : entry;

	return json_is_string(path) ? path : NULL;
}

static void take_started(struct prefetch *prefetch, struct wish *wish, const json_t *entry)
{
	free(wish->started_at);
	wish->id = json_integer_value(json_object_get(entry, "id"));
	wish->started_at = mem_dup(text_of(entry, "started_at"));
	wish->state = WISH_RUNNING;
	wish->tries++;
	prefetch->running++;
}

static void take_here(struct prefetch *prefetch, struct wish *wish, const json_t *entry)
{
	(void)entry;
	end_wish(prefetch, wish, WISH_HERE, NULL);
}

static bool has_code(const json_t *problem, const char *code)
{
	return strcmp(text_of(problem, "code"), code) == 0;
}

/* Fills are of versions. One that names none is meant as the latest, which the server leads to. */
static void take_misnamed(struct prefetch *prefetch, struct wish *wish, const json_t *entry)
{
	json_auto_t *problem = NULL;
	char *latest;

	if (!wish->asked && module_target_find_latest(prefetch->remote, wish->path, &latest, &problem)) {
		wish_rename(wish, latest);
		open_again(prefetch, wish);
		return;
	}
	end_wish(prefetch, wish, WISH_FAILED,
		problem && *text_of(problem, "detail") && !has_code(problem, "bad-request") ? problem
											    : entry);
}

/* A full queue is no failure: its turn comes. */
static void take_refused(struct prefetch *prefetch, struct wish *wish, const json_t *entry)
{
	if (has_code(entry, "busy"))
		prefetch->full = true;
	else if (has_code(entry, "bad-request"))
		take_misnamed(prefetch, wish, entry);
	else
		end_wish(prefetch, wish, WISH_FAILED, entry);
}

static void take_answer(struct prefetch *prefetch, struct batch *batch, const json_t *answer)
{
	static const struct {
		const char *key;
		void (*take)(struct prefetch *prefetch, struct wish *wish, const json_t *entry);
	} rows[] = {{"fills", take_started}, {"already_here", take_here}, {"refused", take_refused}};
	const json_t *entry;
	size_t i;

	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		json_array_foreach(json_object_get(answer, rows[row].key), i, entry)
		{
			struct wish *wish = take_from_batch(batch, path_of(entry));

			if (wish)
				rows[row].take(prefetch, wish, entry);
		}
	}
}

static bool start_batch(struct prefetch *prefetch, struct batch *batch, struct err *err)
{
	json_auto_t *body = json_pack("{s:O}", "paths", batch->paths);
	json_auto_t *answer = NULL;

	if (!remote_post(prefetch->remote, "/api/v1/fills", body, &answer, err)) {
		/* Our budget is used up for now, or the server's rooms are full: the wishes stay open. */
		prefetch->full = err->code == ERR_BUSY;
		return prefetch->full;
	}
	take_answer(prefetch, batch, answer);
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->wishes[i])
			return err_set(err, ERR_UPSTREAM_FAILED, "The server says nothing of %.100s.",
				batch->wishes[i]->path);
	}
	return true;
}

/* As many as may run at once: the queue is there for others too. */
static bool start_open(struct prefetch *prefetch, struct err *err)
{
	prefetch->full = false;
	while (!prefetch->full && prefetch->running < RUNNING_MAX) {
		AUTO(finish_batch) struct batch batch = {.paths = json_array()};

		gather(prefetch, &batch);
		if (batch.count == 0)
			return true;
		if (!start_batch(prefetch, &batch, err))
			return false;
	}
	return true;
}

/* ---- waiting ---- */

static json_t *find_fill(const json_t *fills, const struct wish *wish)
{
	json_t *fill;
	size_t i;

	json_array_foreach((json_t *)fills, i, fill)
	{
		if (json_integer_value(json_object_get(fill, "id")) == wish->id &&
			strcmp(text_of(fill, "started_at"), wish->started_at) == 0)
			return fill;
	}
	return NULL;
}

static void take_ended(struct prefetch *prefetch, struct wish *wish, const json_t *fill)
{
	bool kept = strcmp(text_of(fill, "state"), "kept") == 0;

	prefetch->running--;
	wish->bytes = json_integer_value(json_object_get(fill, "bytes"));
	if (fill)
		end_wish(prefetch, wish, kept ? WISH_KEPT : WISH_FAILED, fill);
	else
		reopen(prefetch, wish);
}

static void draw(struct prefetch *prefetch, const json_t *ours)
{
	const struct wishes *wishes = &prefetch->wishes;
	size_t left = wishes_count(wishes, WISH_OPEN) + prefetch->running;
	char summary[80];

	(void)snprintf(summary, sizeof summary, "%zu of %zu done, %zu on their way", wishes->count - left,
		wishes->count, prefetch->running);
	fillbars_draw(&prefetch->bars, ours, summary);
}

static bool look(struct prefetch *prefetch, struct err *err)
{
	json_auto_t *answer = NULL;
	json_auto_t *ours = json_array();

	if (!fill_pages_read(prefetch->remote, &answer, err))
		return false;
	for (size_t i = 0; i < prefetch->wishes.count; i++) {
		struct wish *wish = &prefetch->wishes.items[i];
		json_t *fill;

		if (wish->state != WISH_RUNNING)
			continue;
		fill = find_fill(json_object_get(answer, "fills"), wish);
		if (fill)
			json_array_append(ours, fill);
		else
			take_ended(prefetch, wish, find_fill(json_object_get(answer, "recent"), wish));
	}
	draw(prefetch, ours);
	return true;
}

static bool has_more(const struct prefetch *prefetch)
{
	for (size_t i = prefetch->open; i < prefetch->wishes.count; i++) {
		if (prefetch->wishes.items[i].state == WISH_OPEN)
			return true;
	}
	return prefetch->running > 0;
}

/* Soon at first, since small modules come quickly. */
static bool run(struct prefetch *prefetch, struct err *err)
{
	int64_t wait_ms = POLL_FIRST_MS;

	while (has_more(prefetch)) {
		if (!start_open(prefetch, err))
			return false;
		if (!has_more(prefetch))
			break;
		clock_sleep_ms(wait_ms);
		wait_ms = wait_ms * 2 > POLL_MAX_MS ? POLL_MAX_MS : wait_ms * 2;
		if (!look(prefetch, err))
			return false;
	}
	return true;
}

/* ---- what is locked ---- */

static bool check_locked(struct prefetch *prefetch, struct err *err)
{
	fillbars_clear(&prefetch->bars);
	return lockcheck_run(prefetch->remote, &prefetch->lockfile, err);
}

/* Fetched is only what is not here, and may become what was locked. */
static bool leave_locked(struct prefetch *prefetch, struct err *err)
{
	if (!check_locked(prefetch, err))
		return false;
	for (size_t i = 0; i < prefetch->lockfile.count; i++) {
		const struct locked *locked = &prefetch->lockfile.items[i];

		if (locked->state == LOCK_SAME)
			end_wish(prefetch, &prefetch->wishes.items[i], WISH_HERE, NULL);
		else if (lockcheck_is_withheld(locked))
			end_wish(prefetch, &prefetch->wishes.items[i], WISH_LEFT, NULL);
	}
	return true;
}

/* What failed has been told already. */
static bool is_difference(const struct prefetch *prefetch, size_t at)
{
	return prefetch->wishes.items[at].state != WISH_FAILED &&
	       lockcheck_is_fault(&prefetch->lockfile.items[at]);
}

static size_t count_differences(const struct prefetch *prefetch)
{
	size_t count = 0;

	for (size_t i = 0; i < prefetch->lockfile.count; i++)
		count += is_difference(prefetch, i);
	return count;
}

static void tell_differences(const struct prefetch *prefetch)
{
	for (size_t i = 0; i < prefetch->lockfile.count; i++) {
		if (is_difference(prefetch, i))
			lockcheck_tell(&prefetch->lockfile.items[i]);
	}
}

static void add_differences(const struct prefetch *prefetch, json_t *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < prefetch->lockfile.count; i++) {
		if (is_difference(prefetch, i))
			json_array_append_new(array, lockcheck_json(&prefetch->lockfile.items[i]));
	}
	json_object_set_new(report, "differences", array);
}

static void print_json(const struct prefetch *prefetch)
{
	json_auto_t *all = wishes_json(&prefetch->wishes);

	if (prefetch->locked)
		add_differences(prefetch, all);
	listing_print_json(all);
}

static void print_summary(const struct prefetch *prefetch, size_t differences)
{
	const struct wishes *wishes = &prefetch->wishes;

	(void)printf("%zu fetched, %zu already here, %zu failed", wishes_count(wishes, WISH_KEPT),
		wishes_count(wishes, WISH_HERE), wishes_count(wishes, WISH_FAILED));
	if (prefetch->locked)
		(void)printf(", %zu not as locked", differences);
	(void)putchar('\n');
}

static int report(const struct prefetch *prefetch)
{
	size_t differences = count_differences(prefetch);

	tell_differences(prefetch);
	if (prefetch->json)
		print_json(prefetch);
	else
		print_summary(prefetch, differences);
	return wishes_count(&prefetch->wishes, WISH_FAILED) + differences > 0 ? COMMAND_FAILED : COMMAND_DONE;
}

/* ---- what is wished ---- */

struct prefetch_options {
	struct remote_options remote;
	const char *from;
	bool json;
};

static bool read_lock(struct prefetch *prefetch, FILE *file, struct err *err)
{
	prefetch->locked = true;
	if (!lockfile_read(file, &prefetch->lockfile, err))
		return false;
	for (size_t i = 0; i < prefetch->lockfile.count; i++) {
		AUTO_FREE char *path = locked_path(&prefetch->lockfile.items[i]);

		if (!wishes_add(&prefetch->wishes, path, err))
			return false;
	}
	return true;
}

/* What is in it tells a lock file from a list of paths. */
static bool read_file(struct prefetch *prefetch, const char *name, struct err *err)
{
	AUTO(command_close_file) FILE *file = NULL;

	if (!command_open_file(name, &file, err))
		return false;
	return (lockfile_is_next(file) ? read_lock(prefetch, file, err)
				       : wishes_read(&prefetch->wishes, file, err)) ||
	       err_prefix(err, "%.200s: ", name);
}

static bool read_wishes(struct prefetch *prefetch, const char *from, char **paths, struct err *err)
{
	if (from && !read_file(prefetch, from, err))
		return false;
	for (; *paths; paths++) {
		if (!wishes_add(&prefetch->wishes, *paths, err))
			return false;
	}
	return true;
}

static bool check_wishes(const struct prefetch *prefetch, struct err *err)
{
	for (size_t i = 0; i < prefetch->wishes.count; i++) {
		if (!module_target_check(prefetch->wishes.items[i].path, prefetch->remote, err))
			return false;
	}
	return true;
}

/* ---- the command ---- */

static int run_prefetch(void *values, int count, char **words)
{
	AUTO(finish) struct prefetch prefetch = {0};
	const struct prefetch_options *options = values;
	struct err err;
	bool done;

	if (count == 0 && !options->from)
		return command_misuse("prefetch", "prefetch takes paths, such as google/nnlm-en-dim50/2");
	prefetch.json = options->json;
	fillbars_init(&prefetch.bars);
	if (!read_wishes(&prefetch, options->from, words, &err) ||
		!remote_create(&options->remote, &prefetch.remote, &err) || !check_wishes(&prefetch, &err))
		return command_fail(&err);
	interruption_watch(INTERRUPTED_PREFETCH);
	done = leave_locked(&prefetch, &err) && run(&prefetch, &err) && check_locked(&prefetch, &err);
	fillbars_clear(&prefetch.bars);
	return done ? report(&prefetch) : command_fail(&err);
}

static const struct option_row rows[] = {
	{"from", 0, "FILE", TEXT_INTO(struct prefetch_options, from),
		"read paths from FILE, one a line (-: standard input); empty lines and lines that begin with "
		"# are skipped. Of a lock file everything is fetched, and must then be there to the byte"},
	{"json", 0, NULL, FLAG_INTO(struct prefetch_options, json), "print JSON in the end"},
	{0},
};

const struct command command_prefetch = {
	.name = "prefetch",
	.summary = "have a registry fetch modules before they are wanted",
	.forms = {"PATH..."},
	.remarks = "Has a running daemon fetch versions from its upstreams, shows how far they are, and ends "
		   "when all are there. A PATH is as in a URL, such as google/nnlm-en-dim50/2 (the tf-hub "
		   "archive), google/nnlm-en-dim50 (its latest version) or "
		   "'google/x/1?tfjs-format=compressed'. Fails if any of them cannot be had, and says why. "
		   "When it is interrupted, the daemon fetches on.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct prefetch_options, remote)}},
	.options_size = sizeof(struct prefetch_options),
	.run = run_prefetch,
};
