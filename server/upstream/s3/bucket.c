/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/bucket.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/uri.h"
#include "server/ranks.h"
#include "server/upstream/s3/bucket_call.h"
#include "server/upstream/s3/s3_xml.h"

static const struct lock_place lock_place = {"bucket", RANK_BUCKET};

/* A page of 1,000 keys of the longest sort is less. */
enum { PAGE_BYTES_MAX = 4 << 20, RESUMES_MAX = 5 };

#define AUTO_ANSWER AUTO(s3_answer_finish)

struct bucket *bucket_create(const struct bucket_settings *settings)
{
	struct bucket *bucket = mem_zero(1, sizeof *bucket);

	lock_init(&bucket->mutex, &lock_place);
	bucket->settings = settings;
	return bucket;
}

void bucket_destroy(struct bucket *bucket)
{
	if (!bucket)
		return;
	for (size_t i = 0; i < bucket->resting_count; i++)
		s3_channel_destroy(bucket->resting[i]);
	lock_finish(&bucket->mutex);
	free(bucket);
}

void bucket_set_bare_etags(struct bucket *bucket, bool bare)
{
	bucket->bare_etags = bare;
}

/* ---- put ---- */

static char *if_match(const struct bucket *bucket, const char *etag)
{
	if (bucket->bare_etags && *etag == '"')
		return mem_printf("If-Match: %.*s", (int)(strlen(etag) - 2), etag + 1);
	return mem_printf("If-Match: %s", etag);
}

/* libcurl sends no line without a value, and what it leaves out would be an order without a condition. */
static bool condition_line(
	const struct bucket *bucket, const struct bucket_condition *condition, char **out, struct err *why)
{
	const char *etag = condition ? condition->if_etag : NULL;

	if (condition && condition->if_absent)
		*out = mem_dup("If-None-Match: *");
	else if (etag && !bucket_etag_tells(etag))
		return err_set(why, ERR_BAD_REQUEST, "\"%.60s\" is no ETag to know an object by", etag);
	else if (etag)
		*out = if_match(bucket, etag);
	return true;
}

enum bucket_outcome bucket_put(struct bucket *bucket, const char *key, const struct s3_body *body,
	const struct bucket_condition *condition, struct bucket_facts *facts, struct err *why)
{
	AUTO_FREE char *line = NULL;
	AUTO_ANSWER struct s3_answer answer = {0};
	struct bucket_call call = {
		.kind = METRIC_STORE_PUTS, .request = {.method = "PUT", .body = *body}, .key = key};
	enum bucket_outcome outcome;

	if (!condition_line(bucket, condition, &line, why))
		return BUCKET_REFUSED;
	call.request.header = line;
	call.once = line;
	outcome = bucket_call(bucket, &call, &answer, why);
	if (outcome == BUCKET_DONE)
		bucket_tell(&answer, facts);
	return outcome;
}

/* ---- get ---- */

/* What a stream has come to, across answers that were cut off. */
struct getting {
	const struct s3_receiver *receiver;
	int64_t taken;
};

static bool pass_on(void *context, const void *bytes, size_t length)
{
	struct getting *getting = context;

	if (!getting->receiver->body(getting->receiver->context, bytes, length))
		return false;
	getting->taken += (int64_t)length;
	return true;
}

/* One more answer: of the object that is known by its etag where that is not "". */
static enum bucket_outcome get_on(struct bucket *bucket, const char *key, const struct s3_range *range,
	const char *etag, struct getting *getting, struct s3_answer *answer, struct err *why)
{
	const struct s3_receiver receiver = {pass_on, getting};
	bool is_whole = range->first == 0 && range->length < 0;
	struct bucket_call call = {.kind = METRIC_STORE_GETS,
		.request = {.method = "GET",
			.object = true,
			.range = is_whole ? NULL : range,
			.etag = *etag ? etag : NULL,
			.receiver = &receiver},
		.key = key};

	return bucket_call(bucket, &call, answer, why);
}

/* What came is a part of an object that can be told from others. */
static bool can_go_on(const struct getting *getting, int64_t before, int64_t length, const char *etag)
{
	return before < getting->taken && (length < 0 || getting->taken < length) && bucket_etag_tells(etag);
}

