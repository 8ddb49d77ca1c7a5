/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mem.h"
#include "common/own.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/http/clientkey.h"
#include "server/hub/hub.h"
#include "server/hub/inquiry.h"
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

/* Upstream has been asked. */
static void tell(const struct inquiry *inquiry, const struct request *request, struct reply *reply)
{
	struct name name = inquiry->name;
	struct err err;

	if (registry_latest_answered(inquiry->services->registry, inquiry->question, &name.version, &err))
		answer(request, &name, inquiry->wanted, reply);
	else
		problem_reply(reply, &err);
}

void hub_redirect(void *context, struct request *request, const struct hub_url *hub_url, struct reply *reply)
{
	struct inquiry inquiry = {
		.services = context, .name = hub_url->name, .wanted = hub_url->wanted, .tell = tell};
	struct name name = hub_url->name;
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = {client, request_header(request, "CDN-Loop")};
	struct err err;

	if (!registry_latest(
		    inquiry.services->registry, &name, &asker, &name.version, &inquiry.question, &err))
		problem_reply(reply, &err);
	else if (inquiry.question)
		inquiry_reply(reply, &inquiry);
	else
		answer(request, &name, hub_url->wanted, reply);
}
