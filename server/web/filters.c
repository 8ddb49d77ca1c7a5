/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/filters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/api/language.h"
#include "server/web/cards.h"
#include "server/web/facts.h"

enum { SHOWN_AT_ONCE = 6 };

/* Those of most models; others can be asked for in the address. */
static const char *const dtypes[] = {"float32", "float16", "bfloat16", "float64", "uint8", "int8", "int16",
	"int32", "int64", "bool", "string", NULL};

static const struct group {
	const char *key;
	const char *title;
} groups[] = {
	/* that the API counts */
	{"task", "Task"},
	{"language", "Language"},
	{"architecture", "Architecture"},
	{"dataset", "Dataset"},
	{"format", "Format"},
	{"publisher", "Publisher"},
	{"cached", "Availability"},
	{"source", "Source"},
	{"license", "License"},
	{"fine_tunable", "Fine-tunable"},
	{"finding", "Finding"},
};

/* Fields for what is not counted: of a model and of its size. */
static const struct field {
	const char *key;
	const char *title;
	const char *example;
	const char *const *values; /* NULL: any text */
} fields[] = {
	{"op", "Op", "Conv2D", NULL},
	{"input_dtype", "Input dtype", NULL, dtypes},
	{"output_dtype", "Output dtype", NULL, dtypes},
	{"tensorflow_version", "TensorFlow version", "2.11", NULL},
	{"parent_model", "Deployment of", "google/yamnet", NULL},
	{"tag", "Tag of a graph", "serve", NULL},
	{"min_size", "At least", "1M", NULL},
	{"max_size", "At most", "20M", NULL},
};

/* Values that do not speak for themselves. */
static const struct {
	const char *key;
	const char *value;
	const char *label;
} labels[] = {
	{"cached", "true", "stored here"},
	{"fine_tunable", "true", "yes"},
	{"fine_tunable", "false", "no"},
};

struct choice {
	const char *value;
	int64_t count;
	bool chosen;
};

const char *filters_word(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		if (strcmp(labels[i].key, key) == 0 && strcmp(labels[i].value, value) == 0)
			return labels[i].label;
	}
	return value;
}

/* "de · German". */
static char *label_of(const struct view *view, const char *key, const char *value)
{
	const char *name = strcmp(key, "language") == 0 ? language_name(value) : NULL;

	if (strcmp(key, "cached") == 0 && strcmp(value, "false") == 0)
		return mem_dup(facts_away(view));
	return name ? mem_printf("%s · %s", value, name) : mem_dup(filters_word(key, value));
}

/* What a parameter filters by; NULL: it is no filter. */
static const char *title_of(const char *key)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		if (strcmp(groups[i].key, key) == 0)
			return groups[i].title;
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].title;
	}
	return NULL;
}

static bool is_filter(const struct request *request, size_t parameter)
{
	return *request->query.parameters[parameter].value &&
	       title_of(request->query.parameters[parameter].name);
}

static bool is_chosen(const struct request *request, const char *key, const char *value)
{
	for (size_t i = 0; i < request->query.count; i++) {
		if (strcmp(request->query.parameters[i].name, key) == 0 &&
			strcmp(request->query.parameters[i].value, value) == 0)
			return true;
	}
	return false;
}

size_t filters_count(const struct request *request)
{
	size_t count = 0;

	for (size_t i = 0; i < request->query.count; i++)
		count += is_filter(request, i);
	return count;
}

/* ---- what is chosen ---- */

/* The address of this list without one parameter. */
static void write_address_without(struct view *view, size_t without)
{
	const struct query *query = &view->request->query;

	HTML(&view->html, "%s/?q=", view->root);
	html_query_value(&view->html, query_find(query, "q") ? query_find(query, "q") : "");
	for (size_t i = 0; i < query->count; i++) {
		bool is_kept = is_filter(view->request, i) || strcmp(query->parameters[i].name, "sort") == 0;

		if (i == without || !is_kept)
			continue;
		HTML(&view->html, "&amp;");
		html_query_value(&view->html, query->parameters[i].name);
		HTML(&view->html, "=");
		html_query_value(&view->html, query->parameters[i].value);
	}
}

