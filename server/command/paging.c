/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/paging.h"

#include "common/mem.h"
#include "common/own.h"
#include "server/command/patience.h"

enum { PAGES_MAX = 100000 };

struct walk {
	struct remote *remote;
	bool is_patient;
	bool (*take)(void *context, const json_t *page, struct err *err);
	void *context;
};

static bool walk_pages(const struct walk *walk, const char *target, struct err *err)
{
	AUTO_FREE char *next = mem_dup(target);

	for (int i = 0; next && i < PAGES_MAX; i++) {
		json_auto_t *page = NULL;

		if (!(walk->is_patient ? patience_get : remote_get)(walk->remote, next, &page, err) ||
			!walk->take(walk->context, page, err))
			return false;
		free(next);
		next = mem_dup(json_string_value(json_object_get(page, "next")));
	}
	return !next || err_set(err, ERR_UPSTREAM_FAILED, "The server's list does not end.");
}

bool paging_walk_patiently(struct remote *remote, const char *target,
	bool (*take)(void *context, const json_t *page, struct err *err), void *context, struct err *err)
{
	const struct walk walk = {remote, true, take, context};

	return walk_pages(&walk, target, err);
}

/* Who takes pages that cannot be refused. */
struct taker {
	void (*take)(void *context, const json_t *page);
	void *context;
};

static bool give(void *context, const json_t *page, struct err *err)
{
	const struct taker *taker = context;

	(void)err;
	taker->take(taker->context, page);
	return true;
}

bool paging_walk(struct remote *remote, const char *target, void (*take)(void *context, const json_t *page),
	void *context, struct err *err)
{
	struct taker taker = {take, context};
	const struct walk walk = {remote, false, give, &taker};

	return walk_pages(&walk, target, err);
}
