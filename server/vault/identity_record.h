/* SPDX-License-Identifier: Apache-2.0
 *
 * Identities and tombstones as they are written down in a bucket. */
#ifndef SERVER_VAULT_IDENTITY_RECORD_H
#define SERVER_VAULT_IDENTITY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/vault/vault_terms.h"

enum { RECORD_BYTES_MAX = 16 << 10 };

/* What no other deposit has. */
void nonce_make(char out[IDENTITY_WORD_MAX + 1]);

/* free() it. */
char *identity_write(const struct name *name, const struct identity *identity);

/* ERR_UPSTREAM_FAILED where it is none, or another name's. */
bool identity_read(
	const char *text, size_t length, const struct name *name, struct identity *out, struct err *err);

/* The same of a note: a line that says what it is, and then its text. nonce is of who wrote it. */
void note_write(const struct name *name, const struct note *note, int64_t revision, const char *nonce,
	struct buffer *out);
bool note_read(const struct buffer *text, const struct name *name, struct note *out,
	char nonce[IDENTITY_WORD_MAX + 1], struct err *err);

/* That somebody did something to a name at some time: withdrew a version, or published what had been
 * mirrored. */
struct mark {
	char who[IDENTITY_WORD_MAX + 1];
	int64_t at_s;
	char nonce[IDENTITY_WORD_MAX + 1];
};

/* One of now. */
struct mark mark_new(const char *who);

/* The same of a mark, whose name is only told. */
char *mark_write(const struct name *name, const struct mark *mark);
bool mark_read(const char *text, size_t length, struct mark *out, struct err *err);

#endif
