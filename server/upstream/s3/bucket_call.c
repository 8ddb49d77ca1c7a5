/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/bucket_call.h"

#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/mem.h"
#include "server/upstream/s3/s3_xml.h"

enum { TRIES = 4, FIRST_PAUSE_MS = 100, CODE_MAX = 64, STATUS_CONFLICT = 409 };

/* ---- channels ---- */

static struct s3_channel *take_resting(struct bucket *bucket)
{
	LOCKED(&bucket->mutex);
	return bucket->resting_count > 0 ? bucket->resting[--bucket->resting_count] : NULL;
}

static bool give_rest(struct bucket *bucket, struct s3_channel *channel)
{
	LOCKED(&bucket->mutex);
	if (bucket->resting_count == CHANNELS_MAX)
		return false;
	bucket->resting[bucket->resting_count++] = channel;
	return true;
}

static struct s3_channel *take_channel(struct bucket *bucket)
{
	struct s3_channel *channel = take_resting(bucket);

	return channel ? channel : s3_channel_create(bucket->settings);
}

static void give_channel(struct bucket *bucket, struct s3_channel *channel)
{
	if (!give_rest(bucket, channel))
		s3_channel_destroy(channel);
}

/* ---- URLs ---- */

static void add_host(struct buffer *out, const struct bucket_settings *settings)
{
	AUTO_FREE char *aws = mem_printf("https://s3.%s.amazonaws.com", settings->region);
	const char *endpoint = settings->endpoint ? settings->endpoint : aws;
	const char *host = strstr(endpoint, "://") + 3;

	if (settings->path_style)
		buffer_printf(out, "%s/%s", endpoint, settings->name);
	else
		buffer_printf(out, "%.*s%s.%s", (int)(host - endpoint), endpoint, settings->name, host);
}

static char *url_of(const struct bucket *bucket, const struct bucket_call *call)
{
	const struct bucket_settings *settings = bucket->settings;
	struct buffer url = {0};

	add_host(&url, settings);
	buffer_add_string(&url, "/");
	if (call->key)
		buffer_printf(&url, "%s%s%s", settings->prefix ? settings->prefix : "",
			settings->prefix ? "/" : "", call->key);
	if (call->query)
		buffer_printf(&url, "?%s", call->query);
	return buffer_take(&url);
}