static void write_chosen(struct view *view, size_t parameter)
{
	const char *key = view->request->query.parameters[parameter].name;
	AUTO_FREE char *label = label_of(view, key, view->request->query.parameters[parameter].value);

	HTML(&view->html, "<li><a class=\"chip\" href=\"");
	write_address_without(view, parameter);
	HTML(&view->html,
		"\"><span class=\"unseen\">Without </span>%s: %s <span class=\"off\" "
		"aria-hidden=\"true\">×</span></a></li>\n",
		title_of(key), label);
}

void filters_write_chosen(struct view *view)
{
	if (filters_count(view->request) == 0)
		return;
	HTML(&view->html, "<ul class=\"chips chosen\" aria-label=\"Chosen filters\">\n");
	for (size_t i = 0; i < view->request->query.count; i++) {
		if (is_filter(view->request, i))
			write_chosen(view, i);
	}
	HTML(&view->html, "<li><a class=\"clear\" href=\"%s/?q=", view->root);
	html_query_value(&view->html,
		query_find(&view->request->query, "q") ? query_find(&view->request->query, "q") : "");
	HTML(&view->html, "\">Clear all filters</a></li>\n</ul>\n");
}

/* ---- groups of checkboxes ---- */

/* What is chosen comes first, then what there is most of. */
static int compare(const void *a, const void *b)
{
	const struct choice *left = a;
	const struct choice *right = b;

	if (left->chosen != right->chosen)
		return left->chosen ? -1 : 1;
	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return strcmp(left->value, right->value);
}

/* The caller frees *out. Chosen values that nothing matches are still there to be taken back. */
static size_t collect(
	const struct request *request, const char *key, const json_t *counts, struct choice **out)
{
	size_t count = 0, capacity = 0;
	const char *value;
	json_t *number;

	*out = NULL;
	json_object_foreach((json_t *)counts, value, number)
	{
		if (json_integer_value(number) == 0 && !is_chosen(request, key, value))
			continue;
		MEM_GROW(*out, count, capacity);
		(*out)[count++] =
			(struct choice){value, json_integer_value(number), is_chosen(request, key, value)};
	}
	for (size_t i = 0; i < request->query.count; i++) {
		value = request->query.parameters[i].value;
		if (strcmp(request->query.parameters[i].name, key) != 0 || json_object_get(counts, value))
			continue;
		MEM_GROW(*out, count, capacity);
		(*out)[count++] = (struct choice){value, 0, true};
	}
	if (count > 0)
		qsort(*out, count, sizeof **out, compare);
	return count;
}

static void write_choice(struct view *view, const struct group *group, const struct choice *choice)
{
	AUTO_FREE char *label = label_of(view, group->key, choice->value);

	HTML(&view->html, "<label><input type=\"checkbox\" name=\"%s\" value=\"%s\" form=\"search\"%s>",
		group->key, choice->value, choice->chosen ? " checked" : "");
	HTML(&view->html, "<span>%s</span><span class=\"count\">%s</span></label>\n", label,
		count_text(choice->count).text);
}

struct group_view {
	const struct group *group;
	const struct choice *choices;
	size_t count;
	int64_t total;    /* of values that there are, listed or not */
	const char *part; /* by which the group was narrowed; "" */
};

static void write_field_to_narrow(struct view *view, const struct group_view *shown)
{
	HTML(&view->html,
		"<input class=\"narrow\" type=\"search\" name=\"find_%s\" form=\"search\" value=\"%s\" "
		"aria-label=\"Find a value of %s\" placeholder=\"Find one\" autocomplete=\"off\" "
		"spellcheck=\"false\">\n",
		shown->group->key, shown->part, shown->group->title);
}

