/* SPDX-License-Identifier: Apache-2.0
 *
 * Artifacts of a store whose files are not what they were, or are gone, as an export finds them. */
#ifndef SERVER_BUNDLE_DAMAGE_H
#define SERVER_BUNDLE_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "server/bundle/digest_set.h"

enum { DAMAGES_NAMED_MAX = 10000 };

struct damage {
	char *what; /* "acme/x/1 (tf-hub)" */
	char *why;
};

struct damages {
	struct digest_set digests;
	struct damage *items; /* the first DAMAGES_NAMED_MAX */
	size_t named;
	size_t count;
};
/* scratch must outlive them: which blobs it are is noted there. finish takes those that are all zeros. */
void damages_init(struct damages *damages, const struct scratch_place *scratch);
void damages_finish(struct damages *damages);

/* Several artifacts may have the same blob. ERR_NO_SPACE. */
bool damages_add(struct damages *damages, const struct digest *digest, const char *what, const char *why,
	struct err *err);
bool damages_has(const struct damages *damages, const struct digest *digest);

#endif
