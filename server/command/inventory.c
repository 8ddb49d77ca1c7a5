/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/inventory.h"

#include "common/own.h"

/* As many as a server answers at once, and takes in one body. */
enum { VERSIONS_MAX = 500, BYTES_MAX = 48 << 10, BYTES_AROUND = 4 };

/* The paths from one place on that go into one request. */
static json_t *take_some(const json_t *paths, size_t first)
{
	json_t *some = json_array();
	size_t bytes = 0;

	for (size_t i = first; i < json_array_size(paths) && i - first < VERSIONS_MAX; i++) {
		json_t *path = json_array_get(paths, i);

		bytes += json_string_length(path) + BYTES_AROUND;
		if (bytes > BYTES_MAX && i > first)
			break;
		(void)json_array_append(some, path);
	}
	return some;
}

static bool ask(struct remote *remote, json_t *some, json_t **out, struct err *err)
{
	json_auto_t *order = json_pack("{s:O}", "versions", some);

	return remote_post(remote, "/api/v1/artifacts", order, out, err) &&
	       (json_array_size(json_object_get(*out, "versions")) == json_array_size(some) ||
		       err_set(err, ERR_UPSTREAM_FAILED,
			       "%s tells of other versions than it was asked for: is it a Larder, and as new "
			       "as "
			       "this one?",
			       remote_server(remote)));
}

bool inventory_ask(struct remote *remote, const json_t *paths,
	bool (*take)(void *context, size_t place, const json_t *version, struct err *err), void *context,
	struct err *err)
{
	for (size_t first = 0; first < json_array_size(paths);) {
		json_auto_t *some = take_some(paths, first);
		json_auto_t *answer = NULL;
		const json_t *version;
		size_t i;

		if (!ask(remote, some, &answer, err))
			return false;
		json_array_foreach(json_object_get(answer, "versions"), i, version)
		{
			if (!take(context, first + i, json_is_object(version) ? version : NULL, err))
				return false;
		}
		first += json_array_size(some);
	}
	return true;
}
