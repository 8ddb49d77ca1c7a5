/* SPDX-License-Identifier: Apache-2.0
 *
 * status: whether a registry can serve, what it has, and what goes on. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/number.h"
#include "common/own.h"
#include "server/command/asking.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/listing.h"

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *size_of(const json_t *object, const char *key, struct size_text *out)
{
	*out = number_size(number_of(object, key));
	return out->text;
}

static void print_fact(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void print_fact(const char *key, const char *format, ...)
{
	char value[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(value, sizeof value, format, arguments);
	va_end(arguments);
	listing_print_fact(key, value);
}

static void print_readiness(const json_t *report)
{
	const json_t *readiness = json_object_get(report, "readiness");
	bool full = json_is_true(json_object_get(readiness, "full"));
	struct size_text free_bytes;

	print_fact("server", "%s", cell_text(report, "server"));
	if (!json_is_true(json_object_get(readiness, "ready")))
		print_fact("state", "not ready");
	else
		print_fact("state", "%s, %s of disk left",
			full ? "serves, and has no room for more" : "ready",
			size_of(readiness, "free_bytes", &free_bytes));
}

/* "1 file", "2 files". */
struct counted {
	char text[64];
};
static struct counted counted(const json_t *object, const char *key, const char *one, const char *many)
{
	json_int_t number = number_of(object, key);
	struct counted out;

	(void)snprintf(
		out.text, sizeof out.text, "%" JSON_INTEGER_FORMAT " %s", number, number == 1 ? one : many);
	return out;
}

static void print_stats(const json_t *stats)
{
	struct size_text stored, sent, fetched, saved;

	if (json_is_true(json_object_get(stats, "offline")))
		print_fact("offline", "asks no upstream; %s asked for in vain (larder wants)",
			counted(stats, "wants", "artifact was", "artifacts were").text);
	print_fact("modules", "%" JSON_INTEGER_FORMAT ", with %s", number_of(stats, "modules"),
		counted(stats, "versions", "version", "versions").text);
	print_fact("stored", "%s in %s, for %" JSON_INTEGER_FORMAT " of %s",
		size_of(stats, "blob_bytes", &stored), counted(stats, "blobs", "file", "files").text,
		number_of(stats, "cached"), counted(stats, "artifacts", "artifact", "artifacts").text);
	if (number_of(stats, "outdated") > 0)
		print_fact("outdated", "%s judged by older safety rules (larder rescan)",
			counted(stats, "outdated", "artifact was", "artifacts were").text);
	print_fact("since", "%s", cell_text(stats, "started_at"));
	print_fact("requests", "%s, %s", counted(stats, "hits", "hit", "hits").text,
		counted(stats, "misses", "miss", "misses").text);
	print_fact("sent", "%s, %s of them saved from upstreams, %s downloaded from there",
		size_of(stats, "sent_bytes", &sent), size_of(stats, "saved_bytes", &saved),
		size_of(stats, "upstream_bytes", &fetched));
}

static bool ask(struct remote *remote, json_t *report, const char *target, const char *key, struct err *err)
{
	json_t *answer = NULL;

	return remote_get(remote, target, &answer, err) && json_object_set_new(report, key, answer) == 0;
}

/* A server that is not ready still tells what it can. */
static bool look(struct remote *remote, json_t *report, struct err *err)
{
	struct err why;

	if (!ask(remote, report, "/readyz", "readiness", &why)) {
		if (why.code != ERR_BUSY) {
			*err = why;
			return false;
		}
		json_object_set_new(
			report, "readiness", json_pack("{s:b, s:s}", "ready", 0, "detail", why.text));
	}
	return ask(remote, report, "/api/v1/stats", "stats", err) &&
	       ask(remote, report, "/api/v1/fills", "fills", err);
}

static int tell(const json_t *report, bool as_json)
{
	const json_t *readiness = json_object_get(report, "readiness");

	if (as_json) {
		listing_print_json(report);
	} else {
		print_readiness(report);
		print_stats(json_object_get(report, "stats"));
		print_fact("fills", "%" JSON_INTEGER_FORMAT " running",
			number_of(json_object_get(report, "fills"), "total"));
	}
	if (json_is_true(json_object_get(readiness, "ready")))
		return COMMAND_DONE;
	(void)fprintf(stderr, "larder: %s\n", cell_text(readiness, "detail"));
	return COMMAND_FAILED;
}

static int run(void *values, int count, char **words)
{
	const struct asking *asking = values;
	AUTO_REMOTE struct remote *remote = NULL;
	json_auto_t *report = NULL;
	struct err err;

	(void)words;
	if (count > 0)
		return command_misuse("status", "status takes no arguments; --server names another registry");
	if (!remote_create(&asking->remote, &remote, &err))
		return command_fail(&err);
	report = json_pack("{s:s}", "server", remote_server(remote));
	if (!look(remote, report, &err))
		return command_fail(&err);
	return tell(report, asking->json);
}

const struct command command_status = {
	.name = "status",
	.summary = "tell whether a registry can serve, and what it has",
	.forms = {""},
	.statuses = "1 also where the registry is not ready.",
	.remarks = "Tells whether it is ready, what it stores, how much of what was asked for it had, and "
		   "what it fetches just now.",
	.groups = {{asking_option_rows, 0}, {remote_option_rows, offsetof(struct asking, remote)}},
	.options_size = sizeof(struct asking),
	.run = run,
};
