/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_docs.h"

#include "common/mem.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_rows.h"

enum { LINKS_MAX = 1000 };

enum statement {
	ADD_PUBLISHER,
	IS_UNKNOWN,
	SET_PUBLISHER,
	ADD_MODULE,
	ADD_VERSION,
	ADD_FORMAT,
	FIND_COLLECTION,
	SET_COLLECTION,
	DROP_COLLECTION_TAGS,
	ADD_COLLECTION_TAG,
	DROP_COLLECTION_MODULES,
	ADD_COLLECTION_MODULE,
	LIST_LINKED,
	ADD_LINKED
};

/* Deployments whose path goes on from their parent's version with "default". */
#define LINKED \
	" FROM tags t JOIN versions d ON d.id = t.version_id JOIN modules dm ON dm.id = d.module_id" \
	" JOIN listed_formats f ON f.version_id = d.id" \
	" JOIN modules m ON m.handle = rtrim(rtrim(t.value, '0123456789'), '/')" \
	" JOIN versions v ON v.module_id = m.id AND t.value = m.handle || '/' || v.version" \
	" WHERE t.kind = 'parent_model' AND d.state = 'active'" \
	" AND replace(replace(replace(dm.handle, '/tfjs-model/', '/'), '/lite-model/', '/'), " \
	"'/coral-model/', '/')" \
	"  = t.value || '/default'" \
	" AND NOT EXISTS (SELECT 1 FROM listed_formats l WHERE l.version_id = v.id AND l.format = f.format)"

static const char *const sql[] = {
	[ADD_PUBLISHER] = "INSERT INTO publishers (name) VALUES (?1) ON CONFLICT DO NOTHING",
	[IS_UNKNOWN] = "SELECT 1 FROM publishers WHERE name = ?1 AND markdown IS NULL",
	[SET_PUBLISHER] =
		"UPDATE publishers SET display_name = ?2, icon_url = ?3, markdown = ?4 WHERE name = ?1"
		" AND (display_name IS NOT ?2 OR icon_url IS NOT ?3 OR markdown IS NOT ?4)",
	[ADD_MODULE] = "INSERT INTO modules (publisher_id, handle)"
		       " SELECT id, ?2 FROM publishers WHERE name = ?1 ON CONFLICT DO NOTHING",
	[ADD_VERSION] = "INSERT INTO versions (module_id, version, source, created_at, updated_at)"
			" SELECT id, ?2, 'listed', ?3, ?3 FROM modules WHERE handle = ?1",
	[ADD_FORMAT] =
		"INSERT INTO listed_formats (version_id, format) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
	[FIND_COLLECTION] = "SELECT c.id, c.version, c.markdown = ?3 FROM collections c"
			    " JOIN publishers p ON p.id = c.publisher_id WHERE p.name = ?1 AND c.name = ?2",
	[SET_COLLECTION] =
		"INSERT INTO collections (publisher_id, name, version, description, markdown, updated_at)"
		" SELECT id, ?2, ?3, ?4, ?5, ?6 FROM publishers WHERE name = ?1"
		" ON CONFLICT (publisher_id, name) DO UPDATE SET version = excluded.version,"
		" description = excluded.description, markdown = excluded.markdown, updated_at = "
		"excluded.updated_at",
	[DROP_COLLECTION_TAGS] = "DELETE FROM collection_tags WHERE collection_id = ?1",
	[ADD_COLLECTION_TAG] =
		"INSERT OR IGNORE INTO collection_tags (collection_id, kind, value) VALUES (?1, ?2, ?3)",
	[DROP_COLLECTION_MODULES] = "DELETE FROM collection_modules WHERE collection_id = ?1",
	[ADD_COLLECTION_MODULE] =
		"INSERT INTO collection_modules (collection_id, position, handle) SELECT ?1, ?2, ?3"
		" WHERE NOT EXISTS (SELECT 1 FROM collection_modules WHERE collection_id = ?1 AND handle = "
		"?3)",
	[LIST_LINKED] = "SELECT DISTINCT m.id" LINKED,
	[ADD_LINKED] =
		"INSERT OR IGNORE INTO listed_formats (version_id, format) SELECT v.id, f.format" LINKED
		" AND m.id = ?1",
};

struct docs_import {
	struct txn *txn;
	int64_t now_s;
	bool is_part; /* the transaction is another's */
};

