/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/config.h"
#include "server/http/clientkey.h"
#include "server/http/problem.h"
#include "server/kagglehub/alarms.h"
#include "server/kagglehub/kaggle_way.h"
#include "server/metrics.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/store/catalog/catalog_known.h"

/* Clients up to 0.3 wait for 15 seconds, and follow 30 redirects. */
enum { ROUND_MS = 10000, ROUNDS_MAX = 24 };

/* That upstreams are asked for: the framework's own, then whatever is in an archive. */
enum { FETCHED_FORMATS = 2 };

struct errand {
	struct services *services;
	const struct errand_kind *kind;
	struct model_ref ref;
	enum format formats[FORMAT_COUNT];
	size_t at;                 /* the format that is tried */
	struct err first;          /* what the first one failed with */
	struct spool *spool;       /* of the fill that is waited for, or NULL */
	struct question *question; /* … or what an upstream is asked, or NULL */
	struct alarm alarm;
	int64_t newest;      /* of those that were found so far; 0: none was */
	int64_t rings_at_ms; /* 0: never */
	int64_t rounds;      /* that were waited for already */
};

static void let_go(struct errand *errand)
{
	if (errand->spool) {
		metric_add(METRIC_FILL_WAITERS, -1);
		spool_add_readers(errand->spool, -1);
	}
	spool_release(TAKE(errand->spool));
	question_release(TAKE(errand->question));
}

static void destroy(void *object)
{
	struct errand *errand = object;

	alarms_unset(errand->services->alarms, &errand->alarm);
	let_go(errand);
	model_ref_finish(&errand->ref);
	free(errand);
}

static bool has_kaggle(const struct config *config)
{
	bool has = false;

	for (size_t i = 0; i < config->upstream_count && !has; i++)
		has = config->upstreams[i].kind == UPSTREAM_KAGGLE;
	return has;
}

static void fail(struct errand *errand, const struct err *why, struct reply *reply)
{
	struct err err = *why;
	size_t used = strlen(err.text);

	/* What kagglehub asks for is Kaggle's, it seems to whoever uses it. */
	if (err.code == ERR_NOT_FOUND && !has_kaggle(errand->services->config))
		(void)snprintf(err.text + used, sizeof err.text - used,
			"; Kaggle is not asked: no upstream here has kind = kaggle");
	problem_reply(reply, &err);
	destroy(errand);
}

static void tell(struct errand *errand, const struct request *request, const struct artifact *artifact,
	struct reply *reply)
{
	errand->kind->tell(errand->services, &errand->ref, request, artifact, reply);
	destroy(errand);
}

/* ---- waiting ---- */

static bool join_spool(void *object, struct waiter *waiter)
{
	struct errand *errand = object;
	struct spool_progress seen = {0};

	do {
		(void)spool_await(errand->spool, &seen, NULL);
		if (seen.state == SPOOL_KEPT || seen.state == SPOOL_PASSED || seen.state == SPOOL_REFUSED ||
			seen.pass_through || (seen.visible > 0 && !errand->kind->needs_listing))
			return false;
	} while (!spool_await(errand->spool, &seen, waiter));
	return true;
}

static bool join(void *object, struct waiter *waiter)
{
	struct errand *errand = object;

	return errand->spool ? join_spool(object, waiter) : question_await(errand->question, waiter);
}

static bool leave_either(void *object, struct waiter *waiter)
{
	struct errand *errand = object;

	return errand->spool ? spool_leave(errand->spool, waiter) : question_leave(errand->question, waiter);
}

static bool is_over(const struct errand *errand)
{
	return errand->rings_at_ms > 0 && clock_monotonic_ms() >= errand->rings_at_ms;
}

static bool is_there(void *object, struct waiter *waiter)
{
	struct errand *errand = object;

	alarms_unset(errand->services->alarms, &errand->alarm);
	if (is_over(errand))
		return true;
	return !alarms_join(errand->services->alarms, &errand->alarm,
		errand->rings_at_ms > 0 ? errand->rings_at_ms : INT64_MAX, errand, join, leave_either,
		waiter);
}

static bool leave(void *object, struct waiter *waiter)
{
	struct errand *errand = object;

	return alarms_leave(errand->services->alarms, &errand->alarm, errand, leave_either, waiter);
}

static void resume(void *object, const struct request *request, struct reply *reply);

static const struct later_ops later = {is_there, leave, resume, destroy, .watched = true};

