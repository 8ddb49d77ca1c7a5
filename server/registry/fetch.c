/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/fetch.h"

#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/number.h"
#include "common/own.h"
#include "server/registry/breakers.h"
#include "server/registry/fill_tools.h"
#include "server/registry/queue.h"
#include "server/registry/reason.h"
#include "server/registry/wrapping.h"
#include "server/store/catalog/catalog_known.h"

/* A request that runs: its receiver's side. */
struct running {
	const struct fetch *fetch;
	const char *url;
	struct turn turn;
	enum verdict verdict; /* VERDICT_TAKE until something speaks against it */
	struct err err;
	bool led_away; /* a redirect said it all */
	bool explains; /* it has failed, and the body says why */
	struct reason reason;
	bool begun;                /* the fetch has the head */
	struct wrapping *wrapping; /* NULL: the labels fit */
	bool converts;
	bool stripped;    /* the archive's own gzip has been taken off, */
	bool wants_coded; /* … and it is asked for as it is stored */
};

/* ---- what comes ---- */

/* What is asked beside may fail where modules are given well: it is no reason to close an upstream. */
static void note_failure(struct running *running, const struct name *name, int64_t retry_after_s)
{
	if (!running->fetch->is_beside)
		breakers_note_failure(running->fetch->tools->breakers, &running->turn, name, retry_after_s);
}

static void note_status(struct running *running, const struct answer *answer)
{
	const struct fetch *fetch = running->fetch;
	struct breakers *breakers = fetch->tools->breakers;
	enum ailment ailment = ailment_of_answer(answer);
	bool asks_for_rest = answer->status == 429 || answer->status == 503;

	if (ailment == AILMENT_NONE)
		breakers_note_success(breakers, &running->turn);
	/* What a server makes of HEAD says nothing of how it does. */
	else if (!fetch->head_only)
		note_failure(running, ailment == AILMENT_ARTIFACT ? fetch->name : NULL,
			asks_for_rest ? answer->retry_after_s : 0);
}

/* Compressed, nothing becomes twice as long: whatever tells such a length would be refused in the end. */
static bool has_possible_length(struct running *running, const struct answer *answer)
{
	int64_t most = running->fetch->tools->settings.limits.max_unpacked_bytes;

	if (answer->length / 2 <= most)
		return true;
	return err_set(&running->err, ERR_UPSTREAM_FAILED,
		"it promises %s, more than any module may have (publish.max_unpacked_bytes)",
		number_size(answer->length).text);
}

/* Hands on the head; false where no more is wanted. */
static bool begin(struct running *running, const struct answer *answer)
{
	const struct fetch *fetch = running->fetch;

	running->begun = true;
	if (!fetch->head(fetch->context, answer, &running->err))
		running->verdict = VERDICT_FATAL;
	return running->verdict == VERDICT_TAKE && !fetch->glance;
}

static const struct upstream *upstream_of(const struct fetch *fetch)
{
	return &fetch->tools->settings.upstreams[fetch->upstream];
}

static bool is_failure(enum verdict verdict)
{
	return verdict == VERDICT_FAILED || verdict == VERDICT_REFUSED || verdict == VERDICT_FORBIDDEN;
}

static bool is_signed(const struct fetch *fetch, const struct answer *answer)
{
	return answer->is_elsewhere && upstream_signs(upstream_of(fetch));
}

/* Such an address was good for a while, and that is over: asked anew, the upstream makes another. */
static bool says_expired(int status)
{
	return status == 400 || status == 401 || status == 403;
}

static enum verdict judge(struct running *running, const struct answer *answer)
{
	const struct fetch *fetch = running->fetch;
	enum verdict verdict =
		fetch->head_only ? verdict_of_head(answer, fetch->object, &running->err)
				 : verdict_of_answer(answer, fetch->object, fetch->offset, &running->err);

	if (is_signed(fetch, answer) && says_expired(answer->status) &&
		(verdict == VERDICT_REFUSED || verdict == VERDICT_FORBIDDEN))
		return VERDICT_FAILED;
	if (is_failure(verdict) && !answer->is_elsewhere)
		upstream_explain(upstream_of(fetch), fetch->name, answer->status, &running->err);
	/* Who asks where something is need not look at a page. */
	if (verdict == VERDICT_HEADLESS && fetch->redirect && answer->status < 300)
		return VERDICT_ABSENT;
	return verdict == VERDICT_TAKE && !has_possible_length(running, answer) ? VERDICT_FAILED : verdict;
}

