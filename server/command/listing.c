/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/listing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/command/cells.h"
#include "server/command/terminal.h"

/* Columns that give way first. */
enum { DESCRIPTION_COLUMN = 1 << 6, DIGEST_COLUMN = 1 << 4 };

enum { DESCRIPTION_WIDTH = 60, DAY_WIDTH = 10 };

void listing_print(struct text_table *table)
{
	table->room = cells_for_people() ? terminal_columns(STDOUT_FILENO) : 0;
	text_table_print(table, stdout, cells_for_people());
	(void)fflush(stdout);
}

static size_t json_flags(void)
{
	return JSON_INDENT(2) | (cells_for_people() ? JSON_ENSURE_ASCII : 0);
}

void listing_print_json(const json_t *json)
{
	(void)json_dumpf(json, stdout, json_flags());
	(void)putchar('\n');
}

/* ---- JSON as it comes ---- */

void listing_begin_json(struct listing_items *items, const char *things)
{
	*items = (struct listing_items){.things = things};
	(void)printf("{\n  \"%s\": [", things);
}

/* Within text there is no end of line: JSON writes \n. */
static void print_indented(const json_t *item)
{
	AUTO_FREE char *text = json_dumps(item, json_flags());

	for (const char *at = text ? text : "null"; *at; at++) {
		(void)putchar(*at);
		if (*at == '\n')
			(void)fputs("    ", stdout);
	}
}

void listing_add_json(struct listing_items *items, const json_t *page)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(page, items->things), i, item)
	{
		(void)fputs(items->count++ > 0 ? ",\n    " : "\n    ", stdout);
		print_indented(item);
	}
	(void)fflush(stdout);
}

void listing_end_json(const struct listing_items *items)
{
	(void)printf("%s],\n  \"total\": %lld\n}\n", items->count > 0 ? "\n  " : "", items->count);
}

/* ---- modules and versions ---- */

/* Ends the text behind so many characters. */
static void cut(char *text, size_t width)
{
	for (; *text; text++) {
		bool begins = ((unsigned char)*text & 0xC0) != 0x80;

		if (begins && width-- == 0) {
			*text = '\0';
			return;
		}
	}
}

/* For people the day is enough. */
static void add_time(struct text_table *table, const json_t *object, const char *key)
{
	AUTO_FREE char *text = mem_dup(cell_text(object, key));

	if (cells_for_people())
		cut(text, DAY_WIDTH);
	text_table_add(table, text);
}

/* Long enough to recognise on a terminal; whole for programs. */
static void add_description(struct text_table *table, const json_t *object)
{
	AUTO_FREE char *text = mem_dup(cell_text(object, "description"));

	if (cells_for_people())
		cut(text, DESCRIPTION_WIDTH);
	text_table_add(table, text);
}

void listing_begin_modules(struct text_table *table)
{
	static const char *const headings[] = {
		"MODULE", "LATEST", "FORMATS", "SIZE", "SOURCE", "UPDATED", "DESCRIPTION"};

	table->columns = sizeof headings / sizeof *headings;
	table->elastic = DESCRIPTION_COLUMN;
	text_table_add_row(table, headings);
}

void listing_add_modules(struct text_table *table, const json_t *modules)
{
	size_t i;
	const json_t *module;

	json_array_foreach((json_t *)modules, i, module)
	{
		cell_add_text(table, module, "handle");
		cell_add_number(table, module, "latest_version");
		cell_add_joined(table, json_object_get(module, "formats"));
		cell_add_size(table, module, "size_bytes");
		cell_add_text(table, module, "source");
		add_time(table, module, "updated_at");
		add_description(table, module);
	}
}

void listing_begin_versions(struct text_table *table)
{
	static const char *const headings[] = {"VERSION", "SOURCE", "STATE", "CREATED"};

	table->columns = sizeof headings / sizeof *headings;
	text_table_add_row(table, headings);
}

void listing_add_versions(struct text_table *table, const json_t *versions)
{
	size_t i;
	const json_t *version;

	json_array_foreach((json_t *)versions, i, version)
	{
		cell_add_number(table, version, "version");
		cell_add_text(table, version, "source");
		cell_add_text(table, version, "state");
		cell_add_text(table, version, "created_at");
	}
}

static bool is_published(const json_t *artifact)
{
	const char *source = json_string_value(json_object_get(artifact, "source"));

	return source && strcmp(source, "published") == 0;
}

static const char *is_here(const json_t *artifact)
{
	if (strcmp(cell_text(artifact, "state"), "quarantined") == 0)
		return "held back";
	if (json_is_true(json_object_get(artifact, "cached")))
		return "yes";
	return json_object_get(artifact, "unavailable")
		       ? cell_text(json_object_get(artifact, "unavailable"), "code")
		       : "no";
}

/* Why what is not here cannot be fetched either. */
static void tell_unavailable(const json_t *object, const char *format)
{
	const json_t *unavailable = json_object_get(object, "unavailable");
	AUTO_FREE char *detail = mem_dup(cell_text(unavailable, "detail"));

	text_table_blank_controls(detail);
	if (unavailable)
		(void)fprintf(
			stderr, "larder: %s%scannot be had now: %s\n", format, *format ? " " : "", detail);
}

