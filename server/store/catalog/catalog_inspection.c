/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_inspection.h"

#include "common/mem.h"
#include "server/module/examination.h"
#include "server/module/findings.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	ADD_INSPECTION,
	ADD_MEMBER,
	ADD_DIGEST,
	ADD_UNDIGESTED,
	ADD_FINDING,
	LIST_WARNINGS,
	FIND_INSPECTION,
	LIST_FILES,
	COUNT_FILES,
	HAS_FILE,
	COMPARE_FILES,
	LACKS_FILES
};

/* Of members m, as d. */
#define DIGESTS " LEFT JOIN member_digests d ON d.inspection_id = m.inspection_id AND d.position = m.position"

static const char *const sql[] = {
	[ADD_INSPECTION] = "INSERT INTO inspections (blob_id, format, listed, safety_version)"
			   " VALUES (?1, ?2, ?3, ?4)"
			   " ON CONFLICT DO NOTHING",
	[ADD_MEMBER] = "INSERT INTO members (inspection_id, position, path, is_folder, size_bytes)"
		       " VALUES (?1, ?2, ?3, ?4, ?5)",
	[ADD_DIGEST] = "INSERT INTO member_digests (inspection_id, position, sha256) VALUES (?1, ?2, ?3)",
	[ADD_UNDIGESTED] = "INSERT INTO undigested (inspection_id) VALUES (?1)",
	[ADD_FINDING] = "INSERT INTO findings (inspection_id, position, severity, rule, path, message)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[LIST_WARNINGS] = "SELECT rule, path, message FROM findings"
			  " WHERE inspection_id = ?1 AND severity = 'warning' ORDER BY position",
	[FIND_INSPECTION] =
		"SELECT i.id FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
		" JOIN artifacts a ON a.version_id = v.id AND a.format = ?3"
		" JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format WHERE m.handle = ?1",
	[LIST_FILES] = "SELECT m.path, m.size_bytes, d.sha256 FROM members m" DIGESTS
		       " WHERE m.inspection_id = ?1 AND m.is_folder = 0"
		       " ORDER BY m.position LIMIT ?2 OFFSET ?3",
	[COUNT_FILES] = "SELECT count(*) FROM members WHERE inspection_id = ?1 AND is_folder = 0",
	[HAS_FILE] = "SELECT count(*) FROM members WHERE inspection_id = ?1 AND path = ?2 AND is_folder = 0",
	[COMPARE_FILES] =
		"SELECT m.path, max(iif(m.inspection_id = ?1, m.size_bytes, -1)) AS from_bytes,"
		" max(iif(m.inspection_id = ?2, m.size_bytes, -1)) AS to_bytes,"
		" max(iif(m.inspection_id = ?1, d.sha256, NULL)) AS from_sha256,"
		" max(iif(m.inspection_id = ?2, d.sha256, NULL)) AS to_sha256 FROM members m" DIGESTS
		" WHERE m.inspection_id IN (?1, ?2) AND m.is_folder = 0"
		" GROUP BY m.path HAVING from_bytes <> to_bytes OR from_sha256 <> to_sha256"
		" ORDER BY m.path LIMIT ?3",
	[LACKS_FILES] =
		"SELECT count(*) FROM inspections i JOIN blobs b ON b.id = i.blob_id WHERE i.id IN (?1, ?2)"
		" AND (SELECT count(*) FROM members WHERE inspection_id = i.id AND is_folder = 0)"
		" BETWEEN 1 AND b.file_count - 1",
};

static const char *const severity_names[] = {
	[SEVERITY_WARNING] = "warning", [SEVERITY_VIOLATION] = "violation"};

/* ---- writing ---- */

static bool record_member(
	struct txn *txn, int64_t id, int64_t position, const struct examined_member *member, struct err *err)
{
	return txn_run(txn, sql[ADD_MEMBER],
		       VALUES(v_int(id), v_int(position), v_text(member->path), v_int(member->is_folder),
			       v_int(member->size_bytes)),
		       err) &&
	       (!member->has_sha256 || txn_run(txn, sql[ADD_DIGEST],
					       VALUES(v_int(id), v_int(position),
						       v_bytes(member->sha256, sizeof member->sha256)),
					       err));
}

