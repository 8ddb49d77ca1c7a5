/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/assets.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "server/http/conditions.h"
#include "server/http/problem.h"
#include "server/http/rendition.h"
#include "server/web/web.h"

static const struct asset *find_asset(const char *name)
{
	for (size_t i = 0; i < asset_count; i++) {
		if (strcmp(assets[i].name, name) == 0)
			return &assets[i];
	}
	return NULL;
}

static void send_asset(const struct request *request, const struct asset *asset, struct reply *reply)
{
	bool packed = rendition_takes_gzip(request_header(request, "Accept-Encoding"));
	const void *bytes = packed ? asset->packed : asset->plain;
	size_t length = packed ? asset->packed_length : asset->plain_length;
	char etag[64];

	(void)snprintf(etag, sizeof etag, "\"%s%s\"", asset->digest, packed ? "-gzip" : "");
	if (conditions_client_has(request, etag)) {
		reply_empty(reply, condition_status(CONDITION_NOT_MODIFIED));
		reply->head_length = (int64_t)length;
	} else {
		reply_take_bytes(reply, 200, asset->media_type, mem_dup_n(bytes, length), length);
		if (packed)
			reply_header(reply, "Content-Encoding", "gzip");
	}
	reply_header(reply, "ETag", etag);
	reply_header(reply, "Vary", "Accept-Encoding");
}

void web_favicon(void *services, struct request *request, struct reply *reply)
{
	send_asset(request, find_asset("favicon.ico"), reply);
	reply_header(reply, "Cache-Control", "public, max-age=86400");
}

void web_robots(void *services, struct request *request, struct reply *reply)
{
	send_asset(request, find_asset("robots.txt"), reply);
	reply_header(reply, "Cache-Control", "public, max-age=86400");
}

/* "<revision>/<name>"; one of another revision, which an earlier page still names, is given as it is now. */
void web_asset(void *services, struct request *request, struct reply *reply)
{
	const char *slash = strchr(request->rest, '/');
	const struct asset *asset = find_asset(slash ? slash + 1 : request->rest);
	size_t revision = slash ? (size_t)(slash - request->rest) : 0;
	struct err err;

	(void)services;
	if (!asset) {
		(void)err_set(&err, ERR_NOT_FOUND, "The page has no file %s.", request->rest);
		return problem_reply(reply, &err);
	}
	send_asset(request, asset, reply);
	reply_header(reply, "Cache-Control",
		revision == strlen(assets_revision) && strncmp(request->rest, assets_revision, revision) == 0
			? "public, max-age=31536000, immutable"
			: "no-cache");
}
