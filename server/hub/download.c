/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/config.h"
#include "server/http/conditions.h"
#include "server/http/problem.h"
#include "server/http/clientkey.h"
#include "server/hub/follower.h"
#include "server/hub/hub.h"
#include "server/hub/inquiry.h"
#include "server/hub/proxied.h"
#include "server/hub/representation.h"
#include "server/registry/capabilities.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/store/catalog/catalog_artifacts.h"

static void fail(struct reply *reply, const struct err *err)
{
	problem_reply(reply, err);
}

/* ---- headers ---- */

/* "nnlm-en-dim50_2.tar.gz" */
static void add_disposition(const struct name *name, struct reply *reply)
{
	const char *slash = strrchr(name->handle, '/');

	reply_header_printf(reply, "Content-Disposition", "attachment; filename=\"%s_%lld%s\"",
		slash ? slash + 1 : name->handle, (long long)name->version,
		formats[name->format].file_suffix);
}

/* What holds for an artifact before all of it is here. */
static void add_stream_headers(const struct name *name, struct reply *reply)
{
	reply_header(reply, "Accept-Ranges", "bytes");
	add_disposition(name, reply);
}

static void add_artifact_headers(const struct artifact *artifact, struct reply *reply)
{
	add_disposition(&artifact->name, reply);
	representation_add_digests(&artifact->checksums, reply);
}

/* ---- a blob that is here ---- */

static void count_hit(void *context, bool download)
{
	registry_count_hit(context, download);
}

static void release_counter(void *context)
{
	download_counter_release(context);
}

/* The whole of what is here is the same for everyone, unless it takes a token to read it, or others are asked
 * each time; and a part leads to
 * it. */
static bool may_be_kept(const struct services *services, const struct request *request,
	const char *cache_status, const struct reply *reply)
{
	return request->method == METHOD_GET && reply->kind == REPLY_FILE &&
	       (reply->status == 200 || reply->part_of > 0) && cache_status == cache_status_hit &&
	       !services->config->auth.read_needs_token && !request_token(request) &&
	       !registry_is_strict(services->registry);
}

static void keep(const struct services *services, const struct artifact *artifact, struct reply *reply)
{
	static const struct reuse_ops ops = {count_hit, release_counter};
	const struct name_path path = name_path(&artifact->name);
	const char *const labels[REUSE_LABELS] = {path.text, artifact->checksums.sha256.hex};

	reply_reuse(reply, &ops, registry_open_counter(services->registry, &artifact->name), labels);
}

static void serve_holding(const struct services *services, const struct request *request,
	struct holding *holding, const char *cache_status, struct reply *reply)
{
	const struct artifact *artifact = &holding->artifact;
	const struct digest_tag etag = representation_tag(&artifact->checksums.sha256);
	const struct representation representation = {
		.fd = &holding->fd,
		.size_bytes = artifact->size_bytes,
		.modified_at = artifact->created_at,
		.etag = etag.text,
		.media_type = formats[artifact->name.format].media_type,
	};

	if (representation_reply(services, request, &representation, cache_status, reply))
		add_artifact_headers(artifact, reply);
	if (request->method == METHOD_GET && reply->kind == REPLY_FILE && reply->offset == 0)
		registry_count_download(services->registry, &artifact->name);
	if (may_be_kept(services, request, cache_status, reply))
		keep(services, artifact, reply);
}

/* After a fill: the blob is here by now. */
static void serve_kept(const struct follower_plan *plan, const struct request *request, struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	struct err err;

	if (!representation_open_kept(plan->services, &plan->name, &holding, &err))
		return fail(reply, &err);
	serve_holding(plan->services, request, &holding, plan->cache_status, reply);
}

/* ---- GET and HEAD ---- */

static void begin_stream(const struct follower_plan *plan, struct reply *reply)
{
	add_stream_headers(&plan->name, reply);
	reply->is_module = true;
	/* A part is given whole before the rest is verified: nobody is to keep it. */
	if (plan->part) {
		reply_header(reply, "Cache-Control", "no-store");
		return;
	}
	representation_add_caching(plan->services, reply);
	registry_count_download(plan->services->registry, &plan->name);
}

static void foresee(
	const struct services *services, const struct request *request, struct follower_plan *plan)
{
	enum foresight foresight = conditions_foresee(request, &plan->first, &plan->last);

	plan->whole = request->http_1_0 || foresight == FORESIGHT_NONE ||
		      proxied_must_wait(services->config, request);
	plan->part = !plan->whole && foresight == FORESIGHT_PART;
}

/* What another node lacks of what it has from here already: it knows better than a client what it has, and
 * holds the whole against its digest. */
