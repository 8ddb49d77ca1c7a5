/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests that were seen, in about 16 bytes each: 64 bits under a secret that no other set has tell them
 * apart. */
#ifndef SERVER_BUNDLE_DIGEST_SET_H
#define SERVER_BUNDLE_DIGEST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/siphash.h"

struct digest_set {
	struct siphash_key secret;
	uint64_t *slots; /* 0: free */
	size_t count;
	size_t capacity; /* a power of two */
};
void digest_set_finish(struct digest_set *set);

/* False where it was there already. */
bool digest_set_add(struct digest_set *set, const struct digest *digest);
bool digest_set_has(const struct digest_set *set, const struct digest *digest);

#endif
