/* SPDX-License-Identifier: Apache-2.0
 *
 * Blobs that are on their way out of the store, and may not go meanwhile: a folder of its own under
 * data_dir/outgoing with a hard link to each, beside whatever else is noted there till the end. Whoever
 * evicts removes his own name only. */
#ifndef SERVER_STORE_OUTGOING_H
#define SERVER_STORE_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

struct outgoing;

/* Makes the folder. close removes it with all that is in it; takes NULL. */
bool outgoing_open(const char *data_dir, struct outgoing **out, struct err *err);
void outgoing_close(struct outgoing *outgoing);
AUTO_CLEANER(own_outgoing, struct outgoing *, outgoing_close)
#define AUTO_OUTGOING AUTO(own_outgoing)

/* Holds a blob. ERR_NOT_FOUND where it is not in the store. On a disk without hard links nothing holds it,
 * and to read it may fail. */
bool outgoing_hold(struct outgoing *outgoing, const struct digest *digest, struct err *err);

/* Opens a blob that is held; the caller owns *out_fd. */
bool outgoing_read(struct outgoing *outgoing, const struct digest *digest, int *out_fd, int64_t *out_size,
	struct err *err);

/* A new, empty file without a name; the caller owns *out_fd. */
bool outgoing_make_file(struct outgoing *outgoing, int *out_fd, struct err *err);

/* Removes what processes that have died left there. Safe beside those that live. */
bool outgoing_sweep(const char *data_dir, struct err *err);

#endif
