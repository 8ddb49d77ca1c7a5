/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/fill.h"

#include <stdatomic.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/breakers.h"
#include "server/registry/fetch.h"
#include "server/registry/following.h"
#include "server/registry/gate.h"
#include "server/registry/gather.h"
#include "server/registry/intake.h"
#include "server/registry/proof.h"
#include "server/registry/recall.h"
#include "server/registry/standings.h"
#include "server/registry/vouching.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_opening.h"

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 5000,
	BACKOFF_LOOK_MS = 20,
	WAIT_MAX_S = 30,
	DATABASE_LOOK_MS = 100
};

struct fill {
	const struct fill_tools *tools;
	const struct name *name;
	struct fill_progress *progress;
	struct fetch fetch;
	struct trail *trail;
	char cdn_loop[CDN_LOOP_MAX + 1]; /* what of it is sent */
	struct spool *spool;
	struct intake *intake;
	struct gather *gather; /* NULL: no single files are to be had, or none are known of */
	enum verdict denied;   /* … what the upstream said of the archive */
	struct standings standings;
	struct following following; /* of what other nodes fetch */
	struct err err;             /* why the last attempt failed */
	bool kept;                  /* or passed on whole */
	bool settled;               /* by what other nodes have */
	bool is_held;               /* kept, and held back */
	bool from_larder;           /* the upstream is one: it may attest something */
};

static bool is_stopped(const struct fill *fill)
{
	return atomic_load(&fill->progress->stop);
}

/* ---- one request ---- */

static void report(struct fill *fill)
{
	const struct upstream *upstream = &fill->tools->settings.upstreams[fill->fetch.upstream];

	following_report(&fill->following, upstream->name, intake_object(fill->intake));
}

static bool take_head(void *context, const struct answer *answer, struct err *err)
{
	struct fill *fill = context;

	if (!intake_head(fill->intake, fill->fetch.upstream, answer, err))
		return false;
	fill->from_larder = vouching_is_larder(answer);
	if (fill->fetch.offset > 0)
		metric_add(METRIC_UPSTREAM_RESUMES, 1);
	report(fill);
	return true;
}

static bool take_body(void *context, const void *bytes, size_t length, struct err *err)
{
	struct fill *fill = context;

	if (!intake_body(fill->intake, bytes, length, err))
		return false;
	report(fill);
	return true;
}

/* A request whose answer finds no room beside other fills is made again once they have let go. */
static enum verdict run_in_turn(struct fill *fill)
{
	enum verdict verdict;

	do
		verdict = fetch_run(&fill->fetch, &fill->err);
	while (verdict == VERDICT_FATAL && intake_await_room(fill->intake, &fill->err));
	return verdict;
}

/* As single files, where that is how it has it. */
static enum verdict ask(struct fill *fill)
{
	struct err why = {0};
	enum verdict verdict;

	if (!gather_is_from(fill->gather, fill->fetch.upstream)) {
		gather_destroy(TAKE(fill->gather));
		verdict = run_in_turn(fill);
		if (intake_bytes(fill->intake) > 0 || !gather_is_possible(&fill->fetch, verdict))
			return verdict;
		fill->gather = gather_create(&fill->fetch, fill->intake);
		why = fill->err;
		fill->denied = verdict;
	}
	verdict = gather_run(fill->gather, &fill->err);
	if (verdict != VERDICT_ABSENT)
		return verdict;
	fill->err = why;
	return fill->denied;
}

static enum verdict fetch(struct fill *fill)
{
	struct intake *intake = fill->intake;
	enum verdict verdict;

	fill->err = (struct err){0};
	/* An earlier process had it all: what is whole and sound needs no more proof. */
	if (intake_is_whole(intake)) {
		intake_prove(intake);
		return VERDICT_TAKE;
	}
	intake_begin_answer(intake);
	fill->fetch.offset = intake_bytes(intake);
	verdict = ask(fill);
	if (verdict == VERDICT_FATAL && intake_has_run_full(intake))
		return intake_pass_through(intake, &fill->err) ? VERDICT_BROKEN : VERDICT_FATAL;
	if (verdict != VERDICT_TAKE || !intake_is_short(intake))
		return verdict;
	(void)fetch_refuse_short(&fill->err);
	return VERDICT_BROKEN;
}

/* ---- the bytes are there ---- */

