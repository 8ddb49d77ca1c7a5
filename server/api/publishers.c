/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/publishers.h"

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/documentation.h"
#include "server/api/page.h"
#include "server/http/problem.h"
#include "server/store/catalog/catalog_collections.h"

static json_t *row_json(const struct publisher_row *row)
{
	return json_pack("{s:s, s:o, s:I}", "name", row->name, "display_name", answer_text(row->display_name),
		"modules", (json_int_t)row->modules);
}

static bool find_publisher(
	const struct services *services, const char *name, struct publisher_details *out, struct err *err)
{
	bool found;

	if (!catalog_find_publisher(services->catalog, name, out, &found, err))
		return false;
	return found ||
	       err_set(err, ERR_NOT_FOUND,
		       "No publisher \"%.100s\" is known here. /api/v1/publishers lists those that are.",
		       name);
}

json_t *publisher_json(
	const struct services *services, const struct request *request, const char *name, struct err *err)
{
	AUTO(publisher_details_finish) struct publisher_details details = {0};
	AUTO_FREE char *base = answer_base_url(services, request);

	if (!find_publisher(services, name, &details, err))
		return NULL;
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:o}", "name", details.name, "display_name",
		answer_text(details.display_name), "icon_url", answer_text(details.icon_url), "modules",
		(json_int_t)details.modules, "collections", (json_int_t)details.collections, "url",
		json_sprintf("%s/%s", base, name), "modules_url",
		json_sprintf("%s/api/v1/modules?publisher=%s", base, name));
}

void api_publisher(void *services, struct request *request, struct reply *reply)
{
	struct err err;
	json_t *object = publisher_json(services, request, request->rest, &err);

	if (object)
		answer_json(reply, object);
	else
		problem_reply(reply, &err);
}

void api_publisher_documentation(void *services, struct request *request, struct reply *reply)
{
	AUTO(publisher_details_finish) struct publisher_details details = {0};
	struct err err;

	if (!find_publisher(services, request->rest, &details, &err))
		return problem_reply(reply, &err);
	if (details.markdown)
		return documentation_reply(services, request, details.markdown, reply);
	(void)err_set(&err, ERR_NOT_FOUND, "Publisher %.100s has no documentation.", request->rest);
	problem_reply(reply, &err);
}

static bool list_publishers(
	const struct services *services, const struct request *request, struct reply *reply, struct err *err)
{
	AUTO(publisher_list_finish) struct publisher_list list = {0};
	struct page page;
	json_t *items;

	if (!page_read(request, &page, err) ||
		!catalog_list_publishers(services->catalog, page.after, page.limit, &list, err))
		return false;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, row_json(&list.items[i]));
	page_reply(services, request, reply, "publishers", items, list.total,
		list.more ? list.items[list.count - 1].name : NULL);
	return true;
}

void api_publishers(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	if (!list_publishers(services, request, reply, &err))
		problem_reply(reply, &err);
}
