/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/representation.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/config.h"
#include "server/http/conditions.h"
#include "server/http/problem.h"

const char cache_status_hit[] = "larder; hit";
const char cache_status_stored[] = "larder; fwd=miss; stored";
const char cache_status_collapsed[] = "larder; fwd=miss; collapsed";
const char cache_status_miss[] = "larder; fwd=miss";

static void fill_selected(
	struct reply *reply, const struct selection *selection, const struct representation *representation)
{
	const char *media_type = representation->media_type;
	int64_t size = representation->size_bytes;
	int status = condition_status(selection->condition);
	struct err err;

	switch (selection->condition) {
	case CONDITION_NOT_MODIFIED:
		reply_empty(reply, status);
		reply->head_length = size;
		break;
	case CONDITION_FAILED:
		reply_empty(reply, status);
		break;
	case CONDITION_NOT_SATISFIABLE:
		(void)err_set(&err, ERR_RANGE_NOT_SATISFIABLE, "there are %lld bytes", (long long)size);
		problem_reply(reply, &err);
		reply_header_printf(reply, "Content-Range", "bytes */%lld", (long long)size);
		break;
	case CONDITION_PART:
		reply_file(reply, status, media_type, TAKE_FD(*representation->fd), selection->first,
			selection->length);
		reply->part_of = size;
		reply_header_printf(reply, "Content-Range", "bytes %lld-%lld/%lld",
			(long long)selection->first, (long long)(selection->first + selection->length - 1),
			(long long)size);
		break;
	default:
		reply_file(reply, status, media_type, TAKE_FD(*representation->fd), 0, size);
	}
}

static bool is_refusal(const struct selection *selection)
{
	return selection->condition == CONDITION_NOT_SATISFIABLE || selection->condition == CONDITION_FAILED;
}

bool representation_reply(const struct services *services, const struct request *request,
	const struct representation *representation, const char *cache_status, struct reply *reply)
{
	struct selection selection = conditions_evaluate(
		request, representation->etag, representation->modified_at, representation->size_bytes);

	fill_selected(reply, &selection, representation);
	reply_header(reply, "Cache-Status", cache_status);
	(void)snprintf(reply->note, sizeof reply->note, "%s",
		cache_status == cache_status_hit         ? "hit"
		: cache_status == cache_status_collapsed ? "collapsed"
							 : "miss");
	if (is_refusal(&selection))
		return false;
	reply->is_module = true;
	reply_header(reply, "Accept-Ranges", "bytes");
	representation_add_caching(services, reply);
	reply_header(reply, "ETag", representation->etag);
	reply_header(reply, "Last-Modified", clock_http(representation->modified_at).text);
	return true;
}

struct digest_tag representation_tag(const struct digest *digest)
{
	struct digest_tag tag;

	(void)snprintf(tag.text, sizeof tag.text, "\"sha256:%s\"", digest->hex);
	return tag;
}

void representation_add_digests(const struct checksums *checksums, struct reply *reply)
{
	reply_header_printf(reply, "Repr-Digest",
		"sha-256=:%s:", base64_encode(checksums->sha256.bytes, sizeof checksums->sha256.bytes).text);
	if (checksums->has_md5)
		reply_header_printf(reply, "x-goog-hash", "md5=%s",
			base64_encode(checksums->md5, sizeof checksums->md5).text);
}

/* Where reading takes a token, shared caches must not hand the bytes on. */
void representation_add_caching(const struct services *services, struct reply *reply)
{
	reply_header_printf(reply, "Cache-Control", "%s, max-age=31536000, immutable",
		services->config->auth.read_needs_token ? "private" : "public");
}

bool representation_open_kept(
	const struct services *services, const struct name *name, struct holding *out, struct err *err)
{
	bool found;

	if (!registry_find(services->registry, name, out, &found, err))
		return false;
	return found || err_set(err, ERR_BUSY, "%s was evicted as soon as it had come; try again",
				name_path(name).text);
}
