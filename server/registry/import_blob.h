/* SPDX-License-Identifier: Apache-2.0
 *
 * One artifact of a bundle on its way into the store: read from the medium into a draft, inspected on the
 * way, held against its digest and the rules, made durable and staged. */
#ifndef SERVER_REGISTRY_IMPORT_BLOB_H
#define SERVER_REGISTRY_IMPORT_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/carrier.h"
#include "server/registry/import_tools.h"
#include "server/store/catalog/catalog_import.h"

/* Whether a module may be here as that; ERR_INVALID_MODULE. */
bool import_check_rules(const struct examination *examination, enum version_source source, struct err *err);

/* What came of it. */
enum blob_fate {
	BLOB_STAGED,
	BLOB_FAULTY, /* its bytes, or the medium: others may be whole */
	BLOB_FAILED  /* nothing more can be taken: no room, say */
};

/* bundle: the digest of the contents that name it. Calls show with the bytes that were read. *examination,
 * which the caller destroys, tells the rules that a faulty module breaks; NULL where it is not that. */
enum blob_fate import_blob(const struct importer *importer, struct carrier *carrier,
	const struct digest *bundle, const struct imported_artifact *artifact,
	void (*show)(void *context, int64_t bytes), void *context, struct examination **examination,
	struct err *err);

#endif
