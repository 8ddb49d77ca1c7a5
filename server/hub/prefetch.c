/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/fills.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/http/clientkey.h"
#include "server/hub/hub.h"
#include "server/hub/target.h"
#include "server/registry/budget.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"

/* Each is looked up while the client waits. */
enum { PATHS_MAX = 100 };

/* ---- who may send it, and how much ---- */

/* No page of another site can send this type without asking first, and it is not allowed to. */
static bool check_type(const struct request *request, struct err *err)
{
	static const char json[] = "application/json";
	const char *type = request_header(request, "Content-Type");

	if (type && strncasecmp(type, json, strlen(json)) == 0 && strchr("; \t", type[strlen(json)]))
		return true;
	return err_set(err, ERR_UNSUPPORTED_MEDIA,
		"send the paths as JSON, with \"Content-Type: application/json\" (curl -H)");
}

/* ---- the body: {"paths": ["google/x/1", …]} and nothing else ---- */

static bool check_paths(const json_t *paths, struct err *err)
{
	const json_t *path;
	size_t i;

	if (!json_is_array(paths))
		return err_set(err, ERR_BAD_REQUEST, "the body needs \"paths\", an array of strings");
	if (json_array_size(paths) > PATHS_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"%zu paths are more than the %d that one request may name: send them in parts",
			json_array_size(paths), PATHS_MAX);
	json_array_foreach((json_t *)paths, i, path)
	{
		if (!json_is_string(path) || strlen(json_string_value(path)) != json_string_length(path))
			return err_set(err, ERR_BAD_REQUEST, "paths[%zu] is no string that a path can be", i);
	}
	return true;
}

static bool read_body(const struct request *request, json_t **out, struct err *err)
{
	json_auto_t *body = NULL;

	if (!request_read_json(request, &body, err))
		return false;
	if (!json_is_object(body) || json_object_size(body) != 1)
		return err_set(
			err, ERR_BAD_REQUEST, "the body must be an object with \"paths\" and nothing else");
	if (!check_paths(json_object_get(body, "paths"), err))
		return false;
	*out = TAKE(body);
	return true;
}

/* ---- one path ---- */

/* As for uploads, a version without a format means its tf-hub archive; a file means the archive it is in. */
static bool read_name(const struct services *services, const struct request *request, const char *path,
	struct name *out, struct err *err)
{
	AUTO_HUB_URL struct hub_url hub_url = {0};

	if (!target_read(services, request, path, &hub_url, NULL, err))
		return false;
	if (hub_url.wanted == WANTED_UNCOMPRESSED)
		return err_set(err, ERR_BAD_REQUEST, "uncompressed copies are not kept here");
	if (hub_url.name.version == 0 || !strchr(hub_url.name.handle, '/'))
		return err_set(err, ERR_BAD_REQUEST,
			"a version is fetched, such as google/nnlm-en-dim50/2; this names none");
	if (hub_url.wanted == WANTED_DESCRIPTION)
		hub_url.name.format = FORMAT_TF_HUB;
	*out = hub_url.name;
	return true;
}

static const struct fill_status *find_fill(const struct fill_list *list, int64_t id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].id == id)
			return &list->items[i];
	}
	return NULL;
}

static json_t *refusal_json(const char *path, const struct err *err)
{
	json_t *refusal = json_pack("{s:s}", "path", path);

	fill_add_refusal(refusal, err);
	return refusal;
}

/* What is here, or cannot be had, costs nothing. */
static bool start_within_budget(const struct services *services, const char *client, const struct name *name,
	int64_t *id, struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();
	const struct asker asker = {client, NULL};

	if (!budget_check(services->budget, client, now_ms, err) ||
		!registry_prefetch(services->registry, name, &asker, id, err))
		return false;
	if (*id > 0)
		budget_spend(services->budget, client, now_ms);
	return true;
}

/* Starts the fill of one path: its id (0: it is here), or -1 with an entry among the refused. */
static int64_t start_one(const struct services *services, const struct request *request, const char *client,
	const char *path, json_t *refused)
{
	struct name name;
	struct err err;
	int64_t id;

	if (read_name(services, request, path, &name, &err) &&
		start_within_budget(services, client, &name, &id, &err))
		return id;
	json_array_append_new(refused, refusal_json(path, &err));
	return -1;
}

/* One look at the mirror for all that were started. */
static json_t *started_json(const struct services *services, const json_t *paths, const json_t *ids)
{
	AUTO(fill_list_finish) struct fill_list list = {0};
	json_t *fills = json_array();

	mirror_list(services->mirror, &list);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		int64_t id = json_integer_value(json_array_get(ids, i));
		const struct fill_status *fill = id > 0 ? find_fill(&list, id) : NULL;
		json_t *object;

		if (id <= 0)
			continue;
		object = fill ? fill_json(fill) : json_pack("{s:I}", "id", (json_int_t)id);
		json_object_set(object, "path", json_array_get(paths, i));
		json_array_append_new(fills, object);
	}
	return fills;
}

void hub_prefetch(void *context, struct request *request, struct reply *reply)
{
	const struct services *services = context;
	json_auto_t *body = NULL;
	json_auto_t *ids = json_array();
	AUTO_FREE char *client = client_key(request);
	json_t *here, *refused;
	const json_t *paths, *path;
	struct err err;
	size_t i;

	if (!check_type(request, &err) ||
		!budget_check(services->budget, client, clock_monotonic_ms(), &err) ||
		!read_body(request, &body, &err))
		return problem_reply(reply, &err);
	paths = json_object_get(body, "paths");
	here = json_array();
	refused = json_array();
	json_array_foreach((json_t *)paths, i, path)
	{
		int64_t id = start_one(services, request, client, json_string_value(path), refused);

		json_array_append_new(ids, json_integer(id));
		if (id == 0)
			json_array_append(here, (json_t *)path);
	}
	answer_json(reply, json_pack("{s:o, s:o, s:o}", "fills", started_json(services, paths, ids),
				   "already_here", here, "refused", refused));
	reply->status = 202;
}