static enum wrapping_content content_of(const struct fetch *fetch)
{
	if (fetch->member || fetch->page)
		return CONTENT_FILE;
	return formats[fetch->name->format].is_archive ? CONTENT_ARCHIVE : CONTENT_MODEL;
}

/* Who only wants the head waits for no byte, unless that decides. */
static bool is_looked_at(const struct fetch *fetch, const struct answer *answer)
{
	if (fetch->head_only || fetch->offset > 0)
		return false;
	return fetch->glance ? answer_is_page(answer) : wrapping_is_possible(answer, content_of(fetch));
}

static bool take_head(void *context, const struct answer *answer)
{
	struct running *running = context;
	const struct fetch *fetch = running->fetch;

	note_status(running, answer);
	running->verdict = judge(running, answer);
	/* Whoever is asked by a signed address may repeat the signature. */
	running->explains =
		is_failure(running->verdict) && reason_is_told(answer) && !is_signed(fetch, answer);
	if (running->verdict != VERDICT_TAKE)
		return running->explains;
	if (!is_looked_at(fetch, answer))
		return begin(running, answer);
	running->wrapping = wrapping_create(answer, content_of(fetch));
	return true;
}

static bool pass_body(void *context, const void *bytes, size_t length)
{
	struct running *running = context;
	const struct fetch *fetch = running->fetch;

	if (!fetch->body || fetch->body(fetch->context, bytes, length, &running->err))
		return true;
	if (running->err.code != ERR_NONE)
		running->verdict = VERDICT_FATAL;
	return false;
}

static bool pass_converted(struct running *running, const void *bytes, size_t length)
{
	const struct wrapping_sink sink = {pass_body, running};

	if (!running->converts)
		return length == 0 || pass_body(running, bytes, length);
	if (wrapping_convert(running->wrapping, bytes, length, &sink, &running->err))
		return true;
	if (running->verdict == VERDICT_TAKE && running->err.code != ERR_NONE)
		running->verdict = VERDICT_FAILED;
	return false;
}

/* So hubs answer that moved; of an API it is somebody else's word, or of this moment. */
static enum verdict of_web_page(struct running *running)
{
	if (!upstream_signs(upstream_of(running->fetch)))
		return VERDICT_ABSENT;
	(void)err_set(&running->err, ERR_UPSTREAM_FAILED, "it answered with a web page");
	return VERDICT_FAILED;
}

/* Looks at what the body begins with; once it is decided, what has been held goes on. */
static bool open_body(struct running *running, const void *bytes, size_t length, bool end)
{
	enum wrapped wrapped = wrapping_look(running->wrapping, bytes, length, end);
	const void *held;

	if (wrapped == WRAPPED_UNDECIDED)
		return true;
	if (wrapped == WRAPPED_PAGE)
		running->verdict = of_web_page(running);
	running->stripped = wrapped == WRAPPED_STRIPPED && !running->wants_coded;
	if (running->verdict != VERDICT_TAKE || running->stripped)
		return false;
	running->converts = wrapped == WRAPPED_CODED || wrapped == WRAPPED_STRIPPED;
	held = wrapping_held(running->wrapping, &length);
	return begin(running, wrapping_answer(running->wrapping)) && pass_converted(running, held, length);
}

static bool take_body(void *context, const void *bytes, size_t length)
{
	struct running *running = context;

	if (running->explains)
		return reason_add(&running->reason, bytes, length);
	if (running->wrapping && !running->begun)
		return open_body(running, bytes, length, false);
	return pass_converted(running, bytes, length);
}

/* On the client's thread. */
static bool take_redirect(void *context, const char *url)
{
	struct running *running = context;
	const struct fetch *fetch = running->fetch;

	running->led_away = fetch->redirect && !fetch->redirect(fetch->context, url);
	return !running->led_away;
}

/* ---- the request ---- */

/* All has come of a body that was looked at. A coding that is cut off may come whole next time. */
static enum verdict close_body(struct running *running)
{
	const struct wrapping_sink sink = {pass_body, running};

