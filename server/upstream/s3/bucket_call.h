/* SPDX-License-Identifier: Apache-2.0
 *
 * What all requests to a bucket have in common: URLs of keys, a channel from the pool, asking again, and what
 * an answer means. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_CALL_H
#define SERVER_UPSTREAM_S3_BUCKET_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/list.h"
#include "common/lock.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/upstream/s3/bucket_settings.h"
#include "server/upstream/s3/bucket_terms.h"

enum { CHANNELS_MAX = 16 };

struct bucket {
	struct lock mutex; /* guards the channels that rest */
	struct s3_channel *resting[CHANNELS_MAX];
	size_t resting_count;
	const struct bucket_settings *settings;
	bool bare_etags; /* set before others use it */
};

struct bucket_call {
	enum metric kind;
	struct s3_request request; /* its url is the call's to set */
	const char *key;           /* NULL: the bucket itself */
	const char *query;         /* "a=b&c=d", sorted; NULL: none */
	bool once; /* it cannot be asked again where it may have arrived: a lost answer is ambiguous */
};

/* Performs it. *out, zeroed before, is to be finished, whatever the outcome. ERR_BUSY, ERR_NOT_FOUND and so
 * on in *why. */
enum bucket_outcome bucket_call(
	struct bucket *bucket, struct bucket_call *call, struct s3_answer *out, struct err *why);

/* Waits before something is tried so often: twice as long each time, and not as long as others do. */
void bucket_pause(int tried);

/* Whether an ETag tells an object from others: not empty, not weak, and nothing that a list or a pattern may
 * be. */
bool bucket_etag_tells(const char *etag);

/* So of what an answer tells of an object. */
void bucket_tell(const struct s3_answer *answer, struct bucket_facts *facts);

#endif
