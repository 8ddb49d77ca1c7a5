/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the catalog share among themselves. Nobody else includes this, but for its test. */
#ifndef SERVER_STORE_CATALOG_CATALOG_ROWS_H
#define SERVER_STORE_CATALOG_CATALOG_ROWS_H

#include "server/module/name.h"
#include "server/module/safety/safety_findings.h"
#include "server/store/audit_chain.h"
#include "server/store/catalog/catalog.h"
#include "server/store/db.h"

struct artifact;
struct docs_import;
struct documentation;
struct examination;
struct finding;
struct module_summary;
struct saved_model;
struct search;
struct tags;

/* Immutable after creation; the database and the search have their own locks. */
struct catalog {
	struct db *db;
	struct search *search;
	bool audits_evictions; /* set before it is used, if at all */
};

/* The files of schema/, in order; made by the build. */
extern const struct migration catalog_migrations[];
extern const size_t catalog_migration_count;

enum version_source rows_source(struct rows *rows, int column);
enum version_state rows_state(struct rows *rows, int column);

/* Writes a row of the audit log, as a part of the change that it tells of: all but its id and its hash are
 * given. The subject is a name's path, a token's name … Texts are cut where they are too long. */
bool audit_record(struct txn *txn, const struct audit_row *row, struct err *err);

#define AUDIT_CONFIGURATION "configuration"

/* What a version has, as the audit log tells it: "tf-hub sha256:…, tfjs sha256:…". */
struct audit_digests {
	char text[FORMAT_COUNT * 96];
};
bool audit_digests(struct txn *txn, int64_t version_id, struct audit_digests *out, struct err *err);
/* … and one artifact. */
struct audit_digests audit_digest(enum format format, const struct digest *digest);

/* What an artifact's columns are, in a statement with artifacts a and blobs b; artifact_fill() reads them
 * into *out from this column on. */
#define ARTIFACT_COLUMNS \
	"b.digest, b.md5, b.size_bytes, b.unpacked_bytes, b.file_count, a.created_at, b.cached, " \
	"a.downloads," \
	" a.last_used_at, a.source," \
	" EXISTS (SELECT 1 FROM inspections i WHERE i.blob_id = a.blob_id AND i.format = a.format)"
void artifact_fill(struct rows *rows, int column, struct artifact *out);

/* How one format of a version stands, in a statement with the version v and the hold h of that format, or
 * none: what is held back holds back no other format. */
#define FORMAT_STATE \
	"iif(v.state = 'withdrawn', v.state, iif(h.decision <> 'approved' OR (v.state = 'quarantined'" \
	" AND NOT EXISTS (SELECT 1 FROM holds o WHERE o.version_id = v.id)), 'quarantined', 'active'))"

/* As catalog_find_artifact does; *out has its name, whatever is known. */
bool artifact_find(
	struct txn *txn, const struct name *name, struct artifact *out, bool *found, struct err *err);

/* A version's rows; version_id is 0 where it is not known. */
struct version_ids {
	int64_t module_id;
	int64_t version_id;
	enum version_source source;
	enum version_state state;
};
bool version_find_ids(struct txn *txn, const struct name *name, struct version_ids *out, struct err *err);

/* Brings a module's derived columns, its text and its facets up to date after its versions, artifacts, tags
 * or documentation changed. */
bool module_refresh(struct txn *txn, int64_t module_id, struct err *err);

/* The same of each module whose latest version has these bytes as this format. */
bool modules_refresh_of(struct txn *txn, int64_t blob_id, enum format format, struct err *err);

/* Counts downloads of a module that were made at a time, in all and by the day. */
bool trend_record(struct txn *txn, int64_t module_id, int64_t count, int64_t at_s, struct err *err);

/* Forgets some days that are more than a year ago. */
bool trend_forget(struct txn *txn, int64_t now_s, struct err *err);

