/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/fill_pages.h"

#include "server/command/paging.h"

static void take(void *context, const json_t *page)
{
	static const char *const lists[] = {"fills", "recent"};
	json_t *all = context;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		json_t *list = json_object_get(page, lists[i]);

		if (json_is_array(list))
			json_array_extend(json_object_get(all, lists[i]), list);
	}
	json_object_set(all, "total", json_object_get(page, "total"));
}

bool fill_pages_read(struct remote *remote, json_t **out, struct err *err)
{
	json_t *all = json_pack("{s:[], s:[], s:i}", "fills", "recent", "total", 0);

	if (!paging_walk(remote, "/api/v1/fills?limit=200", take, all, err)) {
		json_decref(all);
		return false;
	}
	*out = all;
	return true;
}
