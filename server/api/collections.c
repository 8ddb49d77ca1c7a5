/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/documentation.h"
#include "server/api/modules.h"
#include "server/api/page.h"
#include "server/http/problem.h"
#include "server/store/catalog/catalog_collections.h"

static json_t *summary_json(const struct collection_summary *summary)
{
	json_t *object = json_pack("{s:s++, s:s, s:s, s:I}", "handle", summary->publisher, "/", summary->name,
		"publisher", summary->publisher, "name", summary->name, "version",
		(json_int_t)summary->version);

	(void)json_object_update_new(
		object, json_pack("{s:o, s:o, s:o}", "description", answer_text(summary->description), "tags",
				tags_json(&summary->tags), "updated_at", answer_time(summary->updated_at)));
	return object;
}

/* ---- one ---- */

static bool find_collection(
	const struct services *services, const char *handle, struct collection_details *out, struct err *err)
{
	struct publisher_name publisher = name_publisher(handle);
	const char *slash = strchr(handle, '/');
	bool found = false;

	if (slash && !catalog_find_collection(services->catalog, publisher.text, slash + 1, out, &found, err))
		return false;
	return found ||
	       err_set(err, ERR_NOT_FOUND,
		       "No collection %.100s is known here. /api/v1/collections lists those that are.",
		       handle);
}

static json_t *modules_json(const struct collection_details *details)
{
	json_t *array = json_array();

	for (size_t i = 0; i < details->module_count; i++) {
		const struct collection_module *module = &details->modules[i];

		json_array_append_new(
			array, json_pack("{s:s, s:o, s:b, s:I}", "handle", module->handle, "description",
				       answer_text(module->description), "cached", (int)module->cached,
				       "latest_version", (json_int_t)module->latest_version));
	}
	return array;
}

static json_t *collection_json(const struct services *services, const char *handle, struct err *err)
{
	AUTO(collection_details_finish) struct collection_details details = {0};
	json_t *object;

	if (!find_collection(services, handle, &details, err))
		return NULL;
	object = summary_json(&details.summary);
	json_object_set_new(object, "modules", modules_json(&details));
	return object;
}

void api_collection(void *services, struct request *request, struct reply *reply)
{
	struct err err;
	json_t *object = collection_json(services, request->rest, &err);

	if (object)
		answer_json(reply, object);
	else
		problem_reply(reply, &err);
}

void api_collection_documentation(void *services, struct request *request, struct reply *reply)
{
	AUTO(collection_details_finish) struct collection_details details = {0};
	struct err err;

	if (find_collection(services, request->rest, &details, &err))
		documentation_reply(services, request, details.markdown, reply);
	else
		problem_reply(reply, &err);
}

/* ---- the list ---- */

static const char *find_parameter(const struct request *request, const char *name)
{
	const char *value = query_find(&request->query, name);

	return value && *value ? value : NULL;
}

static bool list_collections(
	const struct services *services, const struct request *request, struct reply *reply, struct err *err)
{
	AUTO(collection_list_finish) struct collection_list list = {0};
	struct collection_query query = {0};
	AUTO_FREE char *last = NULL;
	struct page page;
	json_t *items;

	if (!page_read(request, &page, err))
		return false;
	query = (struct collection_query){
		find_parameter(request, "q"), find_parameter(request, "publisher"), page.after, page.limit};
	if (!catalog_list_collections(services->catalog, &query, &list, err))
		return false;
	items = json_array();
	for (size_t i = 0; i < list.count; i++) {
		json_t *item = summary_json(&list.items[i]);

		json_object_set_new(item, "modules", json_integer(list.items[i].modules));
		json_array_append_new(items, item);
	}
	if (list.more)
		last = mem_printf(
			"%s/%s", list.items[list.count - 1].publisher, list.items[list.count - 1].name);
	page_reply(services, request, reply, "collections", items, list.total, last);
	return true;
}

void api_collections(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	if (!list_collections(services, request, reply, &err))
		problem_reply(reply, &err);
}
