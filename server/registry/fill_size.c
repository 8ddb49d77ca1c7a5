/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "common/own.h"
#include "server/registry/fetch.h"
#include "server/registry/fill.h"
#include "server/registry/gather.h"
#include "server/registry/standings.h"

static bool note_length(void *context, const struct answer *answer, struct err *err)
{
	(void)err;
	*(int64_t *)context = answer->length;
	return true;
}

static bool drop(void *context, const void *bytes, size_t length, struct err *err)
{
	(void)context;
	(void)bytes;
	(void)length;
	(void)err;
	return false;
}

/* By GET where HEAD is refused, hanging up behind the head. */
static enum verdict ask(const struct fetch *fetch, struct err *err)
{
	struct fetch glance = *fetch;
	enum verdict verdict = fetch_run(fetch, err);

	if (verdict != VERDICT_HEADLESS)
		return verdict;
	glance.head_only = false;
	glance.glance = true;
	*err = (struct err){0};
	return fetch_run(&glance, err);
}

/* As single files, where that is how it has it: what they become has no size yet. */
static enum verdict ask_for_files(
	const struct fetch *archive, enum verdict denied, int64_t *length, struct err *err)
{
	const struct fetch first = gather_first(archive);
	struct err why = {0};
	enum verdict verdict = ask(&first, &why);

	*length = -1;
	if (verdict == VERDICT_ABSENT)
		return denied;
	*err = why;
	return verdict;
}

/* What HEAD is answered is not remembered: a server may know GET better. */
bool fill_ask_size(
	const struct fill_tools *tools, const struct asking *asking, int64_t *out_bytes, struct err *err)
{
	const struct fill_settings *settings = &tools->settings;
	AUTO(standings_finish) struct standings standings;
	const struct object nothing = {.length = -1};
	int64_t length = -1;
	struct fetch fetch = {.tools = tools,
		.name = asking->name,
		.cdn_loop = asking->cdn_loop,
		.watch = asking->watch,
		.head_only = true,
		.object = &nothing,
		.head = note_length,
		.body = drop,
		.context = &length};

	standings_init(&standings, settings->upstreams, settings->upstream_count, asking->name);
	for (size_t i = 0; i < settings->upstream_count && !atomic_load(&asking->watch->stop); i++) {
		enum verdict verdict;
		struct err why = {0};

		if (!standings_is_open(&standings, i))
			continue;
		fetch.upstream = i;
		verdict = ask(&fetch, &why);
		if (gather_is_possible(&fetch, verdict))
			verdict = ask_for_files(&fetch, verdict, &length, &why);
		if (verdict == VERDICT_TAKE) {
			*out_bytes = length;
			return true;
		}
		standings_note(&standings, i, verdict, &why);
	}
	if (atomic_load(&asking->watch->stop))
		return err_set(err, ERR_BUSY, "the question was stopped");
	(void)standings_conclude(&standings, asking->name, err);
	return false;
}
