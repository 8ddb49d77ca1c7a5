/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/facts.h"

#include <string.h>

#include "common/mem.h"
#include "server/api/api.h"

static const struct {
	const char *prefix;
	void (*handle)(void *services, struct request *request, struct reply *reply);
} rows[] = {
	[FACTS_MODULES] = {"/api/v1/modules", api_modules},
	[FACTS_MODULE] = {"/api/v1/modules/", api_module},
	[FACTS_FILES] = {"/api/v1/files/", api_files},
	[FACTS_ACTIVITY] = {"/api/v1/activity", api_activity},
	[FACTS_STATS] = {"/api/v1/stats", api_stats},
};

/* A request of ours, with the headers of the client's. */
static bool prepare(const struct view *view, const char *target, struct request *out, struct err *err)
{
	*out = (struct request){.method = METHOD_GET,
		.content_length = -1,
		.find_header = view->request->find_header,
		.headers = view->request->headers};
	return request_set_target(out, target, NULL, err);
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
	AUTO_FREE char *target = mem_printf("%s%s", rows[facts].prefix, rest);
	AUTO(request_finish) struct request request = {0};
	AUTO(reply_finish) struct reply reply;
	json_t *answer;

	reply_init(&reply);
	if (!prepare(view, target, &request, err))
		return NULL;
	request.rest = request.path + strlen(rows[facts].prefix);
	rows[facts].handle(view->services, &request, &reply);
	answer = take_answer(&reply, err);
	return answer;
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
