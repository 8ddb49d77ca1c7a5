/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of a bucket, each request with what it tells of the store's health. What is no answer becomes
 * ERR_STORE_UNAVAILABLE. */
#ifndef SERVER_VAULT_BUCKET_OBJECTS_H
#define SERVER_VAULT_BUCKET_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/upstream/s3/bucket_terms.h"

struct bucket;
struct bucket_health;

struct bucket_objects {
	struct bucket *bucket;
	struct bucket_health *health;
	const atomic_bool *stop; /* ends each request once it is true (ERR_BUSY); NULL: nobody does */
};

/* Both are false: it cannot be used now, or what was written is not there. */
bool objects_refuse_unavailable(struct err *err);
bool objects_refuse_unwritten(struct err *err);

/* Before a request, and after it: what it has come to. */
bool objects_may_ask(const struct bucket_objects *objects, struct err *err);
enum bucket_outcome objects_note(
	const struct bucket_objects *objects, bool writes, enum bucket_outcome outcome, struct err *err);

/* Whether an object is there; false in the end: nobody knows. facts may be NULL. */
bool objects_look(const struct bucket_objects *objects, const char *key, bool *out,
	struct bucket_facts *facts, struct err *err);

/* The same of a small one (RECORD_BYTES_MAX), and what it holds. */
bool objects_read(const struct bucket_objects *objects, const char *key, bool *found, struct buffer *out,
	struct err *err);

/* The same of one that is not so small. facts may be NULL. */
bool objects_read_large(const struct bucket_objects *objects, const char *key, size_t limit, bool *found,
	struct buffer *out, struct bucket_facts *facts, struct err *err);

/* A small one that is to be there only once. */
enum bucket_outcome objects_create(
	const struct bucket_objects *objects, const char *key, const char *text, struct err *err);

#endif
