/* SPDX-License-Identifier: Apache-2.0
 *
 * wants: what was asked for offline, as the file that is carried to where there is a way out. */
#include <jansson.h>
#include <stdio.h>

#include "common/own.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/paging.h"
#include "server/command/remote.h"

struct wants_options {
	struct remote_options remote;
	bool json;
	bool clear;
};

/* ---- the list ---- */

struct printing {
	struct text_table table;
	struct listing_items items;
};

static void finish_printing(struct printing *printing)
{
	text_table_finish(&printing->table);
}

static void add_row(struct text_table *table, const json_t *want)
{
	const char *path = json_string_value(json_object_get(want, "path"));
	const char *last_at = json_string_value(json_object_get(want, "last_at"));

	text_table_add(table, path ? path : "");
	text_table_printf(table, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(want, "times")));
	text_table_add(table, last_at ? last_at : "");
}

static void print_rows(void *context, const json_t *page)
{
	struct printing *printing = context;
	const json_t *want;
	size_t i;

	json_array_foreach(json_object_get(page, "wants"), i, want) add_row(&printing->table, want);
	printing->items.count += (long long)json_array_size(json_object_get(page, "wants"));
	listing_print(&printing->table);
}

static void print_items(void *context, const json_t *page)
{
	struct printing *printing = context;

	if (!printing->items.things)
		listing_begin_json(&printing->items, "wants");
	listing_add_json(&printing->items, page);
}

/* Each page as it comes; a list that breaks off is no whole file. */
static bool print_wants(struct remote *remote, bool as_json, struct err *err)
{
	static const char *const headings[] = {"PATH", "TIMES", "LAST", NULL};
	AUTO(finish_printing) struct printing printing = {.table.columns = 3};

	text_table_add_row(&printing.table, headings);
	if (!paging_walk(
		    remote, "/api/v1/wants?limit=200", as_json ? print_items : print_rows, &printing, err))
		return false;
	if (as_json)
		listing_end_json(&printing.items);
	else if (printing.items.count == 0)
		(void)fputs("larder: nothing was asked for in vain while mirror.offline was on, up to five "
			    "seconds ago\n",
			stderr);
	return true;
}

static bool clear(struct remote *remote, bool as_json, struct err *err)
{
	json_auto_t *answer = NULL;

	if (!remote_delete(remote, "/api/v1/wants", &answer, err))
		return false;
	if (as_json)
		listing_print_json(answer);
	else
		(void)printf("forgotten: %" JSON_INTEGER_FORMAT "\n",
			json_integer_value(json_object_get(answer, "cleared")));
	return true;
}

/* ---- the command ---- */

static int run(void *values, int count, char **words)
{
	const struct wants_options *options = values;
	AUTO_REMOTE struct remote *remote = NULL;
	struct err err;

	(void)words;
	if (count > 0)
		return command_misuse("wants", "wants takes no paths; it lists all that was asked for");
	if (!remote_create(&options->remote, &remote, &err) ||
		!(options->clear ? clear : print_wants)(remote, options->json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"clear", 0, NULL, FLAG_INTO(struct wants_options, clear),
		"forget the list; takes a token with the scope admin"},
	{"json", 0, NULL, FLAG_INTO(struct wants_options, json), "print JSON"},
	{0},
};

const struct command command_wants = {
	.name = "wants",
	.summary = "what was asked for offline, to carry where it can be had",
	.forms = {""},
	.remarks = "Lists what was asked for in vain while mirror.offline was on and has not come since: a "
		   "path, "
		   "how often, and when last. \"larder wants > wants.txt\" writes the file that \"larder "
		   "prefetch "
		   "--from wants.txt\" reads on a server that has a way out.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct wants_options, remote)}},
	.options_size = sizeof(struct wants_options),
	.run = run,
};
