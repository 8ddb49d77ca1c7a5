/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/lease_record.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/strictjson.h"

enum { RECORD_VERSION = 1, VALUES_MAX = 64 };

static const char *const states[] = {
	[LEASE_ACTIVE] = "active", [LEASE_DONE] = "done", [LEASE_FAILED] = "failed"};

/* What is no text (an upstream's ETag may be any bytes) is not told. */
static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("");
}

char *lease_write(const struct name *name, const struct lease_record *record)
{
	const struct lease_holder *holder = &record->holder;
	const struct lease_work *work = &holder->work;
	json_auto_t *value = json_pack(
		"{s:i, s:s, s:I, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "larder_lease",
		RECORD_VERSION, "handle", name->handle, "version", (json_int_t)name->version, "format",
		formats[name->format].name, "state", states[record->state], "nonce", record->nonce, "count",
		(json_int_t)record->count, "node", text_value(holder->node), "url", text_value(holder->url),
		"upstream", text_value(work->upstream), "etag", text_value(work->etag), "last_modified",
		text_value(work->last_modified), "bytes", (json_int_t)work->bytes, "total_bytes",
		(json_int_t)work->total_bytes);
	/* jansson's own allocation, freed by free(): nobody sets another. */
	char *text = json_dumps(value, JSON_COMPACT);

	return text ? text : mem_dup("{}");
}

static bool take(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = strictjson_text(object, key);

	return text && (size_t)snprintf(out, size, "%s", text) < size;
}

#define TAKE_TEXT(object, key, out) take(object, key, out, sizeof(out))

static bool take_state(const json_t *object, enum lease_state *out)
{
	const char *text = strictjson_text(object, "state");

	for (size_t i = 0; text && i < sizeof states / sizeof *states; i++) {
		if (strcmp(text, states[i]) == 0) {
			*out = (enum lease_state)i;
			return true;
		}
	}
	return false;
}

static bool take_work(const json_t *object, struct lease_work *out)
{
	const json_t *total = json_object_get(object, "total_bytes");

	if (!json_is_integer(total))
		return false;
	out->total_bytes = json_integer_value(total) < 0 ? -1 : json_integer_value(total);
	return TAKE_TEXT(object, "upstream", out->upstream) && TAKE_TEXT(object, "etag", out->etag) &&
	       TAKE_TEXT(object, "last_modified", out->last_modified) &&
	       strictjson_number(object, "bytes", &out->bytes);
}

bool lease_read(const char *text, size_t length, struct lease_record *out, struct err *err)
{
	json_auto_t *object = NULL;
	struct lease_record record = {0};
	int64_t version;

	if (!strictjson_parse(text, length, VALUES_MAX, &object, err)) {
		err->code = ERR_UPSTREAM_FAILED;
		return err_prefix(err, "a lease in the bucket: ");
	}
	if (!strictjson_number(object, "larder_lease", &version) || version != RECORD_VERSION ||
		!take_state(object, &record.state) || !TAKE_TEXT(object, "nonce", record.nonce) ||
		!strictjson_number(object, "count", &record.count) ||
		!TAKE_TEXT(object, "node", record.holder.node) ||
		!TAKE_TEXT(object, "url", record.holder.url) || !take_work(object, &record.holder.work))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"a lease in the bucket is none that this version of Larder can read");
	*out = record;
	return true;
}