void listing_print_artifacts(const json_t *version)
{
	static const char *const headings[] = {
		"FORMAT", "SIZE", "FILES", "UNPACKED", "DIGEST", "SOURCE", "FROM", "HERE"};
	AUTO(text_table_finish)
	struct text_table table = {.columns = sizeof headings / sizeof *headings, .elastic = DIGEST_COLUMN};
	const json_t *artifacts = json_object_get(version, "artifacts");
	size_t i;
	const json_t *artifact;

	text_table_add_row(&table, headings);
	json_array_foreach(artifacts, i, artifact)
	{
		cell_add_text(&table, artifact, "format");
		cell_add_size(&table, artifact, "size_bytes");
		cell_add_number(&table, artifact, "files");
		cell_add_size(&table, artifact, "unpacked_bytes");
		cell_add_text(&table, artifact, "digest");
		cell_add_text(&table, artifact, "source");
		cell_add_text(&table, artifact, is_published(artifact) ? "published_by" : "upstream");
		text_table_add(&table, is_here(artifact));
	}
	listing_print(&table);
	tell_unavailable(version, "");
	json_array_foreach(artifacts, i, artifact) tell_unavailable(artifact, cell_text(artifact, "format"));
}

void listing_print_fact(const char *key, char *value)
{
	text_table_blank_controls(value);
	if (*value)
		(void)printf("%s:%c%s\n", key, cells_for_people() ? ' ' : '\t', value);
}

void listing_print_facts(const json_t *object, const char *const *keys)
{
	for (; *keys; keys++) {
		const json_t *value = json_object_get(object, *keys);
		AUTO_FREE char *text = json_is_integer(value)
					       ? mem_printf("%lld", (long long)json_integer_value(value))
					       : mem_dup(cell_text(object, *keys));

		listing_print_fact(*keys, text);
	}
}

/* ---- signatures ---- */

/* Of one meta graph. */
struct graph {
	struct text_table *table;
	const json_t *tags;
};

static void add_shape(struct text_table *table, const json_t *tensor)
{
	AUTO_BUFFER struct buffer text = {0};

	cell_write_shape(&text, tensor);
	text_table_add(table, buffer_string(&text));
}

static void add_tensors(
	const struct graph *graph, const char *name, const char *direction, const json_t *tensors)
{
	size_t i;
	const json_t *tensor;

	json_array_foreach((json_t *)tensors, i, tensor)
	{
		cell_add_joined(graph->table, graph->tags);
		text_table_add(graph->table, name);
		text_table_add(graph->table, direction);
		cell_add_text(graph->table, tensor, "name");
		text_table_add(graph->table, cell_dtype(tensor));
		add_shape(graph->table, tensor);
	}
}

/* Callables are told from signatures by their brackets. */
static void add_functions(const struct graph *graph, const json_t *functions, const char *brackets)
{
	size_t i;
	const json_t *function;

	json_array_foreach((json_t *)functions, i, function)
	{
		AUTO_FREE char *name = mem_printf("%s%s", cell_text(function, "name"), brackets);

		add_tensors(graph, name, "input", json_object_get(function, "inputs"));
		add_tensors(graph, name, "output", json_object_get(function, "outputs"));
	}
}

void listing_tell_truncated(const json_t *listing)
{
	static const char *const keys[] = {
		"meta_graphs", "tags", "signatures", "tensors", "callables", "nodes"};
	const json_t *counts = json_object_get(listing, "counts");

	if (!json_is_true(json_object_get(listing, "truncated")))
		return;
	(void)fprintf(stderr, "larder: the listing is truncated");
	for (size_t i = 0; counts && i < sizeof keys / sizeof *keys; i++)
		(void)fprintf(stderr, "%s %lld %s", i > 0 ? "," : ": the model has",
			(long long)json_integer_value(json_object_get(counts, keys[i])), keys[i]);
	(void)fputc('\n', stderr);
}

void listing_print_signatures(const json_t *meta_graphs)
{
	static const char *const headings[] = {"TAGS", "SIGNATURE", "DIRECTION", "NAME", "DTYPE", "SHAPE"};
	AUTO(text_table_finish) struct text_table table = {.columns = sizeof headings / sizeof *headings};
	size_t i;
	const json_t *meta_graph;

	text_table_add_row(&table, headings);
	json_array_foreach((json_t *)meta_graphs, i, meta_graph)
	{
		struct graph graph = {&table, json_object_get(meta_graph, "tags")};

		add_functions(&graph, json_object_get(meta_graph, "signatures"), "");
		add_functions(&graph, json_object_get(meta_graph, "callables"), "()");
	}
	listing_print(&table);
}

/* ---- a version ---- */

static void count_models(const json_t *version, size_t *count)
{
	const json_t *artifact;
	size_t i;

	*count = json_is_object(json_object_get(version, "saved_model"));
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact) *count +=
		json_is_object(json_object_get(artifact, "model"));
}

/* Of several formats each says which it is. */
static void print_model(const json_t *model, const char *format, bool is_one_of_several)
{
	AUTO_FREE char *name = mem_dup(format);

	if (!json_is_object(model))
		return;
	(void)putchar('\n');
	if (is_one_of_several)
		listing_print_fact("signatures of", name);
	listing_print_signatures(json_object_get(model, "meta_graphs"));
	listing_tell_truncated(model);
}

void listing_print_models(const json_t *version)
{
	const json_t *artifact;
	size_t count;
	size_t i;

	count_models(version, &count);
	print_model(json_object_get(version, "saved_model"), "tf-hub", count > 1);
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
		print_model(json_object_get(artifact, "model"), cell_text(artifact, "format"), count > 1);
}
