/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	COUNT_WEBHOOKS,
	ADD_WEBHOOK,
	DROP_OTHERS,
	ADD_EVENT,
	DROP_EVENTS,
	DROP_UNWANTED,
	FIND_WEBHOOK,
	TAKE_DUE,
	TAKE_AWAY,
	PUT_OFF,
	EMPTY,
	COUNT_DELIVERED,
	COUNT_FAILED,
	RETIRE,
	ADD_FAILED_FILL,
	LIST_WEBHOOKS
};

/* Names stand between commas. */
#define IS_NAMED(column, list) "instr(" list ", ',' || " column " || ',') > 0"

static const char *const sql[] = {
	[COUNT_WEBHOOKS] = "SELECT count(*) FROM webhooks",
	[ADD_WEBHOOK] =
		"INSERT INTO webhooks (name) VALUES (?1) ON CONFLICT DO UPDATE SET gone = 0 RETURNING id",
	[DROP_OTHERS] = "DELETE FROM webhooks WHERE NOT " IS_NAMED("name", "?1"),
	[ADD_EVENT] = "INSERT INTO webhook_events (event, webhook_id) VALUES (?2, ?1) ON CONFLICT DO NOTHING",
	[DROP_UNWANTED] = "DELETE FROM webhook_queue WHERE webhook_id = ?1 AND event IN"
			  " (SELECT event FROM webhook_events WHERE webhook_id = ?1"
			  "  AND NOT " IS_NAMED("event", "?2") ")",
	[DROP_EVENTS] = "DELETE FROM webhook_events WHERE webhook_id = ?1 AND NOT " IS_NAMED("event", "?2"),
	[FIND_WEBHOOK] = "SELECT id, gone FROM webhooks WHERE name = ?1",
	[TAKE_DUE] =
		"SELECT id, message, event, at, attempts, subject, format, digest, coalesce(size_bytes, -1),"
		" who, code, detail, others FROM webhook_queue"
		" WHERE webhook_id = ?1 AND lane = ?2 AND due_at <= ?3 ORDER BY due_at, id LIMIT ?4",
	[TAKE_AWAY] = "DELETE FROM webhook_queue WHERE id = ?1 AND webhook_id = ?2",
	[PUT_OFF] = "UPDATE webhook_queue SET attempts = attempts + 1, due_at = ?3"
		    " WHERE id = ?1 AND webhook_id = ?2",
	[EMPTY] = "DELETE FROM webhook_queue WHERE webhook_id = ?1",
	[COUNT_DELIVERED] = "UPDATE webhooks SET delivered = delivered + 1, delivered_at = ?2, status = ?3"
			    " WHERE id = ?1",
	[COUNT_FAILED] = "UPDATE webhooks SET failed = failed + 1, failed_at = ?2, status = ?3, reason = ?4,"
			 " given_up = given_up + ?5 WHERE id = ?1",
	[RETIRE] = "UPDATE webhooks SET gone = 1, given_up = given_up +"
		   " (SELECT sum(pending) FROM webhook_events WHERE webhook_id = ?1) WHERE id = ?1",
	[ADD_FAILED_FILL] = "INSERT INTO webhook_queue"
			    " (webhook_id, event, lane, at, subject, format, code, detail, others)"
			    " SELECT webhook_id, event, 1, ?1, ?2, ?3, ?4, ?5, ?6 FROM webhook_listeners"
			    " WHERE event = 'fill_failed'",
	[LIST_WEBHOOKS] =
		"SELECT w.name, w.gone, coalesce(sum(e.pending), 0), coalesce(sum(e.dropped), 0),"
		" w.delivered, w.failed, w.given_up, w.delivered_at, w.failed_at,"
		" (SELECT min(due_at) FROM webhook_queue WHERE webhook_id = w.id AND lane = 0),"
		" (SELECT min(due_at) FROM webhook_queue WHERE webhook_id = w.id AND lane = 1),"
		" w.status, w.reason FROM webhooks w LEFT JOIN webhook_events e ON e.webhook_id = w.id"
		" GROUP BY w.name ORDER BY w.name",
};

enum { LANES = 2 };

/* ---- which there are ---- */

static bool count_webhooks(struct txn *txn, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[COUNT_WEBHOOKS], NULL, 0);

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

static bool has_any(struct catalog *catalog, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_read(catalog->db, &txn, err) && count_webhooks(txn, out, err);
}

