/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/http/problem.h"
#include "server/store/catalog/catalog_inventory.h"

/* Each is looked up while the client waits. */
enum { VERSIONS_MAX = 500 };

/* What is asked for, and what is known of it. */
struct inventory {
	struct name *names;
	struct inventory_row *rows;
	size_t count;
};

static void finish(struct inventory *inventory)
{
	free(inventory->names);
	free(inventory->rows);
}

/* ---- {"versions": ["google/x/1", …]} ---- */

static bool read_versions(const json_t *versions, struct inventory *out, struct err *err)
{
	const json_t *path;
	size_t i;

	if (!json_is_array(versions))
		return err_set(
			err, ERR_BAD_REQUEST, "the body must be {\"versions\": [\"<handle>/<version>\", …]}");
	if (json_array_size(versions) > VERSIONS_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"%zu versions are more than the %d that one request may name: ask for them in parts",
			json_array_size(versions), VERSIONS_MAX);
	out->names = mem_zero(json_array_size(versions) + 1, sizeof *out->names);
	out->rows = mem_zero(json_array_size(versions) + 1, sizeof *out->rows);
	json_array_foreach((json_t *)versions, i, path)
	{
		if (!json_is_string(path) || strlen(json_string_value(path)) != json_string_length(path))
			return err_set(
				err, ERR_BAD_REQUEST, "versions[%zu] is no string that a path can be", i);
		if (!name_parse_versioned(json_string_value(path), &out->names[out->count++], err))
			return err_prefix(err, "versions[%zu]: ", i);
	}
	return true;
}

static bool read_order(const struct request *request, struct inventory *out, struct err *err)
{
	json_auto_t *body = NULL;

	return request_read_json(request, &body, err) &&
	       read_versions(json_object_get(body, "versions"), out, err);
}

/* ---- the answer ---- */

static json_t *artifacts_json(const struct inventory_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->artifact_count; i++) {
		const struct inventory_artifact *artifact = &row->artifacts[i];

		json_array_append_new(list,
			json_pack("{s:s, s:s+, s:I, s:b, s:s}", "format", formats[artifact->format].name,
				"digest", "sha256:", artifact->digest.hex, "size_bytes",
				(json_int_t)artifact->size_bytes, "cached", (int)artifact->cached, "state",
				version_state_name(artifact->state)));
	}
	return list;
}

static json_t *inventory_json(const struct inventory *inventory)
{
	json_t *list = json_array();

	for (size_t i = 0; i < inventory->count; i++) {
		const struct inventory_row *row = &inventory->rows[i];
		const struct name *name = &inventory->names[i];

		json_array_append_new(list,
			row->found ? json_pack("{s:s, s:I, s:s, s:o}", "handle", name->handle, "version",
					     (json_int_t)name->version, "state",
					     version_state_name(row->state), "artifacts", artifacts_json(row))
				   : json_null());
	}
	return json_pack("{s:o}", "versions", list);
}

void api_artifacts(void *context, struct request *request, struct reply *reply)
{
	const struct services *services = context;
	AUTO(finish) struct inventory inventory = {0};
	struct err err;

	if (read_order(request, &inventory, &err) &&
		catalog_take_inventory(
			services->catalog, inventory.names, inventory.count, inventory.rows, &err))
		answer_json(reply, inventory_json(&inventory));
	else
		problem_reply(reply, &err);
}
