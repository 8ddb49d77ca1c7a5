/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/fill.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/bookmarks.h"
#include "server/registry/fetch.h"
#include "server/registry/health.h"

/* In passing: what is written at once, and how long a reader may stand still while all wait for room. */
enum { SLICE_BYTES = 64 << 10, READER_STALL_MS = 30 * 1000 };

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, WAIT_MAX_S = 30, BOOKMARK_BYTES_MIN = 1 << 20 };

struct fill {
	const struct fill_tools *tools;
	const struct name *name;
	struct spool *spool;
	struct fill_watch *watch;
	struct fetch fetch;
	struct inspector *inspector;
	struct object object; /* whose bytes the spool holds, */
	size_t source;        /* … and the upstream that gave them */
	int64_t length;       /* bytes in the spool */
	struct bookmark *bookmark;
	bool unproved; /* an earlier process's bytes, and upstream has not said yet that it has the rest */
	struct claim claim;
	int64_t crowded_bytes; /* for so many there was no room beside other fills */
	struct err err;        /* why the last attempt failed */
	bool full;             /* … for want of room in the middle */
	bool passing;          /* there is room for a part at a time only */
	bool kept;             /* or passed on whole */
};

static bool is_stopped(const struct fill *fill)
{
	return atomic_load(&fill->watch->stop);
}

static bool refuse_stopped(const struct fill *fill, struct err *err)
{
	return err_set(err, ERR_BUSY, "the fill was %s",
		atomic_load(&fill->watch->cancelled) ? "cancelled" : "stopped");
}

/* ---- the receiver: on the client's thread
 * ------------------------------------------------------------------------- */

/* Never waits for the room that others have: that is for the fill's own thread to do. */
static bool claim_room(struct fill *fill, int64_t more, struct err *err)
{
	struct space *space = fill->tools->space;
	int64_t whole;

	if (__builtin_add_overflow(fill->length, more > 0 ? more : 1, &whole))
		whole = INT64_MAX;
	if (space_claim(space, &fill->claim, whole, err))
		return space_note_length(space, &fill->claim, fill->length, err);
	fill->crowded_bytes = err->code == ERR_BUSY ? whole : 0;
	return false;
}

static void note_progress(struct fill *fill, int64_t length)
{
	fill->length = length;
	fill_watch_bytes(fill->watch, length, clock_monotonic_ms());
	if (fill->bookmark)
		bookmark_advance(fill->bookmark, length);
}

/* What another process could prove to be the same object is worth a bookmark, unless it is soon fetched anew.
 */
static void begin_object(struct fill *fill, const struct answer *answer)
{
	const struct fill_tools *tools = fill->tools;

	fill->object = object_of_answer(answer);
	object_distrust_date(&fill->object, clock_now_s());
	fill->source = fill->fetch.upstream;
	if (object_validator(&fill->object) && fill->object.length >= BOOKMARK_BYTES_MIN)
		fill->bookmark = bookmark_open(tools->bookmarks, fill->spool, fill->name,
			tools->settings.upstreams[fill->source].name, &fill->object);
}

/* What an earlier process has left may be seen. */
static void accept_draft(struct fill *fill)
{
	fill->unproved = false;
	spool_reveal(fill->spool);
}

static bool take_head(void *context, const struct answer *answer, struct err *err)
{
	struct fill *fill = context;

	if (!fill->passing && !claim_room(fill, answer->length, err))
		return false;
	if (fill->length == 0)
		begin_object(fill, answer);
	else if (fill->unproved)
		accept_draft(fill);
	if (fill->fetch.offset > 0)
		metric_add(METRIC_UPSTREAM_RESUMES, 1);
	fill_watch_total(fill->watch, fill->object.length);
	return true;
}

/* Others may fill the disk as well: what may go then makes room for one more try. */
static bool append(struct fill *fill, const void *bytes, size_t length, struct err *err)
{
	struct space *space = fill->tools->space;

	if (!space_note_length(space, &fill->claim, fill->length + (int64_t)length, err))
		return false;
	return spool_append(fill->spool, bytes, length, err) ||
	       (err->code == ERR_NO_SPACE && space_relieve(space) &&
		       spool_append(fill->spool, bytes, length, err));
}