static bool await_database(const struct fill *fill, int64_t until_ms)
{
	bool is_free = false;

	metric_add(METRIC_COMMITS_WAITING, 1);
	while (!is_free && !is_stopped(fill) && clock_monotonic_ms() < until_ms) {
		clock_sleep_ms(DATABASE_LOOK_MS);
		is_free = catalog_is_free(fill->tools->catalog);
	}
	metric_add(METRIC_COMMITS_WAITING, -1);
	return is_free;
}

/* Waits for another process that has the database as long as an upload would. */
static bool commit(struct fill *fill, const struct origin *origin, enum deposited deposited,
	const struct inspection *inspection, struct err *err)
{
	int64_t until_ms = clock_monotonic_ms() + 1000 * fill->tools->settings.commit_timeout_s;
	enum kept kept;

	while (!committer_commit(
		fill->tools->committer, fill->spool, fill->name, origin, deposited, inspection, &kept, err)) {
		if (err->code != ERR_BUSY || !await_database(fill, until_ms))
			return false;
	}
	return true;
}

static bool deposit_and_commit(
	struct fill *fill, const struct origin *origin, const struct inspection *inspection, struct err *err)
{
	enum deposited deposited;

	return committer_deposit(fill->tools->committer, fill->spool, fill->name, origin, inspection,
		       &deposited, err) &&
	       commit(fill, origin, deposited, inspection, err);
}

/* In pass-through, what clients were given must be as true, though nothing stays of it. */
static bool keep(
	struct fill *fill, const struct origin *origin, const struct inspection *inspection, struct err *err)
{
	return intake_passes_through(fill->intake)
		       ? committer_compare(fill->tools->committer, fill->name, origin, inspection, err) &&
				 recall_compare(fill->tools, fill->name, &inspection->checksums.sha256, err)
		       : deposit_and_commit(fill, origin, inspection, err);
}

/* What is held back reaches no client whole: its end was held back until now. */
static bool is_given_out(struct fill *fill, const struct origin *origin)
{
	fill->is_held = !gate_is_open(
		fill->tools->catalog, fill->name, origin, intake_passes_through(fill->intake), &fill->err);
	return !fill->is_held;
}

/* Waits for the inspector and keeps what it passed. */
static enum verdict verify_and_keep(struct fill *fill, const struct upstream *upstream)
{
	struct origin origin = {.source = SOURCE_MIRRORED, .who = upstream->name};
	struct safety_judgement judgement;
	AUTO_INSPECTION struct inspection inspection = {0};
	enum verdict verdict;

	fill_progress_verify(fill->progress);
	if (!intake_conclude(fill->intake, &inspection, &fill->err) ||
		(atomic_load(&fill->progress->cancelled) &&
			!fill_progress_refuse_stopped(fill->progress, &fill->err)))
		return VERDICT_FATAL;
	if (!intake_is_as_told(fill->intake, &inspection, &fill->err)) {
		intake_disown(fill->intake);
		return VERDICT_FAILED;
	}
	if (gate_finds_violation(inspection.examination, &fill->err) ||
		!gate_judge(fill->tools->settings.safety, fill->name, inspection.examination, &origin,
			&judgement, &fill->err)) {
		intake_disown(fill->intake);
		intake_explain(fill->intake, &fill->err);
		return intake_is_certain(fill->intake, &inspection) ? VERDICT_REFUSED : VERDICT_FAILED;
	}
	verdict = intake_may_be_cut(fill->intake, inspection.examination, &fill->err)
			  ? VERDICT_FAILED
			  : vouching_check(&fill->fetch, fill->from_larder, &inspection.checksums.sha256,
				    &fill->err);
	if (verdict != VERDICT_TAKE) {
		intake_disown(fill->intake);
		return verdict;
	}
	intake_warn(fill->intake, inspection.examination);
	return keep(fill, &origin, &inspection, &fill->err) && is_given_out(fill, &origin) ? VERDICT_KEPT
											   : VERDICT_FATAL;
}

/* ---- what other nodes have ---- */