	if (running->wrapping && !running->begun)
		(void)open_body(running, "", 0, true);
	if (running->verdict == VERDICT_TAKE && running->converts &&
		!wrapping_end(running->wrapping, &sink, &running->err) && running->verdict == VERDICT_TAKE &&
		running->err.code != ERR_NONE)
		running->verdict = VERDICT_FAILED;
	return running->verdict;
}

/* What the transport's end means, where the head was not refused. */
static enum verdict of_outcome(struct running *running, enum transfer_outcome outcome, const struct err *why)
{
	const struct fetch *fetch = running->fetch;

	switch (outcome) {
	case TRANSFER_DONE:
		return close_body(running);
	case TRANSFER_BROKEN:
		(void)err_set(&running->err, ERR_UPSTREAM_FAILED, "%s", why->text);
		return VERDICT_BROKEN;
	case TRANSFER_SLOW:
		(void)err_set(&running->err, ERR_UPSTREAM_FAILED, "%s", why->text);
		return VERDICT_SLOW;
	case TRANSFER_SILENT:
	case TRANSFER_UNREACHABLE:
		note_failure(running, outcome == TRANSFER_SILENT ? fetch->name : NULL, 0);
		(void)err_set(&running->err, ERR_UPSTREAM_UNREACHABLE, "%s", why->text);
		return VERDICT_FAILED;
	case TRANSFER_STARVED:
		(void)err_set(&running->err, ERR_BUSY, "%s", why->text);
		return VERDICT_FAILED;
	case TRANSFER_STOPPED:
		/* By the receiver: it knows why. */
		if (!atomic_load(&fetch->progress->stop))
			return VERDICT_TAKE;
		(void)fill_progress_refuse_stopped(fetch->progress, &running->err);
		return VERDICT_FATAL;
	default:
		(void)err_set(&running->err, ERR_UPSTREAM_FAILED, "%s", why->text);
		return VERDICT_FAILED;
	}
}

static void explain(
	struct running *running, const struct upstream *upstream, const struct credentials *credentials)
{
	if (running->verdict == VERDICT_FORBIDDEN && reason_is_a_buckets(&running->reason)) {
		running->verdict = VERDICT_HIDDEN;
		(void)err_set(&running->err, ERR_UPSTREAM_FAILED,
			"it answered 403 AccessDenied, as buckets do for what they lack");
	} else {
		reason_append(&running->reason, upstream, credentials, &running->err);
	}
}

/* In seconds; what little is left is one. */
static int64_t time_for(const struct fetch *fetch)
{
	int64_t left_ms = fetch->until_ms - clock_monotonic_ms();

	if (!fetch->until_ms)
		return fetch->patience_s;
	return left_ms > 1000 ? (left_ms + 999) / 1000 : 1;
}

static enum verdict transfer(struct running *running)
{
	const struct fetch *fetch = running->fetch;
	const struct upstream *upstream = upstream_of(fetch);
	const struct receiver receiver = {take_head, take_body, running, take_redirect};
	AUTO_CREDENTIALS struct credentials credentials = {.count = 0};
	enum transfer_outcome outcome;
	struct err why = {0};

	if (!credentials_read(upstream, &credentials, &running->err))
		return VERDICT_FAILED;
	const struct transfer_request request = {
		.url = running->url,
		.head_only = fetch->head_only,
		.patience_s = time_for(fetch),
		.range_first = fetch->offset,
		.if_range = fetch->offset > 0 ? object_validator(fetch->object) : NULL,
		.credentials = &credentials,
		.proxy = upstream->proxy,
		.ca_file = upstream->ca_file,
		.rate_bytes_per_s = upstream->rate_bytes_per_s,
		.cdn_loop = fetch->cdn_loop,
		.accept_encoding = running->wants_coded || fetch->takes_coded ? "gzip" : "identity",
	};
	if (!fetch->is_beside)
		fill_progress_attempt(fetch->progress, upstream->name);
	outcome = client_transfer(fetch->tools->client, &request, &receiver, &fetch->progress->stop, &why);
	if (running->led_away)
		breakers_note_success(fetch->tools->breakers, &running->turn);
	if (running->explains)
		explain(running, upstream, &credentials);
	return running->verdict != VERDICT_TAKE ? running->verdict : of_outcome(running, outcome, &why);
}