enum bucket_outcome bucket_get(struct bucket *bucket, const char *key, int64_t first, int64_t length,
	const struct s3_receiver *receiver, struct bucket_facts *facts, struct err *why)
{
	struct getting getting = {.receiver = receiver};
	char etag[S3_ETAG_MAX] = "";
	enum bucket_outcome outcome = BUCKET_UNREACHABLE;
	int64_t before = -1;

	if (first < 0 || length == 0) {
		(void)err_set(why, ERR_BAD_REQUEST, "a part of an object has at least one byte");
		return BUCKET_REFUSED;
	}
	for (int i = 0; i <= RESUMES_MAX && outcome == BUCKET_UNREACHABLE; i++) {
		AUTO_ANSWER struct s3_answer answer = {0};

		if (i > 0 && !can_go_on(&getting, before, length, etag))
			break;
		before = getting.taken;
		outcome = get_on(bucket, key,
			&(struct s3_range){first + before, length < 0 ? -1 : length - before}, etag, &getting,
			&answer, why);
		if (!*etag)
			(void)strcpy(etag, answer.etag);
		if (outcome == BUCKET_DONE)
			bucket_tell(&answer, facts);
	}
	return outcome;
}

enum bucket_outcome bucket_read(struct bucket *bucket, const char *key, size_t limit, const atomic_bool *stop,
	struct buffer *out, struct bucket_facts *facts, struct err *why)
{
	AUTO_ANSWER struct s3_answer answer = {0};
	struct bucket_call call = {.kind = METRIC_STORE_GETS,
		.request = {.method = "GET", .object = true, .body = {.stop = stop}, .body_max = limit},
		.key = key};
	enum bucket_outcome outcome = bucket_call(bucket, &call, &answer, why);

	if (answer.oversized)
		return BUCKET_OVERSIZED;
	if (outcome != BUCKET_DONE)
		return outcome;
	bucket_tell(&answer, facts);
	buffer_add(out, buffer_string(&answer.body), answer.body.length);
	return BUCKET_DONE;
}

/* ---- head, delete ---- */

enum bucket_outcome bucket_head(struct bucket *bucket, const char *key, const atomic_bool *stop,
	struct bucket_facts *facts, struct err *why)
{
	AUTO_ANSWER struct s3_answer answer = {0};
	struct bucket_call call = {.kind = METRIC_STORE_HEADS,
		.request = {.method = "HEAD", .body = {.stop = stop}},
		.key = key};
	enum bucket_outcome outcome = bucket_call(bucket, &call, &answer, why);

	if (outcome == BUCKET_DONE)
		bucket_tell(&answer, facts);
	return outcome;
}

enum bucket_outcome bucket_delete(struct bucket *bucket, const char *key, struct err *why)
{
	AUTO_ANSWER struct s3_answer answer = {0};
	struct bucket_call call = {.kind = METRIC_STORE_DELETES, .request = {.method = "DELETE"}, .key = key};
	enum bucket_outcome outcome = bucket_call(bucket, &call, &answer, why);

	return outcome == BUCKET_ABSENT ? BUCKET_DONE : outcome;
}

/* ---- list ---- */

struct listing {
	const struct bucket_page *page;
	const char *start; /* what all keys begin with, with the settings' prefix */
	size_t bare;       /* how long that prefix is */
	char last[BUCKET_KEY_MAX + 1];
	char key[BUCKET_KEY_MAX + 1];
	int64_t length;
	int count;
	bool more;
	bool more_told;
	bool is_listing; /* the element that ended last */
	const char *fault;
	bool declined;
};

static bool mistrust(struct listing *listing, const char *fault)
{
	listing->fault = fault;
	return false;
}

/* In order, so that going on behind the last one comes to an end. */
static bool take_key(struct listing *listing, const char *text)
{
	const char *key;

	if (strncmp(text, listing->start, strlen(listing->start)) != 0)
		return mistrust(listing, "a key does not begin as those that were asked for");
	key = text + listing->bare;
	if (strlen(key) > BUCKET_KEY_MAX)
		return mistrust(listing, "a key is longer than Larder's are");
	if (strcmp(key, listing->last) <= 0)
		return mistrust(listing, "its keys are not in order, or were listed before");
	(void)strcpy(listing->key, key);
	return true;
}

static bool take_more(struct listing *listing, const char *text)
{
	listing->more = strcmp(text, "true") == 0;
	listing->more_told = listing->more || strcmp(text, "false") == 0;
	return true;
}

static void begin_object(struct listing *listing)
{
	*listing->key = '\0';
	listing->length = -1;
	if (listing->page->modified_s)
		*listing->page->modified_s = 0;
}

