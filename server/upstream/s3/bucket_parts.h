/* SPDX-License-Identifier: Apache-2.0
 *
 * A large file on its way into a bucket, in parts. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_PARTS_H
#define SERVER_UPSTREAM_S3_BUCKET_PARTS_H

#include <stdint.h>

#include "server/upstream/s3/bucket.h"

/* Stores take no smaller part but the last, and no more than 10,000. */
enum { BUCKET_PART_MIN = 5 << 20, BUCKET_PARTS_MAX = 10000 };

/* Stores a file of some length, above 0, in parts of part_bytes, or as many more as it takes, each with a
 * digest of its own; BUCKET_REFUSED, and nothing is there, where all of them have not the file's (NULL: none
 * is told). No condition: for what is named by its content. What was begun and failed is taken back, but not
 * where the store may still be putting it together (BUCKET_AMBIGUOUS, BUCKET_BUSY): a lifecycle rule has to.
 */
enum bucket_outcome bucket_put_parts(struct bucket *bucket, const char *key, const struct s3_body *file,
	int64_t part_bytes, struct err *why);

#endif