/* ",a,b,": as IS_NAMED reads it; free() it. */
static char *listed(const char *names)
{
	static const char separators[] = ", \t";
	AUTO_BUFFER struct buffer out = {0};

	buffer_add_string(&out, ",");
	for (names += strspn(names, separators); *names; names += strspn(names, separators)) {
		size_t length = strcspn(names, separators);

		buffer_printf(&out, "%.*s,", (int)length, names);
		names += length;
	}
	return buffer_take(&out);
}

static bool drop_others(struct txn *txn, const struct webhook_wish *wishes, size_t count, struct err *err)
{
	AUTO_BUFFER struct buffer names = {0};

	buffer_add_string(&names, ",");
	for (size_t i = 0; i < count; i++)
		buffer_printf(&names, "%s,", wishes[i].name);
	return txn_run(txn, sql[DROP_OTHERS], VALUES(v_text(buffer_string(&names))), err);
}

static bool add_webhook(struct txn *txn, const char *name, int64_t *out_id, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[ADD_WEBHOOK], VALUES(v_text(name)));

	*out_id = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

static bool set_events(struct txn *txn, int64_t id, const char *events, struct err *err)
{
	AUTO_FREE char *list = listed(events);
	AUTO_FREE char *words = mem_dup(list);
	char *rest = words;

	for (char *word; (word = strsep(&rest, ","));) {
		if (*word && !txn_run(txn, sql[ADD_EVENT], VALUES(v_int(id), v_text(word)), err))
			return false;
	}
	return txn_run(txn, sql[DROP_UNWANTED], VALUES(v_int(id), v_text(list)), err) &&
	       txn_run(txn, sql[DROP_EVENTS], VALUES(v_int(id), v_text(list)), err);
}

bool catalog_set_webhooks(
	struct catalog *catalog, const struct webhook_wish *wishes, size_t count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t known, id;

	if (!has_any(catalog, &known, err))
		return false;
	if (known == 0 && count == 0)
		return true;
	if (!db_write(catalog->db, &txn, err) || !drop_others(txn, wishes, count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!add_webhook(txn, wishes[i].name, &id, err) ||
			!set_events(txn, id, wishes[i].events, err))
			return false;
	}
	return txn_commit(txn, err);
}

/* ---- delivering ---- */

static void read_event(struct rows *rows, struct webhook_event *out)
{
	const char *message = rows_text(rows, 1);

	*out = (struct webhook_event){.id = rows_int(rows, 0),
		.event = rows_dup(rows, 2),
		.at = rows_int(rows, 3),
		.attempts = rows_int(rows, 4),
		.subject = rows_dup(rows, 5),
		.format = rows_dup(rows, 6),
		.size_bytes = rows_int(rows, 8),
		.who = rows_dup(rows, 9),
		.code = rows_dup(rows, 10),
		.detail = rows_dup(rows, 11),
		.others = rows_int(rows, 12)};
	(void)snprintf(out->message, sizeof out->message, "%s", message ? message : "");
	if (!rows_is_null(rows, 7))
		out->digest = rows_digest(rows, 7);
	else
		out->size_bytes = -1;
}

static bool find_webhook(struct txn *txn, const char *name, struct webhook_batch *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_WEBHOOK], VALUES(v_text(name)));

	if (rows_next(rows)) {
		out->webhook_id = rows_int(rows, 0);
		out->gone = rows_int(rows, 1);
	}
	return rows_done(rows, err);
}

static bool take_lane(struct txn *txn, int64_t lane, int64_t now_s, size_t limit, struct webhook_batch *out,
	struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[TAKE_DUE],
		VALUES(v_int(out->webhook_id), v_int(lane), v_int(now_s),
			v_int((int64_t)(limit - out->count))));

	while (out->count < limit && rows_next(rows))
		read_event(rows, &out->items[out->count++]);
	return rows_done(rows, err);
}

bool catalog_take_due_events(struct catalog *catalog, const char *webhook, int64_t now_s, size_t limit,
	struct webhook_batch *out, struct err *err)
{
	AUTO(webhook_batch_finish) struct webhook_batch batch = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !find_webhook(txn, webhook, &batch, err))
		return false;
	batch.items = mem_zero(limit, sizeof *batch.items);
	for (int64_t lane = 0; lane < LANES && !batch.gone; lane++) {
		if (!take_lane(txn, lane, now_s, limit, &batch, err))
			return false;
	}
	*out = batch;
	batch = (struct webhook_batch){0};
	return true;
}

