/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_import.h"

#include <stdio.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_attestations.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/store/catalog/catalog_records.h"

enum statement {
	ADD_IMPORT,
	NOTE_SIGNER,
	IS_STAGED,
	FIND_OWN,
	FIND_TRUSTED,
	TRUST,
	DATE_DOCUMENTATION,
	UNSTAGE_CLAIMED
};

static const char *const sql[] = {
	[ADD_IMPORT] =
		"INSERT INTO imports (digest, name, created_at, signer, at) VALUES (?1, ?2, ?3, ?4, ?5)"
		" ON CONFLICT (digest) DO UPDATE SET at = excluded.at,"
		" signer = coalesce(excluded.signer, signer) RETURNING id",
	[NOTE_SIGNER] = "UPDATE imports SET signer = ?2 WHERE digest = ?1 AND signer IS NULL RETURNING id",
	[IS_STAGED] = "SELECT 1 FROM staged_blobs WHERE blob_id = ?1 AND bundle = ?2",
	[FIND_OWN] = "SELECT a.format, b.digest FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
		     " WHERE a.version_id = ?1 AND a.source = 'published' AND a.import_id IS NULL",
	[FIND_TRUSTED] =
		"SELECT a.format, b.digest, i.signer FROM artifacts a JOIN blobs b ON b.id = a.blob_id"
		" LEFT JOIN imports i ON i.id = a.import_id"
		" WHERE a.version_id = ?1 AND (a.trusted = 1 OR i.signer IS NOT NULL)",
	[TRUST] = "UPDATE artifacts SET trusted = 1 WHERE version_id = ?1 AND format = ?2 AND trusted = 0"
		  " RETURNING 1",
	[DATE_DOCUMENTATION] = "UPDATE documentation SET updated_at = ?2 WHERE version_id = ?1",
	/* What another bundle waits for it keeps. */
	[UNSTAGE_CLAIMED] = "DELETE FROM staged_blobs WHERE bundle = ?1"
			    " AND EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id"
			    "  WHERE a.blob_id = staged_blobs.blob_id AND v.state <> 'withdrawn')",
};

struct import {
	struct txn *txn;
	struct docs_import *docs;
	struct import_origin origin;
	char *name;
	char *signer;
	char *who;
	char *from;
	struct keeping_import bundle; /* id 0: nothing has changed yet */
	int64_t module_id;            /* still to be refreshed; 0: none is */
	bool changed;
	bool vouched; /* for what was here already */
	bool listed;  /* a version that may be the default of another's */
};

/* ---- judging ---- */

static struct keeping keeping_of(const struct imported_artifact *artifact, const struct checksums *checksums,
	const struct name *name, const struct keeping_import *bundle)
{
	return (struct keeping){.name = name,
		.source = artifact->source,
		.published_by = artifact->published_by,
		.upstream = artifact->upstream,
		.checksums = checksums,
		.size_bytes = artifact->size_bytes,
		.import = bundle};
}

/* One artifact, and what is on record of its name. */
struct matter {
	struct name name;
	struct checksums checksums;
	struct keeping keeping; /* points to the others */
	struct record record;
};

static bool find_matter(struct txn *txn, const struct imported_version *version, size_t place,
	const struct keeping_import *bundle, struct matter *out, struct err *err)
{
	const struct imported_artifact *artifact = &version->artifacts[place];

	*out = (struct matter){.name = version->name, .checksums = {.sha256 = artifact->digest}};
	out->name.format = artifact->format;
	out->keeping = keeping_of(artifact, &out->checksums, &out->name, bundle);
	return record_find(txn, &out->name, &out->record, err);
}

/* Whether the bytes are in the store, and whether they are staged for this bundle. */
static bool find_bytes(
	struct txn *txn, const struct matter *matter, bool *here, bool *staged, struct err *err)
{
	AUTO_ROWS struct rows *rows = NULL;
	int64_t blob_id;

	if (!staged_find(txn, &matter->keeping, &blob_id, err))
		return false;
	rows = txn_query(
		txn, sql[IS_STAGED], VALUES(v_int(blob_id), v_digest(&matter->keeping.import->contents)));
	*here = blob_id != 0;
	*staged = rows_next(rows);
	return rows_done(rows, err);
}