static bool keep_recalled(struct fill *fill, const struct identity *identity)
{
	struct origin origin = {.source = identity->source, .who = identity->who};
	struct safety_judgement judgement;
	AUTO_INSPECTION struct inspection inspection = {0};

	fill_progress_verify(fill->progress);
	return intake_conclude(fill->intake, &inspection, &fill->err) &&
	       (!atomic_load(&fill->progress->cancelled) ||
		       fill_progress_refuse_stopped(fill->progress, &fill->err)) &&
	       recall_check(fill->name, identity, &inspection, &fill->err) &&
	       gate_judge(fill->tools->settings.safety, fill->name, inspection.examination, &origin,
		       &judgement, &fill->err) &&
	       recall_confirm(fill->tools, fill->name, &fill->err) &&
	       commit(fill, &origin, DEPOSITED_BEFORE, &inspection, &fill->err) &&
	       is_given_out(fill, &origin);
}

/* No upstream needs to be waited for meanwhile. */
static void give_turn_back(struct fill *fill)
{
	struct turn *granted = fill->fetch.granted;

	if (granted && granted->is_taken)
		breakers_leave(fill->tools->breakers, granted);
}

static enum recall take_recalled(struct fill *fill, const struct identity *identity)
{
	give_turn_back(fill);
	return recall_take(fill->tools, fill->name, identity, fill->intake, fill->progress, &fill->err);
}

/* Whether the fill is over with what they have, or may not go on without. */
static bool try_recall(struct fill *fill)
{
	struct identity identity;
	enum recall found = recall_find(fill->tools, fill->name, &identity, &fill->err);

	fill->is_held = found == RECALL_REFUSED && fill->err.code == ERR_QUARANTINED;
	if (found == RECALL_FOUND)
		found = take_recalled(fill, &identity);
	fill->settled = found != RECALL_NOTHING;
	fill->kept = found == RECALL_FOUND && keep_recalled(fill, &identity);
	return fill->settled;
}

static bool leads(struct fill *fill)
{
	trail_read(fill->trail, fill->cdn_loop);
	return following_leads(&fill->following);
}

/* Until this node is the one to ask upstreams, for all of them. */
static bool consult(struct fill *fill)
{
	bool over = try_recall(fill);

	if (!over && vault_is_shared(fill->tools->vault))
		give_turn_back(fill);
	while (!over && !is_stopped(fill) && !leads(fill))
		over = try_recall(fill);
	return over;
}

/* ---- attempts ---- */

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
		clock_sleep_ms(BACKOFF_LOOK_MS);
}

/* Whether what a transfer ended with may pass with the same upstream. One that has given nothing yet is left
 * for the next one in the round. */
static bool may_pass(const struct fill *fill, enum verdict verdict)
{
	if (verdict == VERDICT_FAILED)
		return intake_can_resume(fill->intake) && fill->err.retry_after_s <= WAIT_MAX_S;
	return verdict == VERDICT_BROKEN || verdict == VERDICT_SLOW || verdict == VERDICT_RESTART;
}

/* Makes ready for another transfer from the same upstream. */
static bool prepare_again(struct fill *fill, enum verdict verdict)
{
	struct intake *intake = fill->intake;

	if (verdict != VERDICT_RESTART && (intake_bytes(intake) == 0 || intake_can_resume(intake)))
		return true;
	return intake_begin_anew(intake, &fill->err);
}

/* The next upstream begins anew, unless clients have bytes of this one's. What an earlier process left waits
 * on. */
static enum verdict give_up(struct fill *fill)
{
	struct intake *intake = fill->intake;

	return intake_is_unproved(intake) || intake_bytes(intake) == 0 ||
			       intake_begin_anew(intake, &fill->err)
		       ? VERDICT_FAILED
		       : VERDICT_FATAL;
}

static int64_t progress_of(const struct fill *fill)
{
	return intake_bytes(fill->intake) + gather_bytes(fill->gather);
}

/* A restart does not count as progress until it is further than ever: else an upstream that cannot resume and
 * always breaks off would be asked forever. Neither does what trickles. */
static enum verdict try_upstream(struct fill *fill)
{
	const struct upstream *upstream = &fill->tools->settings.upstreams[fill->fetch.upstream];
	int64_t furthest = progress_of(fill);
	int64_t failures = 0; /* in a row, without progress */

