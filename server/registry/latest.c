/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/latest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/ranks.h"
#include "server/registry/admission.h"
#include "server/registry/fetch.h"
#include "server/registry/standings.h"
#include "server/store/catalog/catalog_known.h"

static const struct lock_place lock_place = {"latest", RANK_LATEST};

/* What is remembered: so many sets of so few, found by the handle's digest. The oldest of a set goes first.
 */
enum { SETS = 1024, WAYS = 4 };

struct answered {
	char *handle; /* NULL: free */
	enum format format;
	int64_t version;
	int64_t until_ms; /* monotonic */
};

struct latest {
	struct lock mutex;        /* guards the answers */
	struct answered *answers; /* SETS * WAYS */

	struct fill_tools tools;
	struct admission *admission;
	struct questions *questions;
};

/* ---- what is remembered ---- */

static struct answered *set_of(const struct latest *latest, const struct name *name)
{
	struct digest digest = digest_of(name->handle, strlen(name->handle));
	size_t number = digest.bytes[0] | (size_t)digest.bytes[1] << 8;

	return &latest->answers[number % SETS * WAYS];
}

static bool is_about(const struct answered *answered, const struct name *name)
{
	return answered->handle && answered->format == name->format &&
	       strcmp(answered->handle, name->handle) == 0;
}

static bool recall(void *context, const struct name *name, int64_t *out_version)
{
	struct latest *latest = context;
	const struct answered *set = set_of(latest, name);
	int64_t now_ms = clock_monotonic_ms();
	LOCKED(&latest->mutex);

	for (size_t i = 0; i < WAYS; i++) {
		if (is_about(&set[i], name) && set[i].until_ms > now_ms) {
			*out_version = set[i].version;
			return true;
		}
	}
	return false;
}

int64_t latest_recall(struct latest *latest, const struct name *name)
{
	int64_t version;

	return recall(latest, name, &version) ? version : 0;
}

static void remember(struct latest *latest, const struct name *name, int64_t version)
{
	struct answered *set = set_of(latest, name);
	struct answered *slot = set;
	LOCKED(&latest->mutex);

	for (size_t i = 1; i < WAYS && !is_about(slot, name); i++) {
		if (is_about(&set[i], name) || set[i].until_ms < slot->until_ms)
			slot = &set[i];
	}
	free(slot->handle);
	*slot = (struct answered){mem_dup(name->handle), name->format, version,
		clock_monotonic_ms() + 1000 * latest->tools.settings.latest_ttl_s};
}

/* ---- one upstream's answer ---- */

/* What may stand behind the version. */
static bool is_end(const char *rest)
{
	static const char *const ends[] = {"", ".tar.gz", ".tgz", ".tflite"};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (strcmp(rest, ends[i]) == 0)
			return true;
	}
	return false;
}

