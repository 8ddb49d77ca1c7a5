/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket of an S3-compatible store: objects by key, created once or exchanged only where nobody else has.
 * Requests are asked again where that is safe; what became of them is told in kinds, not statuses. Calls wait
 * for the network. Keys are at most BUCKET_KEY_MAX of [a-z0-9._/-], names between single slashes; others are
 * refused. They stand below the prefix of the settings. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_H
#define SERVER_UPSTREAM_S3_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/own.h"
#include "server/upstream/s3/bucket_settings.h"
#include "server/upstream/s3/bucket_terms.h"
#include "server/upstream/s3/s3_exchange.h"

struct bucket;

/* For any number of threads. The settings must outlive it. destroy takes NULL, once nobody uses it. */
struct bucket *bucket_create(const struct bucket_settings *settings);
void bucket_destroy(struct bucket *bucket);
AUTO_CLEANER(own_bucket, struct bucket *, bucket_destroy)
#define AUTO_BUCKET AUTO(own_bucket)

/* Whether the store compares an If-Match without the quotes that it tells ETags with: the probe finds out.
 * Before others use the bucket. */
void bucket_set_bare_etags(struct bucket *bucket, bool bare);

/* Stores an object. facts may be NULL, so in the calls below: only its etag is told here. With a condition a
 * lost answer is BUCKET_AMBIGUOUS. */
enum bucket_outcome bucket_put(struct bucket *bucket, const char *key, const struct s3_body *body,
	const struct bucket_condition *condition, struct bucket_facts *facts, struct err *why);

/* Streams an object, or from first on as many bytes (-1: to its end). An answer that is cut off is gone on
 * with where the object is still the same. */
enum bucket_outcome bucket_get(struct bucket *bucket, const char *key, int64_t first, int64_t length,
	const struct s3_receiver *receiver, struct bucket_facts *facts, struct err *why);

/* Appends a small object to *out; BUCKET_OVERSIZED where it has more bytes than limit. */
enum bucket_outcome bucket_read(struct bucket *bucket, const char *key, size_t limit, const atomic_bool *stop,
	struct buffer *out, struct bucket_facts *facts, struct err *why);

enum bucket_outcome bucket_head(struct bucket *bucket, const char *key, const atomic_bool *stop,
	struct bucket_facts *facts, struct err *why);

/* Removes an object; done too where there is none. Stores do not hold to conditions here. */
enum bucket_outcome bucket_delete(struct bucket *bucket, const char *key, struct err *why);

/* Lists a page, in the order of keys; *more: there is another. BUCKET_REFUSED where the store lists another
 * than was asked for: keys that do not begin so, are not in order, or are not behind the last one. */
enum bucket_outcome bucket_list(struct bucket *bucket, const struct bucket_page *page, bool *more,
	struct bucket_facts *facts, struct err *why);

#endif