bool docs_import_begin(struct catalog *catalog, int64_t now_s, struct docs_import **out, struct err *err)
{
	struct txn *txn;

	if (!db_write(catalog->db, &txn, err))
		return false;
	*out = mem_zero(1, sizeof **out);
	**out = (struct docs_import){txn, now_s, false};
	return true;
}

struct docs_import *docs_import_within(struct txn *txn, int64_t now_s)
{
	struct docs_import *import = mem_zero(1, sizeof *import);

	*import = (struct docs_import){txn, now_s, true};
	return import;
}

struct txn *docs_import_txn(struct docs_import *import)
{
	return import->txn;
}

bool docs_import_audit(struct docs_import *import, const char *tree, const char *detail, struct err *err)
{
	const struct audit_place place = audit_command_line();

	return audit_record(import->txn,
		&(struct audit_row){.at = import->now_s,
			.from = place.text,
			.action = "import-docs",
			.subject = tree,
			.detail = detail},
		err);
}

bool docs_import_commit(struct docs_import *import, struct err *err)
{
	return txn_commit(import->txn, err);
}

void docs_import_end(struct docs_import *import)
{
	if (!import)
		return;
	if (!import->is_part)
		txn_end(import->txn);
	free(import);
}

/* ---- versions ---- */

bool version_list(
	struct txn *txn, const struct name *name, int64_t now_s, struct version_ids *out, struct err *err)
{
	struct publisher_name publisher = name_publisher(name->handle);

	return txn_run(txn, sql[ADD_PUBLISHER], VALUES(v_text(publisher.text)), err) &&
	       txn_run(txn, sql[ADD_MODULE], VALUES(v_text(publisher.text), v_text(name->handle)), err) &&
	       txn_run(txn, sql[ADD_VERSION],
		       VALUES(v_text(name->handle), v_int(name->version), v_int(now_s)), err) &&
	       version_find_ids(txn, name, out, err);
}

bool version_list_format(struct txn *txn, int64_t version_id, enum format format, struct err *err)
{
	return txn_run(txn, sql[ADD_FORMAT], VALUES(v_int(version_id), v_text(formats[format].name)), err);
}

static bool write_version(struct docs_import *import, const struct hubdoc *doc, const struct name *name,
	const struct version_ids *ids, const char *markdown, struct err *err)
{
	const struct documentation documentation = {markdown, doc, NULL, import->now_s};

	return (!doc->has_format || version_list_format(import->txn, ids->version_id, name->format, err)) &&
	       documentation_write(import->txn, ids->version_id, &documentation, err) &&
	       module_refresh(import->txn, ids->module_id, err);
}

static bool add_model(struct docs_import *import, const struct hubdoc *doc, const char *markdown,
	enum docs_outcome *out, struct err *err)
{
	struct written written = {0};
	struct version_ids ids;
	struct name name;
	bool is_new;

	if (!hubdoc_url_name(doc, &name, err) || !version_find_ids(import->txn, &name, &ids, err))
		return false;
	is_new = ids.version_id == 0;
	if (is_new ? !version_list(import->txn, &name, import->now_s, &ids, err)
		   : !documentation_look(import->txn, ids.version_id, markdown, &written, err))
		return false;
	*out = is_new ? DOCS_NEW : DOCS_CHANGED;
	if (ids.state == STATE_WITHDRAWN || (written.sent && !written.same))
		*out = DOCS_LEFT;
	else if (written.same)
		*out = DOCS_SAME;
	else
		return write_version(import, doc, &name, &ids, markdown, err);
	return true;
}

static bool list_linked(struct txn *txn, int64_t **out, size_t *count, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[LIST_LINKED], NULL, 0);
	size_t capacity = 0;

	while (rows_next(rows)) {
		MEM_GROW(*out, *count, capacity);
		(*out)[(*count)++] = rows_int(rows, 0);
	}
	return rows_done(rows, err);
}

bool docs_import_link(struct docs_import *import, struct err *err)
{
	AUTO_FREE int64_t *modules = NULL;
	size_t count = 0;

	if (!list_linked(import->txn, &modules, &count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!txn_run(import->txn, sql[ADD_LINKED], VALUES(v_int(modules[i])), err) ||
			!module_refresh(import->txn, modules[i], err))
			return false;
	}
	return true;
}

/* ---- publishers ---- */

