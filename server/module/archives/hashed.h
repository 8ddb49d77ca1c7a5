/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream that is hashed while somebody reads it. */
#ifndef SERVER_MODULE_ARCHIVES_HASHED_H
#define SERVER_MODULE_ARCHIVES_HASHED_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/stream.h"

struct hashed {
	struct stream stream;
	struct stream *source;
	struct hasher *hasher;
};

/* Gives the stream to be read in place of source, which must outlive it. */
struct stream *hashed_init(struct hashed *hashed, struct stream *source);
void hashed_finish(struct hashed *hashed);

/* Reads what nobody has read, and tells the SHA-256 of all. */
bool hashed_result(struct hashed *hashed, struct digest *out, struct err *err);

#endif
