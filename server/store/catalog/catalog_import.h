/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole bundle on record in one transaction. Its blobs lie in the store by then, staged with what their
 * inspection found (catalog_staging.h): here they only get their names. Doing it again changes nothing. */
#ifndef SERVER_STORE_CATALOG_CATALOG_IMPORT_H
#define SERVER_STORE_CATALOG_CATALOG_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/module/documents/hubdoc.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_docs.h"

/* The bundle. */
struct import_origin {
	struct digest contents;
	const char *name;
	int64_t created_at;
	const char *signer; /* the fingerprint of the key that has proved it; NULL: none was asked for */
	int64_t now_s;
	const char *who;                 /* the token's name; NULL: whoever has the data folder */
	const char *from;                /* the client's address; NULL: a command's */
	const struct digest *audit_head; /* of the audit log where it was made; NULL: it does not tell */
};

struct attestation_row;

struct imported_artifact {
	enum format format;
	struct digest digest;
	int64_t size_bytes;
	enum version_source source; /* published or mirrored */
	const char *published_by;
	const char *upstream;
	char held_for[200]; /* why it is to be held back, unless it was kept before; "": it is not */
};

/* A version as the bundle tells of it. */
struct imported_version {
	struct name name;
	enum version_source source;
	enum version_state state; /* active or withdrawn */
	const char *published_by;
	const char *upstream;
	struct imported_artifact artifacts[FORMAT_COUNT]; /* a format once */
	size_t artifact_count;
	bool listed[FORMAT_COUNT];                  /* it is said to come in these, too */
	const char *markdown;                       /* NULL: none */
	const struct hubdoc *head;                  /* of the Markdown; NULL: free text */
	int64_t documented_at;                      /* 0: not told */
	const struct attestation_row *attestations; /* about its artifacts */
	size_t attestation_count;
};

enum import_outcome {
	IMPORT_NEW,     /* the version was not known, or only listed */
	IMPORT_CHANGED, /* bytes, documentation or its withdrawal come with it */
	IMPORT_SAME,
	IMPORT_REFUSED, /* it contradicts what is here: why says it */
	IMPORT_OUTCOME_COUNT
};

struct import_result {
	enum import_outcome outcome;
	struct err why;
	bool withdrawn;                  /* it was not, before */
	enum docs_outcome documentation; /* DOCS_SAME also where none came */
	bool lacks[FORMAT_COUNT];        /* as in artifacts: these bytes are not in the store */
};

/* What would come of a version of the bundle with these contents, as things stand. verified: a key has proved
 * the bundle; one that none has withdraws only what such bundles have brought. False only where the catalog
 * cannot be read. */
bool catalog_judge_import(struct catalog *catalog, const struct digest *contents,
	const struct imported_version *version, bool verified, struct import_result *out, struct err *err);

/* The key that has proved a bundle which was taken in before without one. *noted: it was. */
bool catalog_note_signer(struct catalog *catalog, const struct digest *contents, const char *signer,
	bool *noted, struct err *err);

struct import;

/* Other writers wait for its end. end drops what was not committed; takes NULL. */
bool import_begin(
	struct catalog *catalog, const struct import_origin *origin, struct import **out, struct err *err);
void import_end(struct import *import);
AUTO_CLEANER(own_import, struct import *, import_end)
#define AUTO_IMPORT AUTO(own_import)

/* Judges and records one version; what is refused is refused alone. Those of a module are best in a row.
 * False where the whole transaction has failed with it. */
bool import_add_version(struct import *import, const struct imported_version *version,
	struct import_result *out, struct err *err);

/* Records a publisher's or a collection's page. */
bool import_add_page(struct import *import, const struct hubdoc *page, const char *markdown,
	enum docs_outcome *out, struct err *err);

/* Makes all of it durable, and lets go of what was staged for this bundle and has its name now. Nothing is
 * written where nothing has changed: *changed is false. */
bool import_commit(struct import *import, bool *changed, struct err *err);

#endif
