/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that stand in a draft, one behind the other or each in its own, and the one archive that the same
 * files always become.
 */
#ifndef SERVER_REGISTRY_PIECES_H
#define SERVER_REGISTRY_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/archives/tarball.h"

/* A file, from its first byte in the draft on. */
struct piece {
	char *path; /* relative, in normal form */
	int64_t offset;
	int64_t size_bytes;
	int fd; /* of a draft of its own, which is not the piece's to close; -1: the draft that all stand in
		 */
};

/* All zero to begin with; finish frees what they hold. */
struct pieces {
	struct piece *items;
	size_t count;
	size_t capacity;
};

/* An empty one; good until the next one is added. */
struct piece *pieces_add(struct pieces *pieces, const char *path, int64_t offset);

/* NULL: there is none of this path. */
const struct piece *pieces_find(const struct pieces *pieces, const char *path);

/* Writes the archive from the draft's descriptor, and sorts them for that. Fails as the sink and reading do.
 */
bool pieces_write(struct pieces *pieces, int fd, const struct tarball_sink *sink, struct err *err);

void pieces_finish(struct pieces *pieces);

#endif