/* Stores that keep an archive as if it were coded (GCS with Content-Encoding: gzip) take the gzip off for
 * whoever does not ask for it. Asking so from the start would have others put one on. */
static enum verdict transfer_coded(struct running *running)
{
	wrapping_destroy(TAKE(running->wrapping));
	running->wants_coded = true;
	running->stripped = running->begun = running->converts = false;
	running->verdict = VERDICT_TAKE;
	running->err = (struct err){0};
	return transfer(running);
}

/* Who waits for a HEAD would rather be refused than wait for somebody's long transfer. */
static int64_t patience_of(const struct fetch *fetch)
{
	const struct fill_settings *settings = &fetch->tools->settings;

	if (fetch->head_only)
		return 1000 * settings->connect_timeout_s;
	return atomic_load(&fetch->progress->wanted) ? 1000 * settings->queue_timeout_s : -1;
}

/* A fill has a place and a turn, or waits for one of them and holds none: what waits for one upstream is not
 * in the way of what others have. */
static bool enter_with_place(
	const struct fetch *fetch, int64_t patience_ms, struct turn *out, struct err *err)
{
	const struct fill_tools *tools = fetch->tools;
	const _Atomic bool *stop = &fetch->progress->stop;

	for (;;) {
		if (!queue_await(tools->queue, fetch->ticket, stop, err))
			return false;
		if (breakers_try(tools->breakers, fetch->upstream, out, err))
			return true;
		if (err->code != ERR_BUSY)
			return false;
		queue_step_aside(tools->queue, fetch->ticket);
		if (!breakers_await(tools->breakers, fetch->upstream, patience_ms, stop, err))
			return false;
	}
}

static bool take_granted(const struct fetch *fetch, struct turn *out)
{
	struct turn *granted = fetch->granted;

	if (!granted || !granted->is_taken)
		return false;
	if (granted->upstream != fetch->upstream) {
		breakers_leave(fetch->tools->breakers, granted);
		return false;
	}
	*out = *granted;
	granted->is_taken = false;
	return true;
}

static bool enter(const struct fetch *fetch, struct turn *out, struct err *err)
{
	int64_t patience_ms = patience_of(fetch);

	if (take_granted(fetch, out))
		return true;
	if (fetch->ticket)
		return enter_with_place(fetch, patience_ms, out, err);
	return breakers_enter(
		fetch->tools->breakers, fetch->upstream, patience_ms, &fetch->progress->stop, out, err);
}

static enum verdict run(const struct fetch *fetch, const char *url, struct err *err)
{
	const struct fill_tools *tools = fetch->tools;
	struct running running = {.fetch = fetch, .url = url, .verdict = VERDICT_TAKE};
	enum verdict verdict;

	if (!enter(fetch, &running.turn, err))
		return atomic_load(&fetch->progress->stop) ? VERDICT_FATAL : VERDICT_FAILED;
	verdict = transfer(&running);
	if (running.stripped)
		verdict = transfer_coded(&running);
	breakers_leave(tools->breakers, &running.turn);
	reason_finish(&running.reason);
	wrapping_destroy(running.wrapping);
	*err = running.err;
	return verdict;
}

/* ---- where it is ---- */

static bool take_any(void *context, const struct answer *answer, struct err *err)
{
	(void)context;
	(void)answer;
	(void)err;
	return true;
}

static bool hang_up(void *context, const void *bytes, size_t length, struct err *err)
{
	(void)context;
	(void)bytes;
	(void)length;
	(void)err;
	return false;
}

enum verdict fetch_run_head(const struct fetch *fetch, struct err *err)
{
	static const struct object nothing = {.length = -1};
	struct fetch question = *fetch;
	enum verdict verdict;

	question.head_only = true;
	question.takes_coded = true;
	question.object = &nothing;
	question.body = hang_up;
	verdict = fetch_run(&question, err);
	if (verdict != VERDICT_HEADLESS)
		return verdict;
	question.head_only = false;
	question.glance = true;
	*err = (struct err){0};
	return fetch_run(&question, err);
}

