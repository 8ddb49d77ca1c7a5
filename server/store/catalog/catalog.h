/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of publishers, modules, versions, artifacts and tokens: all of the SQL. Every function may be
 * called from any thread and blocks for the database only. Times are seconds since 1970. */
#ifndef SERVER_STORE_CATALOG_CATALOG_H
#define SERVER_STORE_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/documents/hubdoc.h"
#include "server/module/examination.h"
#include "server/module/name.h"
#include "server/module/savedmodel/savedmodel.h"

enum version_source { SOURCE_PUBLISHED, SOURCE_MIRRORED, SOURCE_LISTED, SOURCE_COUNT };
enum version_state { STATE_ACTIVE, STATE_WITHDRAWN, STATE_QUARANTINED, STATE_COUNT };
const char *version_source_name(enum version_source source); /* "published" … */
const char *version_state_name(enum version_state state);    /* "active" … */
bool version_source_parse(const char *name, enum version_source *out);

struct catalog;

/* Opens or creates data_dir/larder.db and brings its schema up to date, in one transaction a migration. A
 * database of a newer Larder is refused. close takes NULL. */
bool catalog_open(const char *data_dir, struct catalog **out, struct err *err);
void catalog_close(struct catalog *catalog);

/* Writes something small, unless another thread is writing: whether the database can serve. */
bool catalog_check(struct catalog *catalog, struct err *err);

/* Whether no other process is writing just now. */
bool catalog_is_free(struct catalog *catalog);

/* ---- artifacts: the way of a download ---- */

struct artifact {
	struct name name;
	enum version_source version_source; /* published as soon as one of its artifacts is */
	enum version_source source;         /* of this format, once it is recorded; else the version's */
	enum version_state state;
	bool recorded; /* this format of the version has a digest; all below is set only then */
	struct checksums checksums;
	int64_t size_bytes;
	int64_t unpacked_bytes;
	int64_t file_count;
	int64_t created_at;
	bool cached; /* the blob is in the store */
	int64_t downloads;
	int64_t last_used_at; /* a download, or else when it was kept */
};

/* What a version in that state is refused with, whatever is asked of it: ERR_GONE, ERR_QUARANTINED. */
bool version_check_state(const struct name *name, enum version_state state, struct err *err);

/* A published version has the formats that were published, and those that were mirrored before. ERR_NOT_FOUND
 * where this is none of them: no upstream's bytes may ever stand for it. */
bool artifact_check_published(const struct artifact *artifact, struct err *err);

/* What is known of one name with its format. *found is false where the version is not known at all. */
bool catalog_find_artifact(
	struct catalog *catalog, const struct name *name, struct artifact *out, bool *found, struct err *err);

/* Every digest that a row claims with cached = true: answers for start-up checks and gc. */
bool catalog_claims_blob(
	struct catalog *catalog, const struct digest *digest, bool *claimed, struct err *err);

/* Something durable to record about a blob that lies in the store. */
struct keeping {
	const struct name *name;
	enum version_source source; /* published or mirrored */
	const char *published_by;   /* the token's name; NULL for mirrored */
	const char *upstream;       /* the upstream's name; NULL for published */
	const struct checksums *checksums;
	int64_t size_bytes;
	const struct examination *examination;
	int64_t now_s;
};

enum kept {
	KEPT_NEW_VERSION,  /* the version had not been known (or only as listed) */
	KEPT_NEW_ARTIFACT, /* another format of a known version */
	KEPT_AGAIN         /* the very same bytes had been recorded; the blob counts as cached from now on */
};

/* Records version, artifact, blob and all the examination says, in one transaction (durable on return). What
 * is published is so from then on, also where it had been mirrored before. ERR_CONFLICT where other bytes are
 * recorded under the name (source published, or mirrored against published), ERR_NOT_FOUND where an
 * upstream's would be a new format of a published version, ERR_GONE where it was withdrawn, ERR_QUARANTINED
 * where an upstream's bytes differ from those it gave before. */
bool catalog_keep(struct catalog *catalog, const struct keeping *keeping, enum kept *out, struct err *err);

/* One of several that are recorded together, and what has come of it: done, or refused with err. */
struct recording {
	const struct keeping *keeping;
	bool done;
	enum kept kept;
	struct err err;
};

/* Records all of them in one transaction: what is refused is refused alone. False where nothing was recorded,
 * for a reason that each has then: ERR_BUSY, where another process has the database for so long already, or
 * what one of them broke the transaction with. */
