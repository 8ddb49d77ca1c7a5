/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/kaggle_reply.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/api/answer.h"
#include "server/http/problem.h"

void kaggle_reply_json(struct reply *reply, json_t *value)
{
	reply_json(reply, 200, value);
	reply_header(reply, "Cache-Control", "no-store");
}

void kaggle_reply_failure(struct reply *reply, const struct err *err, const char *text)
{
	kaggle_reply_json(reply,
		json_pack("{s:o, s:i}", "error", answer_text(text), "errorCode", problem_status(err->code)));
	reply->problem = ERR_NONE;
}

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

bool kaggle_is_call(const struct request *request)
{
	static const char *const places[] = {"/api/v1/models/", "/api/v1/models.", "/api/v1/blobs/",
		"/api/v1/blobs.", "/v1/models.", "/v1/blobs.", "/-/blobs/"};
	bool is = false;

	for (size_t i = 0; request->path && i < sizeof places / sizeof *places && !is; i++)
		is = begins_with(request->path, places[i]);
	return is;
}

static bool is_file(const struct request *request)
{
	const char *reader = query_find(&request->query, "for");

	return reader && strcmp(reader, "kagglehub") == 0;
}

/* The problem's sentence; where it has none, its title. */
static json_t *message_of(const struct reply *reply)
{
	json_auto_t *problem =
		reply->kind == REPLY_BYTES ? json_loadb(reply->bytes, reply->length, 0, NULL) : NULL;
	json_t *detail = json_object_get(problem, "detail");

	return detail ? json_incref(detail) : json_string(problem_title(reply->problem));
}

/* Nobody who uses kagglehub sets headers. */
static void add_where_tokens_go(json_t *value)
{
	AUTO_FREE char *text =
		mem_printf("%s; kagglehub sends what KAGGLE_API_TOKEN has, or, as up to 0.3, KAGGLE_KEY",
			json_string_value(json_object_get(value, "message")));

	json_object_set_new(value, "message", json_string(text));
}

static void put_in_words(struct reply *reply)
{
	const char *type = reply_find_header(reply, "Content-Type");
	json_auto_t *value = NULL;
	char *text;

	/* It has been here already. */
	if (type && strcmp(type, "application/json") == 0)
		return;
	value = json_pack("{s:i, s:o}", "code", reply->status, "message", message_of(reply));
	if (reply->problem == ERR_UNAUTHORIZED)
		add_where_tokens_go(value);
	text = json_dumps(value, JSON_COMPACT);
	reply_take_bytes(reply, reply->status, "application/json", text, strlen(text));
}

/* Of a POST that is answered with such a status, kagglehub up to 0.3 tells no more than the status (recorded
 * from the real clients). Who it is, whether there is such a call, and faults of ours keep theirs.
 */
static bool takes_failure(const struct request *request, enum err_code problem)
{
	return request->method == METHOD_POST &&
	       (begins_with(request->path, "/api/v1/models/") ||
		       strcmp(request->path, "/api/v1/blobs/upload") == 0) &&
	       problem != ERR_UNAUTHORIZED && problem != ERR_FORBIDDEN && problem != ERR_NOT_FOUND &&
	       problem != ERR_INTERNAL;
}

static void put_as_failure(struct reply *reply)
{
	json_auto_t *value = json_pack(
		"{s:o, s:i}", "error", message_of(reply), "errorCode", problem_status(reply->problem));
	char *text = json_dumps(value, JSON_COMPACT);

	reply_take_bytes(reply, 200, "application/json", text, strlen(text));
	reply->problem = ERR_NONE;
}

static bool is_served(const struct reply *reply)
{
	return reply->status == 200 || reply->status == 206;
}

void kaggle_adapt(void *services, const struct request *request, struct reply *reply)
{
	bool gets_file = is_file(request);

	(void)services;
	if (reply->problem != ERR_NONE && takes_failure(request, reply->problem))
		put_as_failure(reply);
	else if (reply->problem != ERR_NONE && (gets_file || kaggle_is_call(request)))
		put_in_words(reply);
	else if (gets_file && is_served(reply))
		reply_retype(reply, "application/octet-stream");
}
