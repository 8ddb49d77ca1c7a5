/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/fill.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/verdict.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, TOKEN_BYTES_MAX = 8192 };

struct fill {
	const struct fill_tools *tools;
	const struct name *name;
	struct spool *spool;
	const char *cdn_loop;
	struct fill_watch *watch;
	struct inspector *inspector;
	struct object object; /* whose bytes the spool holds */
	int64_t length;       /* bytes in the spool */
	/* Set by the receiver while a transfer runs. */
	enum verdict verdict;
	struct err err; /* why the last attempt failed */
	bool kept;
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

static void set_length(struct fill *fill, int64_t length)
{
	fill->length = length;
	fill_watch_bytes(fill->watch, length, clock_monotonic_ms());
}

/* ---- the receiver: on the client's thread
 * ------------------------------------------------------------------------- */

static bool has_room(struct fill *fill, int64_t more)
{
	int64_t keep_free = fill->tools->settings.keep_free_bytes;
	int64_t free_bytes;

	if (!blobs_free_bytes(fill->tools->blobs, &free_bytes, &fill->err))
		return false;
	if (more <= free_bytes - keep_free)
		return true;
	return err_set(&fill->err, ERR_NO_SPACE,
		"there is no room for %s more: %s are free and %s of them stay so", number_size(more).text,
		number_size(free_bytes).text, number_size(keep_free).text);
}

static bool take_head(void *context, const struct answer *answer)
{
	struct fill *fill = context;

	fill->verdict = verdict_of_answer(answer, &fill->object, fill->length, &fill->err);
	if (fill->verdict != VERDICT_TAKE)
		return false;
	if (fill->length == 0)
		fill->object = object_of_answer(answer);
	else
		metric_add(METRIC_UPSTREAM_RESUMES, 1);
	fill_watch_total(fill->watch, fill->object.length);
	if (!has_room(fill, answer->length > 0 ? answer->length : 0))
		fill->verdict = VERDICT_FATAL;
	return fill->verdict == VERDICT_TAKE;
}

static bool take_body(void *context, const void *bytes, size_t length)
{
	struct fill *fill = context;

	if (inspector_has_given_up(fill->inspector))
		return false;
	if (!spool_append(fill->spool, bytes, length, &fill->err)) {
		fill->verdict = VERDICT_FATAL;
		return false;
	}
	set_length(fill, fill->length + (int64_t)length);
	return true;
}

/* ---- one transfer
 * ------------------------------------------------------------------------------------------------- */

/* The bearer token of an upstream, read anew each time so that it can be rotated; *out is NULL where there is
 * none. */
static bool read_token(const struct upstream *upstream, char **out, struct err *err)
{
	AUTO_BUFFER struct buffer token = {0};

	*out = NULL;
	if (!upstream->bearer_token_file)
		return true;
	if (!file_read_all(upstream->bearer_token_file, TOKEN_BYTES_MAX, &token, err))
		return err_set(err, ERR_UPSTREAM_FAILED, "its bearer_token_file cannot be read");
	while (token.length > 0 && strchr(" \t\r\n", token.data[token.length - 1]))
		token.data[--token.length] = '\0';
	*out = buffer_take(&token);
	return true;
}

/* What the transport's end means, where the head was not refused. */
static enum verdict of_outcome(struct fill *fill, enum transfer_outcome outcome, const struct err *why)
{
	switch (outcome) {
	case TRANSFER_DONE:
		return VERDICT_TAKE;
	case TRANSFER_BROKEN:
		(void)err_set(&fill->err, ERR_UPSTREAM_FAILED, "%s", why->text);
		return VERDICT_BROKEN;
	case TRANSFER_UNREACHABLE:
		(void)err_set(&fill->err, ERR_UPSTREAM_UNREACHABLE, "%s", why->text);
		return VERDICT_FAILED;
	case TRANSFER_STOPPED:
		/* By the inspector: what it found is said when the spool is judged. */
		if (!is_stopped(fill))
			return VERDICT_TAKE;
		(void)refuse_stopped(fill, &fill->err);
		return VERDICT_FATAL;
	default:
		(void)err_set(&fill->err, ERR_UPSTREAM_FAILED, "%s", why->text);
		return VERDICT_FAILED;
	}
}

static enum verdict transfer(struct fill *fill, const struct upstream *upstream,
	const struct transfer_request *base, const struct receiver *receiver)
{
	AUTO_FREE char *url = upstream_url(upstream, fill->name);
	AUTO_FREE char *token = NULL;
	struct transfer_request request = *base;
	enum transfer_outcome outcome;
	struct err why = {0};

	if (!read_token(upstream, &token, &fill->err))
		return VERDICT_FAILED;
	request.url = url;
	request.bearer_token = token;
	request.ca_file = upstream->ca_file;
	request.rate_bytes_per_s = upstream->rate_bytes_per_s;
	request.cdn_loop = fill->cdn_loop;
	fill->verdict = VERDICT_TAKE;
	fill_watch_attempt(fill->watch, upstream->name);
	outcome = client_transfer(fill->tools->client, &request, receiver, &fill->watch->stop, &why);
	return fill->verdict != VERDICT_TAKE ? fill->verdict : of_outcome(fill, outcome, &why);
}

static enum verdict fetch(struct fill *fill, const struct upstream *upstream)
{
	const struct receiver receiver = {take_head, take_body, fill};
	const struct transfer_request request = {
		.range_first = fill->length,
		.if_range = fill->length > 0 ? object_validator(&fill->object) : NULL,
	};