static bool append_in_passing(struct fill *fill, const void *bytes, size_t length, struct err *err)
{
	int64_t window = fill->length - spool_give_back(fill->spool);

	if (spool_readers(fill->spool) == 0)
		return err_set(err, ERR_NO_SPACE, "there is no room for it, and nobody waits any more");
	return space_note_length(fill->tools->space, &fill->claim, window + (int64_t)length, err) &&
	       spool_append(fill->spool, bytes, length, err);
}

/* What of the piece did not fit is asked for again. */
static bool take_slices(struct fill *fill, const char *bytes, size_t length, struct err *err)
{
	for (size_t at = 0; at < length; at += SLICE_BYTES) {
		size_t slice = length - at < SLICE_BYTES ? length - at : SLICE_BYTES;

		if (!append_in_passing(fill, bytes + at, slice, err))
			return false;
		note_progress(fill, fill->length + (int64_t)slice);
	}
	return true;
}

static bool take_whole(struct fill *fill, const char *bytes, size_t length, struct err *err)
{
	if (!append(fill, bytes, length, err))
		return false;
	note_progress(fill, fill->length + (int64_t)length);
	return true;
}

static bool take_body(void *context, const void *bytes, size_t length, struct err *err)
{
	struct fill *fill = context;

	if (inspector_has_given_up(fill->inspector))
		return false;
	if (fill->passing ? take_slices(fill, bytes, length, err) : take_whole(fill, bytes, length, err))
		return true;
	fill->full = err->code == ERR_NO_SPACE;
	return false;
}

static bool is_short(const struct fill *fill)
{
	return fill->object.length >= 0 && fill->length < fill->object.length &&
	       !inspector_has_given_up(fill->inspector);
}

/* A request whose answer finds no room beside other fills is made again once they have let go. */
static enum verdict run_in_turn(struct fill *fill)
{
	enum verdict verdict;

	for (;;) {
		fill->crowded_bytes = 0;
		verdict = fetch_run(&fill->fetch, &fill->err);
		if (verdict != VERDICT_FATAL || fill->crowded_bytes == 0)
			return verdict;
		if (!space_await(fill->tools->space, &fill->claim, fill->crowded_bytes, &fill->watch->stop,
			    &fill->err))
			return verdict;
	}
}

/* ---- no room for the whole
 * ---------------------------------------------------------------------------------------- */

static void sleep_a_little(void)
{
	const struct timespec slice = {.tv_nsec = 20 * 1000 * 1000};

	(void)nanosleep(&slice, NULL);
}

/* Only where clients wait for the rest, and upstream can prove to have it. */
static bool begin_passing(struct fill *fill)
{
	if (fill->length == 0 || !object_validator(&fill->object) || spool_readers(fill->spool) == 0 ||
		!spool_pass(fill->spool, &fill->err))
		return false;
	fill->passing = true;
	bookmark_close(TAKE(fill->bookmark), false);
	log_event(LOG_LEVEL_WARN, "no room: a fill goes on in passing", "name", name_path(fill->name).text,
		"format", formats[fill->name->format].name, "why", fill->err.text, NULL);
	return true;
}

/* Until half of the window is free, or all who read have what there is. Who does not move at all is left
 * behind. */
static bool await_readers(struct fill *fill)
{
	int64_t gone = spool_give_back(fill->spool);
	int64_t half = (fill->length - gone) / 2;
	int64_t wanted =
		gone + half < fill->length - SPOOL_HELD_BACK ? gone + half : fill->length - SPOOL_HELD_BACK;
	int64_t moved_ms = clock_monotonic_ms();

	while (gone < wanted && !is_stopped(fill) && spool_readers(fill->spool) > 0) {
		int64_t before = gone;

		sleep_a_little();
		gone = spool_give_back(fill->spool);
		if (gone > before)
			moved_ms = clock_monotonic_ms();
		else if (clock_monotonic_ms() - moved_ms > READER_STALL_MS && !spool_cut_slowest(fill->spool))
			return false;
	}
	return gone >= wanted && spool_readers(fill->spool) > 0;
}

