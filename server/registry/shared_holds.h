/* SPDX-License-Identifier: Apache-2.0
 *
 * What is held back on all nodes: what one node's policy holds back, and what somebody decided of that. One
 * note a version has all of its formats, so that a decision is made of all at once. */
#ifndef SERVER_REGISTRY_SHARED_HOLDS_H
#define SERVER_REGISTRY_SHARED_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog_holds.h"

struct catalog;
struct vault;

/* Has these bytes of a format held back on all nodes, before anybody else can have them: unless something was
 * decided of it before, which stays. Nothing where it has other bytes, or was withdrawn: whoever brings these
 * is refused, and takes nothing from anybody. who may be NULL. */
bool shared_holds_add(struct vault *vault, const struct name *name, const struct digest *bytes,
	const char *reason, const char *who, struct err *err);

/* Decides of all formats that are on record here, on all nodes and then here. Fails as catalog_decide() does,
 * and as vault_write_note(): then all is as it was. */
bool shared_holds_decide(struct vault *vault, struct catalog *catalog, const struct name *name,
	const struct decision *decision, struct err *err);

/* Writes what is here for all nodes, where they have nothing of that format; *sent: it was. */
bool shared_holds_send(struct vault *vault, struct catalog *catalog, const struct name *name, bool dry_run,
	bool *sent, struct err *err);

/* Takes here what all nodes have. ERR_NOT_FOUND where the version is not known here. */
bool shared_holds_take(
	struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err);

/* Whether these bytes of a format may be given out, as all nodes have it; ERR_QUARANTINED tells why not. */
bool shared_holds_check(
	struct vault *vault, const struct name *name, const struct digest *bytes, struct err *err);

#endif
