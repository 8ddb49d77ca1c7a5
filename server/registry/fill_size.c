/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>

#include "common/mem.h"
#include "server/registry/fetch.h"
#include "server/registry/fill.h"
#include "server/registry/gather.h"
#include "server/registry/recall.h"
#include "server/registry/standings.h"
#include "server/registry/wrapping.h"

/* One question on its way. */
struct search {
	struct standings standings;
	struct fetch fetch;
	size_t next; /* the upstream to look at */
	int64_t length;
};

static bool note_length(void *context, const struct answer *answer, struct err *err)
{
	struct search *search = context;

	(void)err;
	search->length = wrapping_keeps_length(answer) ? answer->length : -1;
	return true;
}

/* As single files, where that is how it has it: what they become has no size yet. */
static enum verdict ask_for_files(
	const struct fetch *archive, enum verdict denied, int64_t *length, struct err *err)
{
	const struct fetch first = gather_first(archive);
	struct err why = {0};
	enum verdict verdict = fetch_run_head(&first, &why);

	*length = -1;
	if (verdict == VERDICT_ABSENT)
		return denied;
	*err = why;
	return verdict;
}

static void *begin(void *context, const struct asking *asking)
{
	const struct fill_tools *tools = context;
	struct search *search = mem_zero(1, sizeof *search);

	search->length = -1;
	search->fetch = (struct fetch){.tools = tools,
		.name = asking->name,
		.cdn_loop = asking->cdn_loop,
		.progress = asking->progress,
		.head = note_length,
		.context = search};
	standings_init(
		&search->standings, tools->settings.upstreams, tools->settings.upstream_count, asking->name);
	return search;
}

/* What other nodes know of it, and then whether upstreams may be asked. */
static bool look(void *progress, bool *answered, int64_t *out_bytes, struct err *err)
{
	struct search *search = progress;
	struct identity identity;
	enum recall found = recall_find(search->fetch.tools, search->fetch.name, &identity, err);

	*answered = found == RECALL_FOUND;
	if (*answered)
		*out_bytes = identity.size_bytes;
	return found == RECALL_NOTHING;
}

static bool next(void *progress, size_t *upstream)
{
	struct search *search = progress;

	while (search->next < search->standings.count && !standings_is_open(&search->standings, search->next))
		search->next++;
	*upstream = search->next++;
	return *upstream < search->standings.count;
}

/* What HEAD is answered is not remembered: a server may know GET better. */
static bool ask_upstream(void *progress, size_t upstream, int64_t *out_bytes)
{
	struct search *search = progress;
	struct err why = {0};
	enum verdict verdict;

	search->fetch.upstream = upstream;
	verdict = fetch_run_head(&search->fetch, &why);
	if (gather_is_possible(&search->fetch, verdict))
		verdict = ask_for_files(&search->fetch, verdict, &search->length, &why);
	*out_bytes = search->length;
	if (verdict != VERDICT_TAKE)
		standings_note(&search->standings, upstream, verdict, &why);
	return verdict == VERDICT_TAKE;
}

static void conclude(void *progress, struct err *err)
{
	const struct search *search = progress;

	if (atomic_load(&search->fetch.progress->stop))
		(void)err_set(err, ERR_BUSY, "the question was stopped");
	else
		(void)standings_conclude(&search->standings, search->fetch.name, err);
}

static void finish(void *progress)
{
	struct search *search = progress;

	standings_finish(&search->standings);
	free(search);
}

const struct question_steps fill_size_steps = {begin, look, next, ask_upstream, conclude, finish};
