/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/model_tables.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"

#include "server/module/name.h"
#include "server/web/cards.h"
#include "server/web/example_calls.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"

/* Of more functions only the first has a table; more than a screen of them can be sifted. Lines beyond the
 * page's own bound are left to the API. */
enum {
	TABLES_MAX = 20,
	OPS_SHOWN = 60,
	LINE_TENSORS = 12,
	TABLE_TENSORS = 100,
	LINES_BYTES = 36 << 10,
	TABLES_BYTES = 16 << 10
};

/* ---- one tensor ---- */

static void write_dimensions(struct view *view, const json_t *shape)
{
	const json_t *size;
	size_t i;

	HTML(&view->html, "<code>[");
	json_array_foreach((json_t *)shape, i, size)
	{
		HTML(&view->html, "%s", i > 0 ? ", " : "");
		if (json_integer_value(size) < 0)
			HTML(&view->html, "<abbr title=\"any size\">?</abbr>");
		else
			HTML(&view->html, "%" PRId64, (int64_t)json_integer_value(size));
	}
	HTML(&view->html, "]</code>");
}

static void write_shape(struct view *view, const json_t *shape)
{
	if (json_is_null(shape))
		HTML(&view->html, "<span class=\"faint\">any rank</span>");
	else if (!shape)
		HTML(&view->html, "<span class=\"faint\">not told</span>");
	else if (json_array_size(shape) == 0)
		HTML(&view->html, "<code>[]</code> <span class=\"faint\">scalar</span>");
	else
		write_dimensions(view, shape);
}

static void write_kind(struct view *view, const json_t *tensor)
{
	const char *encoding = fact_text(tensor, "encoding");

	if (strcmp(encoding, "literal") == 0)
		HTML(&view->html, "<code>%s</code> <span class=\"faint\">literal</span>",
			fact_text(tensor, "value"));
	else
		HTML(&view->html, "<code>%s</code>", fact_text(tensor, "dtype"));
	if (strcmp(encoding, "coo") == 0)
		HTML(&view->html, " <span class=\"faint\">sparse</span>");
	if (strcmp(encoding, "composite") == 0)
		HTML(&view->html, " <span class=\"faint\">%s</span>", fact_text(tensor, "type"));
}

static bool has_shape(const json_t *tensor)
{
	return strcmp(fact_text(tensor, "encoding"), "literal") != 0;
}

static void write_type(struct view *view, const json_t *tensor)
{
	HTML(&view->html, "<td>");
	write_kind(view, tensor);
	HTML(&view->html, "</td><td>");
	if (has_shape(tensor))
		write_shape(view, json_object_get(tensor, "shape"));
	HTML(&view->html, "</td>");
}

void model_tables_write_tensor(struct view *view, const json_t *tensor)
{
	write_kind(view, tensor);
	HTML(&view->html, " ");
	if (has_shape(tensor))
		write_shape(view, json_object_get(tensor, "shape"));
}

/* ---- one function as a table ---- */

static bool name_tensors(const json_t *tensors)
{
	const json_t *tensor;
	size_t i;

	json_array_foreach((json_t *)tensors, i, tensor)
	{
		if (*fact_text(tensor, "tensor"))
			return true;
	}
	return false;
}

/* Callables and layers have no names of tensors, and so no column for them. */
static struct html_table table_of(const json_t *function)
{
	struct html_table table = {.kind = "signature",
		.label = fact_text(function, "name"),
		.columns = {"Name", "Type", "Shape"}};

	if (name_tensors(json_object_get(function, "inputs")) ||
		name_tensors(json_object_get(function, "outputs")))
		table.columns[3] = "Tensor";
	return table;
}

static void write_tensor(struct view *view, const struct html_table *table, const json_t *tensor)
{
	HTML(&view->html, "<tr><th scope=\"row\"><code>%s</code></th>", fact_text(tensor, "name"));
	write_type(view, tensor);
	if (table->columns[3])
		HTML(&view->html, "<td class=\"faint\"><code>%s</code></td>", fact_text(tensor, "tensor"));
	HTML(&view->html, "</tr>\n");
}

static void write_tensors(
	struct view *view, const struct html_table *table, const char *title, const json_t *tensors)
{
	size_t count = json_array_size(tensors);
	int columns = table->columns[3] ? 4 : 3;

