/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests that were seen, in 11 to 22 bytes each: 64 bits under a secret that no other set has tell them
 * apart. However many there are, memory does not grow: beyond DIGEST_SET_HELD_BYTES the table is in a file
 * without a name. */
#ifndef SERVER_BUNDLE_DIGEST_SET_H
#define SERVER_BUNDLE_DIGEST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/siphash.h"
#include "server/bundle/scratch.h"

enum { DIGEST_SET_HELD_BYTES = 512 << 10 };

struct digest_set {
	const struct scratch_place *scratch; /* the caller's */
	struct siphash_key secret;
	uint64_t *slots; /* 0: free */
	size_t count;
	size_t capacity; /* a power of two */
};
void digest_set_init(struct digest_set *set, const struct scratch_place *scratch);
/* Takes one that is all zeros. */
void digest_set_finish(struct digest_set *set);

/* *is_new is false where it was there already. ERR_NO_SPACE. */
bool digest_set_add(struct digest_set *set, const struct digest *digest, bool *is_new, struct err *err);
bool digest_set_has(const struct digest_set *set, const struct digest *digest);

#endif