static void write_choices(struct view *view, const struct group_view *shown)
{
	size_t at_once = *shown->part ? shown->count : SHOWN_AT_ONCE;

	for (size_t i = 0; i < shown->count; i++) {
		if (i == at_once)
			HTML(&view->html, "<details>\n<summary>%s more</summary>\n",
				count_text(shown->total - (int64_t)i).text);
		write_choice(view, shown->group, &shown->choices[i]);
	}
	if (shown->total > (int64_t)shown->count)
		HTML(&view->html, "<p class=\"faint\">%s more: find them by a part of their name</p>\n",
			count_text(shown->total - (int64_t)shown->count).text);
	if (shown->count > at_once)
		HTML(&view->html, "</details>\n");
}

static void write_group(struct view *view, const struct group_view *shown)
{
	HTML(&view->html, "<fieldset data-key=\"%s\">\n<legend>%s</legend>\n", shown->group->key,
		shown->group->title);
	if (shown->total > SHOWN_AT_ONCE || *shown->part)
		write_field_to_narrow(view, shown);
	if (*shown->part && shown->count == 0)
		HTML(&view->html, "<p class=\"faint\">None is called so</p>\n");
	write_choices(view, shown);
	HTML(&view->html, "</fieldset>\n");
}

static const char *part_of(const struct request *request, const char *key)
{
	AUTO_FREE char *name = mem_printf("find_%s", key);
	const char *part = query_find(&request->query, name);

	return part ? part : "";
}

static void write_counted(struct view *view, const json_t *answer, const struct group *group)
{
	const json_t *counts = json_object_get(json_object_get(answer, "facets"), group->key);
	AUTO_FREE struct choice *choices = NULL;
	size_t count = collect(view->request, group->key, counts, &choices);
	int64_t total = fact_number(json_object_get(answer, "facet_totals"), group->key);
	struct group_view shown = {group, choices, count, total > (int64_t)count ? total : (int64_t)count,
		part_of(view->request, group->key)};

	if (count > 1 || (count == 1 && choices[0].chosen) || *shown.part)
		write_group(view, &shown);
}

/* ---- fields ---- */

static const char *asked(const struct request *request, const char *key)
{
	const char *value = query_find(&request->query, key);

	return value ? value : "";
}

static void write_options(struct view *view, const struct field *field, const char *chosen)
{
	bool is_listed = !*chosen;

	HTML(&view->html, "<select name=\"%s\" form=\"search\">\n<option value=\"\">any</option>\n",
		field->key);
	for (size_t i = 0; field->values[i]; i++) {
		bool is_chosen = strcmp(field->values[i], chosen) == 0;

		is_listed = is_listed || is_chosen;
		HTML(&view->html, "<option%s>%s</option>\n", is_chosen ? " selected" : "", field->values[i]);
	}
	if (!is_listed)
		HTML(&view->html, "<option selected>%s</option>\n", chosen);
	HTML(&view->html, "</select>");
}

static void write_field(struct view *view, const struct field *field)
{
	const char *value = asked(view->request, field->key);

	HTML(&view->html, "<label class=\"line\"><span>%s</span>", field->title);
	if (field->values)
		write_options(view, field, value);
	else
		HTML(&view->html,
			"<input type=\"search\" name=\"%s\" form=\"search\" value=\"%s\" "
			"placeholder=\"%s\" autocomplete=\"off\" spellcheck=\"false\">",
			field->key, value, field->example);
	HTML(&view->html, "</label>\n");
}

static void write_fields(struct view *view)
{
	bool any = false;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		any = any || *asked(view->request, fields[i].key);
	HTML(&view->html,
		"<fieldset data-key=\"model\">\n<legend>Model and size</legend>\n<details%s>\n"
		"<summary>Ops, dtypes, TensorFlow, bytes</summary>\n",
		any ? " open" : "");
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		write_field(view, &fields[i]);
	HTML(&view->html, "</details>\n</fieldset>\n");
}

void filters_write(struct view *view, const json_t *answer)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		write_counted(view, answer, &groups[i]);
	write_fields(view);
}
