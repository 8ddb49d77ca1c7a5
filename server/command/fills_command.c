/* SPDX-License-Identifier: Apache-2.0
 *
 * fills: what a registry fetches from its upstreams just now, and an end to it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/asking.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/fill_pages.h"
#include "server/command/listing.h"

enum { WHY_COLUMN = 1 << 9 }; /* gives way first */

static void add_number(struct text_table *table, const json_t *fill, const char *key)
{
	if (json_is_integer(json_object_get(fill, key)))
		cell_add_number(table, fill, key);
	else
		text_table_add(table, "");
}

static void add_fill(struct text_table *table, const json_t *fill)
{
	cell_add_number(table, fill, "id");
	cell_add_text(table, fill, "state");
	text_table_printf(table, "%s/%" JSON_INTEGER_FORMAT, cell_text(fill, "handle"),
		json_integer_value(json_object_get(fill, "version")));
	cell_add_text(table, fill, "format");
	cell_add_size(table, fill, "bytes");
	if (json_is_integer(json_object_get(fill, "total_bytes")))
		cell_add_size(table, fill, "total_bytes");
	else
		text_table_add(table, "");
	add_number(table, fill, "eta_s");
	cell_add_number(table, fill, "waiters");
	cell_add_text(table, fill, "upstream");
	cell_add_text(table, fill, "detail");
}

static void add_fills(struct text_table *table, const json_t *fills)
{
	const json_t *fill;
	size_t i;

	json_array_foreach(fills, i, fill) add_fill(table, fill);
}

static bool list(struct remote *remote, bool recent, bool as_json, struct err *err)
{
	static const char *const headings[] = {"ID", "STATE", "MODULE", "FORMAT", "DONE", "OF",
		"SECONDS LEFT", "WAITING", "UPSTREAM", "WHY", NULL};
	AUTO(text_table_finish) struct text_table table = {.columns = 10, .elastic = WHY_COLUMN};
	json_auto_t *answer = NULL;

	if (!fill_pages_read(remote, &answer, err))
		return false;
	if (as_json) {
		listing_print_json(answer);
		return true;
	}
	text_table_add_row(&table, headings);
	add_fills(&table, json_object_get(answer, "fills"));
	if (recent)
		add_fills(&table, json_object_get(answer, "recent"));
	if (table.count == table.columns)
		(void)fputs(recent ? "larder: no fill is running, and none ended lately\n"
				   : "larder: no fill is running; --recent lists those that ended lately\n",
			stderr);
	else
		listing_print(&table);
	return true;
}

static bool cancel(struct remote *remote, const char *id, bool as_json, struct err *err)
{
	AUTO_FREE char *target = mem_printf("/api/v1/fills/%s", id);
	json_auto_t *answer = NULL;

	if (!remote_delete(remote, target, &answer, err))
		return false;
	if (as_json)
		(void)printf("{\"cancelled\": %s}\n", id);
	else
		(void)printf("cancelled: %s\n", id);
	return true;
}

/* ---- the command ---- */

struct fills_options {
	struct asking asking;
	bool recent;
};
enum { LIST = 1 << 0 };

static bool run_form(
	const struct fills_options *options, struct remote *remote, const char *id, struct err *err)
{
	return id ? cancel(remote, id, options->asking.json, err)
		  : list(remote, options->recent, options->asking.json, err);
}

static int run(void *values, int count, char **words)
{
	const struct fills_options *options = values;
	AUTO_REMOTE struct remote *remote = NULL;
	bool cancels = count == 2 && strcmp(words[0], "cancel") == 0;
	int64_t id;
	struct err err;

	if (count > 0 && !cancels)
		return command_misuse("fills", "fills takes nothing, or cancel ID");
	if (cancels && !number_parse(words[1], &id))
		return command_misuse("fills", "the id of a fill is a number, as \"larder fills\" shows it");
	if (!remote_create(&options->asking.remote, &remote, &err) ||
		!run_form(options, remote, cancels ? words[1] : NULL, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"recent", 0, NULL, FLAG_INTO(struct fills_options, recent), "list those that ended lately, too",
		.forms = LIST},
	{0},
};

const struct command command_fills = {
	.name = "fills",
	.summary = "list what a registry downloads from its upstreams, or cancel it",
	.forms = {"", "cancel ID"},
	.remarks =
		"Whoever waits for a fill that is cancelled gets an error. It takes a token with the scope "
		"admin.",
	.groups = {{rows, 0}, {asking_option_rows, offsetof(struct fills_options, asking)},
		{remote_option_rows, offsetof(struct fills_options, asking.remote)}},
	.options_size = sizeof(struct fills_options),
	.run = run,
};
