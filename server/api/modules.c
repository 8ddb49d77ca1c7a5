/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/modules.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api_address.h"
#include "server/api/page.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_tags.h"
#include "server/store/catalog/catalog_trends.h"
#include "server/store/catalog/catalog_versions.h"

/* ---- a module as JSON ---- */

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

json_t *tags_json(const struct tags *tags)
{
	json_t *object = json_object();

	for (size_t i = 0; i < tags->count; i++) {
		json_t *values = json_object_get(object, tags->items[i].kind);

		if (!values) {
			values = json_array();
			(void)json_object_set_new(object, tags->items[i].kind, values);
		}
		json_array_append_new(values, answer_text(tags->items[i].value));
	}
	return object;
}

/* What a module is called; its name is the handle without the publisher. */
static json_t *handle_json(const char *handle)
{
	const char *slash = strchr(handle, '/');

	return json_pack("{s:s, s:s, s:s}", "handle", handle, "publisher", name_publisher(handle).text,
		"name", slash ? slash + 1 : handle);
}

json_t *module_summary_json(const struct module_summary *summary)
{
	json_t *object = handle_json(summary->handle);

	(void)json_object_update_new(object,
		json_pack("{s:I, s:o, s:I, s:o, s:o, s:o}", "latest_version",
			(json_int_t)summary->latest_version, "versions",
			numbers_json(summary->versions, summary->version_count), "version_count",
			(json_int_t)summary->active_count, "description", answer_text(summary->description),
			"tags", tags_json(&summary->tags), "formats", formats_json(summary->formats)));
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
		json_pack("{s:n, s:[], s:i, s:s, s:{}, s:[], s:s, s:b, s:i, s:i, s:o}", "latest_version",
			"versions", "version_count", 0, "description", "", "tags", "formats", "source",
			version_source_name(last->source), "cached", 0, "size_bytes", 0, "downloads", 0,
			"updated_at", answer_time(last->created_at)));
	return object;
}

static json_t *version_rows_json(
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

static json_t *version_page_json(const struct ask *ask, const char *handle, const struct version_list *list)
{
	char last[24] = "";

	if (list->more)
		(void)snprintf(last, sizeof last, "%lld", (long long)list->items[list->count - 1].version);
	return page_json(ask, "version_list",
		version_rows_json(handle, list->items, list->count, ask->base_url), list->total,
		list->more ? last : NULL);
}

static bool read_order(const struct ask *ask, bool *newest, struct err *err)
{
	const char *value = query_find(ask->query, "newest");

	*newest = value && strcmp(value, "true") == 0;
	return !value || *newest || strcmp(value, "false") == 0 ||
	       err_set(err, ERR_BAD_REQUEST, "The parameter \"newest\" must be true or false.");
}

/* The module itself, without its versions. */
static json_t *head_json(const struct services *services, const char *handle, struct err *err)
{
	AUTO(module_summary_finish) struct module_summary summary = {0};
	AUTO(version_list_finish) struct version_list last = {0};
	AUTO_FREE char *sentence = NULL;
	bool found;

	if (!catalog_find_module(services->catalog, handle, &summary, &found, err))
		return NULL;
	if (found)
		return module_summary_json(&summary);
	if (!catalog_list_versions(services->catalog, handle,
		    &(struct version_query){.newest = true, .limit = 1}, &last, err))
		return NULL;
	if (last.count > 0)
		return inactive_json(handle, &last.items[0]);
	sentence = mem_printf("No module %.90s is known here.", handle);
	(void)api_address_refuse_unknown(sentence, handle, err);
	return NULL;
}

/* {"2026-11-28": 3}: the days that had downloads. */
static json_t *daily_json(const struct services *services, const char *handle, struct err *err)
{
	AUTO_FREE struct day_downloads *days = NULL;
	json_t *object;
	size_t count;

	if (!catalog_list_download_days(services->catalog, handle, clock_now_s(), &days, &count, err))
		return NULL;
	object = json_object();
	for (size_t i = 0; i < count; i++) {
		struct time_text time = clock_rfc3339(days[i].day * 86400);

		time.text[strcspn(time.text, "T")] = '\0';
		(void)json_object_set_new(object, time.text, json_integer((json_int_t)days[i].downloads));
	}
	return object;
}

json_t *module_json(const struct ask *ask, const char *handle, struct err *err)
{
	AUTO(version_list_finish) struct version_list list = {0};
	struct version_query query;
	struct page page;
	json_t *object, *daily;
	int64_t documented;

	if (!page_read_position(ask, &page, &query.after, err) || !read_order(ask, &query.newest, err))
		return NULL;
	query.limit = page.limit;
	if (!catalog_list_versions(ask->services->catalog, handle, &query, &list, err))
		return NULL;
	if (!catalog_find_documented(ask->services->catalog, handle, &documented, err))
		return NULL;
	object = head_json(ask->services, handle, err);
	daily = object ? daily_json(ask->services, handle, err) : NULL;
	if (!daily) {
		json_decref(object);
		return NULL;
	}
	(void)json_object_update_new(object, version_page_json(ask, handle, &list));
	json_object_set_new(
		object, "documented_version", documented > 0 ? json_integer(documented) : json_null());
	json_object_set_new(object, "daily_downloads", daily);
	return object;
}