	return transfer(fill, upstream, &request, &receiver);
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

/* Waits for the inspector and keeps what it passed. */
static enum verdict verify_and_keep(struct fill *fill, const struct upstream *upstream)
{
	const struct origin origin = {SOURCE_MIRRORED, upstream->name};
	AUTO_INSPECTION struct inspection inspection = {0};
	enum kept kept;

	fill_watch_state(fill->watch, FILL_VERIFYING);
	spool_complete(fill->spool);
	if (!inspector_wait(fill->inspector, &inspection, &fill->err))
		return VERDICT_FATAL;
	if (atomic_load(&fill->watch->cancelled) && !refuse_stopped(fill, &fill->err))
		return VERDICT_FATAL;
	if (has_violation(inspection.examination, &fill->err))
		return VERDICT_FAILED;
	if (!keeper_keep(
		    fill->tools->keeper, fill->spool, fill->name, &origin, &inspection, &kept, &fill->err))
		return VERDICT_FATAL;
	return VERDICT_KEPT;
}

/* Drops what the spool holds; false once clients have seen some of it. */
static bool begin_anew(struct fill *fill)
{
	struct err err;

	spool_complete(fill->spool);
	inspector_destroy(TAKE(fill->inspector));
	if (!spool_restart(fill->spool))
		return false;
	set_length(fill, 0);
	fill->object = (struct object){.length = -1};
	if (inspector_start(
		    fill->spool, fill->name->format, &fill->tools->settings.limits, &fill->inspector, &err))
		return true;
	fill->err = err;
	return false;
}

/* ---- attempts
 * ----------------------------------------------------------------------------------------------------- */

/* Waits longer after each failure, by chance up to half of it less, so that many fills do not return at once.
 */
static void back_off(struct fill *fill, int64_t failures)
{
	int64_t wait_ms = BACKOFF_FIRST_MS << (failures < 6 ? failures : 6);
	uint16_t chance;
	int64_t until;

	random_bytes(&chance, sizeof chance);
	wait_ms = wait_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait_ms;
	until = clock_monotonic_ms() + wait_ms - wait_ms * chance / 2 / UINT16_MAX;
	metric_add(METRIC_UPSTREAM_RETRIES, 1);
	while (!is_stopped(fill) && clock_monotonic_ms() < until) {
		const struct timespec slice = {.tv_nsec = 20 * 1000 * 1000};

		(void)nanosleep(&slice, NULL);
	}
}

/* Whether a transfer that ended so is to be tried again with the same upstream, made ready for it. */
static bool prepare_again(struct fill *fill, enum verdict verdict)
{
	if (verdict == VERDICT_BROKEN && (fill->length == 0 || object_validator(&fill->object)))
		return true;
	return (verdict == VERDICT_BROKEN || verdict == VERDICT_RESTART) && begin_anew(fill);
}

static enum verdict try_upstream(struct fill *fill, const struct upstream *upstream)
{
	int64_t failures = 0; /* in a row, without a byte of progress */
	int64_t furthest = fill->length; /* an upstream without ranges must not begin anew for ever */

