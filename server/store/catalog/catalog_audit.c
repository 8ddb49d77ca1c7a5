/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/store/catalog/catalog_rows.h"

enum { VERIFIED_AT_ONCE = 2000 };

enum statement {
	FIND_LAST,
	ADD_ROW,
	SET_HEAD,
	FIND_HEAD,
	LIST_OLDEST,
	LIST_NEWEST,
	LIST_OLDEST_OF,
	LIST_NEWEST_OF,
	COUNT_ALL,
	COUNT_OF,
	FIND_CONFIGURATION,
	DIGESTS_OF_VERSION,
	FIND_PUBLISHED
};

#define COLUMNS \
	"SELECT id, at, who, from_where, action, subject, detail, digest_before, digest_after, hash FROM " \
	"audit"
/* "0" is what follows "/". */
#define OF_SUBJECT " (subject = ?4 OR (subject >= ?4 || '/' AND subject < ?4 || '0'))"

static const char *const sql[] = {
	[FIND_LAST] = "SELECT coalesce((SELECT max(id) FROM audit), 0), h.audit_id, h.hash"
		      " FROM (SELECT 1) LEFT JOIN audit_head h ON h.id = 1",
	[ADD_ROW] = "INSERT INTO audit"
		    " (id, at, who, from_where, action, subject, detail, digest_before, digest_after, hash)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[SET_HEAD] = "INSERT INTO audit_head (id, audit_id, hash) VALUES (1, ?1, ?2)"
		     " ON CONFLICT (id) DO UPDATE SET audit_id = excluded.audit_id, hash = excluded.hash",
	[FIND_HEAD] =
		"SELECT h.audit_id, coalesce(a.at, 0), h.hash FROM audit_head h LEFT JOIN audit a ON a.id = "
		"h.audit_id"
		" WHERE h.id = 1",
	[LIST_OLDEST] = COLUMNS " WHERE id > ?1 AND at >= ?2 ORDER BY id LIMIT ?3",
	[LIST_NEWEST] = COLUMNS " WHERE id > 0 AND id < ?1 AND at >= ?2 ORDER BY id DESC LIMIT ?3",
	[LIST_OLDEST_OF] = COLUMNS " WHERE id > ?1 AND at >= ?2 AND" OF_SUBJECT " ORDER BY id LIMIT ?3",
	[LIST_NEWEST_OF] =
		COLUMNS " WHERE id > 0 AND id < ?1 AND at >= ?2 AND" OF_SUBJECT " ORDER BY id DESC LIMIT ?3",
	[COUNT_ALL] = "SELECT count(*) FROM audit WHERE id > 0 AND at >= ?2",
	[COUNT_OF] = "SELECT count(*) FROM audit WHERE id > 0 AND at >= ?2 AND" OF_SUBJECT,
	[FIND_CONFIGURATION] = "SELECT digest_after, detail FROM audit WHERE subject = ?1"
			       " AND action = 'configure' ORDER BY id DESC LIMIT 1",
	[DIGESTS_OF_VERSION] = "SELECT a.format, b.digest FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
			       " WHERE a.version_id = ?1 ORDER BY a.format",
	[FIND_PUBLISHED] =
		"SELECT m.handle, v.version, a.format, b.digest,"
		" (SELECT count(*) FROM artifacts WHERE blob_id = ?1 AND source = 'published')"
		" FROM artifacts a JOIN versions v ON v.id = a.version_id JOIN modules m ON m.id = "
		"v.module_id"
		" JOIN blobs b ON b.id = a.blob_id WHERE a.blob_id = ?1 AND a.source = 'published' LIMIT 1",
};

struct audit_place audit_command_line(void)
{
	struct audit_place place;

	(void)snprintf(place.text, sizeof place.text, "command line, uid %ju", (uintmax_t)getuid());
	return place;
}

/* ---- writing ---- */

/* A text that strangers may have chosen, as it can be told and hashed again by others: UTF-8 of so many bytes
 * at most. NULL where there is none; free() it. */
