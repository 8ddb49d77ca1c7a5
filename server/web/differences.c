/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/differences.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/html_table.h"
#include "server/web/model_tables.h"

/* A part of the page (signatures, callables, operations, files) ends behind so many bytes. */
enum { REASONS_MAX = 12, SHOWN_AT_ONCE = 20, PART_BYTES_MAX = 48 << 10 };

static size_t part_end(const struct view *view)
{
	return view->html.out.length + PART_BYTES_MAX;
}

static bool is_full(const struct view *view, size_t end)
{
	return view->html.out.length > end;
}

/* How the two are called in the heads of columns. */
struct titles {
	char from[32];
	char to[32];
};

static void write_change(struct view *view, const char *change, bool breaking)
{
	HTML(&view->html, "<span class=\"change %s\">%s</span>", change, change);
	if (breaking)
		HTML(&view->html, " <span class=\"change breaking\">breaking</span>");
}

/* ---- the verdict ---- */

static const struct kind {
	const char *key;
	const char *name;
	const char *title;
} kinds[] = {{"signatures", "Signature", "Signatures"}, {"callables", "Callable", "Callable by name"}};

static const struct {
	const char *list;
	const char *name;
} sides[] = {{"inputs", "input"}, {"outputs", "output"}};

static void write_tensor_reason(struct view *view, const char *side, const json_t *tensor)
{
	const char *change = fact_text(tensor, "change");

	HTML(&view->html, "%s <code>%s</code> is ", side, fact_text(tensor, "name"));
	if (strcmp(change, "changed") != 0) {
		HTML(&view->html, "%s</li>\n", strcmp(change, "added") == 0 ? "new" : "gone");
		return;
	}
	model_tables_write_tensor(view, json_object_get(tensor, "to"));
	HTML(&view->html, ", was ");
	model_tables_write_tensor(view, json_object_get(tensor, "from"));
	HTML(&view->html, "</li>\n");
}

static bool is_whole_change(const json_t *function)
{
	return strcmp(fact_text(function, "change"), "changed") != 0;
}

struct reasons {
	size_t written;
	size_t left_out;
};

/* Whether there is a place for one more. */
static bool take_reason(struct reasons *reasons)
{
	bool fits = reasons->written < REASONS_MAX;

	reasons->written += fits;
	reasons->left_out += !fits;
	return fits;
}

/* Why callers of one function break. */
static void write_function_reasons(
	struct view *view, const struct kind *kind, const json_t *function, struct reasons *reasons)
{
	const char *name = fact_text(function, "name");

	if (is_whole_change(function)) {
		if (take_reason(reasons))
			HTML(&view->html, "<li>%s <code>%s</code> is gone</li>\n", kind->name, name);
		return;
	}
	for (size_t side = 0; side < sizeof sides / sizeof *sides; side++) {
		const json_t *tensor;
		size_t i;

		json_array_foreach(json_object_get(function, sides[side].list), i, tensor)
		{
			if (!fact_true(tensor, "breaking") || !take_reason(reasons))
				continue;
			HTML(&view->html, "<li>%s <code>%s</code>: ", kind->name, name);
			write_tensor_reason(view, sides[side].name, tensor);
		}
	}
}

static void write_reasons(struct view *view, const json_t *diff)
{
	struct reasons reasons = {0};

	HTML(&view->html, "<ul>\n");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const json_t *function;
		size_t j;

		json_array_foreach(json_object_get(diff, kinds[i].key), j, function)
		{
			if (fact_true(function, "breaking"))
				write_function_reasons(view, &kinds[i], function, &reasons);
		}
	}
	if (reasons.left_out > 0)
		HTML(&view->html, "<li>and %s more, see below</li>\n",
			count_text((int64_t)reasons.left_out).text);
	HTML(&view->html, "</ul>\n");
}

static bool differs(const json_t *diff)
{
	static const char *const lists[] = {"signatures", "callables", "ops", "files"};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		if (json_array_size(json_object_get(diff, lists[i])) > 0)
			return true;
	}
	return false;
}