static void foresee_rest(const struct request *request, struct follower_plan *plan)
{
	if (request->http_1_0 || conditions_foresee(request, &plan->first, &plan->last) == FORESIGHT_WHOLE ||
		plan->first <= 0 || plan->last >= 0)
		return;
	plan->whole = false;
	plan->part = plan->open = true;
	plan->last = INT64_MAX - 1;
}

/* Another node, by the address that this one has told the others. */
static bool is_follower(const struct services *services, const struct request *request)
{
	char who[TOKEN_NAME_MAX + 1];
	struct err ignored;

	return capability_is_one(request->path_token) &&
	       capabilities_check(services->capabilities, request->path_token, CAPABILITY_FOLLOWS,
		       request->path, who, &ignored);
}

static void get_artifact(struct services *services, const struct request *request, const struct name *name,
	struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	struct follower_plan plan = {
		.services = services, .name = *name, .serve = serve_kept, .begin = begin_stream};
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = {
		client, request_header(request, "CDN-Loop"), is_follower(services, request)};
	struct err err;

	if (!registry_open(services->registry, name, &asker, &holding, &err))
		return fail(reply, &err);
	if (!holding.spool)
		return serve_holding(services, request, &holding, cache_status_hit, reply);
	plan.cache_status = holding.collapsed ? cache_status_collapsed : cache_status_stored;
	foresee(services, request, &plan);
	if (asker.follows)
		foresee_rest(request, &plan);
	follower_reply(reply, &plan, TAKE(holding.spool));
}

static void tell_size(
	const struct name *name, int64_t size_bytes, const char *cache_status, struct reply *reply)
{
	reply_empty(reply, 200);
	reply->head_length = size_bytes;
	reply_header(reply, "Content-Type", formats[name->format].media_type);
	reply_header(reply, "Cache-Status", cache_status);
	add_stream_headers(name, reply);
}

static void tell(const struct inquiry *inquiry, const struct request *request, struct reply *reply)
{
	int64_t size_bytes;
	struct err err;

	(void)request;
	if (question_result(inquiry->question, &size_bytes, &err))
		tell_size(&inquiry->name, size_bytes, cache_status_miss, reply);
	else
		fail(reply, &err);
}

/* The first bytes are there. Upstream may have told the length since, but nobody holds it against them yet.
 */
static void tell_of_stream(const struct follower_plan *plan, struct reply *reply)
{
	tell_size(&plan->name, -1, plan->cache_status, reply);
}

static void follow_for_head(
	const struct services *services, const struct name *name, struct spool *spool, struct reply *reply)
{
	const struct follower_plan plan = {.services = services,
		.name = *name,
		.cache_status = cache_status_collapsed,
		.serve = serve_kept,
		.tell = tell_of_stream};

	follower_reply(reply, &plan, spool);
}

static void head_artifact(struct services *services, const struct request *request, const struct name *name,
	struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	struct inquiry inquiry = {.services = services, .name = *name, .tell = tell};
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = {
		client, request_header(request, "CDN-Loop"), is_follower(services, request)};
	struct glance glance;
	struct err err;
	bool found;

	if (!registry_look(services->registry, name, &asker, &holding, &found, &glance, &err))
		return fail(reply, &err);
	if (found)
		return serve_holding(services, request, &holding, cache_status_hit, reply);
	if (glance.spool)
		return follow_for_head(services, name, glance.spool, reply);
	inquiry.question = glance.question;
	if (inquiry.question)
		return inquiry_reply(reply, &inquiry);
	tell_size(name, glance.size_bytes, glance.is_collapsed ? cache_status_collapsed : cache_status_miss,
		reply);
}

/* tensorflow_hub wants a 303 whose body is the place of an unpacked copy. */
static void point_to_uncompressed(
	const struct services *services, const struct name *name, struct reply *reply)
{
	const char *root = services->config->hub.uncompressed_root;
	char place[2048];
	struct err err;

	if (!root) {
		(void)err_set(&err, ERR_NOT_FOUND,
			"no uncompressed copies are configured here (hub.uncompressed_root); load the "
			"compressed one");
		return fail(reply, &err);
	}
	(void)snprintf(place, sizeof place, "%s%s%s", root, root[strlen(root) - 1] == '/' ? "" : "/",
		name_path(name).text);
	reply_text(reply, 303, "text/plain; charset=utf-8", place);
}

void hub_download(void *context, struct request *request, const struct hub_url *hub_url, struct reply *reply)
{
	struct services *services = context;

	if (hub_url->name.version == 0)
		hub_redirect(services, request, hub_url, reply);
	else if (hub_url->wanted == WANTED_UNCOMPRESSED)
		point_to_uncompressed(services, &hub_url->name, reply);
	else if (request->method == METHOD_HEAD)
		head_artifact(services, request, &hub_url->name, reply);
	else
		get_artifact(services, request, &hub_url->name, reply);
}
