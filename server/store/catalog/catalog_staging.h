/* SPDX-License-Identifier: Apache-2.0
 *
 * Blobs that an import has brought and no version claims yet: they are in the store with what their
 * inspection found, so that the import's transaction only gives them their names, and stay while it may go
 * on.
 */
#ifndef SERVER_STORE_CATALOG_CATALOG_STAGING_H
#define SERVER_STORE_CATALOG_CATALOG_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/keeping.h"

/* What a blob of a bundle is to be, and for which it waits: by the digest of its contents. */
struct staging {
	enum format format;
	enum version_source source;
	struct digest bundle;
};

/* For so long an interrupted import may be gone on with. */
enum { STAGED_AGE_MAX_S = 7 * 24 * 3600 };

/* Writes down a blob that lies in the store, with its examination (durable on return): it is claimed for this
 * bundle from now on. Of the keeping the name's format, the source, the checksums, the size, the examination
 * and the bundle count. ERR_BUSY where another process has the database, for seconds if patient. */
bool catalog_stage_blob(
	struct catalog *catalog, const struct keeping *keeping, bool patient, struct err *err);

/* Whether such bytes are in the store, examined as this format; they stay then, as if they had just been
 * staged for this bundle. */
bool catalog_hold_staged(struct catalog *catalog, const struct keeping *keeping, bool *held, struct err *err);

/* All that is staged for a bundle stays as if it had just been: its import runs. */
bool catalog_renew_staged(
	struct catalog *catalog, const struct digest *bundle, int64_t now_s, struct err *err);

/* Lets go of up to limit blobs that were staged before then; *count is how many there were. What neither a
 * version nor another bundle claims is handed to orphaned, after the commit, and what is known of it goes. */
bool catalog_unstage(struct catalog *catalog, int64_t before_s, size_t limit,
	void (*orphaned)(void *context, const struct digest *digest), void *context, size_t *count,
	struct err *err);

#endif
