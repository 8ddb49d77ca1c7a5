/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/verdict.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"

/* RFC 9110, 8.8.2.2: within it, a resource may have changed twice and still tell the same date. */
enum { DATE_AGE_MIN_S = 60 };

bool answer_is_page(const struct answer *answer)
{
	return strncasecmp(answer->content_type, "text/html", 9) == 0 ||
	       strncasecmp(answer->content_type, "application/xhtml", 17) == 0;
}

static bool is_same_object(const struct answer *answer, const struct object *object, int64_t offset)
{
	if (answer->range_first != offset)
		return false;
	/* Less than the rest would leave the object short with nobody to notice. */
	if (object->length >= 0 && answer->length >= 0 && answer->length != object->length - offset)
		return false;
	if (object->length >= 0 && answer->range_total >= 0 && answer->range_total != object->length)
		return false;
	/* If-Range has been honoured by then; an upstream that ignores it shows here. */
	return strcmp(answer->etag, object->etag) == 0 &&
	       (object->etag[0] || strcmp(answer->last_modified, object->last_modified) == 0);
}

static enum verdict of_failure(const struct answer *answer, struct err *err)
{
	(void)err_set(err, answer->status == 508 ? ERR_LOOP_DETECTED : ERR_UPSTREAM_FAILED, "it answered %d",
		answer->status);
	err->retry_after_s = (unsigned)answer->retry_after_s;
	return VERDICT_FAILED;
}

/* No is no, whenever it is asked again; in the middle of an object it may be of this moment. */
static bool is_definite(int status)
{
	static const int statuses[] = {400, 401, 402, 403, 451};

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		if (statuses[i] == status)
			return true;
	}
	return false;
}

static enum verdict of_refusal(const struct answer *answer, int64_t offset, struct err *err)
{
	enum verdict verdict = of_failure(answer, err);

	if (offset > 0 || !is_definite(answer->status))
		return verdict;
	return answer->status == 403 ? VERDICT_FORBIDDEN : VERDICT_REFUSED;
}

static enum verdict of_part(const struct answer *answer, struct err *err)
{
	if (answer_is_whole_range(answer))
		return VERDICT_TAKE;
	(void)err_set(err, ERR_UPSTREAM_FAILED, "it answered 206, a part, where the whole was asked for");
	return VERDICT_FAILED;
}

enum verdict verdict_of_answer(
	const struct answer *answer, const struct object *object, int64_t offset, struct err *err)
{
	switch (answer->status) {
	case 204:
	case 205:
		return of_failure(answer, err);
	case 206:
		if (offset == 0)
			return of_part(answer, err);
		return is_same_object(answer, object, offset) ? VERDICT_TAKE : VERDICT_RESTART;
	case 416:
		return offset > 0 ? VERDICT_RESTART : of_failure(answer, err);
	case 404:
	case 410:
		return VERDICT_ABSENT;
	case 200 ... 203:
	case 207 ... 299:
		/* What the body is, its bytes will tell. */
		return offset == 0 ? VERDICT_TAKE : VERDICT_RESTART;
	default:
		return of_refusal(answer, offset, err);
	}
}

/* Signed addresses are signed for GET (403), and frameworks know no HEAD (400, 405, 501). Of a page, the
 * first bytes would decide. */
enum verdict verdict_of_head(const struct answer *answer, const struct object *object, struct err *err)
{
	static const int refusals[] = {400, 403, 405, 501};
	enum verdict verdict = verdict_of_answer(answer, object, 0, err);

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (refusals[i] == answer->status)
			return VERDICT_HEADLESS;
	}
	return verdict == VERDICT_TAKE && answer_is_page(answer) ? VERDICT_HEADLESS : verdict;
}

bool answer_is_problem(const struct answer *answer)
{
	static const char type[] = "application/problem+json";
	size_t length = sizeof type - 1;

	return strncasecmp(answer->content_type, type, length) == 0 &&
	       strchr("; \t", answer->content_type[length]);
}

/* Another Larder, or whoever tells failures as it does, works: what is behind it, or its disk, does not. */
static bool is_about_one(const struct answer *answer)
{
	return answer_is_problem(answer) &&
	       (answer->status == 502 || answer->status == 504 || answer->status == 507);
}

enum ailment ailment_of_answer(const struct answer *answer)
{
	if (answer->status == 429)
		return AILMENT_SERVER;
	/* In a loop, it is we who are told to be ill. */
	if (answer->status < 500 || answer->status == 508 || is_about_one(answer))
		return AILMENT_NONE;
	return AILMENT_ARTIFACT;
}

struct object object_of_answer(const struct answer *answer)
{
	bool whole_range = answer->length < 0 && answer_is_whole_range(answer);
	struct object object = {.length = whole_range ? answer->range_total : answer->length};

	(void)snprintf(object.etag, sizeof object.etag, "%s", answer->etag);
	(void)snprintf(object.last_modified, sizeof object.last_modified, "%s", answer->last_modified);
	return object;
}

const char *object_validator(const struct object *object)
{
	/* RFC 9110, 13.1.5: never a weak ETag, and no date either where there is an ETag. */
	if (object->etag[0])
		return strncmp(object->etag, "W/", 2) != 0 ? object->etag : NULL;
	return object->last_modified[0] ? object->last_modified : NULL;
}

void object_distrust_date(struct object *object, int64_t now_s)
{
	int64_t modified_s;

	if (!clock_parse_http(object->last_modified, &modified_s) || now_s - modified_s < DATE_AGE_MIN_S)
		object->last_modified[0] = '\0';
}

enum log_level verdict_loudness(enum err_code code)
{
	return code == ERR_NOT_FOUND || code == ERR_GONE ? LOG_LEVEL_INFO
	       : code == ERR_QUARANTINED                 ? LOG_LEVEL_ERROR
							 : LOG_LEVEL_WARN;
}