static bool judge_artifact(struct txn *txn, const struct imported_version *version, size_t place,
	const struct keeping_import *bundle, struct import_result *out, struct err *err)
{
	struct matter matter;
	bool here, staged;

	if (!find_matter(txn, version, place, bundle, &matter, err) ||
		!find_bytes(txn, &matter, &here, &staged, err))
		return false;
	out->lacks[place] = !here;
	if (!keeping_check(txn, &matter.keeping, &matter.record, &out->why)) {
		out->outcome = IMPORT_REFUSED;
		return true;
	}
	/* Of what is on record, too, the bytes may have gone, and come again. */
	if (matter.record.blob_id == 0 || !here || staged ||
		(matter.keeping.source == SOURCE_PUBLISHED && matter.record.source != SOURCE_PUBLISHED))
		out->outcome = out->outcome == IMPORT_NEW ? IMPORT_NEW : IMPORT_CHANGED;
	return true;
}

/* What somebody has sent here stays, and so does what is newer. */
static bool judge_documentation(struct txn *txn, const struct imported_version *version,
	const struct version_ids *ids, struct import_result *out, struct err *err)
{
	struct written written;

	if (!version->markdown)
		return true;
	if (!documentation_look(txn, ids->version_id, version->markdown, &written, err))
		return false;
	if (!written.any)
		out->documentation = DOCS_NEW;
	else if (written.same)
		out->documentation = DOCS_SAME;
	else if (written.sent || (version->documented_at > 0 && written.updated_at > version->documented_at))
		out->documentation = DOCS_LEFT;
	else
		out->documentation = DOCS_CHANGED;
	if (out->outcome == IMPORT_SAME && out->documentation < DOCS_SAME)
		out->outcome = IMPORT_CHANGED;
	return true;
}

/* Whether one is to come: it is about bytes that come, too. */
static bool wants_attestation(struct txn *txn, const struct imported_version *version,
	const struct attestation_row *row, bool *out, struct err *err)
{
	*out = false;
	for (size_t i = 0; i < version->artifact_count; i++)
		*out = *out || digest_equal(&row->subject, &version->artifacts[i].digest);
	return !*out || attestation_is_wanted(txn, &version->name, row, out, err);
}

static bool judge_attestations(
	struct txn *txn, const struct imported_version *version, struct import_result *out, struct err *err)
{
	for (size_t i = 0; i < version->attestation_count && out->outcome == IMPORT_SAME; i++) {
		bool wanted;

		if (!wants_attestation(txn, version, &version->attestations[i], &wanted, err))
			return false;
		if (wanted)
			out->outcome = IMPORT_CHANGED;
	}
	return true;
}

/* Whoever withdrew it there meant the bytes that he had: what a token has published here is none of them. */
static bool check_own(struct txn *txn, const struct imported_version *version, const struct version_ids *ids,
	struct import_result *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_OWN], VALUES(v_int(ids->version_id)));

	if (rows_next(rows)) {
		(void)err_set(&out->why, ERR_CONFLICT,
			"it was withdrawn where the bundle was made, and is published here, from no bundle "
			"(%s, sha256:%s): whoever means these bytes, too, withdraws them here: \"larder "
			"withdraw %.150s\"",
			rows_text(rows, 0), rows_digest(rows, 1).hex, name_path(&version->name).text);
		out->outcome = IMPORT_REFUSED;
		out->withdrawn = false;
	}
	return rows_done(rows, err);
}

/* A medium that nobody has checked takes away what such media have brought, and nothing else. */
static bool check_trusted(struct txn *txn, const struct imported_version *version,
	const struct version_ids *ids, struct import_result *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_TRUSTED], VALUES(v_int(ids->version_id)));

	if (rows_next(rows)) {
		const char *signer = rows_text(rows, 2);

		(void)err_set(&out->why, ERR_CONFLICT,
			"the bundle has it withdrawn, and nobody has checked who made the bundle, whereas "
			"%s%s "
			"(%s, sha256:%s): --verify KEY does, or \"larder withdraw %.150s\"",
			signer ? "what is here came in one that was signed by "
			       : "it is here from an upstream, or came in one that was checked, too",
			signer ? signer : "", rows_text(rows, 0), rows_digest(rows, 1).hex,
			name_path(&version->name).text);
		out->outcome = IMPORT_REFUSED;
		out->withdrawn = false;
	}
	return rows_done(rows, err);
}