bool catalog_keep_all(struct catalog *catalog, struct recording *const *rows, size_t count,
	int64_t patience_ms, struct err *err);

/* Withdraws a version: 410 from now on, its number is never used again. Digests that no other version needs
 * are no longer claimed and are handed to orphaned (may be called several times, after the commit).
 * ERR_NOT_FOUND, ERR_GONE if it was withdrawn before, ERR_BUSY where another process has the database, soon.
 */
bool catalog_withdraw(struct catalog *catalog, const struct name *name, const char *who, int64_t now_s,
	void (*orphaned)(void *context, const struct digest *digest), void *context, struct err *err);

/* A version's Markdown, and what it says in its head. */
struct documentation {
	const char *markdown;
	const struct hubdoc *head; /* NULL for free text: then the version has neither description nor tags */
	const char *who;           /* the token's name; NULL where it came with a tree of documentation */
	int64_t now_s;
};

/* Sets a version's documentation, and with it description and tags (ERR_NOT_FOUND without the version,
 * ERR_GONE where it was withdrawn, ERR_BUSY where another process has the database, soon); *created tells
 * whether it had none. */
bool catalog_set_documentation(struct catalog *catalog, const struct name *name,
	const struct documentation *documentation, bool *created, struct err *err);
/* *out is NULL where there is none; free() it. */
bool catalog_find_documentation(
	struct catalog *catalog, const struct name *name, char **out, struct err *err);

/* The blob is no longer in the store: its rows stay, with cached false. */
bool catalog_forget_blob(struct catalog *catalog, const struct digest *digest, struct err *err);

/* How often an artifact was downloaded, and when the last time. */
struct downloads {
	struct name name;
	int64_t count;
	int64_t last_at;
};

/* Adds to artifacts' downloads and sets their time of last use, all in one transaction. What is not known is
 * passed over. */
bool catalog_count_downloads(
	struct catalog *catalog, const struct downloads *items, size_t count, struct err *err);

/* ---- all that decides what a request for a name gets ---- */

/* What upstreams were found not to have. */
struct absence {
	int64_t until_s;   /* 0: none is remembered */
	struct err answer; /* what clients were told: ERR_NOT_FOUND, or ERR_UPSTREAM_FAILED with its reason */
};

bool catalog_remember_absent(
	struct catalog *catalog, const struct name *name, const struct absence *absence, struct err *err);

/* What whoever may publish can do about bytes that are held back; ends a sentence's text. */
#define CATALOG_WAYS_OUT \
	"Have upstream restore them, PUT those recorded here, or publish the others as another version"

/* What is known of a name with its format, at one moment. */
struct known {
	struct artifact artifact; /* with its name, whatever is known */
	bool version;             /* the version is known */
	struct absence absence;   /* until_s 0: nothing that is still valid is remembered */
	int64_t quarantined_at_s; /* when an upstream had other bytes than those recorded; 0: never */
};
bool known_is_here(const struct known *known);
bool catalog_look(
	struct catalog *catalog, const struct name *name, int64_t now_s, struct known *out, struct err *err);

/* ---- listing ---- */

/* What documentation says of a version: task, dataset, language, architecture, license, fine_tunable … */
struct tag {
	char *kind;
	char *value;
};
struct tags {
	struct tag *items; /* by kind, then value */
	size_t count;
};
void tags_finish(struct tags *tags);

enum { SUMMARY_VERSIONS_MAX = 200 };

struct module_summary {
	char *handle;
	char *description;      /* "" where there is none */
	int64_t latest_version; /* the highest active one */
	int64_t *versions;      /* active ones, ascending; of very many the highest */
	size_t version_count;
	int64_t active_count; /* of all versions that are active */
	struct tags tags;     /* of the newest documented version with a head, as is the description; of the
				 latest are formats, source, cached and size */
	bool formats[FORMAT_COUNT]; /* of artifacts, and those that documentation tells of */
	enum version_source source;
	bool cached;
	int64_t size_bytes;
	int64_t downloads; /* of all versions */
	int64_t updated_at;
};

void module_summary_finish(struct module_summary *summary);

/* One module as a list has it; *found is false, and nothing is to be freed, where it has no active version.
 */
bool catalog_find_module(struct catalog *catalog, const char *handle, struct module_summary *out, bool *found,
	struct err *err);

struct artifact_details {
	struct artifact artifact;
	char *published_by;       /* the token's name; NULL where it was mirrored */
	char *upstream;           /* NULL where it was published */
	struct finding *warnings; /* all of them, with their rules, are the details' own */
	size_t warning_count;
};

