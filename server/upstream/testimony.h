/* SPDX-License-Identifier: Apache-2.0
 *
 * What the heads of an answer, or of an upload, say of its bytes: digests and lengths, in the forms that
 * servers, stores, hubs and clients write. Who holds them against the bytes is another's business. */
#ifndef SERVER_UPSTREAM_TESTIMONY_H
#define SERVER_UPSTREAM_TESTIMONY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sums.h"

/* Further ones are left out: no server has that much to say. */
enum { STATEMENTS_MAX = 16 };

struct statement_form;

struct statement {
	const struct statement_form *form; /* which header said it */
	enum sum sum;
	uint8_t value[SUM_BYTES_MAX];
};

/* All zero to begin with. */
struct testimony {
	struct statement items[STATEMENTS_MAX];
	size_t count;
	bool malformed; /* a value of a known algorithm was none: for who is strict */
};

/* Takes a header's value if it is one that tells something; what is malformed or of an algorithm that is not
 * known tells nothing. */
void testimony_read(struct testimony *testimony, const char *name, size_t name_length, const char *value);

/* What kind of head they stood in. */
struct testimony_head {
	bool redirect;               /* its own body is another one, */
	bool empty;                  /* … of no bytes */
	bool part;                   /* a 206 that is not the whole */
	const char *coding;          /* Content-Encoding; "" without one */
	const char *stored_encoding; /* of the object that a store keeps; "" where it does not tell */
};

/* Drops what does not speak of the object that is fetched, and adds the rest to *all. */
void testimony_settle(
	const struct testimony *testimony, const struct testimony_head *head, struct testimony *all);

/* Adds those that are not there yet. */
void testimony_add(struct testimony *testimony, const struct testimony *more);

/* The sums that some statement needs, as bits (1 << SUM_SHA256 …). */
unsigned testimony_wanted(const struct testimony *testimony);

/* The header that said it, as it is usually written. */
const char *statement_header(const struct statement *statement);

#endif