static bool judge_withdrawal(struct txn *txn, const struct imported_version *version, bool verified,
	const struct version_ids *ids, struct import_result *out, struct err *err)
{
	if (ids->version_id != 0 && ids->state == STATE_WITHDRAWN)
		return true;
	out->withdrawn = true;
	out->outcome = ids->version_id == 0 ? IMPORT_NEW : IMPORT_CHANGED;
	return check_own(txn, version, ids, out, err) &&
	       (verified || out->outcome == IMPORT_REFUSED || check_trusted(txn, version, ids, out, err));
}

static bool refuse_withdrawn(struct import_result *out)
{
	out->outcome = IMPORT_REFUSED;
	(void)err_set(&out->why, ERR_GONE,
		"it was withdrawn here, and its number is never used again: --partial takes the others, and "
		"a "
		"bundle that is exported anew can do without it");
	return true;
}

static bool judge(struct txn *txn, const struct imported_version *version, bool verified,
	const struct keeping_import *bundle, struct version_ids *ids, struct import_result *out,
	struct err *err)
{
	*out = (struct import_result){.outcome = IMPORT_SAME, .documentation = DOCS_SAME};
	if (!version_find_ids(txn, &version->name, ids, err))
		return false;
	if (version->state == STATE_WITHDRAWN)
		return judge_withdrawal(txn, version, verified, ids, out, err);
	if (ids->version_id != 0 && ids->state == STATE_WITHDRAWN)
		return refuse_withdrawn(out);
	if (ids->version_id == 0 || (ids->source == SOURCE_LISTED && version->artifact_count > 0))
		out->outcome = IMPORT_NEW;
	for (size_t i = 0; i < version->artifact_count; i++) {
		if (!judge_artifact(txn, version, i, bundle, out, err))
			return false;
		if (out->outcome == IMPORT_REFUSED)
			return true;
	}
	return judge_documentation(txn, version, ids, out, err) && judge_attestations(txn, version, out, err);
}

bool catalog_judge_import(struct catalog *catalog, const struct digest *contents,
	const struct imported_version *version, bool verified, struct import_result *out, struct err *err)
{
	const struct keeping_import bundle = {.contents = *contents, .name = ""};
	AUTO_TXN struct txn *txn = NULL;
	struct version_ids ids;

	return db_read(catalog->db, &txn, err) && judge(txn, version, verified, &bundle, &ids, out, err);
}

/* Its rows are given back before the transaction can end. */
static bool note_signer(
	struct txn *txn, const struct digest *contents, const char *signer, bool *noted, struct err *err)
{
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[NOTE_SIGNER], VALUES(v_digest(contents), v_text(signer)));

	*noted = rows_next(rows);
	return rows_done(rows, err);
}

bool catalog_note_signer(struct catalog *catalog, const struct digest *contents, const char *signer,
	bool *noted, struct err *err)
{
	AUTO_TXN struct txn *txn = NULL;

	return db_write(catalog->db, &txn, err) && note_signer(txn, contents, signer, noted, err) &&
	       (!*noted || txn_commit(txn, err));
}

/* ---- the transaction ---- */

bool import_begin(
	struct catalog *catalog, const struct import_origin *origin, struct import **out, struct err *err)
{
	struct import *import;
	struct txn *txn;

	if (!db_write(catalog->db, &txn, err))
		return false;
	import = mem_zero(1, sizeof *import);
	import->txn = txn;
	import->docs = docs_import_within(txn, origin->now_s);
	import->origin = *origin;
	import->name = mem_dup(origin->name);
	import->signer = mem_dup(origin->signer);
	import->who = mem_dup(origin->who);
	import->from = mem_dup(origin->from ? origin->from : audit_command_line().text);
	import->bundle = (struct keeping_import){.contents = origin->contents,
		.name = import->name,
		.who = import->who,
		.from = import->from,
		.is_verified = import->signer != NULL};
	*out = import;
	return true;
}

void import_end(struct import *import)
{
	if (!import)
		return;
	docs_import_end(import->docs);
	txn_end(import->txn);
	free(import->name);
	free(import->signer);
	free(import->who);
	free(import->from);
	free(import);
}

/* Its row comes with the first thing that it changes. */
static bool note_change(struct import *import, struct err *err)
{
	const struct import_origin *origin = &import->origin;
	AUTO_ROWS struct rows *rows = NULL;

	if (import->changed)
		return true;
	rows = txn_query(import->txn, sql[ADD_IMPORT],
		VALUES(v_digest(&origin->contents), v_text(import->name), v_int(origin->created_at),
			v_text(import->signer), v_int(origin->now_s)));
	if (rows_next(rows))
		import->bundle.id = rows_int(rows, 0);
	import->changed = rows_done(rows, err);
	return import->changed;
}

