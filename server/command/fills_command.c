/* SPDX-License-Identifier: Apache-2.0
 *
 * fills: what a registry fetches from its upstreams just now, and an end to it. */
#include <getopt.h>
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
	AUTO(text_table_finish) struct text_table table = {.columns = 10};
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

int command_fills(int argc, char **argv)
{
	struct asking asking = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	bool recent = false;
	const struct asking_flag flags[] = {{"recent", &recent}, {0}};
	bool cancels;
	int64_t id;
	struct err err;

	if (!asking_read(argc, argv, flags, &asking))
		return COMMAND_MISUSE;
	cancels = argc - optind == 2 && strcmp(argv[optind], "cancel") == 0;
	if (optind < argc && !cancels)
		return command_misuse("fills", "fills takes nothing, or cancel ID");
	if (cancels && !number_parse(argv[optind + 1], &id))
		return command_misuse("fills", "the id of a fill is a number, as \"larder fills\" shows it");
	if (!remote_create(&asking.remote, &remote, &err) ||
		!(cancels ? cancel(remote, argv[optind + 1], asking.json, &err)
			  : list(remote, recent, asking.json, &err)))
		return command_fail(&err);
	return COMMAND_DONE;
}
