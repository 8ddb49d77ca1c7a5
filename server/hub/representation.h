/* SPDX-License-Identifier: Apache-2.0
 *
 * What all answers with bytes that are here have in common: conditions, ranges, and the headers by which
 * clients and caches know them again. */
#ifndef SERVER_HUB_REPRESENTATION_H
#define SERVER_HUB_REPRESENTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"

/* Values of Cache-Status (RFC 9211), told apart by their address. */
extern const char cache_status_hit[];
extern const char cache_status_stored[];
extern const char cache_status_collapsed[];
extern const char cache_status_miss[]; /* nothing is fetched: HEAD */

struct representation {
	int *fd; /* the bytes from the first on; taken where they are sent */
	int64_t size_bytes;
	int64_t modified_at;
	const char *etag; /* strong, quoted */
	const char *media_type;
};

/* The strong entity tag of bytes with this digest. */
struct digest_tag {
	char text[80];
};
struct digest_tag representation_tag(const struct digest *digest);

/* Repr-Digest, and the MD5 for x-goog-hash where it is known. */
void representation_add_digests(const struct checksums *checksums, struct reply *reply);

/* Answers 200, 206, 304, 412 or 416, with ETag, Last-Modified, Accept-Ranges and caching. False for a
 * refusal, which gets no more headers. */
bool representation_reply(const struct services *services, const struct request *request,
	const struct representation *representation, const char *cache_status, struct reply *reply);

/* Cache-Control of what never changes. */
void representation_add_caching(const struct services *services, struct reply *reply);

/* Opens what a fill has just kept; it is not fetched again. ERR_BUSY if it is gone already. */
bool representation_open_kept(
	const struct services *services, const struct name *name, struct holding *out, struct err *err);

#endif
