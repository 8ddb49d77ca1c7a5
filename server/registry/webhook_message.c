/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/webhook_message.h"

#include <jansson.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"

/* What a column is called, by the event. */
static const struct {
	const char *event;
	const char *who;
	const char *detail;
} keys[] = {
	{"published", "published_by", "bundle"},
	{"mirrored", "upstream", "bundle"},
	{"withdrawn", "withdrawn_by", "detail"},
	{"quarantined", "upstream", "detail"},
	{"fill_failed", "upstream", "detail"},
};

/* What is no UTF-8 is left out: an upstream may have said it. */
static void set_text(json_t *object, const char *key, const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	if (value)
		(void)json_object_set_new(object, key, value);
}

static void set_name(json_t *data, const char *subject, const char *base_url)
{
	const char *slash = strrchr(subject, '/');
	AUTO_FREE char *handle = mem_dup_n(subject, slash ? (size_t)(slash - subject) : strlen(subject));
	AUTO_FREE char *url = base_url ? mem_printf("%s/%s", base_url, subject) : NULL;
	int64_t version;

	set_text(data, "handle", handle);
	if (slash && number_parse(slash + 1, &version))
		(void)json_object_set_new(data, "version", json_integer((json_int_t)version));
	set_text(data, "url", url);
}

static void set_bytes(json_t *data, const struct webhook_event *event)
{
	AUTO_FREE char *digest = mem_printf("sha256:%s", event->digest.hex);

	set_text(data, "digest", digest);
	(void)json_object_set_new(data, "size_bytes", json_integer((json_int_t)event->size_bytes));
}

static json_t *data_of(const struct webhook_event *event, const char *base_url)
{
	json_t *data = json_object();

	set_name(data, event->subject, base_url);
	set_text(data, "format", event->format);
	if (event->size_bytes >= 0)
		set_bytes(data, event);
	set_text(data, "code", event->code);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcmp(keys[i].event, event->event) != 0)
			continue;
		set_text(data, keys[i].who, event->who);
		set_text(data, keys[i].detail, event->detail);
	}
	if (event->others > 0)
		(void)json_object_set_new(data, "others", json_integer((json_int_t)event->others));
	return data;
}

char *webhook_message(const struct webhook_event *event, const char *base_url)
{
	json_auto_t *message = json_object();

	set_text(message, "type", event->event);
	set_text(message, "timestamp", clock_rfc3339(event->at).text);
	(void)json_object_set_new(message, "data", data_of(event, base_url));
	return json_dumps(message, JSON_COMPACT);
}