static bool go_on_in_passing(struct fill *fill)
{
	return (fill->passing || begin_passing(fill)) && await_readers(fill);
}

static enum verdict fetch(struct fill *fill)
{
	enum verdict verdict;

	fill->err = (struct err){0};
	fill->full = false;
	/* An earlier process had it all: what is whole and sound needs no more proof. */
	if (fill->length > 0 && fill->length == fill->object.length) {
		accept_draft(fill);
		return VERDICT_TAKE;
	}
	/* What was noted of an object that has not brought a byte. */
	if (fill->length == 0)
		bookmark_close(TAKE(fill->bookmark), false);
	fill->fetch.offset = fill->length;
	verdict = run_in_turn(fill);
	if (verdict == VERDICT_FATAL && fill->full)
		return go_on_in_passing(fill) ? VERDICT_BROKEN : VERDICT_FATAL;
	if (verdict != VERDICT_TAKE || !is_short(fill))
		return verdict;
	(void)err_set(&fill->err, ERR_UPSTREAM_FAILED, "it ended before the length that it told");
	return VERDICT_BROKEN;
}

/* ---- the bytes are there
 * ------------------------------------------------------------------------------------------ */

static bool has_violation(const struct examination *examination, struct err *err)
{
	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		if (finding->severity == SEVERITY_VIOLATION) {
			(void)err_set(err, ERR_UPSTREAM_FAILED,
				"it answered with something that is no module: %s%s%s", finding->path,
				finding->path[0] ? ": " : "", finding->message);
			return true;
		}
	}
	return false;
}

/* In passing, what clients were given must be as true, though nothing stays of it. */
static bool keep(
	struct fill *fill, const struct origin *origin, const struct inspection *inspection, struct err *err)
{
	struct keeper *keeper = fill->tools->keeper;
	enum kept kept;

	return fill->passing ? keeper_compare(keeper, fill->name, origin, inspection, err)
			     : keeper_keep(keeper, fill->spool, fill->name, origin, inspection, &kept, err);
}

/* Waits for the inspector and keeps what it passed. */
static enum verdict verify_and_keep(struct fill *fill, const struct upstream *upstream)
{
	const struct origin origin = {SOURCE_MIRRORED, upstream->name};
	AUTO_INSPECTION struct inspection inspection = {0};

	fill_watch_state(fill->watch, FILL_VERIFYING);
	spool_complete(fill->spool);
	if (!inspector_wait(fill->inspector, &inspection, &fill->err))
		return VERDICT_FATAL;
	/* Its work is done: whatever comes next needs a new one. */
	inspector_destroy(TAKE(fill->inspector));
	if (atomic_load(&fill->watch->cancelled) && !refuse_stopped(fill, &fill->err))
		return VERDICT_FATAL;
	if (has_violation(inspection.examination, &fill->err)) {
		/* The rest of such an object is not worth having. */
		fill->object = (struct object){.length = -1};
		return VERDICT_FAILED;
	}
	return keep(fill, &origin, &inspection, &fill->err) ? VERDICT_KEPT : VERDICT_FATAL;
}

static bool inspect(struct fill *fill)
{
	return inspector_start(
		fill->spool, fill->name->format, &fill->tools->settings.limits, &fill->inspector, &fill->err);
}

/* Drops what the spool holds; false once clients have seen some of it. */
static bool begin_anew(struct fill *fill)
{
	spool_complete(fill->spool);
	inspector_destroy(TAKE(fill->inspector));
	if (!spool_restart(fill->spool))
		return false;
	bookmark_close(TAKE(fill->bookmark), false);
	fill->unproved = false;
	note_progress(fill, 0);
	fill->object = (struct object){.length = -1};
	return inspect(fill);
}

