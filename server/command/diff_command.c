/* SPDX-License-Identifier: Apache-2.0
 *
 * diff: what differs between two versions of a module. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/module_target.h"
#include "server/command/remote.h"
#include "server/module/name.h"

struct diff_options {
	struct remote_options remote;
	const char *format; /* NULL: the first that both versions have */
	bool json;
	bool check;
};

/* ---- tables ---- */

/* A part of what differs; nothing is printed of a part in which nothing does. */
static void print_part(struct text_table *table)
{
	if (table->count == table->columns)
		return;
	(void)putchar('\n');
	listing_print(table);
}

static void print_summary(const json_t *diff)
{
	static const char *const headings[] = {"", "FROM", "TO"};
	const json_t *size = json_object_get(diff, "size_bytes");
	const json_t *unpacked = json_object_get(diff, "unpacked_bytes");
	const json_t *tensorflow = json_object_get(diff, "tensorflow_version");
	AUTO(text_table_finish) struct text_table table = {.columns = sizeof headings / sizeof *headings};

	text_table_add_row(&table, headings);
	text_table_add(&table, "version");
	cell_add_number(&table, diff, "from");
	cell_add_number(&table, diff, "to");
	text_table_add(&table, "size");
	cell_add_size(&table, size, "from");
	cell_add_size(&table, size, "to");
	text_table_add(&table, "unpacked");
	cell_add_size(&table, unpacked, "from");
	cell_add_size(&table, unpacked, "to");
	if (*cell_text(tensorflow, "from") || *cell_text(tensorflow, "to")) {
		text_table_add(&table, "TensorFlow");
		cell_add_text(&table, tensorflow, "from");
		cell_add_text(&table, tensorflow, "to");
	}
	text_table_add(&table, "breaking");
	text_table_add(&table, "");
	text_table_add(&table, json_is_true(json_object_get(diff, "breaking")) ? "yes" : "no");
	listing_print(&table);
}

static void add_breaking(struct text_table *table, const json_t *change)
{
	text_table_add(table, json_is_true(json_object_get(change, "breaking")) ? "breaking" : "");
}

static void add_type(struct text_table *table, const json_t *tensor)
{
	AUTO_BUFFER struct buffer shape = {0};

	cell_write_shape(&shape, tensor);
	text_table_add(table, cell_dtype(tensor));
	text_table_add(table, buffer_string(&shape));
}

/* Of one signature or callable. */
struct changed {
	struct text_table *table;
	const json_t *tags;
	const char *name;
};

static void add_place(const struct changed *changed, const char *direction, const char *name)
{
	cell_add_joined(changed->table, changed->tags);
	text_table_add(changed->table, changed->name);
	text_table_add(changed->table, direction);
	text_table_add(changed->table, name);
}

static void add_tensors(const struct changed *changed, const char *direction, const json_t *tensors)
{
	size_t i;
	const json_t *tensor;

	json_array_foreach((json_t *)tensors, i, tensor)
	{
		add_place(changed, direction, cell_text(tensor, "name"));
		cell_add_text(changed->table, tensor, "change");
		add_type(changed->table, json_object_get(tensor, "from"));
		add_type(changed->table, json_object_get(tensor, "to"));
		add_breaking(changed->table, tensor);
	}
}

/* One that came or is gone is a line, whatever it takes and gives. Callables are told by their brackets. */
static void add_functions(struct text_table *table, const json_t *functions, const char *brackets)
{
	size_t i;
	const json_t *function;

	json_array_foreach((json_t *)functions, i, function)
	{
		AUTO_FREE char *name = mem_printf("%s%s", cell_text(function, "name"), brackets);
		struct changed changed = {table, json_object_get(function, "meta_graph"), name};

		if (strcmp(cell_text(function, "change"), "changed") == 0) {
			add_tensors(&changed, "input", json_object_get(function, "inputs"));
			add_tensors(&changed, "output", json_object_get(function, "outputs"));
			continue;
		}
		add_place(&changed, "", "");
		cell_add_text(table, function, "change");
		for (int cell = 0; cell < 4; cell++)
			text_table_add(table, "");
		add_breaking(table, function);
	}
}

static void print_functions(const json_t *diff)
{
	static const char *const headings[] = {"TAGS", "SIGNATURE", "DIRECTION", "NAME", "CHANGE", "DTYPE",
		"SHAPE", "NEW DTYPE", "NEW SHAPE", "BREAKING"};
	AUTO(text_table_finish) struct text_table table = {.columns = sizeof headings / sizeof *headings};

	text_table_add_row(&table, headings);
	add_functions(&table, json_object_get(diff, "signatures"), "");
	add_functions(&table, json_object_get(diff, "callables"), "()");
	print_part(&table);
}

