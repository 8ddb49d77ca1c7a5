/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_keep.h"

#include <stdio.h>

#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_known.h"
#include "server/store/catalog/catalog_records.h"

enum statement {
	NOTE_QUARANTINE,
	FIND_DIGEST,
	ADD_PUBLISHER,
	ADD_MODULE,
	FIND_MODULE,
	ADD_VERSION,
	PROMOTE_LISTED,
	PUBLISH_VERSION,
	ADD_BLOB,
	NOTE_BLOB,
	WAS_EXAMINED,
	FIND_STAGED,
	ADD_ARTIFACT,
	NOTE_JUDGED,
	PUBLISH_ARTIFACT,
	OWN_ARTIFACT,
	TOUCH_VERSION,
	FORGET_WANT
};

static const char *const sql[] = {
	[NOTE_QUARANTINE] = "INSERT INTO quarantines (handle, version, format, at) VALUES (?1, ?2, ?3, ?4)"
			    " ON CONFLICT DO UPDATE SET at = excluded.at",
	[FIND_DIGEST] = "SELECT b.id, b.digest, a.source, a.import_id IS NOT NULL FROM artifacts a JOIN "
			"blobs b ON b.id = a.blob_id"
			" WHERE a.version_id = ?1 AND a.format = ?2",
	[ADD_PUBLISHER] = "INSERT INTO publishers (name) VALUES (?1) ON CONFLICT DO NOTHING",
	[ADD_MODULE] = "INSERT INTO modules (publisher_id, handle)"
		       " SELECT id, ?2 FROM publishers WHERE name = ?1 ON CONFLICT DO NOTHING",
	[FIND_MODULE] = "SELECT id FROM modules WHERE handle = ?1",
	[ADD_VERSION] = "INSERT INTO versions"
			" (module_id, version, source, published_by, upstream, created_at, updated_at)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
	[PROMOTE_LISTED] =
		"UPDATE versions SET source = ?2, published_by = ?3, upstream = ?4, created_at = ?5,"
		" updated_at = ?5 WHERE id = ?1",
	/* The upstream stays: it is that of what was mirrored before. */
	[PUBLISH_VERSION] = "UPDATE versions SET source = 'published', published_by = ?2 WHERE id = ?1"
			    " AND source <> 'published'",
	[ADD_BLOB] =
		"INSERT INTO blobs (digest, md5, size_bytes, unpacked_bytes, file_count, cached, added_at)"
		" VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)"
		" ON CONFLICT (digest) DO UPDATE SET cached = 1, md5 = coalesce(md5, excluded.md5),"
		" unpacked_bytes = iif(file_count = 0, excluded.unpacked_bytes, unpacked_bytes),"
		" file_count = iif(file_count = 0, excluded.file_count, file_count) RETURNING id",
	[NOTE_BLOB] =
		"INSERT INTO blobs (digest, md5, size_bytes, unpacked_bytes, file_count, cached, added_at)"
		" VALUES (?1, ?2, ?3, 0, 0, 0, ?4)"
		" ON CONFLICT (digest) DO UPDATE SET md5 = coalesce(md5, excluded.md5) RETURNING id",
	[WAS_EXAMINED] = "SELECT id FROM inspections WHERE blob_id = ?1 AND format = ?2",
	[FIND_STAGED] = "SELECT b.id FROM blobs b JOIN inspections i ON i.blob_id = b.id AND i.format = ?2"
			" WHERE b.digest = ?1 AND b.cached = 1 AND b.size_bytes = ?3",
	[ADD_ARTIFACT] =
		"INSERT INTO artifacts"
		" (version_id, format, blob_id, created_at, last_used_at, source, published_by, upstream,"
		"  import_id, trusted, unjudged)"
		" VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, nullif(?8, 0), ?9, ?10)",
	[NOTE_JUDGED] =
		"UPDATE artifacts SET unjudged = 0 WHERE version_id = ?1 AND format = ?2 AND unjudged = 1",
	[PUBLISH_ARTIFACT] = "UPDATE artifacts SET source = 'published', published_by = ?3, upstream = NULL,"
			     " import_id = nullif(?4, 0), trusted = max(trusted, ?5)"
			     " WHERE version_id = ?1 AND format = ?2",
	[OWN_ARTIFACT] = "UPDATE artifacts SET upstream = ?3, import_id = NULL, trusted = 1"
			 " WHERE version_id = ?1 AND format = ?2",
	[TOUCH_VERSION] = "UPDATE versions SET updated_at = max(updated_at, ?2) WHERE id = ?1",
	[FORGET_WANT] = "DELETE FROM wants WHERE handle = ?1 AND version = ?2 AND format = ?3",
};

