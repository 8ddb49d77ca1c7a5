/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/audit_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
#include "server/http/problem.h"

static json_t *digest_json(const struct digest *digest)
{
	return json_pack("s+", "sha256:", digest->hex);
}

json_t *audit_log_row(const struct audit_row *row)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)row->id,
		"at", answer_time(row->at), "who", answer_text(row->who), "from", answer_text(row->from),
		"action", answer_text(row->action), "subject", answer_text(row->subject), "detail",
		answer_text(row->detail), "before", answer_text(row->before), "after",
		answer_text(row->after), "hash", row->is_chained ? digest_json(&row->hash) : json_null());
}

json_t *audit_log_head(const struct audit_head *head)
{
	return json_pack("{s:I, s:o, s:o}", "id", (json_int_t)head->id, "at", answer_time(head->at), "hash",
		digest_json(&head->hash));
}

/* ---- a page ---- */

/* Where a page ends, and how many rows there are in all: nobody counts a million of them for each page. */
struct place {
	int64_t id;
	int64_t total; /* -1: to be counted */
};

static bool read_place(const char *text, struct place *out)
{
	AUTO_FREE char *id = mem_dup(text);
	char *total = strchr(id, '-');

	*out = (struct place){0, -1};
	if (!*text)
		return true;
	if (!total)
		return false;
	*total++ = '\0';
	return number_parse(id, &out->id) && number_parse(total, &out->total);
}

static bool read_query(const struct ask *ask, struct audit_query *out, struct err *err)
{
	const char *since = query_find(ask->query, "since");
	const char *order = query_find(ask->query, "order");

	out->subject = query_find(ask->query, "subject");
	out->newest_first = !order || strcmp(order, "newest") == 0;
	if (since && !clock_parse_rfc3339(since, &out->since_s))
		return err_set(err, ERR_BAD_REQUEST,
			"\"since\" must be a time such as 2026-11-28T12:00:00Z, not \"%.60s\"", since);
	if (!out->newest_first && strcmp(order, "oldest") != 0)
		return err_set(
			err, ERR_BAD_REQUEST, "\"order\" must be newest or oldest, not \"%.60s\"", order);
	return true;
}

struct listing {
	json_t *rows;
	int64_t last_id;
	bool more;
	size_t limit;
};

static bool add_row(void *context, const struct audit_row *row)
{
	struct listing *listing = context;

	listing->more = json_array_size(listing->rows) == listing->limit;
	if (listing->more)
		return false;
	listing->last_id = row->id;
	(void)json_array_append_new(listing->rows, audit_log_row(row));
	return true;
}

static json_t *list_page(
	const struct ask *ask, struct audit_query *query, struct place *place, struct err *err)
{
	json_auto_t *rows = json_array();
	struct listing listing = {.rows = rows, .limit = query->limit};
	AUTO_FREE char *last = NULL;

	query->limit++;
	query->behind_id = place->id;
	if ((place->total < 0 && !catalog_count_audit(ask->services->catalog, query, &place->total, err)) ||
		!catalog_each_audit(ask->services->catalog, query, add_row, &listing, err))
		return NULL;
	if (listing.more)
		last = mem_printf("%" PRId64 "-%" PRId64, listing.last_id, place->total);
	return page_json(ask, "rows", json_incref(rows), place->total, last);
}

json_t *ask_audit(const struct ask *ask, struct err *err)
{
	struct audit_query query = {0};
	struct place place;
	struct page page;

	if (!page_read(ask, &page, err) || !read_query(ask, &query, err))
		return NULL;
	if (!read_place(page.after, &place)) {
		(void)page_refuse_cursor(err);
		return NULL;
	}
	query.limit = page.limit;
	return list_page(ask, &query, &place, err);
}

json_t *ask_audit_head(const struct ask *ask, struct err *err)
{
	struct audit_head head;

	if (!catalog_audit_head(ask->services->catalog, &head, err))
		return NULL;
	if (!head.exists)
		(void)err_set(err, ERR_NOT_FOUND, "the audit log has no row yet");
	return head.exists ? audit_log_head(&head) : NULL;
}

void api_audit(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_audit, "since subject order limit cursor");
}

void api_audit_head(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_audit_head, "");
}