static bool record_members(
	struct txn *txn, int64_t id, const struct examination *examination, struct err *err)
{
	for (size_t i = 0; i < examination->member_count; i++) {
		if (!record_member(txn, id, (int64_t)i, &examination->members[i], err))
			return false;
	}
	return true;
}

static bool record_findings(
	struct txn *txn, int64_t id, const struct examination *examination, struct err *err)
{
	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		if (!txn_run(txn, sql[ADD_FINDING],
			    VALUES(v_int(id), v_int((int64_t)i), v_text(severity_names[finding->severity]),
				    v_text(finding->rule), v_text(finding->path), v_text(finding->message)),
			    err))
			return false;
	}
	return true;
}

static bool is_digested(const struct examination *examination)
{
	bool is = true;

	for (size_t i = 0; i < examination->member_count && is; i++)
		is = examination->members[i].is_folder || examination->members[i].has_sha256;
	return is;
}

bool inspection_record(struct txn *txn, int64_t blob_id, const struct name *name,
	const struct examination *examination, struct err *err)
{
	enum format format = name->format;
	int64_t id;

	if (!txn_run(txn, sql[ADD_INSPECTION],
		    VALUES(v_int(blob_id), v_text(formats[format].name), v_int(examination->is_listed),
			    v_int(safety_version)),
		    err))
		return false;
	if (txn_changes(txn) == 0)
		return safety_renew(txn, blob_id, name, &examination->safety, err) &&
		       (!examination->is_listed ||
			       inspection_list_late(txn, blob_id, format, examination->saved_model, err));
	id = txn_last_id(txn);
	if (!record_members(txn, id, examination, err) || !record_findings(txn, id, examination, err) ||
		(!is_digested(examination) && !txn_run(txn, sql[ADD_UNDIGESTED], VALUES(v_int(id)), err)) ||
		!safety_record(txn, id, &examination->safety, err))
		return false;
	return !examination->saved_model || saved_model_record(txn, id, examination->saved_model, err);
}

/* ---- findings ---- */

struct finding_list {
	struct finding *items;
	size_t count;
	size_t capacity;
};

static void finding_list_finish(struct finding_list *list)
{
	findings_destroy(list->items, list->count);
}

bool findings_load(
	struct txn *txn, int64_t inspection_id, struct finding **out, size_t *count, struct err *err)
{
	AUTO(finding_list_finish) struct finding_list list = {0};
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_WARNINGS], VALUES(v_int(inspection_id)));

	while (rows_next(rows)) {
		MEM_GROW(list.items, list.count, list.capacity);
		list.items[list.count++] = (struct finding){.severity = SEVERITY_WARNING,
			.rule = rows_dup(rows, 0),
			.path = rows_dup(rows, 1),
			.message = rows_dup(rows, 2)};
	}
	if (!rows_done(rows, err))
		return false;
	*count = list.count;
	list.count = 0;
	*out = TAKE(list.items);
	return true;
}

void findings_destroy(struct finding *findings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* An examination's rule is a constant; here it was read from a row. */
		free((char *)findings[i].rule);
		free(findings[i].path);
		free(findings[i].message);
	}
	free(findings);
}

/* ---- files ---- */

struct file_list {
	struct file_row *items;
	size_t count;
	size_t capacity;
};

static void file_list_finish(struct file_list *list)
{
	file_rows_destroy(list->items, list->count);
}

/* Runs a statement that answers one number. */
static bool ask_number(struct txn *txn, const char *text, const struct value *values, size_t count,
	int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, values, count);
	int64_t number = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	*out = number;
	return true;
}

/* *out is 0 where there is none. */
static bool find_inspection(struct txn *txn, const struct name *name, int64_t *out, struct err *err)
{
	return ask_number(txn, sql[FIND_INSPECTION],
		VALUES(v_text(name->handle), v_int(name->version), v_text(formats[name->format].name)), out,
		err);
}

