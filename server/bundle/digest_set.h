/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests that were seen, in 16 bytes each: of our own making, so that their first bytes tell them apart. */
#ifndef SERVER_BUNDLE_DIGEST_SET_H
#define SERVER_BUNDLE_DIGEST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

struct digest_set {
	uint64_t *slots; /* 0: free */
	size_t count;
	size_t capacity; /* a power of two */
};
void digest_set_finish(struct digest_set *set);

/* False where it was there already. */
bool digest_set_add(struct digest_set *set, const struct digest *digest);
bool digest_set_has(const struct digest_set *set, const struct digest *digest);

#endif
