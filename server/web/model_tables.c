/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/model_tables.h"

#include <inttypes.h>
#include <string.h>

#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"

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

/* ---- one signature ---- */

static const struct html_table signature_table = {
	.kind = "signature", .columns = {"Name", "Type", "Shape", "Tensor"}};

/* Callables have no names of tensors, and so no column for them. */
static const struct html_table callable_table = {.kind = "signature", .columns = {"Name", "Type", "Shape"}};

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
	html_table_begin_group(view, table, title);
	for (size_t i = 0; i < json_array_size(tensors) && !view_is_full(view); i++)
		write_tensor(view, table, json_array_get(tensors, i));
	if (json_array_size(tensors) == 0)
		HTML(&view->html, "<tr><td colspan=\"%d\" class=\"faint\">none</td></tr>\n",
			table->columns[3] ? 4 : 3);
	html_table_end_group(view);
}

static void write_function(struct view *view, const struct html_table *kind, const json_t *function)
{
	const char *method = fact_text(function, "method");
	struct html_table table = *kind;

	table.label = fact_text(function, "name");
	html_table_open(view, &table);
	HTML(&view->html, "<caption><code>%s</code>", table.label);
	if (*method)
		HTML(&view->html, " <span class=\"method\">%s</span>", method);
	HTML(&view->html, "</caption>\n");
	html_table_head(view, &table);
	write_tensors(view, &table, "Inputs", json_object_get(function, "inputs"));
	write_tensors(view, &table, "Outputs", json_object_get(function, "outputs"));
	html_table_close(view);
}

static void write_functions(struct view *view, const struct html_table *table, const json_t *functions)
{
	for (size_t i = 0; i < json_array_size(functions) && !view_is_full(view); i++)
		write_function(view, table, json_array_get(functions, i));
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

static void write_graph(struct view *view, const json_t *graph, bool alone)
{
	const json_t *callables = json_object_get(graph, "callables");

	if (!alone || json_array_size(json_object_get(graph, "tags")) == 0)
		write_graph_title(view, json_object_get(graph, "tags"));
	else
		HTML(&view->html, "<h3 class=\"unseen\">Graph</h3>\n");
	write_functions(view, &signature_table, json_object_get(graph, "signatures"));
	if (json_array_size(callables) > 0)
		HTML(&view->html, "<h4>Callable by name</h4>\n");
	write_functions(view, &callable_table, callables);
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

void model_tables_write(struct view *view, const json_t *model)
{
	const json_t *graphs = json_object_get(model, "meta_graphs");
	const json_t *graph;
	size_t i;

	view_begin_section(view, "signatures", "Signatures");
	if (fact_true(model, "truncated"))
		write_truncated(view, json_object_get(model, "counts"));
	json_array_foreach((json_t *)graphs, i, graph) write_graph(view, graph, json_array_size(graphs) == 1);
	if (view_is_full(view))
		HTML(&view->html, "<p class=\"note\">This model says more than a page can hold; the API "
				  "tells all of it.</p>\n");
	view_end_section(view);
}
