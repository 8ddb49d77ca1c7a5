/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/modules.h"
#include "server/api/page.h"
#include "server/module/savedmodel/savedmodel.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_search.h"

/* ---- what a query asks for ---- */

struct dtype_number {
	char text[24];
};

struct wish {
	struct module_query query;
	struct module_filter filters[URI_QUERY_MAX];
	struct dtype_number numbers[URI_QUERY_MAX]; /* what filters by dtype point to */
};

static bool check_format(const char *value, struct err *err)
{
	enum format format;

	return format_parse(value, &format) ||
	       err_set(err, ERR_BAD_REQUEST, "The format must be tf-hub, tfjs, tflite or coral.");
}

static bool check_source(const char *value, struct err *err)
{
	enum version_source source;

	return version_source_parse(value, &source) ||
	       err_set(err, ERR_BAD_REQUEST, "The source must be published, mirrored or listed.");
}

static bool check_truth(const char *value, struct err *err)
{
	return strcmp(value, "true") == 0 || strcmp(value, "false") == 0 ||
	       err_set(err, ERR_BAD_REQUEST,
		       "The parameters \"cached\", \"fine_tunable\" and \"facets\" must be true or false.");
}

/* What a facet's values must be, where not every text may be one. */
static bool (*const checks[FACET_COUNT])(const char *value, struct err *err) = {
	[FACET_FORMAT] = check_format,
	[FACET_SOURCE] = check_source,
	[FACET_CACHED] = check_truth,
	[FACET_FINE_TUNABLE] = check_truth,
};

static bool read_dtype(const char *value, struct dtype_number *out, struct err *err)
{
	int64_t number;

	if (!dtype_parse(value, &number))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%.40s\" is no dtype; they are called as in Python: float32, int64, string …",
			value);
	(void)snprintf(out->text, sizeof out->text, "%lld", (long long)number);
	return true;
}

static bool read_filter(enum facet facet, const char *value, struct wish *wish, struct err *err)
{
	size_t place = wish->query.filter_count++;
	bool is_dtype = facet == FACET_INPUT_DTYPE || facet == FACET_OUTPUT_DTYPE;

	if (checks[facet] && !checks[facet](value, err))
		return false;
	if (is_dtype && !read_dtype(value, &wish->numbers[place], err))
		return false;
	wish->filters[place] = (struct module_filter){facet, is_dtype ? wish->numbers[place].text : value};
	return true;
}

static bool read_sort(const struct ask *ask, struct module_query *query, struct err *err)
{
	const char *sort = query_find(ask->query, "sort");

	query->sort = SORT_RELEVANCE;
	return !sort || module_sort_parse(sort, &query->sort) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "Lists are sorted by relevance, name, downloads, updated or size.");
}

static bool read_facets(const struct ask *ask, struct module_query *query, struct err *err)
{
	const char *facets = query_find(ask->query, "facets");

	query->facets = facets && strcmp(facets, "true") == 0;
	return !facets || check_truth(facets, err);
}

/* An empty value is a form's way of leaving a filter out. */
static bool read_wish(const struct ask *ask, struct wish *out, struct err *err)
{
	out->query.filters = out->filters;
	out->query.q = query_find(ask->query, "q");
	for (size_t i = 0; i < ask->query->count; i++) {
		const char *value = ask->query->parameters[i].value;
		enum facet facet;

		if (*value && facet_parse(ask->query->parameters[i].name, &facet) &&
			!read_filter(facet, value, out, err))
			return false;
	}
	return read_sort(ask, &out->query, err) && read_facets(ask, &out->query, err);
}

/* ---- the answer ---- */

static json_t *facets_json(const struct module_list *list)
{
	json_t *object = json_object();

	for (size_t facet = 0; facet < FACETS_COUNTED; facet++) {
		json_t *counts = json_object();

		for (size_t i = 0; i < list->facets[facet].count; i++) {
			const struct facet_row *row = &list->facets[facet].rows[i];

			(void)json_object_set_new(counts, row->value, json_integer(row->count));
		}
		(void)json_object_set_new(object, facet_names[facet], counts);
	}
	return object;
}

json_t *ask_modules(const struct ask *ask, struct err *err)
{
	AUTO(module_list_finish) struct module_list list = {0};
	struct wish wish = {0};
	struct page page;
	json_t *items, *answer;

	if (!page_read(ask, &page, err) || !read_wish(ask, &wish, err))
		return NULL;
	wish.query.limit = page.limit;
	wish.query.after = page.after;
	if (!catalog_list_modules(ask->services->catalog, &wish.query, &list, err))
		return NULL;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, module_summary_json(&list.items[i]));
	answer = page_json(ask, "modules", items, list.total, list.next);
	if (wish.query.facets)
		(void)json_object_set_new(answer, "facets", facets_json(&list));
	return answer;
}

void api_modules(void *services, struct request *request, struct reply *reply)
{
	answer_ask(services, request, reply, ask_modules);
}
