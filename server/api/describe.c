/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/modules.h"
#include "server/api/publishers.h"
#include "server/api/version.h"
#include "server/http/problem.h"
#include "server/store/catalog/catalog_paths.h"

static void answer(struct reply *reply, json_t *value, const struct err *err)
{
	if (value)
		answer_json(reply, value);
	else
		problem_reply(reply, err);
}

/* A hub URL of a withdrawn version is gone in every form; the API still tells of it. */
static json_t *versioned_page(
	void *services, const struct request *request, const struct name *name, struct err *err)
{
	struct artifact artifact;

	if (!version_find_artifact(services, name, &artifact, err))
		return NULL;
	return api_version_json(services, request, name, err);
}

void api_describe(void *services, const struct request *request, const struct name *name, struct reply *reply)
{
	struct err err;

	if (name->version != 0)
		answer(reply, versioned_page(services, request, name, &err), &err);
	else if (strchr(name->handle, '/'))
		answer(reply, module_json(services, request, name->handle, &err), &err);
	else
		answer(reply, publisher_json(services, request, name->handle, &err), &err);
}

/* The API has no members: digits that other segments follow belong to the handle ("google/spice/1/default").
 */
static bool read_name(const struct services *services, const char *path, struct name *out, struct err *err)
{
	const char *member;

	out->format = FORMAT_TF_HUB;
	if (!catalog_read_path(services->catalog, path, PATH_WHOLE, out, &member, err))
		return false;
	if (member) {
		(void)snprintf(out->handle, sizeof out->handle, "%s", path);
		out->version = 0;
	}
	return true;
}

void api_module_by_handle(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	answer(reply, module_json(services, request, request->rest, &err), &err);
}

void api_module(void *services, struct request *request, struct reply *reply)
{
	struct name name;
	struct err err;

	if (!read_name(services, request->rest, &name, &err))
		problem_reply(reply, &err);
	else if (name.version != 0)
		answer(reply, api_version_json(services, request, &name, &err), &err);
	else
		answer(reply, module_json(services, request, name.handle, &err), &err);
}
