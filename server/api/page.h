/* SPDX-License-Identifier: Apache-2.0
 *
 * One page of a list: which one a query asks for, and how it is answered. */
#ifndef SERVER_API_PAGE_H
#define SERVER_API_PAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/module/name.h"
#include "server/registry/services.h"

enum { PAGE_LIMIT_DEFAULT = 50, PAGE_LIMIT_MAX = 200 };

struct page {
	size_t limit;
	char after[NAME_PATH_MAX + 1]; /* where the page before this one ended; "" on the first */
};

/* Reads limit and cursor. ERR_BAD_REQUEST for a limit out of bounds and for what was never a cursor. */
bool page_read(const struct request *request, struct page *out, struct err *err);

/* As page_read, for lists whose pages end at a position; ERR_BAD_REQUEST for a cursor of another list. */
bool page_read_position(const struct request *request, struct page *out, int64_t *position, struct err *err);

/* Answers {"<things>": items, "total", "next"}; takes over items. last is where this page ends (at most
 * NAME_PATH_MAX bytes), or NULL where it is the last one; next repeats the request with everything it asked
 * for. */
void page_reply(const struct services *services, const struct request *request, struct reply *reply,
	const char *things, json_t *items, int64_t total, const char *last);

#endif