/* Runs a statement that answers one id. */
static bool ask_id(struct txn *txn, const char *text, const struct value *values, size_t count, int64_t *out,
	struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, text, values, count);
	int64_t id = rows_next(rows) ? rows_int(rows, 0) : 0;

	if (!rows_done(rows, err))
		return false;
	*out = id;
	return true;
}

bool record_find(struct txn *txn, const struct name *name, struct record *out, struct err *err)
{
	struct record record = {0};

	if (!version_find_ids(txn, name, &record.ids, err) ||
		!hold_narrow_state(txn, name->format, &record.ids, err))
		return false;
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_DIGEST],
		VALUES(v_int(record.ids.version_id), v_text(formats[name->format].name)));
	if (rows_next(rows)) {
		record.blob_id = rows_int(rows, 0);
		record.digest = rows_digest(rows, 1);
		record.source = rows_source(rows, 2);
		record.is_imported = rows_int(rows, 3);
	}
	if (!rows_done(rows, err))
		return false;
	*out = record;
	return true;
}

/* ---- may it be kept? ---- */

/* An upstream's bytes are not what they were: that much is written down, and nothing else. Always false. */
static bool refuse_changed(
	struct txn *txn, const struct keeping *keeping, const struct record *record, struct err *err)
{
	const struct digest *got = &keeping->checksums->sha256;
	struct name_path path = name_path(keeping->name);
	const struct audit_digests before = audit_digest(keeping->name->format, &record->digest);
	const struct audit_digests after = audit_digest(keeping->name->format, got);
	char detail[256];

	(void)snprintf(detail, sizeof detail, "%s: recorded sha256:%s, upstream now has sha256:%s",
		formats[keeping->name->format].name, record->digest.hex, got->hex);
	if (!audit_record(txn,
		    &(struct audit_row){.at = keeping->now_s,
			    .who = keeping->upstream,
			    .action = "quarantine",
			    .subject = path.text,
			    .detail = detail,
			    .before = before.text,
			    .after = after.text},
		    err) ||
		!txn_run(txn, sql[NOTE_QUARANTINE],
			VALUES(v_text(keeping->name->handle), v_int(keeping->name->version),
				v_text(formats[keeping->name->format].name), v_int(keeping->now_s)),
			err))
		return false;
	return err_set(err, ERR_QUARANTINED,
		"upstream %.60s now has other bytes for %.100s: sha256:%.12s… was kept, this is "
		"%.12s…. " CATALOG_WAYS_OUT,
		keeping->upstream ? keeping->upstream : "(unnamed)", path.text, record->digest.hex, got->hex);
}

/* Both digests, so that people can tell which of the two is theirs. */
static bool refuse_bundled(const struct keeping *keeping, const struct record *record, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		"%.100s (%s) is here, %s, with sha256:%s, and the bundle has sha256:%s: a version never "
		"changes; publish the other bytes as a version of their own where they come from",
		name_path(keeping->name).text, formats[keeping->name->format].name,
		version_source_name(record->source), record->digest.hex, keeping->checksums->sha256.hex);
}

static bool refuse_elsewhere(const struct keeping *keeping, const struct record *record, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		"%.100s (%s) is here, %s, with sha256:%s, and all other nodes have sha256:%s: what is here "
		"was "
		"kept before the node shared anything; withdraw it, or have a new data_dir",
		name_path(keeping->name).text, formats[keeping->name->format].name,
		version_source_name(record->source), record->digest.hex, keeping->checksums->sha256.hex);
}

bool keeping_check(
	struct txn *txn, const struct keeping *keeping, const struct record *record, struct err *err)
{
	struct name_path path = name_path(keeping->name);

