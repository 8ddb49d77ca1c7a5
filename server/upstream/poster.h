/* SPDX-License-Identifier: Apache-2.0
 *
 * Small bodies that are sent to one address by POST, one after another. What comes back is its status: the
 * rest of the answer is dropped, and a redirect is not followed. */
#ifndef SERVER_UPSTREAM_POSTER_H
#define SERVER_UPSTREAM_POSTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct poster;

struct poster_settings {
	const char *url;
	const char *ca_file; /* PEM; NULL is the system's */
	const char *user_agent;
	int64_t connect_timeout_s;
	int64_t timeout_s; /* from the first step to the last byte of the answer */
};

/* For one thread. The settings must outlive it; its connection stays open between two bodies. destroy takes
 * NULL. */
struct poster *poster_create(const struct poster_settings *settings);
void poster_destroy(struct poster *poster);
AUTO_CLEANER(own_poster, struct poster *, poster_destroy)
#define AUTO_POSTER AUTO(own_poster)

struct posting {
	const char *const *headers; /* whole lines; ends with NULL */
	const char *body;
	size_t length;
};

struct posting_answer {
	int status;
	int64_t retry_after_s; /* 0 where there is none */
};

/* Waits for the answer's head, and for as much of its body as may come. True for an answer of whatever
 * status; ERR_UPSTREAM_UNREACHABLE where there was none, with a sentence that has no secret of the address.
 * *stop ends it within a second. */
bool poster_send(struct poster *poster, const struct posting *posting, const _Atomic bool *stop,
	struct posting_answer *out, struct err *why);

#endif