/* before, after: NULL where there is none. */
static bool audit(struct import *import, const struct name *name, const char *action, const char *before,
	const char *after, struct err *err)
{
	char detail[256];

	(void)snprintf(detail, sizeof detail, "from %.200s", import->name);
	return audit_record(import->txn,
		&(struct audit_row){.at = import->origin.now_s,
			.who = import->who,
			.from = import->from,
			.action = action,
			.subject = name_path(name).text,
			.detail = detail,
			.before = before,
			.after = after},
		err);
}

static bool refresh(struct import *import, int64_t module_id, struct err *err)
{
	int64_t before = import->module_id;

	import->module_id = module_id;
	return before == 0 || before == module_id || module_refresh(import->txn, before, err);
}

/* ---- recording ---- */

/* Files of nobody are for the sweep: there may be too many to remember. */
static bool take_withdrawal(struct import *import, const struct imported_version *version,
	struct version_ids *ids, struct err *err)
{
	const struct keeping keeping = {.name = &version->name,
		.source = version->source,
		.published_by = version->published_by,
		.upstream = version->upstream,
		.now_s = import->origin.now_s};
	struct audit_digests before;
	struct orphans orphans;

	return (ids->version_id != 0 || version_add(import->txn, &keeping, ids, err)) &&
	       audit_digests(import->txn, ids->version_id, &before, err) &&
	       version_withdraw(import->txn, ids->version_id, import->origin.now_s, &orphans, err) &&
	       audit(import, &version->name, "withdraw", before.text, NULL, err);
}

/* What was kept before stays as it is, unless its bytes come anew. */
static bool take_artifact(struct txn *txn, struct matter *matter, const char *held_for, struct err *err)
{
	enum kept kept;
	bool here, staged;

	if (!find_bytes(txn, matter, &here, &staged, err) ||
		!keeping_check(txn, &matter->keeping, &matter->record, err))
		return false;
	if (*held_for && (matter->record.blob_id == 0 || staged))
		matter->keeping.held_for = held_for;
	return keeping_record(txn, &matter->keeping, &matter->record, &kept, err) &&
	       hold_record(txn, &matter->keeping, &matter->record, err);
}

static bool take_artifacts(struct import *import, const struct imported_version *version,
	enum version_source source, struct err *err)
{
	struct matter matter;

	for (size_t i = 0; i < version->artifact_count; i++) {
		if (version->artifacts[i].source != source)
			continue;
		if (!find_matter(import->txn, version, i, &import->bundle, &matter, err))
			return false;
		matter.keeping.now_s = import->origin.now_s;
		if (!take_artifact(import->txn, &matter, version->artifacts[i].held_for, err))
			return false;
	}
	return true;
}

static bool take_documentation(struct import *import, const struct imported_version *version,
	const struct version_ids *ids, struct err *err)
{
	const struct documentation documentation = {
		version->markdown, version->head, NULL, import->origin.now_s};
	int64_t at = version->documented_at > 0 ? version->documented_at : import->origin.now_s;
	struct audit_digests before, after = audit_text_digest(version->markdown);

	return documentation_digest(import->txn, ids->version_id, &before, err) &&
	       documentation_write(import->txn, ids->version_id, &documentation, err) &&
	       txn_run(import->txn, sql[DATE_DOCUMENTATION], VALUES(v_int(ids->version_id), v_int(at)),
		       err) &&
	       audit(import, &version->name, "document", before.text, after.text, err);
}

/* A version without bytes can be asked for all the same: it is listed. */
static bool list(struct import *import, const struct imported_version *version, struct version_ids *ids,
	struct err *err)
{
	import->listed = true;
	if (!version_list(import->txn, &version->name, import->origin.now_s, ids, err))
		return false;
	for (enum format format = 0; format < FORMAT_COUNT; format++) {
		if (version->listed[format] &&
			!version_list_format(import->txn, ids->version_id, format, err))
			return false;
	}
	return true;
}

static bool take_attestations(struct import *import, const struct imported_version *version, struct err *err)
{
	for (size_t i = 0; i < version->attestation_count; i++) {
		struct attestation_row row = version->attestations[i];
		bool wanted;

		row.from = import->from;
		if (!wants_attestation(import->txn, version, &row, &wanted, err) ||
			(wanted && !attestation_add(import->txn, &version->name, &row, import->who, err)))
			return false;
	}
	return true;
}