static void wait_for_spool(struct errand *errand, struct spool *spool, struct reply *reply)
{
	errand->spool = spool;
	metric_add(METRIC_FILL_WAITERS, 1);
	spool_add_readers(spool, 1);
	reply_later(reply, &later, errand);
}

/* A client that would give up is sent round. */
static void send_round(struct errand *errand, const struct request *request, struct reply *reply)
{
	AUTO_FREE char *query = NULL;
	struct err err;

	if (errand->rounds >= ROUNDS_MAX) {
		(void)err_set(&err, ERR_UPSTREAM_UNREACHABLE,
			"%s is still being fetched from upstream: try again in a while",
			name_path(&errand->ref.name).text);
		return fail(errand, &err, reply);
	}
	query = mem_printf("rounds=%d", (int)errand->rounds + 1);
	kaggle_redirect(errand->services, request, request->path, query, reply);
	destroy(errand);
}

/* ---- the formats ---- */

static struct asker asker_of(const struct request *request, const char *client)
{
	return (struct asker){client, request_header(request, "CDN-Loop")};
}

/* Whether upstreams have said no for good to the format that is tried: not found, or no such module. */
static bool is_remembered(const struct errand *errand)
{
	struct known known;
	struct err ignored;

	return catalog_look(errand->services->catalog, &errand->ref.name, clock_now_s(), &known, &ignored) &&
	       known.absence.until_s > 0;
}

/* Whether another format is to be tried after this: whatever is no module of the framework's own format may
 * be an archive of any files. */
static bool goes_on(struct errand *errand, const struct err *err)
{
	bool may = err->code == ERR_NOT_FOUND || (err->code == ERR_UPSTREAM_FAILED && is_remembered(errand));

	if (errand->at == 0)
		errand->first = *err;
	errand->at++;
	return may && errand->at < FETCHED_FORMATS;
}

/* The first format in which the version is recorded, and not held back; *out has it then. */
static bool find_recorded(struct errand *errand, struct artifact *out, struct err *err)
{
	struct name name = errand->ref.name;
	bool found = true;
	bool held = false;

	*out = (struct artifact){.recorded = false};
	for (size_t i = 0; i < FORMAT_COUNT && found && !out->recorded; i++) {
		name.format = errand->formats[i];
		if (!catalog_find_artifact(errand->services->catalog, &name, out, &found, err) ||
			(found && out->state == STATE_WITHDRAWN &&
				!version_check_state(&name, out->state, err)))
			return false;
		held = held || out->state == STATE_QUARANTINED;
		out->recorded = out->recorded && out->state != STATE_QUARANTINED;
	}
	if (out->recorded)
		errand->ref.name.format = name.format;
	return out->recorded || !held || version_check_state(&name, STATE_QUARANTINED, err);
}

static bool suffices(const struct errand *errand, const struct artifact *artifact)
{
	return artifact->recorded &&
	       (artifact->cached || (errand->kind->needs_listing && artifact_is_examined(artifact)));
}

/* Seeks what is not recorded, or not here, format by format. */
static void fetch(struct errand *errand, const struct request *request, struct reply *reply)
{
	struct services *services = errand->services;
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = asker_of(request, client);
	struct err err;

	do {
		AUTO_HOLDING struct holding holding = {.fd = -1};

		errand->ref.name.format = errand->formats[errand->at];
		if (!registry_open(services->registry, &errand->ref.name, &asker, &holding, &err))
			continue;
		if (holding.spool)
			return wait_for_spool(errand, TAKE(holding.spool), reply);
		return tell(errand, request, &holding.artifact, reply);
	} while (goes_on(errand, &err));
	fail(errand, err.code == ERR_NOT_FOUND ? &errand->first : &err, reply);
}

static void seek(struct errand *errand, const struct request *request, struct reply *reply)
{
	struct artifact artifact;
	struct err err;

	if (!find_recorded(errand, &artifact, &err))
		return fail(errand, &err, reply);
	if (suffices(errand, &artifact) || (artifact.recorded && request->method == METHOD_HEAD))
		return tell(errand, request, &artifact, reply);
	if (request->method == METHOD_HEAD) {
		(void)err_set(&err, ERR_NOT_FOUND, "%s is not here; GET has it fetched if it is upstream",
			name_path(&errand->ref.name).text);
		return fail(errand, &err, reply);
	}
	if (artifact.recorded)
		errand->formats[0] = artifact.name.format;
	fetch(errand, request, reply);
}

