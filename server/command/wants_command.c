/* SPDX-License-Identifier: Apache-2.0
 *
 * wants: what was asked for offline, as the file that is carried to where there is a way out. */
#include <getopt.h>
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

static const struct option long_options[] = {
	REMOTE_LONG_OPTIONS,
	{"json", no_argument, NULL, 'j'},
	{"clear", no_argument, NULL, 'c'},
	{NULL, 0, NULL, 0},
};

static bool read_options(int argc, char **argv, struct wants_options *options)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (letter == '?')
			return false;
		if (letter == 'j')
			options->json = true;
		else if (letter == 'c')
			options->clear = true;
		else
			remote_take_option(&options->remote, letter, optarg);
	}
	return true;
}

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

int command_wants(int argc, char **argv)
{
	struct wants_options options = {0};
	AUTO(own_remote) struct remote *remote = NULL;
	struct err err;

	if (!read_options(argc, argv, &options))
		return COMMAND_MISUSE;
	if (optind < argc)
		return command_misuse("wants", "wants takes no paths; it lists all that was asked for");
	if (!remote_create(&options.remote, &remote, &err) ||
		!(options.clear ? clear : print_wants)(remote, options.json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}
