/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages in memory, of the types in server/module/savedmodel/fields.h, merged as protobuf merges: the last
 * scalar wins, repeated fields are concatenated, sub-messages merged, of a oneof the last member stays. All
 * of them live in one bounded pool and are freed with it; what does not fit is left out and the pool says so.
 */
#ifndef SERVER_MODULE_SAVEDMODEL_MESSAGE_H
#define SERVER_MODULE_SAVEDMODEL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/savedmodel/fields.h"
#include "server/module/savedmodel/protoschema.h"

struct message;
struct chunk;

struct item {
	struct item *next; /* of its field; never taken out, so it has no other links */
	union {
		const char *string;
		const struct message *message;
	};
};

/* How far a pool has grown. */
struct pool_mark {
	struct chunk *chunk;
	size_t chunk_used;
	size_t held; /* bytes taken from bytes_left */
};

struct pool {
	/* Shown each complete element of a FIELD_STREAMED field; says whether the pool is to keep it. One
	 * that is not kept is gone after the call. NULL is one that there was no room for. */
	bool (*element)(void *listener, const struct message_type *type, const struct message *element);
	void *listener;
	const struct proto_type
		*schema;   /* of the outermost message: what is not read is held against it; may be NULL */
	char odd_name[64]; /* of text: the first field, or name of a value, that the schema lacks; "" */
	bool odd_is_value;
	size_t bytes_left; /* what may still be allocated; the owner may take from it as well */
	size_t visits_left;
	bool truncated; /* something was left out */
	int64_t tallies[TALLY_COUNT];
	struct pool_mark top;
};

/* Takes bytes from what is left, for something kept or done outside of the pool; false, and truncated, where
 * there is less. */
bool pool_charge(struct pool *pool, size_t bytes);

/* Zeroed memory that lives as long as the message that is being filled; NULL, and truncated, where there is
 * no room. */
void *pool_allocate(struct pool *pool, size_t bytes);
struct message *message_create(struct pool *pool, const struct message_type *type);
void pool_finish(struct pool *pool);

/* Sets a field that is no string or message; doubles travel as their bits. */
void message_set_number(struct message *message, const struct field *field, uint64_t bits);

/* Sets or adds a copy of a string; NULL is one that is too long to be kept. ERR_INVALID_MODULE if it is no
 * UTF-8, or contains a NUL. */
bool message_set_string(struct pool *pool, struct message *message, const struct field *field,
	const char *bytes, size_t length, struct err *err);

/* Sets or adds the first FIELD_BYTES_MAX of these bytes, as text. */
void message_set_bytes(struct pool *pool, struct message *message, const struct field *field,
	const char *bytes, size_t length);

/* False where the message has as many elements of this field as there may be. */
bool message_may_open(const struct message *message, const struct field *field, struct err *err);

/* An inner message while it is filled. */
struct inner {
	struct message *message; /* NULL: no room; what is in it is counted, not kept */
	struct pool_mark before;
};
struct inner message_open(struct pool *pool, struct message *message, const struct field *field);
void message_close(
	struct pool *pool, struct message *message, const struct field *field, const struct inner *inner);

/* Fills a message from the wire format, to the stream's end. */
bool message_read(struct pool *pool, struct message *message, struct stream *stream, struct err *err);

const struct message_type *message_type(const struct message *message);

/* Reading takes NULL for an absent message, and gives protobuf's defaults for absent fields. */
bool message_has(const struct message *message, uint32_t number);
int64_t message_integer(const struct message *message, uint32_t number);
double message_double(const struct message *message, uint32_t number);
const char *message_string(const struct message *message, uint32_t number);
const struct message *message_inner(const struct message *message, uint32_t number);
const struct item *message_items(const struct message *message, uint32_t number);

/* Which member of the oneof in slot 0 is set; 0 if none is. */
uint32_t message_oneof(const struct message *message);

/* The entries of a FIELD_MAP, sorted by key, of those with one key the last; the caller frees the array (NULL
 * if empty). */
const struct message **message_map(const struct message *message, uint32_t number, size_t *count);

#endif
