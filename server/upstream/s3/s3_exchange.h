/* SPDX-License-Identifier: Apache-2.0
 *
 * One signed request to a bucket's store and its answer, on a connection that is kept. It judges nothing:
 * what a status means, and whether to ask again, is the bucket's business. Redirects are not followed: what
 * is signed is for one host. */
#ifndef SERVER_UPSTREAM_S3_S3_EXCHANGE_H
#define SERVER_UPSTREAM_S3_S3_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/own.h"
#include "server/upstream/s3/bucket_settings.h"

enum { S3_ETAG_MAX = 128 };

struct s3_channel;

/* For one thread at a time. The settings must outlive it. destroy takes NULL. */
struct s3_channel *s3_channel_create(const struct bucket_settings *settings);
void s3_channel_destroy(struct s3_channel *channel);
AUTO_CLEANER(own_s3_channel, struct s3_channel *, s3_channel_destroy)

/* What is sent: bytes in memory, or where bytes is NULL a part of a file. */
struct s3_body {
	const void *bytes;
	int fd;
	int64_t offset;
	int64_t length;
	const char *sha256;      /* 64 digits; NULL: the body has no bytes */
	const atomic_bool *stop; /* ends the request once it is true; NULL: nobody does */
};

/* Who takes the body of an object as it comes. False ends it. */
struct s3_receiver {
	bool (*body)(void *context, const void *bytes, size_t length);
	void *context;
};

/* A part of an object: from first on so many bytes, or where it has fewer, and for -1, to its end. */
struct s3_range {
	int64_t first;
	int64_t length;
};

struct s3_request {
	const char *method;
	const char *url;
	const char *header;           /* one more line, such as "If-None-Match: *"; NULL: none */
	bool object;                  /* all of what is asked for must come, and nothing else: */
	const struct s3_range *range; /* … this part of an object; NULL: the whole */
	const char *etag;             /* … of the object with this etag; NULL: of any */
	struct s3_body body;
	const struct s3_receiver *receiver; /* NULL: the body is gathered, */
	size_t body_max;                    /* … up to here */
	int64_t silence_s; /* how long the store may think it over without a byte; 0: as the settings say */
};

struct s3_answer {
	int status;
	char etag[S3_ETAG_MAX]; /* as it is told; "" where it is not */
	int64_t length;         /* of its body; -1 where it is not told */
	int64_t range_first;    /* of a Content-Range; -1 without one; so for the next */
	int64_t range_last;
	int64_t range_total;
	int64_t date_s;     /* the store's clock; 0 where it is not told */
	int64_t modified_s; /* so of the object */
	int64_t taken;      /* bytes that the receiver took */
	bool asked;     /* there was a connection: the request may have arrived, also where no answer came */
	bool declined;  /* the receiver wants no more, or the request was to stop */
	bool oversized; /* a success with more than body_max */
	struct buffer body;
};

/* Sends it and waits for the whole answer. True for one of whatever status; else ERR_UPSTREAM_UNREACHABLE,
 * ERR_UPSTREAM_FAILED (cut off, too large, declined, another object or part than was asked for) or
 * ERR_BAD_REQUEST (no credentials). *out is to be finished either way. */
bool s3_exchange(
	struct s3_channel *channel, const struct s3_request *request, struct s3_answer *out, struct err *why);
void s3_answer_finish(struct s3_answer *answer);

#endif
