/* SPDX-License-Identifier: Apache-2.0
 *
 * A walk over all that a bundle's contents tell of, one after another, as often as it takes, in memory that
 * does not grow with the bundle. What it tells was proved on the first walk, and lies in files of our own
 * from then on: the medium may be changed or pulled out meanwhile. */
#ifndef SERVER_REGISTRY_IMPORT_WALK_H
#define SERVER_REGISTRY_IMPORT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/carrier.h"
#include "server/bundle/contents.h"
#include "server/bundle/scratch.h"
#include "server/bundle/version_record.h"
#include "server/store/catalog/catalog_import.h"

/* Files without a name, with what the bundle says of itself. */
struct import_notes {
	int contents_fd;
	int records_fd;
	const struct scratch_place *scratch;
	int64_t written_bytes;
};

/* Copies the contents, which must be as their digest says. ERR_NO_SPACE. scratch must outlive it. finish
 * takes what was not opened, too. */
bool import_notes_open(struct import_notes *notes, const struct scratch_place *scratch,
	struct carrier *carrier, const struct bundle_blob *contents, struct err *err);
void import_notes_finish(struct import_notes *notes);

struct import_walk {
	struct carrier *carrier; /* of the first walk; NULL */
	struct import_notes *notes;
	struct scratch_stream stream;
	struct contents_reader reader;
	struct contents_line line;
	struct version_record record;
	struct hubdoc *head;
	int64_t at;           /* in the records */
	int64_t wasted_bytes; /* of records that were read in vain */
	bool is_open;
	/* Where it stands. */
	size_t place;    /* of all that it has come by, from 0 */
	bool is_version; /* else a page: line.page, with its head */
	bool usable;     /* it says what it should; else why tells what is wrong with it */
	struct err why;
	struct imported_version version;
	struct attestation_row *attestations; /* the version's */
	size_t attestation_count;
};

/* carrier: for the first walk, which takes the records from there; NULL for the others. Fails as
 * contents_open() does. */
bool import_walk_open(
	struct import_walk *walk, struct import_notes *notes, struct carrier *carrier, struct err *err);

/* *more is false at the end. False where the contents are broken, or our own files cannot be read or written.
 */
bool import_walk_next(struct import_walk *walk, bool *more, struct err *err);

void import_walk_finish(struct import_walk *walk);
#define AUTO_IMPORT_WALK AUTO(import_walk_finish)

#endif
