/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/http/clientkey.h"
#include "server/hub/follower.h"
#include "server/hub/hub.h"
#include "server/hub/inquiry.h"
#include "server/hub/representation.h"
#include "server/module/archives/textname.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/registry/turns.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_inspection.h"
#include "server/store/unpacked/members.h"

static const struct {
	const char *suffix;
	const char *media_type;
} media_types[] = {
	{".json", "application/json"},
	{".txt", "text/plain; charset=utf-8"},
	{".csv", "text/csv; charset=utf-8"},
	{".md", "text/markdown; charset=utf-8"},
	{".wasm", "application/wasm"},
};

/* Of TF.js models, what TF.js reads. Anything else is a text to be looked at, or bytes: whoever published it
 * has no page or script at this server's origin. */
static const char *media_type_of(const struct name *name, const char *member)
{
	const char *dot = strrchr(member, '.');

	for (size_t i = 0; name->format == FORMAT_TFJS && dot && i < sizeof media_types / sizeof *media_types;
		i++) {
		if (strcasecmp(dot, media_types[i].suffix) == 0)
			return media_types[i].media_type;
	}
	return textname_is_text(member) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

static bool is_model_json(const char *member)
{
	const char *slash = strrchr(member, '/');

	return strcmp(slash ? slash + 1 : member, "model.json") == 0;
}

/* A browser's address line does, and whoever names the type. TF.js never does. */
static bool asks_for_words(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return request_wants_html(request) || (accept && strcasestr(accept, "application/problem+json"));
}

/* TF.js looks at the status of model.json only: words in any other refusal would become weights. */
static void drop_words(
	const struct name *name, const char *member, const struct request *request, struct reply *reply)
{
	if (name->format != FORMAT_TFJS || reply->problem == ERR_NONE || is_model_json(member))
		return;
	reply_header(reply, "Vary", "Accept");
	if (!asks_for_words(request))
		reply_empty(reply, reply->status);
}

static void fail(const struct follower_plan *plan, const struct request *request, const struct err *err,
	struct reply *reply)
{
	problem_reply(reply, err);
	drop_words(&plan->name, plan->member, request, reply);
}

/* ---- an archive that is not unpacked yet, or just being unpacked ---- */

struct wait {
	struct follower_plan plan;
	char *member;                /* what plan.member points to */
	struct holding holding;      /* to be unpacked */
	struct line_turn turn;       /* … for that */
	struct unpacking *unpacking; /* by another, or NULL */
};

static void serve_kept(const struct follower_plan *plan, const struct request *request, struct reply *reply);
static void serve_holding(const struct follower_plan *plan, const struct request *request,
	struct holding *holding, bool unpacks, struct reply *reply);

static void destroy_wait(void *object)
{
	struct wait *wait = object;

	unpacking_release(wait->unpacking);
	turns_exit(wait->plan.services->unpackings, &wait->turn);
	holding_finish(&wait->holding);
	free(wait->member);
	free(wait);
}

static struct wait *create_wait(const struct follower_plan *plan)
{
	struct wait *wait = mem_zero(1, sizeof *wait);

	wait->plan = *plan;
	wait->member = mem_dup(plan->member);
	wait->plan.member = wait->member;
	wait->holding.fd = -1;
	return wait;
}

static bool is_unpacked(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return !unpacking_await(wait->unpacking, waiter);
}

static bool leave_wait(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return unpacking_leave(wait->unpacking, waiter);
}

static void resume(void *object, const struct request *request, struct reply *reply)
{
	struct wait *wait = object;
	struct err err;

	if (unpacking_result(wait->unpacking, &err))
		serve_kept(&wait->plan, request, reply);
	else
		fail(&wait->plan, request, &err, reply);
	destroy_wait(wait);
}

static const struct later_ops later = {is_unpacked, leave_wait, resume, destroy_wait};

static void wait_for(const struct follower_plan *plan, struct unpacking *unpacking, struct reply *reply)
{
	struct wait *wait = create_wait(plan);

	wait->unpacking = unpacking;
	reply_later(reply, &later, wait);
}

static bool has_turn(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return !turns_await(wait->plan.services->unpackings, &wait->turn, waiter);
}

static bool leave_line(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	(void)waiter;
	return turns_leave(wait->plan.services->unpackings, &wait->turn);
}

static void unpack(void *object, const struct request *request, struct reply *reply)
{
	struct wait *wait = object;

	serve_holding(&wait->plan, request, &wait->holding, true, reply);
	destroy_wait(wait);
}

static const struct later_ops in_turn = {
	has_turn, leave_line, unpack, destroy_wait, .watched = true, .slow = true};

/* Unpacking takes as long as the archive is large, and the disk slow: nobody waits for all that another
 * client has asked for. */
static void unpack_in_turn(const struct follower_plan *plan, const struct request *request,
	struct holding *holding, struct reply *reply)
{
	AUTO_FREE char *client = client_key(request);
	struct wait *wait = create_wait(plan);
	struct err err;

	if (!turns_enter(plan->services->unpackings, client, &wait->turn, &err)) {
		destroy_wait(wait);
		fail(plan, request, &err, reply);
		return;
	}
	wait->holding = *holding;
	*holding = (struct holding){.fd = -1};
	reply_later(reply, &in_turn, wait);
}

/* ---- an archive that is here ---- */

/* One client that loads a TF.js model asks for model.json once, however many shards there are; kagglehub's
 * loads count where it is told the files. */
static bool is_download(
	const struct follower_plan *plan, const struct request *request, const struct reply *reply)
{
	return plan->name.format == FORMAT_TFJS && reply->kind == REPLY_FILE && reply->offset == 0 &&
	       is_model_json(plan->member) && !query_find(&request->query, "for");
}

static void note_use(const struct follower_plan *plan, const struct artifact *artifact,
	const struct request *request, const struct reply *reply)
{
	struct registry *registry = plan->services->registry;

	if (request->method != METHOD_GET)
		return;
	if (is_download(plan, request, reply))
		registry_count_download(registry, &artifact->name);
	else
		registry_touch(registry, &artifact->name);
}

static void serve_file(const struct follower_plan *plan, const struct request *request,
	const struct artifact *artifact, struct member_file *file, struct reply *reply)
{
	const struct digest_tag etag = representation_tag(&file->checksums.sha256);
	const struct representation representation = {
		.fd = &file->fd,
		.size_bytes = file->size_bytes,
		.modified_at = artifact->created_at,
		.etag = etag.text,
		.media_type = media_type_of(&plan->name, plan->member),
	};

	if (representation_reply(plan->services, request, &representation, plan->cache_status, reply))
		representation_add_digests(&file->checksums, reply);
	drop_words(&plan->name, plan->member, request, reply);
	note_use(plan, artifact, request, reply);
}

/* Whoever asks for what was never there has nothing unpacked for it, and no other archive evicted. */
static bool may_have(const struct follower_plan *plan, const struct artifact *artifact, struct err *err)
{
	bool may;

	return catalog_may_have_file(plan->services->catalog, artifact, plan->member, &may, err) &&
	       (may || members_refuse(plan->member, err));
}

static void serve_holding(const struct follower_plan *plan, const struct request *request,
	struct holding *holding, bool unpacks, struct reply *reply)
{
	const struct artifact *artifact = &holding->artifact;
	AUTO_MEMBER_FILE struct member_file file = {.fd = -1};
	struct err err;

	if (!members_read(plan->services->members, &artifact->checksums.sha256, unpacks ? holding->fd : -1,
		    plan->member, &file, &err))
		fail(plan, request, &err, reply);
	else if (file.unpacking)
		wait_for(plan, TAKE(file.unpacking), reply);
	else if (file.fd < 0 && !may_have(plan, artifact, &err))
		fail(plan, request, &err, reply);
	else if (file.fd < 0)
		unpack_in_turn(plan, request, holding, reply);
	else
		serve_file(plan, request, artifact, &file, reply);
}

/* After a fill, or when somebody else has unpacked it: the blob is here by now. */
static void serve_kept(const struct follower_plan *plan, const struct request *request, struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	struct err err;

	if (representation_open_kept(plan->services, &plan->name, &holding, &err))
		serve_holding(plan, request, &holding, false, reply);
	else
		fail(plan, request, &err, reply);
}

/* ---- GET and HEAD ---- */

static void get_member(struct follower_plan *plan, const struct request *request, struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = {client, request_header(request, "CDN-Loop")};
	struct err err;

	if (!registry_open(plan->services->registry, &plan->name, &asker, &holding, &err))
		return fail(plan, request, &err, reply);
	if (!holding.spool)
		return serve_holding(plan, request, &holding, false, reply);
	plan->cache_status = holding.collapsed ? cache_status_collapsed : cache_status_stored;
	follower_reply(reply, plan, TAKE(holding.spool));
}

/* What upstream tells of an archive says nothing about the size of its files, nor whether this one is there.
 */
static void tell_type(
	const struct name *name, const char *member, const char *cache_status, struct reply *reply)
{
	reply_empty(reply, 200);
	reply_header(reply, "Content-Type", media_type_of(name, member));
	reply_header(reply, "Cache-Status", cache_status);
	reply_header(reply, "Accept-Ranges", "bytes");
}

static void tell(const struct inquiry *inquiry, const struct request *request, struct reply *reply)
{
	int64_t unused;
	struct err err;

	if (question_result(inquiry->question, &unused, &err))
		return tell_type(&inquiry->name, inquiry->member, cache_status_miss, reply);
	problem_reply(reply, &err);
	drop_words(&inquiry->name, inquiry->member, request, reply);
}

static void head_member(struct follower_plan *plan, const struct request *request, struct reply *reply)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	struct inquiry inquiry = {
		.services = plan->services, .name = plan->name, .member = plan->member, .tell = tell};
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = {client, request_header(request, "CDN-Loop")};
	struct glance glance;
	struct err err;
	bool found;

	if (!registry_look(plan->services->registry, &plan->name, &asker, &holding, &found, &glance, &err))
		return fail(plan, request, &err, reply);
	if (found)
		return serve_holding(plan, request, &holding, false, reply);
	plan->cache_status = glance.is_collapsed ? cache_status_collapsed : cache_status_miss;
	if (glance.spool)
		return follower_reply(reply, plan, glance.spool);
	inquiry.question = glance.question;
	if (inquiry.question)
		return inquiry_reply(reply, &inquiry);
	tell_type(&plan->name, plan->member, plan->cache_status, reply);
}

void hub_member(void *context, struct request *request, const struct hub_url *hub_url, struct reply *reply)
{
	struct follower_plan plan = {
		.services = context,
		.name = hub_url->name,
		.member = hub_url->member,
		.cache_status = cache_status_hit,
		.whole = true,
		.serve = serve_kept,
		.fail = fail,
	};

	if (request->method == METHOD_HEAD)
		head_member(&plan, request, reply);
	else
		get_member(&plan, request, reply);
}