	html_table_begin_group(view, table, title);
	for (size_t i = 0; i < count && i < TABLE_TENSORS; i++)
		write_tensor(view, table, json_array_get(tensors, i));
	if (count > TABLE_TENSORS)
		HTML(&view->html, "<tr><td colspan=\"%d\" class=\"faint\">and %" PRId64 " more</td></tr>\n",
			columns, (int64_t)(count - TABLE_TENSORS));
	if (count == 0)
		HTML(&view->html, "<tr><td colspan=\"%d\" class=\"faint\">none</td></tr>\n", columns);
	html_table_end_group(view);
}

static void write_table(struct view *view, const json_t *function)
{
	const struct html_table table = table_of(function);

	html_table_open(view, &table);
	html_table_head(view, &table);
	write_tensors(view, &table, "Inputs", json_object_get(function, "inputs"));
	write_tensors(view, &table, "Outputs", json_object_get(function, "outputs"));
	html_table_close(view);
}

/* ---- one function as a line ---- */

static void write_line_shape(struct view *view, const json_t *shape)
{
	const json_t *size;
	size_t i;

	if (json_is_null(shape))
		HTML(&view->html, "[…]");
	if (!json_is_array(shape))
		return;
	HTML(&view->html, "[");
	json_array_foreach((json_t *)shape, i, size)
	{
		HTML(&view->html, "%s", i > 0 ? "," : "");
		if (json_integer_value(size) < 0)
			HTML(&view->html, "?");
		else
			HTML(&view->html, "%" PRId64, (int64_t)json_integer_value(size));
	}
	HTML(&view->html, "]");
}

/* "x: float32[?,784]" */
static void write_line_tensor(struct view *view, const json_t *tensor)
{
	const char *type = fact_text(tensor, "dtype");

	if (strcmp(fact_text(tensor, "encoding"), "literal") == 0) {
		HTML(&view->html, "%s=%s", fact_text(tensor, "name"), fact_text(tensor, "value"));
		return;
	}
	if (strcmp(fact_text(tensor, "encoding"), "composite") == 0)
		type = fact_text(tensor, "type");
	HTML(&view->html, "%s: %s", fact_text(tensor, "name"), type);
	write_line_shape(view, json_object_get(tensor, "shape"));
}

static void write_line_tensors(struct view *view, const json_t *tensors)
{
	size_t count = json_array_size(tensors);

	for (size_t i = 0; i < count && i < LINE_TENSORS; i++) {
		HTML(&view->html, "%s", i > 0 ? ", " : "");
		write_line_tensor(view, json_array_get(tensors, i));
	}
	if (count > LINE_TENSORS)
		HTML(&view->html, ", … %" PRId64 " more", (int64_t)(count - LINE_TENSORS));
}

/* "serving_default(x: float32[?,784]) → y: float32[?,10]" */
static void write_line(struct view *view, const json_t *function)
{
	const json_t *outputs = json_object_get(function, "outputs");

	HTML(&view->html, "<code><b>%s</b>(", fact_text(function, "name"));
	write_line_tensors(view, json_object_get(function, "inputs"));
	HTML(&view->html, ") → ");
	write_line_tensors(view, outputs);
	HTML(&view->html, "%s</code>", json_array_size(outputs) == 0 ? "nothing" : "");
}

/* ---- a list of functions ---- */

struct functions {
	const json_t *all;
	const json_t *open; /* the one that is shown at once */
	const char *anchor; /* what ids begin with */
	size_t ends_at;     /* where the page's part for lines ends */
};

/* In words of the shell and of URLs; others are numbered. Names are sorted, so those that are alike are
 * neighbours.
 */
static bool is_anchor(const json_t *functions, size_t i)
{
	const char *name = fact_text(json_array_get(functions, i), "name");
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!*name || name[strspn(name, letters)] || strspn(name, "0123456789") == strlen(name))
		return false;
	return i == 0 || strcmp(name, fact_text(json_array_get(functions, i - 1), "name")) != 0;
}

static void write_id(struct view *view, const struct functions *functions, size_t i)
{
	if (is_anchor(functions->all, i))
		HTML(&view->html, "id=\"%s%s\"", functions->anchor,
			fact_text(json_array_get(functions->all, i), "name"));
	else
		HTML(&view->html, "id=\"%s%" PRId64 "\"", functions->anchor, (int64_t)i + 1);
}

