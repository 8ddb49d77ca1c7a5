/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/facts.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "server/api/api.h"
#include "server/module/documents/renderings.h"

static const struct {
	const char *prefix;
	void (*handle)(void *services, struct request *request, struct reply *reply);
} rows[] = {
	[FACTS_MODULES] = {"/api/v1/modules", api_modules},
	[FACTS_MODULE] = {"/api/v1/modules/", api_module_by_handle},
	[FACTS_VERSION] = {"/api/v1/modules/", api_module},
	[FACTS_FILES] = {"/api/v1/files/", api_files},
	[FACTS_DIFF] = {"/api/v1/diff/", api_diff},
	[FACTS_PUBLISHER] = {"/api/v1/publishers/", api_publisher},
	[FACTS_COLLECTIONS] = {"/api/v1/collections", api_collections},
	[FACTS_COLLECTION] = {"/api/v1/collections/", api_collection},
	[FACTS_ACTIVITY] = {"/api/v1/activity", api_activity},
	[FACTS_DOCUMENTATION] = {"/api/v1/documentation/", api_documentation},
	[FACTS_PUBLISHER_DOCUMENTATION] = {"/api/v1/publisher-documentation/", api_publisher_documentation},
	[FACTS_COLLECTION_DOCUMENTATION] = {"/api/v1/collection-documentation/",
		api_collection_documentation},
};

/* The headers of the page's client, but for what it would like to get. */
static const char *find_header(const void *headers, const char *name)
{
	const struct request *page = headers;
	const bool is_accept = strcasecmp(name, "Accept") == 0;

	return is_accept ? "application/json, text/markdown" : request_header(page, name);
}

/* Asks on the calling thread, as the page's client would. */
static bool ask(
	const struct view *view, enum facts facts, const char *rest, struct reply *reply, struct err *err)
{
	AUTO_FREE char *target = mem_printf("%s%s", rows[facts].prefix, rest);
	AUTO(request_finish)
	struct request request = {.method = METHOD_GET,
		.content_length = -1,
		.find_header = find_header,
		.headers = view->request};

	if (!request_set_target(&request, target, NULL, err))
		return false;
	request.rest = request.path + strlen(rows[facts].prefix);
	rows[facts].handle(view->services, &request, reply);
	return true;
}

static void take_refusal(const struct reply *reply, struct err *err)
{
	AUTO_FACTS json_t *problem = json_loadb(reply->bytes, reply->length, 0, NULL);

	(void)err_set(err, reply->problem, "%s", fact_text(problem, "detail"));
}

static json_t *take_answer(const struct reply *reply, struct err *err)
{
	json_t *answer;

	if (reply->problem != ERR_NONE) {
		take_refusal(reply, err);
		return NULL;
	}
	answer = json_loadb(reply->bytes, reply->length, 0, NULL);
	if (!answer)
		(void)err_set(err, ERR_INTERNAL, "the API answered a page with something else than JSON");
	return answer;
}

json_t *facts_ask(const struct view *view, enum facts facts, const char *rest, struct err *err)
{
	AUTO(reply_finish) struct reply reply;

	reply_init(&reply);
	return ask(view, facts, rest, &reply, err) ? take_answer(&reply, err) : NULL;
}

char *facts_render_documentation(const struct view *view, enum facts facts, const char *rest)
{
	AUTO(reply_finish) struct reply reply;
	AUTO_FREE char *markdown = NULL;
	struct err err;

	reply_init(&reply);
	if (!ask(view, facts, rest, &reply, &err) || reply.problem != ERR_NONE)
		return NULL;
	markdown = mem_dup_n(reply.bytes, reply.length);
	return renderings_find(view->services->renderings, markdown, view->root, true);
}

const char *fact_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t fact_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool fact_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
