/* SPDX-License-Identifier: Apache-2.0
 *
 * A blob that is read again at a bounded rate, and held against its digest on the way. */
#ifndef SERVER_REGISTRY_PACED_BLOB_H
#define SERVER_REGISTRY_PACED_BLOB_H

#include "common/digest.h"
#include "server/registry/blob_stream.h"

/* One rate for all that is read, one after the other. */
struct read_rate {
	int64_t bytes_per_s; /* 0: none */
	int64_t next_us;     /* when the next piece may be read */
};

struct paced_blob {
	struct stream stream;
	struct blob_stream source;
	struct read_rate *rate;
	struct hasher *hasher;
};

/* As blob_stream_init(). To be finished. */
struct stream *paced_blob_init(
	struct paced_blob *blob, int fd, const atomic_bool *stop, struct read_rate *rate);
void paced_blob_finish(struct paced_blob *blob);

/* Reads what is left of it. ERR_INTERNAL where it is not what this digest is of. */
bool paced_blob_verify(struct paced_blob *blob, const struct digest *digest, struct err *err);

#endif