	if (record->ids.version_id == 0)
		return true;
	if (!hold_lets_in(keeping, record, err))
		return false;
	if (keeping->is_new && !keeping->is_settled)
		return version_refuse_known(keeping->name, err);
	if (record->blob_id == 0 && keeping->source == SOURCE_MIRRORED && !keeping->is_settled)
		return artifact_check_published(
			&(struct artifact){.name = *keeping->name, .version_source = record->ids.source},
			err);
	if (record->blob_id == 0 || digest_equal(&record->digest, &keeping->checksums->sha256))
		return true;
	if (keeping->is_elsewhere)
		return refuse_elsewhere(keeping, record, err);
	if (keeping->import)
		return refuse_bundled(keeping, record, err);
	if (keeping->source == SOURCE_MIRRORED && record->source == SOURCE_MIRRORED)
		return refuse_changed(txn, keeping, record, err);
	return err_set(err, ERR_CONFLICT,
		"%.100s is already %s with other bytes (sha256:%.12s…); use a new version", path.text,
		version_source_name(record->source), record->digest.hex);
}

/* ---- keeping ---- */

bool version_add(struct txn *txn, const struct keeping *keeping, struct version_ids *ids, struct err *err)
{
	const struct name *name = keeping->name;
	struct publisher_name publisher = name_publisher(name->handle);

	if (!txn_run(txn, sql[ADD_PUBLISHER], VALUES(v_text(publisher.text)), err) ||
		!txn_run(txn, sql[ADD_MODULE], VALUES(v_text(publisher.text), v_text(name->handle)), err) ||
		!ask_id(txn, sql[FIND_MODULE], VALUES(v_text(name->handle)), &ids->module_id, err) ||
		!txn_run(txn, sql[ADD_VERSION],
			VALUES(v_int(ids->module_id), v_int(name->version),
				v_text(version_source_name(keeping->source)), v_text(keeping->published_by),
				v_text(keeping->upstream), v_int(keeping->now_s)),
			err))
		return false;
	ids->version_id = txn_last_id(txn);
	return true;
}

static bool publish_version(
	struct txn *txn, const struct keeping *keeping, const struct version_ids *ids, struct err *err)
{
	return keeping->source != SOURCE_PUBLISHED ||
	       txn_run(txn, sql[PUBLISH_VERSION],
		       VALUES(v_int(ids->version_id), v_text(keeping->published_by)), err);
}

/* Makes sure of the version's row: a new one, or one that was only listed, or one that has other formats. */
static bool claim_version(struct txn *txn, const struct keeping *keeping, struct version_ids *ids,
	enum kept *out, struct err *err)
{
	*out = KEPT_NEW_VERSION;
	if (ids->version_id == 0)
		return version_add(txn, keeping, ids, err);
	if (ids->source == SOURCE_LISTED)
		return txn_run(txn, sql[PROMOTE_LISTED],
			VALUES(v_int(ids->version_id), v_text(version_source_name(keeping->source)),
				v_text(keeping->published_by), v_text(keeping->upstream),
				v_int(keeping->now_s)),
			err);
	*out = KEPT_NEW_ARTIFACT;
	return publish_version(txn, keeping, ids, err) &&
	       txn_run(txn, sql[TOUCH_VERSION], VALUES(v_int(ids->version_id), v_int(keeping->now_s)), err);
}

static struct value md5_value(const struct checksums *checksums)
{
	return checksums->has_md5 ? v_bytes(checksums->md5, sizeof checksums->md5)
				  : (struct value){.kind = VALUE_NULL};
}

bool staged_find(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err)
{
	return ask_id(txn, sql[FIND_STAGED],
		VALUES(v_digest(&keeping->checksums->sha256), v_text(formats[keeping->name->format].name),
			v_int(keeping->size_bytes)),
		out_id, err);
}

static bool require_staged(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err)
{
	return staged_find(txn, keeping, out_id, err) &&
	       (*out_id != 0 || err_set(err, ERR_NOT_FOUND,
					"the bytes of %.100s (sha256:%.12s…) have gone from the store "
					"meanwhile: import "
					"the bundle again",
					name_path(keeping->name).text, keeping->checksums->sha256.hex));
}

