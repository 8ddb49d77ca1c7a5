/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of the audit log: what of a row is hashed, and whether rows follow one another. Knows no
 * database, so that rows that came another way can be verified as well (docs/trust.md has the form). */
#ifndef SERVER_STORE_AUDIT_CHAIN_H
#define SERVER_STORE_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

/* Bytes of a row's texts: what is longer is cut before it is hashed. */
enum { AUDIT_SUBJECT_MAX = 1024, AUDIT_DETAIL_MAX = 4096 };

/* Texts that are NULL are hashed as empty ones, and none is ever empty. */
struct audit_row {
	int64_t id; /* from one row to the next it grows by one */
	int64_t at;
	const char *who;    /* a token, an upstream, or a user of the system */
	const char *from;   /* the client's address, "command line" */
	const char *action; /* "publish" … */
	const char *subject;
	const char *detail;
	const char *before; /* digests: of what is not given out any more, */
	const char *after;  /* … and of what is from now on */
	bool is_chained;    /* it has a hash: rows of an earlier Larder have none */
	struct digest hash;
};

/* The hash of a row behind one that has this hash; NULL: it is the first. */
struct digest audit_chain_hash(const struct digest *previous, const struct audit_row *row);

/* Rows are handed over in the order of their ids. */
struct audit_check {
	bool begun;
	int64_t last_id;
	struct digest last;
	size_t rows;                 /* that are chained */
	size_t earlier;              /* that were written before the chain began */
	const struct digest *wanted; /* the caller's; NULL */
	bool found;
};

/* Whether the row is what was written behind the one before: ERR_CONFLICT names the first that is not. */
bool audit_check_row(struct audit_check *check, const struct audit_row *row, struct err *err);

/* After the last: whether the head is among them that the catalog has (NULL: it has none), and the one that
 * was wanted. ERR_CONFLICT where rows were removed. */
bool audit_check_end(const struct audit_check *check, bool head_found, struct err *err);

#endif
