/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/latest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/thread.h"
#include "common/uri.h"
#include "server/ranks.h"
#include "server/registry/admission.h"
#include "server/registry/fetch.h"

static const struct lock_place lock_place = {"latest", RANK_LATEST};

enum { QUESTIONS_MAX = 64, THREAD_STACK_BYTES = 512 << 10 };

/* What is remembered: so many sets of so few, found by the handle's digest. The oldest of a set goes first.
 */
enum { SETS = 1024, WAYS = 4 };

struct answered {
	char *handle; /* NULL: free */
	enum format format;
	int64_t version;
	int64_t until_ms; /* monotonic */
};

struct question {
	struct question *next; /* of those that are being asked */
	struct latest *latest;
	struct name name;
	bool forwarded; /* the request came through another server */
	char *cdn_loop; /* what is sent along */
	struct fill_watch watch;

	size_t references; /* from here on guarded by latest's mutex */
	bool over;
	struct waiter *waiters;
	int64_t version; /* 0: err tells why */
	struct err err;
};

struct latest {
	struct lock mutex; /* guards everything below up to the blank line, and parts of each question */
	pthread_cond_t changed;
	struct question *asked;
	size_t asked_count;
	bool ending;
	struct answered *answers; /* SETS * WAYS */

	struct fill_tools tools;
	struct admission *admission;
};

struct latest *latest_create(const struct fill_tools *tools, struct admission *admission)
{
	struct latest *latest = mem_zero(1, sizeof *latest);

	lock_init(&latest->mutex, &lock_place);
	(void)pthread_cond_init(&latest->changed, NULL);
	latest->answers = mem_zero((size_t)SETS * WAYS, sizeof *latest->answers);
	latest->tools = *tools;
	latest->admission = admission;
	return latest;
}

static void stop_all(struct latest *latest)
{
	LOCKED(&latest->mutex);

	latest->ending = true;
	for (struct question *question = latest->asked; question; question = question->next)
		atomic_store(&question->watch.stop, true);
}

static void await_all_ended(struct latest *latest)
{
	LOCKED(&latest->mutex);

	while (latest->asked_count > 0)
		lock_wait(&latest->mutex, &latest->changed);
}

void latest_destroy(struct latest *latest)
{
	if (!latest)
		return;
	stop_all(latest);
	client_wake(latest->tools.client);
	await_all_ended(latest);
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
		free(latest->answers[i].handle);
	free(latest->answers);
	(void)pthread_cond_destroy(&latest->changed);
	lock_finish(&latest->mutex);
	free(latest);
}

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

/* Under the mutex. */
static int64_t recall(const struct latest *latest, const struct name *name)
{
	const struct answered *set = set_of(latest, name);
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < WAYS; i++) {
		if (is_about(&set[i], name) && set[i].until_ms > now_ms)
			return set[i].version;
	}
	return 0;
}

int64_t latest_recall(struct latest *latest, const struct name *name)
{
	LOCKED(&latest->mutex);

	return recall(latest, name);
}

/* Under the mutex. */
static void remember(struct latest *latest, const struct name *name, int64_t version)
{
	struct answered *set = set_of(latest, name);
	struct answered *slot = set;

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
	const struct question *question;
	int64_t version;
	bool answered; /* with a success that names no version */
};

