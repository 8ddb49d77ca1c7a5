/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of a TensorFlow checkpoint ("tensor bundle"): a table in LevelDB's format. */
#ifndef SERVER_MODULE_SAVEDMODEL_BUNDLE_H
#define SERVER_MODULE_SAVEDMODEL_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"

/* Where a tensor's bytes lie. */
struct bundle_entry {
	uint64_t shard;
	uint64_t offset;
	uint64_t bytes;
};

/* Shows each entry to the visitor until it answers false, which ends the reading with its error; *out_shards
 * is how many shards the header says there are. ERR_INVALID_MODULE, with the reason as a part of a sentence,
 * where it is no such table. Blocks that are compressed are not looked into: without the header's, it is 0.
 * visit may be NULL. */
bool bundle_read(const struct buffer *index, int64_t *out_shards,
	bool (*visit)(void *context, const struct bundle_entry *entry, struct err *err), void *context,
	struct err *err);

#endif
