/* SPDX-License-Identifier: Apache-2.0
 *
 * Documentation that all nodes have. */
#ifndef SERVER_REGISTRY_SHARED_DOCUMENTS_H
#define SERVER_REGISTRY_SHARED_DOCUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"

struct catalog;
struct vault;

/* Sets a version's documentation on all nodes, and then here. Fails as catalog_set_documentation() does, with
 * ERR_BAD_REQUEST where a head in the hub's format is broken or another version's, and as vault_write_note()
 * does: then it is as it was. */
bool shared_documents_set(struct vault *vault, struct catalog *catalog, const struct name *name,
	const char *markdown, const char *who, const char *from, bool *created, struct err *err);

/* Writes what is here for all nodes, where they have none; *sent tells whether it was. */
bool shared_documents_send(struct vault *vault, struct catalog *catalog, const struct name *name,
	bool dry_run, bool *sent, struct err *err);

/* The first half of setting it: all nodes have it then, and take it; so does this one, where it was not. */
bool shared_documents_tell(
	struct vault *vault, const struct name *name, const char *markdown, const char *who, struct err *err);

/* Takes here what all nodes have. ERR_NOT_FOUND where the version is not known here. */
bool shared_documents_take(
	struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err);

#endif
