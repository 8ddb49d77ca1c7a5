/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/filters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/web/cards.h"
#include "server/web/facts.h"

enum { SHOWN_AT_ONCE = 6 };

static const struct group {
	const char *key;
	const char *title;
} groups[] = {
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
};

/* Values that do not speak for themselves. */
static const struct {
	const char *key;
	const char *value;
	const char *label;
} labels[] = {
	{"cached", "true", "on this server"},
	{"cached", "false", "fetched at first use"},
	{"fine_tunable", "true", "yes"},
	{"fine_tunable", "false", "no"},
};

struct choice {
	const char *value;
	int64_t count;
	bool chosen;
};

static const char *label_of(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		if (strcmp(labels[i].key, key) == 0 && strcmp(labels[i].value, value) == 0)
			return labels[i].label;
	}
	return value;
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

	for (size_t i = 0; i < request->query.count; i++) {
		for (size_t j = 0; j < sizeof groups / sizeof *groups; j++)
			count += strcmp(request->query.parameters[i].name, groups[j].key) == 0;
	}
	return count;
}

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
	HTML(&view->html, "<label><input type=\"checkbox\" name=\"%s\" value=\"%s\" form=\"search\"%s>",
		group->key, choice->value, choice->chosen ? " checked" : "");
	HTML(&view->html, "<span>%s</span><span class=\"count\">%s</span></label>\n",
		label_of(group->key, choice->value), count_text(choice->count).text);
}

static void write_group(
	struct view *view, const struct group *group, const struct choice *choices, size_t count)
{
	HTML(&view->html, "<fieldset data-key=\"%s\">\n<legend>%s</legend>\n", group->key, group->title);
	for (size_t i = 0; i < count; i++) {
		if (i == SHOWN_AT_ONCE)
			HTML(&view->html, "<details>\n<summary>%" PRId64 " more</summary>\n",
				(int64_t)(count - i));
		write_choice(view, group, &choices[i]);
	}
	if (count > SHOWN_AT_ONCE)
		HTML(&view->html, "</details>\n");
	HTML(&view->html, "</fieldset>\n");
}

void filters_write(struct view *view, const json_t *facets)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		AUTO_FREE struct choice *choices = NULL;
		size_t count = collect(
			view->request, groups[i].key, json_object_get(facets, groups[i].key), &choices);

		if (count > 1 || (count == 1 && choices[0].chosen))
			write_group(view, &groups[i], choices, count);
	}
}
