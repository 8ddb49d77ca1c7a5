/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/namesakes.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/handle_globs.h"
#include "server/ranks.h"
#include "server/registry/admission.h"
#include "server/registry/fetch.h"
#include "server/registry/latest.h"

static const struct lock_place lock_place = {"namesakes", RANK_NAMESAKES};

/* What is remembered: so many sets of so few, found by the handle's digest. The oldest of a set goes first.
 */
enum { SETS = 512, WAYS = 4 };

enum { NONE_HAS = 0, ONE_HAS = 1 };

struct answered {
	struct digest handle;
	int64_t until_ms; /* monotonic; 0: free */
	int64_t answer;
};

struct namesakes {
	struct lock mutex;        /* guards the answers */
	struct answered *answers; /* SETS * WAYS */

	struct fill_tools tools;
	struct admission *admission;
	struct naming_rules rules;
	struct questions *questions;
};

/* ---- what is remembered ---- */

static struct answered *set_of(const struct namesakes *namesakes, const struct digest *handle)
{
	size_t number = handle->bytes[0] | (size_t)handle->bytes[1] << 8;

	return &namesakes->answers[number % SETS * WAYS];
}

static bool recall(void *context, const struct name *name, int64_t *out_answer)
{
	struct namesakes *namesakes = context;
	struct digest handle = digest_of(name->handle, strlen(name->handle));
	const struct answered *set = set_of(namesakes, &handle);
	int64_t now_ms = clock_monotonic_ms();
	LOCKED(&namesakes->mutex);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].until_ms > now_ms && digest_equal(&set[i].handle, &handle)) {
			*out_answer = set[i].answer;
			return true;
		}
	}
	return false;
}

static void remember(struct namesakes *namesakes, const struct name *name, int64_t answer)
{
	const struct fill_settings *settings = &namesakes->tools.settings;
	struct digest handle = digest_of(name->handle, strlen(name->handle));
	struct answered *set = set_of(namesakes, &handle);
	struct answered *slot = set;
	LOCKED(&namesakes->mutex);

	for (size_t i = 1; i < WAYS && !digest_equal(&slot->handle, &handle); i++) {
		if (digest_equal(&set[i].handle, &handle) || set[i].until_ms < slot->until_ms)
			slot = &set[i];
	}
	*slot = (struct answered){handle,
		clock_monotonic_ms() +
			1000 * (answer == ONE_HAS ? settings->latest_ttl_s : settings->negative_ttl_s),
		answer};
}

/* ---- one upstream ---- */

static bool take_head(void *context, const struct answer *answer, struct err *err)
{
	(void)answer;
	(void)err;
	*(bool *)context = true;
	return true;
}

/* Whether it has this very artifact. */
static enum verdict ask_for_artifact(const struct fill_tools *tools, const struct asking *asking,
	const struct name *name, size_t upstream, int64_t until_ms, bool *has, struct err *err)
{
	const struct fetch fetch = {.tools = tools,
		.name = name,
		.cdn_loop = asking->cdn_loop,
		.progress = asking->progress,
		.upstream = upstream,
		.until_ms = until_ms,
		.head = take_head,
		.context = has};

	return fetch_run_head(&fetch, err);
}

/* Says 403 of what it does not have, or of what it does not show. One that had to ask us in turn has none of
 * its own. */
static bool says_no(enum verdict verdict, const struct err *err)
{
	return verdict == VERDICT_ABSENT || verdict == VERDICT_FORBIDDEN || verdict == VERDICT_HIDDEN ||
	       (verdict == VERDICT_FAILED && err->code == ERR_LOOP_DETECTED);
}

/* One question on its way. */
struct search {
	struct namesakes *namesakes;
	const struct asking *asking;
	size_t next;               /* the upstream to look at */
	int64_t until_ms;          /* monotonic: the end of the question, */
	struct latest_terms terms; /* … and of what the upstream that is asked has of it */
	struct err worst;
};

static bool is_late(const struct search *search, struct err *err)
{
	return clock_monotonic_ms() >= search->terms.until_ms &&
	       !err_set(err, ERR_UPSTREAM_UNREACHABLE, "it has not answered all that was asked in time");
}

/* An upstream that tells which version of a handle is the latest has the handle. Others have its first
 * version, as most handles do. True: it has it, or cannot be asked (*err). */
