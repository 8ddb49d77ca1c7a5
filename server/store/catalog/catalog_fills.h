/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's checkpoints of running fills: what another process needs to go on with a draft after a
 * restart or a crash. Which bytes it may trust is for whoever reads them to decide. */
#ifndef SERVER_STORE_CATALOG_CATALOG_FILLS_H
#define SERVER_STORE_CATALOG_CATALOG_FILLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct fill_row {
	struct name name;
	char draft[64];
	char upstream[128]; /* its name in the configuration */
	char etag[256];     /* "" where there is none; so for the next */
	char last_modified[64];
	int64_t total_bytes;   /* of the whole object; -1: not told */
	int64_t durable_bytes; /* of the draft, that a crash of the machine leaves */
	char boot_id[40];      /* of the machine when the row was written */
	int64_t updated_at;
};

/* Writes the row of a name, in place of the one that it had. Durable on return. */
bool catalog_note_fill(struct catalog *catalog, const struct fill_row *row, struct err *err);

bool catalog_find_fill(
	struct catalog *catalog, const struct name *name, struct fill_row *out, bool *found, struct err *err);

/* Calls visit for the name and the draft of each row, oldest first. */
bool catalog_each_fill(struct catalog *catalog,
	void (*visit)(void *context, const struct name *name, const char *draft), void *context,
	struct err *err);

/* Deletes the row of a name; none is no error. */
bool catalog_forget_fill(struct catalog *catalog, const struct name *name, struct err *err);

/* Deletes all rows that were written before this time. */
bool catalog_forget_old_fills(struct catalog *catalog, int64_t before_s, struct err *err);

/* Whether a row needs this draft. */
bool catalog_claims_draft(struct catalog *catalog, const char *draft, bool *claimed, struct err *err);

#endif
