/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_versions.h"

#include "common/mem.h"
#include "server/module/savedmodel/savedmodel.h"
#include "server/store/catalog/catalog_rows.h"

enum statement { FIND_VERSION, LIST_ARTIFACTS, COUNT_VERSIONS, LIST_OLDEST, LIST_NEWEST };

#define VERSION_ROWS \
	"SELECT v.version, v.source, v.state, v.created_at" \
	" FROM modules m JOIN versions v ON v.module_id = m.id WHERE m.handle = ?1"

static const char *const sql[] = {
	[FIND_VERSION] =
		"SELECT v.id, v.source, v.state, v.published_by, v.upstream, v.description, v.created_at"
		" FROM modules m JOIN versions v ON v.module_id = m.id AND v.version = ?2 WHERE m.handle = "
		"?1",
	[LIST_ARTIFACTS] = "SELECT a.format, i.id, a.published_by, a.upstream, m.name, m.digest, m.signer,"
			   " m.at, " FORMAT_STATE ", " ARTIFACT_COLUMNS
			   " FROM artifacts a JOIN versions v ON v.id = a.version_id"
			   " JOIN blobs b ON b.id = a.blob_id"
			   " LEFT JOIN holds h ON h.version_id = v.id AND h.format = a.format"
			   " LEFT JOIN inspections i ON i.blob_id = b.id AND i.format = a.format"
			   " LEFT JOIN imports m ON m.id = a.import_id WHERE a.version_id = ?1",
	[COUNT_VERSIONS] = "SELECT version_count FROM modules WHERE handle = ?1",
	[LIST_OLDEST] = VERSION_ROWS " AND v.version > ?2 ORDER BY v.version LIMIT ?3",
	[LIST_NEWEST] = VERSION_ROWS " AND v.version <= ?2 ORDER BY v.version DESC LIMIT ?3",
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

	details->artifact = (struct artifact){
		.name = out->name, .version_source = out->source, .state = rows_state(rows, 8)};
	details->artifact.name.format = format;
	details->published_by = rows_dup(rows, 2);
	details->upstream = rows_dup(rows, 3);
	if (!rows_is_null(rows, 4))
		details->imported_from = (struct imported_from){
			rows_dup(rows, 4), rows_digest(rows, 5), rows_dup(rows, 6), rows_int(rows, 7)};
	artifact_fill(rows, 9, &details->artifact);
	if (!findings_load(txn, inspection_id, &details->warnings, &details->warning_count, err))
		return false;
	if (!safety_load(txn, inspection_id, &details->safety, err))
		return false;
	return saved_model_load(
		txn, inspection_id, format == FORMAT_TF_HUB ? &out->saved_model : &details->model, err);
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
		free(details->artifacts[i].imported_from.name);
		free(details->artifacts[i].imported_from.signer);
		findings_destroy(details->artifacts[i].warnings, details->artifacts[i].warning_count);
		safety_rows_finish(&details->artifacts[i].safety);
		saved_model_destroy(details->artifacts[i].model);
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
