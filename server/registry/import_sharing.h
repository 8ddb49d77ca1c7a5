/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle's modules on their way to all nodes that share something: what others have decides before
 * anything is sent, and each artifact is kept by all before any of it is on record here. What is alone has
 * nobody to ask or to send to. */
#ifndef SERVER_REGISTRY_IMPORT_SHARING_H
#define SERVER_REGISTRY_IMPORT_SHARING_H

#include <stdbool.h>

#include "common/err.h"
#include "server/store/catalog/catalog_import.h"

struct blobs;
struct vault;

struct import_sharing {
	struct vault *vault;
	struct blobs *blobs;
	const char *who; /* the token's name, or NULL */
};

/* Whether what others have contradicts a version that may come: then it is refused in *result, as it is where
 * something here does. False where it cannot be found out. */
bool import_sharing_judge(struct vault *vault, const struct imported_version *version,
	struct import_result *result, struct err *err);

/* Has all nodes keep what is to be put on record of a version, whose bytes lie in the store: what is there
 * already is not sent again. *refused: somebody was faster with something else, which *err tells. False where
 * it cannot go on. */
bool import_sharing_send(const struct import_sharing *sharing, const struct imported_version *version,
	const struct import_result *result, bool *refused, struct err *err);

#endif
