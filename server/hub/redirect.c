/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/problem.h"
#include "server/hub/hub.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"

/* Never to be cached, since the latest moves. */
static void answer(
	const struct request *request, const struct name *name, enum wanted wanted, struct reply *reply)
{
	const struct format_row *format = &formats[name->format];
	AUTO_FREE char *path = mem_printf("/%s", name_path(name).text);
	AUTO_FREE char *way = request_way_to(request, path);

	reply_empty(reply, 302);
	reply_header_printf(reply, "Location", "%s?%s=%s", way, format->query_key,
		wanted == WANTED_UNCOMPRESSED ? "uncompressed" : format->query_value);
	reply_header(reply, "Cache-Control", "no-cache");
}

/* ---- while upstream is being asked ---- */

struct wait {
	struct services *services;
	struct name name;
	enum wanted wanted;
	struct question *question;
};

static void destroy_wait(void *object)
{
	struct wait *wait = object;

	question_release(wait->question);
	free(wait);
}

static bool is_answered(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return !question_await(wait->question, waiter);
}

static bool leave_wait(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return question_leave(wait->question, waiter);
}

static void resume(void *object, const struct request *request, struct reply *reply)
{
	struct wait *wait = object;
	struct err err;

	if (registry_latest_answered(wait->services->registry, wait->question, &wait->name.version, &err))
		answer(request, &wait->name, wait->wanted, reply);
	else
		problem_reply(reply, &err);
	destroy_wait(wait);
}

static const struct later_ops later = {is_answered, leave_wait, resume, destroy_wait};

void hub_redirect(void *context, struct request *request, const struct words *words, struct reply *reply)
{
	struct services *services = context;
	struct name name = words->name;
	struct question *question;
	struct wait *wait;
	struct err err;

	if (!registry_latest(services->registry, &name, request_header(request, "CDN-Loop"), &name.version,
		    &question, &err))
		return problem_reply(reply, &err);
	if (!question)
		return answer(request, &name, words->wanted, reply);
	wait = mem_zero(1, sizeof *wait);
	*wait = (struct wait){services, name, words->wanted, question};
	reply_later(reply, &later, wait);
}
