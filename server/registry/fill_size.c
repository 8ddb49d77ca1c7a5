/* SPDX-License-Identifier: Apache-2.0 */
#include "common/own.h"
#include "server/registry/fetch.h"
#include "server/registry/fill.h"

static bool note_length(void *context, const struct answer *answer, struct err *err)
{
	(void)err;
	*(int64_t *)context = answer->length;
	return true;
}

bool fill_ask_size(const struct fill_tools *tools, const struct name *name, const char *cdn_loop,
	int64_t *out_bytes, struct err *err)
{
	AUTO(fill_watch_finish) struct fill_watch unwatched;
	const struct object nothing = {.length = -1};
	int64_t length = -1;
	struct fetch fetch = {.tools = tools,
		.name = name,
		.cdn_loop = cdn_loop,
		.watch = &unwatched,
		.head_only = true,
		.object = &nothing,
		.head = note_length,
		.context = &length};
	struct err worst = {0};

	fill_watch_init(&unwatched);
	for (size_t i = 0; i < tools->settings.upstream_count; i++) {
		const struct upstream *upstream = &tools->settings.upstreams[i];
		enum verdict verdict;
		struct err why = {0};

		if (!upstream_may_have(upstream, name))
			continue;
		fetch.upstream = i;
		verdict = fetch_run(&fetch, &why);
		if (verdict == VERDICT_TAKE) {
			*out_bytes = length;
			return true;
		}
		if (verdict != VERDICT_ABSENT)
			fetch_keep_worse(&worst, &why, upstream->name);
	}
	if (worst.code == ERR_NONE)
		return fetch_note_absent(tools, name, err);
	*err = worst;
	return false;
}
