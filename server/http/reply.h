/* SPDX-License-Identifier: Apache-2.0
 *
 * What a handler answers: a status, headers and one of five kinds of body. */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/waiter.h"

enum { REPLY_HEADERS_MAX = 24 };

enum reply_body {
	REPLY_EMPTY,
	REPLY_BYTES,  /* from memory */
	REPLY_FILE,   /* part of a file, by sendfile */
	REPLY_STREAM, /* pulled from a feed that may still grow; chunked */
	REPLY_LATER   /* no answer yet: ask again when woken */
};

enum feed_result { FEED_DATA, FEED_WAIT, FEED_END, FEED_CUT };

/* Bytes that stand in a file. */
struct loan {
	int fd; /* stays the lender's */
	int64_t length;
};

/* A body that grows while it is sent. */
struct feed_ops {
	/* Copies up to length bytes at offset. FEED_WAIT: nothing there yet, and the waiter has been joined
	 * (same critical section). FEED_CUT: the connection is reset. Called on a front thread: must not
	 * block on the network. */
	enum feed_result (*read)(void *feed, int64_t offset, void *bytes, size_t length, size_t *out_read,
		struct waiter *waiter);
	/* Takes the waiter back; false if it has been or is being woken. Short: a lock is held. */
	bool (*leave)(void *feed, struct waiter *waiter);
	void (*destroy)(void *feed);
	/* The same as read, without a copy: all that there is at offset, in a file that keeps it there until
	 * repay, which follows at once and tells how far the bytes went (false: as FEED_CUT). NULL: cannot.
	 */
	enum feed_result (*lend)(void *feed, int64_t offset, struct loan *loan, struct waiter *waiter);
	bool (*repay)(void *feed, int64_t offset);
};

struct request;
struct reply;

/* An answer that depends on something that has not happened yet. No worker is held while it is waited for. */
struct later_ops {
	/* True: go on now. False: the waiter has been joined and is woken when it is worth asking again; from
	 * the joining on another thread may resume or destroy `later`. On a worker. */
	bool (*ready)(void *later, struct waiter *waiter);
	/* Takes the waiter back; false if it has not joined, has been or is being woken. Short: a lock is
	 * held. */
	bool (*leave)(void *later, struct waiter *waiter);
	/* Fills a fresh reply (which may be REPLY_LATER again); on a worker, may block. Takes over or
	 * destroys `later`. Where an upload's begin had to wait, it may set request->upload instead. */
	void (*resume)(void *later, const struct request *request, struct reply *reply);
	void (*destroy)(void *later);
	bool watched; /* whose client is gone meanwhile is not waited for: his connection ends, by leave */
	bool slow; /* resume waits for the disk: it, and ready when it is asked again, run on a disk worker */
	bool joins; /* destroy may wait for a thread: when the client has gone, it runs on a disk worker */
};

enum { REUSE_LABELS = 2 };

/* What a handler says of a reply that may be given again to whoever sends the same target: see
 * response_cache.h. */
struct reuse_ops {
	/* It has been given to one more client, from its beginning (a download) or not; on a front thread:
	 * must be quick. */
	void (*hit)(void *context, bool download);
	void (*destroy)(void *context);
};

struct reuse {
	const struct reuse_ops *ops; /* NULL: the reply is for this request alone */
	void *context;
	char *labels[REUSE_LABELS]; /* any of which can be forgotten */
};
void reuse_finish(struct reuse *reuse);

struct reply_header {
	const char *name; /* a constant */
	char *value;
};

struct reply {
	int status;
	struct reply_header headers[REPLY_HEADERS_MAX];
	size_t header_count;
	enum reply_body kind;
	char *bytes; /* REPLY_BYTES */
	size_t length;
	int fd; /* REPLY_FILE */
	int64_t offset;
	int64_t size;
	int64_t part_of; /* the size of the whole, where this is a part (206) of what would be a 200; or 0 */
	const struct feed_ops *feed_ops; /* REPLY_STREAM */
	void *feed;
	const struct later_ops *later_ops; /* REPLY_LATER */
	void *later;
	int64_t head_length;   /* REPLY_EMPTY to HEAD, or a 304: the Content-Length to tell. -1: none, which
				  ends the connection */
	enum err_code problem; /* which refusal this is, for the log and the metrics; ERR_NONE */
	bool is_module;        /* the bytes are a module's, for the metrics */
	char note[64];         /* a word for the access log, such as "hit"; may be "" */
	struct reuse reuse;
};

void reply_init(struct reply *reply);
/* Frees what the reply still owns. */
void reply_finish(struct reply *reply);

/* Adds a header; name is a constant, the value is copied. Values with control characters are dropped (RFC
 * 9110 5.5). */
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_printf(struct reply *reply, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds one to the fields that Vary names. */
void reply_vary(struct reply *reply, const char *field);

/* What is for a browser that has signed in alone: no cache that others use may keep it. */
void reply_make_private(struct reply *reply);

/* Another Content-Type in place of the one that came with the body. */
void reply_retype(struct reply *reply, const char *media_type);

/* The first value of this header, or NULL. */
const char *reply_find_header(const struct reply *reply, const char *name);

/* Each sets status and body; the first takes over bytes (malloc'ed), the next the descriptor, the last two
 * their object. */
void reply_take_bytes(struct reply *reply, int status, const char *media_type, char *bytes, size_t length);
void reply_text(struct reply *reply, int status, const char *media_type, const char *text);
void reply_file(
	struct reply *reply, int status, const char *media_type, int fd, int64_t offset, int64_t size);
void reply_stream(
	struct reply *reply, int status, const char *media_type, const struct feed_ops *ops, void *feed);
void reply_later(struct reply *reply, const struct later_ops *ops, void *later);
void reply_empty(struct reply *reply, int status);

/* This reply, whose body is set, may be given again. Takes over the context, copies the labels. */
void reply_reuse(struct reply *reply, const struct reuse_ops *ops, void *context,
	const char *const labels[REUSE_LABELS]);

/* Reads the body of a REPLY_FILE that has at most max bytes into memory; otherwise, and where that fails, the
 * reply stays as it is. */
void reply_load_file(struct reply *reply, int64_t max);

/* Which part of a file a reply gives. */
struct reply_part {
	int status;
	int64_t offset;
	int64_t size;
};

/* Makes of a part (part_of) the whole, so that it can be given again to who asks for others; what it was. A
 * reply that is none stays as it is. */
struct reply_part reply_widen(struct reply *reply);

/* Writes the value as JSON and lets go of it (json_decref). */
void reply_json(struct reply *reply, int status, json_t *value);

/* Whether it is sent without a body, whatever length it tells: an answer to HEAD, or a 304. */
bool reply_is_bodiless(const struct reply *reply, bool is_head);

#endif