static void write_verdict(struct view *view, const json_t *diff)
{
	if (fact_true(diff, "breaking")) {
		HTML(&view->html,
			"<div class=\"notice stop\">\n<p class=\"verdict\"><strong>Breaking.</strong> Code "
			"that calls version %" PRId64 " may fail with version %" PRId64 ":</p>\n",
			fact_number(diff, "from"), fact_number(diff, "to"));
		write_reasons(view, diff);
	} else {
		HTML(&view->html,
			"<div class=\"notice\">\n<p class=\"verdict\"><strong>%s</strong> Code that calls "
			"version %" PRId64 " can call version %" PRId64 " as well.</p>\n",
			differs(diff) ? "Not breaking." : "No difference.", fact_number(diff, "from"),
			fact_number(diff, "to"));
	}
	HTML(&view->html, "</div>\n");
}

/* ---- figures ---- */

static void write_difference(struct view *view, int64_t from, int64_t to)
{
	const struct size_text size = number_size(to > from ? to - from : from - to);

	if (from == to)
		HTML(&view->html, "<span class=\"faint\">same</span>");
	else
		HTML(&view->html, "%s%s", to > from ? "+" : "\xe2\x88\x92", size.text);
}

static void write_size(struct view *view, const char *name, const json_t *sizes)
{
	int64_t from = fact_number(sizes, "from"), to = fact_number(sizes, "to");

	HTML(&view->html,
		"<tr><th scope=\"row\">%s</th><td class=\"number\">%s</td><td class=\"number\">%s</td><td "
		"class=\"number\">",
		name, number_size(from).text, number_size(to).text);
	write_difference(view, from, to);
	HTML(&view->html, "</td></tr>\n");
}

static void write_tensorflow(struct view *view, const json_t *versions)
{
	const char *from = fact_text(versions, "from"), *to = fact_text(versions, "to");

	if (!*from && !*to)
		return;
	HTML(&view->html,
		"<tr><th scope=\"row\">TensorFlow</th><td class=\"number\">%s</td><td "
		"class=\"number\">%s</td><td class=\"number\">",
		*from ? from : "not told", *to ? to : "not told");
	if (strcmp(from, to) == 0)
		HTML(&view->html, "<span class=\"faint\">same</span>");
	else
		write_change(view, "changed", false);
	HTML(&view->html, "</td></tr>\n");
}

static void write_figures(struct view *view, const struct titles *titles, const json_t *diff)
{
	view_begin_section(view, "figures", "At a glance");
	html_table_begin(view, &(struct html_table){.label = "At a glance",
				       .kind = "signature",
				       .columns = {"Figure", titles->from, titles->to, "Change"},
				       .numbers = 1 << 1 | 1 << 2 | 1 << 3});
	write_size(view, "Archive", json_object_get(diff, "size_bytes"));
	write_size(view, "Unpacked", json_object_get(diff, "unpacked_bytes"));
	write_tensorflow(view, json_object_get(diff, "tensorflow_version"));
	html_table_end(view);
	view_end_section(view);
}

/* ---- signatures ---- */

static void write_side(struct view *view, const json_t *tensor)
{
	HTML(&view->html, "<td>");
	if (json_is_object(tensor))
		model_tables_write_tensor(view, tensor);
	else
		HTML(&view->html, "<span class=\"faint\">none</span>");
	HTML(&view->html, "</td>");
}

static void write_tensors(struct view *view, const struct html_table *table, const char *title,
	const json_t *tensors, size_t end)
{
	if (json_array_size(tensors) == 0)
		return;
	html_table_begin_group(view, table, title);
	for (size_t i = 0; i < json_array_size(tensors) && !is_full(view, end); i++) {
		const json_t *tensor = json_array_get(tensors, i);

		HTML(&view->html, "<tr><th scope=\"row\"><code>%s</code></th>", fact_text(tensor, "name"));
		write_side(view, json_object_get(tensor, "from"));
		write_side(view, json_object_get(tensor, "to"));
		HTML(&view->html, "<td>");
		write_change(view, fact_text(tensor, "change"), fact_true(tensor, "breaking"));
		HTML(&view->html, "</td></tr>\n");
	}
	html_table_end_group(view);
}

