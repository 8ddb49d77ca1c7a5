/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/cached_reply.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/mhd/status_phrase.h"
#include "server/http/response_fields.h"

/* An ending server's answers close their connections. */
bool cached_reply_may_be_kept(const struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;

	return reply->reuse.ops && exchange->target &&
	       ((reply->status == 200 && reply->offset == 0) || reply->part_of > 0) &&
	       (reply->kind == REPLY_FILE || reply->kind == REPLY_BYTES) &&
	       !in_flight_is_ending(exchange->in_flight);
}

/* Only ever read by the kernel on our behalf, so that a bad disk is an error of a call and no SIGBUS. */
static const char *map_file(const struct reply *reply)
{
	void *map = reply->size > 0 ? mmap(NULL, (size_t)reply->size, PROT_READ, MAP_SHARED, reply->fd, 0)
				    : MAP_FAILED;

	return map == MAP_FAILED ? NULL : map;
}

static void look_at_body(struct cached_reply *cached, const struct reply *reply)
{
	cached->fd = -1;
	if (reply->kind == REPLY_BYTES) {
		cached->size = (int64_t)reply->length;
		cached->body = reply->bytes;
	} else if (reply->kind == REPLY_FILE) {
		cached->is_file = true;
		cached->size = reply->size;
		cached->fd = reply->fd;
	}
}

/* RFC 9110 section 8.6, RFC 9112 section 6.3. */
static void write_length_field(struct cached_reply *cached, const struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;
	bool bodiless = reply_is_bodiless(reply, exchange->request.method == METHOD_HEAD);
	int64_t size = bodiless ? reply->head_length : cached->size;
	int length;

	if (!bodiless && reply->kind == REPLY_STREAM)
		length = snprintf(cached->length_field, sizeof cached->length_field,
			"Transfer-Encoding: chunked\r\n\r\n");
	else if (size < 0 || reply->status == 204)
		length = snprintf(cached->length_field, sizeof cached->length_field, "\r\n");
	else
		length = snprintf(cached->length_field, sizeof cached->length_field,
			"Content-Length: %lld\r\n\r\n", (long long)size);
	cached->length_field_length = (size_t)length;
}

static void write_head(struct cached_reply *cached, const struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;
	int length = snprintf(cached->status_line, sizeof cached->status_line, "HTTP/1.1 %d %s\r\n",
		reply->status, status_phrase(reply->status));

	cached->status = reply->status;
	cached->status_line_length = (size_t)length;
	cached->fields = response_fields(reply, &cached->fields_length, &cached->type_length);
	write_length_field(cached, exchange);
}

/* What sending it again takes, in whole or in part. */
static void make_lasting(struct cached_reply *cached, struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;
	const char *etag = reply_find_header(reply, "ETag");
	const char *modified = reply_find_header(reply, "Last-Modified");

	cached->target = TAKE(exchange->target);
	cached->log_path = mem_dup(exchange->request.log_path);
	cached->note = mem_dup(reply->note);
	if (etag && modified && clock_parse_http(modified, &cached->modified_s))
		cached->etag = mem_dup(etag);
	if (cached->is_file)
		cached->body = map_file(reply);
	cached->reuse = reply->reuse;
	reply->reuse = (struct reuse){0};
}

struct cached_reply *cached_reply_create(struct exchange *exchange)
{
	struct cached_reply *cached = mem_zero(1, sizeof *cached);

	atomic_init(&cached->holders, 1);
	look_at_body(cached, &exchange->reply);
	write_head(cached, exchange);
	if (cached_reply_may_be_kept(exchange))
		make_lasting(cached, exchange);
	return cached;
}

void cached_reply_take_body(struct cached_reply *cached, struct reply *reply)
{
	cached->owns_body = true;
	reply->bytes = NULL;
	if (cached->is_file)
		reply->fd = -1;
}