/* Modules may have made its row before. */
static bool is_unknown(struct txn *txn, const char *publisher, bool *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = NULL;

	if (!txn_run(txn, sql[ADD_PUBLISHER], VALUES(v_text(publisher)), err))
		return false;
	rows = txn_query(txn, sql[IS_UNKNOWN], VALUES(v_text(publisher)));
	*out = rows_next(rows);
	return rows_done(rows, err);
}

static bool add_publisher(struct docs_import *import, const struct hubdoc *doc, const char *markdown,
	enum docs_outcome *out, struct err *err)
{
	bool is_new;

	if (!is_unknown(import->txn, doc->name.handle, &is_new, err) ||
		!txn_run(import->txn, sql[SET_PUBLISHER],
			VALUES(v_text(doc->name.handle), v_text(doc->description), v_text(doc->icon_url),
				v_text(markdown)),
			err))
		return false;
	*out = txn_changes(import->txn) == 0 ? DOCS_SAME : is_new ? DOCS_NEW : DOCS_CHANGED;
	return true;
}

/* ---- collections ---- */

struct collection_ids {
	int64_t id; /* 0: none */
	int64_t version;
	bool same;
};

static bool find_collection(struct txn *txn, const char *publisher, const char *name, const char *markdown,
	struct collection_ids *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(
		txn, sql[FIND_COLLECTION], VALUES(v_text(publisher), v_text(name), v_text(markdown)));

	*out = (struct collection_ids){0};
	if (rows_next(rows))
		*out = (struct collection_ids){rows_int(rows, 0), rows_int(rows, 1), rows_int(rows, 2) != 0};
	return rows_done(rows, err);
}

static bool write_links(struct txn *txn, int64_t id, const char *body, struct err *err)
{
	struct name link;

	for (int64_t i = 0; i < LINKS_MAX && hubdoc_next_link(&body, &link); i++) {
		if (!txn_run(txn, sql[ADD_COLLECTION_MODULE],
			    VALUES(v_int(id), v_int(i), v_text(link.handle)), err))
			return false;
	}
	return true;
}

static bool write_members(
	struct txn *txn, int64_t id, const struct hubdoc *doc, const char *markdown, struct err *err)
{
	if (!txn_run(txn, sql[DROP_COLLECTION_TAGS], VALUES(v_int(id)), err) ||
		!txn_run(txn, sql[DROP_COLLECTION_MODULES], VALUES(v_int(id)), err))
		return false;
	for (size_t i = 0; i < doc->tag_count; i++) {
		if (!txn_run(txn, sql[ADD_COLLECTION_TAG],
			    VALUES(v_int(id), v_text(doc->tags[i].kind), v_text(doc->tags[i].value)), err))
			return false;
	}
	return write_links(txn, id, markdown + doc->body_at, err);
}

static bool add_collection(struct docs_import *import, const struct hubdoc *doc, const char *markdown,
	enum docs_outcome *out, struct err *err)
{
	struct publisher_name publisher = name_publisher(doc->name.handle);
	const char *name = doc->name.handle + strlen(publisher.text) + 1;
	struct collection_ids ids;

	if (!find_collection(import->txn, publisher.text, name, markdown, &ids, err))
		return false;
	*out = ids.id == 0 ? DOCS_NEW : DOCS_CHANGED;
	if (ids.same)
		*out = DOCS_SAME;
	if (ids.version > doc->name.version)
		*out = DOCS_LEFT;
	if (*out == DOCS_SAME || *out == DOCS_LEFT)
		return true;
	return txn_run(import->txn, sql[ADD_PUBLISHER], VALUES(v_text(publisher.text)), err) &&
	       txn_run(import->txn, sql[SET_COLLECTION],
		       VALUES(v_text(publisher.text), v_text(name), v_int(doc->name.version),
			       v_text(doc->description), v_text(markdown), v_int(import->now_s)),
		       err) &&
	       find_collection(import->txn, publisher.text, name, markdown, &ids, err) &&
	       write_members(import->txn, ids.id, doc, markdown, err);
}

bool docs_import_add(struct docs_import *import, const struct hubdoc *doc, const char *markdown,
	enum docs_outcome *out, struct err *err)
{
	switch (doc->kind) {
	case HUBDOC_PUBLISHER:
		return add_publisher(import, doc, markdown, out, err);
	case HUBDOC_COLLECTION:
		return add_collection(import, doc, markdown, out, err);
	default:
		return add_model(import, doc, markdown, out, err);
	}
}