/* The part of it that is searched. */
bool module_refresh_texts(struct txn *txn, int64_t module_id, struct err *err);

/* A module as a list has it; *found is false where it has no active version. */
bool summary_load(
	struct txn *txn, int64_t module_id, struct module_summary *out, bool *found, struct err *err);

/* Writes a version's documentation with all that it says; the module is still to be refreshed. */
bool documentation_write(
	struct txn *txn, int64_t version_id, const struct documentation *documentation, struct err *err);

/* What is written of a version, as against this text. */
struct written {
	bool any;  /* there is documentation */
	bool same; /* and it is this one */
	bool sent; /* somebody has sent it, as opposed to a tree or a bundle */
	int64_t updated_at;
};
bool documentation_look(
	struct txn *txn, int64_t version_id, const char *markdown, struct written *out, struct err *err);

/* Writes a row where a blob that goes from this disk is a published one: "evict" where all nodes share the
 * others' copies, "lose" where it cannot be read. One for all names that have its bytes. */
bool audit_loss(struct txn *txn, int64_t blob_id, const char *action, struct err *err);
/* … and "restore" where what was lost is back. */
bool audit_return(struct txn *txn, int64_t blob_id, struct err *err);

/* The digest of a text, and of what is written of a version ("": nothing), as the audit log has them. */
struct audit_digests audit_text_digest(const char *text);
bool documentation_digest(struct txn *txn, int64_t version_id, struct audit_digests *out, struct err *err);

/* A version of source `listed` that is not known yet, and a format that a version is said to come in. */
bool version_list(
	struct txn *txn, const struct name *name, int64_t now_s, struct version_ids *out, struct err *err);
bool version_list_format(struct txn *txn, int64_t version_id, enum format format, struct err *err);

/* Documents as a part of another transaction, which commits them; docs_import_end() it. */
struct docs_import *docs_import_within(struct txn *txn, int64_t now_s);
/* Its transaction. */
struct txn *docs_import_txn(struct docs_import *import);

/* A version's tags; tags_finish() them. */
bool tags_load(struct txn *txn, int64_t version_id, struct tags *out, struct err *err);

/* Notes whether a blob is in the store, and with it the derived columns of all modules whose latest version
 * uses it. */
bool blob_set_cached(struct txn *txn, int64_t blob_id, bool cached, struct err *err);

/* Writes down an examination of a blob, made for this name and its format; of one that is there already only
 * what safety_renew() does changes. */
bool inspection_record(struct txn *txn, int64_t blob_id, const struct name *name,
	const struct examination *examination, struct err *err);
bool saved_model_record(
	struct txn *txn, int64_t inspection_id, const struct saved_model *model, struct err *err);

/* The listing of what was examined before, where it has none yet. */
bool inspection_list_late(struct txn *txn, int64_t blob_id, enum format format,
	const struct saved_model *model, struct err *err);

/* *out is NULL where the inspection found none; saved_model_destroy() it. */
bool saved_model_load(struct txn *txn, int64_t inspection_id, struct saved_model **out, struct err *err);

/* What the safety rules have found, and who has it: safety_rows_finish() them. */
struct safety_rows;
bool safety_record(
	struct txn *txn, int64_t inspection_id, const struct safety_findings *findings, struct err *err);
/* The same in place of what an older version of the rules has found in this blob, if one has judged it; lists
 * are filtered by it at once. It stays outdated where other names have these bytes: the policy is not asked
 * of those. */
bool safety_renew(struct txn *txn, int64_t blob_id, const struct name *name,
	const struct safety_findings *findings, struct err *err);
bool safety_load(struct txn *txn, int64_t inspection_id, struct safety_rows *out, struct err *err);

/* The inspection's warnings; findings_destroy() them. */
bool findings_load(
	struct txn *txn, int64_t inspection_id, struct finding **out, size_t *count, struct err *err);
void findings_destroy(struct finding *findings, size_t count);

#endif
