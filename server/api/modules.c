/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/modules.h"

#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
#include "server/http/problem.h"

/* ---- what a query asks for --------------------------------------------------------------------------------
 */

/* A filter that is left out in silence would make the answer a lie. */
static const char *const not_yet[] = {"task", "dataset", "language", "architecture", "license",
	"fine_tunable", "op", "input_dtype", "output_dtype", "facets"};

static bool read_q(const char *value, struct module_query *query, struct err *err)
{
	query->q = value;
	return true;
}

static bool read_publisher(const char *value, struct module_query *query, struct err *err)
{
	query->publisher = value;
	return true;
}

static bool read_format(const char *value, struct module_query *query, struct err *err)
{
	query->has_format = 1;
	return format_parse(value, &query->format) ||
	       err_set(err, ERR_BAD_REQUEST, "The format must be tf-hub, tfjs, tflite or coral.");
}

static bool read_source(const char *value, struct module_query *query, struct err *err)
{
	query->has_source = 1;
	return version_source_parse(value, &query->source) ||
	       err_set(err, ERR_BAD_REQUEST, "The source must be published, mirrored or listed.");
}

static bool read_cached(const char *value, struct module_query *query, struct err *err)
{
	query->has_cached = 1;
	query->cached = strcmp(value, "true") == 0;
	return query->cached || strcmp(value, "false") == 0 ||
	       err_set(err, ERR_BAD_REQUEST, "The parameter \"cached\" must be true or false.");
}

static bool read_sort(const char *value, struct module_query *query, struct err *err)
{
	/* A search in handles ranks nothing, so both of these are the order by handle. */
	return strcmp(value, "name") == 0 || strcmp(value, "relevance") == 0 ||
	       err_set(err, ERR_BAD_REQUEST, "Lists can be sorted by name or relevance only.");
}

static const struct {
	const char *name;
	bool (*read)(const char *value, struct module_query *query, struct err *err);
} parameters[] = {
	{"q", read_q},
	{"publisher", read_publisher},
	{"format", read_format},
	{"source", read_source},
	{"cached", read_cached},
	{"sort", read_sort},
};

static bool read_query(const struct request *request, struct module_query *out, struct err *err)
{
	for (size_t i = 0; i < sizeof not_yet / sizeof *not_yet; i++) {
		if (query_find(&request->query, not_yet[i]))
			return err_set(err, ERR_BAD_REQUEST,
				"The parameter \"%s\" is not supported yet; leave it out.", not_yet[i]);
	}
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
		const char *value = query_find(&request->query, parameters[i].name);

		if (value && !parameters[i].read(value, out, err))
			return false;
	}
	return true;
}

/* ---- a module as JSON -------------------------------------------------------------------------------------
 */

static json_t *numbers_json(const int64_t *numbers, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_integer(numbers[i]));
	return array;
}

static json_t *formats_json(const bool has[FORMAT_COUNT])
{
	json_t *array = json_array();

	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (has[i])
			json_array_append_new(array, json_string(formats[i].name));
	}
	return array;
}

/* What a module is called; its name is the handle without the publisher. */
static json_t *handle_json(const char *handle)
{
	const char *slash = strchr(handle, '/');

	return json_pack("{s:s, s:s, s:s, s:{}}", "handle", handle, "publisher", name_publisher(handle).text,
		"name", slash ? slash + 1 : handle, "tags");
}

json_t *module_summary_json(const struct module_summary *summary)
{
	json_t *object = handle_json(summary->handle);

	(void)json_object_update_new(object,
		json_pack("{s:I, s:o, s:o, s:o}", "latest_version", (json_int_t)summary->latest_version,
			"versions", numbers_json(summary->versions, summary->version_count), "description",
			answer_text(summary->description), "formats", formats_json(summary->formats)));
	(void)json_object_update_new(
		object, json_pack("{s:s, s:b, s:I, s:I, s:o}", "source", version_source_name(summary->source),
				"cached", (int)summary->cached, "size_bytes", (json_int_t)summary->size_bytes,
				"downloads", (json_int_t)summary->downloads, "updated_at",
				answer_time(summary->updated_at)));
	return object;
}

/* A module of which no version is active. */
static json_t *inactive_json(const char *handle, const struct version_row *last)
{
	json_t *object = handle_json(handle);

	(void)json_object_update_new(object,
		json_pack("{s:n, s:[], s:s, s:[], s:s, s:b, s:i, s:i, s:o}", "latest_version", "versions",
			"description", "", "formats", "source", version_source_name(last->source), "cached",
			0, "size_bytes", 0, "downloads", 0, "updated_at", answer_time(last->created_at)));
	return object;
}

static json_t *version_list_json(
	const char *handle, const struct version_row *rows, size_t count, const char *base_url)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array,
			json_pack("{s:I, s:s, s:s, s:o, s:o}", "version", (json_int_t)rows[i].version,
				"source", version_source_name(rows[i].source), "state",
				version_state_name(rows[i].state), "created_at",
				answer_time(rows[i].created_at), "url",
				json_sprintf("%s/%s/%lld", base_url, handle, (long long)rows[i].version)));
	return array;
}

/* The list that begins with this very handle: handles are ASCII, so none lies between it and what it follows.
 */
static bool find_summary(
	const struct services *services, const char *handle, struct module_list *out, struct err *err)
{
	struct publisher_name publisher = name_publisher(handle);
	size_t length = strlen(handle);
	char before[NAME_PATH_MAX + 2] = {0};

	memcpy(before, handle, length);
	before[length - 1]--;
	before[length] = '\x7f';
	return catalog_list_modules(services->catalog,
		&(struct module_query){.publisher = publisher.text, .after = before, .limit = 1}, out, err);
}

json_t *module_json(
	const struct services *services, const struct request *request, const char *handle, struct err *err)
{
	AUTO(module_list_finish) struct module_list list = {0};
	AUTO_FREE struct version_row *rows = NULL;
	AUTO_FREE char *base_url = answer_base_url(services, request);
	size_t count;
	json_t *object;

	if (!catalog_list_versions(services->catalog, handle, &rows, &count, err))
		return NULL;
	if (count == 0) {
		(void)err_set(err, ERR_NOT_FOUND,
			"No module %s is known here. /api/v1/modules?q=… finds those that are.", handle);
		return NULL;
	}
	if (!find_summary(services, handle, &list, err))
		return NULL;
	object = list.count > 0 && strcmp(list.items[0].handle, handle) == 0
			 ? module_summary_json(&list.items[0])
			 : inactive_json(handle, &rows[count - 1]);
	json_object_set_new(object, "version_list", version_list_json(handle, rows, count, base_url));
	return object;
}

/* ---- the list ---------------------------------------------------------------------------------------------
 */

static bool list_modules(
	const struct services *services, const struct request *request, struct reply *reply, struct err *err)
{
	AUTO(module_list_finish) struct module_list list = {0};
	struct module_query query = {0};
	json_t *items;
	struct page page;

	if (!page_read(request, &page, err) || !read_query(request, &query, err))
		return false;
	query.limit = page.limit;
	query.after = page.after[0] ? page.after : NULL;
	if (!catalog_list_modules(services->catalog, &query, &list, err))
		return false;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, module_summary_json(&list.items[i]));
	page_reply(services, request, reply, "modules", items, list.total,
		list.more ? list.items[list.count - 1].handle : NULL);
	return true;
}

void api_modules(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	if (!list_modules(services, request, reply, &err))
		problem_reply(reply, &err);
}
