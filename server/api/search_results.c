/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/asked_name.h"
#include "server/api/family.h"
#include "server/api/language.h"
#include "server/api/modules.h"
#include "server/api/page.h"
#include "server/api/search_results.h"
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
	struct name name;                   /* which q is, with a handle */
	const char *narrow[FACETS_COUNTED]; /* a part of the values to count; NULL: all */
	struct module_filter filters[URI_QUERY_MAX];
	struct dtype_number numbers[URI_QUERY_MAX]; /* what filters by dtype point to */
};

static bool check_format(const char *value, struct err *err)
{
	enum format format;

	return format_parse(value, &format) ||
	       err_set(err, ERR_BAD_REQUEST, "The format must be " FORMATS_IN_WORDS ".");
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
		       "Lists are sorted by relevance, name, downloads, trending, updated or size.");
}

static bool read_facets(const struct ask *ask, struct module_query *query, struct err *err)
{
	const char *facets = query_find(ask->query, "facets");

	query->facets = facets && strcmp(facets, "true") == 0;
	return !facets || check_truth(facets, err);
}

static bool read_size(const struct ask *ask, const char *name, int64_t *out, struct err *err)
{
	const char *text = query_find(ask->query, name);

	return !text || !*text || number_parse_size(text, out) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "The parameter \"%s\" must be a number of bytes, or one with K, M, G or T: 20M", name);
}

/* ---- the values of facets ---- */

/* The parameter by which the values of a facet are narrowed. */
static void find_name(enum facet facet, char out[32])
{
	(void)snprintf(out, 32, "find_%s", facet_names[facet]);
}

static void read_narrow(const struct ask *ask, struct wish *out)
{
	for (enum facet facet = 0; facet < FACETS_COUNTED; facet++) {
		char name[32];
		const char *text;

		find_name(facet, name);
		text = query_find(ask->query, name);
		out->narrow[facet] = text && *text ? text : NULL;
	}
}

/* By what they are called as well as by how they are written. */
static bool is_wanted(const void *context, enum facet facet, const char *value)
{
	const struct wish *wish = context;
	const char *part = wish->narrow[facet];
	const char *label = part && facet == FACET_LANGUAGE ? language_name(value) : NULL;

	return !part || strcasestr(value, part) || (label && strcasestr(label, part));
}

/* An empty value is a form's way of leaving a filter out. */
static bool read_wish(const struct ask *ask, struct wish *out, struct err *err)
{
	out->query.filters = out->filters;
	out->query.q = query_find(ask->query, "q");
	out->query.is_counted = is_wanted;
	out->query.context = out;
	if (asked_name_read(ask, out->query.q, &out->name))
		out->query.q = out->query.handle = out->name.handle;
	read_narrow(ask, out);
	for (size_t i = 0; i < ask->query->count; i++) {
		const char *value = ask->query->parameters[i].value;
		enum facet facet;

		if (*value && facet_parse(ask->query->parameters[i].name, &facet) &&
			!read_filter(facet, value, out, err))
			return false;
	}
	return read_sort(ask, &out->query, err) && read_facets(ask, &out->query, err) &&
	       family_read_fold(ask, &out->query.fold, err) &&
	       read_size(ask, "min_size", &out->query.min_size, err) &&
	       read_size(ask, "max_size", &out->query.max_size, err);
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

static json_t *facet_totals_json(const struct module_list *list)
{
	json_t *object = json_object();

	for (size_t facet = 0; facet < FACETS_COUNTED; facet++)
		(void)json_object_set_new(
			object, facet_names[facet], json_integer((json_int_t)list->facets[facet].total));
	return object;
}

/* What q named: known is whether the module is. */
static json_t *exact_json(const struct ask *ask, const struct wish *wish, const struct module_list *list)
{
	const struct name *name = &wish->name;

	return json_pack("{s:s, s:o, s:b, s:o}", "handle", name->handle, "version",
		name->version > 0 ? json_integer((json_int_t)name->version) : json_null(), "known",
		(int)list->has_handle, "url", json_sprintf("%s/%s", ask->base_url, name_path(name).text));
}

static void tell_findings(
	json_t *answer, const struct ask *ask, const struct wish *wish, const struct module_list *list)
{
	if (wish->query.handle)
		(void)json_object_set_new(answer, "exact", exact_json(ask, wish, list));
	if (list->meant)
		(void)json_object_set_new(answer, "did_you_mean", answer_text(list->meant));
	if (wish->query.facets) {
		(void)json_object_set_new(answer, "facets", facets_json(list));
		(void)json_object_set_new(answer, "facet_totals", facet_totals_json(list));
	}
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
		json_array_append_new(items, wish.query.fold
						     ? family_row_json(&list.items[i], &list.deployments[i])
						     : module_summary_json(&list.items[i]));
	answer = page_json(ask, "modules", items, list.total, list.next);
	tell_findings(answer, ask, &wish, &list);
	return answer;
}

char *search_parameters(void)
{
	AUTO_BUFFER struct buffer names = {0};

	buffer_add_string(&names, "q sort limit cursor facets fold min_size max_size");
	for (enum facet facet = 0; facet < FACET_COUNT; facet++)
		buffer_printf(&names, " %s", facet_names[facet]);
	for (enum facet facet = 0; facet < FACETS_COUNTED; facet++) {
		char name[32];

		find_name(facet, name);
		buffer_printf(&names, " %s", name);
	}
	return buffer_take(&names);
}

void api_modules(void *services, struct request *request, struct reply *reply)
{
	AUTO_FREE char *parameters = search_parameters();

	answer_ask_with(services, request, reply, ask_modules, parameters);
}
