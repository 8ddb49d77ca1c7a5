/* SPDX-License-Identifier: Apache-2.0
 *
 * The heads that come before a body: reads them line by line into a struct answer, in bounded memory. */
#ifndef SERVER_UPSTREAM_ANSWER_HEAD_H
#define SERVER_UPSTREAM_ANSWER_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/upstream/transfer_terms.h"

/* Of all heads of one transfer together: interim ones, those of redirects, the final one. */
enum { HEAD_BYTES_MAX = 256 * 1024, HEAD_LOCATION_MAX = 2048 };

enum head_progress {
	HEAD_MORE,     /* in the middle of a head */
	HEAD_INTERIM,  /* a 1xx has ended; the answer is still to come */
	HEAD_REDIRECT, /* a redirect has ended */
	HEAD_FINAL,    /* *answer is whole, but for its effective_url */
	HEAD_TOO_LARGE
};

/* All zero to begin with. */
struct answer_head {
	struct answer answer;
	bool is_http1;
	bool chunked;        /* or coded otherwise: a length does not count */
	bool has_last_chunk; /* the coding shows its own end */
	bool has_location;
	char location[HEAD_LOCATION_MAX]; /* "" where it has none, or a longer one */
	char stored_encoding[64];         /* of the object in its store; "" where it is not told */
	struct testimony testimony;       /* of this head alone, */
	struct testimony settled;         /* … and what counts of it and those before it */
	size_t bytes;
};

/* Takes one line with its line end; a status line begins a new head. A field that does not fit its place in
 * struct answer, or has control characters, is left out. */
enum head_progress answer_head_add(struct answer_head *head, const char *line, size_t length);

#endif