/* ---- attempts
 * ----------------------------------------------------------------------------------------------------- */

/* Waits longer after each failure, by chance up to half of it less, so that many fills do not return at once;
 * at_least_s is added to that. */
static void back_off(struct fill *fill, int64_t failures, int64_t at_least_s)
{
	int64_t wait_ms = BACKOFF_FIRST_MS << (failures < 6 ? failures : 6);
	uint16_t chance;
	int64_t until;

	random_bytes(&chance, sizeof chance);
	wait_ms = wait_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait_ms;
	wait_ms -= wait_ms * chance / 2 / UINT16_MAX;
	until = clock_monotonic_ms() + wait_ms + 1000 * at_least_s;
	metric_add(METRIC_UPSTREAM_RETRIES, 1);
	while (!is_stopped(fill) && clock_monotonic_ms() < until)
		sleep_a_little();
}

/* Whether the spool holds the beginning of an object that upstream can prove to have the rest of. */
static bool can_resume(const struct fill *fill)
{
	return fill->length > 0 && object_validator(&fill->object);
}

/* Whether what a transfer ended with may pass with the same upstream. One that has given nothing yet is left
 * for the next one in the round. */
static bool may_pass(const struct fill *fill, enum verdict verdict)
{
	if (verdict == VERDICT_FAILED)
		return can_resume(fill) && fill->err.retry_after_s <= WAIT_MAX_S;
	return verdict == VERDICT_BROKEN || verdict == VERDICT_SLOW || verdict == VERDICT_RESTART;
}

/* Makes ready for another transfer from the same upstream. */
static bool prepare_again(struct fill *fill, enum verdict verdict)
{
	return (verdict != VERDICT_RESTART && (fill->length == 0 || can_resume(fill))) || begin_anew(fill);
}

/* A restart does not count as progress until it is further than ever: else an upstream that cannot resume and
 * always breaks off would be asked forever. Neither does what trickles. */
static enum verdict try_upstream(struct fill *fill)
{
	const struct upstream *upstream = &fill->tools->settings.upstreams[fill->fetch.upstream];
	int64_t furthest = fill->length;
	int64_t failures = 0; /* in a row, without progress */

	for (;;) {
		enum verdict verdict = fetch(fill);

		if (verdict == VERDICT_TAKE)
			return verify_and_keep(fill, upstream);
		if (is_stopped(fill) || !may_pass(fill, verdict))
			return verdict;
		failures = fill->length > furthest && verdict != VERDICT_SLOW ? 0 : failures + 1;
		furthest = fill->length > furthest ? fill->length : furthest;
		if (failures > fill->tools->settings.retries && fill->unproved)
			return VERDICT_FAILED;
		if (failures > fill->tools->settings.retries)
			return fill->length > 0 && !begin_anew(fill) ? VERDICT_FATAL : VERDICT_FAILED;
		if (!prepare_again(fill, verdict))
			return VERDICT_FATAL;
		back_off(fill, failures, fill->err.retry_after_s);
	}
}

/* Makes the spool ready for what this upstream will send. */
static bool prepare(struct fill *fill, size_t upstream)
{
	fill->fetch.upstream = upstream;
	if (can_resume(fill) && fill->source == upstream)
		return fill->inspector || inspect(fill);
	return (fill->inspector && fill->length == 0) || begin_anew(fill);
}

static bool take_any(void *context, const struct answer *answer, struct err *err)
{
	(void)context;
	(void)answer;
	(void)err;
	return true;
}

/* Whether an earlier process's draft, whose own upstream is silent, may go for what this one has: not before
 * it is known to have something. */
static bool may_replace_draft(struct fill *fill, size_t upstream, enum verdict *out)
{
	struct fetch head = fill->fetch;

	if (!fill->unproved || fill->source == upstream)
		return true;
	head.upstream = upstream;
	head.head_only = true;
	head.offset = 0;
	head.head = take_any;
	head.body = NULL;
	*out = fetch_run(&head, &fill->err);
	/* Some refuse every HEAD, and would answer a GET. */
	return *out == VERDICT_TAKE ||
	       (*out == VERDICT_FAILED && fill->err.code == ERR_UPSTREAM_FAILED);
}

