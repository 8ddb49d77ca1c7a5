/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TF.js model.json says of its weights and of what it takes and gives, read as a stream: the rest of
 * it, however much, passes by. */
#ifndef SERVER_MODULE_FORMATS_MANIFEST_H
#define SERVER_MODULE_FORMATS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/module/formats/outline.h"

/* Limits on model.json; the bytes of the manifest are those of its groups and names in memory. */
enum {
	MANIFEST_JSON_BYTES_MAX = 64 << 20,
	MANIFEST_BYTES_MAX = 1 << 20,
	MANIFEST_TEXT_BYTES_MAX = 512 << 10, /* of one string or number */
	MANIFEST_DEPTH_MAX = 2048
};

enum declared { DECLARED_SIZE, DECLARED_UNKNOWN, DECLARED_NONSENSE };

struct manifest_group {
	size_t names_at; /* of the first shard's name in names */
	size_t name_count;
	enum declared declared;
	int64_t declared_bytes;
};

struct manifest {
	bool has_topology;
	bool has_weights; /* a weightsManifest, which null is none */
	bool is_array;    /* as it should be */
	struct manifest_group *groups;
	size_t group_count;
	size_t group_capacity;
	struct buffer names; /* each with its NUL */
	struct outline outline;
};

/* Reads model.json to its end, as JavaScript does: numbers may be of any size, half surrogates stand for what
 * they cannot say, of a key that is given twice the last counts. The caller owns *out. ERR_INVALID_MODULE
 * where it is no JSON, or beyond the limits; the stream's own errors pass through. */
bool manifest_read(struct stream *stream, struct manifest **out, struct err *err);

/* Takes NULL. */
void manifest_destroy(struct manifest *manifest);
AUTO_CLEANER(own_manifest, struct manifest *, manifest_destroy)
#define AUTO_MANIFEST AUTO(own_manifest)

#endif
