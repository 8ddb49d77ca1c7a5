/* SPDX-License-Identifier: Apache-2.0
 *
 * What is held back for its findings, and what people decide of it. */
#ifndef SERVER_STORE_CATALOG_CATALOG_HOLDS_H
#define SERVER_STORE_CATALOG_CATALOG_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* A decision of somebody who may make it. */
struct decision {
	bool approves; /* it is given out; else it is held back */
	const char *reason;
	const char *who;  /* the token's name */
	const char *from; /* the client's address */
	int64_t now_s;
};

/* Decides of all artifacts that a version has now; what it is given later is judged anew. The last decision
 * counts, and each has its line in the audit log. ERR_NOT_FOUND where nothing of it is here or was, ERR_GONE,
 * ERR_BUSY where another process has the database. */
bool catalog_decide(
	struct catalog *catalog, const struct name *name, const struct decision *decision, struct err *err);

/* What a decision is refused with where nothing of the version is here: ERR_NOT_FOUND. */
bool catalog_refuse_undecidable(const struct name *name, struct err *err);

/* What all nodes have of one format of a version: that it is held back, or what somebody decided of that. */
enum hold_decision { HOLD_NONE, HOLD_HELD, HOLD_APPROVED, HOLD_REJECTED, HOLD_DECISION_COUNT };
struct hold_entry {
	enum hold_decision decision; /* HOLD_NONE: neither */
	char reason[1024];
	char who[256]; /* "": nobody in particular */
	int64_t at_s;
	bool is_of_bytes; /* what is held back is these bytes, and no others */
	struct digest bytes;
};
const char *hold_decision_name(enum hold_decision decision);
bool hold_decision_parse(const char *name, enum hold_decision *out);

/* Those of a version, by format. *found is false where the version is not known. */
bool catalog_find_holds(struct catalog *catalog, const struct name *name, struct hold_entry out[FORMAT_COUNT],
	bool *found, struct err *err);

/* Takes those of a note of this revision, unless a later one was taken: a format is given out unless it is
 * held back. What is of other bytes than those on record here counts for nothing; where none are on record,
 * the rest is taken, and the note is news once more. Nothing where it was withdrawn. ERR_NOT_FOUND where it
 * is not known here. */
bool catalog_take_holds(struct catalog *catalog, const struct name *name,
	const struct hold_entry holds[FORMAT_COUNT], int64_t revision, struct err *err);

#endif
