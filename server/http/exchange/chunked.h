/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends a feed as chunks (RFC 9112 7.1), up to the last one, which is left to others: what it lends from its
 * file to the socket without a copy. */
#ifndef SERVER_HTTP_EXCHANGE_CHUNKED_H
#define SERVER_HTTP_EXCHANGE_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http/reply.h"
#include "server/http/sending.h"

/* Zeroed, then ops and feed set. */
struct chunked {
	const struct feed_ops *ops;
	void *feed;
	int64_t offset; /* of the feed: what comes next */
	int64_t left;   /* of the chunk that has begun */
	bool begun;     /* any */
	bool ended;
	char frame[32]; /* what stands between the bytes of two chunks, as far as it is due */
	size_t frame_length;
	size_t frame_sent;
	char *copy; /* of a feed that does not lend: a chunk with its frame, as far as it is due */
	size_t copy_length;
	size_t copy_sent;
};

/* Sends what there is and the socket takes. SENDING_STARVED: the waiter has been joined. */
enum sending chunked_next(struct chunked *chunked, int socket, struct waiter *waiter);

void chunked_finish(struct chunked *chunked);

#endif