	for (;;) {
		enum verdict verdict = fetch(fill);

		if (verdict == VERDICT_TAKE)
			return verify_and_keep(fill, upstream);
		if (is_stopped(fill) || !may_pass(fill, verdict))
			return verdict;
		failures = progress_of(fill) > furthest && verdict != VERDICT_SLOW ? 0 : failures + 1;
		furthest = progress_of(fill) > furthest ? progress_of(fill) : furthest;
		if (failures > fill->tools->settings.retries)
			return give_up(fill);
		if (!prepare_again(fill, verdict))
			return VERDICT_FATAL;
		back_off(fill, failures, fill->err.retry_after_s);
	}
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

	if (!intake_is_draft_of_another(fill->intake, upstream))
		return true;
	head.upstream = upstream;
	head.head_only = true;
	head.offset = 0;
	head.head = take_any;
	head.body = NULL;
	*out = fetch_run(&head, &fill->err);
	/* Some refuse every HEAD, and would answer a GET. */
	return *out == VERDICT_TAKE || *out == VERDICT_HEADLESS ||
	       (*out != VERDICT_ABSENT && fill->err.code == ERR_UPSTREAM_FAILED);
}

/* Whether the fill is over, kept or refused. */
static bool try_one(struct fill *fill, size_t upstream)
{
	enum verdict verdict;
	bool asked = may_replace_draft(fill, upstream, &verdict);

	if (asked) {
		fill->fetch.upstream = upstream;
		if (!intake_prepare(fill->intake, upstream, &fill->err))
			return true;
		verdict = try_upstream(fill);
	}
	fill->kept = verdict == VERDICT_KEPT;
	if (!asked && verdict == VERDICT_ABSENT) {
		standings_doubt(&fill->standings, upstream);
		return false;
	}
	if (verdict == VERDICT_ABSENT && intake_lose_source(fill->intake, upstream))
		standings_reopen(&fill->standings);
	standings_note(&fill->standings, upstream, verdict, &fill->err);
	return fill->kept || verdict == VERDICT_FATAL;
}

/* Asks each upstream once, the one whose bytes are here first; those that said no for good are not asked
 * again. */
static bool try_round(struct fill *fill)
{
	size_t count = fill->tools->settings.upstream_count;
	size_t first = intake_source(fill->intake, count);

	if (first < count && standings_is_open(&fill->standings, first) && try_one(fill, first))
		return true;
	for (size_t i = 0; i < count; i++) {
		if (i != first && standings_is_open(&fill->standings, i) && try_one(fill, i))
			return true;
	}
	return false;
}

/* A refusal of what was sent along is none for who has joined since, and has not sent that. Who comes once
 * nobody is to be asked any more joins nothing. */
static bool is_in_loop(struct fill *fill)
{
	return fill->standings.worst.code == ERR_LOOP_DETECTED &&
	       (intake_bytes(fill->intake) > 0 || trail_close(fill->trail, fill->cdn_loop));
}

/* One more round; whether that was the last. Others may only fail; a loop would have it sent round again. */
static bool go_round(struct fill *fill)
{
	do {
		standings_forget_loop(&fill->standings);
		trail_read(fill->trail, fill->cdn_loop);
		if (try_round(fill) || is_stopped(fill) || is_in_loop(fill))
			return true;
	} while (fill->standings.worst.code == ERR_LOOP_DETECTED);
	return standings_all_settled(&fill->standings);
}

static void end_refused(struct fill *fill, const struct err *why)
{
	/* Another process can go on with it, whereas a cancelled fill has ended for good. */
	bool stays = (is_stopped(fill) || intake_is_unproved(fill->intake)) &&
		     !atomic_load(&fill->progress->cancelled);

	intake_end(fill->intake, stays);
	metric_add(why->code == ERR_NOT_FOUND ? METRIC_FILLS_ABSENT : METRIC_FILLS_FAILED, 1);
	if (why->code == ERR_QUARANTINED)
		metric_add(METRIC_QUARANTINED, 1);
	log_event(fill->is_held ? LOG_LEVEL_WARN : verdict_loudness(why->code),
		fill->is_held                  ? "held back"
		: why->code == ERR_QUARANTINED ? "upstream changed the bytes"
					       : "fill failed",
		"name", name_path(fill->name).text, "format", formats[fill->name->format].name, "code",
		err_name(why->code), "why", why->text, NULL);
	if (!is_stopped(fill))
		failed_fills_note(fill->tools->failed_fills, fill->name, why);
	/* Last: whoever is told finds it counted, and may ask again at once. */
	atomic_store(&fill->progress->refused, true);
	spool_refuse(fill->spool, why);
}

