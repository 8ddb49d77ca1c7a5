/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/listing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"

enum { DESCRIPTION_WIDTH = 60 };

static bool for_people(void)
{
	return isatty(STDOUT_FILENO);
}

void listing_print(const struct table *table)
{
	table_print(table, stdout, for_people());
}

void listing_print_json(const json_t *json)
{
	(void)json_dumpf(json, stdout, JSON_INDENT(2) | (for_people() ? JSON_ENSURE_ASCII : 0));
	(void)putchar('\n');
}

/* ---- values ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void add_text(struct table *table, const json_t *object, const char *key)
{
	table_add(table, text_of(object, key));
}

static void add_number(struct table *table, const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);

	if (json_is_integer(number))
		table_printf(table, "%lld", (long long)json_integer_value(number));
	else
		table_add(table, "");
}

static void add_size(struct table *table, const json_t *object, const char *key)
{
	if (for_people() && json_is_integer(json_object_get(object, key)))
		table_add(table, number_size(json_integer_value(json_object_get(object, key))).text);
	else
		add_number(table, object, key);
}

static void join(struct buffer *out, const json_t *array)
{
	size_t i;
	const json_t *item;

	json_array_foreach((json_t *)array, i, item)
	{
		if (i > 0)
			buffer_add_string(out, ",");
		if (json_is_string(item))
			buffer_add_string(out, json_string_value(item));
		else if (json_is_integer(item))
			buffer_printf(out, "%lld", (long long)json_integer_value(item));
	}
}

static void add_joined(struct table *table, const json_t *array)
{
	AUTO_BUFFER struct buffer text = {0};

	join(&text, array);
	table_add(table, buffer_string(&text));
}

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

/* Long enough to recognise on a terminal; whole for programs. */
static void add_description(struct table *table, const json_t *object)
{
	AUTO_FREE char *text = mem_dup(text_of(object, "description"));

	if (for_people())
		cut(text, DESCRIPTION_WIDTH);
	table_add(table, text);
}

/* ---- modules and versions ---- */

void listing_begin_modules(struct table *table)
{
	static const char *const headings[] = {
		"MODULE", "LATEST", "FORMATS", "SIZE", "SOURCE", "UPDATED", "DESCRIPTION"};

	table->columns = sizeof headings / sizeof *headings;
	table_add_row(table, headings);
}

void listing_add_modules(struct table *table, const json_t *modules)
{
	size_t i;
	const json_t *module;

	json_array_foreach((json_t *)modules, i, module)
	{
		add_text(table, module, "handle");
		add_number(table, module, "latest_version");
		add_joined(table, json_object_get(module, "formats"));
		add_size(table, module, "size_bytes");
		add_text(table, module, "source");
		add_text(table, module, "updated_at");
		add_description(table, module);
	}
}

void listing_print_versions(const json_t *module)
{
	static const char *const headings[] = {"VERSION", "SOURCE", "STATE", "CREATED"};
	AUTO(table_finish) struct table table = {.columns = sizeof headings / sizeof *headings};
	size_t i;
	const json_t *version;

	table_add_row(&table, headings);
	json_array_foreach(json_object_get(module, "version_list"), i, version)
	{
		add_number(&table, version, "version");
		add_text(&table, version, "source");
		add_text(&table, version, "state");
		add_text(&table, version, "created_at");
	}
	listing_print(&table);
}

void listing_print_artifacts(const json_t *version)
{
	static const char *const headings[] = {"FORMAT", "SIZE", "FILES", "UNPACKED", "DIGEST"};
	AUTO(table_finish) struct table table = {.columns = sizeof headings / sizeof *headings};
	size_t i;
	const json_t *artifact;

	table_add_row(&table, headings);
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		add_text(&table, artifact, "format");
		add_size(&table, artifact, "size_bytes");
		add_number(&table, artifact, "files");
		add_size(&table, artifact, "unpacked_bytes");
		add_text(&table, artifact, "digest");
	}
	listing_print(&table);
}

void listing_print_facts(const json_t *object, const char *const *keys)
{
	for (; *keys; keys++) {
		const json_t *value = json_object_get(object, *keys);
		AUTO_FREE char *text = json_is_integer(value)
					       ? mem_printf("%lld", (long long)json_integer_value(value))
					       : mem_dup(text_of(object, *keys));

		table_blank_controls(text);
		if (*text)
			(void)printf("%s:%c%s\n", *keys, for_people() ? ' ' : '\t', text);
	}
}

/* ---- signatures ---- */

/* Of one meta graph. */
struct graph {
	struct table *table;
	const json_t *tags;
};

static void add_shape(struct table *table, const json_t *tensor)
{
	const json_t *shape = json_object_get(tensor, "shape");
	AUTO_BUFFER struct buffer text = {0};

	if (json_is_array(shape)) {
		buffer_add_string(&text, "[");
		join(&text, shape);
		buffer_add_string(&text, "]");
	} else if (json_is_null(shape)) {
		buffer_add_string(&text, "unknown");
	}
	table_add(table, buffer_string(&text));
}

/* A literal has a value instead of a dtype, a composite tensor a type. */
static void add_dtype(struct table *table, const json_t *tensor)
{
	static const char *const keys[] = {"dtype", "type", "value"};
	size_t i = 0;

	while (i + 1 < sizeof keys / sizeof *keys && !*text_of(tensor, keys[i]))
		i++;
	add_text(table, tensor, keys[i]);
}

static void add_tensors(
	const struct graph *graph, const char *name, const char *direction, const json_t *tensors)
{
	size_t i;
	const json_t *tensor;

	json_array_foreach((json_t *)tensors, i, tensor)
	{
		add_joined(graph->table, graph->tags);
		table_add(graph->table, name);
		table_add(graph->table, direction);
		add_text(graph->table, tensor, "name");
		add_dtype(graph->table, tensor);
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
		AUTO_FREE char *name = mem_printf("%s%s", text_of(function, "name"), brackets);

		add_tensors(graph, name, "input", json_object_get(function, "inputs"));
		add_tensors(graph, name, "output", json_object_get(function, "outputs"));
	}
}

void listing_print_signatures(const json_t *meta_graphs)
{
	static const char *const headings[] = {"TAGS", "SIGNATURE", "DIRECTION", "NAME", "DTYPE", "SHAPE"};
	AUTO(table_finish) struct table table = {.columns = sizeof headings / sizeof *headings};
	size_t i;
	const json_t *meta_graph;

	table_add_row(&table, headings);
	json_array_foreach((json_t *)meta_graphs, i, meta_graph)
	{
		struct graph graph = {&table, json_object_get(meta_graph, "tags")};

		add_functions(&graph, json_object_get(meta_graph, "signatures"), "");
		add_functions(&graph, json_object_get(meta_graph, "callables"), "()");
	}
	listing_print(&table);
}