static void write_details(struct view *view, const struct functions *functions, size_t i)
{
	const json_t *function = json_array_get(functions->all, i);
	const char *method = fact_text(function, "method");

	HTML(&view->html, "<details class=\"function\" ");
	write_id(view, functions, i);
	HTML(&view->html, "%s>\n<summary>", function == functions->open ? " open" : "");
	write_line(view, function);
	HTML(&view->html, "</summary>\n");
	if (*method)
		HTML(&view->html, "<p class=\"method\">%s</p>\n", method);
	write_table(view, function);
	HTML(&view->html, "</details>\n");
}

static void write_one(struct view *view, const struct functions *functions, size_t i)
{
	const json_t *function = json_array_get(functions->all, i);
	bool few = json_array_size(functions->all) <= TABLES_MAX;
	bool has_room = view->html.out.length + TABLES_BYTES < functions->ends_at;

	if (function == functions->open || (few && has_room)) {
		write_details(view, functions, i);
		return;
	}
	HTML(&view->html, "<p class=\"function\" ");
	write_id(view, functions, i);
	HTML(&view->html, ">");
	write_line(view, function);
	HTML(&view->html, "</p>\n");
}

static void tell_of_others(struct view *view, size_t count)
{
	HTML(&view->html,
		"<p class=\"note\">And %s more, which the API tells of: this model says more than a page "
		"should "
		"hold.</p>\n",
		count_text((int64_t)count).text);
}

/* The open one comes first, the others in the order of their names. */
static void write_functions(struct view *view, const struct functions *functions)
{
	size_t count = json_array_size(functions->all);
	size_t shown = 0;

	HTML(&view->html, "<div class=\"functions\">\n");
	if (count > TABLES_MAX)
		HTML(&view->html, "<label class=\"sift\">Filter <input type=\"search\" autocomplete=\"off\" "
				  "spellcheck=\"false\"></label>\n");
	for (size_t i = 0; i < count; i++) {
		if (json_array_get(functions->all, i) == functions->open)
			write_one(view, functions, i);
	}
	shown = functions->open ? 1 : 0;
	for (size_t i = 0; i < count && view->html.out.length < functions->ends_at; i++) {
		if (json_array_get(functions->all, i) == functions->open)
			continue;
		write_one(view, functions, i);
		shown++;
	}
	HTML(&view->html, "</div>\n");
	if (shown < count)
		tell_of_others(view, count - shown);
}

/* ---- one meta graph ---- */

static void write_ops(struct view *view, const json_t *ops)
{
	const json_t *op;
	size_t i;

	if (json_array_size(ops) == 0)
		return;
	HTML(&view->html,
		"<details class=\"ops\">\n<summary>%" PRId64
		" kinds of operations</summary>\n<ul class=\"chips\">\n",
		(int64_t)json_array_size(ops));
	json_array_foreach((json_t *)ops, i, op)
	{
		if (i == OPS_SHOWN)
			break;
		HTML(&view->html, "<li><a class=\"chip\" href=\"%s/?op=", view->root);
		html_query_value(&view->html, fact_text(op, "op"));
		HTML(&view->html, "\">%s <span class=\"count\">%s</span></a></li>\n", fact_text(op, "op"),
			count_text(fact_number(op, "count")).text);
	}
	HTML(&view->html, "</ul>\n</details>\n");
}

/* "serve", or what the empty set of tags stands for. */
static void write_graph_title(struct view *view, const json_t *tags)
{
	const json_t *tag;
	size_t i;

	HTML(&view->html, "<h3>Graph ");
	json_array_foreach((json_t *)tags, i, tag)
		HTML(&view->html, "<code>%s</code> ", json_string_value(tag));
	if (json_array_size(tags) == 0)
		HTML(&view->html,
			"without tags <span class=\"faint\">(the default one of a TF1 Hub module)</span>");
	HTML(&view->html, "</h3>\n");
}

/* Which model of the page, and which graph of it. */
struct graph_place {
	const char *format;
	size_t number;
	bool alone;
	size_t ends_at;
};