/* Whether the fill is over, kept or refused; *absent tells whether the upstream said so. */
static bool try_one(struct fill *fill, size_t upstream, bool *absent, struct err *worst)
{
	enum verdict verdict;

	if (may_replace_draft(fill, upstream, &verdict)) {
		if (!prepare(fill, upstream))
			return true;
		verdict = try_upstream(fill);
	}
	fill->kept = verdict == VERDICT_KEPT;
	*absent = verdict == VERDICT_ABSENT;
	/* Nobody has the rest of it any more. */
	if (*absent && fill->source == upstream)
		fill->unproved = false;
	if (!fill->kept && !*absent)
		fetch_keep_worse(worst, &fill->err, fill->tools->settings.upstreams[upstream].name);
	return fill->kept || verdict == VERDICT_FATAL;
}

/* Asks each upstream once, the one whose bytes are here first; those that say absent are not asked again. */
static bool try_round(struct fill *fill, bool *absent, struct err *worst)
{
	size_t count = fill->tools->settings.upstream_count;
	size_t first = can_resume(fill) ? fill->source : count;

	if (first < count && !absent[first] && try_one(fill, first, &absent[first], worst))
		return true;
	for (size_t i = 0; i < count; i++) {
		if (i != first && !absent[i] && try_one(fill, i, &absent[i], worst))
			return true;
	}
	return false;
}

static bool all_absent(const bool *absent, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!absent[i])
			return false;
	}
	return true;
}

static bool *skip_others(const struct fill_tools *tools, const struct name *name)
{
	bool *skip = mem_zero(tools->settings.upstream_count, sizeof *skip);

	for (size_t i = 0; i < tools->settings.upstream_count; i++)
		skip[i] = !upstream_may_have(&tools->settings.upstreams[i], name);
	return skip;
}

static enum log_level loudness(enum err_code code)
{
	return code == ERR_NOT_FOUND     ? LOG_LEVEL_INFO
	       : code == ERR_QUARANTINED ? LOG_LEVEL_ERROR
					 : LOG_LEVEL_WARN;
}

static void end_refused(struct fill *fill, const struct err *why)
{
	/* Another process can go on with it, whereas a cancelled fill has ended for good. */
	bool stays = fill->bookmark && (is_stopped(fill) || fill->unproved) &&
		     !atomic_load(&fill->watch->cancelled);

	if (stays)
		spool_leave_draft(fill->spool);
	bookmark_close(TAKE(fill->bookmark), stays);
	metric_add(why->code == ERR_NOT_FOUND ? METRIC_FILLS_ABSENT : METRIC_FILLS_FAILED, 1);
	if (why->code == ERR_QUARANTINED)
		metric_add(METRIC_QUARANTINED, 1);
	log_event(loudness(why->code),
		why->code == ERR_QUARANTINED ? "upstream changed the bytes" : "fill failed", "name",
		name_path(fill->name).text, "format", formats[fill->name->format].name, "code",
		err_name(why->code), "why", why->text, NULL);
	/* Last: whoever is told finds it counted, and may ask again at once. */
	atomic_store(&fill->watch->refused, true);
	spool_refuse(fill->spool, why);
}

static void end_kept(struct fill *fill)
{
	bookmark_close(TAKE(fill->bookmark), false);
	metric_add(METRIC_FILLS_KEPT, 1);
	log_event(LOG_LEVEL_INFO, "fill kept", "name", name_path(fill->name).text, "format",
		formats[fill->name->format].name, "size", number_size(fill->length).text, NULL);
}

static void end_passed(struct fill *fill)
{
	metric_add(METRIC_FILLS_FAILED, 1);
	log_event(LOG_LEVEL_WARN, "fill passed on, and not kept", "name", name_path(fill->name).text,
		"format", formats[fill->name->format].name, "size", number_size(fill->length).text, NULL);
	/* Last: see end_refused. */
	atomic_store(&fill->watch->refused, true);
	spool_mark_passed(fill->spool);
}