static char *plain(const char *text, size_t max)
{
	AUTO_BUFFER struct buffer out = {0};

	if (!text || !*text)
		return NULL;
	while (*text && out.length < max) {
		uint32_t code;
		size_t length = utf8_decode(text, &code);

		if (length == 0)
			buffer_printf(&out, "\\x%02X", (unsigned char)*text);
		else
			buffer_add(&out, text, length);
		text += length ? length : 1;
	}
	if (*text)
		buffer_add_string(&out, "…");
	return buffer_take(&out);
}

struct last {
	int64_t id; /* of any row */
	bool begun;
	int64_t chained_id;
	struct digest hash;
};

static bool find_last(struct txn *txn, struct last *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_LAST], NULL, 0);

	*out = (struct last){0};
	if (rows_next(rows)) {
		out->id = rows_int(rows, 0);
		out->begun = !rows_is_null(rows, 1);
		if (out->begun) {
			out->chained_id = rows_int(rows, 1);
			out->hash = rows_digest(rows, 2);
		}
	}
	return rows_done(rows, err);
}

/* Behind all that are there, and, so that nobody's removing the last ones is covered up, behind the head. */
static bool add_row(struct txn *txn, struct last *last, struct audit_row *row, struct err *err)
{
	row->id = 1 + (last->begun && last->chained_id > last->id ? last->chained_id : last->id);
	row->hash = audit_chain_hash(last->begun ? &last->hash : NULL, row);
	if (!txn_run(txn, sql[ADD_ROW],
		    VALUES(v_int(row->id), v_int(row->at), v_text(row->who), v_text(row->from),
			    v_text(row->action), v_text(row->subject), v_text(row->detail),
			    v_text(row->before), v_text(row->after), v_digest(&row->hash)),
		    err) ||
		!txn_run(txn, sql[SET_HEAD], VALUES(v_int(row->id), v_digest(&row->hash)), err))
		return false;
	*last = (struct last){row->id, true, row->id, row->hash};
	return true;
}

static bool begin_chain(struct txn *txn, struct last *last, int64_t now_s, struct err *err)
{
	char detail[128] = "the chain begins";

	if (last->id > 0)
		(void)snprintf(detail, sizeof detail,
			"the chain begins: rows up to %" PRId64 " are of an earlier Larder and not in it",
			last->id);
	return add_row(txn, last,
		&(struct audit_row){.at = now_s, .action = "begin", .subject = "audit", .detail = detail},
		err);
}

bool audit_record(struct txn *txn, const struct audit_row *row, struct err *err)
{
	AUTO_FREE char *who = plain(row->who, AUDIT_SUBJECT_MAX);
	AUTO_FREE char *from = plain(row->from, AUDIT_SUBJECT_MAX);
	AUTO_FREE char *subject = plain(*row->subject ? row->subject : "-", AUDIT_SUBJECT_MAX);
	AUTO_FREE char *detail = plain(row->detail, AUDIT_DETAIL_MAX);
	struct audit_row clean = *row;
	struct last last;

	clean.before = row->before && *row->before ? row->before : NULL;
	clean.after = row->after && *row->after ? row->after : NULL;
	clean.who = who;
	clean.from = from;
	clean.subject = subject;
	clean.detail = detail;
	return find_last(txn, &last, err) && (last.begun || begin_chain(txn, &last, row->at, err)) &&
	       add_row(txn, &last, &clean, err);
}

bool audit_digests(struct txn *txn, int64_t version_id, struct audit_digests *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[DIGESTS_OF_VERSION], VALUES(v_int(version_id)));
	size_t length = 0;

	*out = (struct audit_digests){0};
	while (rows_next(rows) && length < sizeof out->text)
		length += (size_t)snprintf(out->text + length, sizeof out->text - length, "%s%s sha256:%s",
			length > 0 ? ", " : "", rows_text(rows, 0), rows_digest(rows, 1).hex);
	return rows_done(rows, err);
}