static void write_graph(struct view *view, const json_t *graph, const struct graph_place *place)
{
	const json_t *signatures = json_object_get(graph, "signatures");
	const json_t *callables = json_object_get(graph, "callables");
	bool first = place->number == 0;
	AUTO_FREE char *anchor =
		first ? mem_printf("%s-signature-", place->format)
		      : mem_printf("%s-graph%zu-signature-", place->format, place->number + 1);
	AUTO_FREE char *other = mem_printf("%s-graph%zu-callable-", place->format, place->number + 1);
	bool is_tf_hub = strcmp(place->format, formats[FORMAT_TF_HUB].name) == 0;

	if (is_tf_hub && (!place->alone || json_array_size(json_object_get(graph, "tags")) == 0))
		write_graph_title(view, json_object_get(graph, "tags"));
	write_functions(
		view, &(struct functions){signatures, first ? example_calls_default(signatures) : NULL,
			      anchor, place->ends_at});
	if (json_array_size(callables) > 0) {
		HTML(&view->html, "<h3>Callable by name</h3>\n");
		write_functions(view, &(struct functions){callables, NULL, other, place->ends_at});
	}
	write_ops(view, json_object_get(graph, "ops"));
}

/* What the model has in truth, where it is known. */
static void write_truncated(struct view *view, const json_t *counts)
{
	static const struct {
		const char *key;
		const char *name;
	} rows[] = {{"meta_graphs", "meta graphs"}, {"tags", "tags"}, {"signatures", "signatures"},
		{"tensors", "inputs and outputs"}, {"callables", "callables"}};

	HTML(&view->html, "<p class=\"note\">The model says more than is kept here; what is shown is right.");
	for (size_t i = 0; counts && i < sizeof rows / sizeof *rows; i++)
		HTML(&view->html, "%s%s %s", i > 0 ? ", " : " In all it has ",
			count_text(fact_number(counts, rows[i].key)).text, rows[i].name);
	HTML(&view->html, "%s</p>\n", counts ? "." : "");
}

/* What order and names mean to those who call it. */
static const struct {
	const char *kind;
	const char *label;
	const char *note;
} kinds[] = {
	{"tf1-hub", "TF1 Hub module", ""},
	{"saved-model", "SavedModel", ""},
	{"tflite", "TF Lite", ""},
	{"tflite-subgraph", "TF Lite",
		"It has no signatures: these are the inputs and outputs of its first subgraph, in order."},
	{"graph-model", "TF.js graph model", ""},
	{"layers-model", "TF.js layers model", "Inputs and outputs are layers, in order."},
	{"files", "Files", "A file of weights gives its tensors."},
};

static void write_kind_of_model(struct view *view, const json_t *model, const char *format, bool alone)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].kind, fact_text(model, "kind")) != 0)
			continue;
		if (!alone)
			HTML(&view->html, "<h3>%s <span class=\"format\">%s</span></h3>\n", kinds[i].label,
				format);
		if (*kinds[i].note)
			HTML(&view->html, "<p class=\"faint\">%s</p>\n", kinds[i].note);
	}
}

static void write_model(struct view *view, const json_t *model, const char *format, bool alone)
{
	const json_t *graphs = json_object_get(model, "meta_graphs");
	size_t ends_at = view->html.out.length + LINES_BYTES;
	size_t count = json_array_size(graphs);

	write_kind_of_model(view, model, format, alone);
	if (fact_true(model, "truncated"))
		write_truncated(view, json_object_get(model, "counts"));
	for (size_t i = 0; i < count && (i == 0 || view->html.out.length < ends_at); i++)
		write_graph(view, json_array_get(graphs, i),
			&(struct graph_place){format, i, count == 1, ends_at});
}

static size_t count_models(const json_t *version)
{
	const json_t *artifact;
	size_t count = json_is_object(json_object_get(version, "saved_model"));
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact) count +=
		json_is_object(json_object_get(artifact, "model"));
	return count;
}

bool model_tables_has_any(const json_t *version)
{
	return count_models(version) > 0;
}

void model_tables_write(struct view *view, const json_t *version)
{
	const json_t *saved_model = json_object_get(version, "saved_model");
	bool alone = count_models(version) == 1;
	const json_t *artifact;
	size_t i;

	if (!model_tables_has_any(version))
		return;
	view_begin_section(view, "signatures", "Signatures");
	if (json_is_object(saved_model))
		write_model(view, saved_model, formats[FORMAT_TF_HUB].name, alone);
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (json_is_object(json_object_get(artifact, "model")))
			write_model(view, json_object_get(artifact, "model"), fact_text(artifact, "format"),
				alone);
	}
	view_end_section(view);
}
