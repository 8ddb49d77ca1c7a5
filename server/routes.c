/* SPDX-License-Identifier: Apache-2.0 */
#include "server/routes.h"

#include <string.h>

#include "server/api/api.h"
#include "server/api/attestations.h"
#include "server/api/import_upload.h"
#include "server/http/problem.h"
#include "server/hub/hub.h"
#include "server/kagglehub/kagglehub.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/web/web.h"

static void refuse(void *services, const struct request *request, const struct err *err, struct reply *reply)
{
	problem_reply(reply, err);
	web_refuse(services, request, err, reply);
}

/* One address, a page for browsers and JSON for programs. */
static void describe(
	void *services, const struct request *request, const struct name *name, struct reply *reply)
{
	if (request_wants_html(request)) {
		web_describe(services, request, name, reply);
	} else {
		api_describe(services, request, name, reply);
		reply_header(reply, "Vary", "Accept");
	}
}

/* A hub URL: the bytes where a format is asked for, what is known of it where none is. */
static void get_hub_url(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	AUTO_HUB_URL struct hub_url hub_url = {0};
	struct err err;

	if (!hub_url_read(request, services->catalog, &hub_url, &err))
		return refuse(services, request, &err, reply);
	registry_hear(services->registry, &hub_url.name, hub_url.written);
	if (hub_url.wanted == WANTED_DESCRIPTION)
		describe(services, request, &hub_url.name, reply);
	else if (hub_url.wanted == WANTED_MEMBER)
		hub_member(services, request, &hub_url, reply);
	else
		hub_download(services, request, &hub_url, reply);
}

static void get_unknown(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	(void)services;
	(void)err_set(&err, ERR_NOT_FOUND, "the API has no %s; /api/v1/openapi.yaml tells what it has",
		request->log_path);
	problem_reply(reply, &err);
}

static void get_home(void *services, struct request *request, struct reply *reply)
{
	if (request_wants_html(request)) {
		web_home(services, request, reply);
	} else {
		api_stats(services, request, reply);
		reply_header(reply, "Vary", "Accept");
	}
}

/* What stands behind the id of an import. */
static const char *part_of_import(const char *path)
{
	static const char imports[] = "/api/v1/imports/";
	const char *rest = strchr(path + sizeof imports - 1, '/');

	return rest ? rest : "";
}

static bool is_import(const char *path)
{
	return !*part_of_import(path);
}

static bool tells_of_import(const char *path)
{
	return is_import(path) || strcmp(part_of_import(path), "/lacking") == 0;
}

static bool is_blob_of_import(const char *path)
{
	return strncmp(part_of_import(path), "/blobs/", strlen("/blobs/")) == 0;
}

static bool is_record_of_import(const char *path)
{
	return strcmp(part_of_import(path), "/record") == 0;
}

