/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/paging.h"

#include "common/mem.h"
#include "common/own.h"

enum { PAGES_MAX = 100000 };

bool paging_walk(struct remote *remote, const char *target, void (*take)(void *context, const json_t *page),
	void *context, struct err *err)
{
	AUTO_FREE char *next = mem_dup(target);

	for (int i = 0; next && i < PAGES_MAX; i++) {
		json_auto_t *page = NULL;

		if (!remote_get(remote, next, &page, err))
			return false;
		take(context, page);
		free(next);
		next = mem_dup(json_string_value(json_object_get(page, "next")));
	}
	return !next || err_set(err, ERR_UPSTREAM_FAILED, "The server's list does not end.");
}
