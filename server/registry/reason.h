/* SPDX-License-Identifier: Apache-2.0
 *
 * What an upstream that fails says of it, as application/problem+json (RFC 9457): gathered within limits, and
 * made fit for our own sentence, where it stands as the words of a stranger. */
#ifndef SERVER_REGISTRY_REASON_H
#define SERVER_REGISTRY_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/upstream/client.h"
#include "server/upstream/upstream_credentials.h"
#include "server/upstream/upstream.h"

/* Longer ones are not listened to; and of what they say, so many bytes are told. */
enum { REASON_BODY_MAX = 16 << 10, REASON_TOLD_MAX = 300 };

/* All zero to begin with. */
struct reason {
	struct buffer body;
	int64_t began_ms; /* monotonic */
	bool given_up;
};

/* Whether the body behind this head may tell one. */
bool reason_is_told(const struct answer *answer);

/* Whether it is what a bucket (S3, GCS, MinIO …) answers with 403 for what it lacks, to those who may not
 * list it. */
bool reason_is_a_buckets(const struct reason *reason);

/* Takes a piece of that body; false once it is too long or takes too long, and there will be no reason. */
bool reason_add(struct reason *reason, const void *bytes, size_t length);

/* Puts the reason behind the sentence in *err, on one line and in quotation marks. Without one that can be
 * read, or where it repeats a credential of the upstream's, the sentence stays. */
void reason_append(const struct reason *reason, const struct upstream *upstream,
	const struct credentials *credentials, struct err *err);

void reason_finish(struct reason *reason);

#endif