static bool record(struct import *import, const struct imported_version *version,
	const struct import_result *result, struct version_ids *ids, struct err *err)
{
	if (!note_change(import, err))
		return false;
	if (version->state == STATE_WITHDRAWN)
		return take_withdrawal(import, version, ids, err);
	/* A published version takes nothing that was mirrored: that comes first. */
	if (!take_artifacts(import, version, SOURCE_MIRRORED, err) ||
		!take_artifacts(import, version, SOURCE_PUBLISHED, err) ||
		!version_find_ids(import->txn, &version->name, ids, err) ||
		(ids->version_id == 0 && !list(import, version, ids, err)))
		return false;
	return (result->documentation >= DOCS_SAME || take_documentation(import, version, ids, err)) &&
	       take_attestations(import, version, err);
}

static bool is_idle(const struct import_result *result)
{
	return result->outcome == IMPORT_SAME || result->outcome == IMPORT_REFUSED;
}

/* Of the same bytes that are here: keeping_check() has refused others. */
static bool vouch_for(
	struct import *import, int64_t version_id, const struct imported_artifact *artifact, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(
		import->txn, sql[TRUST], VALUES(v_int(version_id), v_text(formats[artifact->format].name)));

	import->vouched = rows_next(rows) || import->vouched;
	return rows_done(rows, err);
}

/* A bundle whose signature was checked vouches for what another has brought, too. */
static bool vouch(struct import *import, const struct imported_version *version,
	const struct version_ids *ids, const struct import_result *result, struct err *err)
{
	if (!import->signer || result->outcome == IMPORT_REFUSED || ids->version_id == 0)
		return true;
	for (size_t i = 0; i < version->artifact_count; i++) {
		if (!vouch_for(import, ids->version_id, &version->artifacts[i], err))
			return false;
	}
	return true;
}

bool import_add_version(struct import *import, const struct imported_version *version,
	struct import_result *out, struct err *err)
{
	struct version_ids ids;

	if (!judge(import->txn, version, import->signer != NULL, &import->bundle, &ids, out, err) ||
		!vouch(import, version, &ids, out, err))
		return false;
	/* Outside of the part, which may be dropped. */
	if (is_idle(out) || !note_change(import, err) || !txn_begin_part(import->txn, err))
		return is_idle(out);
	if (record(import, version, out, &ids, &out->why))
		return txn_keep_part(import->txn, err) && refresh(import, ids.module_id, err);
	out->outcome = IMPORT_REFUSED;
	out->withdrawn = false;
	if (txn_drop_part(import->txn))
		return true;
	*err = out->why;
	return false;
}

bool import_add_page(struct import *import, const struct hubdoc *page, const char *markdown,
	enum docs_outcome *out, struct err *err)
{
	if (page->kind < HUBDOC_PUBLISHER)
		return err_set(err, ERR_BAD_REQUEST,
			"the page of %.100s is neither a publisher's nor a collection's", page->name.handle);
	return docs_import_add(import->docs, page, markdown, out, err) &&
	       (*out >= DOCS_SAME || note_change(import, err));
}

/* The bundle itself, with the head of the audit log where it was made. */
static bool audit_bundle(struct import *import, struct err *err)
{
	AUTO_FREE char *signer =
		import->signer ? mem_printf("signed by %s", import->signer) : mem_dup("not verified");
	AUTO_FREE char *detail = import->origin.audit_head ? mem_printf("%s, audit head there sha256:%s",
								     signer, import->origin.audit_head->hex)
							   : mem_dup(signer);
	AUTO_FREE char *contents = mem_printf("contents sha256:%s", import->origin.contents.hex);

	return audit_record(import->txn,
		&(struct audit_row){.at = import->origin.now_s,
			.who = import->who,
			.from = import->from,
			.action = "import-bundle",
			.subject = import->name,
			.detail = detail,
			.after = contents},
		err);
}

bool import_commit(struct import *import, bool *changed, struct err *err)
{
	*changed = import->changed || import->vouched;
	if (!*changed)
		return true;
	return audit_bundle(import, err) && refresh(import, 0, err) &&
	       (!import->listed || docs_import_link(import->docs, err)) &&
	       txn_run(import->txn, sql[UNSTAGE_CLAIMED], VALUES(v_digest(&import->origin.contents)), err) &&
	       txn_commit(import->txn, err);
}
