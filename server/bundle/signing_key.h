/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that sign and verify, in PEM files that `openssl pkey` reads: Ed25519 (RFC 8032), and ECDSA over the
 * curve P-256 for programs that know no other. */
#ifndef SERVER_BUNDLE_SIGNING_KEY_H
#define SERVER_BUNDLE_SIGNING_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

/* Ed25519 signatures have 64 bytes; those of P-256, in DER, at most 72. */
enum { SIGNATURE_LENGTH_MAX = 72 };

enum key_kind { KEY_ED25519, KEY_P256 };

/* Writes a new key into path (0600), its public half into path.pub; durable. ERR_CONFLICT where one of these
 * is there already: nothing is written then. *out_id: the SHA-256 of the public key (DER), as below. */
bool signing_key_make(const char *path, struct digest *out_id, struct err *err);
bool signing_key_make_kind(enum key_kind kind, const char *path, struct digest *out_id, struct err *err);

/* A private or a public key. destroy takes NULL. */
struct signing_key;

/* Reads a PEM file. ERR_BAD_REQUEST, with a sentence that names the file, for what is no such key: it wants
 * Ed25519, unencrypted. */
bool signing_key_read_private(const char *path, struct signing_key **out, struct err *err);
bool signing_key_read_public(const char *path, struct signing_key **out, struct err *err);
/* The same, of either kind: for attestations. */
bool signing_key_read_signer(const char *path, struct signing_key **out, struct err *err);
bool signing_key_read_verifier(const char *path, struct signing_key **out, struct err *err);

/* A public Ed25519 key without its file, as 32 bytes in base64. */
struct base64 signing_key_text(const struct signing_key *key);
bool signing_key_parse(const char *text, struct signing_key **out, struct err *err);

/* Whether others than its owner may read the file of a private key. */
bool signing_key_is_exposed(const char *path, int *out_mode);

void signing_key_destroy(struct signing_key *key);
AUTO_CLEANER(own_signing_key, struct signing_key *, signing_key_destroy)
#define AUTO_SIGNING_KEY AUTO(own_signing_key)

enum key_kind signing_key_kind(const struct signing_key *key);

/* By which people and envelopes name it: the SHA-256 of the public key (DER). */
struct digest signing_key_id(const struct signing_key *key);

/* The SHA-256 of the public key in PEM, by which Sigstore's bundles name it. */
struct digest signing_key_hint(const struct signing_key *key);

/* Signs with a private key; out has room for SIGNATURE_LENGTH_MAX. */
size_t signing_key_sign(const struct signing_key *key, const struct buffer *bytes, uint8_t *out);

/* Whether it is a signature of these bytes by the key, of either half. */
bool signing_key_verifies(
	const struct signing_key *key, const struct buffer *bytes, const void *signature, size_t length);

#endif