/* Names between single slashes, none of which a proxy may take for a step. */
static bool is_key(const char *key)
{
	size_t length = strlen(key);

	if (length == 0 || length > BUCKET_KEY_MAX ||
		strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._/-") != length)
		return false;
	for (const char *name = key;; name++) {
		size_t letters = strcspn(name, "/");

		if (letters == 0 || strspn(name, ".") == letters)
			return false;
		name += letters;
		if (!*name)
			return true;
	}
}

/* ---- what an answer means ---- */

bool bucket_etag_tells(const char *etag)
{
	size_t length = strlen(etag);
	bool quoted = length >= 2 && etag[0] == '"' && etag[length - 1] == '"';

	for (size_t i = quoted; i < length - quoted; i++) {
		if (etag[i] <= ' ' || etag[i] > '~' || strchr("\"*,", etag[i]))
			return false;
	}
	return length > 2 * (size_t)quoted;
}

static bool take_code(void *context, const char *name, const char *text)
{
	char *code = context;

	if (strcmp(name, "Code") == 0 && strlen(text) < CODE_MAX &&
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
			strlen(text))
		(void)strcpy(code, text);
	return true;
}

/* "NoSuchKey"; "" where it tells none. */
static void read_code(const struct s3_answer *answer, char code[CODE_MAX])
{
	const struct s3_xml_reader reader = {take_code, code};
	struct err unused;

	*code = '\0';
	if (answer->body.length > 0)
		(void)s3_xml_read(answer->body.data, answer->body.length, &reader, &unused);
}

static enum bucket_outcome judge_status(int status, const char *code)
{
	if (status >= 200 && status < 300)
		return BUCKET_DONE;
	if (status == 404)
		return BUCKET_ABSENT;
	if (status == 412)
		return BUCKET_CLASH;
	if (status == 408 || status == 429 || status == 503 ||
		(status == 400 && strcmp(code, "RequestTimeout") == 0) ||
		(status == STATUS_CONFLICT && strcmp(code, "BucketAlreadyExists") != 0))
		return BUCKET_BUSY;
	return status >= 500 && status != 501 ? BUCKET_AMBIGUOUS : BUCKET_REFUSED;
}

static enum err_code code_of(enum bucket_outcome outcome)
{
	static const enum err_code codes[] = {[BUCKET_ABSENT] = ERR_NOT_FOUND,
		[BUCKET_CLASH] = ERR_CONFLICT,
		[BUCKET_REFUSED] = ERR_UPSTREAM_FAILED,
		[BUCKET_BUSY] = ERR_BUSY,
		[BUCKET_AMBIGUOUS] = ERR_BUSY,
		[BUCKET_UNREACHABLE] = ERR_UPSTREAM_UNREACHABLE,
		[BUCKET_STOPPED] = ERR_UPSTREAM_FAILED,
		[BUCKET_OVERSIZED] = ERR_UPSTREAM_FAILED};

	return codes[outcome];
}

/* A lost answer to what changes nothing twice is no more than that: it was not reached. What has no code of
 * S3 may come from a proxy, when the store has done it. */
static enum bucket_outcome judge(const struct bucket_call *call, bool answered,
	const struct s3_answer *answer, enum err_code failure, struct err *why)
{
	enum bucket_outcome outcome;
	char code[CODE_MAX];

	if (answer->declined)
		return BUCKET_STOPPED;
	if (!answered && failure == ERR_BAD_REQUEST)
		return BUCKET_REFUSED;
	/* The same comes again. */
	if (answer->oversized && !call->once)
		return BUCKET_REFUSED;
	if (!answered)
		return call->once && answer->asked ? BUCKET_AMBIGUOUS : BUCKET_UNREACHABLE;
	read_code(answer, code);
	outcome = judge_status(answer->status, code);
	if (outcome == BUCKET_AMBIGUOUS && !call->once)
		outcome = BUCKET_BUSY;
	else if (outcome == BUCKET_BUSY && call->once && !*code)
		outcome = BUCKET_AMBIGUOUS;
	if (outcome != BUCKET_DONE)
		(void)err_set(why, code_of(outcome), "the store answered %d%s%s", answer->status,
			*code ? " " : "", code);
	return outcome;
}

/* ---- asking ---- */

static bool is_worth_another(enum bucket_outcome outcome, const struct s3_answer *answer)
{
	/* What was given to a receiver is gone on with by who knows how much that is. */
	return (outcome == BUCKET_BUSY || outcome == BUCKET_UNREACHABLE) && answer->taken == 0;
}

void bucket_pause(int tried)
{
	uint16_t chance;

	random_bytes(&chance, sizeof chance);
	clock_sleep_ms((FIRST_PAUSE_MS << (tried - 1)) * (1000 + chance % 1000) / 1000);
}

static enum bucket_outcome ask(
	struct s3_channel *channel, struct bucket_call *call, struct s3_answer *out, struct err *why)
{
	int64_t before_ms = clock_monotonic_ms();
	enum bucket_outcome outcome;
	bool answered;

	metric_add(call->kind, 1);
	answered = s3_exchange(channel, &call->request, out, why);
	metric_store_waited(call->kind, clock_monotonic_ms() - before_ms);
	outcome = judge(call, answered, out, answered ? ERR_NONE : why->code, why);
	if (outcome == BUCKET_BUSY || outcome == BUCKET_UNREACHABLE || outcome == BUCKET_AMBIGUOUS)
		metric_add(METRIC_STORE_FAILURES, 1);
	return outcome;
}

/* What was lost on its way is worth one more; a store that says nothing is not waited for again and again. */
static enum bucket_outcome ask_by(struct s3_channel *channel, struct bucket_call *call, int64_t patience_ms,
	struct s3_answer *out, struct err *why)
{
	int64_t began_ms = clock_monotonic_ms();
	enum bucket_outcome outcome = ask(channel, call, out, why);

	for (int tried = 1; tried < TRIES && is_worth_another(outcome, out) &&
			    (tried == 1 || clock_monotonic_ms() - began_ms < patience_ms);
		tried++) {
		s3_answer_finish(out);
		metric_add(METRIC_STORE_RETRIES, 1);
		bucket_pause(tried);
		outcome = ask(channel, call, out, why);
	}
	return outcome;
}

enum bucket_outcome bucket_call(
	struct bucket *bucket, struct bucket_call *call, struct s3_answer *out, struct err *why)
{
	AUTO_FREE char *url = url_of(bucket, call);
	struct s3_channel *channel;
	enum bucket_outcome outcome;

	if (call->key && !is_key(call->key)) {
		(void)err_set(why, ERR_BAD_REQUEST, "\"%.100s\" is no key for a bucket", call->key);
		return BUCKET_REFUSED;
	}
	channel = take_channel(bucket);
	call->request.url = url;
	outcome = ask_by(channel, call, 1000 * bucket->settings->timeout_s, out, why);
	give_channel(bucket, channel);
	call->request.url = NULL;
	return outcome;
}

void bucket_tell(const struct s3_answer *answer, struct bucket_facts *facts)
{
	if (!facts)
		return;
	facts->length = answer->range_total >= 0 ? answer->range_total : answer->length;
	(void)strcpy(facts->etag, answer->etag);
	facts->date_s = answer->date_s;
	facts->modified_s = answer->modified_s;
}
