/* SPDX-License-Identifier: Apache-2.0
 *
 * The want list: what was asked for while mirror.offline was on. It is noted in memory and written in
 * batches, so that a miss costs no transaction, and so that no flood of nonsense costs more than its share.
 */
#ifndef SERVER_REGISTRY_WANTS_H
#define SERVER_REGISTRY_WANTS_H

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct wants;

/* The catalog must outlive it. destroy writes what is left; takes NULL. */
struct wants *wants_create(struct catalog *catalog);
void wants_destroy(struct wants *wants);
AUTO_CLEANER(own_wants, struct wants *, wants_destroy)
#define AUTO_WANTS AUTO(own_wants)

/* Somebody (client_key) has asked for what cannot be fetched now. Never blocks for the database; what is one
 * too many until the next writing is not noted. */
void wants_note(struct wants *wants, const struct name *name, const char *client);

/* Writes what was noted, on a thread that may wait for the database; what could not be written stays noted.
 */
bool wants_write(struct wants *wants, struct err *err);

/* Forgets what was noted and is not written yet. */
void wants_drop(struct wants *wants);

#endif
