/* SPDX-License-Identifier: Apache-2.0
 *
 * DSSE envelopes: a payload with its type, and signatures over both.
 * https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
#ifndef SERVER_BUNDLE_DSSE_H
#define SERVER_BUNDLE_DSSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/bundle/signing_key.h"

enum { DSSE_SIGNATURES_MAX = 16, DSSE_VALUES_MAX = 128 };

/* What an envelope has, decoded. finish takes one that is zeroed. */
struct dsse {
	char *type;
	struct buffer payload;
	struct buffer signed_bytes; /* what signatures are over */
	json_t *signatures;         /* an array */
};
void dsse_finish(struct dsse *dsse);
#define AUTO_DSSE AUTO(dsse_finish)

/* Appends an envelope with one signature; the same payload and Ed25519 key give the same bytes. */
void dsse_write(
	const struct signing_key *key, const char *type, const struct buffer *payload, struct buffer *out);

/* Takes an envelope apart, which was parsed by strictjson. Base64 is the standard's or that for URLs, padded,
 * and exactly as it is written. ERR_BAD_REQUEST for what is none; signatures are not verified. */
bool dsse_read(const json_t *envelope, struct dsse *out, struct err *err);

/* Whether one of its first signatures is this key's. Names of keys are not believed. */
bool dsse_is_signed_by(const struct dsse *dsse, const struct signing_key *key);

/* Whether a signature names this key, or none does so in our words: else it is not worth trying. */
bool dsse_may_be_signed_by(const struct dsse *dsse, const struct signing_key *key);

/* The keys that it names, in a text for people; "" where it names none. */
void dsse_list_signers(const struct dsse *dsse, struct buffer *out);

#endif