static bool ask_as(
	struct search *search, const struct name *name, size_t upstream, bool *has, struct err *err)
{
	const struct fill_tools *tools = &search->namesakes->tools;
	bool tells_latest = upstream_tells_latest(&tools->settings.upstreams[upstream]);
	int64_t until_ms = search->terms.until_ms;
	struct asking asking = *search->asking;
	struct name first = *name;
	struct name alone = *name;
	int64_t version = 0;
	enum verdict verdict;

	asking.name = &alone;
	alone.version = 0;
	first.version = 1;
	if (tells_latest) {
		verdict = latest_ask_upstream(tools, &asking, upstream, &search->terms, &version, err);
		*has = version > 0;
		if (*has || !says_no(verdict, err) || is_late(search, err))
			return true;
		search->terms.trusts_head = true;
	}
	verdict = ask_for_artifact(tools, &asking, name, upstream, until_ms, has, err);
	if (!*has && says_no(verdict, err) && !tells_latest && name->version != 1) {
		if (is_late(search, err))
			return true;
		verdict = ask_for_artifact(tools, &asking, &first, upstream, until_ms, has, err);
	}
	return *has || !says_no(verdict, err);
}

static char *address_as(const struct upstream *upstream, const struct name *name, enum format format)
{
	struct name other = *name;

	other.format = format;
	return upstream_may_have(upstream, &other) ? upstream_url(upstream, &other) : NULL;
}

/* Where several formats have one address, it is asked for once. */
static bool is_asked_before(const struct upstream *upstream, const struct name *name, enum format format)
{
	AUTO_FREE char *url = address_as(upstream, name, format);
	bool found = !url;

	for (enum format other = 0; other < format && !found; other++) {
		AUTO_FREE char *before = address_as(upstream, name, other);

		found = before && strcmp(before, url) == 0;
	}
	return found;
}

static bool may_have(const struct upstream *upstream, const struct name *name)
{
	bool any = false;

	for (enum format format = 0; format < FORMAT_COUNT && !any; format++) {
		struct name other = *name;

		other.format = format;
		any = upstream_may_have(upstream, &other);
	}
	return any;
}

/* ---- all of them ---- */

static void *begin(void *context, const struct asking *asking)
{
	struct search *search = mem_zero(1, sizeof *search);

	search->namesakes = context;
	search->asking = asking;
	search->until_ms = clock_monotonic_ms() + INT64_C(1000) * NAMESAKES_PATIENCE_S;
	return search;
}

static bool next(void *progress, size_t *upstream)
{
	struct search *search = progress;
	const struct fill_settings *settings = &search->namesakes->tools.settings;

	while (search->next < settings->upstream_count &&
		!may_have(&settings->upstreams[search->next], search->asking->name))
		search->next++;
	*upstream = search->next++;
	return *upstream < settings->upstream_count;
}

/* What is left, in equal parts for those that are still to be asked: one that is slow keeps no other from
 * being asked. */
static int64_t share_of_time(const struct search *search, size_t upstream)
{
	int64_t now_ms = clock_monotonic_ms();
	size_t left = search->namesakes->tools.settings.upstream_count - upstream;

	return now_ms + (search->until_ms - now_ms) / (int64_t)left;
}

static bool ask(void *progress, size_t upstream, int64_t *out_answer)
{
	struct search *search = progress;
	const struct name *asked = search->asking->name;
	const struct upstream *settings = &search->namesakes->tools.settings.upstreams[upstream];
	struct name name = *asked;
	struct err why = {0};
	bool has = false, over = false;

	search->terms = (struct latest_terms){.until_ms = share_of_time(search, upstream)};
	for (enum format format = 0; format < FORMAT_COUNT && !over; format++) {
		name.format = format;
		why = (struct err){0};
		over = !is_asked_before(settings, asked, format) &&
		       (is_late(search, &why) || ask_as(search, &name, upstream, &has, &why));
	}
	if (has)
		remember(search->namesakes, asked, ONE_HAS);
	else if (over && why.code != ERR_NONE)
		fetch_keep_worse(&search->worst, &why, settings->name);
	*out_answer = ONE_HAS;
	return has;
}

