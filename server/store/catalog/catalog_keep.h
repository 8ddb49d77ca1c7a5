/* SPDX-License-Identifier: Apache-2.0
 *
 * Records what was published or mirrored. */
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

#endif
