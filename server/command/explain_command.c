/* SPDX-License-Identifier: Apache-2.0
 *
 * explain: what a registry would answer, and why. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/command/asking.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/fillbars.h"
#include "server/command/listing.h"

enum { FILL_COLUMNS = 120 };

/* A line; none where there is nothing to say. */
static void print_line(const char *what, struct buffer *text)
{
	AUTO_FREE char *line = buffer_take(text);

	listing_print_fact(what, line);
}

static void write_name(struct buffer *out, const json_t *name)
{
	const json_t *version = json_object_get(name, "version");

	if (!json_is_object(name))
		return;
	buffer_add_string(out, cell_text(name, "handle"));
	if (json_is_integer(version))
		buffer_printf(out, "/%" JSON_INTEGER_FORMAT, json_integer_value(version));
	buffer_printf(out, " (%s)", cell_text(name, "format"));
}

static void write_answer(struct buffer *out, const json_t *answer)
{
	const json_t *latest = json_object_get(answer, "latest");

	buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(answer, "status")));
	if (*cell_text(answer, "cache"))
		buffer_printf(out, ", %s", cell_text(answer, "cache"));
	if (json_is_integer(latest))
		buffer_printf(out, ", leads to version %" JSON_INTEGER_FORMAT, json_integer_value(latest));
	if (json_is_true(json_object_get(answer, "asks_upstream")))
		buffer_add_string(out, ", once an upstream was asked which version is its latest");
	if (*cell_text(answer, "code"))
		buffer_printf(out, ", %s: %s", cell_text(answer, "code"), cell_text(answer, "detail"));
}

static void write_artifact(struct buffer *out, const json_t *artifact)
{
	if (!json_is_object(artifact))
		return;
	buffer_printf(out, "%s, %s, %s, %s, %s, downloaded %" JSON_INTEGER_FORMAT " times",
		cell_text(artifact, "source"), cell_text(artifact, "state"),
		json_is_true(json_object_get(artifact, "cached")) ? "here" : "its bytes are not here",
		number_size(json_integer_value(json_object_get(artifact, "size_bytes"))).text,
		cell_text(artifact, "digest"), json_integer_value(json_object_get(artifact, "downloads")));
}

static void write_fill(struct buffer *out, const json_t *fill)
{
	if (!json_is_object(fill))
		return;
	fillbars_write(out, fill, FILL_COLUMNS);
	if (*cell_text(fill, "detail"))
		buffer_printf(out, ": %s", cell_text(fill, "detail"));
}

static void write_policy(struct buffer *out, const json_t *policy)
{
	if (!json_is_object(policy))
		return;
	buffer_add_string(out,
		json_is_true(json_object_get(policy, "allowed")) ? "may be mirrored" : "may not be mirrored");
	if (*cell_text(policy, "rule"))
		buffer_printf(out, " (%s)", cell_text(policy, "rule"));
}

static void write_publication(struct buffer *out, const json_t *publication)
{
	const json_t *allowed = json_object_get(publication, "allowed");

	if (!json_is_object(publication))
		return;
	buffer_add_string(out, json_is_null(allowed)
				       ? "upstreams are asked first whether they have the handle"
			       : json_is_true(allowed) ? "the handle may be published under"
						       : "refused");
	if (*cell_text(publication, "rule"))
		buffer_printf(out, " (%s)", cell_text(publication, "rule"));
	if (*cell_text(publication, "detail"))
		buffer_printf(out, ": %s", cell_text(publication, "detail"));
}

static void write_upstream(struct buffer *out, const json_t *upstream)
{
	buffer_add_string(out, cell_text(upstream, "name"));
	if (*cell_text(upstream, "url"))
		buffer_printf(out, ", %s", cell_text(upstream, "url"));
	if (!json_is_true(json_object_get(upstream, "may_have")))
		buffer_add_string(out, ", not asked for this");
	if (*cell_text(upstream, "cooling_until"))
		buffer_printf(out, ", failed, not asked until %s", cell_text(upstream, "cooling_until"));
}

static void write_until(struct buffer *out, const json_t *object, const char *what)
{
	if (json_is_object(object))
		buffer_printf(out, "%s, until %s", what, cell_text(object, "until"));
}

static void print_upstreams(const json_t *upstreams)
{
	const json_t *upstream;
	size_t i;

	json_array_foreach(upstreams, i, upstream)
	{
		struct buffer text = {0};

		write_upstream(&text, upstream);
		print_line("upstream", &text);
	}
}

/* Members of the explanation, and how each is written. */
static const struct fact {
	const char *key;
	const char *what;
	void (*write)(struct buffer *out, const json_t *member);
} facts[] = {
	{"name", "name", write_name},
	{"answer", "answer", write_answer},
	{"artifact", "on record", write_artifact},
	{"fill", "fill", write_fill},
	{"last_fill", "last fill", write_fill},
	{"policy", "policy", write_policy},
	{"publication", "publishing", write_publication},
};

static void print_text(const char *what, const json_t *explanation, const char *key)
{
	struct buffer text = {0};

	buffer_add_string(&text, cell_text(explanation, key));
	print_line(what, &text);
}

static void print_explanation(const json_t *explanation)
{
	struct buffer negative = {0}, quarantine = {0};

	print_text("url", explanation, "url");
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		struct buffer text = {0};

		facts[i].write(&text, json_object_get(explanation, facts[i].key));
		print_line(facts[i].what, &text);
	}
	print_upstreams(json_object_get(explanation, "upstreams"));
	write_until(&negative, json_object_get(explanation, "negative"), "no upstream had it lately");
	print_line("remembered", &negative);
	write_until(&quarantine, json_object_get(explanation, "quarantine"),
		"an upstream had other bytes than those on record");
	print_line("held back", &quarantine);
	print_text("pinned by", explanation, "pinned_by");
	print_text("last used", explanation, "last_used_at");
}

static bool explain(const struct asking *asking, const char *url, struct err *err)
{
	AUTO_REMOTE struct remote *remote = NULL;
	AUTO_BUFFER struct buffer target = {0};
	json_auto_t *explanation = NULL;

	buffer_add_string(&target, "/api/v1/explain?url=");
	uri_encode(&target, url, "");
	if (!remote_create(&asking->remote, &remote, err) ||
		!remote_get(remote, buffer_string(&target), &explanation, err))
		return false;
	if (asking->json)
		listing_print_json(explanation);
	else
		print_explanation(explanation);
	return true;
}

static int run(void *asking, int count, char **words)
{
	struct err err;

	if (count != 1)
		return command_misuse("explain",
			"explain takes a URL or path, such as '/google/x/1?tf-hub-format=compressed'");
	return explain(asking, words[0], &err) ? COMMAND_DONE : command_fail(&err);
}

const struct command command_explain = {
	.name = "explain",
	.summary = "tell what a registry would answer, and why",
	.forms = {"URL"},
	.remarks =
		"Tells how a registry reads a URL or path, such as "
		"'https://tfhub.dev/google/x/1?tf-hub-format=compressed', what it has of it, what a client "
		"would be answered, and which upstreams it would ask. Nothing is fetched.",
	.groups = {{asking_option_rows, 0}, {remote_option_rows, offsetof(struct asking, remote)}},
	.options_size = sizeof(struct asking),
	.run = run,
};