/* ERR_NOT_FOUND: all have said no. */
static void conclude(void *progress, struct err *err)
{
	const struct search *search = progress;

	if (atomic_load(&search->asking->progress->stop)) {
		(void)err_set(err, ERR_BUSY, "the question was stopped");
	} else if (search->worst.code != ERR_NONE) {
		*err = search->worst;
	} else {
		remember(search->namesakes, search->asking->name, NONE_HAS);
		(void)err_set(err, ERR_NOT_FOUND, "no upstream has it");
	}
}

static const struct question_steps steps = {begin, NULL, next, ask, conclude, free};

/* ---- questions ---- */

static bool is_asked_for(const struct namesakes *namesakes, const struct name *name)
{
	const struct fill_settings *settings = &namesakes->tools.settings;
	bool any = false;

	if (admission_is_offline(namesakes->admission))
		return false;
	for (size_t i = 0; i < settings->upstream_count && !any; i++)
		any = may_have(&settings->upstreams[i], name);
	return any;
}

static bool take_answer(const struct name *name, int64_t answer, struct err *err)
{
	return answer == NONE_HAS || naming_refuse_shadow(name->handle, "an upstream", err);
}

bool namesakes_ask(struct namesakes *namesakes, const struct name *name, const struct asker *asker,
	struct question **out, struct err *err)
{
	int64_t answer = NONE_HAS;
	bool settled;

	*out = NULL;
	if (!naming_check(&namesakes->rules, namesakes->tools.catalog, name->handle, &settled, err))
		return false;
	if (settled || !is_asked_for(namesakes, name))
		return true;
	return questions_ask(namesakes->questions, name, asker, &answer, out, err) &&
	       (*out || take_answer(name, answer, err));
}

bool namesakes_answered(
	struct namesakes *namesakes, struct question *question, bool *unasked, struct err *err)
{
	const struct name *name = question_name(question);
	int64_t answer = NONE_HAS;
	struct err why = {0};

	*unasked = false;
	if (question_result(question, &answer, &why))
		return take_answer(name, answer, err);
	if (why.code == ERR_NOT_FOUND)
		return true;
	*unasked = true;
	return naming_check_unasked(&namesakes->rules, namesakes->tools.catalog, name->handle, &why, err);
}

static const char *rule_of(const struct naming_rules *rules, const char *handle)
{
	if (naming_is_ours(rules, handle))
		return "publish.namespaces";
	return rules->shadow && handle_globs_match(rules->shadow, handle) ? "publish.shadow" : NULL;
}

bool namesakes_look(
	struct namesakes *namesakes, const struct name *name, struct namesakes_view *out, struct err *err)
{
	struct namesakes_view view = {.rule = rule_of(&namesakes->rules, name->handle)};
	int64_t answer = NONE_HAS;
	bool settled = false, known;

	if (!naming_check(&namesakes->rules, namesakes->tools.catalog, name->handle, &settled, &view.why)) {
		*err = view.why;
		view.outlook = NAMESAKES_REFUSED;
		*out = view;
		return view.why.code == ERR_BLOCKED_BY_POLICY;
	}
	known = settled || !is_asked_for(namesakes, name) || recall(namesakes, name, &answer);
	view.outlook = known ? NAMESAKES_FREE : NAMESAKES_ASKS;
	if (!take_answer(name, answer, &view.why))
		view.outlook = NAMESAKES_REFUSED;
	*out = view;
	return true;
}

struct namesakes *namesakes_create(
	const struct fill_tools *tools, struct admission *admission, const struct naming_rules *rules)
{
	static const struct question_kind kind = {
		.thread_name = "namesakes",
		.what = "whether they have handles that are published",
		.recall = recall,
		.steps = &steps,
	};
	struct namesakes *namesakes = mem_zero(1, sizeof *namesakes);

	lock_init(&namesakes->mutex, &lock_place);
	namesakes->answers = mem_zero((size_t)SETS * WAYS, sizeof *namesakes->answers);
	namesakes->tools = *tools;
	namesakes->admission = admission;
	namesakes->rules = *rules;
	namesakes->questions = questions_create(&kind, namesakes, admission, tools->client,
		tools->settings.upstreams, tools->settings.upstream_count);
	return namesakes;
}

void namesakes_destroy(struct namesakes *namesakes)
{
	if (!namesakes)
		return;
	questions_destroy(namesakes->questions);
	free(namesakes->answers);
	lock_finish(&namesakes->mutex);
	free(namesakes);
}