bool fetch_gather_page(void *context, const void *bytes, size_t length, struct err *err)
{
	struct buffer *page = context;

	if (length > FETCH_PAGE_MAX - page->length)
		return err_set(err, ERR_UPSTREAM_FAILED, "what it tells of the module is too long");
	buffer_add(page, bytes, length);
	return true;
}

/* One that is too long is this upstream's fault, and no reason not to ask another. In the middle of an
 * object, no is of this moment. */
static enum verdict judge_listing(const struct fetch *fetch, enum verdict verdict, struct err *err)
{
	if (verdict == VERDICT_FATAL && err->code == ERR_UPSTREAM_FAILED &&
		!atomic_load(&fetch->progress->stop))
		return VERDICT_FAILED;
	if (fetch->offset == 0)
		return verdict;
	if (verdict == VERDICT_ABSENT)
		(void)err_set(err, ERR_UPSTREAM_FAILED, "it does not list the file any more");
	return verdict == VERDICT_ABSENT || verdict == VERDICT_REFUSED || verdict == VERDICT_FORBIDDEN ||
			       verdict == VERDICT_HIDDEN
		       ? VERDICT_FAILED
		       : verdict;
}

/* Asks for the list that names the artifact's file. */
static enum verdict find_listed(const struct fetch *fetch, const char *listing, char **out, struct err *err)
{
	static const struct object nothing = {.length = -1};
	AUTO_BUFFER struct buffer list = {0};
	const struct fetch page = {.tools = fetch->tools,
		.name = fetch->name,
		.cdn_loop = fetch->cdn_loop,
		.progress = fetch->progress,
		.ticket = fetch->ticket,
		.granted = fetch->granted,
		.upstream = fetch->upstream,
		.page = listing,
		.object = &nothing,
		.head = take_any,
		.body = fetch_gather_page,
		.context = &list};
	enum verdict verdict = run(&page, listing, err);

	if (verdict == VERDICT_TAKE) {
		if (!upstream_listed_url(
			    upstream_of(fetch), fetch->name, buffer_string(&list), list.length, out)) {
			(void)err_set(err, ERR_UPSTREAM_FAILED, "its answer is no list of files");
			verdict = VERDICT_FAILED;
		} else if (!*out) {
			verdict = VERDICT_ABSENT;
		}
	}
	return judge_listing(fetch, verdict, err);
}

enum verdict fetch_run(const struct fetch *fetch, struct err *err)
{
	const struct upstream *upstream = upstream_of(fetch);
	AUTO_FREE char *listing =
		fetch->member || fetch->page ? NULL : upstream_listing_url(upstream, fetch->name);
	AUTO_FREE char *url = NULL;
	enum verdict verdict = VERDICT_TAKE;

	if (fetch->page)
		return run(fetch, fetch->page, err);
	if (listing)
		verdict = find_listed(fetch, listing, &url, err);
	else
		url = fetch->member ? upstream_file_url(upstream, fetch->name, fetch->member)
				    : upstream_url(upstream, fetch->name);
	return verdict == VERDICT_TAKE ? run(fetch, url, err) : verdict;
}

/* ---- what failures come to ---- */

void fetch_keep_worse(struct err *worst, const struct err *err, const char *upstream)
{
	/* What failed says more than what could not be reached; what is our own trouble says most. */
	if (worst->code == ERR_UPSTREAM_FAILED && err->code == ERR_UPSTREAM_UNREACHABLE)
		return;
	if (worst->code != ERR_NONE && err->code == ERR_LOOP_DETECTED)
		return;
	*worst = *err;
	(void)err_prefix(worst, "upstream %s: ", upstream);
}

void fetch_remember(const struct fill_tools *tools, const struct name *name, const struct err *answer)
{
	struct absence absence = {clock_now_s() + tools->settings.negative_ttl_s, *answer};
	struct err why;

	/* Not remembered is asked again: no reason to fail otherwise. */
	if (!catalog_remember_absent(tools->catalog, name, &absence, &why))
		log_event(LOG_LEVEL_WARN, "a refusal is not remembered", "name", name_path(name).text, "why",
			why.text, NULL);
}

bool fetch_refuse_absent(const struct name *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "%s is not here, and no upstream has it", name_path(name).text);
}

bool fetch_refuse_short(struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED, "it ended before the length that it told");
}
