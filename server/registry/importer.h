/* SPDX-License-Identifier: Apache-2.0
 *
 * Imports a bundle: proves its contents, has each module inspected as one that is published, makes its bytes
 * durable, and when all are there records the whole in one transaction. A bundle is as hostile as an upload.
 * An import that was interrupted goes on where it was; one that is repeated changes nothing. */
#ifndef SERVER_REGISTRY_IMPORTER_H
#define SERVER_REGISTRY_IMPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/bundle/contents.h"
#include "server/module/findings.h"
#include "server/registry/import_tools.h"
#include "server/store/catalog/catalog_import.h"

struct signing_key;

enum import_remark {
	REMARK_REFUSED, /* it contradicts what is here */
	REMARK_FAULTY,  /* damaged, missing on the medium, or no module that may be published */
	REMARK_LEFT     /* documentation that stays as it is here */
};

/* What a person is told of one version, or of a publisher's or a collection's page. */
struct import_told {
	enum import_remark remark;
	const char *name;   /* "acme/model/1" */
	const char *format; /* NULL: of all of it */
	const char *detail;
	const struct examination *examination; /* with the rules that it breaks; NULL */
};

enum import_phase {
	IMPORT_READING,
	IMPORT_COPYING,
	IMPORT_SHARING,
	IMPORT_RECORDING,
	IMPORT_SETTLING,
	IMPORT_PROVING
};

/* How far it has come. */
struct import_progress {
	enum import_phase phase;
	int64_t done_bytes; /* of what is copied */
	int64_t total_bytes;
	int64_t read; /* of what the bundle says of itself, in this phase: in bytes, or lines once these are
			 known */
	int64_t said;
	size_t count; /* of its versions and pages, in this phase */
};

/* A bundle that a client sends: its head, and its artifacts one by one, which are staged as they come. */
struct import_distant {
	int head_fd;
	/* Of an artifact that is not in the store: false, with *err, where it is to be told as faulty. */
	bool (*lacks)(void *context, const struct name *name, const struct imported_artifact *artifact,
		struct err *err);
	const _Atomic bool *stop; /* ends the import with ERR_BUSY */
};

struct import_order {
	const char *path;                     /* of what is distant: by what name it is told of */
	const struct import_distant *distant; /* NULL: it is a file here */
	const char *who;                      /* the token's name; NULL: whoever has the folder */
	const char *from;                     /* its client's address; NULL likewise */
	const struct signing_key *key; /* that must have signed it; NULL: whoever has made it is believed */
	bool dry_run;
	bool partial; /* what can be recorded is */
	void (*tell)(void *context, const struct import_told *told);
	void (*show)(void *context, const struct import_progress *progress);
	void *context;
};

struct import_report {
	struct bundle_header header;
	struct digest contents;
	bool is_signed;
	bool is_read;    /* to its end: only what it says is the matter */
	size_t versions; /* in the bundle */
	size_t outcomes[IMPORT_OUTCOME_COUNT];
	size_t faulty;
	size_t withdrawn;
	size_t documents[DOCS_OUTCOME_COUNT]; /* of versions; DOCS_SAME: also those that have none */
	size_t pages[DOCS_OUTCOME_COUNT];     /* of publishers and collections */
	size_t copied_blobs;
	int64_t copied_bytes;
	int64_t wanted_bytes; /* that were not here at first */
	bool recorded;        /* something is on record that was not before */
	bool signer_noted;    /* of what an import without a key had brought */
};

/* True where the bundle is on record as a whole, or for a dry run could be; false with what is in the report,
 * which is filled as far as it came: where something is refused or faulty, or the import could not go on. */
bool importer_run(const struct importer *importer, const struct import_order *order,
	struct import_report *report, struct err *err);

#endif
