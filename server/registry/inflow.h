/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that a client sends, on their way into a spool: in large pieces, and within the room that is claimed
 * for them. Taking bytes waits for nobody; what may take long, finding room for more, is a step of its own.
 */
#ifndef SERVER_REGISTRY_INFLOW_H
#define SERVER_REGISTRY_INFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/registry/space.h"
#include "server/store/spool.h"

/* Its owner reads length; the rest is this room's. */
struct inflow {
	struct space *space;
	struct spool *spool; /* NULL before inflow_open */
	struct claim claim;
	int64_t length;        /* of all that was taken */
	struct buffer waiting; /* taken, and not in the spool yet */
	bool disk_is_full;     /* … which had no room for it */
};

/* Claims room for so many bytes (-1: not told); unlimited: storage.max_bytes does not bound them. What others
 * have claimed is not waited for: ERR_NO_SPACE. May take long. finish gives the claim back, whatever came of
 * open. */
bool inflow_open(struct inflow *inflow, struct space *space, int64_t length, bool unlimited, struct err *err);
void inflow_finish(struct inflow *inflow);

/* Whether so many bytes more may be put now. */
bool inflow_has_room(const struct inflow *inflow, size_t length);

/* Finds room for them; ERR_NO_SPACE. May take long. */
bool inflow_make_room(struct inflow *inflow, size_t length, struct err *err);

/* Takes bytes, for which there is room. */
bool inflow_put(struct inflow *inflow, const void *bytes, size_t length, struct err *err);

/* All are in the spool. May take long. */
bool inflow_flush(struct inflow *inflow, struct err *err);

#endif