bool blob_record(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err)
{
	const struct checksums *checksums = keeping->checksums;
	const struct examination *examination = keeping->examination;

	if (!ask_id(txn, sql[ADD_BLOB],
		    VALUES(v_digest(&checksums->sha256), md5_value(checksums), v_int(keeping->size_bytes),
			    v_int(examination->unpacked_bytes), v_int((int64_t)examination->file_count),
			    v_int(keeping->now_s)),
		    out_id, err))
		return false;
	/* The blob may have been known, and forgotten, under other names. */
	return blob_set_cached(txn, *out_id, true, err) &&
	       inspection_record(txn, *out_id, keeping->name, examination, err);
}

/* Only that it is elsewhere, unless it is here already under another name: as this one it is to be judged
 * before it is given out. */
static bool blob_note(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err)
{
	const struct checksums *checksums = keeping->checksums;

	return ask_id(txn, sql[NOTE_BLOB],
		VALUES(v_digest(&checksums->sha256), md5_value(checksums), v_int(keeping->size_bytes),
			v_int(keeping->now_s)),
		out_id, err);
}

static bool claim_blob(struct txn *txn, const struct keeping *keeping, int64_t *out_id, struct err *err)
{
	if (keeping->is_elsewhere)
		return blob_note(txn, keeping, out_id, err);
	return (keeping->examination ? blob_record : require_staged)(txn, keeping, out_id, err);
}

/* Whoever kept it has it in his. */
static bool audit_keeping(struct txn *txn, const struct keeping *keeping, struct err *err)
{
	char detail[256];
	bool is_import = keeping->import;
	struct audit_digests after;

	if (keeping->is_elsewhere || (!is_import && keeping->source != SOURCE_PUBLISHED))
		return true;
	(void)snprintf(detail, sizeof detail, "%s: sha256:%s%s%.100s", formats[keeping->name->format].name,
		keeping->checksums->sha256.hex, is_import ? ", from " : "",
		is_import ? keeping->import->name : "");
	after = audit_digest(keeping->name->format, &keeping->checksums->sha256);
	return audit_record(txn,
		&(struct audit_row){.at = keeping->now_s,
			.who = is_import ? keeping->import->who : keeping->published_by,
			.from = is_import ? keeping->import->from : keeping->from,
			.action = is_import ? "import" : "publish",
			.subject = name_path(keeping->name).text,
			.detail = detail,
			.after = after.text},
		err);
}

/* A token or an upstream has given it, or somebody has checked who did. */
static bool is_trusted(const struct keeping *keeping)
{
	return !keeping->import || keeping->import->is_verified;
}

static bool record_new(struct txn *txn, const struct keeping *keeping, struct record *record, enum kept *out,
	struct err *err)
{
	const char *format = formats[keeping->name->format].name;
	int64_t blob_id;

	record->refresh = true;
	return claim_version(txn, keeping, &record->ids, out, err) &&
	       claim_blob(txn, keeping, &blob_id, err) &&
	       txn_run(txn, sql[ADD_ARTIFACT],
		       VALUES(v_int(record->ids.version_id), v_text(format), v_int(blob_id),
			       v_int(keeping->now_s), v_text(version_source_name(keeping->source)),
			       v_text(keeping->published_by), v_text(keeping->upstream),
			       v_int(keeping->import ? keeping->import->id : 0), v_int(is_trusted(keeping)),
			       v_int(keeping->is_elsewhere)),
		       err) &&
	       audit_keeping(txn, keeping, err);
}

/* Bytes of which only others had told are the first that are looked into here; what older rules were asked of
 * is judged anew. */
static bool return_examined(
	struct txn *txn, const struct keeping *keeping, struct record *record, struct err *err)
{
	int64_t id;

	if (!ask_id(txn, sql[WAS_EXAMINED],
		    VALUES(v_int(record->blob_id), v_text(formats[keeping->name->format].name)), &id, err))
		return false;
	if (id != 0)
		return blob_set_cached(txn, record->blob_id, true, err) &&
		       inspection_record(txn, record->blob_id, keeping->name, keeping->examination, err);
	record->refresh = true;
	return blob_record(txn, keeping, &id, err);
}

/* Their file must be there. */
static bool return_bytes(
	struct txn *txn, const struct keeping *keeping, struct record *record, struct err *err)
{
	int64_t blob_id;

	if (keeping->is_elsewhere)
		return true;
	if (!txn_run(txn, sql[NOTE_JUDGED],
		    VALUES(v_int(record->ids.version_id), v_text(formats[keeping->name->format].name)), err))
		return false;
	return keeping->examination ? return_examined(txn, keeping, record, err)
				    : require_staged(txn, keeping, &blob_id, err);
}