struct audit_digests audit_digest(enum format format, const struct digest *digest)
{
	struct audit_digests out;

	(void)snprintf(out.text, sizeof out.text, "%s sha256:%s", formats[format].name, digest->hex);
	return out;
}

/* The first name that has these bytes, and how many there are. */
struct loss {
	int64_t names;
	char subject[NAME_PATH_MAX + 1];
	struct audit_digests before;
};

static bool find_loss(struct txn *txn, int64_t blob_id, struct loss *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_PUBLISHED], VALUES(v_int(blob_id)));

	*out = (struct loss){0};
	if (rows_next(rows)) {
		struct digest digest = rows_digest(rows, 3);

		out->names = rows_int(rows, 4);
		(void)snprintf(out->subject, sizeof out->subject, "%s/%" PRId64, rows_text(rows, 0),
			rows_int(rows, 1));
		(void)snprintf(out->before.text, sizeof out->before.text, "%s sha256:%s", rows_text(rows, 2),
			digest.hex);
	}
	return rows_done(rows, err);
}

/* What has become of published bytes on this disk; one row for all names that have them. */
static bool audit_bytes(struct txn *txn, int64_t blob_id, const char *action, bool are_here, struct err *err)
{
	char others[64] = "";
	struct loss loss;

	if (!find_loss(txn, blob_id, &loss, err))
		return false;
	if (loss.names == 0)
		return true;
	if (loss.names > 1)
		(void)snprintf(
			others, sizeof others, "and %" PRId64 " more that have these bytes", loss.names - 1);
	return audit_record(txn,
		&(struct audit_row){.at = clock_now_s(),
			.action = action,
			.subject = loss.subject,
			.detail = others,
			.before = are_here ? NULL : loss.before.text,
			.after = are_here ? loss.before.text : NULL},
		err);
}

bool audit_loss(struct txn *txn, int64_t blob_id, const char *action, struct err *err)
{
	return audit_bytes(txn, blob_id, action, false, err);
}

bool audit_return(struct txn *txn, int64_t blob_id, struct err *err)
{
	return audit_bytes(txn, blob_id, "restore", true, err);
}

/* ---- reading ---- */

bool catalog_audit_head(struct catalog *catalog, struct audit_head *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	*out = (struct audit_head){0};
	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_HEAD], NULL, 0);
	if (rows_next(rows))
		*out = (struct audit_head){true, rows_int(rows, 0), rows_int(rows, 1), rows_digest(rows, 2)};
	return rows_done(rows, err);
}

/* Text that others have put in place of a hash is none. */
static void read_row(struct rows *rows, struct audit_row *out)
{
	*out = (struct audit_row){.id = rows_int(rows, 0),
		.at = rows_int(rows, 1),
		.who = rows_text(rows, 2),
		.from = rows_text(rows, 3),
		.action = rows_text(rows, 4),
		.subject = rows_text(rows, 5),
		.detail = rows_text(rows, 6),
		.before = rows_text(rows, 7),
		.after = rows_text(rows, 8),
		.is_chained = !rows_is_null(rows, 9)};
	if (out->is_chained)
		out->hash = rows_digest(rows, 9);
}

bool catalog_each_audit(struct catalog *catalog, const struct audit_query *query,
	bool (*take)(void *context, const struct audit_row *row), void *context, struct err *err)
{
	static const enum statement statements[2][2] = {
		{LIST_OLDEST, LIST_NEWEST}, {LIST_OLDEST_OF, LIST_NEWEST_OF}};
	bool newest = query->newest_first;
	AUTO_TXN struct txn *txn = NULL;
	struct audit_row row;
	bool more = true;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[statements[query->subject != NULL][newest]],
		(const struct value[]){v_int(newest && query->behind_id == 0 ? INT64_MAX : query->behind_id),
			v_int(query->since_s), v_int((int64_t)query->limit), v_text(query->subject)},
		query->subject ? 4 : 3);
	while (more && rows_next(rows)) {
		read_row(rows, &row);
		more = take(context, &row);
	}
	return rows_done(rows, err);
}