struct version_details {
	struct name name;
	enum version_source source;
	enum version_state state;
	char *published_by; /* NULL where there is none, as for all strings here */
	char *upstream;
	char *description;
	struct tags tags;
	int64_t created_at;
	struct artifact_details artifacts[FORMAT_COUNT];
	size_t artifact_count;
	struct saved_model *saved_model; /* of the tf-hub artifact; NULL without one */
};

/* *found is false (and nothing is to be freed) where the version is not known. Withdrawn ones are found, with
 * state. */
bool catalog_find_version(struct catalog *catalog, const struct name *name, struct version_details *out,
	bool *found, struct err *err);
void version_details_finish(struct version_details *details);

struct version_row {
	int64_t version;
	enum version_source source;
	enum version_state state;
	int64_t created_at;
};

struct version_query {
	bool newest;   /* descending instead of ascending */
	int64_t after; /* the version that ended the page before; 0: from the start */
	size_t limit;
};

struct version_list {
	struct version_row *items; /* with state: also those that were withdrawn */
	size_t count;
	int64_t total; /* on all pages; 0 where the handle is not known */
	bool more;
};
/* A page of a handle's versions; version_list_finish() *out. */
bool catalog_list_versions(struct catalog *catalog, const char *handle, const struct version_query *query,
	struct version_list *out, struct err *err);
void version_list_finish(struct version_list *list);

/* Files (not folders) of an artifact in the archive's order: up to limit from the offset-th on; *total counts
 * all. */
struct file_row {
	char *path;
	int64_t size_bytes;
};
bool catalog_list_files(struct catalog *catalog, const struct name *name, int64_t offset, size_t limit,
	struct file_row **out, size_t *count, int64_t *total, struct err *err);
void file_rows_destroy(struct file_row *rows, size_t count);

/* Whether an artifact has a file of this path, in normal form; also true where not all of its files are
 * listed, so that it may be one of the others. */
bool catalog_may_have_file(struct catalog *catalog, const struct artifact *artifact, const char *path,
	bool *out, struct err *err);

/* Files that only one of two artifacts has, or that differ in size, by path: up to limit. *more tells of
 * further ones. */
struct file_change {
	char *path;
	int64_t from_bytes; /* -1: not there, as of the other */
	int64_t to_bytes;
};
bool catalog_compare_files(struct catalog *catalog, const struct name *from, const struct name *to,
	size_t limit, struct file_change **out, size_t *count, bool *more, struct err *err);
void file_changes_destroy(struct file_change *changes, size_t count);

struct publisher_row {
	char *name;
	char *display_name;
	int64_t modules;
};
struct publisher_list {
	struct publisher_row *items; /* by name */
	size_t count;
	int64_t total; /* on all pages */
	bool more;
};
/* Those with an active version, up to limit behind `after` (NULL: from the start); publisher_list_finish()
 * *out. */
bool catalog_list_publishers(struct catalog *catalog, const char *after, size_t limit,
	struct publisher_list *out, struct err *err);
void publisher_list_finish(struct publisher_list *list);

struct catalog_totals {
	int64_t modules;
	int64_t versions; /* active */
	int64_t artifacts;
	int64_t cached_artifacts;
	int64_t blobs; /* in the store */
	int64_t blob_bytes;
	int64_t downloads;
};
bool catalog_count(struct catalog *catalog, struct catalog_totals *out, struct err *err);

/* ---- tokens ---- */

struct token_row {
	char *name;
	char *scopes; /* separated by blanks: "read publish:acme/x" */
	int64_t created_at;
	int64_t expires_at; /* 0: never */
	int64_t revoked_at; /* 0: not */
};

/* hash is the SHA-256 of the secret. ERR_CONFLICT where a token of that name is valid. */
bool catalog_add_token(struct catalog *catalog, const char *name, const struct digest *hash,
	const char *scopes, int64_t now_s, int64_t expires_at, struct err *err);
/* Tokens, newest first, each with its hash for the caller to compare. *count 0: there are none. */
struct token_secret {
	struct token_row row;
	struct digest hash;
};
bool catalog_list_tokens(struct catalog *catalog, struct token_secret **out, size_t *count, struct err *err);
void token_secrets_destroy(struct token_secret *tokens, size_t count);
/* ERR_NOT_FOUND where no valid token has the name. */
bool catalog_revoke_token(struct catalog *catalog, const char *name, int64_t now_s, struct err *err);

#endif
