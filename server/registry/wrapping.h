/* SPDX-License-Identifier: Apache-2.0
 *
 * What the body of an answer is, whatever its labels say: its first bytes decide before anything is begun.
 * One Content-Encoding is taken off where the module is inside; an archive whose gzip is gone for good gets
 * one. */
#ifndef SERVER_REGISTRY_WRAPPING_H
#define SERVER_REGISTRY_WRAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/upstream/client.h"

enum wrapped {
	WRAPPED_UNDECIDED, /* more bytes are needed */
	WRAPPED_NOT,       /* the bytes are the object, whatever the labels say */
	WRAPPED_CODED,     /* they are the object in a coding, which wrapping_convert takes off */
	WRAPPED_PAGE,      /* a page, and no object */
	WRAPPED_STRIPPED   /* a plain tar where a tar.gz belongs, which wrapping_convert makes of it */
};

/* What the bytes are to be. */
enum wrapping_content {
	CONTENT_ARCHIVE, /* a tar.gz */
	CONTENT_MODEL,   /* a .tflite */
	CONTENT_FILE     /* one file of a module: whatever is no page */
};

/* Whether the first bytes of such an answer have a say. */
bool wrapping_is_possible(const struct answer *answer, enum wrapping_content content);

/* Whether an answer to HEAD, or a head alone, to a request that accepts gzip shows that the object has its
 * length: nothing says that it is coded, that a store would take its coding off, or that it is a plain tar.
 */
bool wrapping_keeps_length(const struct answer *answer);

struct wrapping;

/* destroy takes NULL. */
struct wrapping *wrapping_create(const struct answer *answer, enum wrapping_content content);
void wrapping_destroy(struct wrapping *wrapping);
AUTO_CLEANER(own_wrapping, struct wrapping *, wrapping_destroy)
#define AUTO_WRAPPING AUTO(own_wrapping)

/* Looks at the next bytes, and holds them until it is decided; with end there are no more, and it decides. */
enum wrapped wrapping_look(struct wrapping *wrapping, const void *bytes, size_t length, bool end);

/* Once decided: the head as it is of the object that comes out, and what has been held. Where the bytes are
 * the object it is as it came; what was said of others is for wrapping_end to check. */
const struct answer *wrapping_answer(const struct wrapping *wrapping);
const void *wrapping_held(const struct wrapping *wrapping, size_t *length);

/* Where the bytes of the object go; false stops. */
struct wrapping_sink {
	bool (*take)(void *context, const void *bytes, size_t length);
	void *context;
};

/* Makes the object of the next bytes that came; false with *err where their coding is broken or swells
 * without measure, without where the sink stopped it. */
bool wrapping_convert(struct wrapping *wrapping, const void *bytes, size_t length,
	const struct wrapping_sink *sink, struct err *err);

/* All bytes have come: whether a coding has come to its end, and what upstream said of its bytes holds, of
 * those that came or those inside. ERR_UPSTREAM_FAILED, or as wrapping_convert. */
bool wrapping_end(struct wrapping *wrapping, const struct wrapping_sink *sink, struct err *err);

#endif
