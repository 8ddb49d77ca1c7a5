/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_rows.h"

#include "common/mem.h"

enum statement {
	FIND_VERSION,
	LIST_ARTIFACTS,
	COUNT_VERSIONS,
	LIST_OLDEST,
	LIST_NEWEST,
	HAS_DOCUMENTATION,
	SET_DOCUMENTATION,
	DESCRIBE_VERSION,
	DROP_TAGS,
	ADD_TAG,
	FIND_DOCUMENTATION
};

#define VERSION_ROWS \
	"SELECT v.version, v.source, v.state, v.created_at" \
	" FROM modules m JOIN versions v ON v.module_id = m.id WHERE m.handle = ?1"

static const char *const sql[] = {
	[FIND_VERSION] =
		"SELECT v.id, v.source, v.state, v.published_by, v.upstream, v.description, v.created_at"
		" FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2 WHERE m.handle = "
		"?1",
	[LIST_ARTIFACTS] = "SELECT a.format, i.id, a.published_by, a.upstream, " ARTIFACT_COLUMNS
			   " FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
			   " LEFT JOIN inspections i ON i.blob_id = b.id AND i.format = a.format"
			   " WHERE a.version_id = ?1",
	[COUNT_VERSIONS] = "SELECT version_count FROM modules WHERE handle = ?1",
	[LIST_OLDEST] = VERSION_ROWS " AND v.version > ?2 ORDER BY v.version LIMIT ?3",
	[LIST_NEWEST] = VERSION_ROWS " AND v.version <= ?2 ORDER BY v.version DESC LIMIT ?3",
	[HAS_DOCUMENTATION] = "SELECT 1 FROM documentation WHERE version_id = ?1",
	[SET_DOCUMENTATION] =
		"INSERT INTO documentation (version_id, markdown, body_at, updated_by, updated_at)"
		" VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (version_id) DO UPDATE SET markdown = "
		"excluded.markdown,"
		" body_at = excluded.body_at, updated_by = excluded.updated_by, updated_at = "
		"excluded.updated_at",
	[DESCRIBE_VERSION] = "UPDATE versions SET description = ?2, updated_at = ?3 WHERE id = ?1",
	[DROP_TAGS] = "DELETE FROM tags WHERE version_id = ?1",
	[ADD_TAG] = "INSERT OR IGNORE INTO tags (version_id, kind, value) VALUES (?1, ?2, ?3)",
	[FIND_DOCUMENTATION] =
		"SELECT d.markdown FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2"
		" JOIN documentation d ON d.version_id = v.id WHERE m.handle = ?1",
};

/* ---- one version ---- */

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

	details->artifact =
		(struct artifact){.name = out->name, .version_source = out->source, .state = out->state};
	details->artifact.name.format = format;
	details->published_by = rows_dup(rows, 2);
	details->upstream = rows_dup(rows, 3);
	artifact_fill(rows, 4, &details->artifact);
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
	for (size_t i = 0; i < details->artifact_count; i++) {
		free(details->artifacts[i].published_by);
		free(details->artifacts[i].upstream);
		findings_destroy(details->artifacts[i].warnings, details->artifacts[i].warning_count);
	}
	saved_model_destroy(details->saved_model);
	*details = (struct version_details){0};
}

/* ---- all versions of a module ---- */

static bool count_versions(struct txn *txn, const char *handle, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[COUNT_VERSIONS], VALUES(v_text(handle)));

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

static bool load_page(struct txn *txn, const char *handle, const struct version_query *query,
	struct version_list *out, struct err *err)
{
	int64_t highest = query->after > 0 ? query->after - 1 : INT64_MAX;
	/* One more than asked for tells whether there is another page. */
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[query->newest ? LIST_NEWEST : LIST_OLDEST],
		VALUES(v_text(handle), v_int(query->newest ? highest : query->after),
			v_int((int64_t)query->limit + 1)));
	size_t capacity = 0;

	while (rows_next(rows)) {
		out->more = out->count == query->limit;
		if (out->more)
			break;
		MEM_GROW(out->items, out->count, capacity);
		out->items[out->count++] = (struct version_row){
			rows_int(rows, 0), rows_source(rows, 1), rows_state(rows, 2), rows_int(rows, 3)};
	}
	return rows_done(rows, err);
}

bool catalog_list_versions(struct catalog *catalog, const char *handle, const struct version_query *query,
	struct version_list *out, struct err *err)
{
	AUTO(version_list_finish) struct version_list list = {0};
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err) || !count_versions(txn, handle, &list.total, err) ||
		!load_page(txn, handle, query, &list, err))
		return false;
	*out = list;
	list = (struct version_list){0};
	return true;
}

void version_list_finish(struct version_list *list)
{
	free(list->items);
	*list = (struct version_list){0};
}

/* ---- documentation ---- */

static bool has_documentation(struct txn *txn, int64_t version_id, bool *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[HAS_DOCUMENTATION], VALUES(v_int(version_id)));

	*out = rows_next(rows);
	return rows_done(rows, err);
}

static bool write_tags(struct txn *txn, int64_t version_id, const struct hubdoc *head, struct err *err)
{
	if (!txn_run(txn, sql[DROP_TAGS], VALUES(v_int(version_id)), err))
		return false;
	for (size_t i = 0; head && i < head->tag_count; i++) {
		if (!txn_run(txn, sql[ADD_TAG],
			    VALUES(v_int(version_id), v_text(head->tags[i].kind),
				    v_text(head->tags[i].value)),
			    err))
			return false;
	}
	return true;
}

/* SQL counts characters. */
static int64_t count_characters(const char *text, size_t length)
{
	int64_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)text[i] & 0xC0) != 0x80;
	return count;
}

bool documentation_write(
	struct txn *txn, int64_t version_id, const struct documentation *documentation, struct err *err)
{
	const struct hubdoc *head = documentation->head;
	int64_t body_at = head ? count_characters(documentation->markdown, head->body_at) : 0;

	return txn_run(txn, sql[SET_DOCUMENTATION],
		       VALUES(v_int(version_id), v_text(documentation->markdown), v_int(body_at),
			       v_text(documentation->who), v_int(documentation->now_s)),
		       err) &&
	       txn_run(txn, sql[DESCRIBE_VERSION],
		       VALUES(v_int(version_id), v_text(head ? head->description : ""),
			       v_int(documentation->now_s)),
		       err) &&
	       write_tags(txn, version_id, head, err);
}

bool catalog_set_documentation(struct catalog *catalog, const struct name *name,
	const struct documentation *documentation, bool *created, struct err *err)
{
	struct name_path path = name_path(name);
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;
	bool had_one;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s to document", path.text);
	if (ids.state == STATE_WITHDRAWN)
		return version_check_state(name, ids.state, err);
	if (!has_documentation(txn, ids.version_id, &had_one, err) ||
		!documentation_write(txn, ids.version_id, documentation, err) ||
		!module_refresh(txn, ids.module_id, err) ||
		!audit_record(
			txn, documentation->now_s, documentation->who, "document", path.text, NULL, err) ||
		!txn_commit(txn, err))
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