static void print_ops(const json_t *diff)
{
	static const char *const headings[] = {"OP", "FROM", "TO"};
	AUTO(text_table_finish) struct text_table table = {.columns = sizeof headings / sizeof *headings};
	size_t i;
	const json_t *op;

	text_table_add_row(&table, headings);
	json_array_foreach(json_object_get(diff, "ops"), i, op)
	{
		cell_add_text(&table, op, "op");
		cell_add_number(&table, op, "from");
		cell_add_number(&table, op, "to");
	}
	print_part(&table);
}

static void print_files(const json_t *diff)
{
	static const char *const headings[] = {"FILE", "CHANGE", "FROM", "TO"};
	AUTO(text_table_finish) struct text_table table = {.columns = sizeof headings / sizeof *headings};
	size_t i;
	const json_t *file;

	text_table_add_row(&table, headings);
	json_array_foreach(json_object_get(diff, "files"), i, file)
	{
		cell_add_text(&table, file, "path");
		cell_add_text(&table, file, "change");
		cell_add_size(&table, file, "from");
		cell_add_size(&table, file, "to");
	}
	print_part(&table);
	if (json_is_true(json_object_get(diff, "files_truncated")))
		(void)puts("Further files differ.");
}

static void print_diff(const json_t *diff)
{
	print_summary(diff);
	print_functions(diff);
	print_ops(diff);
	print_files(diff);
}

/* ---- asking ---- */

/* Checked here, so that the path is safe in a URL and a mistake costs no request. */
static bool write_target(
	const char *handle, char *const *versions, const char *format, struct buffer *out, struct err *err)
{
	struct name names[2] = {0};

	for (size_t i = 0; i < 2; i++) {
		AUTO_FREE char *path = mem_printf("%s/%s", handle, versions[i]);

		if (!name_parse_versioned(path, &names[i], err))
			return false;
	}
	buffer_printf(out, "/api/v1/diff/%s/%lld", name_path(&names[0]).text, (long long)names[1].version);
	if (format) {
		buffer_add_string(out, "?format=");
		uri_encode(out, format, "");
	}
	return true;
}

static bool fetch(char *const *words, const struct diff_options *options, json_t **out, struct err *err)
{
	AUTO_REMOTE struct remote *remote = NULL;
	AUTO_BUFFER struct buffer target = {0};
	AUTO_FREE char *handle = NULL;

	return remote_create(&options->remote, &remote, err) &&
	       module_target_path(words[0], remote, &handle, err) &&
	       write_target(handle, words + 1, options->format, &target, err) &&
	       remote_get(remote, buffer_string(&target), out, err);
}

/* ---- the command ---- */

static int run(void *values, int count, char **words)
{
	const struct diff_options *options = values;
	json_auto_t *diff = NULL;
	struct err err;

	if (count != 3)
		return command_misuse(
			"diff", "diff takes a module and two versions of it, such as acme/half-plus-two 1 2");
	if (!fetch(words, options, &diff, &err))
		return command_fail(&err);
	(options->json ? listing_print_json : print_diff)(diff);
	if (options->check && json_is_true(json_object_get(diff, "breaking")))
		return COMMAND_FAILED;
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"format", 0, "FORMAT", TEXT_INTO(struct diff_options, format),
		FORMATS_IN_WORDS " (default: the first that both have)", .choices = FORMATS_TO_CHOOSE},
	{"check", 0, NULL, FLAG_INTO(struct diff_options, check),
		"exit with status 1 where something is breaking"},
	{"json", 0, NULL, FLAG_INTO(struct diff_options, json), "print JSON"},
	{0},
};

const struct command command_diff = {
	.name = "diff",
	.summary = "tell what differs between two versions of a module",
	.forms = {"HANDLE FROM TO"},
	.statuses = "1 also where --check finds something breaking.",
	.remarks =
		"Holds two versions against each other, such as acme/half-plus-two 1 2: sizes, signatures, "
		"callables (with brackets behind their name), ops and files. What code that was written for "
		"FROM can fail over is called breaking. Only what was here already can be compared.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct diff_options, remote)}},
	.options_size = sizeof(struct diff_options),
	.run = run,
};