static void end_kept(struct fill *fill)
{
	intake_end(fill->intake, false);
	metric_add(METRIC_FILLS_KEPT, 1);
	log_event(LOG_LEVEL_INFO, "fill kept", "name", name_path(fill->name).text, "format",
		formats[fill->name->format].name, "size", number_size(intake_bytes(fill->intake)).text, NULL);
	/* Last: see end_refused. */
	spool_mark_kept(fill->spool);
}

static void end_passed(struct fill *fill)
{
	struct err why;

	metric_add(METRIC_FILLS_FAILED, 1);
	log_event(LOG_LEVEL_WARN, "fill passed on, and not kept", "name", name_path(fill->name).text,
		"format", formats[fill->name->format].name, "size",
		number_size(intake_bytes(fill->intake)).text, NULL);
	(void)err_set(&why, ERR_NO_SPACE, "it was passed on to its clients; there is no room to keep it");
	if (!is_stopped(fill))
		failed_fills_note(fill->tools->failed_fills, fill->name, &why);
	/* Last: see end_refused. */
	atomic_store(&fill->progress->refused, true);
	spool_mark_passed(fill->spool);
}

static bool all_cooling(const struct fill *fill)
{
	for (size_t i = 0; i < fill->tools->settings.upstream_count; i++) {
		if (standings_is_open(&fill->standings, i) && !breakers_is_cooling(fill->tools->breakers, i))
			return false;
	}
	return true;
}

/* Rounds end early where nobody can be reached: a site without a network is told so soon. */
static bool goes_on(const struct fill *fill, int64_t round, int64_t started_ms)
{
	return round <= fill->tools->settings.retries && !is_stopped(fill) &&
	       clock_monotonic_ms() - started_ms <= 2000 * fill->tools->settings.connect_timeout_s &&
	       !(round > 0 && all_cooling(fill));
}

static void end(struct fill *fill)
{
	struct err why = {0};

	if (fill->kept)
		return intake_passes_through(fill->intake) ? end_passed(fill) : end_kept(fill);
	if (is_stopped(fill))
		(void)fill_progress_refuse_stopped(fill->progress, &why);
	else if (fill->settled)
		why = fill->err;
	else if (standings_conclude(&fill->standings, fill->name, &why)) {
		if (standings_all_settled(&fill->standings) &&
			(why.code == ERR_NOT_FOUND || why.code == ERR_UPSTREAM_FAILED))
			fetch_remember(fill->tools, fill->name, &why);
	} else if (fill->err.code != ERR_NONE)
		why = fill->err;
	else
		(void)err_set(&why, ERR_UPSTREAM_FAILED,
			"what was begun of %s cannot be gone on with; try again", name_path(fill->name).text);
	end_refused(fill, &why);
}

void fill_run(const struct fill_tools *tools, const struct fill_order *order)
{
	const struct fill_settings *settings = &tools->settings;
	struct fill fill = {.tools = tools,
		.name = order->name,
		.trail = order->trail,
		.spool = order->spool,
		.progress = order->progress};
	int64_t started_ms = clock_monotonic_ms();
	bool over = false;

	fill.intake = intake_create(tools, order->name, order->spool, order->progress);
	fill.fetch = (struct fetch){.tools = tools,
		.name = order->name,
		.cdn_loop = fill.cdn_loop,
		.progress = order->progress,
		.ticket = order->ticket,
		.granted = order->granted,
		.object = intake_object(fill.intake),
		.head = take_head,
		.body = take_body,
		.context = &fill};
	following_init(&fill.following, tools, order->name, fill.cdn_loop, fill.intake, order->progress);
	standings_init(&fill.standings, settings->upstreams, settings->upstream_count, order->name);
	metric_add(METRIC_FILLS_STARTED, 1);
	if (order->row)
		intake_take_up(fill.intake, order->row);
	over = consult(&fill);
	for (int64_t round = 0; !over && goes_on(&fill, round, started_ms); round++) {
		if (round > 0)
			back_off(&fill, round - 1, 0);
		over = go_round(&fill);
	}
	gather_destroy(fill.gather);
	end(&fill);
	following_finish(&fill.following, fill.kept);
	intake_destroy(fill.intake);
	standings_finish(&fill.standings);
}