	for (;;) {
		enum verdict verdict = fetch(fill, upstream);

		if (verdict == VERDICT_TAKE)
			return verify_and_keep(fill, upstream);
		if (verdict != VERDICT_BROKEN && verdict != VERDICT_RESTART)
			return verdict;
		failures = fill->length > furthest ? 0 : failures + 1;
		furthest = fill->length > furthest ? fill->length : furthest;
		if (failures > fill->tools->settings.retries)
			return fill->length > 0 && !begin_anew(fill) ? VERDICT_FATAL : VERDICT_FAILED;
		if (!prepare_again(fill, verdict))
			return VERDICT_FATAL;
		back_off(fill, failures);
	}
}

/* Which of two failures the client is told: what failed says more than what could not be reached. */
static void keep_worse(struct err *worst, const struct err *err, const struct upstream *upstream)
{
	if (worst->code == ERR_UPSTREAM_FAILED && err->code != ERR_UPSTREAM_FAILED)
		return;
	*worst = *err;
	(void)err_prefix(worst, "upstream %s: ", upstream->name);
}

/* Asks each upstream once; those that say absent are not asked again. True when the fill is over, kept or
 * refused. */
static bool try_round(struct fill *fill, bool *absent, struct err *worst)
{
	const struct fill_settings *settings = &fill->tools->settings;

	for (size_t i = 0; i < settings->upstream_count; i++) {
		const struct upstream *upstream = &settings->upstreams[i];
		enum verdict verdict;

		if (absent[i])
			continue;
		if (!fill->inspector || fill->length > 0) {
			if (!begin_anew(fill))
				return true;
		}
		verdict = try_upstream(fill, upstream);
		fill->kept = verdict == VERDICT_KEPT;
		if (fill->kept)
			return true;
		absent[i] = verdict == VERDICT_ABSENT;
		if (!absent[i])
			keep_worse(worst, &fill->err, upstream);
		if (verdict == VERDICT_FATAL)
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

static void remember_absent(const struct fill_tools *tools, const struct name *name)
{
	struct err err;

	/* Not remembered is asked again: no reason to fail. */
	if (!catalog_remember_absent(
		    tools->catalog, name, clock_now_s() + tools->settings.negative_ttl_s, &err))
		log_event(LOG_LEVEL_WARN, "an absence is not remembered", "name", name_path(name).text, "why",
			err.text, NULL);
}

static bool *skip_others(const struct fill_tools *tools, const struct name *name)
{
	bool *skip = mem_zero(tools->settings.upstream_count, sizeof *skip);

	for (size_t i = 0; i < tools->settings.upstream_count; i++)
		skip[i] = !upstream_may_have(&tools->settings.upstreams[i], name);
	return skip;
}

static void end_refused(struct fill *fill, const struct err *why)
{
	spool_refuse(fill->spool, why);
	metric_add(why->code == ERR_NOT_FOUND ? METRIC_FILLS_ABSENT : METRIC_FILLS_FAILED, 1);
	log_event(why->code == ERR_NOT_FOUND ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "fill failed", "name",
		name_path(fill->name).text, "format", formats[fill->name->format].name, "code",
		err_name(why->code), "why", why->text, NULL);
}

static void end_kept(struct fill *fill)
{
	metric_add(METRIC_FILLS_KEPT, 1);
	log_event(LOG_LEVEL_INFO, "fill kept", "name", name_path(fill->name).text, "format",
		formats[fill->name->format].name, "size", number_size(fill->length).text, NULL);
}

/* Rounds end early where nobody can be reached: a site without a network is told so soon. */
static bool goes_on(const struct fill *fill, int64_t round, int64_t started_ms)
{
	return round <= fill->tools->settings.retries && !is_stopped(fill) &&
	       clock_monotonic_ms() - started_ms <= 2000 * fill->tools->settings.connect_timeout_s;
}

void fill_run(const struct fill_tools *tools, const struct name *name, struct spool *spool,
	const char *cdn_loop, struct fill_watch *watch)
{
	struct fill fill = {
		.tools = tools, .name = name, .spool = spool, .cdn_loop = cdn_loop, .watch = watch};
	AUTO_FREE bool *absent = skip_others(tools, name);
	int64_t started_ms = clock_monotonic_ms();
	struct err worst = {0};
	bool over = false;

	metric_add(METRIC_FILLS_STARTED, 1);
	for (int64_t round = 0; !over && goes_on(&fill, round, started_ms); round++) {
		if (round > 0)
			back_off(&fill, round - 1);
		over = try_round(&fill, absent, &worst) || all_absent(absent, tools->settings.upstream_count);
	}
	if (fill.kept) {
		end_kept(&fill);
	} else if (all_absent(absent, tools->settings.upstream_count)) {
		(void)err_set(&worst, ERR_NOT_FOUND, "%s is not here, and no upstream has it",
			name_path(name).text);
		remember_absent(tools, name);
		end_refused(&fill, &worst);
	} else {
		if (worst.code == ERR_NONE || is_stopped(&fill))
			(void)refuse_stopped(&fill, &worst);
		end_refused(&fill, &worst);
	}
	inspector_destroy(fill.inspector);
}

/* ---- HEAD
 * ---------------------------------------------------------------------------------------------------------
 */

static bool note_head(void *context, const struct answer *answer)
{
	struct fill *fill = context;

	fill->verdict = verdict_of_answer(answer, &fill->object, 0, &fill->err);
	if (fill->verdict == VERDICT_TAKE)
		fill->object = object_of_answer(answer);
	return fill->verdict == VERDICT_TAKE;
}

static bool drop_body(void *context, const void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	return true;
}

bool fill_ask_size(const struct fill_tools *tools, const struct name *name, const char *cdn_loop,
	int64_t *out_bytes, struct err *err)
{
	AUTO(fill_watch_finish) struct fill_watch unwatched;
	struct fill fill = {.tools = tools, .name = name, .cdn_loop = cdn_loop, .watch = &unwatched};
	const struct receiver receiver = {note_head, drop_body, &fill};
	const struct transfer_request request = {.head_only = true};
	struct err worst = {0};

	fill_watch_init(&unwatched);
	for (size_t i = 0; i < tools->settings.upstream_count; i++) {
		const struct upstream *upstream = &tools->settings.upstreams[i];
		enum verdict verdict;

		if (!upstream_may_have(upstream, name))
			continue;
		verdict = transfer(&fill, upstream, &request, &receiver);
		if (verdict == VERDICT_TAKE) {
			*out_bytes = fill.object.length;
			return true;
		}
		if (verdict != VERDICT_ABSENT)
			keep_worse(&worst, &fill.err, upstream);
	}
	if (worst.code == ERR_NONE) {
		remember_absent(tools, name);
		return err_set(
			err, ERR_NOT_FOUND, "%s is not here, and no upstream has it", name_path(name).text);
	}
	*err = worst;
	return false;
}