bool catalog_count_audit(
	struct catalog *catalog, const struct audit_query *query, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[query->subject ? COUNT_OF : COUNT_ALL],
		(const struct value[]){v_int(0), v_int(query->since_s), v_int(0), v_text(query->subject)},
		query->subject ? 4 : 2);
	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

/* ---- verifying ---- */

struct verifying {
	struct audit_check *check;
	const struct audit_head *head;
	bool head_found;
	size_t seen;
	int64_t last_id;
	bool sound;
	struct err *err;
};

static bool verify_row(void *context, const struct audit_row *row)
{
	struct verifying *verifying = context;
	const struct audit_head *head = verifying->head;

	verifying->seen++;
	verifying->last_id = row->id;
	verifying->sound = audit_check_row(verifying->check, row, verifying->err);
	if (row->id == head->id && row->is_chained && digest_equal(&row->hash, &head->hash))
		verifying->head_found = true;
	return verifying->sound;
}

bool catalog_verify_audit(struct catalog *catalog, struct audit_check *check, struct err *err)
{
	struct audit_head head;
	struct verifying verifying = {
		check, &head, .seen = 1, .last_id = INT64_MIN, .sound = true, .err = err};
	struct audit_query query = {.limit = VERIFIED_AT_ONCE};

	/* Rows that come meanwhile are behind it. */
	if (!catalog_audit_head(catalog, &head, err))
		return false;
	while (verifying.seen > 0) {
		query.behind_id = verifying.last_id;
		verifying.seen = 0;
		if (!catalog_each_audit(catalog, &query, verify_row, &verifying, err) || !verifying.sound)
			return false;
	}
	return audit_check_end(check, head.exists ? verifying.head_found : !check->begun, err);
}

/* ---- the configuration ---- */

static const char read_again[] = "read again";

/* What was written down last. */
struct configured {
	bool exists;
	bool is_reload; /* the process that read it had been started with another */
	char *digest;
};

static void finish_configured(struct configured *configured)
{
	free(configured->digest);
}

static bool find_configuration(struct txn *txn, struct configured *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_CONFIGURATION], VALUES(v_text(AUDIT_CONFIGURATION)));

	out->exists = rows_next(rows);
	if (out->exists) {
		const char *detail = rows_text(rows, 1);

		out->digest = rows_dup(rows, 0);
		out->is_reload = detail && strncmp(detail, read_again, strlen(read_again)) == 0;
	}
	return rows_done(rows, err);
}

/* Most starts change nothing, and have nobody to wait for. One after a reload does: what a reload leaves as
 * it was counts from then on. */
static bool is_other_configuration(
	struct catalog *catalog, const char *digest, bool starts, bool *out, struct err *err)
{
	AUTO(finish_configured) struct configured before = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !find_configuration(txn, &before, err))
		return false;
	*out = !before.exists || strcmp(before.digest ? before.digest : "", digest) != 0 ||
	       (starts && before.is_reload);
	return true;
}

bool catalog_audit_configuration(struct catalog *catalog, const char *file, const char *digest, bool starts,
	bool *changed, struct err *err)
{
	AUTO_FREE char *detail =
		mem_printf("%s: %s", starts ? "started with" : read_again, file ? file : "the defaults");
	AUTO(finish_configured) struct configured before = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!is_other_configuration(catalog, digest, starts, changed, err))
		return false;
	if (!*changed)
		return true;
	if (!db_write(catalog->db, &txn, err) || !find_configuration(txn, &before, err))
		return false;
	return (audit_record(txn,
			&(struct audit_row){.at = clock_now_s(),
				.action = "configure",
				.subject = AUDIT_CONFIGURATION,
				.detail = detail,
				.before = before.digest,
				.after = digest},
			err) &&
		txn_commit(txn, err));
}
