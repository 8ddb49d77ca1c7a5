/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/documentation.h"
#include "server/api/family.h"
#include "server/api/modules.h"
#include "server/api/page.h"
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

static bool find_collection(const struct ask *ask, const struct collection_part *part,
	struct collection_details *out, struct err *err)
{
	const char *handle = ask->rest;
	struct publisher_name publisher = name_publisher(handle);
	const char *slash = strchr(handle, '/');
	bool found = false;

	if (slash && !catalog_find_collection(
			     ask->services->catalog, publisher.text, slash + 1, part, out, &found, err))
		return false;
	return found ||
	       err_set(err, ERR_NOT_FOUND,
		       "No collection %.90s is known here. /api/v1/collections lists those that are.",
		       handle);
}

static json_t *modules_json(const struct collection_details *details, bool fold)
{
	json_t *array = json_array();

	for (size_t i = 0; i < details->module_count; i++)
		json_array_append_new(
			array, fold ? family_row_json(&details->modules[i], &details->deployments[i])
				    : module_summary_json(&details->modules[i]));
	return array;
}

json_t *ask_collection(const struct ask *ask, struct err *err)
{
	AUTO(collection_details_finish) struct collection_details details = {0};
	struct collection_part part;
	struct page page;
	char next[24];
	json_t *object;

	if (!page_read_position(ask, &page, &part.from, err) || !family_read_fold(ask, &part.fold, err))
		return NULL;
	part.limit = page.limit;
	if (!find_collection(ask, &part, &details, err))
		return NULL;
	(void)snprintf(next, sizeof next, "%lld", (long long)details.next);
	object = summary_json(&details.summary);
	(void)json_object_update_new(object, page_json(ask, "modules", modules_json(&details, part.fold),
						     details.summary.modules, details.next ? next : NULL));
	return object;
}

void api_collection(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_collection, "limit cursor fold");
}

char *ask_collection_documentation(const struct ask *ask, struct err *err)
{
	AUTO(collection_details_finish) struct collection_details details = {0};

	return find_collection(ask, &(struct collection_part){0}, &details, err) ? TAKE(details.markdown)
										 : NULL;
}

void api_collection_documentation(void *services, struct request *request, struct reply *reply)
{
	documentation_reply(services, request, reply, ask_collection_documentation);
}

/* ---- the list ---- */

static const char *find_parameter(const struct ask *ask, const char *name)
{
	const char *value = query_find(ask->query, name);

	return value && *value ? value : NULL;
}

static json_t *items_json(const struct collection_list *list)
{
	json_t *items = json_array();

	for (size_t i = 0; i < list->count; i++) {
		json_t *item = summary_json(&list->items[i]);

		json_object_set_new(item, "modules", json_integer(list->items[i].modules));
		json_array_append_new(items, item);
	}
	return items;
}

json_t *ask_collections(const struct ask *ask, struct err *err)
{
	AUTO(collection_list_finish) struct collection_list list = {0};
	struct collection_query query = {0};
	AUTO_FREE char *last = NULL;
	struct page page;

	if (!page_read(ask, &page, err))
		return NULL;
	query = (struct collection_query){
		find_parameter(ask, "q"), find_parameter(ask, "publisher"), page.after, page.limit};
	if (!catalog_list_collections(ask->services->catalog, &query, &list, err))
		return NULL;
	if (list.more)
		last = mem_printf(
			"%s/%s", list.items[list.count - 1].publisher, list.items[list.count - 1].name);
	return page_json(ask, "collections", items_json(&list), list.total, last);
}

void api_collections(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_collections, "q publisher limit cursor");
}
