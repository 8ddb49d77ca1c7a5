/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog_rows.h"

#include "common/mem.h"

enum statement {
	FIND_VERSION,
	LIST_ARTIFACTS,
	LIST_VERSIONS,
	HAS_DOCUMENTATION,
	SET_DOCUMENTATION,
	TOUCH_VERSION,
	FIND_DOCUMENTATION
};

static const char *const sql[] = {
	[FIND_VERSION] =
		"SELECT v.id, v.source, v.state, v.published_by, v.upstream, v.description, v.created_at"
		" FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2 WHERE m.handle = "
		"?1",
	[LIST_ARTIFACTS] = "SELECT a.format, i.id, " ARTIFACT_COLUMNS
			   " FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
			   " LEFT JOIN inspections i ON i.blob_id = b.id AND i.format = a.format"
			   " WHERE a.version_id = ?1",
	[LIST_VERSIONS] = "SELECT v.version, v.source, v.state, v.created_at"
			  " FROM modules m JOIN versions v ON v.module_id = m.id WHERE m.handle = ?1 ORDER "
			  "BY v.version",
	[HAS_DOCUMENTATION] = "SELECT 1 FROM documentation WHERE version_id = ?1",
	[SET_DOCUMENTATION] = "INSERT INTO documentation (version_id, markdown, updated_by, updated_at)"
			      " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (version_id) DO UPDATE SET"
			      " markdown = excluded.markdown, updated_by = excluded.updated_by,"
			      " updated_at = excluded.updated_at",
	[TOUCH_VERSION] = "UPDATE versions SET updated_at = ?2 WHERE id = ?1",
	[FIND_DOCUMENTATION] =
		"SELECT d.markdown FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
		" JOIN documentation d ON d.version_id = v.id WHERE m.handle = ?1",
};

/* ---- one version ----------------------------------------------------------------------------- */

static bool load_version(struct txn *txn, const struct name *name, struct version_details *out,
	int64_t *out_id, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_VERSION], VALUES(v_text(name->handle), v_int(name->version)));

	*out_id = 0;
	if (rows_next(rows)) {
		*out_id = rows_int(rows, 0);
		out->source = rows_source(rows, 1);
		out->state = rows_state(rows, 2);
		out->published_by = rows_dup(rows, 3);
		out->upstream = rows_dup(rows, 4);
		out->description = rows_dup(rows, 5);
		out->created_at = rows_int(rows, 6);
	}
	return rows_done(rows, err);
}

/* Fills the row of one artifact, which is out's last so far. */
static bool load_artifact(
	struct txn *txn, struct rows *rows, enum format format, struct version_details *out, struct err *err)
{
	struct artifact_details *details = &out->artifacts[out->artifact_count++];
	int64_t inspection_id = rows_int(rows, 1);

	details->artifact = (struct artifact){.name = out->name, .source = out->source, .state = out->state};
	details->artifact.name.format = format;
	artifact_fill(rows, 2, &details->artifact);
	if (!findings_load(txn, inspection_id, &details->warnings, &details->warning_count, err))
		return false;
	return format != FORMAT_TF_HUB || saved_model_load(txn, inspection_id, &out->saved_model, err);
}

static bool load_artifacts(struct txn *txn, int64_t version_id, struct version_details *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_ARTIFACTS], VALUES(v_int(version_id)));

	while (out->artifact_count < FORMAT_COUNT && rows_next(rows)) {
		const char *word = rows_text(rows, 0);
		enum format format;

		if (word && format_parse(word, &format) && !load_artifact(txn, rows, format, out, err))
			return false;
	}
	return rows_done(rows, err);
}

static int compare_formats(const void *a, const void *b)
{
	const struct artifact_details *x = a;
	const struct artifact_details *y = b;

	return (int)x->artifact.name.format - (int)y->artifact.name.format;
}

bool catalog_find_version(struct catalog *catalog, const struct name *name, struct version_details *out,
	bool *found, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {.name = *name};
	AUTO_TXN struct txn *txn = NULL;
	int64_t id;

	if (!db_read(catalog->db, &txn, err) || !load_version(txn, name, &details, &id, err))
		return false;
	*found = id != 0;
	if (id == 0)
		return true;
	if (!load_artifacts(txn, id, &details, err) || !tags_load(txn, id, &details.tags, err))
		return false;
	qsort(details.artifacts, details.artifact_count, sizeof *details.artifacts, compare_formats);
	*out = details;
	details = (struct version_details){0};
	return true;
}

void version_details_finish(struct version_details *details)
{
	free(details->published_by);
	free(details->upstream);
	free(details->description);
	tags_finish(&details->tags);
	for (size_t i = 0; i < details->artifact_count; i++)
		findings_destroy(details->artifacts[i].warnings, details->artifacts[i].warning_count);
	saved_model_destroy(details->saved_model);
	*details = (struct version_details){0};
}

/* ---- all versions of a module ---------------------------------------------------------------- */

bool catalog_list_versions(
	struct catalog *catalog, const char *handle, struct version_row **out, size_t *count, struct err *err)
{
	AUTO_FREE struct version_row *versions = NULL;
	size_t found = 0, capacity = 0;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_VERSIONS], VALUES(v_text(handle)));
	while (rows_next(rows)) {
		MEM_GROW(versions, found, capacity);
		versions[found++] = (struct version_row){
			rows_int(rows, 0), rows_source(rows, 1), rows_state(rows, 2), rows_int(rows, 3)};
	}
	if (!rows_done(rows, err))
		return false;
	*out = TAKE(versions);
	*count = found;
	return true;
}

/* ---- documentation --------------------------------------------------------------------------- */

static bool has_documentation(struct txn *txn, int64_t version_id, bool *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[HAS_DOCUMENTATION], VALUES(v_int(version_id)));

	*out = rows_next(rows);
	return rows_done(rows, err);
}

bool catalog_set_documentation(struct catalog *catalog, const struct name *name, const char *markdown,
	const char *who, int64_t now_s, bool *created, struct err *err)
{
	struct name_path path = name_path(name);
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;
	bool had_one;

	if (!db_write(catalog->db, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s to document", path.text);
	if (ids.state == STATE_WITHDRAWN)
		return err_set(err, ERR_GONE, "%s was withdrawn", path.text);
	if (!has_documentation(txn, ids.version_id, &had_one, err) ||
		!txn_run(txn, sql[SET_DOCUMENTATION],
			VALUES(v_int(ids.version_id), v_text(markdown), v_text(who), v_int(now_s)), err) ||
		!txn_run(txn, sql[TOUCH_VERSION], VALUES(v_int(ids.version_id), v_int(now_s)), err) ||
		!module_refresh(txn, ids.module_id, err) ||
		!audit_record(txn, now_s, who, "document", path.text, NULL, err) || !txn_commit(txn, err))
		return false;
	*created = !had_one;
	return true;
}

bool catalog_find_documentation(struct catalog *catalog, const struct name *name, char **out, struct err *err)
{
	AUTO_FREE char *markdown = NULL;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[FIND_DOCUMENTATION], VALUES(v_text(name->handle), v_int(name->version)));
	if (rows_next(rows))
		markdown = rows_dup(rows, 0);
	if (!rows_done(rows, err))
		return false;
	*out = TAKE(markdown);
	return true;
}
