/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/modules.h"
#include "server/api/publishers.h"
#include "server/api/version.h"
#include "server/http/problem.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_paths.h"

/* A hub URL of a withdrawn version is gone in every form; the API still tells of it. */
static json_t *versioned_page(const struct ask *ask, const struct name *name, struct err *err)
{
	struct artifact artifact;

	return version_find_artifact(ask->services, name, &artifact, err) ? version_json(ask, name, err)
									  : NULL;
}

static json_t *describe(const struct ask *ask, const struct name *name, struct err *err)
{
	if (name->version != 0)
		return versioned_page(ask, name, err);
	return strchr(name->handle, '/') ? module_json(ask, name->handle, err)
					 : publisher_json(ask, name->handle, err);
}

void api_describe(void *services, const struct request *request, const struct name *name, struct reply *reply)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);
	struct err err;
	json_t *value = describe(&ask, name, &err);

	if (value)
		answer_json(reply, value);
	else
		problem_reply(reply, &err);
}

json_t *api_version_json(
	void *services, const struct request *request, const struct name *name, struct err *err)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);

	return version_json(&ask, name, err);
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

json_t *ask_module(const struct ask *ask, struct err *err)
{
	return module_json(ask, ask->rest, err);
}

json_t *ask_version(const struct ask *ask, struct err *err)
{
	struct name name;

	return version_named(ask, &name, err) ? version_json(ask, &name, err) : NULL;
}

json_t *ask_described(const struct ask *ask, struct err *err)
{
	struct name name;

	if (!read_name(ask->services, ask->rest, &name, err))
		return NULL;
	return name.version != 0 ? version_json(ask, &name, err) : module_json(ask, name.handle, err);
}

void api_module(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_described, "limit cursor newest");
}
