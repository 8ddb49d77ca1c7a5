/* SPDX-License-Identifier: Apache-2.0
 *
 * One page of a list: which one a query asks for, and how it is answered. */
#ifndef SERVER_API_PAGE_H
#define SERVER_API_PAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/api/ask.h"
#include "server/module/name.h"

/* PAGE_PLACE_MAX: the bytes that say where a page ends, such as a name and a number. */
enum { PAGE_LIMIT_DEFAULT = 50, PAGE_LIMIT_MAX = 200, PAGE_PLACE_MAX = NAME_PATH_MAX + 64 };

struct page {
	size_t limit;
	char after[PAGE_PLACE_MAX + 1]; /* where the page before this one ended; "" on the first */
};

/* Reads limit and cursor. ERR_BAD_REQUEST for a limit out of bounds and for what was never a cursor. */
bool page_read(const struct ask *ask, struct page *out, struct err *err);

/* As page_read, for lists whose pages end at a position; ERR_BAD_REQUEST for a cursor of another list. */
bool page_read_position(const struct ask *ask, struct page *out, int64_t *position, struct err *err);

/* ERR_BAD_REQUEST: for lists whose places are of their own kind. */
bool page_refuse_cursor(struct err *err);

/* {"<things>": items, "total", "next"}; takes over items. last is where this page ends (at most
 * PAGE_PLACE_MAX bytes), or NULL where it is the last one; next repeats everything that was asked for. */
json_t *page_json(const struct ask *ask, const char *things, json_t *items, int64_t total, const char *last);

#endif
