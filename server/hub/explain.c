/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/fills.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/hub/hub.h"
#include "server/hub/target.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_inspection.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/unpacked/members.h"

static const char *const wanted_names[] = {
	[WANTED_DESCRIPTION] = "description",
	[WANTED_ARTIFACT] = "artifact",
	[WANTED_UNCOMPRESSED] = "uncompressed",
	[WANTED_MEMBER] = "member",
};

/* What is known here of the name, and what would be answered. */
struct explanation {
	struct outlook outlook;
	struct namesakes_view naming;
	json_t *last_fill; /* that ended lately, NULL: none did */
	char *pinned_by;   /* the pattern; NULL: none */
	bool redirects;    /* a version is to be found: */
	int64_t latest;    /* the version that a redirect would lead to; 0: none, or not known yet */
	bool asks;         /* upstream is asked which that is */
	int status;
	const char *cache; /* NULL: no artifact would be answered */
	struct err refusal;
};

static void finish(struct explanation *explanation)
{
	json_decref(explanation->last_fill);
	free(explanation->pinned_by);
}

static json_t *find_last_fill(const struct services *services, const struct name *name)
{
	AUTO(fill_list_finish) struct fill_list list = {0};

	mirror_list(services->mirror, &list);
	for (size_t i = list.running; i < list.count; i++) {
		if (name_equals(&list.items[i].name, name))
			return fill_json(&list.items[i]);
	}
	return NULL;
}

/* ---- what would be answered ---- */

static void refuse(struct explanation *out, const struct err *err)
{
	out->cache = NULL;
	out->refusal = *err;
	out->status = problem_status(err->code);
}

/* Whether one of the upstreams that may have it can be asked just now; else *err is what a client is told. */
static bool has_well_upstream(const struct services *services, const struct name *name, struct err *err)
{
	const struct config *config = services->config;
	bool none = true;

	for (size_t i = 0; i < config->upstream_count; i++) {
		int64_t until_s = mirror_cooling_until_s(services->mirror, i);

		if (!upstream_may_have(&config->upstreams[i], name))
			continue;
		if (until_s == 0)
			return true;
		(void)err_set(err, ERR_UPSTREAM_UNREACHABLE,
			"upstream %s: its circuit breaker is open after failures, until %s",
			config->upstreams[i].name, clock_rfc3339(until_s).text);
		none = false;
	}
	return none;
}

/* A file of an archive that is here. What is unpacked tells for certain; nothing is unpacked for this. */
static bool judge_member(const struct services *services, const struct artifact *artifact, const char *member,
	struct explanation *out, struct err *err)
{
	AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
	bool has = true;
	struct err refusal;

	if (!members_read(services->members, &artifact->checksums.sha256, -1, member, &file, &refusal)) {
		refuse(out, &refusal);
		return true;
	}
	if (file.fd < 0 && !catalog_may_have_file(services->catalog, artifact, member, &has, err))
		return false;
	if (!has && !members_refuse(member, &refusal))
		refuse(out, &refusal);
	return true;
}

static bool judge_fetch(const struct services *services, const struct hub_url *hub_url,
	struct explanation *out, struct err *err)
{
	static const char *const caches[] = {
		[PROSPECT_HERE] = "hit", [PROSPECT_COLLAPSES] = "collapsed", [PROSPECT_FETCH] = "miss"};
	enum prospect prospect = out->outlook.prospect;
	struct err refusal = out->outlook.refusal;

	out->status = 200;
	if (prospect == PROSPECT_REFUSED ||
		(prospect == PROSPECT_FETCH && !has_well_upstream(services, &hub_url->name, &refusal))) {
		refuse(out, &refusal);
		return true;
	}
	out->cache = caches[prospect];
	return prospect != PROSPECT_HERE || !hub_url->member ||
	       judge_member(services, &out->outlook.known.artifact, hub_url->member, out, err);
}

