/* SPDX-License-Identifier: Apache-2.0
 *
 * Records what was published or mirrored, and withdraws versions. */
#ifndef SERVER_STORE_CATALOG_CATALOG_KEEP_H
#define SERVER_STORE_CATALOG_CATALOG_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/keeping.h"

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

struct withdrawal {
	const struct name *name;
	const char *who; /* NULL: others have withdrawn it */
	int64_t now_s;
	bool unknown_too; /* notes it also of a version that is not known here */
};

/* Withdraws a version: 410 from now on, its number is never used again. Digests that no other version needs
 * are no longer claimed and are handed to orphaned (may be called several times, after the commit).
 * ERR_NOT_FOUND, ERR_GONE if it was withdrawn before, ERR_BUSY where another process has the database, soon.
 */
bool catalog_withdraw(struct catalog *catalog, const struct withdrawal *withdrawal,
	void (*orphaned)(void *context, const struct digest *digest), void *context, struct err *err);

#endif