static bool all_cooling(const struct fill *fill, const bool *absent)
{
	for (size_t i = 0; i < fill->tools->settings.upstream_count; i++) {
		if (!absent[i] && !health_is_cooling(fill->tools->health, i))
			return false;
	}
	return true;
}

/* Rounds end early where nobody can be reached: a site without a network is told so soon. */
static bool goes_on(const struct fill *fill, const bool *absent, int64_t round, int64_t started_ms)
{
	return round <= fill->tools->settings.retries && !is_stopped(fill) &&
	       clock_monotonic_ms() - started_ms <= 2000 * fill->tools->settings.connect_timeout_s &&
	       (round == 0 || !all_cooling(fill, absent));
}

/* Takes up what an earlier process has left in the spool, if its upstream is still there. */
static void take_up(struct fill *fill, const struct fill_row *row)
{
	const struct fill_settings *settings = &fill->tools->settings;

	bookmarks_settle(fill->tools->bookmarks, fill->name);
	space_adopt(fill->tools->space, &fill->claim, row->durable_bytes);
	for (size_t i = 0; i < settings->upstream_count; i++) {
		if (strcmp(settings->upstreams[i].name, row->upstream) != 0)
			continue;
		fill->source = i;
		fill->object.length = row->total_bytes;
		(void)snprintf(fill->object.etag, sizeof fill->object.etag, "%s", row->etag);
		(void)snprintf(fill->object.last_modified, sizeof fill->object.last_modified, "%s",
			row->last_modified);
		fill->bookmark = bookmark_open(
			fill->tools->bookmarks, fill->spool, fill->name, row->upstream, &fill->object);
		note_progress(fill, row->durable_bytes);
		fill->unproved = true;
		fill_watch_total(fill->watch, row->total_bytes);
		metric_add(METRIC_FILLS_CONTINUED, 1);
	}
}

static void end(struct fill *fill, const bool *absent, struct err *worst)
{
	if (fill->kept)
		return fill->passing ? end_passed(fill) : end_kept(fill);
	if (is_stopped(fill))
		(void)refuse_stopped(fill, worst);
	else if (all_absent(absent, fill->tools->settings.upstream_count))
		(void)fetch_note_absent(fill->tools, fill->name, worst);
	else if (worst->code == ERR_NONE && fill->err.code != ERR_NONE)
		*worst = fill->err;
	else if (worst->code == ERR_NONE)
		(void)err_set(worst, ERR_UPSTREAM_FAILED,
			"what was begun of %s cannot be gone on with; try again", name_path(fill->name).text);
	end_refused(fill, worst);
}

void fill_run(const struct fill_tools *tools, const struct name *name, struct spool *spool,
	const struct fill_row *row, const char *cdn_loop, struct fill_watch *watch)
{
	struct fill fill = {
		.tools = tools, .name = name, .spool = spool, .watch = watch, .object.length = -1};
	AUTO_FREE bool *absent = skip_others(tools, name);
	int64_t started_ms = clock_monotonic_ms();
	struct err worst = {0};
	bool over = false;

	fill.fetch = (struct fetch){.tools = tools,
		.name = name,
		.cdn_loop = cdn_loop,
		.watch = watch,
		.object = &fill.object,
		.head = take_head,
		.body = take_body,
		.context = &fill};
	metric_add(METRIC_FILLS_STARTED, 1);
	if (row)
		take_up(&fill, row);
	for (int64_t round = 0; !over && goes_on(&fill, absent, round, started_ms); round++) {
		if (round > 0)
			back_off(&fill, round - 1, 0);
		/* Others may only fail; a loop would have it sent round again. */
		over = try_round(&fill, absent, &worst) || worst.code == ERR_LOOP_DETECTED ||
		       all_absent(absent, tools->settings.upstream_count);
	}
	end(&fill, absent, &worst);
	inspector_destroy(fill.inspector);
	space_release(tools->space, &fill.claim);
}
