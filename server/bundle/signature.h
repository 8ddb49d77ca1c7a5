/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of bundles: Ed25519 (RFC 8032) over the digest of the contents, in a DSSE envelope. Keys are PEM
 * files that `openssl pkey` reads. https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
#ifndef SERVER_BUNDLE_SIGNATURE_H
#define SERVER_BUNDLE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/bundle/contents.h"

enum { SIGNATURE_BYTES_MAX = 64 << 10 };

/* Writes a new key into path (0600), its public half into path.pub; durable. ERR_CONFLICT where one of these
 * is there already: nothing is written then. *out_id: the SHA-256 of the public key (DER), as below. */
bool signing_key_make(const char *path, struct digest *out_id, struct err *err);

/* A private or a public key. destroy takes NULL. */
struct signing_key;

/* Reads a PEM file. ERR_BAD_REQUEST, with a sentence that names the file, for what is no such key: it wants
 * Ed25519, unencrypted. */
bool signing_key_read_private(const char *path, struct signing_key **out, struct err *err);
bool signing_key_read_public(const char *path, struct signing_key **out, struct err *err);
/* A public key without its file, as 32 bytes in base64. */
struct base64 signing_key_text(const struct signing_key *key);
bool signing_key_parse(const char *text, struct signing_key **out, struct err *err);

/* Whether others than its owner may read the file of a private key. */
bool signing_key_is_exposed(const char *path, int *out_mode);

void signing_key_destroy(struct signing_key *key);
AUTO_CLEANER(own_signing_key, struct signing_key *, signing_key_destroy)
#define AUTO_SIGNING_KEY AUTO(own_signing_key)

/* By which people and envelopes name it: the SHA-256 of the public key (DER). */
struct digest signing_key_id(const struct signing_key *key);

/* What is signed. */
struct signed_statement {
	struct bundle_blob contents;
	int64_t created_s;
};

/* Appends the envelope; the same statement gives the same bytes. */
void signature_write(
	const struct signing_key *key, const struct signed_statement *statement, struct buffer *out);

/* Reads an envelope, whose text the caller has limited to SIGNATURE_BYTES_MAX, and verifies it with a key of
 * either half. ERR_FORBIDDEN where none of its signatures is this key's, ERR_BAD_REQUEST for what is no
 * envelope. */
bool signature_verify(const struct signing_key *key, const char *text, size_t length,
	struct signed_statement *out, struct err *err);

#endif
