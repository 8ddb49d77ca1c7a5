/* SPDX-License-Identifier: Apache-2.0
 *
 * The response cache ("hot table"): replies kept ready by the target of the request line, so that threads of
 * the front answer again without a worker, a query or a file to open. Bounded in replies, bytes and
 * descriptors. Who makes a reply untrue must have its label forgotten here before saying so. */
#ifndef SERVER_HTTP_FAST_HOT_H
#define SERVER_HTTP_FAST_HOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/http/reply.h"

struct MHD_Response;
struct hot;

enum {
	HOT_TARGET_MAX = 512,
	HOT_BODY_MAX = 64 << 10,
	HOT_HEAD_MAX = 4 << 10,
	HOT_FIELDS_MAX = HOT_HEAD_MAX - 512
};

struct hot_limits {
	unsigned replies;
	unsigned files; /* replies whose body is an open file */
	int64_t bytes;  /* of memory, bodies included */
};

/* Immutable but for the last part; lives until the table and all who send it have let go. */
struct hot_reply {
	char *target;
	char *log_path;
	char *note;
	int status;
	int64_t size;
	bool is_file;
	struct MHD_Response *response; /* shared by all who send it; owns body and fd */
	const char *body; /* a file is mapped, for small parts of it; NULL where it could not be */
	int fd;
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
	uint32_t hash;     /* from here on guarded by the table's lock */
	unsigned slot;
	struct hot_reply *next; /* in its bucket, or in a list of those that are let go */
};

struct hot *hot_create(const struct hot_limits *limits);
/* Nobody may be sending any more; takes NULL. */
void hot_destroy(struct hot *hot);

/* Where the table's history stands. Taken before anything is looked up for a reply, it tells hot_keep whether
 * something was forgotten meanwhile. */
uint64_t hot_ticket(struct hot *hot);

/* Keeps the reply (made by the caller, held once, now the table's), unless anything has been forgotten since
 * the ticket, the target is there already, or the reply is too large. */
void hot_keep(struct hot *hot, uint64_t ticket, struct hot_reply *reply);

/* From its return on no reply of this label is found. */
void hot_forget(struct hot *hot, const char *label);

/* The reply for a target, held for the caller until hot_release; NULL. A hot of NULL has none. */
struct hot_reply *hot_find(struct hot *hot, const char *target);
void hot_release(struct hot_reply *reply);

#endif
