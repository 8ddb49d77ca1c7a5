/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles that clients send: first the head of one, from which it is known what the store lacks, then these
 * artifacts, which are staged as they come, then the record, in one transaction. Few are open at a time; what
 * takes long is done on one thread, and followed by who asks. A restart forgets them: what was staged by then
 * is here already for who begins again. */
#ifndef SERVER_REGISTRY_IMPORTS_H
#define SERVER_REGISTRY_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/bundle/signature.h"
#include "server/registry/importer.h"
#include "server/registry/incoming.h"
#include "server/registry/lacking.h"

enum { IMPORTS_OPEN_MAX = 8, IMPORTS_SWEEP_EACH_MS = 3600 * 1000 };

struct imports;

/* All of the importer's must outlive it; its folder does not count. Each import opens a catalog of its own:
 * for the others it is as if another process wrote. What was staged for imports that nobody goes on with is
 * let go of now and then, that of open ones never. destroy takes NULL; nobody else may use it then. */
bool imports_create(const struct importer *importer, const char *data_dir, int64_t sweep_each_ms,
	struct imports **out, struct err *err);
void imports_destroy(struct imports *imports);
AUTO_CLEANER(own_imports, struct imports *, imports_destroy)
#define AUTO_IMPORTS AUTO(own_imports)

/* ---- the head ---- */

/* Opens one, in the place of one that nobody has asked for lately if there are too many (else ERR_BUSY).
 * length: of the head, or -1. Takes over the key, also where it fails: ERR_TOO_LARGE, ERR_NO_SPACE. The id is
 * nobody's guess. */
bool imports_begin(struct imports *imports, const char *who, const char *from, int64_t length,
	struct signing_key *key, struct incoming **out, struct err *err);

/* As upload_has_room() and the like (publisher.h). */
bool incoming_has_room(const struct incoming *incoming, size_t length);
void incoming_make_room(struct incoming *incoming, size_t length);
bool incoming_write(struct incoming *incoming, const void *bytes, size_t length);

/* The head has come: it will be read. The incoming is not the caller's any more, also where it fails. May
 * take long. id: 33 bytes. */
bool imports_read(struct imports *imports, struct incoming *incoming, char *id, struct err *err);
void imports_abort(struct imports *imports, struct incoming *incoming);

/* ---- artifacts ---- */

/* Finds what this import lacks, and by the digest of which contents; it stays until it is released.
 * ERR_NOT_FOUND: no such import, or it lacks no such thing; ERR_CONFLICT: it is not open. */
bool imports_take(struct imports *imports, const char *id, const struct digest *digest, enum format format,
	struct incoming **out, struct lacked *lacked, struct digest *bundle, struct err *err);

/* It was staged; or what has come is wrong, and why, which the record will tell. */
void imports_note_staged(struct imports *imports, struct incoming *incoming, const struct lacked *lacked);
void imports_note_faulty(struct imports *imports, struct incoming *incoming, const struct lacked *lacked,
	const struct err *why);
void imports_release(struct imports *imports, struct incoming *incoming);

/* Visits up to limit of what an import lacks, from a place on (0 at first): *place is that of the next then,
 * or -1. */
bool imports_list_lacking(struct imports *imports, const char *id, int64_t *place, size_t limit,
	void (*visit)(void *context, const struct lacked *lacked), void *context, struct err *err);

/* ---- all of it ---- */

/* ERR_NOT_FOUND. *out is to be finished. */
bool imports_show(struct imports *imports, const char *id, struct incoming_view *out, struct err *err);
/* How many there are, each of which is to be finished. */
size_t imports_list(struct imports *imports, struct incoming_view out[IMPORTS_OPEN_MAX]);

/* Has it recorded; ERR_CONFLICT where it is not open. Once it has ended it may be recorded again: what came
 * meanwhile counts. */
bool imports_record(struct imports *imports, const char *id, bool partial, struct err *err);

/* Ends it, whatever it does; what was staged stays for a while. ERR_NOT_FOUND. */
bool imports_drop(struct imports *imports, const char *id, struct err *err);

#endif