void webhook_batch_finish(struct webhook_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		free(batch->items[i].event);
		free(batch->items[i].subject);
		free(batch->items[i].format);
		free(batch->items[i].who);
		free(batch->items[i].code);
		free(batch->items[i].detail);
	}
	free(batch->items);
	*batch = (struct webhook_batch){0};
}

static bool count_failed(struct txn *txn, int64_t webhook_id, const struct webhook_attempt *attempt,
	int64_t now_s, struct err *err)
{
	return txn_run(txn, sql[COUNT_FAILED],
		VALUES(v_int(webhook_id), v_int(now_s), v_int(attempt->status), v_text(attempt->reason),
			v_int(attempt->outcome == WEBHOOK_GIVEN_UP)),
		err);
}

static bool note(struct txn *txn, int64_t webhook_id, const struct webhook_attempt *attempt, int64_t now_s,
	struct err *err)
{
	struct value id = v_int(attempt->id);
	struct value webhook = v_int(webhook_id);

	switch (attempt->outcome) {
	case WEBHOOK_DELIVERED:
		return txn_run(txn, sql[TAKE_AWAY], VALUES(id, webhook), err) &&
		       txn_run(txn, sql[COUNT_DELIVERED],
			       VALUES(webhook, v_int(now_s), v_int(attempt->status)), err);
	case WEBHOOK_LATER:
		return txn_run(txn, sql[PUT_OFF], VALUES(id, webhook, v_int(attempt->due_at)), err) &&
		       count_failed(txn, webhook_id, attempt, now_s, err);
	case WEBHOOK_GIVEN_UP:
		return txn_run(txn, sql[TAKE_AWAY], VALUES(id, webhook), err) &&
		       count_failed(txn, webhook_id, attempt, now_s, err);
	default:
		return count_failed(txn, webhook_id, attempt, now_s, err) &&
		       txn_run(txn, sql[RETIRE], VALUES(webhook), err) &&
		       txn_run(txn, sql[EMPTY], VALUES(webhook), err);
	}
}

bool catalog_note_attempts(struct catalog *catalog, int64_t webhook_id,
	const struct webhook_attempt *attempts, size_t count, int64_t now_s, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!note(txn, webhook_id, &attempts[i], now_s, err))
			return false;
	}
	return txn_commit(txn, err);
}

/* ---- fills that failed ---- */

bool catalog_add_failed_fills(
	struct catalog *catalog, const struct failed_fill *fills, size_t count, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write(catalog->db, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct failed_fill *fill = &fills[i];

		if (!txn_run(txn, sql[ADD_FAILED_FILL],
			    VALUES(v_int(fill->at), v_text(name_path(&fill->name).text),
				    v_text(formats[fill->name.format].name), v_text(fill->code),
				    v_text(fill->why), v_int(fill->others)),
			    err))
			return false;
	}
	return txn_commit(txn, err);
}

/* ---- looking ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void read_state(struct rows *rows, struct webhook_state *out)
{
	*out = (struct webhook_state){.name = rows_dup(rows, 0),
		.gone = rows_int(rows, 1),
		.pending = rows_int(rows, 2),
		.dropped = rows_int(rows, 3),
		.delivered = rows_int(rows, 4),
		.failed = rows_int(rows, 5),
		.given_up = rows_int(rows, 6),
		.delivered_at = rows_int(rows, 7),
		.failed_at = rows_int(rows, 8),
		.due_at = sooner(rows_int(rows, 9), rows_int(rows, 10)),
		.status = (int)rows_int(rows, 11),
		.reason = rows_dup(rows, 12)};
}

bool catalog_list_webhooks(struct catalog *catalog, struct webhook_states *out, struct err *err)
{
	AUTO(webhook_states_finish) struct webhook_states states = {0};
	AUTO_TXN struct txn *txn = NULL;
	size_t capacity = 0;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_WEBHOOKS], NULL, 0);
	while (rows_next(rows)) {
		MEM_GROW(states.items, states.count, capacity);
		read_state(rows, &states.items[states.count++]);
	}
	if (!rows_done(rows, err))
		return false;
	*out = states;
	states = (struct webhook_states){0};
	return true;
}

void webhook_states_finish(struct webhook_states *states)
{
	for (size_t i = 0; i < states->count; i++) {
		free(states->items[i].name);
		free(states->items[i].reason);
	}
	free(states->items);
	*states = (struct webhook_states){0};
}
