/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/publishers.h"

#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/documentation.h"
#include "server/api/page.h"
#include "server/store/catalog/catalog_collections.h"
#include "server/store/catalog/catalog_publishers.h"

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
		       "No publisher \"%.90s\" is known here. /api/v1/publishers lists those that are.",
		       name);
}

json_t *publisher_json(const struct ask *ask, const char *name, struct err *err)
{
	AUTO(publisher_details_finish) struct publisher_details details = {0};

	if (!find_publisher(ask->services, name, &details, err))
		return NULL;
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:o}", "name", details.name, "display_name",
		answer_text(details.display_name), "icon_url", answer_text(details.icon_url), "modules",
		(json_int_t)details.modules, "collections", (json_int_t)details.collections, "url",
		json_sprintf("%s/%s", ask->base_url, name), "modules_url",
		json_sprintf("%s/api/v1/modules?publisher=%s", ask->base_url, name));
}

json_t *ask_publisher(const struct ask *ask, struct err *err)
{
	return publisher_json(ask, ask->rest, err);
}

void api_publisher(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_publisher, "");
}

char *ask_publisher_documentation(const struct ask *ask, struct err *err)
{
	AUTO(publisher_details_finish) struct publisher_details details = {0};

	if (!find_publisher(ask->services, ask->rest, &details, err))
		return NULL;
	if (!details.markdown)
		(void)err_set(err, ERR_NOT_FOUND, "Publisher %.100s has no documentation.", ask->rest);
	return TAKE(details.markdown);
}

void api_publisher_documentation(void *services, struct request *request, struct reply *reply)
{
	documentation_reply(services, request, reply, ask_publisher_documentation);
}

static bool read_query(const struct ask *ask, struct publisher_query *out, struct err *err)
{
	const char *q = query_find(ask->query, "q");
	const char *sort = query_find(ask->query, "sort");

	out->q = q && q[strspn(q, " \t\r\n")] ? q : NULL;
	out->by_modules = sort && strcmp(sort, "modules") == 0;
	return !sort || !*sort || out->by_modules || strcmp(sort, "name") == 0 ||
	       err_set(err, ERR_BAD_REQUEST, "Publishers are sorted by name or by modules.");
}

json_t *ask_publishers(const struct ask *ask, struct err *err)
{
	AUTO(publisher_list_finish) struct publisher_list list = {0};
	struct publisher_query query;
	struct page page;
	json_t *items;

	if (!page_read(ask, &page, err) || !read_query(ask, &query, err))
		return NULL;
	query.after = page.after;
	query.limit = page.limit;
	if (!catalog_list_publishers(ask->services->catalog, &query, &list, err))
		return NULL;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, row_json(&list.items[i]));
	return page_json(
		ask, "publishers", items, list.total, list.more ? list.items[list.count - 1].name : NULL);
}

void api_publishers(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_publishers, "q sort limit cursor");
}