/* The rows of the pattern that says most of a path count, and no others; GET rows answer HEAD as well. */
const struct route routes[] = {
	{METHOD_GET, "/healthz", ROLE_NONE, BODY_NONE, NULL, api_healthz, .caller = CALLER_FRONT},
	{METHOD_GET, "/readyz", ROLE_NONE, BODY_NONE, NULL, api_readyz, .caller = CALLER_PROBER},
	{METHOD_GET, "/metrics", ROLE_NONE, BODY_NONE, NULL, api_metrics, .caller = CALLER_PROBER},
	{METHOD_GET, "/api/v1/openapi.yaml", ROLE_NONE, BODY_NONE, NULL, api_openapi},
	{METHOD_GET, "/api/v1/modules", ROLE_READ, BODY_NONE, NULL, api_modules},
	{METHOD_GET, "/api/v1/modules/*", ROLE_READ, BODY_NONE, NULL, api_module},
	{METHOD_POST, "/api/v1/artifacts", ROLE_READ, BODY_MEMORY, NULL, api_artifacts},
	{METHOD_GET, "/api/v1/signatures/*", ROLE_READ, BODY_NONE, NULL, api_signatures},
	{METHOD_GET, "/api/v1/files/*", ROLE_READ, BODY_NONE, NULL, api_files},
	{METHOD_GET, "/api/v1/documentation/*", ROLE_READ, BODY_NONE, NULL, api_documentation},
	{METHOD_GET, "/api/v1/attestations/*", ROLE_READ, BODY_NONE, NULL, api_attestations},
	{METHOD_PUT, "/api/v1/attestations/*", ROLE_HANDLER, BODY_UPLOAD, &attestation_upload,
		api_put_attestation, .slow = true},
	{METHOD_GET, "/api/v1/diff/*", ROLE_READ, BODY_NONE, NULL, api_diff},
	{METHOD_GET, "/api/v1/publishers", ROLE_READ, BODY_NONE, NULL, api_publishers},
	{METHOD_GET, "/api/v1/publishers/*", ROLE_READ, BODY_NONE, NULL, api_publisher},
	{METHOD_GET, "/api/v1/publisher-documentation/*", ROLE_READ, BODY_NONE, NULL,
		api_publisher_documentation},
	{METHOD_POST, "/api/v1/decisions/*", ROLE_HANDLER, BODY_MEMORY, NULL, api_decide, .slow = true},
	{METHOD_GET, "/api/v1/collections", ROLE_READ, BODY_NONE, NULL, api_collections},
	{METHOD_GET, "/api/v1/collections/*", ROLE_READ, BODY_NONE, NULL, api_collection},
	{METHOD_GET, "/api/v1/collection-documentation/*", ROLE_READ, BODY_NONE, NULL,
		api_collection_documentation},
	{METHOD_GET, "/api/v1/stats", ROLE_READ, BODY_NONE, NULL, api_stats},
	{METHOD_GET, "/api/v1/fills", ROLE_READ, BODY_NONE, NULL, api_fills},
	{METHOD_POST, "/api/v1/fills", ROLE_READ, BODY_MEMORY, NULL, hub_prefetch, .own_pages = true},
	{METHOD_GET, "/api/v1/fills/*", ROLE_READ, BODY_NONE, NULL, api_fill},
	{METHOD_DELETE, "/api/v1/fills/*", ROLE_ADMIN, BODY_NONE, NULL, api_cancel_fill},
	{METHOD_GET, "/api/v1/imports", ROLE_ADMIN, BODY_NONE, NULL, api_imports},
	{METHOD_POST, "/api/v1/imports", ROLE_ADMIN, BODY_UPLOAD, &import_head_upload, api_begin_import,
		.bulk = true, .slow = true},
	{METHOD_GET, "/api/v1/imports/*", ROLE_ADMIN, BODY_NONE, NULL, api_import, .takes = tells_of_import},
	{METHOD_PUT, "/api/v1/imports/*", ROLE_ADMIN, BODY_UPLOAD, &import_blob_upload, api_put_import,
		.bulk = true, .slow = true, .takes = is_blob_of_import},
	{METHOD_POST, "/api/v1/imports/*", ROLE_ADMIN, BODY_MEMORY, NULL, api_record_import,
		.takes = is_record_of_import},
	{METHOD_DELETE, "/api/v1/imports/*", ROLE_ADMIN, BODY_NONE, NULL, api_drop_import, .slow = true,
		.takes = is_import},
	{METHOD_GET, "/api/v1/wants", ROLE_READ, BODY_NONE, NULL, api_wants},
	{METHOD_DELETE, "/api/v1/wants", ROLE_ADMIN, BODY_NONE, NULL, api_clear_wants},
	{METHOD_GET, "/api/v1/audit", ROLE_ADMIN, BODY_NONE, NULL, api_audit},
	{METHOD_GET, "/api/v1/audit/head", ROLE_ADMIN, BODY_NONE, NULL, api_audit_head},
	{METHOD_GET, "/api/v1/webhooks", ROLE_READ, BODY_NONE, NULL, api_webhooks},
	{METHOD_GET, "/api/v1/activity", ROLE_READ, BODY_NONE, NULL, api_activity},
	{METHOD_GET, "/api/v1/events", ROLE_READ, BODY_NONE, NULL, api_events},
	{METHOD_GET, "/api/v1/explain", ROLE_READ, BODY_NONE, NULL, hub_explain},
	{METHOD_GET, "/api/v1/models/*", ROLE_READ, BODY_NONE, NULL, kaggle_get, .basic = true},
	{METHOD_POST, "/v1/models.ModelApiService/*", ROLE_HANDLER, BODY_MEMORY, NULL, kaggle_call,
		.basic = true},
	{METHOD_POST, "/api/v1/models.ModelApiService/*", ROLE_HANDLER, BODY_MEMORY, NULL, kaggle_call,
		.basic = true},
	{METHOD_POST, "/v1/blobs.BlobApiService/StartBlobUpload", ROLE_HANDLER, BODY_MEMORY, NULL,
		kaggle_start_blob, .basic = true, .slow = true},
	{METHOD_POST, "/api/v1/blobs.BlobApiService/StartBlobUpload", ROLE_HANDLER, BODY_MEMORY, NULL,
		kaggle_start_blob, .basic = true, .slow = true},
	{METHOD_POST, "/api/v1/models/*", ROLE_HANDLER, BODY_MEMORY, NULL, kaggle_post, .basic = true},
	{METHOD_POST, "/api/v1/blobs/upload", ROLE_HANDLER, BODY_MEMORY, NULL, kaggle_start_blob,
		.basic = true, .slow = true},
	{METHOD_PUT, "/-/blobs/*", ROLE_HANDLER, BODY_UPLOAD, &kaggle_blob_upload, kaggle_blob, .bulk = true,
		.slow = true},
	{METHOD_GET, "/api", ROLE_NONE, BODY_NONE, NULL, get_unknown, .any_method = true},
	{METHOD_GET, "/api/*", ROLE_NONE, BODY_NONE, NULL, get_unknown, .any_method = true},
	{METHOD_GET, "/", ROLE_READ, BODY_NONE, NULL, get_home},
	{METHOD_GET, "/-/compare/*", ROLE_READ, BODY_NONE, NULL, web_compare},
	{METHOD_GET, "/-/versions/*", ROLE_READ, BODY_NONE, NULL, web_versions},
	{METHOD_GET, "/-/collections", ROLE_READ, BODY_NONE, NULL, web_collections},
	{METHOD_GET, "/-/collections/*", ROLE_READ, BODY_NONE, NULL, web_collection},
	{METHOD_GET, "/-/fills", ROLE_READ, BODY_NONE, NULL, web_fills},
	{METHOD_GET, "/-/fills/*", ROLE_READ, BODY_NONE, NULL, web_fill},
	{METHOD_POST, "/-/fills/*", ROLE_HANDLER, BODY_MEMORY, NULL, web_cancel_fill},
	{METHOD_GET, "/-/sign-in", ROLE_NONE, BODY_NONE, NULL, web_sign_in},
	{METHOD_POST, "/-/sign-in", ROLE_NONE, BODY_MEMORY, NULL, web_take_sign_in, .own_pages = true},
	{METHOD_POST, "/-/sign-out", ROLE_NONE, BODY_MEMORY, NULL, web_sign_out, .own_pages = true},
	{METHOD_GET, "/-/publishers", ROLE_READ, BODY_NONE, NULL, web_publishers},
	{METHOD_GET, "/-/feed.atom", ROLE_READ, BODY_NONE, NULL, web_feed},
	{METHOD_GET, "/-/feeds/*", ROLE_READ, BODY_NONE, NULL, web_feed_of},
	{METHOD_GET, "/-/activity", ROLE_READ, BODY_NONE, NULL, web_activity},
	{METHOD_GET, "/-/wants.txt", ROLE_READ, BODY_NONE, NULL, api_wants_file},
	{METHOD_GET, "/-/search", ROLE_READ, BODY_NONE, NULL, web_home},
	{METHOD_GET, "/favicon.ico", ROLE_NONE, BODY_NONE, NULL, web_favicon},
	{METHOD_GET, "/robots.txt", ROLE_NONE, BODY_NONE, NULL, web_robots},
	{METHOD_GET, "/-/static/*", ROLE_NONE, BODY_NONE, NULL, web_asset},
	{METHOD_GET, "/*", ROLE_READ, BODY_NONE, NULL, get_hub_url, .bulk = true},
	{METHOD_PUT, "/*", ROLE_HANDLER, BODY_UPLOAD, &hub_upload, hub_publish, .bulk = true, .slow = true,
		.takes = hub_url_is_version},
	{METHOD_POST, "/*", ROLE_HANDLER, BODY_UPLOAD, &hub_upload, hub_publish, .bulk = true, .slow = true,
		.takes = hub_url_is_version},
	{METHOD_DELETE, "/*", ROLE_HANDLER, BODY_NONE, NULL, hub_withdraw, .slow = true,
		.takes = hub_url_is_version},
};
const size_t route_count = sizeof routes / sizeof *routes;
