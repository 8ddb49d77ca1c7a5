/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/version.h"
#include "server/config.h"
#include "server/http/clientkey.h"
#include "server/http/problem.h"
#include "server/registry/access.h"
#include "server/registry/publisher.h"

enum { REASON_BYTES_MAX = 1000 };

static bool read_reason(const json_t *body, const char **out, struct err *err)
{
	const json_t *reason = json_object_get(body, "reason");
	const char *text = json_string_value(reason);

	if (!text || !*text || strlen(text) != json_string_length(reason) || strlen(text) > REASON_BYTES_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"\"reason\" must tell why, in a text of at most %d bytes", REASON_BYTES_MAX);
	*out = text;
	return true;
}

static bool read_decision(const json_t *body, struct decision *out, struct err *err)
{
	const char *word = json_string_value(json_object_get(body, "decision"));
	bool approves = word && strcmp(word, "approve") == 0;

	if (!approves && !(word && strcmp(word, "reject") == 0))
		return err_set(err, ERR_BAD_REQUEST, "\"decision\" must be \"approve\" or \"reject\"");
	out->approves = approves;
	return read_reason(body, &out->reason, err);
}

static bool decide(const struct ask *ask, struct request *request, struct name *name, struct err *err)
{
	const char *from = client_address(request);
	struct services *services = (struct services *)ask->services;
	json_auto_t *body = NULL;
	struct decision decision = {.now_s = clock_now_s()};

	if (!version_named(ask, name, err) ||
		!access_check(services->access, request_token(request), request->origin, RIGHT_APPROVE,
			name->handle, request->who, err) ||
		!request_read_json(request, &body, err) || !read_decision(body, &decision, err))
		return false;
	decision.who = request->who;
	decision.from = from;
	return publisher_decide(services->publisher, name, &decision, err);
}

void api_decide(void *services, struct request *request, struct reply *reply)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);
	struct name name;
	struct err err;
	json_t *version;

	version = decide(&ask, request, &name, &err) ? version_json(&ask, &name, &err) : NULL;
	if (version)
		answer_json(reply, version);
	else
		problem_reply(reply, &err);
}
