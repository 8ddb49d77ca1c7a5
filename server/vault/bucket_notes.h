/* SPDX-License-Identifier: Apache-2.0
 *
 * Notes in a bucket: small objects that are exchanged only where they still are what their writer has read.
 * Whoever writes one tells the others first, and they read it again for a while: a crash of his in between
 * keeps nothing from them. */
#ifndef SERVER_VAULT_BUCKET_NOTES_H
#define SERVER_VAULT_BUCKET_NOTES_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/vault/bucket_objects.h"
#include "server/vault/vault_terms.h"

/* As vault_read_note and vault_write_note (vault.h) say. */
bool bucket_notes_read(const struct bucket_objects *objects, enum vault_change change,
	const struct name *name, struct note *out, struct err *err);
bool bucket_notes_write(const struct bucket_objects *objects, enum vault_change change,
	const struct name *name, struct note *note, struct err *err);

#endif