int64_t latest_version_in(const char *url, const char *handle)
{
	AUTO_FREE char *path = mem_dup_n(url, strcspn(url, "?#"));
	AUTO_FREE char *wanted = mem_printf("/%s/", handle);
	char *found = NULL;
	size_t digits;
	int64_t version;

	if (!uri_decode(path, false))
		return 0;
	if (*path && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	for (char *at = strstr(path, wanted); at; at = strstr(at + 1, wanted))
		found = at + strlen(wanted);
	digits = found ? strspn(found, "0123456789") : 0;
	if (digits == 0 || *found == '0' || !is_end(found + digits))
		return 0;
	found[digits] = '\0';
	return number_parse(found, &version) ? version : 0;
}

/* What is learnt of one request. */
struct hearing {
	const struct name *name;
	int64_t version;
	bool answered; /* with a success that names no version */
};

static bool take_redirect(void *context, const char *url)
{
	struct hearing *hearing = context;

	hearing->version = latest_version_in(url, hearing->name->handle);
	return hearing->version == 0;
}

/* Whatever comes behind this head is not wanted. */
static bool take_head(void *context, const struct answer *answer, struct err *err)
{
	(void)answer;
	(void)err_set(err, ERR_NOT_FOUND, "it does not tell which version is the latest");
	((struct hearing *)context)->answered = true;
	return false;
}

static enum verdict request(const struct fill_tools *tools, const struct asking *asking, size_t upstream,
	int64_t until_ms, bool head_only, struct hearing *hearing, struct err *err)
{
	const struct object nothing = {.length = -1};
	const struct fetch fetch = {
		.tools = tools,
		.name = asking->name,
		.cdn_loop = asking->cdn_loop,
		.progress = asking->progress,
		.upstream = upstream,
		.head_only = head_only,
		.until_ms = until_ms,
		.glance = !head_only,
		.object = &nothing,
		.head = take_head,
		.redirect = take_redirect,
		.context = hearing,
	};
	enum verdict verdict;

	*hearing = (struct hearing){.name = asking->name};
	verdict = fetch_run(&fetch, err);
	return hearing->version == 0 && hearing->answered ? VERDICT_ABSENT : verdict;
}

static bool take_page(void *context, const struct answer *answer, struct err *err)
{
	(void)context;
	(void)answer;
	(void)err;
	return true;
}

/* One that tells it in an answer's body. */
static enum verdict read_page(const struct fill_tools *tools, const struct asking *asking, size_t number,
	int64_t until_ms, int64_t *out_version, struct err *err)
{
	static const struct object nothing = {.length = -1};
	const struct upstream *upstream = &tools->settings.upstreams[number];
	AUTO_FREE char *url = upstream_url(upstream, asking->name);
	AUTO_BUFFER struct buffer page = {0};
	const struct fetch fetch = {
		.tools = tools,
		.name = asking->name,
		.cdn_loop = asking->cdn_loop,
		.progress = asking->progress,
		.upstream = number,
		.page = url,
		.until_ms = until_ms,
		.object = &nothing,
		.head = take_page,
		.body = fetch_gather_page,
		.context = &page,
	};
	enum verdict verdict = fetch_run(&fetch, err);

	*out_version =
		verdict == VERDICT_TAKE ? upstream_latest_in(upstream, buffer_string(&page), page.length) : 0;
	if (verdict != VERDICT_TAKE || *out_version > 0)
		return verdict;
	(void)err_set(err, ERR_UPSTREAM_FAILED, "its answer is not its API's: no version is the latest");
	return VERDICT_FAILED;
}

/* What a server makes of HEAD says nothing of what it has, and is not to be remembered: where HEAD is
 * answered and names no version, GET is asked, whose body is not read. */
static bool may_know_by_get(enum verdict verdict, const struct err *err)
{
	return verdict != VERDICT_FATAL && (verdict != VERDICT_FAILED || err->code == ERR_UPSTREAM_FAILED);
}

enum verdict latest_ask_upstream(const struct fill_tools *tools, const struct asking *asking, size_t upstream,
	const struct latest_terms *terms, int64_t *out_version, struct err *err)
{
	struct hearing hearing;
	enum verdict verdict;

	if (upstream_tells_latest_in_body(&tools->settings.upstreams[upstream]))
		return read_page(tools, asking, upstream, terms->until_ms, out_version, err);
	verdict = request(tools, asking, upstream, terms->until_ms, true, &hearing, err);
	if (hearing.version == 0 && may_know_by_get(verdict, err) &&
		!(terms->trusts_head && verdict == VERDICT_ABSENT)) {
		*err = (struct err){0};
		verdict = request(tools, asking, upstream, terms->until_ms, false, &hearing, err);
	}
	*out_version = hearing.version;
	return verdict;
}

/* ---- all of them ---- */

static bool may_tell(const struct upstream *upstream, const struct name *name)
{
	return upstream_may_have(upstream, name) && upstream_tells_latest(upstream);
}

/* One question on its way. */
struct search {
	struct latest *latest;
	const struct asking *asking;
	size_t next; /* the upstream to look at */
	struct standings standings;
};

static void *begin(void *context, const struct asking *asking)
{
	struct latest *latest = context;
	const struct fill_settings *settings = &latest->tools.settings;
	struct search *search = mem_zero(1, sizeof *search);

	search->latest = latest;
	search->asking = asking;
	standings_init(&search->standings, settings->upstreams, settings->upstream_count, asking->name);
	for (size_t i = 0; i < settings->upstream_count; i++) {
		if (!may_tell(&settings->upstreams[i], asking->name))
			standings_leave_out(&search->standings, i);
	}
	return search;
}

static bool next(void *progress, size_t *upstream)
{
	struct search *search = progress;
	const struct standings *standings = &search->standings;

	while (search->next < standings->count && !standings_is_open(standings, search->next))
		search->next++;
	*upstream = search->next++;
	return *upstream < standings->count;
}

/* The first that names a version is believed. */
static bool ask(void *progress, size_t upstream, int64_t *out_version)
{
	static const struct latest_terms patient = {0};
	struct search *search = progress;
	struct latest *latest = search->latest;
	enum verdict verdict;
	struct err why = {0};

	verdict = latest_ask_upstream(&latest->tools, search->asking, upstream, &patient, out_version, &why);
	if (*out_version > 0)
		remember(latest, search->asking->name, *out_version);
	else
		standings_note(&search->standings, upstream, verdict, &why);
	return *out_version > 0;
}

/* What all have answered for good is remembered with its reason. */
static void conclude(void *progress, struct err *err)
{
	const struct search *search = progress;
	const struct name *name = search->asking->name;

	if (atomic_load(&search->asking->progress->stop))
		(void)err_set(err, ERR_BUSY, "the question was stopped");
	else if (standings_conclude(&search->standings, name, err) &&
		 standings_all_settled(&search->standings) &&
		 (err->code == ERR_NOT_FOUND || err->code == ERR_UPSTREAM_FAILED))
		fetch_remember(&search->latest->tools, name, err);
}

static void finish(void *progress)
{
	struct search *search = progress;

	standings_finish(&search->standings);
	free(search);
}

static const struct question_steps steps = {begin, NULL, next, ask, conclude, finish};

/* ---- questions ---- */

bool latest_may_ask(struct latest *latest, const struct name *name, const char *cdn_loop, struct err *err)
{
	const struct fill_settings *settings = &latest->tools.settings;
	struct known known;
	bool any = false;

	if (!catalog_look(latest->tools.catalog, name, clock_now_s(), &known, err) ||
		!admission_check(latest->admission, &known, cdn_loop, err))
		return false;
	for (size_t i = 0; i < settings->upstream_count && !any; i++)
		any = may_tell(&settings->upstreams[i], name);
	return any || err_set(err, ERR_NOT_FOUND,
			      "no version of %s is here as %s, and no upstream can be asked without one",
			      name->handle, formats[name->format].name);
}

static bool may_ask(void *context, const struct name *name, const char *cdn_loop, struct err *err)
{
	return latest_may_ask(context, name, cdn_loop, err);
}

bool latest_ask(struct latest *latest, const struct name *name, const struct asker *asker,
	int64_t *out_version, struct question **out, struct err *err)
{
	return questions_ask(latest->questions, name, asker, out_version, out, err);
}

struct latest *latest_create(const struct fill_tools *tools, struct admission *admission)
{
	static const struct question_kind kind = {
		.thread_name = "latest",
		.what = "the latest version of modules",
		.recall = recall,
		.may_ask = may_ask,
		.steps = &steps,
	};
	struct latest *latest = mem_zero(1, sizeof *latest);

	lock_init(&latest->mutex, &lock_place);
	latest->answers = mem_zero((size_t)SETS * WAYS, sizeof *latest->answers);
	latest->tools = *tools;
	latest->admission = admission;
	latest->questions = questions_create(&kind, latest, admission, tools->client,
		tools->settings.upstreams, tools->settings.upstream_count);
	return latest;
}

void latest_destroy(struct latest *latest)
{
	if (!latest)
		return;
	questions_destroy(latest->questions);
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
		free(latest->answers[i].handle);
	free(latest->answers);
	lock_finish(&latest->mutex);
	free(latest);
}