static struct file_row file_row_of(struct rows *rows)
{
	struct file_row row = {.path = rows_dup(rows, 0),
		.size_bytes = rows_int(rows, 1),
		.has_sha256 = !rows_is_null(rows, 2)};

	if (row.has_sha256)
		row.sha256 = rows_digest(rows, 2);
	return row;
}

bool catalog_list_files(struct catalog *catalog, const struct name *name, int64_t offset, size_t limit,
	struct file_row **out, size_t *count, int64_t *total, struct err *err)
{
	AUTO(file_list_finish) struct file_list list = {0};
	AUTO_TXN struct txn *txn = NULL;
	int64_t id, all;

	if (!db_read(catalog->db, &txn, err) || !find_inspection(txn, name, &id, err) ||
		!ask_number(txn, sql[COUNT_FILES], VALUES(v_int(id)), &all, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_FILES], VALUES(v_int(id), v_int((int64_t)limit), v_int(offset)));
	while (rows_next(rows)) {
		MEM_GROW(list.items, list.count, list.capacity);
		list.items[list.count++] = file_row_of(rows);
	}
	if (!rows_done(rows, err))
		return false;
	*total = all;
	*count = list.count;
	list.count = 0;
	*out = TAKE(list.items);
	return true;
}

bool catalog_may_have_file(struct catalog *catalog, const struct artifact *artifact, const char *path,
	bool *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;
	int64_t id, all, listed;

	if (!db_read(catalog->db, &txn, err) || !find_inspection(txn, &artifact->name, &id, err) ||
		!ask_number(txn, sql[COUNT_FILES], VALUES(v_int(id)), &all, err) ||
		!ask_number(txn, sql[HAS_FILE], VALUES(v_int(id), v_text(path)), &listed, err))
		return false;
	*out = id == 0 || listed > 0 || all < artifact->file_count;
	return true;
}

void file_rows_destroy(struct file_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(rows[i].path);
	free(rows);
}

/* ---- what differs ---- */

struct change_list {
	struct file_change *items;
	size_t count;
	size_t capacity;
};

static void change_list_finish(struct change_list *list)
{
	file_changes_destroy(list->items, list->count);
}

static struct file_change file_change_of(struct rows *rows)
{
	struct file_change change = {.path = rows_dup(rows, 0),
		.from_bytes = rows_int(rows, 1),
		.to_bytes = rows_int(rows, 2),
		.has_digests = !rows_is_null(rows, 3) && !rows_is_null(rows, 4)};

	if (change.has_digests) {
		change.from_sha256 = rows_digest(rows, 3);
		change.to_sha256 = rows_digest(rows, 4);
	}
	return change;
}

bool catalog_compare_files(struct catalog *catalog, const struct name *from, const struct name *to,
	size_t limit, struct file_change **out, size_t *count, bool *more, struct err *err)
{
	AUTO(change_list_finish) struct change_list list = {0};
	AUTO_TXN struct txn *txn = NULL;
	int64_t from_id, to_id;
	int64_t lacking;
	size_t seen = 0;

	if (!db_read(catalog->db, &txn, err) || !find_inspection(txn, from, &from_id, err) ||
		!find_inspection(txn, to, &to_id, err) ||
		!ask_number(txn, sql[LACKS_FILES], VALUES(v_int(from_id), v_int(to_id)), &lacking, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[COMPARE_FILES], VALUES(v_int(from_id), v_int(to_id), v_int((int64_t)limit + 1)));
	while (rows_next(rows)) {
		if (++seen > limit)
			continue;
		MEM_GROW(list.items, list.count, list.capacity);
		list.items[list.count++] = file_change_of(rows);
	}
	if (!rows_done(rows, err))
		return false;
	*more = seen > limit || lacking > 0;
	*count = list.count;
	list.count = 0;
	*out = TAKE(list.items);
	return true;
}

void file_changes_destroy(struct file_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(changes[i].path);
	free(changes);
}
