/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

void reply_init(struct reply *reply)
{
	*reply = (struct reply){.status = 200, .kind = REPLY_EMPTY, .fd = -1, .head_length = -1};
}

void reuse_finish(struct reuse *reuse)
{
	if (reuse->ops)
		reuse->ops->destroy(reuse->context);
	for (size_t i = 0; i < REUSE_LABELS; i++)
		free(reuse->labels[i]);
	*reuse = (struct reuse){0};
}

/* Lets go of the body, so that another can take its place. */
static void drop_body(struct reply *reply)
{
	free(TAKE(reply->bytes));
	if (reply->fd >= 0)
		(void)close(TAKE_FD(reply->fd));
	if (reply->feed)
		reply->feed_ops->destroy(TAKE(reply->feed));
	if (reply->later)
		reply->later_ops->destroy(TAKE(reply->later));
	reuse_finish(&reply->reuse);
	reply->kind = REPLY_EMPTY;
	reply->length = 0;
}

void reply_finish(struct reply *reply)
{
	drop_body(reply);
	for (size_t i = 0; i < reply->header_count; i++)
		free(TAKE(reply->headers[i].value));
	reply->header_count = 0;
}

static bool has_controls(const char *value)
{
	for (const char *c = value; *c; c++) {
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return true;
	}
	return false;
}

static void take_header(struct reply *reply, const char *name, char *value)
{
	if (has_controls(value) || reply->header_count == REPLY_HEADERS_MAX) {
		free(value);
		return;
	}
	reply->headers[reply->header_count++] = (struct reply_header){.name = name, .value = value};
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
	take_header(reply, name, mem_dup(value));
}

const char *reply_find_header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	}
	return NULL;
}

void reply_header_printf(struct reply *reply, const char *name, const char *format, ...)
{
	va_list args;
	char *value;

	va_start(args, format);
	if (vasprintf(&value, format, args) < 0)
		abort();
	va_end(args);
	take_header(reply, name, value);
}

static void drop_header(struct reply *reply, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < reply->header_count; i++) {
		if (strcmp(reply->headers[i].name, name) == 0)
			free(reply->headers[i].value);
		else
			reply->headers[kept++] = reply->headers[i];
	}
	reply->header_count = kept;
}

void reply_vary(struct reply *reply, const char *field)
{
	const char *fields = reply_find_header(reply, "Vary");
	AUTO_FREE char *all = fields ? mem_printf("%s, %s", fields, field) : mem_dup(field);

	drop_header(reply, "Vary");
	reply_header(reply, "Vary", all);
}

void reply_make_private(struct reply *reply)
{
	const char *told = reply_find_header(reply, "Cache-Control");

	reply_vary(reply, "Cookie");
	if (told && strstr(told, "no-store"))
		return;
	drop_header(reply, "Cache-Control");
	reply_header(reply, "Cache-Control", "private, no-cache");
}

void reply_retype(struct reply *reply, const char *media_type)
{
	drop_header(reply, "Content-Type");
	reply_header(reply, "Content-Type", media_type);
}

static void begin_body(struct reply *reply, int status, const char *media_type, enum reply_body kind)
{
	drop_body(reply);
	drop_header(reply, "Content-Type");
	reply->status = status;
	reply->kind = kind;
	if (media_type)
		reply_header(reply, "Content-Type", media_type);
}

void reply_take_bytes(struct reply *reply, int status, const char *media_type, char *bytes, size_t length)
{
	begin_body(reply, status, media_type, REPLY_BYTES);
	reply->bytes = bytes;
	reply->length = length;
}

void reply_text(struct reply *reply, int status, const char *media_type, const char *text)
{
	reply_take_bytes(reply, status, media_type, mem_dup(text), strlen(text));
}

void reply_file(struct reply *reply, int status, const char *media_type, int fd, int64_t offset, int64_t size)
{
	begin_body(reply, status, media_type, REPLY_FILE);
	reply->fd = fd;
	reply->offset = offset;
	reply->size = size;
}

void reply_load_file(struct reply *reply, int64_t max)
{
	AUTO_FREE char *bytes = NULL;
	struct err err;
	size_t got;

	if (reply->kind != REPLY_FILE || reply->size > max)
		return;
	bytes = mem_zero(1, (size_t)reply->size + 1);
	if (!file_read_at(reply->fd, bytes, (size_t)reply->size, reply->offset, &got, &err) ||
		(int64_t)got != reply->size)
		return;
	reply->kind = REPLY_BYTES;
	reply->length = got;
	reply->bytes = TAKE(bytes);
	(void)close(TAKE_FD(reply->fd));
}

struct reply_part reply_widen(struct reply *reply)
{
	const struct reply_part part = {reply->status, reply->offset, reply->size};

	if (reply->part_of > 0) {
		drop_header(reply, "Content-Range");
		reply->status = 200;
		reply->offset = 0;
		reply->size = reply->part_of;
	}
	return part;
}

void reply_reuse(struct reply *reply, const struct reuse_ops *ops, void *context,
	const char *const labels[REUSE_LABELS])
{
	reuse_finish(&reply->reuse);
	reply->reuse = (struct reuse){.ops = ops, .context = context};
	for (size_t i = 0; i < REUSE_LABELS; i++)
		reply->reuse.labels[i] = labels[i] ? mem_dup(labels[i]) : NULL;
}

void reply_stream(
	struct reply *reply, int status, const char *media_type, const struct feed_ops *ops, void *feed)
{
	begin_body(reply, status, media_type, REPLY_STREAM);
	reply->feed_ops = ops;
	reply->feed = feed;
}

void reply_later(struct reply *reply, const struct later_ops *ops, void *later)
{
	begin_body(reply, reply->status, NULL, REPLY_LATER);
	reply->later_ops = ops;
	reply->later = later;
}

void reply_empty(struct reply *reply, int status)
{
	begin_body(reply, status, NULL, REPLY_EMPTY);
}

void reply_json(struct reply *reply, int status, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	/* Only a value that is no JSON text at all cannot be written: a bug of the handler. */
	if (!text)
		abort();
	json_decref(value);
	reply_take_bytes(reply, status, "application/json", text, strlen(text));
}

bool reply_is_bodiless(const struct reply *reply, bool is_head)
{
	if (reply->kind == REPLY_STREAM)
		return is_head;
	return reply->kind == REPLY_EMPTY &&
	       (reply->status == 304 || (is_head && (reply->status == 200 || reply->head_length >= 0)));
}
