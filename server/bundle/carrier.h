/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle is read from: an image layout in a folder, in a tar that is not compressed, or in the pieces
 * of one. Whoever made it is a stranger: nothing is read but index.json, oci-layout and blobs by their
 * digests, no link is followed, and nothing is believed of a size before it is limited. */
#ifndef SERVER_BUNDLE_CARRIER_H
#define SERVER_BUNDLE_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/bundle/contents.h"
#include "server/bundle/scratch.h"

struct carrier;

/* Of a tar all headers are read, in whatever order its members stand; a list of them is kept at scratch.
 * ERR_NOT_FOUND, ERR_BAD_REQUEST with what to do about it; ERR_NO_SPACE. close takes NULL. */
bool carrier_open(
	const char *path, const struct scratch_place *scratch, struct carrier **out, struct err *err);
/* The same of a tar that is open, and stays the caller's: by this name it is told of. stop, which may be NULL
 * and must outlive it: once it is set, whatever is read of it fails with ERR_BUSY. */
bool carrier_open_file(int fd, const char *name, const struct scratch_place *scratch,
	const _Atomic bool *stop, struct carrier **out, struct err *err);
void carrier_close(struct carrier *carrier);
AUTO_CLEANER(own_carrier, struct carrier *, carrier_close)
#define AUTO_CARRIER AUTO(own_carrier)

/* Of a tar in pieces: reads all of them for their digests, so that all that are damaged are named at once;
 * else true. shown may be NULL. */
bool carrier_prove_pieces(struct carrier *carrier, void (*shown)(void *context, int64_t done, int64_t total),
	void *context, struct err *err);

/* Appends the text of index.json; ERR_TOO_LARGE where that has more than limit bytes. */
bool carrier_read_index(struct carrier *carrier, size_t limit, struct buffer *out, struct err *err);

/* Whether a blob is there, with as many bytes as it is said to have. */
bool carrier_check(struct carrier *carrier, const struct bundle_blob *blob, struct err *err);

/* A blob's bytes, as a stream. That they have the digest is known at the stream's end only, which else fails
 * with ERR_DIGEST_MISMATCH, and names the file whose copy is damaged. */
struct carrier_blob {
	struct stream stream;
	struct carrier *carrier;
	struct digest digest;
	int fd;         /* of a folder's blob; -1 */
	int64_t offset; /* where the blob begins */
	int64_t size_bytes;
	int64_t done_bytes;
	bool trusting; /* the caller holds the bytes against the digest himself */
	struct hasher *hasher;
	uint8_t *block;
};
bool carrier_open_blob(
	struct carrier *carrier, const struct bundle_blob *blob, struct carrier_blob *out, struct err *err);
void carrier_close_blob(struct carrier_blob *blob);
#define AUTO_CARRIER_BLOB AUTO(carrier_close_blob)

/* Up to length of its bytes from an offset on, without regard to what the stream has given. */
bool carrier_read_at(struct carrier_blob *blob, int64_t offset, void *bytes, size_t length, size_t *out_read,
	struct err *err);

/* What is said where the bytes are not those of the digest. Always false. */
bool carrier_blob_refuse(const struct carrier_blob *blob, struct err *err);

/* Appends a small blob, whole and as its digest says; ERR_TOO_LARGE over the limit. */
bool carrier_read_blob(struct carrier *carrier, const struct bundle_blob *blob, size_t limit,
	struct buffer *out, struct err *err);

/* Reads a blob to its end, for its digest. */
bool carrier_prove_blob(struct carrier *carrier, const struct bundle_blob *blob, struct err *err);

#endif