static void write_caption(struct view *view, const json_t *function)
{
	const json_t *tag;
	size_t i;

	HTML(&view->html, "<caption><code>%s</code> ", fact_text(function, "name"));
	write_change(view, fact_text(function, "change"), fact_true(function, "breaking"));
	json_array_foreach(json_object_get(function, "meta_graph"), i, tag)
		HTML(&view->html, " <span class=\"method\">%s</span>", json_string_value(tag));
	HTML(&view->html, "</caption>\n");
}

static void write_function(struct view *view, const struct titles *titles, const json_t *function, size_t end)
{
	const struct html_table table = {.label = fact_text(function, "name"),
		.kind = "signature",
		.columns = {"Name", titles->from, titles->to, "Change"}};

	html_table_open(view, &table);
	write_caption(view, function);
	html_table_head(view, &table);
	write_tensors(view, &table, "Inputs", json_object_get(function, "inputs"), end);
	write_tensors(view, &table, "Outputs", json_object_get(function, "outputs"), end);
	html_table_close(view);
}

/* "x float32 [?, 1]", one below the other, of the side that there is. */
static void write_whole_tensors(struct view *view, const json_t *tensors, size_t end)
{
	HTML(&view->html, "<td>");
	for (size_t i = 0; i < json_array_size(tensors) && !is_full(view, end); i++) {
		const json_t *tensor = json_array_get(tensors, i);
		const json_t *to = json_object_get(tensor, "to");

		HTML(&view->html, "%s<code><b>%s</b></code> ", i > 0 ? "<br>" : "",
			fact_text(tensor, "name"));
		model_tables_write_tensor(view, json_is_object(to) ? to : json_object_get(tensor, "from"));
	}
	HTML(&view->html, "</td>");
}

static void write_whole_function(struct view *view, const json_t *function, size_t end)
{
	HTML(&view->html, "<tr><th scope=\"row\"><code>%s</code></th>", fact_text(function, "name"));
	write_whole_tensors(view, json_object_get(function, "inputs"), end);
	write_whole_tensors(view, json_object_get(function, "outputs"), end);
	HTML(&view->html, "<td>");
	write_change(view, fact_text(function, "change"), fact_true(function, "breaking"));
	HTML(&view->html, "</td></tr>\n");
}

/* Those that only one of the two has, in one table. */
static void write_whole_functions(
	struct view *view, const struct kind *kind, const json_t *functions, size_t end)
{
	bool any = false;

	for (size_t i = 0; i < json_array_size(functions); i++)
		any = any || is_whole_change(json_array_get(functions, i));
	if (!any)
		return;
	html_table_begin(view, &(struct html_table){.label = "Added and removed",
				       .kind = "signature",
				       .columns = {kind->name, "Inputs", "Outputs", "Change"}});
	for (size_t i = 0; i < json_array_size(functions) && !is_full(view, end); i++) {
		if (is_whole_change(json_array_get(functions, i)))
			write_whole_function(view, json_array_get(functions, i), end);
	}
	html_table_end(view);
}

static void write_functions(
	struct view *view, const struct titles *titles, const struct kind *kind, const json_t *diff)
{
	const json_t *functions = json_object_get(diff, kind->key);
	size_t end = part_end(view);

	view_begin_section(view, kind->key, kind->title);
	if (json_array_size(functions) == 0)
		HTML(&view->html, "<p class=\"faint\">No difference.</p>\n");
	for (size_t i = 0; i < json_array_size(functions) && !is_full(view, end); i++) {
		if (!is_whole_change(json_array_get(functions, i)))
			write_function(view, titles, json_array_get(functions, i), end);
	}
	write_whole_functions(view, kind, functions, end);
	if (is_full(view, end))
		HTML(&view->html, "<p class=\"note\">More of them differ than a page can hold; the API "
				  "tells all of it.</p>\n");
	view_end_section(view);
}

