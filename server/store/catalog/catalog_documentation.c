/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_documentation.h"

#include <stdio.h>

#include "server/module/documents/hubdoc.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_notes.h"
#include "server/store/catalog/catalog_rows.h"

enum statement {
	LOOK_AT_DOCUMENTATION,
	FIND_WRITTEN,
	SET_DOCUMENTATION,
	DESCRIBE_VERSION,
	DROP_TAGS,
	ADD_TAG,
	FIND_DOCUMENTATION,
	FIND_DOCUMENTED
};

static const char *const sql[] = {
	[LOOK_AT_DOCUMENTATION] =
		"SELECT markdown = ?2, updated_by IS NOT NULL, updated_at FROM documentation"
		" WHERE version_id = ?1",
	[FIND_WRITTEN] = "SELECT markdown FROM documentation WHERE version_id = ?1",
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
	[FIND_DOCUMENTED] = "SELECT v.version FROM modules m JOIN versions v ON v.id = m.documented_id"
			    " WHERE m.handle = ?1",
};

bool catalog_find_documented(struct catalog *catalog, const char *handle, int64_t *out, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_DOCUMENTED], VALUES(v_text(handle)));
	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool documentation_look(
	struct txn *txn, int64_t version_id, const char *markdown, struct written *out, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LOOK_AT_DOCUMENTATION], VALUES(v_int(version_id), v_text(markdown)));

	*out = (struct written){0};
	if (rows_next(rows))
		*out = (struct written){
			true, rows_int(rows, 0) != 0, rows_int(rows, 1) != 0, rows_int(rows, 2)};
	return rows_done(rows, err);
}

struct audit_digests audit_text_digest(const char *text)
{
	struct digest digest = digest_of(text, strlen(text));
	struct audit_digests out;

	(void)snprintf(out.text, sizeof out.text, "sha256:%s", digest.hex);
	return out;
}

bool documentation_digest(struct txn *txn, int64_t version_id, struct audit_digests *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_WRITTEN], VALUES(v_int(version_id)));
	const char *markdown = rows_next(rows) ? rows_text(rows, 0) : NULL;

	*out = markdown ? audit_text_digest(markdown) : (struct audit_digests){0};
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

static bool audit_documentation(struct txn *txn, const char *path, const struct documentation *documentation,
	const char *before, struct err *err)
{
	const struct audit_digests after = audit_text_digest(documentation->markdown);

	return audit_record(txn,
		&(struct audit_row){.at = documentation->now_s,
			.who = documentation->who,
			.from = documentation->from,
			.action = "document",
			.subject = path,
			.before = before,
			.after = after.text},
		err);
}

bool catalog_set_documentation(struct catalog *catalog, const struct name *name,
	const struct documentation *documentation, bool *created, struct err *err)
{
	struct name_path path = name_path(name);
	const struct note_taken note = {
		"documentation", name->handle, name->version, documentation->revision};
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;
	struct audit_digests before;
	bool news;

	if (!db_write_within(catalog->db, DB_MOMENT_MS, &txn, err) || !version_find_ids(txn, name, &ids, err))
		return false;
	if (ids.version_id == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s to document", path.text);
	if (ids.state == STATE_WITHDRAWN)
		return version_check_state(name, ids.state, err);
	if (!documentation_digest(txn, ids.version_id, &before, err) || !note_claim(txn, &note, &news, err))
		return false;
	*created = !*before.text;
	if (!news)
		return true;
	return documentation_write(txn, ids.version_id, documentation, err) &&
	       module_refresh(txn, ids.module_id, err) &&
	       audit_documentation(txn, path.text, documentation, before.text, err) && txn_commit(txn, err);
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
