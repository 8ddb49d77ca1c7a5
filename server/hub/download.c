/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/config.h"
#include "server/http/conditions.h"
#include "server/http/problem.h"
#include "server/hub/follower.h"
#include "server/hub/hub.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"

static const char status_hit[] = "larder; hit";
static const char status_stored[] = "larder; fwd=miss; stored";
static const char status_collapsed[] = "larder; fwd=miss; collapsed";

static void fail(struct reply *reply, const struct err *err)
{
	problem_reply(reply, err);
}

/* ---- headers
 * ------------------------------------------------------------------------------------------------------ */

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

/* Where reading takes a token, shared caches must not hand the bytes on. */
static void add_caching(const struct services *services, struct reply *reply)
{
	reply_header_printf(reply, "Cache-Control", "%s, max-age=31536000, immutable",
		services->config->auth.read_needs_token ? "private" : "public");
}

static void add_artifact_headers(const struct services *services, const struct artifact *artifact,
	const char *etag, struct reply *reply)
{
	const struct checksums *checksums = &artifact->checksums;

	add_stream_headers(&artifact->name, reply);
	add_caching(services, reply);
	reply_header(reply, "ETag", etag);
	reply_header(reply, "Last-Modified", clock_http(artifact->created_at).text);
	reply_header_printf(reply, "Repr-Digest",
		"sha-256=:%s:", base64_encode(checksums->sha256.bytes, sizeof checksums->sha256.bytes).text);
	reply_header_printf(
		reply, "x-goog-hash", "md5=%s", base64_encode(checksums->md5, sizeof checksums->md5).text);
}

/* ---- a blob that is here
 * ------------------------------------------------------------------------------------------ */

static void fill_selected(struct reply *reply, const struct selection *selection, struct holding *holding,
	const char *media_type)
{
	int64_t size = holding->artifact.size_bytes;
	struct err err;

	switch (selection->condition) {
	case CONDITION_NOT_MODIFIED:
		reply_empty(reply, 304);
		reply->head_length = size;
		break;
	case CONDITION_FAILED:
		reply_empty(reply, 412);
		break;
	case CONDITION_NOT_SATISFIABLE:
		(void)err_set(
			&err, ERR_RANGE_NOT_SATISFIABLE, "the artifact has %lld bytes", (long long)size);
		problem_reply(reply, &err);
		reply_header_printf(reply, "Content-Range", "bytes */%lld", (long long)size);
		break;
	case CONDITION_PART:
		reply_file(reply, 206, media_type, TAKE_FD(holding->fd), selection->first, selection->length);
		reply_header_printf(reply, "Content-Range", "bytes %lld-%lld/%lld",
			(long long)selection->first, (long long)(selection->first + selection->length - 1),
			(long long)size);
		break;
	default:
		reply_file(reply, 200, media_type, TAKE_FD(holding->fd), 0, size);
	}
}

static bool is_refusal(const struct selection *selection)
{
	return selection->condition == CONDITION_NOT_SATISFIABLE || selection->condition == CONDITION_FAILED;
}

static void serve_holding(const struct services *services, const struct request *request,
	struct holding *holding, const char *cache_status, struct reply *reply)
{
	const struct artifact *artifact = &holding->artifact;
	struct selection selection;
	char etag[80];

	(void)snprintf(etag, sizeof etag, "\"sha256:%s\"", artifact->checksums.sha256.hex);
	selection = conditions_evaluate(request, etag, artifact->created_at, artifact->size_bytes);
	fill_selected(reply, &selection, holding, formats[artifact->name.format].media_type);
	reply_header(reply, "Cache-Status", cache_status);
	(void)snprintf(reply->note, sizeof reply->note, "%s", cache_status == status_hit ? "hit" : "miss");
	if (!is_refusal(&selection))
		add_artifact_headers(services, artifact, etag, reply);
	if (request->method == METHOD_GET && reply->kind == REPLY_FILE && reply->offset == 0)
		registry_count_download(services->registry, &artifact->name);
}

/* After a fill: the blob is here by now. */
static void serve_kept(void *context, const struct request *request, const struct name *name,
	const char *cache_status, struct reply *reply)
{
	const struct services *services = context;
	AUTO_HOLDING struct holding holding = {.fd = -1};
	int64_t size_bytes;
	struct err err;
	bool found;

	if (!registry_look(services->registry, name, NULL, &holding, &found, &size_bytes, &err))
		return fail(reply, &err);
	if (found)
		return serve_holding(services, request, &holding, cache_status, reply);
	(void)err_set(
		&err, ERR_BUSY, "%s was evicted as soon as it had come; try again", name_path(name).text);
	fail(reply, &err);
}

/* ---- GET and HEAD
 * ------------------------------------------------------------------------------------------------- */

static void begin_stream(void *context, const struct name *name, struct reply *reply)
{
	const struct services *services = context;

	add_stream_headers(name, reply);
	add_caching(services, reply);
	registry_count_download(services->registry, name);
}

static void get_artifact(struct services *services, const struct request *request, const struct name *name,
	struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	struct follower_plan plan = {
		.services = services, .name = *name, .serve = serve_kept, .begin = begin_stream};
	struct err err;

	if (!registry_open(services->registry, name, request_header(request, "CDN-Loop"), &holding, &err))
		return fail(reply, &err);
	if (!holding.spool)
		return serve_holding(services, request, &holding, status_hit, reply);
	plan.cache_status = holding.collapsed ? status_collapsed : status_stored;
	plan.whole = request->http_1_0 || request_header(request, "Range");
	follower_reply(reply, &plan, TAKE(holding.spool));
}

static void head_artifact(struct services *services, const struct request *request, const struct name *name,
	struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	int64_t size_bytes;
	struct err err;
	bool found;

	if (!registry_look(services->registry, name, request_header(request, "CDN-Loop"), &holding, &found,
		    &size_bytes, &err))
		return fail(reply, &err);
	if (found)
		return serve_holding(services, request, &holding, status_hit, reply);
	reply_empty(reply, 200);
	reply->head_length = size_bytes;
	reply_header(reply, "Content-Type", formats[name->format].media_type);
	reply_header(reply, "Cache-Status", "larder; fwd=miss");
	add_stream_headers(name, reply);
}

/* A format without a version: where the latest one is. Never to be cached, since it moves. */
static void redirect_to_latest(
	struct services *services, const struct request *request, const struct words *words, struct reply *reply)
{
	const struct format_row *format = &formats[words->name.format];
	struct name latest = words->name;
	struct err err;

	if (!registry_latest(services->registry, latest.handle, latest.format, &latest.version, &err))
		return fail(reply, &err);
	reply_empty(reply, 302);
	reply_header_printf(reply, "Location", "%s%s/%s?%s=%s", request->path_token ? "/-/t/" : "",
		request->path_token ? request->path_token : "", name_path(&latest).text, format->query_key,
		words->wanted == WANTED_UNCOMPRESSED ? "uncompressed" : format->query_value);
	reply_header(reply, "Cache-Control", "no-cache");
}

/* tensorflow_hub wants a 303 whose body is the place of an unpacked copy (PROTOCOL: 1.1). */
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

void hub_download(void *context, struct request *request, const struct words *words, struct reply *reply)
{
	struct services *services = context;

	if (words->name.version == 0)
		redirect_to_latest(services, request, words, reply);
	else if (words->wanted == WANTED_UNCOMPRESSED)
		point_to_uncompressed(services, &words->name, reply);
	else if (request->method == METHOD_HEAD)
		head_artifact(services, request, &words->name, reply);
	else
		get_artifact(services, request, &words->name, reply);
}