static bool take_redirect(void *context, const char *url)
{
	struct hearing *hearing = context;

	hearing->version = latest_version_in(url, hearing->question->name.handle);
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

static enum verdict request(
	struct question *question, size_t upstream, bool head_only, struct hearing *hearing, struct err *err)
{
	const struct object nothing = {.length = -1};
	const struct fetch fetch = {
		.tools = &question->latest->tools,
		.name = &question->name,
		.cdn_loop = question->cdn_loop,
		.watch = &question->watch,
		.upstream = upstream,
		.head_only = head_only,
		.glance = !head_only,
		.object = &nothing,
		.head = take_head,
		.redirect = take_redirect,
		.context = hearing,
	};
	enum verdict verdict;

	*hearing = (struct hearing){.question = question};
	verdict = fetch_run(&fetch, err);
	return hearing->version == 0 && hearing->answered ? VERDICT_ABSENT : verdict;
}

/* Some servers refuse HEAD: those are asked by GET, whose body is not read. */
static enum verdict ask_upstream(
	struct question *question, size_t upstream, int64_t *out_version, struct err *err)
{
	struct hearing hearing;
	enum verdict verdict = request(question, upstream, true, &hearing, err);

	if (verdict == VERDICT_HEADLESS ||
		(verdict == VERDICT_FAILED && err->code == ERR_UPSTREAM_FAILED && err->retry_after_s == 0))
		verdict = request(question, upstream, false, &hearing, err);
	*out_version = hearing.version;
	return verdict;
}

/* ---- all of them ---- */

static bool may_tell(const struct upstream *upstream, const struct name *name)
{
	return upstream_may_have(upstream, name) && upstream_tells_latest(upstream);
}

/* The first that names a version is believed. */
static bool ask_all(struct question *question, int64_t *out_version, struct err *err)
{
	const struct fill_settings *settings = &question->latest->tools.settings;
	struct err worst = {0};

	for (size_t i = 0; i < settings->upstream_count; i++) {
		enum verdict verdict;
		struct err why = {0};

		if (!may_tell(&settings->upstreams[i], &question->name))
			continue;
		verdict = ask_upstream(question, i, out_version, &why);
		if (*out_version > 0)
			return true;
		if (verdict != VERDICT_ABSENT)
			fetch_keep_worse(&worst, &why, settings->upstreams[i].name);
		if (atomic_load(&question->watch.stop))
			break;
	}
	if (worst.code == ERR_NONE)
		return fetch_note_absent(&question->latest->tools, &question->name, err);
	*err = worst;
	return false;
}

/* ---- questions ---- */

void question_release(struct question *question)
{
	bool last;

	if (!question)
		return;
	{
		LOCKED(&question->latest->mutex);
		last = --question->references == 0;
	}
	if (!last)
		return;
	free(question->cdn_loop);
	fill_watch_finish(&question->watch);
	free(question);
}

/* Out of the list, and the answer told, in one: whoever comes later finds what is remembered. */
static struct waiter *end(struct question *question, int64_t version, const struct err *err)
{
	struct latest *latest = question->latest;
	struct question **link = &latest->asked;
	LOCKED(&latest->mutex);

	while (*link != question)
		link = &(*link)->next;
	*link = question->next;
	question->over = true;
	question->version = version;
	question->err = *err;
	if (version > 0)
		remember(latest, &question->name, version);
	return TAKE(question->waiters);
}

static void count_ended(struct latest *latest)
{
	LOCKED(&latest->mutex);

	latest->asked_count--;
	(void)pthread_cond_broadcast(&latest->changed);
}

static void *run(void *argument)
{
	struct question *question = argument;
	struct latest *latest = question->latest;
	int64_t version = 0;
	struct err err = {0};

	if (!ask_all(question, &version, &err))
		version = 0;
	waiter_wake_all(end(question, version, &err));
	question_release(question);
	count_ended(latest);
	return NULL;
}

static bool start_thread(struct question *question, struct err *err)
{
	const struct thread_plan plan = {.name = "latest",
		.run = run,
		.context = question,
		.detached = true,
		.stack_bytes = THREAD_STACK_BYTES};

	return thread_start(NULL, &plan, err);
}

static struct question *find_asked(struct latest *latest, const struct name *name)
{
	for (struct question *question = latest->asked; question; question = question->next) {
		if (!question->forwarded && name_equals(&question->name, name))
			return question;
	}
	return NULL;
}

static struct question *new_question(struct latest *latest, const struct name *name, const char *cdn_loop)
{
	struct question *question = mem_zero(1, sizeof *question);

	question->latest = latest;
	question->name = *name;
	question->forwarded = cdn_loop != NULL;
	question->cdn_loop = admission_loop_header(latest->admission, cdn_loop);
	fill_watch_init(&question->watch);
	atomic_store(&question->watch.wanted, true);
	question->references = 2;
	return question;
}

static void destroy_unasked(struct question *question)
{
	free(question->cdn_loop);
	fill_watch_finish(&question->watch);
	free(question);
}

/* Under the mutex. */
static bool begin(struct latest *latest, const struct name *name, const char *cdn_loop, struct question **out,
	struct err *err)
{
	struct question *question;

	if (latest->ending || latest->asked_count >= QUESTIONS_MAX)
		return err_set(err, ERR_BUSY,
			"upstreams are being asked for the latest version of many modules; try again in a "
			"moment");
	question = new_question(latest, name, cdn_loop);
	/* It waits for the mutex before it ends. */
	if (!start_thread(question, err)) {
		destroy_unasked(question);
		return false;
	}
	question->next = latest->asked;
	latest->asked = question;
	latest->asked_count++;
	*out = question;
	return true;
}

bool latest_may_ask(struct latest *latest, const struct name *name, const char *cdn_loop, struct err *err)
{
	const struct fill_settings *settings = &latest->tools.settings;
	bool any = false;

	if (!admission_check(latest->admission, name, cdn_loop, err))
		return false;
	for (size_t i = 0; i < settings->upstream_count && !any; i++)
		any = may_tell(&settings->upstreams[i], name);
	return any || err_set(err, ERR_NOT_FOUND,
			      "no version of %s is here as %s, and no upstream can be asked without one",
			      name->handle, formats[name->format].name);
}

/* What is known is looked at under the mutex: whoever answers a question has told it before the question is
 * over. */
bool latest_ask(struct latest *latest, const struct name *name, const char *cdn_loop, int64_t *out_version,
	struct question **out, struct err *err)
{
	LOCKED(&latest->mutex);
	int64_t version = recall(latest, name);
	struct question *question = version > 0 || cdn_loop ? NULL : find_asked(latest, name);

	if (version == 0 && !question)
		return latest_may_ask(latest, name, cdn_loop, err) && begin(latest, name, cdn_loop, out, err);
	if (question)
		question->references++;
	*out_version = version;
	*out = question;
	return true;
}

bool question_await(struct question *question, struct waiter *waiter)
{
	LOCKED(&question->latest->mutex);

	if (question->over)
		return false;
	waiter_join(&question->waiters, waiter);
	return true;
}

bool question_leave(struct question *question, struct waiter *waiter)
{
	LOCKED(&question->latest->mutex);

	return waiter_leave(&question->waiters, waiter);
}

bool question_result(struct question *question, int64_t *out_version, struct err *err)
{
	LOCKED(&question->latest->mutex);

	if (question->version == 0)
		*err = question->err;
	else
		*out_version = question->version;
	return question->version > 0;
}

const struct name *question_name(const struct question *question)
{
	return &question->name;
}
