/* SPDX-License-Identifier: Apache-2.0
 *
 * Which revisions of the notes that nodes share were taken here. */
#ifndef SERVER_STORE_CATALOG_CATALOG_NOTES_H
#define SERVER_STORE_CATALOG_CATALOG_NOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct catalog;
struct txn;

/* What a note is about, and how often it was written; revision 0: nothing is shared, and what is written here
 * decides. */
struct note_taken {
	const char *topic;
	const char *subject;
	int64_t version; /* 0: it has none */
	int64_t revision;
};

/* Which revision of it was taken; 0: none. */
bool catalog_find_note(struct catalog *catalog, const char *topic, const char *subject, int64_t version,
	int64_t *out, struct err *err);

/* For the catalog's own files: whether it is later than what was taken here; and where it is, counts as taken
 * with this transaction. */
bool note_claim(struct txn *txn, const struct note_taken *note, bool *news, struct err *err);

/* The same question only. */
bool note_is_news(struct txn *txn, const struct note_taken *note, bool *news, struct err *err);

#endif