static void take_problem(const struct reply *reply, struct err *out)
{
	json_t *problem = json_loadb(reply->bytes, reply->length, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	(void)err_set(out, reply->problem, "%s", detail ? detail : "");
	json_decref(problem);
}

/* What no upstream is ever asked for is answered on trial. */
static void judge_on_trial(struct services *services, struct request *request, const struct hub_url *hub_url,
	struct explanation *out)
{
	AUTO(reply_finish) struct reply reply = {0};

	reply_init(&reply);
	if (hub_url->wanted == WANTED_DESCRIPTION)
		api_describe(services, request, &hub_url->name, &reply);
	else
		hub_download(services, request, hub_url, &reply);
	out->status = reply.status;
	if (reply.problem != ERR_NONE)
		take_problem(&reply, &out->refusal);
}

/* Where a redirect would lead; where upstream would be asked first, what is known here stands in for its
 * answer. */
static void judge_redirect(const struct services *services, const struct name *name, struct explanation *out)
{
	int64_t version;
	struct err err;

	out->status = 302;
	out->redirects = true;
	if (registry_latest_known(services->registry, name, &version, &out->asks, &err)) {
		out->latest = version;
		return;
	}
	if (out->asks)
		(void)err_set(&err, ERR_NOT_FOUND,
			"no version of %s is known here as %s; upstream is asked which is its latest, and "
			"may tell",
			name->handle, formats[name->format].name);
	refuse(out, &err);
}

static bool explain(struct services *services, struct request *request, const struct hub_url *hub_url,
	struct explanation *out, struct err *err)
{
	const struct name *name = &hub_url->name;
	bool fetched = hub_url->wanted == WANTED_ARTIFACT || hub_url->wanted == WANTED_MEMBER;

	if (!mirror_consider(services->mirror, name, &out->outlook, err) ||
		!namesakes_look(mirror_namesakes(services->mirror), name, &out->naming, err) ||
		!catalog_find_pin(services->catalog, name, &out->pinned_by, err))
		return false;
	out->last_fill = find_last_fill(services, name);
	if (fetched && name->version > 0)
		return judge_fetch(services, hub_url, out, err);
	if (fetched || hub_url->wanted == WANTED_UNCOMPRESSED)
		name->version > 0 ? judge_on_trial(services, request, hub_url, out)
				  : judge_redirect(services, name, out);
	else
		judge_on_trial(services, request, hub_url, out);
	return true;
}

/* ---- as JSON ---- */

static json_t *name_json(const struct name *name)
{
	json_t *version = name->version > 0 ? json_integer(name->version) : json_null();

	return json_pack("{s:s, s:o, s:s}", "handle", name->handle, "version", version, "format",
		formats[name->format].name);
}

static json_t *answer_of(const struct explanation *explanation)
{
	json_t *object = json_pack("{s:i, s:s?}", "status", explanation->status, "cache", explanation->cache);

	if (explanation->redirects)
		json_object_update_new(
			object, json_pack("{s:o, s:b}", "latest",
					explanation->latest ? json_integer(explanation->latest) : json_null(),
					"asks_upstream", (int)explanation->asks));
	if (explanation->refusal.code != ERR_NONE)
		fill_add_refusal(object, &explanation->refusal);
	return object;
}

static json_t *artifact_json(const struct explanation *explanation)
{
	const struct artifact *artifact = &explanation->outlook.known.artifact;

	if (!artifact->recorded)
		return json_null();
	return json_pack("{s:s, s:s, s:s+, s:I, s:b, s:I, s:o}", "source",
		version_source_name(artifact->source), "state", version_state_name(artifact->state), "digest",
		"sha256:", artifact->checksums.sha256.hex, "size_bytes", (json_int_t)artifact->size_bytes,
		"cached", artifact->cached, "downloads", (json_int_t)artifact->downloads, "created_at",
		answer_time(artifact->created_at));
}

static json_t *public_url(const struct upstream *upstream, const struct name *name)
{
	AUTO_FREE char *url = upstream_public_url(upstream, name);

	return answer_text(url);
}

/* What is published, or was withdrawn or held back, no upstream is ever asked for. */
static bool is_ours(const struct explanation *explanation)
{
	const struct artifact *artifact = &explanation->outlook.known.artifact;
	struct err ignored;

	return artifact->state != STATE_ACTIVE || !artifact_check_published(artifact, &ignored) ||
	       (artifact->recorded && artifact->source == SOURCE_PUBLISHED);
}

static json_t *upstreams_json(
	const struct services *services, const struct name *name, const struct explanation *explanation)
{
	const struct config *config = services->config;
	const char *rule = explanation->outlook.view.rule;
	bool is_reserved = rule && strcmp(rule, "publish.namespaces") == 0;
	bool asked = name->version > 0 && !is_reserved && !is_ours(explanation);
	json_t *items = json_array();

	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct upstream *upstream = &config->upstreams[i];
		bool may_have = asked && upstream_may_have(upstream, name);
		int64_t until_s = mirror_cooling_until_s(services->mirror, i);

		json_array_append_new(items,
			json_pack("{s:o, s:o, s:b, s:o}", "name", answer_text(upstream->name), "url",
				may_have ? public_url(upstream, name) : json_null(), "may_have", may_have,
				"cooling_until", until_s ? answer_time(until_s) : json_null()));
	}
	return items;
}

