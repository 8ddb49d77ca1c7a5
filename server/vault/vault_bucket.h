/* SPDX-License-Identifier: Apache-2.0
 *
 * The vault of nodes over one bucket, which is the truth. Blobs are there under their digests; a name's
 * identity and a version's tombstone are objects that are created only once, so that no two nodes can ever
 * give a name two contents. An answer that was lost is resolved by reading back whose nonce is there. */
#ifndef SERVER_VAULT_VAULT_BUCKET_H
#define SERVER_VAULT_VAULT_BUCKET_H

#include <stdint.h>

struct bucket;
struct vault;

/* The bucket, which was proved and knows how it wants its ETags, must outlive it. Who holds a lease and is
 * silent for so long loses it. */
struct vault *vault_bucket_create(struct bucket *bucket, int64_t lease_ttl_s);

#endif
