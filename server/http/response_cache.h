/* SPDX-License-Identifier: Apache-2.0
 *
 * The response cache: replies kept ready by the target of the request line, so that the fast path answers
 * again without a worker, a query or a file to open. Bounded in replies, bytes and descriptors. Who makes a
 * reply untrue must have its label forgotten here before saying so. */
#ifndef SERVER_HTTP_RESPONSE_CACHE_H
#define SERVER_HTTP_RESPONSE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/own.h"
#include "server/http/reply.h"

struct response_cache;

enum {
	CACHED_TARGET_MAX = 512,
	CACHED_BODY_MAX = 64 << 10,
	CACHED_HEAD_MAX = 4 << 10,
	CACHED_FIELDS_MAX = CACHED_HEAD_MAX - 512
};

struct response_cache_limits {
	unsigned replies;
	unsigned files; /* replies whose body is an open file */
	int64_t bytes;  /* of memory, bodies included */
};

/* Immutable but for the last part; lives until the cache and all who send it have let go. One that is never
 * kept, but sent once, has no target, log_path, note and reuse. */
struct cached_reply {
	char *target;
	char *log_path;
	char *note;
	int status;
	int64_t size;
	bool is_file;
	bool owns_body; /* and fd; otherwise they are the reply's that it was made of */
	const char
		*body; /* a file that is kept is mapped, for small parts of it; NULL where it could not be */
	int fd;
	char status_line[64];
	size_t status_line_length;
	char *fields; /* of its head, Content-Type first; without Date and Content-Length */
	size_t fields_length;
	size_t type_length;
	char length_field[48]; /* "Content-Length: 5", and the head's end */
	size_t length_field_length;
	char *etag; /* or NULL: no conditional requests */
	int64_t modified_s;
	struct reuse reuse;

	_Atomic unsigned holders;
	_Atomic bool used; /* since the clock's hand last passed */
	uint32_t hash;     /* from here on guarded by the cache's lock */
	unsigned slot;
	struct cached_reply *next; /* in its bucket, or in a list of those that are let go */
};

struct response_cache *response_cache_create(const struct response_cache_limits *limits);
/* Nobody may be sending any more; takes NULL. */
void response_cache_destroy(struct response_cache *cache);
AUTO_CLEANER(own_response_cache, struct response_cache *, response_cache_destroy)
#define AUTO_RESPONSE_CACHE AUTO(own_response_cache)

/* Where the cache's history stands. Taken before anything is looked up for a reply, it tells
 * response_cache_keep whether something was forgotten meanwhile. */
uint64_t response_cache_ticket(struct response_cache *cache);

/* Keeps the reply (made by the caller, held once, now the cache's), unless anything has been forgotten since
 * the ticket, the target is there already, or the reply is too large. */
void response_cache_keep(struct response_cache *cache, uint64_t ticket, struct cached_reply *reply);

/* From its return on no reply of this label is found. */
void response_cache_forget(struct response_cache *cache, const char *label);

/* Holds it once more. */
struct cached_reply *cached_reply_hold(struct cached_reply *reply);

/* The reply for a target, held for the caller until cached_reply_release; NULL. A cache of NULL has none. */
struct cached_reply *response_cache_find(struct response_cache *cache, const char *target);
void cached_reply_release(struct cached_reply *reply);
AUTO_CLEANER(own_cached_reply, struct cached_reply *, cached_reply_release)
#define AUTO_CACHED_REPLY AUTO(own_cached_reply)

#endif