/* What a publication under its handle would meet. */
static json_t *publication_json(const struct namesakes_view *view)
{
	json_t *allowed =
		view->outlook == NAMESAKES_ASKS ? json_null() : json_boolean(view->outlook == NAMESAKES_FREE);

	return json_pack("{s:o, s:s?, s:s?}", "allowed", allowed, "rule", view->rule, "detail",
		view->outlook == NAMESAKES_REFUSED ? view->why.text : NULL);
}

static json_t *explanation_json(
	const struct services *services, const struct hub_url *hub_url, const struct explanation *explanation)
{
	const struct outlook *outlook = &explanation->outlook;
	const struct admission_view *view = &outlook->view;
	int64_t last_use = outlook->known.artifact.last_used_at;
	json_t *negative = view->absent_until_s
				   ? json_pack("{s:o}", "until", answer_time(view->absent_until_s))
				   : json_null();
	json_t *quarantine = view->quarantined_until_s
				     ? json_pack("{s:o}", "until", answer_time(view->quarantined_until_s))
				     : json_null();

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:{s:b, s:s?}, s:o, s:o, s:o, s:o, s:s?, s:o, s:b, s:O?}",
		"name", name_json(&hub_url->name), "wanted", wanted_names[hub_url->wanted], "answer",
		answer_of(explanation), "artifact", artifact_json(explanation), "fill",
		outlook->has_fill ? fill_json(&outlook->fill) : json_null(), "policy", "allowed",
		view->allowed, "rule", view->rule, "publication", publication_json(&explanation->naming),
		"upstreams", upstreams_json(services, &hub_url->name, explanation), "negative", negative,
		"quarantine", quarantine, "pinned_by", explanation->pinned_by, "last_used_at",
		last_use ? answer_time(last_use) : json_null(), "offline", view->offline, "last_fill",
		explanation->last_fill);
}

/* What is no hub URL has an answer too. */
static json_t *unreadable_json(const struct err *why)
{
	struct explanation explanation = {.status = problem_status(why->code), .refusal = *why};

	return json_pack("{s:n, s:n, s:o}", "name", "wanted", "answer", answer_of(&explanation));
}

void hub_explain(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	const char *url = query_find(&request->query, "url");
	AUTO(finish) struct explanation explanation = {0};
	AUTO_HUB_URL struct hub_url hub_url = {0};
	AUTO_FREE char *shown = NULL;
	struct err err;
	json_t *object;

	if (!url) {
		(void)err_set(&err, ERR_BAD_REQUEST, "url is missing: ?url=/google/nnlm-en-dim50/2");
		return problem_reply(reply, &err);
	}
	if (!target_read(services, request, url, &hub_url, &shown, &err))
		object = unreadable_json(&err);
	else if (explain(services, request, &hub_url, &explanation, &err))
		object = explanation_json(services, &hub_url, &explanation);
	else
		return problem_reply(reply, &err);
	json_object_set_new(object, "url", answer_text(shown));
	answer_json(reply, object);
}