/* The very same bytes again: who publishes what had been mirrored, or had come in a bundle, has published it,
 * and what an upstream has given is here without a bundle, too. */
static bool says_more(const struct keeping *keeping, const struct record *record)
{
	if (record->is_imported && !keeping->import)
		return keeping->source == SOURCE_PUBLISHED || record->source != SOURCE_PUBLISHED;
	return keeping->source == SOURCE_PUBLISHED && record->source != SOURCE_PUBLISHED;
}

static bool record_again(
	struct txn *txn, const struct keeping *keeping, struct record *record, struct err *err)
{
	const struct version_ids *ids = &record->ids;

	if (!return_bytes(txn, keeping, record, err))
		return false;
	if (!says_more(keeping, record))
		return true;
	if (keeping->source != SOURCE_PUBLISHED)
		return txn_run(txn, sql[OWN_ARTIFACT],
			VALUES(v_int(ids->version_id), v_text(formats[keeping->name->format].name),
				v_text(keeping->upstream)),
			err);
	record->refresh = true;
	return publish_version(txn, keeping, ids, err) &&
	       txn_run(txn, sql[PUBLISH_ARTIFACT],
		       VALUES(v_int(ids->version_id), v_text(formats[keeping->name->format].name),
			       v_text(keeping->published_by),
			       v_int(keeping->import ? keeping->import->id : 0), v_int(is_trusted(keeping))),
		       err) &&
	       txn_run(txn, sql[TOUCH_VERSION], VALUES(v_int(ids->version_id), v_int(keeping->now_s)), err) &&
	       audit_keeping(txn, keeping, err);
}

bool keeping_record(struct txn *txn, const struct keeping *keeping, struct record *record, enum kept *out,
	struct err *err)
{
	*out = KEPT_AGAIN;
	if (!txn_run(txn, sql[FORGET_WANT],
		    VALUES(v_text(keeping->name->handle), v_int(keeping->name->version),
			    v_text(formats[keeping->name->format].name)),
		    err))
		return false;
	return record->blob_id ? record_again(txn, keeping, record, err)
			       : record_new(txn, keeping, record, out, err);
}

static bool record_one(struct txn *txn, const struct keeping *keeping, enum kept *out, struct err *err)
{
	struct record record;

	return record_find(txn, keeping->name, &record, err) && keeping_check(txn, keeping, &record, err) &&
	       keeping_record(txn, keeping, &record, out, err) && hold_record(txn, keeping, &record, err) &&
	       (!record.refresh || module_refresh(txn, record.ids.module_id, err));
}

/* Takes back what it has written where it is refused, but for that upstream's bytes have changed. False where
 * the whole transaction has failed with it. */
static bool record_alone(struct txn *txn, struct recording *row, struct err *err)
{
	if (!txn_begin_part(txn, err))
		return false;
	row->done = record_one(txn, row->keeping, &row->kept, &row->err);
	if (row->done || row->err.code == ERR_QUARANTINED)
		return txn_keep_part(txn, err);
	if (txn_drop_part(txn))
		return true;
	*err = row->err;
	return false;
}

static bool record_all(struct catalog *catalog, struct recording *const *rows, size_t count,
	int64_t patience_ms, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	if (!db_write_within(catalog->db, patience_ms, &txn, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!record_alone(txn, rows[i], err))
			return false;
	}
	return txn_commit(txn, err);
}

bool catalog_keep_all(struct catalog *catalog, struct recording *const *rows, size_t count,
	int64_t patience_ms, struct err *err)
{
	if (record_all(catalog, rows, count, patience_ms, err))
		return true;
	for (size_t i = 0; i < count; i++) {
		rows[i]->done = false;
		rows[i]->err = *err;
	}
	return false;
}

bool catalog_keep(struct catalog *catalog, const struct keeping *keeping, enum kept *out, struct err *err)
{
	struct recording row = {.keeping = keeping};
	struct recording *rows = &row;

	(void)catalog_keep_all(catalog, &rows, 1, DB_PATIENCE_MS, err);
	if (row.done)
		*out = row.kept;
	else
		*err = row.err;
	return row.done;
}