static bool take_object(struct listing *listing)
{
	if (!*listing->key || listing->length < 0)
		return mistrust(listing, "an object has no key, or no size");
	if (++listing->count > listing->page->limit)
		return mistrust(listing, "it has more keys than were asked for");
	(void)strcpy(listing->last, listing->key);
	listing->declined = !listing->page->object(listing->page->context, listing->key, listing->length);
	begin_object(listing);
	return !listing->declined;
}

/* "2026-11-29T18:21:24.123Z", with or without the fraction. */
static void take_modified(const struct listing *listing, const char *text)
{
	char time[32];

	(void)snprintf(time, sizeof time, "%.*sZ", (int)strcspn(text, ".Z"), text);
	if (listing->page->modified_s && !clock_parse_rfc3339(time, listing->page->modified_s))
		*listing->page->modified_s = 0;
}

static bool take_element(void *context, const char *name, const char *text)
{
	struct listing *listing = context;

	listing->is_listing = strcmp(name, "ListBucketResult") == 0;
	if (strcmp(name, "Key") == 0)
		return take_key(listing, text);
	if (strcmp(name, "Size") == 0 && !number_parse(text, &listing->length))
		return mistrust(listing, "a size is none");
	if (strcmp(name, "LastModified") == 0)
		take_modified(listing, text);
	if (strcmp(name, "IsTruncated") == 0)
		return take_more(listing, text);
	return strcmp(name, "Contents") != 0 || take_object(listing);
}

/* The root ends last. */
static bool is_whole_page(struct listing *listing)
{
	if (!listing->is_listing || !listing->more_told)
		return mistrust(listing, "it is none, or does not tell whether there is more");
	return !listing->more || listing->count > 0 ||
	       mistrust(listing, "it has more, and no key to go on from");
}

static enum bucket_outcome read_listing(
	struct listing *listing, const struct s3_answer *answer, struct err *why)
{
	const struct s3_xml_reader reader = {take_element, listing};
	bool read = s3_xml_read(answer->body.data, answer->body.length, &reader, why);

	if (listing->declined)
		return BUCKET_STOPPED;
	if (read && is_whole_page(listing))
		return BUCKET_DONE;
	if (listing->fault)
		(void)err_set(why, ERR_UPSTREAM_FAILED, "the store's listing cannot be trusted: %s",
			listing->fault);
	return BUCKET_REFUSED;
}

/* Sorted, and with one spelling for each value: so all versions of libcurl sign it. Pages go on behind the
 * last key, since their tokens may hold anything. */
static char *list_query(const struct bucket_settings *settings, const struct bucket_page *page)
{
	AUTO_FREE char *prefix = settings->prefix ? mem_printf("%s/", settings->prefix) : mem_dup("");
	struct buffer query = {0};

	buffer_printf(&query, "list-type=2&max-keys=%d&prefix=", page->limit);
	uri_encode(&query, prefix, "");
	uri_encode(&query, page->under, "");
	if (page->after) {
		buffer_add_string(&query, "&start-after=");
		uri_encode(&query, prefix, "");
		uri_encode(&query, page->after, "");
	}
	return buffer_take(&query);
}

enum bucket_outcome bucket_list(struct bucket *bucket, const struct bucket_page *page, bool *more,
	struct bucket_facts *facts, struct err *why)
{
	const char *prefix = bucket->settings->prefix;
	AUTO_FREE char *query = list_query(bucket->settings, page);
	AUTO_FREE char *start = mem_printf("%s%s%s", prefix ? prefix : "", prefix ? "/" : "", page->under);
	AUTO_ANSWER struct s3_answer answer = {0};
	struct bucket_call call = {.kind = METRIC_STORE_LISTS,
		.request = {.method = "GET", .body = {.stop = page->stop}, .body_max = PAGE_BYTES_MAX},
		.query = query};
	struct listing listing = {.page = page, .start = start, .bare = prefix ? strlen(prefix) + 1 : 0};
	enum bucket_outcome outcome = bucket_call(bucket, &call, &answer, why);

	if (outcome != BUCKET_DONE)
		return outcome;
	bucket_tell(&answer, facts);
	(void)snprintf(listing.last, sizeof listing.last, "%s", page->after ? page->after : "");
	begin_object(&listing);
	outcome = read_listing(&listing, &answer, why);
	if (outcome == BUCKET_DONE)
		*more = listing.more;
	return outcome;
}
