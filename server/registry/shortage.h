/* SPDX-License-Identifier: Apache-2.0
 *
 * How much must go before more fits: the arithmetic of the disk's limits, and its words. */
#ifndef SERVER_REGISTRY_SHORTAGE_H
#define SERVER_REGISTRY_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct space_limits {
	int64_t max_bytes; /* of what is mirrored, being filled and unpacked; 0: no limit */
	int64_t keep_free_bytes;
	const char *max_key; /* what the first is called in the configuration; NULL: "storage.max_bytes" */
};

/* What is taken, promised and left, at one moment. */
struct figures {
	int64_t mirrored;
	int64_t reclaimable;
	int64_t free;
	int64_t limited; /* claims that max_bytes bounds */
	int64_t ahead;   /* of all claims: not on the disk yet */
	int64_t owed;    /* evicted, and not given back by the file system yet */
};

struct shortage {
	int64_t bytes;  /* until so many more fit; not above zero where they do */
	int64_t needed; /* to be evicted for it: without what is owed */
	bool for_disk;  /* what frees nothing on the disk is of no use */
};

/* Before more bytes fit; unlimited: max_bytes does not matter. */
struct shortage shortage_of(
	const struct space_limits *limits, const struct figures *figures, bool unlimited, int64_t more);

/* The same of keep_free_bytes alone. */
int64_t shortage_of_free(const struct space_limits *limits, const struct figures *figures, int64_t more);

/* False with ERR_NO_SPACE and the limit that does not hold; linked_bytes: of what could go and would free
 * nothing. */
bool shortage_refuse(const struct space_limits *limits, const struct figures *figures, bool unlimited,
	int64_t more, int64_t linked_bytes, struct err *err);

#endif
