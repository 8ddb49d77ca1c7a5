/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/verdict.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Hubs that moved answer what they lost with a page (PROTOCOL: 1.5). */
static bool is_page(const struct answer *answer)
{
	return strncasecmp(answer->content_type, "text/html", 9) == 0 ||
	       strncasecmp(answer->content_type, "application/xhtml", 17) == 0;
}

static bool is_same_object(const struct answer *answer, const struct object *object, int64_t offset)
{
	if (answer->range_first != offset)
		return false;
	if (object->length >= 0 && answer->range_total >= 0 && answer->range_total != object->length)
		return false;
	/* If-Range has been honoured by then; an upstream that ignores it shows here. */
	return strcmp(answer->etag, object->etag) == 0 &&
	       (object->etag[0] || strcmp(answer->last_modified, object->last_modified) == 0);
}

static enum verdict of_failure(const struct answer *answer, struct err *err)
{
	(void)err_set(err, ERR_UPSTREAM_FAILED, "it answered %d", answer->status);
	err->retry_after_s = (unsigned)answer->retry_after_s;
	return VERDICT_FAILED;
}

enum verdict verdict_of_answer(
	const struct answer *answer, const struct object *object, int64_t offset, struct err *err)
{
	switch (answer->status) {
	case 200:
		if (is_page(answer))
			return VERDICT_ABSENT;
		return offset == 0 ? VERDICT_TAKE : VERDICT_RESTART;
	case 206:
		return offset > 0 && is_same_object(answer, object, offset) ? VERDICT_TAKE : VERDICT_RESTART;
	case 416:
		return offset > 0 ? VERDICT_RESTART : of_failure(answer, err);
	case 404:
	case 410:
		return VERDICT_ABSENT;
	default:
		return of_failure(answer, err);
	}
}

struct object object_of_answer(const struct answer *answer)
{
	struct object object = {.length = answer->length};

	(void)snprintf(object.etag, sizeof object.etag, "%s", answer->etag);
	(void)snprintf(object.last_modified, sizeof object.last_modified, "%s", answer->last_modified);
	return object;
}

const char *object_validator(const struct object *object)
{
	if (object->etag[0] && strncmp(object->etag, "W/", 2) != 0)
		return object->etag;
	return object->last_modified[0] ? object->last_modified : NULL;
}