/* The fill has come so far. */
static void take_fill(struct errand *errand, const struct request *request, struct reply *reply)
{
	struct artifact artifact = {.name = errand->ref.name};
	struct spool_progress seen = {0};
	bool found;
	struct err err;

	(void)spool_await(errand->spool, &seen, NULL);
	let_go(errand);
	if (seen.state == SPOOL_REFUSED && goes_on(errand, &seen.err))
		return fetch(errand, request, reply);
	if (seen.state == SPOOL_REFUSED || (errand->kind->needs_listing && seen.state != SPOOL_KEPT))
		return fail(errand, seen.err.code == ERR_NOT_FOUND ? &errand->first : &seen.err, reply);
	if (errand->kind->needs_listing &&
		!catalog_find_artifact(errand->services->catalog, &errand->ref.name, &artifact, &found, &err))
		return fail(errand, &err, reply);
	tell(errand, request, &artifact, reply);
}

/* ---- without a version ---- */

/* Upstreams are asked until one has answered, in the formats that they are asked for. */
static bool find_latest(struct errand *errand, const struct request *request, struct err *err)
{
	struct services *services = errand->services;
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = asker_of(request, client);
	struct name *name = &errand->ref.name;
	bool asks;

	if (errand->at < FETCHED_FORMATS && errand->newest == 0)
		return registry_latest(
			services->registry, name, &asker, &name->version, &errand->question, err);
	return registry_latest_known(services->registry, name, &name->version, &asks, err);
}

/* What the format that is tried came to; the next one is tried then. */
static void note_latest(struct errand *errand, bool found, const struct err *err)
{
	if (found && errand->ref.name.version > errand->newest)
		errand->newest = errand->ref.name.version;
	/* What went wrong says more than that another format is not there. */
	if (!found &&
		(errand->at == 0 || (errand->first.code == ERR_NOT_FOUND && err->code != ERR_NOT_FOUND)))
		errand->first = *err;
	errand->at++;
}

static void seek_latest(struct errand *errand, const struct request *request, struct reply *reply)
{
	const struct artifact none = {.recorded = false};
	struct err err;

	while (errand->at < FORMAT_COUNT) {
		bool found;

		errand->ref.name.format = errand->formats[errand->at];
		errand->ref.name.version = 0;
		found = find_latest(errand, request, &err);
		if (found && errand->question)
			return reply_later(reply, &later, errand);
		note_latest(errand, found, &err);
	}
	if (errand->newest == 0)
		return fail(errand, &errand->first, reply);
	errand->ref.name.version = errand->newest;
	tell(errand, request, &none, reply);
}

/* An upstream has been asked. */
static void take_answer(struct errand *errand, const struct request *request, struct reply *reply)
{
	struct registry *registry = errand->services->registry;
	struct err err;
	bool found = registry_latest_answered(registry, errand->question, &errand->ref.name.version, &err);

	let_go(errand);
	note_latest(errand, found, &err);
	seek_latest(errand, request, reply);
}

/* ---- all of it ---- */

static void resume(void *object, const struct request *request, struct reply *reply)
{
	struct errand *errand = object;
	bool over = is_over(errand);

	alarms_unset(errand->services->alarms, &errand->alarm);
	if (over)
		send_round(errand, request, reply);
	else if (errand->spool)
		take_fill(errand, request, reply);
	else
		take_answer(errand, request, reply);
}

static int64_t rounds_of(const struct request *request)
{
	const char *rounds = query_find(&request->query, "rounds");
	int64_t number;

	return rounds && number_parse(rounds, &number) ? number : 0;
}

void errand_run(struct services *services, const struct errand_kind *kind, struct model_ref *ref,
	const struct request *request, struct reply *reply)
{
	struct errand *errand = mem_zero(1, sizeof *errand);
	bool known;
	struct err err;

	errand->services = services;
	errand->kind = kind;
	errand->ref = *ref;
	*ref = (struct model_ref){0};
	framework_order(&errand->ref.framework, errand->formats);
	errand->rounds = rounds_of(request);
	if (request->method == METHOD_GET)
		errand->rings_at_ms = clock_monotonic_ms() + ROUND_MS;
	if (!model_ref_resolve(&errand->ref, services->catalog, false, &known, &err))
		fail(errand, &err, reply);
	else if (kind->needs_version)
		seek_latest(errand, request, reply);
	else
		seek(errand, request, reply);
}
