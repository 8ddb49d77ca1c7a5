/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a URL that Larder reads and writes (RFC 3986): percent-encoding and queries. */
#ifndef COMMON_URI_H
#define COMMON_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/err.h"

enum { URI_QUERY_MAX = 64 };

struct query {
	struct {
		const char *name;
		const char *value; /* "" when the parameter has no "=" */
	} parameters[URI_QUERY_MAX];
	size_t count;
	char *memory; /* what names and values that were parsed point into */
};

/* Decodes %XX in place, and "+" to a blank when plus_is_blank. False for a broken escape or an encoded NUL.
 */
bool uri_decode(char *text, bool plus_is_blank);

/* Appends with everything escaped but unreserved characters and those in keep. */
void uri_encode(struct buffer *out, const char *text, const char *keep);

/* What a path with a segment "." or ".." is refused with: ERR_BAD_REQUEST. */
bool uri_refuse_dots(struct err *err);

/* Whether a host is one of a list of names with commas or blanks between them, or the path lies in a folder
 * of one that is listed as "host/folder|folder"; NULL is an empty list. */
bool uri_host_is_listed(const char *hosts, const char *host, size_t length, const char *path);

/* Splits "a=1&b=2" into decoded pairs; NULL is an empty query. False for a broken escape or more than
 * URI_QUERY_MAX. */
bool query_parse(const char *text, struct query *out);
void query_finish(struct query *query);

/* In place of all that have this name, or behind the others; both must outlive the query. False where there
 * is no room. */
bool query_set(struct query *query, const char *name, const char *value);

/* The last value given under this name, or NULL. */
const char *query_find(const struct query *query, const char *name);

#endif
