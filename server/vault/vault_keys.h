/* SPDX-License-Identifier: Apache-2.0
 *
 * What the objects of a bucket are called: one room has all of it. A handle stands in keys as "base32hex"
 * (RFC 4648, section 7) in small letters without padding, which sorts as its bytes do, in pieces of at most
 * VAULT_KEY_PIECE letters between slashes: stores that keep a name as a file's take no longer one.
 *
 *     blobs/sha256/<2>/<64 hex>           the bytes
 *     ids/<handle>/<version>/<format>     what they are, for ever (created once)
 *     published/<handle>/<version>/<format>  … and that somebody published what had been mirrored (once)
 *     gone/<handle>/<version>             a tombstone (created once)
 *     leases/<handle>/<version>/<format>  who fetches it
 *     feed/<16 hex>-…                     what has changed, by time
 *     store-id                            which bucket it is (store_identity.h)
 *
 * and notes (bucket_notes.h), the last agreed writer's:
 *
 *     docs/<handle>/<version>             documentation
 *     holds/<handle>/<version>            what is held back, and what was decided of that
 *     tokens/<name>, pins/<pattern>       these stand where handles do
 */
#ifndef SERVER_VAULT_VAULT_KEYS_H
#define SERVER_VAULT_VAULT_KEYS_H

#include <stdbool.h>

#include "common/digest.h"
#include "server/module/name.h"
#include "server/upstream/s3/bucket_terms.h"

enum { VAULT_KEY_PIECE = 200 };

enum vault_kind {
	VAULT_IDS,
	VAULT_PUBLISHED,
	VAULT_LEASES, /* these have a format, the others none: */
	VAULT_GONE_MARKS,
	VAULT_DOCS,
	VAULT_HOLDS, /* so far with a version, and then without: */
	VAULT_TOKENS,
	VAULT_PINS,
	VAULT_KIND_COUNT
};

struct vault_key {
	char text[BUCKET_KEY_MAX + 1];
};

/* Of a blob; of a name, whose format counts where that kind of object has one. */
struct vault_key vault_key_blob(const struct digest *digest);
struct vault_key vault_key_of(enum vault_kind kind, const struct name *name);

/* What the keys of all objects of a kind begin with ("ids/"), and those of one version's ("ids/<handle>/1/").
 * A kind without versions has none. */
const char *vault_keys_under(enum vault_kind kind);
struct vault_key vault_keys_of_version(enum vault_kind kind, const struct name *name);

/* So of all versions of a handle; keys of others may begin so, too. */
struct vault_key vault_keys_of_handle(enum vault_kind kind, const struct name *name);

/* Reads the name back; false for what is no key of that kind, or not the one spelling of it. The format is
 * left alone where the kind has none, and so is the version. */
bool vault_key_read(enum vault_kind kind, const char *key, struct name *out);

#endif