/* ---- operations and files ---- */

static void write_op(struct view *view, const json_t *op)
{
	int64_t from = fact_number(op, "from"), to = fact_number(op, "to");

	HTML(&view->html,
		"<tr><th scope=\"row\"><code>%s</code></th><td class=\"number\">%s</td><td "
		"class=\"number\">%s</td><td>",
		fact_text(op, "op"), count_text(from).text, count_text(to).text);
	write_change(view, from == 0 ? "added" : to == 0 ? "removed" : "changed", false);
	HTML(&view->html, "</td></tr>\n");
}

static void write_file_size(struct view *view, const json_t *size)
{
	if (json_is_integer(size))
		HTML(&view->html, "<td class=\"number\">%s</td>", number_size(json_integer_value(size)).text);
	else
		HTML(&view->html, "<td class=\"number faint\">none</td>");
}

static void write_file(struct view *view, const json_t *file)
{
	HTML(&view->html, "<tr><th scope=\"row\"><code>%s</code></th>", fact_text(file, "path"));
	write_file_size(view, json_object_get(file, "from"));
	write_file_size(view, json_object_get(file, "to"));
	HTML(&view->html, "<td>");
	write_change(view, fact_text(file, "change"), false);
	HTML(&view->html, "</td></tr>\n");
}

static const struct listing {
	const char *key;
	const char *title;
	const char *column;
	void (*write)(struct view *view, const json_t *row);
} listings[] = {
	{"ops", "Operations", "Operation", write_op},
	{"files", "Files", "File", write_file},
};

/* A long list begins folded. */
static void write_rows(
	struct view *view, const struct titles *titles, const struct listing *listing, const json_t *rows)
{
	size_t count = json_array_size(rows), end = part_end(view), i;

	HTML(&view->html, "<details%s>\n<summary>%s difference%s</summary>\n",
		count <= SHOWN_AT_ONCE ? " open" : "", count_text((int64_t)count).text,
		count == 1 ? "" : "s");
	html_table_begin(view, &(struct html_table){.label = listing->title,
				       .kind = "signature",
				       .columns = {listing->column, titles->from, titles->to, "Change"},
				       .numbers = 1 << 1 | 1 << 2});
	for (i = 0; i < count && !is_full(view, end); i++)
		listing->write(view, json_array_get(rows, i));
	html_table_end(view);
	if (i < count)
		HTML(&view->html, "<p class=\"note\">And %s more, which the API tells of.</p>\n",
			count_text((int64_t)(count - i)).text);
	HTML(&view->html, "</details>\n");
}

static void write_listing(
	struct view *view, const struct titles *titles, const struct listing *listing, const json_t *rows)
{
	view_begin_section(view, listing->key, listing->title);
	if (json_array_size(rows) > 0)
		write_rows(view, titles, listing, rows);
	else
		HTML(&view->html, "<p class=\"faint\">No difference.</p>\n");
	view_end_section(view);
}

/* ---- all of it ---- */

/* Of other formats nothing but files and sizes is compared. */
static bool has_signatures(const json_t *diff)
{
	return strcmp(fact_text(diff, "format"), "tf-hub") == 0;
}

void differences_write(struct view *view, const json_t *diff)
{
	struct titles titles;

	(void)snprintf(titles.from, sizeof titles.from, "Version %" PRId64, fact_number(diff, "from"));
	(void)snprintf(titles.to, sizeof titles.to, "Version %" PRId64, fact_number(diff, "to"));
	write_verdict(view, diff);
	write_figures(view, &titles, diff);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (has_signatures(diff))
			write_functions(view, &titles, &kinds[i], diff);
	}
	for (size_t i = has_signatures(diff) ? 0 : 1; i < sizeof listings / sizeof *listings; i++)
		write_listing(view, &titles, &listings[i], json_object_get(diff, listings[i].key));
	if (fact_true(diff, "files_truncated"))
		HTML(&view->html, "<p class=\"note\">More files differ than are compared.</p>\n");
}
